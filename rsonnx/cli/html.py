"""Write a report as a page of HTML, with small pictures of the inputs where their data is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rsonnx.cli.pictures import pictures_of
from rsonnx.data import open_dataset
from rsonnx.report import Figures
from rsonnx.report.html import PageRun, render_page
from rsonnx.report.output import write_new
from rsonnx.runs import Run, check_output
from rsonnx.runs.header import recorded_exif


def write_html(
    path: Path, runs: Sequence[Run], figures: Sequence[Figures], data: Path | None
) -> None:
    """Write one page on several runs.

    Args:
        path: a file that does not exist yet.
        runs: as they are reported.
        figures: one a run, all at the same radii.
        data: the data set that the runs were made with, for pictures; None for none.

    Raises:
        UsageError: the file exists or cannot be written, or the data set does not exist.
        DataError: the data set is none.
    """
    check_output(path)
    exif = [recorded_exif(run.header) for run in runs]
    read = {} if data is None else {one: open_dataset(data, exif=one) for one in set(exif)}
    page = render_page(
        [
            PageRun(
                figures=one,
                header=run.header,
                file=str(run.path),
                pictures=None if data is None else pictures_of(read[way], run),
            )
            for run, one, way in zip(runs, figures, exif, strict=True)
        ]
    )
    write_new(path, page.encode())
