"""Tells a damaged installation from a bug of rsonnx, by where an error was raised."""

from __future__ import annotations

import sys
import traceback
from types import ModuleType

_MOST_SHOWN = 100
"""Letters of the words of others."""


def damage(error: BaseException) -> str | None:
    """Return the sentence that names a damaged package and what mends it; None where none is.

    Damage is an import that fails, in whatever way, in code that is not rsonnx's, and a module of
    others that lacks what rsonnx takes from it: what is left of a package that was half removed.
    """
    while isinstance(error.__cause__, ImportError):  # numpy's own words fill a screen
        error = error.__cause__
    words = (str(error).strip() or type(error).__name__).splitlines()[0][:_MOST_SHOWN]
    if isinstance(error, SyntaxError):
        where = error.filename or str(traceback.extract_tb(error.__traceback__)[-1].line)
        if where.startswith("<"):  # no file
            return None
        words = f"{where}: {words}"
    elif not isinstance(error, ImportError) and not _is_emptied(error):
        package = _imported(error)
        if package is None:
            return None
        words = f"{package}: {words}"
    return (
        f"the installation of rsonnx is damaged: {words}; "
        "mend it: pip install --force-reinstall rsonnx"
    )


def _is_emptied(error: BaseException) -> bool:
    """Say whether a module of others was asked for what it does not have."""
    if not isinstance(error, AttributeError) or not isinstance(error.obj, ModuleType):
        return False
    return error.obj.__name__.partition(".")[0] not in {"rsonnx", *sys.stdlib_module_names}


def _imported(error: BaseException) -> str | None:
    """Return the package of others that was being imported, for rsonnx, when an error was raised.

    Python leaves most frames of its import system out of a traceback, but not those of a module's
    own code, and none where it reads a file of byte code.
    """
    package = "rsonnx"
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name == "_find_and_load":
            module = frame.f_locals["name"]
        elif frame.f_code.co_name != "<module>" and not module.startswith("rsonnx."):
            continue
        package = module.partition(".")[0]
    return None if package in ("rsonnx", "__main__") else package
