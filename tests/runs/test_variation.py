"""Which of its classifiers a model file is: as a header says it, of now and of earlier versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from headers import HALF, RECORD, header

from rsonnx.errors import RunFileError
from rsonnx.runs import read_run
from rsonnx.runs.variation import variation_of

GOLDEN = Path(__file__).parents[1] / "golden" / "runs"


def _input(*shape: int | str) -> dict[str, Any]:
    return {"input": {"name": "x", "dtype": "float32", "shape": list(shape)}}


OPEN = _input("N", 3, "H", "W") | {"input_shape": [3, 8, 8]}
SAID: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ({}, {}, ()),
    ({"float16": None, "feeds": {}, "threshold": None, "output_name": None}, {}, ()),
    ({"float16": HALF}, {}, ("float16",)),
    ({"session": {"tf32": True}}, {}, ("TF32",)),
    ({"session": {"tf32": False}}, {"tf32": True}, ()),
    ({"session": {}}, {"tf32": True}, ()),
    ({"threshold": 0.3}, {"threshold": 0.5}, ("threshold 0.3",)),
    ({}, {"threshold": 0}, ("threshold 0",)),
    ({"output_name": "logits"}, {}, ("output logits",)),
    ({}, {"output_name": "logits"}, ("output logits",)),
    ({"output_name": None}, {"output_name": "logits"}, ()),
    ({"feeds": {"z": [2.0], "a": [[1, 0]], "b": True}}, {}, ("a=[1,0]", "b=true", "z=2")),
    (OPEN, {}, ("input 3x8x8",)),
    (OPEN | _input("N", 3, 8, 8), {}, ()),
    (OPEN | _input(), {}, ("input 3x8x8",)),
    (OPEN | _input(3, 8, 8), {}, ()),
    (
        {"float16": HALF, "threshold": 1e-9, "feeds": {"mask": 1}},
        {},
        ("float16", "threshold 1e-09", "mask=1"),
    ),
]


@pytest.mark.parametrize(("model", "resolved", "words"), SAID)
def test_all_that_makes_another_classifier_is_in_words(
    model: dict[str, Any], resolved: dict[str, Any], words: tuple[str, ...]
) -> None:
    read = header(model=model, arguments={"resolved": resolved}).model
    assert read.variation.words == words
    assert read.variation.named("a.onnx") == ", ".join(["a.onnx", *words])


@pytest.mark.parametrize(
    ("preprocess", "words", "declared"),
    [
        ({"identity": True, "source": "argument"}, "none", True),
        ({"identity": True, "layout": "NHWC", "source": "a"}, "none,layout=NHWC", False),
        ({"scale": 1.0, "mean": [0.0], "std": [1.0], "source": "default"}, "scale=1", False),
        (
            {"scale": 255.0, "mean": [1.5, 2.0], "std": [1.0], "channels": "bgr", "source": "a"},
            "scale=255,mean=1.5/2,channels=bgr",
            False,
        ),
        # What comes before the noise, the digests of the inputs tell.
        (
            {"identity": True, "resize": 8, "crop": [4, 4], "interpolation": "box", "source": "a"},
            "none",
            False,
        ),
    ],
)
def test_preprocessing_is_what_is_done_behind_the_noise(
    preprocess: dict[str, Any], words: str, declared: bool
) -> None:
    variation = variation_of(RECORD["model"] | {"preprocess": preprocess}, {})
    assert (variation.preprocess, variation.declared) == (words, declared)


def test_a_long_value_is_told_apart_by_its_digest() -> None:
    one, other = ([float(k == at) for k in range(100)] for at in (3, 4))
    masks = [RECORD["model"] | {"feeds": {"mask": value}} for value in (one, other, one)]
    words = {variation_of(model, {}).words for model in masks}
    assert len(words) == 2
    assert all(len(word) < 40 for (word,) in words)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("float16", True), ("session", []), ("session", {"tf32": 1}), ("threshold", "0.3")),
        *(("threshold", True), ("output_name", 3), ("feeds", []), ("input", 3), ("insisted", {})),
        *(("preprocess", "none"), ("input", {"shape": "x"})),
    ],
)
def test_another_kind_of_value_is_refused(name: str, value: Any) -> None:
    with pytest.raises(RunFileError, match="header is wrong"):
        header(model={name: value, "input_shape": [2]})


def test_a_value_of_any_depth_is_refused() -> None:
    deep: Any = 0
    for _ in range(200_000):
        deep = [deep, 0]
    with pytest.raises(RunFileError, match="header is wrong"):
        header(model={"feeds": {"mask": deep}})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(("float16", ("float16",)), ("threshold", ("threshold 0",)), ("feed", ("scale=2",))),
        *((name, ()) for name in ("fixed", "first", "oldest", "watched", "stump", "columns")),
    ],
)
def test_headers_of_earlier_versions_say_it_too(name: str, words: tuple[str, ...]) -> None:
    assert read_run(GOLDEN / f"{name}.jsonl").header.model.variation.words == words
