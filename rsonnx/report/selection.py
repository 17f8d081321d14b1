"""Whether the inputs of a run speak for the population, and which classes they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rsonnx.runs.header import Header


@dataclass(frozen=True)
class Selection:
    """How the inputs of a run were chosen, as far as it bears on others.

    Attributes:
        undrawn: why they are not drawn independently from the population, in words; None where they
            are, as far as the data set is: for the whole of it and for a random sample.
        unreadable: how many pictures could not be read and were left out.
        classes: how many classes the inputs of the run have, and how many the data set; None where
            that is not known.
    """

    undrawn: str | None = None
    classes: tuple[int, int] | None = None
    unreadable: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the same for a program."""
        here, there = self.classes or (None, None)
        return {
            "classes_in_sample": here,
            "classes_in_data": there,
            "unreadable": self.unreadable,
        }


def selection_of(header: Header, status: str) -> Selection:
    """Return what a run's header says of its inputs.

    Args:
        header: the run's header.
        status: how the run ended; one that is not complete holds the first of its inputs.
    """
    data = header.data
    undrawn = None
    if status != "complete":
        undrawn = f"the run is {status}, and what it holds of its inputs is not chosen at random"
    elif data.unreadable:
        undrawn = "the pictures that could not be read may be of another kind than the others"
    elif data.inputs < data.size and data.sample is None:
        undrawn = "the file does not say how its inputs were chosen"
    elif data.inputs < data.size and data.sample is not None and data.sample.seed is None:
        undrawn = (
            f"{data.inputs:,} of the {data.size:,} inputs were taken, {data.sample}, not at "
            "random; --limit with --sample SEED draws, and without either all are taken"
        )
    return Selection(undrawn, data.classes, len(data.unreadable))
