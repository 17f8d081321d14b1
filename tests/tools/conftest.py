"""The tools, imported as scripts that find their neighbours."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a module of tools/ by its name."""
    if not TOOLS.is_dir():
        pytest.skip("the tools are not part of an installation")
    monkeypatch.syspath_prepend(TOOLS)
    return importlib.import_module
