"""Names that a package offers and imports only when they are first asked for.

A package lists them as ever, in imports under ``if TYPE_CHECKING:``; what type checkers read there
is read here too, so that a name needs no second list and ``--help`` loads no model library.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def offer_lazily(package: str) -> None:
    """Make a package that is being imported offer the names that its own file lists."""
    module = sys.modules[package]
    source = Path(module.__file__ or "").read_text(encoding="utf-8")
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
