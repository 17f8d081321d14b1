"""The pictures of runs by name; whoever adds one writes what draws it and names it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rsonnx._catalogue import Catalogue

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rsonnx.report.plotting import Drawn

PLOTS: Mapping[str, Callable[[Sequence[Drawn]], Figure]] = Catalogue(
    "rsonnx.report",
    {
        "curve": "curves.curve_figure",
        "radii": "charts.radii_figure",
        "abstentions": "charts.abstentions_figure",
        "samples": "charts.samples_figure",
    },
)
