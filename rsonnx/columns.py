"""What is known of a column of a table: a name, and whether noise may be added to its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

_MOST_LISTED = 12


def listed_columns(names: Sequence[str]) -> str:
    """Return names of columns for a message, of many the first."""
    more = len(names) - _MOST_LISTED
    text = ", ".join(names[:_MOST_LISTED])
    return f"{text} and {more:,} more" if more > 0 else text


def plain_name(name: str) -> str:
    """Return a name without what exporters write otherwise: ``meanradius`` of ``Mean radius``."""
    return re.sub(r"[\W_]+", "", name.casefold()) or name


@dataclass(frozen=True)
class Column:
    """A column of a table, which is one value of each input.

    Attributes:
        name: of the column.
        fixed: whether its values stay as they are, so that a certificate is for these alone.
        texts: what its values 0, 1, ... stand for, in the order in which they first occur; empty
            for a column of numbers.
        first: the value of the first row, for inputs that are made up: a fixed column may have
            values on which alone the model runs.
        whole: whether all values are whole numbers of at most 2^24, which float32 holds exactly.
    """

    name: str
    fixed: bool = False
    texts: tuple[str, ...] = ()
    first: float = 0.0
    whole: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        return asdict(self) | {"texts": list(self.texts)}

    @classmethod
    def from_json(cls, recorded: Mapping[str, Any]) -> Column:
        """Return what :meth:`to_json` recorded."""
        return cls(**{**recorded, "texts": tuple(recorded["texts"])})
