"""A run's report as one page of HTML."""

from rsonnx.report.html.content import PageRun, Pictures
from rsonnx.report.html.page import render_page

__all__ = ["PageRun", "Pictures", "render_page"]
