"""What `rsonnx report` is given: run files, and tab-separated logs of other projects."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from rsonnx.errors import RunFileError, UsageError
from rsonnx.logs import Log, read_log
from rsonnx.procedures import default_radii
from rsonnx.report import Figures, LogFigures, figures_of, log_figures
from rsonnx.runs import Breaks, Run, read_breaks, read_run, restate

Source = Run | Log

_MOST_TARGETS = 9
_FIRST_LINE = 4096


def named(text: str) -> tuple[Path, str | None]:
    """Return which file is meant, and what it is to be called: ``a.jsonl=ours``.

    The longest path that exists is meant, since a path may hold ``=`` itself.
    """
    ends = [at for at, letter in enumerate(text) if letter == "="]
    for end in (len(text), *reversed(ends)):
        if os.path.lexists(text[:end]):
            return Path(text[:end]), text[end + 1 :] if end in ends else None
    return Path(text), None


def read_source(path: Path) -> Source:
    """Read a run file, or a log where the first line has tabs and is no JSON.

    Raises:
        UsageError: there is no such file, or the log has no radii.
        RunFileError: it is neither, or has no inputs.
    """
    if not _looks_like_log(path):
        run = read_run(path)
        if not run.rows:
            raise RunFileError(f"the run {path} ended before its first input: nothing to report")
        return run
    log = read_log(path)
    if log.kind != "certify":
        raise UsageError(
            f"{path} is a log of predictions, which has no radii; a log of certificates or a run "
            "file was expected"
        )
    if not log.rows:
        raise RunFileError(f"the log {path} has no rows: nothing to report")
    return log


def only_run(source: Source, option: str) -> Run:
    """Return a run, or refuse a log, which has no counts and does not say how it was made."""
    if isinstance(source, Log):
        raise UsageError(
            f"{source.path} is a log, which has no counts and does not say how it was made nor "
            f"whether it is complete, as {option} needs; leave out {option}, or the log"
        )
    return source


def restated(
    source: Source, *, alpha: float | None, bound: str | None, radius: str | None
) -> Source:
    """Return a run with its certificates derived anew, where any setting is given.

    Raises:
        UsageError: it is a log, or its counts cannot support the settings.
    """
    given = {"--alpha": alpha, "--bound": bound, "--radius": radius}
    options = " and ".join(name for name, value in given.items() if value is not None)
    if not options:
        return source
    return restate(only_run(source, options), alpha=alpha, bound=bound, radius=radius)


def figures_at(source: Source, radii: Sequence[float]) -> Figures | LogFigures:
    """Return what is reported of a source."""
    if isinstance(source, Log):
        return log_figures(str(source.path), source.rows, radii, list(map(str, source.notes)))
    return figures_of(source, radii)


def with_breaks(
    figures: Sequence[Figures | LogFigures], paths: Sequence[Path], files: Sequence[Path]
) -> list[Figures | LogFigures]:
    """Return what is reported of runs with what `rsonnx falsify` made of them.

    Args:
        figures: of the sources.
        paths: theirs.
        files: of breaks; each is of one of the runs.

    Raises:
        RunFileError: one is of no run that is reported, by its SHA-256.
        UsageError: the run's certificates are derived anew, at other radii.
    """
    if not files:
        return list(figures)
    digests = [sha256(path.read_bytes()).hexdigest() for path in paths]
    broken = {}
    for file in files:
        breaks = read_breaks(file)
        of = breaks.header["run"]["sha256"]
        if of not in digests:
            raise RunFileError(
                f"{file} is of the run {breaks.header['run']['file']} as it was, by its SHA-256, "
                "and of none that is reported; name that run"
            )
        broken[of] = breaks
    return [_with(run, broken.get(digest)) for run, digest in zip(figures, digests, strict=True)]


def _with(run: Figures | LogFigures, breaks: Breaks | None) -> Figures | LogFigures:
    if not isinstance(run, Figures) or breaks is None:
        return run
    radii = {row.index: row.radius for row in run.rows}
    if any(radii.get(row.index) != row.radius for row in breaks.rows):
        raise UsageError(
            "--broken is of the radii that the run was made with, not of restated ones; leave out "
            "--alpha, --bound and --radius, or --broken"
        )
    return replace(run, breaks=breaks)


def radii_of(sources: Sequence[Source]) -> tuple[float, ...]:
    """Return the radii of the table: the targets of runs that are all adaptive, else round ones.

    Runs decide how far they reach; without any, the logs do.
    """
    headers = [source.header for source in sources if isinstance(source, Run)]
    targets = {r for header in headers for r in header.procedure.target_radii or ()}
    adaptive = all(header.procedure.target_radii is not None for header in headers)
    if adaptive and 0 < len(targets) <= _MOST_TARGETS:
        return (0.0, *sorted(targets))
    reach = [header.procedure.table_reach for header in headers]
    if not reach:
        reach = [row.radius for source in sources for row in source.rows]
    whole = bool(headers) and all(header.noise.measure.whole for header in headers)
    return default_radii(max(reach), whole=whole)


def _looks_like_log(path: Path) -> bool:
    if not os.path.isfile(path):  # a named pipe may never be written to
        return False  # read_run says what is wrong
    try:
        with path.open("rb") as file:
            start = file.read(_FIRST_LINE)
    except OSError:
        return False
    return not start.startswith(b"{") and b"\t" in start.split(b"\n", 1)[0]
