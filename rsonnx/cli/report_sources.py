"""What `rsonnx report` is given: run files, and tab-separated logs of other projects."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rsonnx.cli.tables import figures_of, heading_of
from rsonnx.errors import RunFileError, UsageError
from rsonnx.logs import Log, read_log
from rsonnx.noise import norm_named
from rsonnx.report import Figures, Heading, LogFigures, default_radii, log_figures
from rsonnx.runs import Run, read_run, restate

_MOST_TARGETS = 9
_FIRST_LINE = 4096


@dataclass(frozen=True)
class RunSource:
    """A run file, with its heading."""

    run: Run
    heading: Heading

    @property
    def name(self) -> str:
        """What it is called in messages and comparisons: the path as given."""
        return str(self.run.path)

    @property
    def largest_radius(self) -> float:
        """The largest radius that its settings can give; 0 where that is the input alone."""
        value = self.run.header.get("largest_radius")
        if isinstance(value, int | float) and 0 <= value <= sys.float_info.max:
            return float(value)
        raise RunFileError(
            f"{self.name}, line 1: the header lacks a largest_radius, a number of at least 0"
        )

    @property
    def whole(self) -> bool:
        """Whether its radii are whole numbers."""
        return norm_named(self.heading.norm).whole

    def figures(self, radii: Sequence[float]) -> Figures:
        """Return what is reported of it."""
        return figures_of(self.run.header, self.run.status, self.run.rows, radii)


@dataclass(frozen=True)
class LogSource:
    """A log of another project."""

    log: Log

    @property
    def name(self) -> str:
        """What it is called: the path as given, since most logs' file names say little."""
        return str(self.log.path)

    @property
    def largest_radius(self) -> float:
        """The largest radius that it holds."""
        return max(row.radius for row in self.log.rows)

    def figures(self, radii: Sequence[float]) -> LogFigures:
        """Return what can be reported of it."""
        return log_figures(self.name, self.log.rows, radii, [str(note) for note in self.log.notes])


Source = RunSource | LogSource


def read_source(path: Path) -> Source:
    """Read a run file, or a log where the first line has tabs and is no JSON.

    Raises:
        UsageError: there is no such file, or the log has no radii.
        RunFileError: it is neither, or has no inputs.
    """
    if _looks_like_log(path):
        return LogSource(_certify_log(path))
    source = source_of(read_run(path))
    if not source.run.rows:
        raise RunFileError(f"the run {path} ended before its first input: nothing to report")
    return source


def source_of(run: Run) -> RunSource:
    """Return a run with its heading.

    Raises:
        RunFileError: its header lacks a field, or contradicts itself.
    """
    try:
        return RunSource(run, heading_of(run.header, run.status))
    except (KeyError, TypeError) as error:
        raise RunFileError(f"{run.path}, line 1: the header lacks a field ({error})") from None
    except UsageError as error:  # of the noise, which cannot be made
        raise RunFileError(f"{run.path}, line 1: the header is wrong: {error}") from None


def restated(
    source: Source, *, alpha: float | None, bound: str | None, radius: str | None
) -> RunSource:
    """Return a run with its certificates derived anew.

    Raises:
        UsageError: it is a log, or its counts cannot support the settings.
    """
    if isinstance(source, LogSource):
        raise UsageError(
            f"{source.name} is a log, which has no counts to derive certificates from; leave out "
            "--alpha, --bound and --radius, or the log"
        )
    run = restate(source.run, alpha=alpha, bound=bound, radius=radius)
    return RunSource(run, heading_of(run.header, run.status))


def radii_of(sources: Sequence[Source]) -> tuple[float, ...]:
    """Return the radii of the table: the targets of runs that are all adaptive, else round ones.

    Runs decide how far they reach; without any, the logs do.
    """
    runs = [source for source in sources if isinstance(source, RunSource)]
    targets = {r for run in runs for r in run.heading.target_radii or ()}
    adaptive = all(run.heading.target_radii is not None for run in runs)
    if adaptive and 0 < len(targets) <= _MOST_TARGETS:
        return (0.0, *sorted(targets))
    whole = bool(runs) and all(run.whole for run in runs)
    return default_radii(max(source.largest_radius for source in runs or sources), whole=whole)


def _looks_like_log(path: Path) -> bool:
    if not os.path.isfile(path):  # a named pipe may never be written to
        return False  # read_run says what is wrong
    try:
        with path.open("rb") as file:
            start = file.read(_FIRST_LINE)
    except OSError:
        return False
    return not start.startswith(b"{") and b"\t" in start.split(b"\n", 1)[0]


def _certify_log(path: Path) -> Log:
    log = read_log(path)
    if log.kind != "certify":
        raise UsageError(
            f"{path} is a log of predictions, which has no radii; a log of certificates or a run "
            "file was expected"
        )
    if not log.rows:
        raise RunFileError(f"the log {path} has no rows: nothing to report")
    return log
