"""Certified accuracy against the radius: the picture that every paper of the field shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.report.escape import printable
from rsonnx.report.figures import Figures
from rsonnx.report.plotting import (
    LOG_COLOUR,
    Drawn,
    axis_end,
    drawing,
    look_of,
    name_below,
    name_of,
    new_figure,
    radius_axis,
)
from rsonnx.report.population import PERCENT
from rsonnx.report.summary import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOT = 4.0
_BAND_POINTS = 500
"""Steps of a drawn band: its outline has no more, rounded outward, however many rows there are."""


@dataclass(frozen=True)
class AccuracyCurve:
    """Certified accuracy at every radius; falling steps, each reached at its right end.

    Attributes:
        radii: 0, then the radii at which the curve falls, ascending; float64, shape (K,).
        shares: certified accuracy on the interval that ends at each of ``radii``, which belongs to
            it (radius >= R counts); beyond the last it is 0. float64, shape (K,), in [0, 1].
        inputs: the denominator, abstentions among it.
    """

    radii: NDArray[np.float64]
    shares: NDArray[np.float64]
    inputs: int

    def at(self, radii: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return certified accuracy at any radii >= 0."""
        steps = np.append(self.shares, 0.0)
        return np.asarray(steps[np.searchsorted(self.radii, radii, side="left")])


def accuracy_curve(rows: Sequence[Outcome], *, labelled: bool = True) -> AccuracyCurve:
    """Return certified accuracy at every radius.

    Args:
        rows: all inputs of the run, at least one, each with its true class.
        labelled: False for the share that is certified, right or wrong, which needs no labels.

    Raises:
        UsageError: an input has no label.
    """
    if labelled and any(row.label is None for row in rows):
        raise UsageError("not every input has a label, so there is no certified accuracy to draw")
    counted = [row.radius for row in rows if (row.correct if labelled else not row.abstained)]
    ends = np.sort(np.array(counted, np.float64))
    radii = np.unique(np.append(0.0, ends))
    reached = ends.size - np.searchsorted(ends, radii, side="left")
    return AccuracyCurve(radii, reached / len(rows), len(rows))


def curve_figure(
    runs: Sequence[Drawn], names: Sequence[str] | None = None, *, unlabelled: bool = False
) -> Figure:
    """Draw certified accuracy against the radius, one line a run.

    Runs whose inputs were drawn from the population have a band around it, which holds at all radii
    at once (:func:`rsonnx.statistics.accuracy_band`). Adaptive runs have dots at the radii that
    they decided. Logs lie thin and dashed below the runs, without a band.

    Args:
        runs: figures with their ``rows``; at least one.
        names: what they are called; None for models and settings.
        unlabelled: whether a run without labels is drawn too, as the share that is certified.

    Returns:
        A ``matplotlib.figure.Figure``; :func:`svg_of` makes text of it.

    Raises:
        UsageError: matplotlib is missing, an input has no label, or norms or units differ.
    """
    curves = [_curve_of(run, unlabelled) for run in runs]
    own = [run for run in runs if isinstance(run, Figures)]
    targets = [radius for run in own for radius in run.header.procedure.target_radii or ()]
    end = axis_end(max(*(float(curve.radii[-1]) for curve in curves), *targets, 0.0))
    with drawing():
        figure = new_figure(len(runs) + 2)
        axes = figure.add_subplot()
        radius_axis(axes, runs)
        if len(own) == len(runs) and all(run.header.noise.measure.whole for run in own):
            axes.locator_params("x", integer=True)
        accuracy = "certified" + " accuracy" * any(run.summary.labelled for run in runs)
        axes.set(ylabel=f"{accuracy}, % of all inputs", xlim=(0.0, end), ylim=(0.0, 101.0))
        handles: list[Any] = []
        number, number_of_log = count(), count()
        shown = list(map(name_of, runs) if names is None else names)
        for run, curve in zip(runs, curves, strict=True):
            look: dict[str, Any] = {"color": LOG_COLOUR, "linewidth": 0.9, "zorder": 2.5}
            if isinstance(run, Figures):
                look = look_of(next(number)) | {"linewidth": 1.8, "zorder": 3}
            else:
                look["linestyle"] = (0, (3 + 2 * next(number_of_log), 2))
            x, y = np.append(curve.radii, end), np.append(curve.shares, 0.0)
            # "steps-pre": the value at a point holds on the interval that ends there, as >= has it.
            handles += axes.plot(x, 100.0 * y, drawstyle="steps-pre", **look)
            if isinstance(run, Figures):
                at = np.array(run.header.procedure.target_radii or (), np.float64)
                dots = {"color": look["color"], "markersize": _DOT, "zorder": 4}
                axes.plot(at, 100.0 * curve.at(at), "o", **dots)
                if run.statements.population is not None:
                    half = run.statements.population.band.half_width
                    _draw_band(axes, curve, end, half, look["color"])
        if targets:
            handles += axes.plot([], [], "o", color=LOG_COLOUR, markersize=_DOT)
            shown.append("radii that an adaptive run decided; elsewhere its curve is understated")
        if any(run.drawn for run in own):
            handles.append(axes.fill_between([], [], color=LOG_COLOUR, alpha=0.18))
            shown.append(f"{PERCENT} band for the population, all radii at once (DKW)")
        name_below(figure, handles, shown)
    return figure


def _curve_of(run: Drawn, unlabelled: bool) -> AccuracyCurve:
    try:
        return accuracy_curve(run.rows, labelled=run.summary.labelled or not unlabelled)
    except UsageError as error:
        raise UsageError(f"{printable(run.name)}: {error}") from None


def _draw_band(axes: Axes, curve: AccuracyCurve, end: float, half: float, colour: str) -> None:
    x = np.append(curve.radii, end)
    low = high = curve.at(x)
    if x.size > _BAND_POINTS:
        # One step for many: its lower edge is the lowest of them, its upper edge the highest.
        x = np.linspace(0.0, end, _BAND_POINTS)
        low = curve.at(x)
        high = np.append(low[:1], low[:-1])
    low, high = 100.0 * np.maximum(0.0, low - half), 100.0 * np.minimum(1.0, high + half)
    axes.fill_between(x, low, high, step="pre", color=colour, alpha=0.18, linewidth=0)
