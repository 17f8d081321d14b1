"""Pictures that cannot be read: all of a run are named at once, or left out if the caller says so.

Which are left out is settled before anything else, by decoding every picture that the sample takes;
the header names them, so that whatever goes on with the run or checks it leaves out the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rsonnx.data import Dataset, DataSettings
from rsonnx.errors import DataError, UnreadableInputError, first_line

_MOST_NAMED = 10


def leave_out(
    dataset: Dataset, indices: Sequence[int], reading: DataSettings
) -> tuple[tuple[int, ...], dict[int, UnreadableInputError]]:
    """Return which inputs are taken, and which are left out, with the reasons.

    Raises:
        DataError: none is taken.
    """
    unreadable = _find(dataset, indices) if reading.on_bad_image == "skip" else {}
    if len(unreadable) == len(indices):
        raise refusal(dataset, unreadable, len(indices))
    return tuple(index for index in indices if index not in unreadable), unreadable


@contextmanager
def all_named(dataset: Dataset, indices: Sequence[int]) -> Iterator[None]:
    """Name all inputs that cannot be read where one of them ends what is done."""
    try:
        yield
    except UnreadableInputError as error:
        unreadable = _find(dataset, indices)
        raise refusal(dataset, unreadable, len(indices)) if unreadable else error from None


def refusal(
    dataset: Dataset, unreadable: Mapping[int, UnreadableInputError], total: int
) -> DataError:
    """Return one sentence that names inputs which cannot be read, at least one of ``total``."""
    names = [repr(dataset.name(index)) for index in unreadable]
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return DataError(
        f"{len(names):,} of {total:,} pictures cannot be read: {', '.join(names[:_MOST_NAMED])}"
        f"{more}; --on-bad-image skip leaves them out; "
        f"{first_line(next(iter(unreadable.values())))}"
    )


def _find(dataset: Dataset, indices: Sequence[int]) -> dict[int, UnreadableInputError]:
    unreadable: dict[int, UnreadableInputError] = {}
    for index in indices:
        try:
            dataset[index]
        except UnreadableInputError as error:
            unreadable[index] = error
    return unreadable
