"""What runs are called where several stand side by side."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from rsonnx.arguments import check_name
from rsonnx.errors import UsageError
from rsonnx.report.logs import LogFigures
from rsonnx.report.reported import Reported

T = TypeVar("T", bound=Reported | LogFigures)


def told_apart(runs: Sequence[T], names: Sequence[str | None] = ()) -> list[T]:
    """Return runs as they are called beside each other.

    A model file that has several preprocessings is called by them too, and runs of one name and
    one noise by their paths.

    Args:
        runs: of run files and of logs.
        names: what each is called here; None leaves the name that it has.

    Raises:
        UsageError: a name is none, two runs are given the same, or not each run has one.
    """
    if len(names) not in (0, len(runs)):
        raise UsageError(f"{len(names)} names were given for {len(runs)} runs; give each run one")
    given = [check_name("the name of a run", name) for name in names if name is not None]
    if twice := [name for name, times in Counter(given).items() if times > 1]:
        raise UsageError(f"two runs are called {twice[0]!r}; give each a name of its own")
    ways: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        if isinstance(run, Reported):
            ways[run.file].add(run.header.model.variation.preprocess)
    called = [
        _called(run, name, ways)
        for run, name in zip(runs, names or [None] * len(runs), strict=True)
    ]
    alike = Counter(
        (run.label, run.header.noise.label) for run in called if isinstance(run, Reported)
    )
    return [
        replace(run, by_path=alike[run.label, run.header.noise.label] > 1)
        if isinstance(run, Reported)
        else run
        for run in called
    ]


def _called(run: T, name: str | None, ways: dict[str, set[str]]) -> T:
    if isinstance(run, Reported):
        return replace(run, called=name, by_preprocess=len(ways[run.file]) > 1)
    return run if name is None else replace(run, name=name)
