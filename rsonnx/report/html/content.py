"""What a page is made of."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from rsonnx.report.figures import Figures


@dataclass(frozen=True)
class Pictures:
    """Small pictures of a run's inputs, and how far they are known to show what was certified.

    Attributes:
        source: where they were read.
        png: PNG files by the index of the row.
        checked: how many of them have the digest that their row has.
        unchecked: why the others could not be checked; None where all were.
        left_out: why inputs have no picture, and how many each.
    """

    source: str
    png: Mapping[int, bytes]
    checked: int
    unchecked: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PageRun:
    """One run of a page.

    Attributes:
        figures: what is reported of it, with its rows.
        header: the first line of its file.
        file: the path of its file.
        pictures: of its inputs; None where there are none.
    """

    figures: Figures
    header: Mapping[str, Any]
    file: str
    pictures: Pictures | None = None

    @property
    def name(self) -> str:
        """The file's own name, in a stranger's words."""
        return PurePath(self.file).name

    @property
    def title(self) -> str:
        """What tells it from another run of the page, in a stranger's words."""
        heading = self.figures.heading
        return f"{heading.model}, {heading.short_noise} ({self.name})"

    def fact(self, *keys: str) -> Any:
        """Return a field of the header, such as ``("model", "sha256")``; None where it is not."""
        value: Any = self.header
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def whole_fact(self, *keys: str) -> int | None:
        """Return a field of the header that is a whole number of at least 1, else None."""
        value = self.fact(*keys)
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        return value if whole else None

    def real_fact(self, *keys: str) -> float | None:
        """Return a field of the header that is a number, else None."""
        value = self.fact(*keys)
        real = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if real and abs(value) <= sys.float_info.max else None

    def class_names(self) -> tuple[str, ...]:
        """Return what the classes are called, in the model's numbering; empty where unknown.

        A model's own names come first: a data set's follow its folders, which need not be in the
        model's order where it has names.
        """
        for room in ("model", "data"):
            names = self.fact(room, "class_names")
            if isinstance(names, list) and names and all(isinstance(n, str) for n in names):
                return tuple(names)
        return ()
