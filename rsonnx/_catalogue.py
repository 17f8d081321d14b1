"""Things of one kind by their names."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TypeVar

Thing = TypeVar("Thing")


class Catalogue(Mapping[str, Thing]):
    """Things by name, each imported when it is asked for.

    Args:
        package: that they are in.
        where: the module and the name in it, by the name here: ``{"curve": "curves.draw"}``.
    """

    def __init__(self, package: str, where: Mapping[str, str]) -> None:
        self._package, self._where = package, where

    def __getitem__(self, name: str) -> Thing:
        module, _, thing = self._where[name].rpartition(".")
        found: Thing = getattr(importlib.import_module(f"{self._package}.{module}"), thing)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)
