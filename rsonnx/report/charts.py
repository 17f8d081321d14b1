"""Further pictures of a run: how its radii are spread, why it abstained, what it drew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rsonnx.errors import UsageError
from rsonnx.procedures import AbstainReason
from rsonnx.report.escape import printable
from rsonnx.report.figures import Figures
from rsonnx.report.logs import LogFigures
from rsonnx.report.plotting import (
    Drawn,
    axis_end,
    drawing,
    look_of,
    name_below,
    name_of,
    new_figure,
    radius_axis,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 40
_KINDS = {"right": "#0072b2", "wrong": "#d55e00", "unlabelled": "#6b6b6b"}


def radii_figure(runs: Sequence[Drawn]) -> Figure:
    """Draw a histogram of the certified radii, one panel a run, right and wrong apart.

    Abstentions have no radius; the panel's title counts them.

    Raises:
        UsageError: matplotlib is missing, or norms or units differ.
    """
    end = axis_end(max((row.radius for run in runs for row in run.rows), default=0.0))
    edges = np.linspace(0.0, end, _BINS + 1)
    with drawing():
        figure = new_figure(len(_KINDS), rows=len(runs))
        panels = figure.subplots(len(runs), sharex=True, squeeze=False)[:, 0]
        for axes, run in zip(panels, runs, strict=True):
            certified = [row for row in run.rows if not row.abstained]
            radii = [
                [row.radius for row in certified if row.label is not None and row.correct],
                [row.radius for row in certified if row.label is not None and not row.correct],
                [row.radius for row in certified if row.label is None],
            ]
            axes.hist(radii, bins=list(edges), stacked=True, color=list(_KINDS.values()))
            left_out = len(run.rows) - len(certified)
            axes.set_title(f"{name_of(run)}; {left_out:,} abstained", fontsize="medium")
            axes.set_ylabel("inputs")
        colours = [axes.fill_between([], [], color=colour) for colour in _KINDS.values()]
        name_below(figure, colours, list(_KINDS))
        panels[-1].set_xlim(0.0, end)
        radius_axis(panels[-1], runs)
    return figure


def abstentions_figure(runs: Sequence[Drawn]) -> Figure:
    """Draw the share of inputs that abstained, by reason, one group of bars a run.

    Raises:
        UsageError: matplotlib is missing, or a log is among the runs, which knows no reasons.
    """
    own = [_own(run, "why it abstained") for run in runs]
    reasons = [str(reason) for reason in AbstainReason]
    with drawing():
        figure = new_figure(len(own))
        axes = figure.add_subplot()
        height = 0.7 / len(own)
        handles = []
        for i, run in enumerate(own):
            shares = [
                100.0 * run.summary.abstentions.get(reason, 0) / run.summary.inputs
                for reason in reasons
            ]
            places = np.arange(len(reasons)) + (i - (len(own) - 1) / 2) * height
            bars = axes.barh(places, shares, height * 0.92, color=look_of(i)["color"])
            counts = [f"{run.summary.abstentions.get(reason, 0):,}" for reason in reasons]
            axes.bar_label(bars, counts, padding=3)
            handles.append(bars)
        axes.set_yticks(np.arange(len(reasons)), reasons)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0.0, max(1.0, 1.1 * axes.get_xlim()[1]))
        axes.set_xlabel("% of all inputs (at the bars: inputs)")
        name_below(figure, handles, [name_of(run) for run in own])
    return figure


def samples_figure(runs: Sequence[Drawn]) -> Figure:
    """Draw the share of inputs that were decided with so many samples, one line a run.

    Raises:
        UsageError: matplotlib is missing, or a log is among the runs, which counts no samples.
    """
    own = [_own(run, "how many samples it drew") for run in runs]
    with drawing():
        figure = new_figure(len(own))
        axes = figure.add_subplot()
        handles = []
        most = max((row.samples for run in own for row in run.rows), default=1)
        for i, run in enumerate(own):
            drawn = np.sort(np.array([max(row.samples, 1) for row in run.rows], np.float64))
            done = 100.0 * np.arange(1, drawn.size + 1) / drawn.size
            x = np.concatenate([[1.0], drawn, [2.0 * max(most, 1)]])
            y = np.concatenate([[0.0], done, [100.0]])
            # "steps-post": an input counts from the number of samples that decided it.
            line: dict[str, Any] = look_of(i) | {"linewidth": 1.8, "drawstyle": "steps-post"}
            handles.append(axes.plot(x, y, **line)[0])
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,.0f}")  # the default writes powers as formulas
        axes.xaxis.set_minor_formatter("")
        axes.set_xlim(1.0, 2.0 * max(most, 1))
        axes.set_ylim(0.0, 101.0)
        axes.set_xlabel("samples drawn for an input, selection and estimation")
        axes.set_ylabel("inputs decided, %")
        name_below(figure, handles, [name_of(run) for run in own])
    return figure


def _own(run: Drawn, what: str) -> Figures:
    if isinstance(run, LogFigures):
        raise UsageError(
            f"{printable(run.name)} is a log, which does not say {what}; leave it out of this "
            "picture"
        )
    return run
