"""Make the golden runs of tests/golden: inputs, run files, and what the commands say of them.

    python tools/make_golden_runs.py [NAME...]

Everything is made by commands of this checkout, in tests/golden/inputs: a deliberate change is
recorded by running this, and the difference of the files is what has changed. Only what says who
made a run, and when, is written as if by nobody: versions, time and seconds. ``first.jsonl``,
``oldest.jsonl`` and what is named for the e-process are of earlier versions of rsonnx; they are
kept, and only read. Another scipy may give a bound another last digit: these are of scipy 1.17.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from golden_inputs import GOLDEN, INPUTS, make_inputs

from rsonnx import cli
from rsonnx.smoothing import isolation

RUNS, SAID = GOLDEN / "runs", GOLDEN / "said.json"
BY_E_PROCESS = ("target", "adaptive", "adaptive-family-wise")
EARLIER = (
    "first",
    "oldest",
    "float16-alone",
    "brightness-contrast-avx512",
    *(f"{name}-e-process" for name in BY_E_PROCESS),
)

GREY, PAIRED, OFF = "image.onnx grey.npz", "pair.onnx wide.npz", "image.onnx off.npz"
MIXED = "mixed.onnx mixed.csv"
G = f"{GREY} --sigma 0.25"
PROCEDURES = {
    "fixed": f"{G} --n 300",
    "two-sided": f"{G} --n 300 --radius two-sided",
    "randomised": f"{G} --n 300 --bound randomized-clopper-pearson",
    "hoeffding": f"{G} --n 300 --bound hoeffding --alpha 0.05",
    "target": f"{G} --n 3000 --target-radius 0.1",
    "adaptive": f"{G} --n 3000 --adaptive",
    "adaptive-family-wise": f"{G} --n 3000 --adaptive --family-wise",
    "precision": f"{G} --n 3000 --precision 0.1",
    "family-wise": f"{G} --n 300 --family-wise",
    "shared": f"{G} --n 300 --share-noise",
    "limited": f"{G} --n 300 --limit 2 --sample 7",
    "float16": f"{G} --n 300 --float16",
    "float": f"{OFF} --sigma 0.25 --n 300",
    "watched": "coupled.onnx grey.npz --sigma 0.25 --n 2000 --rows watched",
    "no-class": "nan.onnx grey.npz --sigma 0.25 --n 300",
    "feed": "fed.onnx table.npz --sigma 0.5 --n 300 --feed scale=2 --bounds 0 3",
    "stump": "stump.onnx table.npz --sigma 0.5 --n 300 --bounds 0 3",
    "threshold": "score.onnx binary.npz --sigma 0.5 --n 300 --threshold 0 --bounds 0 3",
    "folder": "image.onnx folder --sigma 0.25 --n 300 --classes names.txt",
    "exact": "stump.onnx table.npz --sigma 0.5 --procedure exact --bounds 0 3",
    "exact-linear": f"{G} --procedure exact",
}
LAWS = {  # in each of their norms
    "gaussian-l1": f"{G} --n 300 --norm l1",
    "gaussian-linf": f"{G} --n 300 --norm linf",
    "per-feature": f"{GREY} --sigma-per-feature sigmas.txt --n 300",
    "table": f"{MIXED} --sigma-per-feature 1std --bounds auto --fixed-columns b --n 300",
    "laplace-l1": f"{GREY} --noise laplace --sigma 0.25 --n 300",
    "laplace-linf": f"{OFF} --noise laplace --sigma 0.25 --n 300 --norm linf",
    "uniform-l1": f"{GREY} --noise uniform --lambda 0.5 --n 300",
    "uniform-linf": f"{OFF} --noise uniform --lambda 0.5 --n 300 --norm linf",
    "exp-linf-l1": f"{GREY} --noise exp-linf --sigma 0.25 --n 300",
    "exp-linf-linf": f"{OFF} --noise exp-linf --sigma 0.25 --n 300 --norm linf",
    "power-linf-l1": f"{GREY} --noise power-linf,a=100 --sigma 0.25 --n 300",
    "power-linf-linf": f"{OFF} --noise power-linf,a=100 --sigma 0.25 --n 300 --norm linf",
    "exp-l2": f"{GREY} --noise exp-l2 --sigma 0.25 --n 300",
    "ball": f"{GREY} --noise ball --lambda 1 --n 300",
    "pareto": f"{GREY} --noise pareto,a=4 --sigma 0.25 --n 300",
    "ablation": f"{PAIRED} --noise ablation,keep=5 --n 300",
    "flips": "codes.onnx codes.npz --noise flips,keep=0.55,values=4 --n 2000 --bounds 0 3",
    "sparse-flips": "bits.onnx bits.npz --noise sparse-flips,p_plus=0.2,p_minus=0.2 --n 2000",
    "splitting": f"{GREY} --noise splitting,seed=3 --lambda 0.1",
    "columns": f"{PAIRED} --noise columns,width=1",
    "blocks": f"{PAIRED} --noise blocks,width=1",
    "brightness": f"{GREY} --noise brightness --sigma 0.25 --n 300",
    "contrast": f"{GREY} --noise contrast --sigma 0.25 --n 300",
    "brightness-contrast": f"{GREY} --noise brightness-contrast,contrast=0.1 --sigma 0.25 --n 300",
    "brightness-blur": f"{GREY} --noise brightness-blur,blur=1,blur_lambda=2 --sigma 0.25 --n 300",
    "contrast-blur": f"{GREY} --noise contrast-blur,blur=1,blur_lambda=2 --sigma 0.25 --n 300",
    "brightness-translation": f"{GREY} --noise brightness-translation,shift=1,sigma_shift=1.5 "
    "--sigma 0.25 --n 300",
    "contrast-translation": f"{GREY} --noise contrast-translation,shift=1,sigma_shift=1.5 "
    "--sigma 0.25 --n 300",
    "blur": f"{GREY} --noise blur --lambda 2 --n 300",
    "blur-uniform": f"{GREY} --noise blur-uniform --lambda 2 --n 300 --radius two-sided",
    "blur-folded": f"{GREY} --noise blur-folded --lambda 2 --n 300 --radius two-sided",
    "translation": f"{GREY} --noise translation --sigma 1 --n 300",
    "rotation": f"{GREY} --noise rotation --angles -20,20 --sigma 0.5 --n 300",
    "padded-translation": f"{GREY} --shifts 2 --sigma 0.5 --n 300",
    "scaling": f"{GREY} --noise scaling --scales 0.75,1.25 --sigma 0.5 --n 300",
}
PARTS = {  # which `merge` puts together
    "shard1": f"{G} --n 300 --shard 1/2",
    "shard2": f"{G} --n 300 --shard 2/2",
    "samples1": f"{G} --n 300 --samples 0:100",
    "samples2": f"{G} --n 300 --samples 100:300",
}
RUN_COMMANDS = PROCEDURES | LAWS | PARTS
"""What stands behind ``certify``, by the name of the run."""

MERGES = {"merged-shards": ("shard1", "shard2"), "merged-samples": ("samples1", "samples2")}

PREDICTIONS = {
    "two-class": f"{G} --n 100",
    "majority": f"{G} --n 100 --method majority",
    "sequential": f"{G} --n 500 --sequential",
    "float": f"{OFF} --noise laplace --sigma 0.25 --n 100",
}
"""What stands behind ``predict``, by name."""

TOP_K = ("fixed", "float", "no-class")
RESTATED = ("fixed", "two-sided", "ablation")
WHOLLY_EXPORTED = ("fixed", "two-sided", "randomised", "adaptive", "no-class", "columns", "folder")

_MADE = "--seed 3 --providers cpu --preprocess none --workers 1 --quiet"


class EndedError(Exception):
    """A command ended otherwise than with its result."""


def call(*words: object) -> str:
    """Run a command in this process and return what it printed on stdout."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["rsonnx", *map(str, words)]
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(isolation, "Child", _Child),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            if ended.code:
                raise EndedError(
                    f"{shlex.join(argv)} ended with {ended.code}: {err.getvalue()}"
                ) from None
    return out.getvalue()


