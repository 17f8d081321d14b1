"""``certify --resume``: how a run is stopped, gone on with, and when that is refused."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import assert_sentence, command, done, lines_of, refused, same_run, write_lines

from rsonnx.runs import Row, RunWriter, read_run

FEW = "certify tiny.onnx set --sigma 0.25 --n 400 --providers cpu --limit 6 --first -o"
WHOLE, CUT = Path("whole.jsonl"), Path("cut.jsonl")


@pytest.fixture
def table(here: Path) -> str:
    """What was printed of a whole run, which lies in this folder."""
    return done(FEW, WHOLE, "--seed", 7).out


@pytest.fixture
def cut(table: str) -> Callable[[int], None]:
    """Leave the same run as a process left it that was killed after some rows."""

    def write(rows: int) -> None:
        lines = WHOLE.read_bytes().split(b"\n")
        CUT.write_bytes(b"\n".join([*lines[: 1 + rows], lines[1 + rows][:30]]))

    return write


@pytest.mark.parametrize("rows", [0, 2, 5, 6])
def test_a_cut_run_goes_on_to_the_same_file_and_table(
    rows: int, table: str, cut: Callable[[int], None]
) -> None:
    cut(rows)
    said = done(FEW, CUT, "--resume")  # the seed is that of the file
    assert said.out == table
    assert f"{rows} of 6" in said.err
    assert same_run(CUT, WHOLE)
    assert CUT.read_bytes().startswith(WHOLE.read_bytes().split(b"\n")[0])


def test_the_same_command_in_a_loop_starts_goes_on_and_leaves_alone(table: str) -> None:
    for _ in range(3):
        assert done(FEW, "looped.jsonl", "--seed", 7, "--resume").out == table
    assert same_run(Path("looped.jsonl"), WHOLE)
    before, stamp = WHOLE.read_bytes(), WHOLE.stat().st_mtime_ns
    assert done(FEW, WHOLE, "--resume").out == table
    assert (WHOLE.read_bytes(), WHOLE.stat().st_mtime_ns) == (before, stamp)


def test_what_is_no_run_file_or_is_not_to_be_gone_on_with(table: str) -> None:
    refused(FEW, ".", "--resume", named="not a file")
    refused(FEW, WHOLE, named="--resume")


@pytest.mark.parametrize(
    ("further", "field"),
    [
        ("--sigma 0.5", "noise.sigma"),
        ("--n 500", "n is 400"),
        ("--seed 8", "seed.value"),
        ("--target-radius 0.1", "alpha-spending"),
        ("--limit 5", "data.inputs"),
        ("--skip-every 2", "data.manifest"),
        ("--preprocess mnist", "model.preprocess.mean"),
        ("--seed 7 --shard 1/2", "shard.index"),
        ("--seed 7 --samples 0:400", "samples.start"),
        ("fragile.onnx set", "model.sha256"),
        ("tiny.onnx plain", "data.size"),
    ],
)
def test_another_run_is_refused_by_the_field_that_differs(
    further: str, field: str, cut: Callable[[int], None]
) -> None:
    cut(3)
    words = FEW.replace("tiny.onnx set", further) if ".onnx" in further else FEW
    more = [] if ".onnx" in further else further.split()
    refused(words, CUT, "--resume", *more, named=field)


@pytest.mark.parametrize(
    ("field", "other_run"),
    [
        *((f"versions.{name}", True) for name in ("numpy", "scipy", "onnx", "mpmath", "rsonnx")),
        *((f"versions.{name}", False) for name in ("python", "click", "pillow", "platform")),
        ("data.manifest", True),
        *((name, False) for name in ("created", "data.path", "model.file")),
    ],
)
def test_what_a_count_depends_on_must_be_the_same(
    field: str, other_run: bool, cut: Callable[[int], None]
) -> None:
    cut(3)
    header, *rows = lines_of(WHOLE)[:4]
    *path, last = field.split(".")
    inside: dict[str, Any] = header[path[0]] if path else header
    others = {"manifest": "0" * 64, "created": "2020-01-02T03:04:05+00:00"}
    inside[last] = others.get(last, "other")
    write_lines(CUT, [header, *rows])
    if other_run:
        refused(FEW, CUT, "--resume", named=field)
    else:
        done(FEW, CUT, "--resume")
        assert lines_of(CUT)[0] == header  # which stays the original's
        assert len(lines_of(CUT)) == 8


def test_rows_that_are_not_of_this_run_are_not_gone_on_with(table: str) -> None:
    header, first, second, *_, end = lines_of(WHOLE)
    for changed, named in (
        ([header, first, second, end | {"inputs": 2}], "2 rows"),
        ([header, first, second | {"name": "x"}], "'x'"),
        ([header, second, first], "input 1"),
    ):
        write_lines(CUT, changed)
        refused(FEW, CUT, "--resume", code=1, named=named)


def test_a_file_that_is_being_written_is_refused(table: str) -> None:
    with RunWriter.reopen(WHOLE):
        error = refused(FEW, WHOLE, "--resume", code=1, named="another process").err
    assert "model " not in error  # before the model was opened


def test_a_damaged_checkpoint_is_a_warning_and_no_more(cut: Callable[[int], None]) -> None:
    cut(3)
    partial = Path("cut.jsonl.partial")
    partial.write_bytes(b'{"kind": "checkpoint", "format": "rsonnx-partial", "run": "')
    assert "damaged" in done(FEW, CUT, "--resume").err
    assert same_run(CUT, WHOLE)
    partial.write_text("precious")
    refused(FEW, CUT, "--resume", named="cut.jsonl.partial")


@pytest.mark.skipif(sys.platform == "win32", reason="signals to one process are POSIX")
@pytest.mark.parametrize("sent", [(signal.SIGTERM,), (signal.SIGINT,) * 2])
def test_a_signal_ends_the_file_properly_and_says_how_to_go_on(
    sent: tuple[signal.Signals, ...], here: Path
) -> None:
    path = here / "run it.jsonl"
    words = ["certify", "tiny.onnx", "set", "--sigma", "0.25", "--n", "300000", "-o", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "rsonnx", *words],
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
    assert f"{len(run.rows)} of 20" in stderr
    (command,) = re.findall(r"go on with (.*)$", stderr, re.MULTILINE)
    assert shlex.split(command)[1:] == ["-m", "rsonnx", words[0], "--resume", *words[1:]]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files where they are")
def test_a_run_file_that_is_removed_is_kept_under_another_name(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RunWriter.write

    def write_and_lose(writer: RunWriter, row: Row) -> None:
        write(writer, row)
        if writer.rows == 2:
            CUT.unlink()

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "write", write_and_lose)
        lost = command(FEW, CUT, "--seed", 7)
    kept = Path("cut.jsonl.kept")
    assert (lost.code, lost.out) == (1, "")
    assert_sentence(lost, str(kept))
    assert "--resume" in lost.err.splitlines()[-1]
    assert not CUT.exists()
    assert read_run(kept).status == "incomplete"
    assert done(FEW, kept, "--resume").out == table
    assert same_run(kept, WHOLE)
