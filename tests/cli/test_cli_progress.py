"""Progress on a fake terminal, on a pseudo-terminal and in a log, by a clock that stands still."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.cli.progress import ProgressLine, duration


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal, in an encoding of one's choice."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._named = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._named

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        """Return what stands on the line after the last carriage returns."""
        line: list[str] = []
        at = 0
        for letter in self.getvalue():
            if letter == "\r":
                at = 0
                continue
            line[at : at + 1] = letter
            at += 1
        return "".join(line).rstrip()


@dataclass
class Bench:
    """A progress line with its clock and its stream."""

    progress: ProgressLine
    clock: Clock
    stream: io.StringIO

    def draw(self, samples: int, seconds: float) -> None:
        self.clock.now += seconds
        self.progress.drawn(samples)


def bench(stream: io.StringIO, inputs: int, samples_each: int, **given: object) -> Bench:
    clock = Clock()
    line = ProgressLine(inputs, samples_each, stream=stream, clock=clock, **given)  # type: ignore[arg-type]
    return Bench(line, clock, stream)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_bar_on_a_terminal() -> None:
    terminal = Terminal()
    one = bench(terminal, 4, 1000)
    with one.progress as progress:
        one.draw(1000, 1.0)
        progress.finished(certified=True)
        one.draw(500, 0.5)
        assert terminal.shown() == (
            "███████████░░░░░░░░░░░░░░░░░░░  37 %  "
            "1 of 4 inputs, 1 certified, 1,000 samples/s, 2 s left"
        )
        assert "\n" not in terminal.getvalue()
    assert terminal.shown() == ""


def test_it_is_not_drawn_more_often_than_five_times_a_second() -> None:
    terminal = Terminal()
    one = bench(terminal, 1, 1_000_000)
    for _ in range(1000):
        one.draw(10, 0.001)
    assert 4 <= terminal.getvalue().count("\r") <= 5


def test_a_log_gets_a_line_after_2_and_12_seconds_and_then_one_a_minute() -> None:
    log = io.StringIO()
    one = bench(log, 100, 1000)
    written: list[float] = []
    for _ in range(800):
        before = log.getvalue()
        one.draw(25, 0.25)
        if log.getvalue() != before:
            written.append(one.clock.now - 1000)
    one.progress.clear()
    assert written == [2.0, 12.0, 72.0, 132.0, 192.0]
    assert log.getvalue().splitlines()[0] == (
        "0 of 100 inputs, 0 certified, 100 samples/s, 16 min 38 s left"
    )
    assert "\r" not in log.getvalue()


def test_a_dumb_terminal_is_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    one = bench(terminal, 10, 1000)
    one.draw(10, 1.0)
    assert terminal.getvalue() == ""
    one.draw(10, 1.5)
    one.progress.clear()
    assert terminal.getvalue().count("\n") == 1
    assert "\r" not in terminal.getvalue()


@pytest.mark.parametrize("make", [Terminal, io.StringIO])
def test_quiet_says_nothing(make: type[io.StringIO]) -> None:
    stream = make()
    one = bench(stream, 10, 1000, quiet=True)
    with one.progress:
        for _ in range(100):
            one.draw(100, 10.0)
        one.progress.finished(certified=True)
        one.progress.clear()
    assert stream.getvalue() == ""


def test_nothing_is_drawn_after_the_end() -> None:
    terminal = Terminal()
    one = bench(terminal, 10, 1000)
    with one.progress:
        one.draw(1000, 1.0)
    before = terminal.getvalue()
    one.draw(1000, 1.0)
    assert terminal.getvalue() == before


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "no-such-encoding"])
def test_the_bar_is_ascii_where_the_terminal_is(encoding: str) -> None:
    terminal = Terminal(encoding)
    one = bench(terminal, 2, 100)
    one.draw(100, 1.0)
    assert terminal.shown().startswith("###############---------------  50 %")
    assert terminal.getvalue().isascii()


def test_no_colours() -> None:
    terminal = Terminal()
    one = bench(terminal, 2, 100)
    one.draw(100, 1.0)
    one.progress.clear()
    assert "\x1b" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (80, "██████████░░░░░░░░░░  50 %  0 of 2 inputs, 0 certified, 100 samples/s, 1 s left"),
        (70, "█████░░░░░  50 %  0 of 2 inputs, 0 certified, 100 samples/s, 1 s left"),
        (60, " 50 %  0 of 2 inputs, 0 certified, 100 samples/s, 1 s left"),
        (50, " 50 %  0 of 2 inputs, 0 certified, 1 s left"),
        (40, " 50 %  0 of 2 inputs, 1 s left"),
        (24, " 50 %  0/2, 1 s left"),
        (12, " 50 %  0/2"),
        (5, "50 %"),
        (4, ""),
        (1, ""),
    ],
)
def test_what_is_left_out_on_a_narrow_terminal(
    columns: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal()
    one = bench(terminal, 2, 100)
    one.draw(100, 1.0)
    assert terminal.shown().rstrip() == text.rstrip()


@given(
    columns=st.integers(1, 200),
    later=st.integers(1, 200),
    inputs=st.integers(1, 10**9),
    each=st.integers(1, 10**9),
    draws=st.lists(st.tuples(st.integers(0, 10**12), st.floats(0.0, 1e6)), max_size=8),
)
def test_it_never_wraps(
    columns: int, later: int, inputs: int, each: int, draws: list[tuple[int, float]]
) -> None:
    # No run of letters between two carriage returns may reach the last column.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        terminal = Terminal()
        one = bench(terminal, inputs, each, adaptive=inputs % 2 == 0)
        for samples, seconds in draws:
            one.draw(samples, seconds)
            one.progress.finished(certified=True)
        wide = terminal.getvalue()
        patch.setenv("COLUMNS", str(later))
        one.draw(1, 1.0)
        one.progress.clear()
    assert max(map(len, wide.split("\r"))) <= columns - 1
    assert max(map(len, terminal.getvalue()[len(wide) :].split("\r"))) <= max(0, later - 1)


def test_a_terminal_that_was_made_narrower_is_cleared_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    one = bench(terminal, 2, 100)
    one.draw(100, 1.0)
    monkeypatch.setenv("COLUMNS", "20")
    one.progress.clear()
    assert terminal.getvalue().endswith("\r" + " " * 19 + "\r")


def test_a_shorter_line_covers_a_longer_one() -> None:
    terminal = Terminal()
    one = bench(terminal, 2, 1_000_000)
    one.draw(10, 1.0)
    first = terminal.shown()
    one.draw(1_000_000, 10.0)
    assert len(terminal.shown()) < len(first)
    assert terminal.shown().endswith("s left")


def test_the_rate_is_that_of_the_last_seconds() -> None:
    terminal = Terminal()
    one = bench(terminal, 1000, 1000)
    for _ in range(100):
        one.draw(10, 1.0)
    assert "10 samples/s" in terminal.shown()
    for _ in range(20):
        one.draw(1000, 1.0)
    # From the start it would be 21,000 samples in 120 s: 175 a second.
    assert " 1,000 samples/s" in terminal.shown()


def test_the_rate_of_batches_that_take_longer_than_the_window() -> None:
    terminal = Terminal()
    one = bench(terminal, 1, 1000)
    for _ in range(5):
        one.draw(16, 40.0)
    assert "0.4 samples/s" in terminal.shown()


def test_many_draws_do_not_fill_the_memory() -> None:
    one = bench(Terminal(), 1, 10**9)
    for _ in range(20_000):
        one.draw(100, 0.01)
    assert len(one.progress._rate._marks) <= 70


def test_the_time_left_of_a_fixed_run() -> None:
    terminal = Terminal()
    one = bench(terminal, 10, 1000)
    for _ in range(5):
        one.draw(1000, 10.0)
        one.progress.finished(certified=False)
    one.draw(100, 1.0)
    assert terminal.shown().endswith("100 samples/s, 49 s left")


def test_the_time_left_of_an_adaptive_run_is_that_of_the_samples_that_inputs_really_took() -> None:
    terminal = Terminal()
    one = bench(terminal, 101, 100_000, adaptive=True)
    one.draw(100, 1.0)
    # Nothing is finished: 101 inputs of 100,000 samples at 100 a second, less what is drawn.
    assert terminal.shown().endswith("at most 28 h 3 min left")
    one.progress.finished(certified=True)
    one.draw(300, 3.0)
    one.progress.finished(certified=True)
    one.draw(100, 1.0)
    # 200 samples each: half of the third is done, so 98.5 inputs or 19,700 samples are left.
    assert terminal.shown().endswith("100 samples/s, about 3 min 17 s left")
    assert "  2 %  2 of 101 inputs" in terminal.shown()
    one.draw(5000, 50.0)
    # The third takes longer than usual: it counts as nearly done, and no more than that.
    assert terminal.shown().endswith("about 3 min 16 s left")


def test_what_an_earlier_session_did_is_no_part_of_the_rate() -> None:
    terminal = Terminal()
    one = bench(terminal, 100, 1000, already=50, already_certified=40)
    one.draw(1000, 10.0)
    one.progress.finished(certified=True)
    one.draw(1000, 10.0)
    assert terminal.shown().endswith(
        " 52 %  51 of 100 inputs, 41 certified, 100 samples/s, 8 min 0 s left"
    )


def test_another_word_than_certified_or_none() -> None:
    terminal = Terminal()
    one = bench(terminal, 10, 100, outcome="answered")
    one.progress.finished(certified=True)
    one.draw(100, 1.0)
    assert "1 of 10 inputs, 1 answered, 100 samples/s" in terminal.shown()
    terminal = Terminal()
    one = bench(terminal, 10, 100, outcome=None)
    one.draw(100, 1.0)
    assert "0 of 10 inputs, 100 samples/s, 9 s left" in terminal.shown()


class _Gone(Terminal):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_has_gone_does_not_end_the_run() -> None:
    one = bench(_Gone(), 10, 100)
    with one.progress:
        one.draw(100, 1.0)
        one.draw(100, 1.0)
    closed = Terminal()
    closed.close()
    one = bench(closed, 10, 100)
    one.progress.clear()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("columns", [100, 40, 0])
def test_on_a_pseudo_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    import pty
    import struct
    import termios

    monkeypatch.setenv("COLUMNS", "70")  # holds only where the terminal does not know its width
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        clock = Clock()
        with ProgressLine(2, 100, stream=stream, clock=clock) as progress:
            clock.now += 1.0
            progress.drawn(100)
        shown = b""
        while not shown.endswith(b" \r"):
            shown += os.read(ours, 10_000)
    os.close(ours)
    lines = shown.decode().split("\r")
    assert lines[0] == ""
    assert max(map(len, lines)) == {100: 89, 40: 30, 0: 69}[columns]
    assert lines[-2].strip() == lines[-1] == ""


def test_the_stream_is_stderr_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    progress = ProgressLine(2, 100, clock=clock)
    clock.now += 5
    progress.drawn(50)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "0 of 2 inputs, 0 certified, 10 samples/s, 15 s left\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (3900, "1 h 5 min"),
        (360_000, "100 h 0 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
