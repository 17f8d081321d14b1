"""A header that does not say how its inputs were read is refused before anything is drawn again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import lines_of, write_lines
from onnx_models import linear, save

import rsonnx
from rsonnx.runs import restate
from rsonnx.runs.merge import merge

X = np.random.default_rng(0).random((3, 1, 4, 4), dtype=np.float32)
DRAW: Any = {"sigma": 0.25, "n": 300, "seed": 3, "preprocess": "none", "providers": "cpu"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(linear(), tmp_path_factory.mktemp("model"))


@pytest.fixture
def forged(model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Certify, change the header, and return the file."""

    def make(change: Callable[[dict[str, Any]], object], **options: Any) -> Path:
        path = tmp_path / "run.jsonl"
        rsonnx.certify(model, X, output=path, **DRAW, **options)
        lines = lines_of(path)
        change(lines[0])
        return write_lines(path, lines)

    return make


def _resolved(**changed: Any) -> Callable[[dict[str, Any]], object]:
    return lambda header: header["arguments"]["resolved"].update(changed)


FORGERIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a deep feed": _resolved(feed=["x=" + "[" * 5000]),
    "no provider": lambda header: header["model"]["providers"].update(used=[]),
}


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("providers", [None, ["cpu"]])
def test_a_forged_header_is_refused(
    name: str, providers: list[str] | None, forged: Callable[..., Path], model: Path
) -> None:
    path = forged(FORGERIES[name])
    with pytest.raises(rsonnx.RunFileError, match="line 1"):
        rsonnx.verify(path, model=model, data=X, providers=providers, replay=1)


def test_a_part_that_announces_more_inputs_than_its_sample_has_is_refused(
    forged: Callable[..., Path],
) -> None:
    path = forged(lambda header: header["data"].update(inputs=5))
    with pytest.raises(rsonnx.RsonnxError, match="5"):
        merge([path])


def test_a_restated_run_is_checked_against_its_model_and_data(model: Path, tmp_path: Path) -> None:
    run = rsonnx.certify(model, X, output=tmp_path / "run.jsonl", **DRAW)
    restated = restate(run, alpha=0.01)
    lines = [restated.header.to_json(), *(row.to_json() for row in restated.rows)]
    path = write_lines(tmp_path / "restated.jsonl", [*lines, lines_of(run.path)[-1]])
    assert not rsonnx.verify(path, model=model, data=X, replay=3).faults
