"""The lines of a table as texts that are rounded already, before any format lays them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rsonnx.report.figures import Figures
from rsonnx.report.logs import LogFigures
from rsonnx.report.ranking import ACR, STANDARD, Column, Ranking
from rsonnx.report.rounding import alpha_up, percent_down, plain, text_down

UNKNOWN = "?"


@dataclass(frozen=True)
class Figure:
    """One figure of a table: its text, and whether no other run has a better one."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Line:
    """One run or log of a table; percentages and the ACR are rounded down.

    Attributes:
        name: of the model or the log, as a stranger wrote it.
        status: how a run ended that is not complete; else "".
        noise: what its column has, see :func:`noise_head`.
        alpha, n, inputs, abstained: as texts, ``UNKNOWN`` where a log does not say it.
        standard: accuracy without noise, %.
        acr: average certified radius.
        certified: certified accuracy at each radius of the table, %.
    """

    name: str
    status: str
    noise: str
    alpha: str
    n: str
    inputs: str
    abstained: str
    standard: Figure
    acr: Figure
    certified: tuple[Figure, ...]


def lines_of(runs: Sequence[Figures | LogFigures], ranking: Ranking) -> list[Line]:
    """Return a line a run."""
    return [
        _line(run, noise, best)
        for run, noise, best in zip(runs, _noises(runs), ranking.best, strict=True)
    ]


def noise_head(runs: Sequence[Figures | LogFigures]) -> str:
    """Return what the column of the noise is called: sigma alone tells Gaussian noise apart."""
    return "sigma" if _gaussian(runs) else "noise"


def radius_heads(runs: Sequence[Figures | LogFigures]) -> list[str]:
    """Return the radii of the table in full."""
    return [plain(r) for r in runs[0].summary.radii]


def _gaussian(runs: Sequence[Figures | LogFigures]) -> bool:
    return not any(
        isinstance(run, Figures) and run.heading.short_noise == run.heading.noise for run in runs
    )


def _noises(runs: Sequence[Figures | LogFigures]) -> Iterator[str]:
    """Yield the noise of each run, with its norm where the runs have several."""
    headings = [None if isinstance(run, LogFigures) else run.heading for run in runs]
    gaussian = _gaussian(runs)
    several = len({heading.norm for heading in headings if heading is not None}) > 1
    for heading in headings:
        if heading is None:
            yield UNKNOWN
            continue
        noise = heading.noise.removeprefix("gaussian sigma = ") if gaussian else heading.noise
        yield f"{noise}, {heading.norm}" if several else noise


def _line(run: Figures | LogFigures, noise: str, best: frozenset[Column]) -> Line:
    summary = run.summary
    shares = summary.certified_accuracy or (None,) * len(summary.radii)
    acr = UNKNOWN if summary.acr is None else text_down(summary.acr, 4)
    certified = tuple(
        Figure(_percent(share), r in best) for r, share in zip(summary.radii, shares, strict=True)
    )
    inputs = f"{summary.inputs:,}"
    if isinstance(run, LogFigures):
        abstained = sum(row.abstained for row in run.rows)
        return Line(
            name=run.name,
            status="",
            noise=noise,
            alpha=UNKNOWN,
            n=UNKNOWN,
            inputs=inputs,
            abstained=f"{abstained:,}",
            standard=Figure(UNKNOWN),
            acr=Figure(acr),
            certified=certified,
        )
    heading = run.heading
    return Line(
        name=heading.model,
        status="" if heading.status == "complete" else heading.status,
        noise=noise,
        alpha=alpha_up(heading.settings.alpha),
        n=f"{heading.n:,}",
        inputs=inputs,
        abstained=f"{run.summary.abstained:,}",
        standard=Figure(_percent(run.summary.standard_accuracy), STANDARD in best),
        acr=Figure(acr, ACR in best),
        certified=certified,
    )


def _percent(share: Fraction | None) -> str:
    return UNKNOWN if share is None else percent_down(share)
