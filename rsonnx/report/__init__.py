"""Tables from run rows."""

from rsonnx.report.rounding import fraction_down, percent_down, text_down, text_up
from rsonnx.report.summary import Summary, check_radii, default_radii, summarize
from rsonnx.report.table import Heading, printable, render

__all__ = [
    "Heading",
    "Summary",
    "check_radii",
    "default_radii",
    "fraction_down",
    "percent_down",
    "printable",
    "render",
    "summarize",
    "text_down",
    "text_up",
]
