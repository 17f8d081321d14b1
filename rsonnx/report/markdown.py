"""The certified-accuracy table as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rsonnx.report.escape import markdown_text
from rsonnx.report.figures import Figures
from rsonnx.report.lines import Figure, Line, lines_of, noise_head, radius_heads
from rsonnx.report.logs import LogFigures
from rsonnx.report.notes import notes_of
from rsonnx.report.population import JOINT
from rsonnx.report.ranking import rank
from rsonnx.report.table import explained


def render_markdown(runs: Sequence[Figures | LogFigures]) -> str:
    """Return a table in GitHub's Markdown, with notes below it; the best figures are bold."""
    ranking = rank(runs)
    head = ["model", noise_head(runs), "alpha", "n", "inputs", "abstained", "standard", "ACR"]
    head += [f"r={radius}" for radius in radius_heads(runs)]
    lines = [_cells(line) for line in lines_of(runs, ranking)]
    notes = [line for run in runs for line in _noted(run)]
    if ranking.note is not None:
        note = f"Bold: {ranking.note}" if ranking.marked else ranking.note
        notes.append(f"- {markdown_text(note)}")
    notes += [f"- {markdown_text(explained(runs).replace(chr(10), ' '))}"]
    return "\n".join([*table_of(head, lines), "", *notes])


def table_of(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Lay out escaped cells: the first column to the left, figures to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(line)} |" for line in (head, rule, *lines)]


def _cells(line: Line) -> list[str]:
    name = markdown_text(line.name)
    return [
        f"{name} (**{markdown_text(line.status)}**)" if line.status else name,
        *(
            markdown_text(line.noise) if " " in line.noise else line.noise,
            line.alpha,
            line.n,
            line.inputs,
            line.abstained,
        ),
        *map(_figure, (line.standard, line.acr, *line.certified)),
    ]


def _figure(figure: Figure) -> str:
    return f"**{figure.text}**" if figure.best else figure.text


def _noted(run: Figures | LogFigures) -> Iterator[str]:
    notes = notes_of(run)
    yield f"- {markdown_text(notes.title)}"
    for detail in notes.details:
        yield f"  - {markdown_text(detail.replace(JOINT, ' '))}"
