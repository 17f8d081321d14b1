"""What is imported only when it is first asked for, so that help and completion load no library.

A package lists its names as ever, in imports under ``if TYPE_CHECKING:``; what type checkers read
there is read here too, so that a name needs no second list.

This runs before the command line can be ready for Ctrl-C, so it imports nothing until it is asked.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def offer_lazily(package: str) -> None:
    """Make a package that is being imported offer the names that its own file lists."""
    module = sys.modules[package]
    own = {*vars(module)}
    listed: dict[str, str] = {}

    def where() -> dict[str, str]:
        if not listed:
            listed.update(_listed(package, own))
        return listed

    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> Any:
            import importlib.util  # noqa: PLC0415 - see above

            if name in where():
                value = getattr(importlib.import_module(where()[name]), name)
                self.__dict__[name] = value
                return value
            if not name.startswith("_") and importlib.util.find_spec(f"{package}.{name}"):
                return importlib.import_module(f"{package}.{name}")
            raise AttributeError(f"module {package!r} has no attribute {name!r}")

        def __dir__(self) -> list[str]:
            return sorted({*super().__dir__(), *where()})

        def __setattr__(self, name: str, value: Any) -> None:
            # The import system sets every module in its package; a function goes before its file.
            private = name.startswith("_")
            if private or not isinstance(value, ModuleType) or name not in where():
                super().__setattr__(name, value)

    module.__class__ = Lazy


def _listed(package: str, own: set[str]) -> dict[str, str]:
    """Return the module of every name that a package's file imports, but for its own."""
    import ast  # noqa: PLC0415 - see above

    loader: Any = sys.modules[package].__loader__
    source = loader.get_source(package)
    if source is None:
        raise ImportError(f"{package} is installed without its source, which says what it offers")
    return {
        alias.name: node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
        if alias.name not in own
    }
