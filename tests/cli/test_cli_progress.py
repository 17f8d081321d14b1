"""Progress on a fake terminal, on a pseudo-terminal and in a log, by a clock that stands still."""

from __future__ import annotations

import io
import os
import re
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsonnx.cli.progress import ProgressBar
from rsonnx.listener import Extent

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal, in an encoding of one's choice."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Ascii(Terminal):
    encoding = "ascii"


class Gone(Terminal):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def pictures(stream: io.StringIO) -> list[str]:
    """Return what was drawn, a picture each, as a person reads it."""
    return [text for text in re.split(r"[\r\n]+", CONTROL.sub("", stream.getvalue())) if text]


@dataclass
class Bench:
    """A bar with its clock and its stream; samples come at the end of so many seconds."""

    extent: Extent
    stream: io.StringIO = field(default_factory=io.StringIO)
    quiet: bool = False

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.bar = ProgressBar(quiet=self.quiet, stream=self.stream, clock=self.clock)
        self.bar.begun(self.extent)

    def draw(self, samples: int, seconds: float, finished: bool | None = None) -> str:
        self.clock.now += seconds
        if finished is not None:
            self.bar.finished(None, certified=finished)
        self.bar.drawn(samples)
        return (pictures(self.stream) or [""])[-1]


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_bar_on_a_terminal_that_goes_away_at_the_end() -> None:
    bench = Bench(Extent(4, 1000), Terminal())
    with bench.bar:
        bench.draw(1000, 1.0)
        shown = bench.draw(500, 0.5, True)
        for part in ("37 %", "1 of 4 inputs", "1 certified", "1,000 samples/s", "2 s left"):
            assert part in shown
    before = bench.stream.getvalue()
    assert before.endswith("\x1b[2K")
    bench.draw(1000, 1.0)
    assert bench.stream.getvalue() == before


def test_it_is_drawn_at_most_five_times_a_second_and_its_memory_is_bounded() -> None:
    bench = Bench(Extent(1, 10**9), Terminal())
    for _ in range(1000):
        bench.draw(10, 0.001)
    assert len(pictures(bench.stream)) <= 10  # which rich draws twice each
    bench = Bench(Extent(1, 10**9))
    for _ in range(20_000):
        bench.draw(100, 0.01)
    assert len(bench.bar._bar.tasks[1]._progress) <= 200


