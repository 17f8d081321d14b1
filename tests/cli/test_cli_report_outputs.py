"""`rsonnx report`: formats, logs, comparisons, gates, pictures and cards."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reported import RUN_HEADER

from rsonnx import Counts, certify_from_counts
from rsonnx.cli import run
from rsonnx.runs import Row, RunWriter

LOG = (
    "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
    "0\t1\t1\t0.75\t1\t0:00:01\n"
    "5\t2\t1\t0.9\t0\t0:00:01\n"
)
PREDICTIONS = "idx\tlabel\tpredict\tcorrect\ttime\n0\t1\t1\t1\t0:00:01\n"
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a run file: of each input how many of 1000 samples were of class 3, its label."""

    def write(name: str, hits: list[int], *, stop: bool = False, **header: Any) -> Path:
        with (
            contextlib.suppress(KeyboardInterrupt),
            RunWriter(tmp_path / name, RUN_HEADER | header) as writer,
        ):
            for i, k in enumerate(hits):
                found = certify_from_counts(
                    Counts([0, 1, 0, 99]), Counts([0, 1000 - k, 0, k]), sigma=0.5
                )
                one = Row.of(found, index=i, name=f"{i}", label=3, base_prediction=3, seconds=0)
                writer.write(replace(one, digest=f"digest {i}"))
            if stop:
                raise KeyboardInterrupt
        return tmp_path / name

    return write


@pytest.fixture
def files(make: Make, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "log.tsv").write_text(LOG)
    (tmp_path / "predict.tsv").write_text(PREDICTIONS)
    (tmp_path / "head.tsv").write_text(LOG.splitlines()[0] + "\n")
    (tmp_path / "torn.tsv").write_text(LOG + "7\tx\n")
    return {
        "a": str(make("a.jsonl", [990, 990, 700, 500])),
        "b": str(make("b.jsonl", [999, 700, 700, 500])),
        "late": str(make("late.jsonl", [990], stop=True)),
        **{name: str(tmp_path / f"{name}.tsv") for name in ("log", "predict", "head", "torn")},
        "folder": str(tmp_path),
    }


