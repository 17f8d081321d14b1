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

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from rsonnx import cli
from rsonnx.smoothing import isolation

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"
INPUTS, RUNS, SAID = GOLDEN / "inputs", GOLDEN / "runs", GOLDEN / "said.json"
BY_E_PROCESS = ("target", "adaptive", "adaptive-family-wise")
EARLIER = (
    "first",
    "oldest",
    "float16-alone",
    "brightness-contrast-avx512",
    *(f"{name}-e-process" for name in BY_E_PROCESS),
)
CLASSES, SIDE, WIDE, COUNT = 3, 4, 5, 3

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


def make_inputs() -> None:
    """Write the models and the data: random weights, so that no score ties with another."""
    shutil.rmtree(INPUTS, ignore_errors=True)
    INPUTS.mkdir(parents=True)
    image, pair, codes = (_weights(size, seed) for size, seed in ((16, 1), (25, 2), (9, 3)))
    bits, both = _weights(12, 4), np.concatenate([pair, -pair])
    _save("image", _scores(image), (1, SIDE, SIDE), image)
    _save("pair", _scores(both), (2, WIDE, WIDE), both)
    _save("codes", _scores(codes), (9,), codes)
    _save("bits", _scores(bits), (12,), bits)
    _save(
        "fed", [*_scores(codes, "raw"), _node("Mul", "raw scale", "scores")], (9,), codes, "scale"
    )
    _save("nan", [*_scores(image, "raw"), *_nan_below(0.51)], (1, SIDE, SIDE), image)
    _save("coupled", _dimmed(), (1, SIDE, SIDE), image)
    _save("score", _scores(codes[:, :1]), (9,), codes[:, 1:2] - codes[:, :1])
    _save("stump", [_stump()], (9,), None)
    labels = np.arange(COUNT) % CLASSES
    grey = _towards(image, labels)
    np.savez(INPUTS / "grey.npz", x=grey.reshape(COUNT, SIDE, SIDE), y=labels)
    np.savez(INPUTS / "off.npz", x=grey.reshape(COUNT, 1, SIDE, SIDE) / 260 + 0.001, y=labels)
    wide = _towards(pair, labels).reshape(COUNT, WIDE, WIDE)
    np.savez(INPUTS / "wide.npz", x=wide, y=labels)
    table = np.rint(_towards(codes, labels) / 255 * 3).astype(np.float32)
    np.savez(INPUTS / "codes.npz", x=table, y=labels)
    np.savez(INPUTS / "table.npz", x=table * np.float32(0.9) + np.float32(0.0625), y=labels)
    np.savez(INPUTS / "binary.npz", x=table, y=labels % 2)
    np.savez(INPUTS / "bits.npz", x=(_towards(bits, labels) > 127).astype(np.float32), y=labels)
    _save_mixed()
    (INPUTS / "sigmas.txt").write_text("0.25\n0.5\n" * 8)
    (INPUTS / "names.txt").write_text("cat\ndog\nemu\n")
    for name, picture in zip(("cat/a", "dog/b", "emu/c"), grey, strict=False):
        path = INPUTS / "folder" / f"{name}.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(picture.reshape(SIDE, SIDE)).save(path)


def _save_mixed() -> None:
    """Write a model with an input a column, one of text, and a table with these in another order.

    The score of class 0 has a, b and red, that of class 1 the others.
    """
    keys = {"keys_strings": ["red"], "values_floats": [1.0], "default_float": -1.0}
    nodes = [
        _node("LabelEncoder", "k", "red", domain="ai.onnx.ml", **keys),
        _node("Concat", "a b c red", "flat", axis=1),
        _node("MatMul", "flat w", "scores"),
    ]
    kinds = {"a": TensorProto.FLOAT, "b": TensorProto.FLOAT, "k": TensorProto.STRING}
    kinds["c"] = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "mixed",
        [helper.make_tensor_value_info(name, kind, ["N", 1]) for name, kind in kinds.items()],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 2)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="")
    (INPUTS / "mixed.onnx").write_bytes(model.SerializeToString())
    rows = ["k,c,label,b,a", "red,0.5,0,0.25,2", "blue,2,1,0.125,0.5", "green,1,1,0.5,1.25"]
    (INPUTS / "mixed.csv").write_text("\n".join([*rows, ""]))


def _weights(size: int, seed: int) -> NDArray[np.float32]:
    """Return weights by which an input of one value everywhere has no class."""
    weights = np.random.default_rng(seed).standard_normal((size, CLASSES))
    return (weights - weights.mean(axis=0)).astype(np.float32)


def _towards(weights: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return inputs that are more and more of their class, from hardly to certainly."""
    lead = weights.T[labels] - weights.mean(axis=1)
    more = np.linspace(0.02, 0.9, len(labels))[:, np.newaxis]
    noise = np.random.default_rng(9).normal(0, 0.03, lead.shape)
    return np.rint(255 * np.clip(0.5 + more * np.sign(lead) / 2 + noise, 0, 1)).astype(np.uint8)


def _node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def _scores(weights: NDArray[np.float32], output: str = "scores") -> list[onnx.NodeProto]:
    del weights
    return [_node("Flatten", "x", "flat"), _node("MatMul", "flat w", output)]


def _nan_below(mean: float) -> list[onnx.NodeProto]:
    """Return nodes that make all scores NaN where the mean of an input is below a number."""
    level = helper.make_tensor("level", TensorProto.FLOAT, [], [mean])
    return [
        helper.make_node("Constant", [], ["least"], value=level),
        _node("ReduceMean", "flat", "mean", axes=[1], keepdims=1),
        _node("Sub", "mean least", "above"),
        _node("Log", "above", "log"),
        _node("Sub", "log log", "zero"),
        _node("Add", "raw zero", "scores"),
    ]


def _dimmed() -> list[onnx.NodeProto]:
    """Return nodes that dim a batch where any value of it is beyond what noise reaches here."""
    limit, dim = (
        helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("l", 99), ("d", 9))
    )
    return [
        _node("Flatten", "x", "flat"),
        helper.make_node("Constant", [], ["limit"], value=limit),
        helper.make_node("Constant", [], ["dim"], value=dim),
        _node("ReduceMax", "flat", "most", keepdims=0),
        _node("Greater", "most limit", "large"),
        _node("Div", "flat dim", "dimmed"),
        _node("Where", "large dimmed flat", "chosen"),
        _node("MatMul", "chosen w", "scores"),
    ]


def _stump() -> onnx.NodeProto:
    """Return a tree of one decision: x0 <= 1.5 is class 0, else class 1."""
    return helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        nodes_treeids=[0] * 3,
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0] * 3,
        nodes_values=[1.5, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        class_treeids=[0] * 2,
        class_nodeids=[1, 2],
        class_ids=[0, 1],
        class_weights=[1.0, 1.0],
        classlabels_int64s=list(range(CLASSES)),
        post_transform="NONE",
    )


def _save(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int],
    weights: NDArray[np.float32] | None,
    fed: str | None = None,
) -> None:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])]
    if fed is not None:
        inputs.append(helper.make_tensor_value_info(fed, TensorProto.FLOAT, [1]))
    classes = CLASSES if weights is None else weights.shape[1]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", classes])]
    opsets = [helper.make_opsetid("", 13)]
    if weights is None:
        outputs.insert(0, helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]))
        opsets.append(helper.make_opsetid("ai.onnx.ml", 1))
    stored = [] if weights is None else [numpy_helper.from_array(weights, "w")]
    graph = helper.make_graph(list(nodes), name, inputs, outputs, stored)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="")
    (INPUTS / f"{name}.onnx").write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main(sys.argv[1:])
