"""Packages import what they offer when it is asked for, and then it is what it always was."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import rsonnx
from rsonnx._lazy import _listed

HEAVY = {"numpy", "scipy", "onnx", "onnxruntime", "PIL", "mpmath"}
LAZY = [
    name
    for name in ("", *(f".{m.name}" for m in pkgutil.iter_modules(rsonnx.__path__) if m.ispkg))
    if "offer_lazily" in vars(importlib.import_module(f"rsonnx{name}"))
]


def in_a_process_of_its_own(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_importing_the_package_or_a_room_imports_nothing_heavy() -> None:
    rooms = ", ".join(f"rsonnx{name}" for name in LAZY)
    loaded = in_a_process_of_its_own(f"import {rooms}, sys; print(*sys.modules)")
    assert len(LAZY) > 5
    assert not HEAVY & set(loaded.split())


@pytest.mark.parametrize("name", LAZY)
def test_all_that_a_package_offers_is_there(name: str) -> None:
    package = importlib.import_module(f"rsonnx{name}")
    offers = _listed(package.__name__, set())
    assert offers.keys() <= set(dir(package))
    for offered in offers:
        assert not isinstance(getattr(package, offered), ModuleType), offered
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


def test_a_function_goes_before_the_module_of_its_name() -> None:
    script = "import rsonnx.runs.merge; from rsonnx.runs import merge; print(merge.__name__)"
    assert in_a_process_of_its_own(script) == "merge"


def test_a_room_is_an_attribute_that_needs_no_import_of_its_own() -> None:
    script = "import rsonnx; print(rsonnx.noise.Gaussian.name)"
    assert in_a_process_of_its_own(script) == "gaussian"