def report(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(["report", *words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv", "json"])
def test_every_format_is_printed_on_stdout(
    form: str, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = report(capsys, files["a"], files["late"], files["log"], "--format", form)
    assert (code, err) == (0, "")
    assert "interrupted" in out
    starts = {"table": "model ", "markdown": "| model |", "latex": "% \\usepackage{booktabs}"}
    starts |= {"csv": "kind,name,status", "json": "["}
    assert out.startswith(starts[form])
    assert out.endswith("\n")
    assert not out.endswith("\n\n")
    if form == "csv":
        lines = list(csv.DictReader(io.StringIO(out)))
        assert [line["status"] for line in lines] == ["complete", "interrupted", ""]
    if form == "json":
        first, second, log = json.loads(out)
        assert (first["status"], second["status"], log["status"]) == (
            "complete",
            "interrupted",
            None,
        )
        assert log["log"] == files["log"]
        code, same, _ = report(capsys, files["a"], files["late"], files["log"], "--json")
        assert same == out


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv", "json"])
def test_runs_are_compared_in_every_format(
    form: str, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (files["a"], files["b"], "--paired", "--radii", "0,0.5", "--format", form)
    code, out, err = report(capsys, *words)
    assert (code, err) == (0, "")
    # At 0.5 the second input is certified in a alone: 990 of 1000 hits against 700.
    if form == "json":
        [pair] = json.loads(out)
        at = pair["certified_accuracy"][1]
        assert (at["radius"], at["only_first"], at["only_second"]) == (0.5, 1, 0)
        assert (pair["pairs"], pair["first"], at["p_value"]) == (4, files["a"], 1.0)
    elif form == "csv":
        line = list(csv.DictReader(io.StringIO(out)))[1]
        assert (line["only_first"], line["difference"], line["pairs"]) == ("1", "0.25", "4")
    else:
        assert "4 inputs are matched by digest" in out
        assert "+25.0" in out


def test_a_log_stands_beside_runs_and_alone(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = report(capsys, files["log"])
    assert code == 0
    assert out.splitlines()[0].split()[5:7] == ["r=0", "r=0.25"]
    assert out.splitlines()[1].split()[:6] == [files["log"], "?", "2", "?", "0.3750", "50.0"]
    code, out, _ = report(capsys, files["a"], files["log"], "--radii", "0.75,0.8")
    assert out.splitlines()[2].split()[-2:] == ["50.0", "0.0"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{log}", "--alpha", "0.01"], "as --alpha needs"),
        (["{log}", "--fail-under", "acr=0"], "as --fail-under needs"),
        (["{log}", "--card", "{folder}/x.md"], "as --card needs"),
        (["{log}", "--html", "{folder}/x.html"], "as --html needs"),
        (["{a}", "{log}", "--paired"], "has no digests"),
        (["{a}", "--paired"], "two run files or more"),
        (["{predict}"], "a log of predictions, which has no radii"),
        (["{log}", "--plot", "{folder}/x.svg", "--plot-kind", "samples"], "does not say"),
        (["{a}", "--json", "--format", "csv"], "contradict each other"),
        (["{a}", "--plot", "{folder}/x.gif"], ".png, .svg, .pdf was expected"),
        (["{a}", "--plot", "{folder}/x"], ".png, .svg, .pdf was expected"),
        (["{a}", "--plot", "{folder}/no/x.png"], "does not exist"),
        (["{a}", "--plot", "{a}.png", "--plot-kind", "nothing"], "nothing"),
        (["{a}", "--plot-kind", "radii"], "give --plot FILE too"),
        (["{a}", "--data", "{folder}"], "--data is for the pictures of --html"),
        (["{a}", "--card", "{b}"], "never overwritten"),
        (["{a}", "--card", "{folder}/x.svg", "--plot", "{folder}/x.svg"], "the same file"),
        (["{a}", "--fail-under", "acc@0.5=60"], "a share from 0 to 1"),
        (["{a}", "--format", "word"], "word"),
        (["{a}", "--radii", "nan"], "radii are"),
    ],
)
def test_wrong_usage_is_one_sentence_and_prints_nothing(
    words: list[str], said: str, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path(files["folder"]).iterdir())
    code, out, err = report(capsys, *(word.format(**files) for word in words))
    assert (code, out) == (2, "")
    assert said in err
    assert sorted(Path(files["folder"]).iterdir()) == before


def test_a_radius_of_minus_zero_is_zero(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = report(capsys, files["a"], "--radii=-0.0,0.5")[1]
    assert out.splitlines()[0].split()[5:] == ["r=0", "r=0.5"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_that_nobody_writes_to_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, out, err = report(capsys, str(tmp_path / "pipe"))
    assert (code, out) == (2, "")
    assert "is not a file" in err


@pytest.mark.parametrize(("name", "said"), [("head", "no rows"), ("torn", "line 4")])
def test_a_log_that_cannot_be_read_is_a_failure(
    name: str, said: str, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = report(capsys, files[name])
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_gate_that_is_not_met_exits_with_3_below_the_table(
    form: str, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (files["a"], files["b"], "--format", form)
    code, table, err = report(capsys, *words, "--fail-under", "acc@0.5=0.25")
    assert (code, err) == (0, "")
    gates = ("--fail-under", "acc@0.5=0.5", "--fail-under", "standard=1")
    code, out, err = report(capsys, *words, *gates)
    assert (code, out) == (3, table)
    assert err == f"Error: acc@0.5=0.5 is not met: {files['b']} has acc@0.5 = 25.0 %\n"
    code, out, err = report(capsys, files["late"], "--fail-under", "acr=0")
    assert code == 3
    assert "late.jsonl is interrupted, not complete" in err
    code, _, err = report(capsys, files["a"], files["b"], "--paired", "--fail-under", "acr=9")
    assert code == 3


def test_the_shard_of_a_run_is_no_complete_run(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = str(make("shard.jsonl", [990], shard={"index": 1, "of": 4}))
    code, out, err = report(capsys, shard, "--fail-under", "acr=0")
    assert code == 3
    assert "this run is shard 1/4: the figures are of the 1 inputs" in out
    assert "shard.jsonl is shard 1/4, not complete" in err
    whole = str(make("whole.jsonl", [990], shard={"index": 1, "of": 1}))
    assert report(capsys, whole, "--fail-under", "acr=0")[0] == 0


def test_a_run_whose_inputs_share_their_noise_says_so(
    make: Make, files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = str(make("s.jsonl", [990] * 4, noise=RUN_HEADER["noise"] | {"shared": True}))
    for form in ("table", "markdown", "latex"):
        code, out, _ = report(capsys, shared, "--format", form)
        assert code == 0
        plain = " ".join(out.replace("\\", "").replace("{[}", "[").replace("{]}", "]").split())
        assert "noise shared by all inputs: their certificates are not independent" in plain
        assert "[P, under this noise" in plain
        assert "[N, P" not in plain
        assert "false certificates: " in plain
        assert "(Markov)" in plain
    [found] = json.loads(report(capsys, shared, "--json")[1])
    assert found["shared_noise"] is True
    assert "Markov" in found["statements"]["false_certificates"]["assumes"]
    [line] = csv.DictReader(io.StringIO(report(capsys, shared, "--format", "csv")[1]))
    assert line["shared_noise"] == "True"
    card = tmp_path / "card.md"
    code, out, _ = report(capsys, files["a"], shared, "--paired", "--card", str(card))
    assert code == 0
    assert "of this very noise" in " ".join(out.split())
    text = card.read_text()
    assert "gaussian sigma = 0.5, the same for all inputs" in text
    assert "4 inputs, shared noise)" in text
    [pair] = json.loads(report(capsys, files["a"], shared, "--paired", "--json")[1])
    assert "noise that they share" in pair["acr"]["assumes"]
    assert json.loads(report(capsys, files["a"], "--json")[1])[0]["shared_noise"] is False


def test_a_name_that_is_too_long_is_refused_before_anything_is_printed(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option, ending in (("--plot", "png"), ("--card", "md"), ("--html", "html")):
        name = str(tmp_path / f"{'a' * 300}.{ending}")
        # The run file does not exist either, but the output is looked at first.
        code, out, err = report(capsys, str(tmp_path / "none.jsonl"), option, name)
        assert (code, out) == (2, "")
        assert "cannot be created: File name too long" in err


def test_a_full_disk_leaves_no_part_of_a_picture_or_a_card(
    files: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    resource = pytest.importorskip("resource", reason="no limits here")
    pytest.importorskip("matplotlib", reason="pictures need the extra rsonnx[report]")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for option, ending in (("--plot", "png"), ("--card", "md")):
        output = tmp_path / f"out.{ending}"
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            code = run(["report", files["a"], option, str(output)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        out, err = capsys.readouterr()
        assert (code, out) == (2, "")
        assert "cannot be written: File too large" in err
        assert not output.exists()


def test_pictures_and_cards_are_written_beside_the_table(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra rsonnx[report]")
    plain = report(capsys, files["a"], files["b"])[1]
    picture, card = tmp_path / "c.svg", tmp_path / "card.md"
    words = (files["a"], files["b"], "--plot", str(picture), "--card", str(card))
    assert report(capsys, *words) == (0, plain, "")
    assert "tiny.onnx" in picture.read_text()
    assert "## Certified robustness" in card.read_text()
    kept = picture.read_bytes()
    code, out, err = report(capsys, *words)
    assert (code, out) == (2, "")
    assert "never overwritten" in err
    assert picture.read_bytes() == kept


def test_without_matplotlib_a_picture_names_the_extra(
    files: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("matplotlib", "matplotlib.style", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    code, out, err = report(capsys, files["a"], "--plot", str(tmp_path / "c.png"))
    assert (code, out) == (2, "")
    assert "pip install 'rsonnx[report]'" in err
    assert report(capsys, files["a"])[0] == 0


def test_the_table_needs_no_matplotlib(files: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import sys; from rsonnx.cli import run; "
        f"code = run(['report', {files['a']!r}, '--format', 'latex']); "
        "sys.exit(code or 'matplotlib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
