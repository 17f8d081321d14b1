"""Tables from run rows."""

from rsonnx.report.heading import Heading, Settings
from rsonnx.report.rounding import fraction_down, percent_down, percent_up, text_down, text_up
from rsonnx.report.sampling import Gain, Samples, gain_of, samples_of
from rsonnx.report.statements import Statements, dataset_statements
from rsonnx.report.summary import Summary, check_radii, default_radii, summarize
from rsonnx.report.table import Figures, printable, render

__all__ = [
    "Figures",
    "Gain",
    "Heading",
    "Samples",
    "Settings",
    "Statements",
    "Summary",
    "check_radii",
    "dataset_statements",
    "default_radii",
    "fraction_down",
    "gain_of",
    "percent_down",
    "percent_up",
    "printable",
    "render",
    "samples_of",
    "summarize",
    "text_down",
    "text_up",
]