class _Child:
    """In place of the process that reads and tries a model first: these models are our own."""

    def ask(self, request_line: str, *_: object) -> Any:
        """Answer as a child does that found nothing; what is only read is read here."""
        request = json.loads(request_line)
        tried = request["function"] == isolation.load_and_probe.__name__
        reply = '{"error": null, "message": ""}' if tried else isolation.reply_to(request)
        return mock.Mock(returncode=0, stdout=reply, stderr="")

    def end(self) -> None:
        """Nothing was begun."""


def words_of(name: str) -> list[str]:
    """Return the words of the command that makes a run, in a folder that holds the inputs."""
    output = ["-o", f"{name}.jsonl"]
    if name in MERGES:
        return ["merge", *(f"{part}.jsonl" for part in MERGES[name]), *output]
    given = RUN_COMMANDS[name]
    n0 = "" if {"splitting", "columns", "blocks", "exact", "exact-linear"} & {name} else "--n0 30 "
    return ["certify", *f"{given} {n0}{_MADE}".split(), *output]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a run file."""
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def write_lines(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Write a run file as rsonnx does."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "ascii")


def by_nobody(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of a run without what says who made it, and when."""
    header = lines[0] | {"created": "2026-11-29T09:28:00+00:00", "fields": {}}
    header["versions"] = dict.fromkeys(lines[0]["versions"], "unknown")
    return [
        header,
        *({k: 0.0 if k == "seconds" else v for k, v in line.items()} for line in lines[1:]),
    ]


