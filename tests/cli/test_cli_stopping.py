"""The first signal ends a command, the second leaves the ending alone, the third is for a hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from rsonnx.cli.stopping import stoppable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="os.kill is TerminateProcess there")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_the_second_signal_does_not_disturb_the_ending(
    first: signal.Signals, second: signal.Signals
) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    ended = False

    def run() -> None:
        nonlocal ended
        try:
            os.kill(os.getpid(), first)
        finally:
            os.kill(os.getpid(), second)
            ended = True

    with pytest.raises(KeyboardInterrupt), stoppable():
        run()
    assert ended
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_the_third_ends_at_once() -> None:
    script = (
        "import os, signal, time\n"
        "from rsonnx.cli.stopping import stoppable\n"
        "with stoppable():\n"
        "    for _ in range(3):\n"
        "        try:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "            time.sleep(0)\n"
        "        except KeyboardInterrupt:\n"
        "            print('ending', flush=True)\n"
        "print('never', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (130, "ending\n")


def test_an_ignored_signal_stays_ignored_and_a_thread_changes_nothing() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stoppable():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    found = []

    def elsewhere() -> None:
        with stoppable():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]
