"""Do the work of a run and keep it: rows in the run file, counts of unfinished inputs beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from rsonnx.errors import CouplingError, RunFileError
from rsonnx.runs.partial import Checkpoint
from rsonnx.runs.rows import CountsRow, Row
from rsonnx.runs.work import Work, do_work
from rsonnx.runs.writing import RunWriter
from rsonnx.runtime import Progress


def keep_rows(
    work: Work,
    writer: RunWriter,
    checkpoint: Checkpoint,
    *,
    finished: Callable[[Row | CountsRow], None],
    progress: Progress | None = None,
) -> None:
    """Append a row an input to a run file, and end it.

    Args:
        work: what is left to do.
        writer: of a new file, or of one that goes on.
        checkpoint: where the counts of unfinished inputs are kept; it is removed at the end.
        finished: called with each row that is on the disk.
        progress: called with the number of samples counted since its last call.

    Raises:
        RunFileError: something cannot be written; what was written before can be gone on with.
        DataError, InferenceError: as for :func:`do_work`.
        CouplingError: a watched row was answered otherwise alone; the file is then void.
    """
    with writer:
        try:
            # Closing ends the engine's work before anything else is written.
            with contextlib.closing(
                do_work(work, checkpoint=checkpoint.keep, progress=progress)
            ) as rows:
                for row in rows:
                    writer.write(row)
                    finished(row)
        except RunFileError:
            with contextlib.suppress(RunFileError):
                checkpoint.write()
            raise
        except CouplingError:  # nothing that was counted is of a function of one input
            checkpoint.remove()
            raise
        except BaseException:
            checkpoint.write()
            raise
    checkpoint.remove()
