"""A command that is stopped before it has begun, and one that hangs; runs are stopped elsewhere."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rsonnx.runs import read_run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="os.kill is TerminateProcess there")

HANGING = """
import os, signal, time
from rsonnx.cli.stopping import stoppable
with stoppable():
    for _ in range(3):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0)
        except KeyboardInterrupt:
            print("ending", flush=True)
print("never", flush=True)
"""

STOPPED_AT_THE_VERY_END = """
import os, signal, sys
from rsonnx.__main__ import main
class Last:
    def __del__(self, kill=os.kill, process=os.getpid(), number=int(sys.argv.pop(1))):
        kill(process, number)
last = Last()
main()
"""

STUCK = """
import sys, time
from rsonnx.cli import main
from rsonnx.runs import keep
from rsonnx.runtime import watchdog
watchdog._PATIENCE = 0.1
work = keep.do_work
def stuck(*arguments, **options):
    yield next(work(*arguments, **options))
    with watchdog.limited("deep.onnx", (1, 4), 0.1):
        time.sleep(60)
keep.do_work = stuck
main()
"""

STOPPED_AT_AN_IMPORT = """
import os, signal, sys
from rsonnx.__main__ import main
left, number = int(sys.argv.pop(1)), int(sys.argv.pop(1))
def count(event, _):
    global left
    if event == "import":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), number)
sys.addaudithook(count)
try:
    main()
finally:
    print("left:", left)
"""
"""Between two imports nothing takes long, so that these are the instants of a start."""

CERTIFY = "certify tiny.onnx floats.npz --sigma 0.25 --n 20 --n0 9 --providers cpu"


def _run(script: str, *words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_third_signal_ends_a_command_at_once() -> None:
    done = _run(HANGING)
    assert (done.returncode, done.stdout) == (130, "ending\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_behind_the_end_changes_nothing(number: int) -> None:
    done = _run(STOPPED_AT_THE_VERY_END, int(number), *["bounds", "-k", "9", "-n", "10"])
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_that_is_stuck_in_a_call_says_how_to_go_on(here: Path) -> None:
    done = _run(STUCK, *CERTIFY.split(), "-o", "run.jsonl", cwd=here)
    assert done.returncode == 1
    *_, stopped, go_on, error = filter(None, done.stderr.splitlines())
    assert "1 of 4 inputs" in stopped
    assert "--resume" in go_on
    assert "deep.onnx took more than 0.1 s" in error
    assert len(read_run(here / "run.jsonl").rows) == 1


@pytest.mark.slow
def test_a_signal_during_the_start_ends_it_without_a_traceback(here: Path) -> None:
    far, words = 1_000_000, CERTIFY.split()
    whole = _run(STOPPED_AT_AN_IMPORT, far, 2, *words, cwd=here)
    assert whole.returncode == 0, whole.stderr
    imports = far - int(whole.stdout.rpartition("left:")[2])
    assert imports > 300
    for step in range(6):
        at, number = 1 + imports * step // 6, (signal.SIGINT, signal.SIGTERM)[step % 2]
        done = _run(STOPPED_AT_AN_IMPORT, at, int(number), *words, cwd=here)
        assert done.returncode == 130, (at, imports, done.stderr)
        assert "Traceback" not in done.stderr, at
        assert "bug" not in done.stderr, at