def said_of(path: Path) -> dict[str, Any]:
    """Return what the commands say of a run file in the working folder: figures, no sentences."""
    name = path.stem
    if name.startswith("samples"):
        return {}  # counts, of which nothing is said before they are merged
    said = {"verify": json.loads(call("verify", path, "--json"))}
    said["verify"]["faults"] = len(said["verify"]["faults"])
    (said["report"],) = json.loads(call("report", path, "--json"))
    if name in LAWS:
        del said["report"]["statements"]  # which know no law
    else:
        del said["report"]["statements"]["acr"]  # resampled, which versions of numpy do otherwise
    said["tsv"], said["csv"] = (_exported(path, form) for form in ("tsv", "csv"))
    if name not in WHOLLY_EXPORTED:
        del said["csv"]
    statement = json.loads(call("attest", path))
    assert statement["predicate"]["header"] == read_lines(path)[0]
    said["subjects"] = [one["digest"]["sha256"] for one in statement["subject"]]
    summary = statement["predicate"]["summary"]
    said["summary"] = {k: v for k, v in summary.items() if said["report"].get(k) != v}
    if name in TOP_K:
        said["top-k"] = json.loads(call("report", path, "--json", "--top-k", 2))
    if name in RESTATED:
        options = ("--alpha", 0.05, "--radius", "two-sided")
        said["restated"] = json.loads(call("report", path, "--json", *options))
    figures: dict[str, Any] = _figures(said)
    return figures


def _exported(path: Path, form: str) -> list[str]:
    written = path.with_suffix(f".{form}")
    call("export", path, f"--{form}", "-o", written)
    try:
        return written.read_bytes().decode("utf-8").splitlines()
    finally:
        written.unlink()


def _figures(value: Any) -> Any:
    """Return a value without the sentences in it, which are texts of more words than a name has."""
    if isinstance(value, dict):
        return {k: _figures(v) for k, v in value.items() if not _is_sentence(v)}
    return [_figures(v) for v in value] if isinstance(value, list) else value


def _is_sentence(value: Any) -> bool:
    return isinstance(value, str) and len(value.split(" ")) > 7


def predictions(name: str) -> list[dict[str, Any]]:
    """Return what ``predict --json`` says, in a folder that holds the inputs."""
    words = f"{PREDICTIONS[name]} {_MADE} --json".split()
    return [json.loads(line) for line in call("predict", *words).splitlines()]


def main(names: Sequence[str]) -> None:
    """Make the inputs and all runs, or only the runs that are named, and what is said of all."""
    RUNS.mkdir(exist_ok=True)
    if not names:
        make_inputs()
    os.chdir(INPUTS)
    for name in EARLIER if not names else ():
        write_lines(RUNS / f"{name}.jsonl", by_nobody(read_lines(RUNS / f"{name}.jsonl")))
    for name in names or (*RUN_COMMANDS, *MERGES):
        made = Path(f"{name}.jsonl")
        try:
            for part in MERGES.get(name, ()):
                shutil.copy(RUNS / f"{part}.jsonl", ".")
            call(*words_of(name))
            write_lines(RUNS / made, by_nobody(read_lines(made)))
        finally:
            for path in INPUTS.glob("*.jsonl"):
                path.unlink()
    os.chdir(RUNS)
    said = {path.stem: said_of(path) for path in sorted(Path().glob("*.jsonl"))}
    os.chdir(INPUTS)
    predicted = {name: predictions(name) for name in PREDICTIONS}
    figures = {"runs": said, "predict": predicted}
    SAID.write_text(json.dumps(figures, indent=None).replace('}, "', '},\n"') + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
