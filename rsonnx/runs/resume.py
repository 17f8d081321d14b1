"""Whether a run file may be gone on with: the same run, the same inputs, no row out of place."""

from __future__ import annotations

from collections.abc import Sequence

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs.differences import in_words
from rsonnx.runs.files import Part
from rsonnx.runs.header import Header
from rsonnx.runs.manifest import Manifest
from rsonnx.runs.verify import check_part


def check_continues(part: Part, header: Header, manifest: Manifest, indices: Sequence[int]) -> None:
    """Refuse to go on with a run file unless the new rows belong behind those that it has.

    Args:
        part: what the file holds.
        header: what a new file would say now.
        manifest: the inputs, as they are now.
        indices: those that the file is about, in order.

    Raises:
        UsageError: the run in the file is another one; the message names what differs.
        RunFileError: the rows are not the first of ``indices``, or not of these inputs.
    """
    differences = part.header.differences(header)
    if differences:
        raise UsageError(
            f"the run {part.path} is another one: {in_words(differences, 'in the file', 'now')}; "
            "give the command that started it, or name another output"
        )
    check_part(part)
    if [row.index for row in part.rows] != list(indices[: len(part.rows)]):
        raise RunFileError(
            f"the run {part.path} cannot be gone on with: its rows are not the first "
            f"{len(part.rows)} inputs in order, so it was changed"
        )
    for row in part.rows:
        try:
            manifest.check_row(row)
        except RunFileError as error:
            raise RunFileError(f"the run {part.path} cannot be gone on with: {error}") from None
