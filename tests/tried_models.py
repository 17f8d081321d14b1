"""The child process that tries a model costs most of a second; here it tries each model once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from rsonnx.cli import opening, preprocessings, replaying
from rsonnx.model import ModelSettings
from rsonnx.smoothing import try_in_child


@cache
def _try(path: str | Path, file: Path, digest: str, options: str) -> None:
    """What fails is not remembered: an exception leaves no entry."""
    del file, digest
    try_in_child(path, ModelSettings(**json.loads(options)))


def _try_once(path: str | Path, options: Mapping[str, Any]) -> None:
    file = Path(path).absolute()
    if not file.is_file():
        try_in_child(path, ModelSettings(**options))
    else:
        _try(path, file, sha256(file.read_bytes()).hexdigest(), json.dumps(options))


@pytest.fixture(autouse=True)
def models_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands that run in this process try a file they tried before no second time."""
    for module in (opening, preprocessings, replaying):
        monkeypatch.setattr(module, "try_in_child", _try_once)
