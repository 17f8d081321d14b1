"""Open a run file: whoever reads a row derives it again, so nobody prints what its counts deny."""

from __future__ import annotations

import os

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs.files import Part, Run, as_path, parse_part
from rsonnx.runs.rows import Row
from rsonnx.runs.verify import check_part


def read_run(path: str | os.PathLike[str], *, checked: bool = True) -> Run:
    """Read a run file that holds certificates.

    A last line without an end, as a killed process leaves it, is left out and the run is
    ``"incomplete"``.

    Args:
        path: the file.
        checked: refuse a file of which anything does not hold; :func:`rsonnx.runs.verify` names
            all that does not.

    Raises:
        UsageError: there is no such file.
        RunFileError: a line is not what the format says, or a row not what its counts give, and the
            message names it; or the file holds counts of a range of samples, from which nothing is
            certified yet.
    """
    part = read_part(path, checked=checked)
    if part.header.samples is not None:
        raise RunFileError(
            f"{part.path} holds counts of the samples {part.header.samples} only and no "
            "certificates; put it together with the other parts: rsonnx merge PART... -o RUN"
        )
    rows = tuple(row for row in part.rows if isinstance(row, Row))
    return Run(part.path, part.header, rows, part.status)


def read_part(path: str | os.PathLike[str], *, checked: bool = True) -> Part:
    """Read a run file that holds a run or a part of one; else as :func:`read_run`."""
    path = as_path("the run file", path)
    if not os.path.exists(path):
        raise UsageError(f"the run file {path} does not exist; `rsonnx certify -o FILE` writes one")
    if not path.is_file():
        raise UsageError(f"{path} is not a file, but a run file was expected")
    try:
        with path.open("rb") as file:
            part = parse_part(path, file)
    except OSError as error:
        raise RunFileError(f"the run file {path} cannot be read: {error.strerror}") from None
    if checked:
        check_part(part)
    return part
