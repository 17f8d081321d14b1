"""The third signal is for a hang; the first two are tested where runs are resumed."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
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


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill is TerminateProcess there")
def test_the_third_signal_ends_a_command_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (130, "ending\n")
