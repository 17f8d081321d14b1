"""Sixty files that other people exported: every classifier loads, everything else is refused.

The reference folder is not part of the project; without it these tests are skipped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rsonnx
from rsonnx.errors import MissingError, ModelError

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "models"
CATALOGUE: list[dict[str, Any]] = (
    json.loads((FOLDER / "catalogue.json").read_text()) if FOLDER.is_dir() else []
)

pytestmark = pytest.mark.skipif(not CATALOGUE, reason="the reference models are not at hand")

INPUT_SHAPES = {"treecl.onnx": [20], "treecl2.onnx": [20], "treecl3.onnx": [10]} | {
    "ch_ppocr_mobile_v2.0_cls_infer.onnx": [3, 48, 192]
}
"""What their files leave open, and a user must say."""

LIKE_CLASSIFIERS = {"pytorch_linear.onnx", "dubinsrejoin.onnx"}
"""Regressors that no rule tells from classifiers: the first has, weight for weight, the function of
pytorch_linear_dynamo.onnx, which the catalogue calls a classifier; the second is a plain net from 8
numbers to 8."""


def short(entry: dict[str, Any]) -> str:
    return str(entry["file"]).rpartition("--")[2]


def of_role(classifier: bool) -> list[Any]:
    return [
        pytest.param(entry, id=short(entry))
        for entry in CATALOGUE
        if (entry["role"] == "classifier") is classifier
    ]


@pytest.mark.parametrize("entry", of_role(classifier=True))
def test_a_classifier_answers_alike_in_every_batch(entry: dict[str, Any]) -> None:
    found = rsonnx.load(
        FOLDER / entry["file"],
        preprocess="none",
        providers=["cpu"],
        input_shape=INPUT_SHAPES.get(short(entry)),
    )
    rows = np.random.default_rng(1).random((5, *found.shape)).astype(np.float32)
    together = found.classify(rows)
    alone = np.concatenate([found.classify(row[None]) for row in rows])
    np.testing.assert_array_equal(together, alone)
    assert found.num_classes is not None
    assert together.min() >= 0
    assert together.max() < found.num_classes


@pytest.mark.parametrize("entry", of_role(classifier=False))
def test_what_is_no_classifier_is_refused(entry: dict[str, Any]) -> None:
    if short(entry) in LIKE_CLASSIFIERS:
        pytest.skip("no rule tells it from a classifier")
    with pytest.raises(ModelError) as refusal:
        rsonnx.load(FOLDER / entry["file"], preprocess="none", providers=["cpu"])
    asked = isinstance(refusal.value, MissingError)  # a line for each that has to be declared
    assert len(str(refusal.value).splitlines()) == 1 or asked
