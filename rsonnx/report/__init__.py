"""Tables, curves and comparisons from run rows."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.report.comma import render_csv
    from rsonnx.report.escape import csv_text, latex_text, markdown_text, printable
    from rsonnx.report.figures import Figures
    from rsonnx.report.gates import Gate, failures, parse_gate
    from rsonnx.report.heading import Heading, Settings
    from rsonnx.report.latex import render_latex
    from rsonnx.report.logs import LogFigures, log_figures
    from rsonnx.report.markdown import render_markdown
    from rsonnx.report.outcome import Outcome
    from rsonnx.report.paired import Comparison, Named, compare
    from rsonnx.report.paired_table import (
        render_comparisons,
        render_comparisons_csv,
        render_comparisons_latex,
        render_comparisons_markdown,
    )
    from rsonnx.report.rounding import fraction_down, percent_down, percent_up, text_down, text_up
    from rsonnx.report.sampling import Gain, Samples, gain_of, samples_of
    from rsonnx.report.selection import Selection, selection_of
    from rsonnx.report.statements import Statements, dataset_statements
    from rsonnx.report.summary import (
        Certified,
        Summary,
        certified,
        check_radii,
        default_radii,
        summarize,
    )
    from rsonnx.report.table import render

offer_lazily(__name__)

__all__ = [
    "Certified",
    "Comparison",
    "Figures",
    "Gain",
    "Gate",
    "Heading",
    "LogFigures",
    "Named",
    "Outcome",
    "Samples",
    "Selection",
    "Settings",
    "Statements",
    "Summary",
    "certified",
    "check_radii",
    "compare",
    "csv_text",
    "dataset_statements",
    "default_radii",
    "failures",
    "fraction_down",
    "gain_of",
    "latex_text",
    "log_figures",
    "markdown_text",
    "parse_gate",
    "percent_down",
    "percent_up",
    "printable",
    "render",
    "render_comparisons",
    "render_comparisons_csv",
    "render_comparisons_latex",
    "render_comparisons_markdown",
    "render_csv",
    "render_latex",
    "render_markdown",
    "samples_of",
    "selection_of",
    "summarize",
    "text_down",
    "text_up",
]