@pytest.mark.parametrize("terminal", [False, True])
def test_a_log_gets_a_line_after_2_and_12_seconds_and_then_one_a_minute(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    bench = Bench(Extent(100, 1000), Terminal() if terminal else io.StringIO())
    written: list[float] = []
    for _ in range(800):
        before = bench.stream.getvalue()
        bench.draw(25, 0.25)
        if bench.stream.getvalue() != before:
            written.append(bench.clock.now - 1000)
    bench.bar.clear()
    assert written == [2.0, 12.0, 72.0, 132.0, 192.0]
    assert (
        "0 of 100 inputs, 16 min 38 s left, 0 certified, 100 samples/s" in bench.stream.getvalue()
    )
    assert not set("\r\x1b") & set(bench.stream.getvalue())


@pytest.mark.parametrize("make", [Terminal, io.StringIO])
def test_quiet_says_nothing(make: type[io.StringIO]) -> None:
    bench = Bench(Extent(10, 1000), make(), quiet=True)
    with bench.bar:
        bench.bar.said("model", "x")
        for _ in range(100):
            bench.draw(100, 10.0, True)
        bench.bar.clear()
    assert bench.stream.getvalue() == ""


def test_the_bar_goes_away_with_the_last_input() -> None:
    bench = Bench(Extent(2, 100, already=1), Terminal())
    assert "50 %" in bench.draw(0, 1.0)
    bench.draw(100, 1.0)
    bench.bar.finished(None, certified=True)
    assert bench.stream.getvalue().endswith("\x1b[2K")


def test_what_is_said_stands_above_the_bar() -> None:
    bench = Bench(Extent(2, 100), Terminal())
    bench.draw(100, 1.0)
    bench.bar.said("warning", "look [bold]here")
    assert bench.draw(50, 1.0).startswith("━")
    assert "warning    look [bold]here" in pictures(bench.stream)


def test_an_ascii_terminal_gets_ascii() -> None:
    bench = Bench(Extent(2, 100), Ascii())
    assert "50 %" in bench.draw(100, 1.0)
    assert bench.stream.getvalue().isascii()


@settings(max_examples=30, deadline=None)
@given(
    columns=st.integers(1, 200),
    inputs=st.integers(1, 10**9),
    each=st.integers(1, 10**9),
    draws=st.lists(st.tuples(st.integers(0, 10**12), st.floats(0.0, 1e6)), max_size=5),
)
def test_it_never_wraps(
    columns: int, inputs: int, each: int, draws: list[tuple[int, float]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        bench = Bench(Extent(inputs, each, adaptive=inputs % 2 == 0), Terminal())
        for samples, seconds in draws:
            bench.draw(samples, seconds, True)
    assert max(map(len, pictures(bench.stream)), default=0) <= columns


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    bench = Bench(Extent(1000, 1000), Terminal())
    for _ in range(100):
        shown = bench.draw(10, 1.0)
    assert "10 samples/s" in shown
    for _ in range(40):
        shown = bench.draw(1000, 1.0)
    assert " 1,000 samples/s" in shown


def test_the_rate_of_batches_that_take_longer_than_that() -> None:
    bench = Bench(Extent(1, 1000), Terminal())
    for _ in range(5):
        shown = bench.draw(16, 40.0)
    assert "0.4 samples/s" in shown


def test_the_time_left_of_a_fixed_run_with_an_earlier_session() -> None:
    bench = Bench(Extent(100, 1000, already=50, already_certified=40), Terminal())
    bench.draw(1000, 10.0)
    shown = bench.draw(1000, 10.0, True)
    for part in ("52 %", "51 of 100 inputs", "41 certified", "100 samples/s", "8 min 0 s left"):
        assert part in shown


def test_the_time_left_of_an_adaptive_run_is_that_of_the_samples_that_inputs_really_took() -> None:
    bench = Bench(Extent(101, 100_000, adaptive=True), Terminal())
    # Nothing is finished: 101 inputs of 100,000 samples at 100 a second, less what is drawn.
    assert "at most 28 h 3 min left" in bench.draw(100, 1.0)
    bench.draw(300, 3.0, True)
    # 200 samples each: half of the third is done, so 98.5 inputs or 19,700 samples are left.
    shown = bench.draw(100, 1.0, True)
    assert "about 3 min 17 s left" in shown
    assert "2 of 101 inputs" in shown
    # The third takes longer than usual: it counts as nearly done, and no more than that.
    assert "about 3 min 16 s left" in bench.draw(5000, 50.0)


def test_a_last_adaptive_input_that_takes_long_is_not_nearly_done() -> None:
    bench = Bench(Extent(2, 100_000, adaptive=True), Terminal())
    bench.draw(200, 2.0)
    bench.draw(200, 2.0, True)
    assert "about 28 s left" in bench.draw(2600, 26.0)
    assert "about 50 s left" in bench.draw(92_200, 922.0)  # of 100,000 no more are left


@pytest.mark.parametrize(("outcome", "part"), [("answered", "1 answered"), (None, "inputs")])
def test_another_word_than_certified_or_none(outcome: str | None, part: str) -> None:
    bench = Bench(Extent(10, 100, outcome=outcome), Terminal())
    shown = bench.draw(100, 1.0, True)
    assert part in shown
    assert "certified" not in shown


def test_a_reader_that_has_gone_does_not_end_the_run() -> None:
    bench = Bench(Extent(10, 100), Gone())
    with bench.bar:
        bench.draw(100, 1.0)
        bench.bar.said("model", "x")
        bench.draw(100, 1.0)
    closed = Terminal()
    closed.close()
    with ProgressBar(stream=closed) as bar:
        bar.begun(Extent(10, 100))
        bar.said("model", "x")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_pseudo_terminal() -> None:
    import pty

    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        clock = Clock()
        with ProgressBar(stream=stream, clock=clock) as bar:
            bar.begun(Extent(2, 100))
            clock.now += 1.0
            bar.drawn(100)
        shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "50 %" in shown
    assert "\x1b[?25l" not in shown  # a killed process could not bring the cursor back


def test_the_stream_is_stderr_by_default(capsys: pytest.CaptureFixture[Any]) -> None:
    clock = Clock()
    bar = ProgressBar(clock=clock)
    bar.begun(Extent(2, 100))
    clock.now += 5
    bar.drawn(50)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "0 of 2 inputs, 15 s left, 0 certified, 10 samples/s\n"
