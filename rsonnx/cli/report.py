"""``rsonnx report``: tables, comparisons, pictures and cards from run files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from cloup import command, option_group

from rsonnx.cli.gates import Gating, gate_options
from rsonnx.cli.options import details_option, json_option
from rsonnx.cli.terminal import show
from rsonnx.errors import UsageError
from rsonnx.procedures import RADIUS_RULES
from rsonnx.report import FORMATS
from rsonnx.report.output import write_new
from rsonnx.report.plots import PLOTS


@command()
@click.argument("runs", type=click.Path(), nargs=-1, required=True, metavar="RUN[=NAME]...")
@option_group(
    "Figures",
    click.option(
        "--radii",
        metavar="R,R,...",
        help="Radii of the table, ascending. [default: the target radii of adaptive runs, else up "
        "to nine round ones]",
    ),
    click.option(
        "--paired",
        is_flag=True,
        help="Compare the first run with each other one on the inputs that both have, matched by "
        "digest: differences with intervals, and McNemar's test.",
    ),
    click.option(
        "--top-k",
        type=int,
        metavar="K",
        help="Print, instead, how often the true class is certified to be among the K most "
        "probable: from the estimation counts of runs with Gaussian noise and a fixed n.",
    ),
)
@option_group(
    "Restating",
    click.option(
        "--alpha",
        type=float,
        metavar="FLOAT",
        help="Restate: derive every certificate anew from its counts at this probability of error. "
        "[default: the run's]",
    ),
    click.option(
        "--bound",
        metavar="NAME",
        help="Restate by this bound; `rsonnx bounds` shows them all. [default: the run's]",
    ),
    click.option(
        "--radius",
        type=click.Choice(RADIUS_RULES),
        help="Restate by this radius rule. [default: the run's]",
    ),
)
@gate_options
@option_group(
    "Output",
    click.option(
        "--format",
        "form",
        type=click.Choice(list(FORMATS)),
        help="How to print the table. [default: table]",
    ),
    json_option,
    details_option,
    click.option(
        "--columns",
        metavar="NAME,...",
        help="Columns of the table behind the model's, in this order: acc@0.5,acr,standard,sigma "
        "and so on. [default: all; in LaTeX, none that is the same for all runs]",
    ),
    click.option(
        "--caption",
        default="",
        metavar="TEXT",
        help="With --format latex: the caption of a float, with formulas between dollar signs.",
    ),
    click.option(
        "--label",
        default="",
        metavar="NAME",
        help="With --format latex: what the float is referred to by, such as tab:mnist.",
    ),
    click.option(
        "--plot",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write a picture: .png, .svg or .pdf. Needs the extra rsonnx[report].",
    ),
    click.option(
        "--plot-kind",
        type=click.Choice(list(PLOTS)),
        help="Certified accuracy against radius, a histogram of radii, why inputs abstained, or "
        "the samples that decided them. [default: curve]",
    ),
    click.option(
        "--card",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write a section for a model card, as Markdown with Hugging Face's model-index.",
    ),
    click.option(
        "--html",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write a page that needs no other file: summary, table, curve, every input. Needs the "
        "extra rsonnx[report].",
    ),
    click.option(
        "--data",
        type=click.Path(path_type=Path),
        metavar="DATA",
        help="For --html: the data set of the runs, for small pictures of its inputs.",
    ),
    click.option(
        "--broken",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="FILE",
        help="What `rsonnx falsify` made of a run: certified to R, broken at R'; in --html with "
        "the inputs that breaks lead to.",
    ),
)
def report(
    runs: tuple[str, ...],
    radii: str | None,
    alpha: float | None,
    bound: str | None,
    radius: str | None,
    paired: bool,
    top_k: int | None,
    form: str | None,
    as_json: bool,
    details: bool,
    columns: str | None,
    caption: str,
    label: str,
    plot: Path | None,
    plot_kind: str | None,
    card: Path | None,
    html: Path | None,
    data: Path | None,
    broken: tuple[Path, ...],
    **gating_options: Any,
) -> None:
    """Print the certified-accuracy table of one or more run files.

    Logs of the field (idx label predict radius correct time, tab-separated) can stand beside run
    files; what a log does not say is shown as ?. RUN=NAME says what a run is called.

    With --alpha, --bound or --radius the certificates are derived anew from the recorded counts,
    without sampling; the files stay as they are. What the counts cannot support is refused.

    \b
    Example:
      rsonnx report mnist.jsonl --radii 0,0.5,1,1.5
      rsonnx report mnist.jsonl --alpha 0.01 --radius two-sided
      rsonnx report a.jsonl=ours b.jsonl=theirs --paired --format markdown
      rsonnx report a.jsonl b.jsonl published.tsv --plot curve.svg
      rsonnx report a.jsonl b.jsonl --format latex --columns sigma,acr,acc@0.5 --label tab:mnist
      rsonnx report mnist.jsonl --fail-under acc@0.5=0.60 --fail-over abstain=0.10
      rsonnx report new.jsonl --baseline old.jsonl --fail-under acc@0.5:lower=baseline-0.02
      rsonnx report imagenet.jsonl --top-k 5
      rsonnx report mnist.jsonl --broken broken.jsonl --html mnist.html --data images/
    """
    from rsonnx.cli.pictures import end_pictures, pictures_for
    from rsonnx.cli.report_sources import (
        figures_at,
        named,
        only_run,
        radii_of,
        read_source,
        restated,
        with_breaks,
    )
    from rsonnx.report import (
        Figures,
        accuracy_report,
        check_gates,
        compare,
        figures_of,
        junit_xml,
        paired_report,
        told_apart,
    )
    from rsonnx.report.card import render_card
    from rsonnx.report.columns import Arrangement, parse_columns
    from rsonnx.report.page import render_page
    from rsonnx.report.plotting import save
    from rsonnx.report.top_k import top_k_figures, top_k_report
    from rsonnx.runs import Run

    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form} contradict each other; give one of them")
    form = "json" if as_json else form or "table"
    arrangement = Arrangement(form, parse_columns(columns), caption, label)
    others = {
        **{"--paired": paired, "--bound": bound, "--radius": radius},
        **{"--plot": plot, "--card": card, "--html": html},
        **{"--broken": broken, "--columns": columns, "--caption": caption, "--label": label},
    }
    gating = Gating(**gating_options)
    given = [*gating.options, *(option for option, value in others.items() if value)]
    if top_k is not None and given:
        raise UsageError(
            f"--top-k prints figures of its own, of which {given[0]} knows nothing; give one of "
            "the two"
        )
    wanted = arrangement.radii or None if radii is None else _radii(radii)
    gates = gating.gates()
    _check_files(plot, plot_kind, card, html, gating.junit, data)
    paths, names = zip(*map(named, runs), strict=True)
    sources = [
        restated(source, alpha=alpha, bound=bound, radius=radius)
        for source in map(read_source, paths)
    ]
    at = radii_of(sources) if wanted is None else wanted
    if top_k is not None:
        own = [only_run(source, "--top-k") for source in sources]
        counted = told_apart([top_k_figures(run, at, top_k) for run in own], names)
        show(top_k_report(counted), form, details=details)
        return
    for option in ("--fail-under", "--fail-over", "--card", "--html"):
        if option in given:
            for source in sources:
                only_run(source, option)
    figures = told_apart(
        with_breaks([figures_at(source, at) for source in sources], paths, broken), names
    )
    of_runs = [run for run in figures if isinstance(run, Figures)]
    baseline = None
    if gating.baseline is not None:
        source = restated(read_source(gating.baseline), alpha=alpha, bound=bound, radius=radius)
        baseline = figures_of(only_run(source, "--baseline"), at)
    results = check_gates(gates, of_runs, baseline)
    printed = paired_report(compare(figures, at)) if paired else accuracy_report(figures)
    if plot is not None:
        save(PLOTS[plot_kind or "curve"](figures), plot)
    if card is not None:
        write_new(card, render_card(of_runs).encode())
    if html is not None:
        pictures = (
            []
            if data is None
            else pictures_for([run for run in sources if isinstance(run, Run)], data)
        )
        write_new(html, render_page(of_runs, pictures, list(map(end_pictures, of_runs))).encode())
    if gating.junit is not None:
        write_new(gating.junit, junit_xml(results).encode())
    show(arrangement.of(printed), form, details=details)
    gating.enforce(results)


def _check_files(
    plot: Path | None,
    plot_kind: str | None,
    card: Path | None,
    html: Path | None,
    junit: Path | None,
    data: Path | None,
) -> None:
    """Refuse what cannot be written before anything is read."""
    from rsonnx.report.page import page_environment
    from rsonnx.report.plotting import drawing, format_of
    from rsonnx.runs import check_output

    if plot_kind is not None and plot is None:
        raise UsageError("--plot-kind says which picture, but not where; give --plot FILE too")
    if data is not None and html is None:
        raise UsageError("--data is for the pictures of --html, which was not given")
    if plot is not None:
        format_of(plot)
    if html is not None:
        page_environment()
    if plot is not None or html is not None:
        with drawing():
            pass  # matplotlib is there
    outputs = [path for path in (plot, card, html, junit) if path is not None]
    for path in outputs:
        check_output(path)
    if len({os.path.realpath(path) for path in outputs}) < len(outputs):
        raise UsageError(
            "two of --plot, --card, --html and --junit name the same file; name one each"
        )


def _radii(text: str) -> tuple[float, ...]:
    from rsonnx.report import check_radii

    try:
        radii = tuple(float(part) + 0.0 for part in text.split(","))  # -0.0 + 0.0 is 0.0
    except ValueError:
        raise UsageError(
            f"--radii is {text!r}, but numbers such as 0,0.5,1 were expected"
        ) from None
    check_radii(radii)
    return radii
