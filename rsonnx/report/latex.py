"""The certified-accuracy table as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rsonnx.report.escape import latex_text
from rsonnx.report.figures import Figures
from rsonnx.report.lines import Figure, Line, lines_of, noise_head, radius_heads
from rsonnx.report.logs import LogFigures
from rsonnx.report.notes import notes_of
from rsonnx.report.population import JOINT
from rsonnx.report.ranking import rank
from rsonnx.report.table import explained

_HEAD = (
    r"$\alpha$",
    "$n$",
    "inputs",
    "abstained",
    "standard",
    "ACR",
)
_SCALE = re.compile(r"\b(sigma|lambda) = ([0-9.e+{}-]+)")


def render_latex(runs: Sequence[Figures | LogFigures]) -> str:
    r"""Return a table for a paper, with notes below it; the best figures are bold.

    It needs the package booktabs, compiles with any engine, and stands in no float: put it into a
    ``table`` of your own.
    """
    ranking = rank(runs)
    symbol = r"$\sigma$" if noise_head(runs) == "sigma" else "noise"
    head = ["model", symbol, *_HEAD, *(f"$r={radius}$" for radius in radius_heads(runs))]
    lines = lines_of(runs, ranking)
    notes = [part for run in runs for part in _noted(run)]
    if ranking.note is not None:
        notes.append(f"Bold: {ranking.note}" if ranking.marked else ranking.note)
    notes.append(explained(runs).replace("\n", " "))
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            *(_incomplete(line) for line in lines if line.status),
            *tabular(head, [_cells(line) for line in lines]),
            *footnotes(notes),
        ]
    )


def tabular(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Lay out escaped cells: the first column to the left, figures to the right."""
    return [
        rf"\begin{{tabular}}{{@{{}}l{'r' * (len(head) - 1)}@{{}}}}",
        r"\toprule",
        rf"{' & '.join(head)} \\",
        r"\midrule",
        *(rf"{' & '.join(line)} \\" for line in lines),
        r"\bottomrule",
        r"\end{tabular}",
    ]


def footnotes(notes: Sequence[str]) -> Iterator[str]:
    """Yield notes as small paragraphs below a table; they are escaped here."""
    yield r"\par\medskip"
    yield r"{\footnotesize\raggedright"
    yield from (rf"{latex_text(note.replace(JOINT, ' '))}\par" for note in notes)
    yield "}"


def _incomplete(line: Line) -> str:
    return (
        f"% INCOMPLETE: {latex_text(line.name)} is {latex_text(line.status)}; its figures are of "
        f"the {line.inputs} inputs that it holds"
    )


def _cells(line: Line) -> list[str]:
    name = latex_text(line.name)
    return [
        rf"{name} (\textbf{{{latex_text(line.status)}}})" if line.status else name,
        *(_noise(line.noise), line.alpha, line.n, line.inputs, line.abstained),
        *map(_figure, (line.standard, line.acr, *line.certified)),
    ]


def _noise(text: str) -> str:
    """Set the noise with the Greek letter of its scale."""
    return _SCALE.sub(r"$\\\1 = \2$", latex_text(text)) if " " in text else text


def _figure(figure: Figure) -> str:
    return rf"\textbf{{{figure.text}}}" if figure.best else figure.text


def _noted(run: Figures | LogFigures) -> Iterator[str]:
    notes = notes_of(run)
    yield notes.title
    yield from notes.details
