"""What a caller declares of a model is one object, which JSON brings back as it was."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import numpy as np
import pytest

from rsonnx.errors import UsageError
from rsonnx.model import ModelSettings

SETTINGS = {
    "none": ModelSettings(),
    "all": ModelSettings(
        bounds=(-1.0, 1.0),
        preprocess="imagenet,layout=NHWC,channels=bgr,resize=20,crop=16",
        output_name="scores",
        threshold=0.5,
        input_shape=[3, 224, 224],
        feeds={
            "a=b": 1,
            "c": [1.5, -2e-7],
            "d": np.eye(2),
            "e": [3],
            "f": True,
            "g": [True, False],
        },
        float16=True,
        rows="watched",
    ),
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_json_and_pickle_bring_settings_back(settings: ModelSettings) -> None:
    recorded = json.loads(json.dumps(settings.to_json()))
    assert ModelSettings.from_json(recorded) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301


def test_a_header_is_read_whatever_else_it_records() -> None:
    recorded = ModelSettings(preprocess="cifar10").to_json() | {"sigma": 0.5}
    del recorded["rows"]
    recorded["preprocess"]["source"] = "argument"
    assert ModelSettings.from_json(recorded) == ModelSettings(preprocess="cifar10")


@pytest.mark.parametrize(
    "changed",
    [
        {"threshold": "0.5"}, {"output_name": 3}, {"float16": "yes"}, {"rows": "both"},
        {"feed": [3]}, {"feed": ["x"]}, {"feed": ["x=a"]}, {"feed": ["x=[1"]}, {"bounds": [1]},
        {"bounds": "ab"}, {"input_shape": "3,a"}, {"input_shape": 3}, {"preprocess": "imagenet"},
        {"preprocess": {"mean": "a"}}, {"bounds": [0, 10**400]}, {"bounds": 3},
        {"threshold": True}, {"threshold": 10**400}, {"feed": ["x=" + "[" * 5000]},
        {"feed": ["x=" + "[" * 70 + "1" + "]" * 70]}, {"input_shape": "9" * 5000},
    ],
    ids=lambda changed: f"{changed}"[:40],
)  # fmt: skip
def test_a_forged_header_is_refused(changed: dict[str, object]) -> None:
    recorded = ModelSettings().to_json() | changed
    with pytest.raises((TypeError, ValueError, AttributeError)):
        ModelSettings.from_json(recorded)


def test_a_file_of_preprocessing_is_read_at_once(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "p.json"
    path.write_text('{"mean": 0.5}')
    settings = ModelSettings(preprocess=str(path))
    path.unlink()
    assert settings.to_json()["preprocess"]["mean"] == [0.5]


def test_an_assumption_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="alone, watched"):
        ModelSettings(rows="proved")


@pytest.mark.parametrize(
    "threshold",
    [math.nan, math.inf, -math.inf, 10**400, 10**5000, True, "1"],
    ids=lambda value: type(value).__name__,
)
def test_a_threshold_is_a_finite_number(threshold: Any) -> None:
    with pytest.raises(UsageError, match="threshold"):
        ModelSettings(threshold=threshold)


@pytest.mark.parametrize(
    "bounds",
    [(0, 1, 2), (0, 10**400), (0, 10**5000), 3, "ab", "01", (None, 1)],
    ids=lambda value: type(value).__name__,
)
def test_bounds_are_two_numbers(bounds: Any) -> None:
    with pytest.raises(UsageError, match="bounds"):
        ModelSettings(bounds=bounds)


def test_numbers_of_numpy_are_numbers() -> None:
    made = ModelSettings(
        bounds=np.array([0, 255]), threshold=np.float32(0.5), input_shape=np.ones(2, int)
    )  # type: ignore[arg-type]
    assert json.loads(json.dumps(made.to_json())) == made.to_json()
    assert made == ModelSettings(bounds=(0.0, 255.0), threshold=0.5, input_shape=(1, 1))
