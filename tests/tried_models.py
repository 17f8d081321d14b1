"""The child process that tries a model costs most of a second; here it tries each model once."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from rsonnx.cli import opening, preprocessings, replaying
from rsonnx.model import ModelSettings
from rsonnx.smoothing import try_in_child


@cache
def _try(path: str | Path, file: Path, digest: str, settings: str) -> None:
    """What fails is not remembered: an exception leaves no entry."""
    del file, digest
    try_in_child(path, ModelSettings.from_json(json.loads(settings)))


def _try_once(path: str | Path, settings: ModelSettings) -> None:
    file = Path(path).absolute()
    if not file.is_file():
        try_in_child(path, settings)
    else:
        _try(path, file, sha256(file.read_bytes()).hexdigest(), json.dumps(settings.to_json()))


@pytest.fixture(autouse=True)
def models_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands that run in this process try a file they tried before no second time."""
    for module in (opening, preprocessings, replaying):
        monkeypatch.setattr(module, "try_in_child", _try_once)
