"""What is imported only when it is first asked for, so that help and completion load no library.

A package lists its names as ever, in imports under ``if TYPE_CHECKING:``; what type checkers read
there is read here too, so that a name needs no second list. A catalogue names its things.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from importlib.abc import InspectLoader
from types import ModuleType
from typing import Any, TypeVar, cast

Thing = TypeVar("Thing")


def offer_lazily(package: str) -> None:
    """Make a package that is being imported offer the names that its own file lists."""
    module = sys.modules[package]
    source = cast(InspectLoader, module.__loader__).get_source(package)
    if source is None:
        raise ImportError(f"{package} is installed without its source, which says what it offers")
    where = {
        alias.name: node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
        if alias.name not in module.__dict__
    }

    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name in where:
                value = self.__dict__[name] = getattr(importlib.import_module(where[name]), name)
                return value
            if not name.startswith("_") and importlib.util.find_spec(f"{package}.{name}"):
                return importlib.import_module(f"{package}.{name}")
            raise AttributeError(f"module {package!r} has no attribute {name!r}")

        def __dir__(self) -> list[str]:
            return sorted({*super().__dir__(), *where})

        def __setattr__(self, name: str, value: Any) -> None:
            # The import system sets every module in its package; a function goes before its file.
            if name not in where or not isinstance(value, ModuleType):
                super().__setattr__(name, value)

    module.__class__ = Lazy


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
