"""``rsonnx report``: tables, comparisons, pictures and cards from run files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from cloup import command

from rsonnx.certificate import RADIUS_RULES
from rsonnx.cli.html import write_html
from rsonnx.cli.options import json_option
from rsonnx.cli.report_sources import RunSource, Source, radii_of, read_source, restated
from rsonnx.errors import GateError, UsageError
from rsonnx.report import (
    FORMATS,
    Figures,
    LogFigures,
    Named,
    accuracy_report,
    check_radii,
    compare,
    failures,
    paired_report,
    parse_gate,
)
from rsonnx.report.card import render_card
from rsonnx.report.charts import PLOTS
from rsonnx.report.drawing import format_of, save
from rsonnx.report.html import PageRun
from rsonnx.report.output import write_new
from rsonnx.report.top_k import TopKFigures, top_k_figures, top_k_report
from rsonnx.runs import check_output
from rsonnx.runs.restate import made_with


@command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--radii",
    metavar="R,R,...",
    help="Radii of the table, ascending. [default: the target radii of adaptive runs, else up to "
    "nine round ones]",
)
@click.option(
    "--alpha",
    type=float,
    metavar="FLOAT",
    help="Restate: derive every certificate anew from its counts at this probability of error. "
    "[default: the run's]",
)
@click.option(
    "--bound",
    metavar="NAME",
    help="Restate by this confidence bound; `rsonnx bounds` shows them all. [default: the run's]",
)
@click.option(
    "--radius",
    type=click.Choice(RADIUS_RULES),
    help="Restate by this radius rule. [default: the run's]",
)
@click.option(
    "--paired",
    is_flag=True,
    help="Compare the first run with each other one on the inputs that both have, matched by "
    "digest: differences with intervals, and McNemar's test.",
)
@click.option(
    "--top-k",
    type=int,
    metavar="K",
    help="Print, instead, how often the true class is certified to be among the K most probable: "
    "from the estimation counts of runs with Gaussian noise and a fixed n.",
)
@click.option(
    "--fail-under",
    multiple=True,
    metavar="FIGURE=LEAST",
    help="Exit with 3 unless every run is complete, labelled, decided the figure and reaches it: "
    "acc@0.5=0.60, acr=1.2 or standard=0.9. May be given several times.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    help="How to print the table. [default: table]",
)
@json_option
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a picture: .png, .svg or .pdf. Needs the extra rsonnx[report].",
)
@click.option(
    "--plot-kind",
    type=click.Choice(list(PLOTS)),
    help="Certified accuracy against radius, a histogram of radii, why inputs abstained, or the "
    "samples that decided them. [default: curve]",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a section for a model card, as Markdown with Hugging Face's model-index.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a page that needs no other file: summary, table, curve, every input.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DATA",
    help="For --html: the data set of the runs, for small pictures of its inputs.",
)
def report(
    runs: tuple[Path, ...],
    radii: str | None,
    alpha: float | None,
    bound: str | None,
    radius: str | None,
    paired: bool,
    top_k: int | None,
    fail_under: tuple[str, ...],
    form: str | None,
    as_json: bool,
    plot: Path | None,
    plot_kind: str | None,
    card: Path | None,
    html: Path | None,
    data: Path | None,
) -> None:
    """Print the certified-accuracy table of one or more run files.

    Logs of the field (idx label predict radius correct time, tab-separated) can stand beside run
    files; what a log does not say is shown as ?.

    With --alpha, --bound or --radius the certificates are derived anew from the recorded counts,
    without sampling; the files stay as they are. What the counts cannot support is refused.

    \b
    Example:
      rsonnx report mnist.jsonl --radii 0,0.5,1,1.5
      rsonnx report mnist.jsonl --alpha 0.01 --radius two-sided
      rsonnx report a.jsonl b.jsonl --paired --format markdown
      rsonnx report a.jsonl b.jsonl published.tsv --plot curve.svg
      rsonnx report mnist.jsonl --fail-under acc@0.5=0.60 --card card.md
      rsonnx report imagenet.jsonl --top-k 5
    """
    form = _form(form, as_json=as_json)
    if top_k is not None:
        others = {
            "--paired": paired,
            "--fail-under": fail_under,
            "--bound": bound,
            "--radius": radius,
            "--plot": plot,
            "--card": card,
            "--html": html,
        }
        _check_top_k([option for option, given in others.items() if given])
    wanted = None if radii is None else _radii(radii)
    gates = [parse_gate(text) for text in fail_under]
    _check_files(plot, plot_kind, card, html, data)
    sources = [read_source(path) for path in runs]
    if (alpha, bound, radius) != (None, None, None):
        sources = [restated(s, alpha=alpha, bound=bound, radius=radius) for s in sources]
    at = radii_of(sources) if wanted is None else wanted
    if top_k is not None:
        top_k_runs = [_top_k_of(source, at, top_k) for source in sources]
        click.echo(FORMATS[form](top_k_report(top_k_runs)))
        return
    figures = [source.figures(at) for source in sources]
    gated = _runs_only(sources, figures, "--fail-under") if gates else []
    if paired:
        named = [Named(s.name, f) for s, f in zip(sources, figures, strict=True)]
        printed = paired_report(compare(named, at))
    else:
        printed = accuracy_report(figures)
    if plot is not None:
        save(PLOTS[plot_kind or "curve"](figures), plot)
    if card is not None:
        pages = [
            PageRun(one, source.run.header, source.name)
            for source, one in _runs_only(sources, figures, "--card")
        ]
        write_new(card, render_card(pages).encode("utf-8"))
    if html is not None:
        found = _runs_only(sources, figures, "--html")
        write_html(html, [source.run for source, _ in found], [one for _, one in found], data)
    click.echo(FORMATS[form](printed))
    failed = failures(gates, [(source.name, one) for source, one in gated])
    if failed:
        raise GateError(failed)


def _form(form: str | None, *, as_json: bool) -> str:
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form} contradict each other; give one of them")
    return "json" if as_json else form or "table"


def _check_files(
    plot: Path | None,
    plot_kind: str | None,
    card: Path | None,
    html: Path | None,
    data: Path | None,
) -> None:
    """Refuse what cannot be written before anything is read."""
    if plot_kind is not None and plot is None:
        raise UsageError("--plot-kind says which picture, but not where; give --plot FILE too")
    if data is not None and html is None:
        raise UsageError("--data is for the pictures of --html, which was not given")
    if plot is not None:
        format_of(plot)
    outputs = [path for path in (plot, card, html) if path is not None]
    for path in outputs:
        check_output(path)
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise UsageError("two of --plot, --card and --html name the same file; name one each")


def _check_top_k(others: Sequence[str]) -> None:
    """Refuse what has no top-k figures."""
    if others:
        raise UsageError(
            f"--top-k prints figures of its own, of which {others[0]} knows nothing; give one of "
            "the two"
        )


def _top_k_of(source: Source, radii: Sequence[float], k: int) -> TopKFigures:
    if not isinstance(source, RunSource):
        raise UsageError(
            f"{source.name} is a log, which has no counts to derive certificates from; leave out "
            "--top-k, or the log"
        )
    rule = made_with(source.run).rule
    return top_k_figures(source.name, source.heading, rule, source.run.rows, radii, k)


def _runs_only(
    sources: Sequence[Source], figures: Sequence[Figures | LogFigures], option: str
) -> list[tuple[RunSource, Figures]]:
    """Return the runs, or refuse logs, which do not say what the option needs."""
    found = []
    for source, one in zip(sources, figures, strict=True):
        if not isinstance(source, RunSource) or not isinstance(one, Figures):
            raise UsageError(
                f"{source.name} is a log, which does not say how it was made nor whether it is "
                f"complete, so {option} cannot judge it; leave it out"
            )
        found.append((source, one))
    return found


def _radii(text: str) -> tuple[float, ...]:
    try:
        radii = tuple(float(part) + 0.0 for part in text.split(","))  # -0.0 + 0.0 is 0.0
    except ValueError:
        raise UsageError(
            f"--radii is {text!r}, but numbers such as 0,0.5,1 were expected"
        ) from None
    check_radii(radii)
    return radii
