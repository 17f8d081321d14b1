"""What all pictures share: the look, names that stay text, and files that are the same every time.

matplotlib is an extra, and imported only when a picture is drawn. Its interactive part, pyplot, is
not used: figures are objects without a window or any state of the process.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rsonnx.errors import UsageError
from rsonnx.report.escape import printable, shortened
from rsonnx.report.figures import Figures
from rsonnx.report.logs import LogFigures
from rsonnx.report.output import write_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Drawn = Figures | LogFigures

FORMATS = ("png", "svg", "pdf")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe & Ito's colours, which people of any colour vision tell apart; most distinct first."""
DASHES = ("solid", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))
"""A second sign beside the colour, for print in black and white; changes with every round."""
LOG_COLOUR = "#6b6b6b"

_LEAST, _MOST = 1e-100, 1e100
_MOST_LETTERS = 78
"""Of a line of a legend, which the picture's width has room for."""

_STYLE = {
    # A model may be called $x$; only what is drawn as text cannot fail or become a formula.
    "text.parse_math": False,
    "text.usetex": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "rsonnx",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "savefig.dpi": 160,
}
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Draw in the house's style, whatever the user's own settings of matplotlib are.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        import matplotlib.style  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError(
            "pictures need matplotlib, which is not installed: pip install 'rsonnx[report]'"
        ) from None
    with matplotlib.style.context(["default", _STYLE]), warnings.catch_warnings():
        # A name may have letters that the font lacks; they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def new_figure(names: int, *, rows: int = 1) -> Figure:
    """Return an empty figure with room for ``names`` names below ``rows`` axes."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    return Figure(figsize=(7.2, 3.6 * rows + 0.25 * names), layout="constrained")


def name_below(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Put the legend below the axes, where it never covers a curve."""
    legend = figure.legend(handles, [" "] * len(handles), loc="outside lower center", ncols=1)
    # Set afterwards: as labels, names that begin with an underscore would be left out.
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text("\n".join(textwrap.wrap(name, _MOST_LETTERS, drop_whitespace=False)))


def name_of(run: Drawn) -> str:
    """Return what a run is called in a picture; one that is not complete says so."""
    inputs = f"{run.summary.inputs:,} input" + "s" * (run.summary.inputs != 1)
    if isinstance(run, LogFigures):
        return f"{shortened(printable(run.name))} (log, units not stated; {inputs})"
    noise = run.header.noise.short_label.replace("sigma", "σ").replace("lambda", "λ")  # noqa: RUF001
    said = f"{noise}, {inputs}"
    if run.status != "complete":
        said += f", {shortened(printable(run.status)).upper()}"
    if run.header.procedure.target_radii is not None:
        said += ", adaptive"
    if (precision := run.header.procedure.precision) is not None:
        said += f", precision {precision:g}"
    if run.header.shared:
        said += ", shared noise"
    return f"{shortened(printable(run.label), 96)} ({said})"


def look_of(position: int) -> dict[str, Any]:
    """Return colour and dashes of the run at a position."""
    rounds, colour = divmod(position, len(COLOURS))
    return {"color": COLOURS[colour], "linestyle": DASHES[rounds % len(DASHES)]}


def radius_axis(axes: Axes, runs: Sequence[Drawn]) -> None:
    """Name the horizontal axis, in the units that all runs share.

    Raises:
        UsageError: they do not share them.
    """
    measures = sorted({run.radii_of for run in runs if isinstance(run, Figures)})
    if len(measures) > 1:
        raise UsageError(
            f"the runs measure their radii differently ({'; '.join(measures)}), so one axis cannot "
            "show them; draw them apart"
        )
    name = measures[0] if measures else "radius in units that the log does not name"
    axes.set_xlabel(shortened(printable(name), 96))


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's ending, the same bytes every time.

    Raises:
        UsageError: the ending is none of ``FORMATS``, or the file exists or cannot be written.
    """
    write_new(path, _bytes_of(figure, format_of(path)))


def format_of(path: Path) -> str:
    """Return the format that a file's ending names, or refuse it."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise UsageError(
            f"the picture {path} has the ending {path.suffix!r}, but one of "
            f"{', '.join('.' + f for f in FORMATS)} was expected"
        )
    return kind


def svg_of(figure: Figure) -> str:
    """Return a figure as an ``<svg>`` element, without the XML declaration; text stays text."""
    text = _bytes_of(figure, "svg").decode("utf-8")
    return text[text.index("<svg") :]


def inline_svg(figure: Figure, number: int = 0) -> str:
    """Return a figure as an ``<svg>`` element that stands in a page of HTML and has its colours.

    It has no style, which a page's policy would forbid, no size of its own, and no ids but those
    that it refers to, with ``number`` in them. Colours are the variables of the page's style sheet.
    """
    text = re.sub("<metadata>.*?</metadata>|<style.*?</style>", "", svg_of(figure), flags=re.DOTALL)
    named = set(re.findall(r"""["(]#(\w+)[")]""", text))

    def tag(match: re.Match[str]) -> str:
        attributes = dict(_ATTRIBUTE.findall(match[2]))
        styled = attributes.pop("style", "")
        attributes |= dict(pair.split(": ", 1) for pair in styled.split("; ") if pair)
        words = [match[1]]
        for name, value in attributes.items():
            if name in _LEFT_OUT or (match[1] == "svg" and name != "viewBox"):
                continue
            if name == "id" and value in named:
                words.append(f'id="figure-{number}-{value}"')
            elif name in ("xlink:href", "clip-path"):
                own = value.replace("#", f"#figure-{number}-")
                words.append(f'{name.removeprefix("xlink:")}="{own}"')
            elif name != "id":
                words.append(f'{name}="{_ON_A_PAGE.get(value, value)}"')
        return f"<{' '.join(words)}{'/' * match[2].endswith('/')}>"

    return re.sub(r"<(\w+)([^>]*)>", tag, text)


_ATTRIBUTE = re.compile(r"""([\w:-]+)="([^"]*)\"""")
_LEFT_OUT = ("font-family", "font-size")
_ON_A_PAGE = {
    "#ffffff": "none",
    "#000000": "var(--ink)",
    "#dddddd": "var(--line)",
    LOG_COLOUR: "var(--dull)",
    **{colour: f"var(--line-{k})" for k, colour in enumerate(COLOURS[:-1])},
}


def _bytes_of(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    with drawing():
        figure.savefig(buffer, format=kind, metadata=_METADATA[kind])
    return buffer.getvalue()


def axis_end(largest: float) -> float:
    """Return where a radius axis ends that shows ``largest``: a little beyond, of few figures.

    Raises:
        UsageError: no picture can show such a number.
    """
    if largest == 0.0:
        return 1.0
    if not _LEAST < largest < _MOST:
        raise UsageError(f"the largest radius is {largest:g}, which no picture can show")
    step = 10.0 ** (math.floor(math.log10(largest)) - 1)
    return math.ceil(1.03 * largest / step) * step
