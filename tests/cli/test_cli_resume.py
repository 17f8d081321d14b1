"""`rsonnx certify --resume`: how a run is stopped, gone on with, and when that is refused."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rsonnx import cli
from rsonnx.cli import opening
from rsonnx.runs import RunWriter, read_run

FEW = ("--sigma", "0.25", "--n", "400", "--providers", "cpu")
Certify = Callable[..., int]
TIMES = re.compile(rb'"seconds": [0-9.]+|"created": "[^"]*"|"given": \[[^]]*\]')


@pytest.fixture
def certify(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> Certify:
    """Certify the first images in this process: ``certify(run, "--resume")`` returns the code."""
    monkeypatch.setattr(opening, "try_in_child", lambda *_: None)

    def run(output: Path | None, *further: str, model: str = "tiny.onnx", data: str = "set") -> int:
        given = [str(workshop / model), str(workshop / data), *FEW, "--limit", "6", "--first"]
        words = ["certify", *given, *(() if output is None else ("-o", str(output))), *further]
        monkeypatch.setattr(sys, "argv", ["rsonnx", *words])
        return cli.run(words)

    return run


@pytest.fixture
def whole(certify: Certify, tmp_path: Path) -> Path:
    assert certify(tmp_path / "whole.jsonl", "--seed", "7") == 0
    return tmp_path / "whole.jsonl"


def _cut(path: Path, rows: int) -> Path:
    """The same run as a process left it that was killed after some rows."""
    lines = path.read_bytes().split(b"\n")
    cut = path.with_name(f"cut{rows}.jsonl")
    cut.write_bytes(b"\n".join([*lines[: 1 + rows], lines[1 + rows][:30]]))
    return cut


def _same(one: Path, other: Path) -> bool:
    return TIMES.sub(b"", one.read_bytes()) == TIMES.sub(b"", other.read_bytes())


def test_a_cut_run_goes_on_to_the_same_file_and_table(
    certify: Certify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "whole.jsonl"
    assert certify(whole, "--seed", "7") == 0
    table = capsys.readouterr().out
    for rows in (0, 2, 5, 6):
        cut = _cut(whole, rows)
        assert certify(cut, "--resume") == 0  # the seed is that of the file
        said = capsys.readouterr()
        assert _same(cut, whole)
        assert said.out == table
        assert f"resume     {rows} of 6 inputs are done" in said.err
        assert "7 (from: run file)" in said.err
        assert cut.read_bytes().startswith(whole.read_bytes().split(b"\n")[0])


def test_a_complete_run_is_left_alone(
    certify: Certify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "whole.jsonl"
    assert certify(whole, "--seed", "7") == 0
    table = capsys.readouterr().out
    before, stamp = whole.read_bytes(), whole.stat().st_mtime_ns
    assert certify(whole, "--resume") == 0
    said = capsys.readouterr()
    assert "is complete: nothing is left to do" in said.err
    assert said.out == table
    assert (whole.read_bytes(), whole.stat().st_mtime_ns) == (before, stamp)


def test_the_same_command_in_a_loop_starts_and_goes_on(
    certify: Certify, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "looped.jsonl"
    for _ in range(2):
        assert certify(path, "--seed", "7", "--resume") == 0
    assert _same(path, whole)
    said = capsys.readouterr().err
    assert said.count("looped.jsonl does not exist, so the run starts afresh") == 1
    assert said.count("nothing is left to do") == 1


def test_resume_without_a_file_and_a_file_without_resume(
    certify: Certify, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert certify(None, "--resume") == 2
    assert "--resume goes on with a run file, but none was named" in capsys.readouterr().err
    for folder in (Path("."), whole.parent):
        assert certify(folder, "--resume") == 2
        assert "is not a file, but a run file was expected" in capsys.readouterr().err
    before = whole.read_bytes()
    assert certify(whole) == 2
    assert "never overwritten; go on with it by --resume" in capsys.readouterr().err
    assert whole.read_bytes() == before


@pytest.mark.parametrize(
    ("further", "words"),
    [
        (("--sigma", "0.5"), "noise.sigma is 0.25 in the file and 0.5 now"),
        (("--n", "500"), "n is 400 in the file and 500 now"),
        (("--n0", "50"), "n0 is 100 in the file and 50 now"),
        (("--alpha", "0.01"), "alpha is 0.001 in the file and 0.01 now"),
        (("--seed", "8"), "seed.value is '7' in the file and '8' now"),
        (("--bound", "hoeffding"), "bound is 'clopper-pearson' in the file and 'hoeffding' now"),
        (("--radius", "two-sided"), "radius_rule is 'one-sided' in the file and 'two-sided' now"),
        (("--target-radius", "0.1"), "bound is 'clopper-pearson' in the file and 'e-process' now"),
        (("--family-wise",), "family_wise is None in the file and 0.001 now"),
        (("--limit", "5"), "data.inputs is 6 in the file and 5 now"),
        (("--skip-every", "2"), "data.manifest is"),
        (("--bounds", "0", "255"), "model.bounds.high is 1.0 in the file and 255.0 now"),
        (("--preprocess", "mnist"), "model.preprocess.mean is"),
        (("--shard", "1/2"), "shard.index is absent in the file and 1 now"),
        (("--samples", "0:400"), "samples.start is absent in the file and 0 now"),
    ],
)
def test_another_run_is_refused_by_the_field_that_differs(
    certify: Certify,
    whole: Path,
    capsys: pytest.CaptureFixture[str],
    further: tuple[str, ...],
    words: str,
) -> None:
    cut = _cut(whole, 3)
    before = cut.read_bytes()
    capsys.readouterr()
    assert certify(cut, "--resume", *further) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "cannot be gone on with, since it is another one: " in said.err
    assert words in said.err.splitlines()[-1]
    assert cut.read_bytes() == before


def test_another_model_and_other_data_are_refused(
    certify: Certify, whole: Path, workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = _cut(whole, 3)
    before = cut.read_bytes()
    assert certify(cut, "--resume", model="fragile.onnx") == 2
    assert "model.sha256 is" in capsys.readouterr().err
    assert certify(cut, "--resume", data="plain") == 2
    assert "data.size is 20 in the file and 6 now" in capsys.readouterr().err
    assert cut.read_bytes() == before


@pytest.mark.parametrize(
    ("field", "refused"),
    [
        (("versions", "numpy"), True),
        (("versions", "scipy"), True),
        (("versions", "onnx"), True),
        (("versions", "mpmath"), True),
        (("versions", "rsonnx"), True),
        (("versions", "python"), False),
        (("versions", "click"), False),
        (("versions", "pillow"), False),
        (("versions", "platform"), False),
        (("created",), False),
        (("data", "path"), False),
        (("data", "manifest"), True),
        (("model", "file"), False),
    ],
)
def test_what_a_count_depends_on_must_be_the_same(
    certify: Certify, whole: Path, field: tuple[str, ...], refused: bool
) -> None:
    cut = _cut(whole, 3)
    header, rest = cut.read_bytes().split(b"\n", 1)
    value = json.loads(header)
    inside = value[field[0]] if len(field) > 1 else value
    inside[field[-1]] = "other"
    cut.write_bytes(json.dumps(value).encode() + b"\n" + rest)
    assert certify(cut, "--resume") == (2 if refused else 0)
    if not refused:
        assert read_run(cut).header == value  # the header stays the original's
        assert read_run(cut).rows[3:] != ()


def test_a_run_that_only_says_that_it_is_complete_is_refused(
    certify: Certify, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = whole.read_bytes().splitlines(keepends=True)
    end = lines[-1].replace(b'"inputs": 6', b'"inputs": 2')
    whole.write_bytes(b"".join([*lines[:3], end]))
    assert certify(whole, "--resume") == 1
    assert "says that it is complete, but it has 2 rows for 6 inputs" in capsys.readouterr().err


def test_changed_rows_are_not_gone_on_with(
    certify: Certify, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = whole.read_bytes().split(b"\n")
    renamed = lines[2].replace(b'"name": "', b'"name": "x')
    moved = [lines[0], lines[2], lines[1], b""]
    for changed, words in (
        ([*lines[:2], renamed, b""], "the input 1 has the name 'x0/edge.png' in the run file"),
        (moved, "its rows are not the first 2 inputs in order"),
    ):
        whole.write_bytes(b"\n".join(changed))
        assert certify(whole, "--resume") == 1
        assert words in capsys.readouterr().err
        assert whole.read_bytes() == b"\n".join(changed)


def test_a_file_that_is_being_written_is_refused(
    certify: Certify, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunWriter.reopen(whole):
        assert certify(whole, "--resume") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "whole.jsonl is being written by another process" in error
    assert "model " not in error


def test_a_damaged_checkpoint_is_a_warning_and_no_more(
    certify: Certify, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = _cut(whole, 3)
    partial = cut.with_name(cut.name + ".partial")
    partial.write_bytes(b'{"kind": "checkpoint", "format": "rsonnx-partial", "run": "')
    assert certify(cut, "--resume") == 0
    assert "is not used: it is no checkpoint, or a damaged one" in capsys.readouterr().err
    assert _same(cut, whole)


@pytest.mark.parametrize(
    ("further", "words"),
    [
        (("--checkpoint", "-1"), "--checkpoint is -1, but a number of seconds"),
        (("--checkpoint", "nan"), "--checkpoint is nan, but a number of seconds"),
        (("--checkpoint", "inf"), "--checkpoint is inf, but a number of seconds"),
        (("--shard", "1/2"), "all its parts need one seed"),
        (("--samples", "0:10"), "all its parts need one seed"),
        (("--shard", "1/2", "--resume"), "all its parts need one seed"),
        (("--seed", "1", "--shard", "0/2"), "the shard is 0/2, but I/K with 1 <= I <= K"),
        (("--seed", "1", "--shard", "3/2"), "the shard is 3/2, but I/K with 1 <= I <= K"),
        (("--seed", "1", "--shard", "a/b"), "the shard is 'a/b', but I/K such as 3/8"),
        (("--seed", "1", "--shard", "1/" + "9" * 5000), "but I/K such as 3/8"),
        (("--seed", "1", "--samples", "5"), "the samples are '5', but A:B such as 0:50000"),
        (("--seed", "1", "--samples", "5:5"), "the samples are 5:5, but A:B with 0 <= A < B"),
        (("--seed", "1", "--samples", "0:401"), "the samples 0:401 were asked for, but there are"),
        (("--seed", "1", "--samples", "0:9", "--adaptive"), "share the inputs (--shard)"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_opened(
    certify: Certify,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    further: tuple[str, ...],
    words: str,
) -> None:
    assert certify(tmp_path / "run.jsonl", *further, model="missing.onnx") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert words in error
    assert not list(tmp_path.iterdir())


def test_quiet_prints_the_result_and_nothing_else(
    certify: Certify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert certify(tmp_path / "one.jsonl", "--seed", "7", "--quiet") == 0
    quiet = capsys.readouterr()
    assert certify(tmp_path / "two.jsonl", "--seed", "7") == 0
    assert (quiet.out, quiet.err) == (capsys.readouterr().out, "")
    assert certify(tmp_path / "one.jsonl", "--quiet") == 2
    assert capsys.readouterr().err.startswith("Error: ")


@pytest.mark.skipif(sys.platform == "win32", reason="signals to one process are POSIX")
@pytest.mark.parametrize("sent", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT,) * 2])
def test_a_signal_ends_the_file_properly_and_says_how_to_go_on(
    workshop: Path, tmp_path: Path, sent: tuple[signal.Signals, ...]
) -> None:
    path = tmp_path / "run it.jsonl"
    words = ["certify", "tiny.onnx", "set", *FEW, "--n", "300000", "--seed", "3", "-o", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "rsonnx", *words],
        cwd=workshop,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background may have told them to ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    end = time.monotonic() + 60
    while not (path.exists() and path.read_bytes().count(b"\n") >= 2):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    for number in sent:
        process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    run = read_run(path)
    assert run.status == "interrupted"
    assert 1 <= len(run.rows) < 20
    assert f"after {len(run.rows)} of 20 inputs; {path} holds them" in stderr
    (command,) = re.findall(r"^go on with (.*)$", stderr, re.MULTILINE)
    assert shlex.split(command)[1:] == ["-m", "rsonnx", words[0], "--resume", *words[1:]]
