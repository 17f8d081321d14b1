"""A folder of third-party ONNX files and what its ``catalogue.json`` says of them.

A catalogue is a list of objects with the keys ``file``, ``role`` (``classifier`` or not) and, where
it is known, ``clean_accuracy`` (``data``, ``preprocessing``, ``top1_on_1000_test_images``). Nothing
here knows any model, but for :data:`OPTIONS`: what a user would have to type for it, since the file
does not say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rsonnx.errors import RsonnxError
from rsonnx.model import ModelFile, ModelSettings, read_model
from rsonnx.smoothing import try_in_child

AFFINE = {
    "/255": "zero-one",
    "0-255": "raw-255",
    "(x/255-.1307)/.3081": "mnist",
    "/255-.5": "mean=0.5,std=1",
    "/127.5-1": "minus-one-one",
    "int8 x-128": "mean=128,std=1,scale=255",
    "norm std.247": "mean=0.4914/0.4822/0.4465,std=0.2471/0.2435/0.2616",
    "norm std.2023": "mean=0.4914/0.4822/0.4465,std=0.2023/0.1994/0.2010",
    "norm std.225": "mean=0.485/0.456/0.406,std=0.225/0.225/0.225",
}
"""The catalogue's names of preprocessing, in the words of --preprocess."""

OPTIONS: dict[str, dict[str, Any]] = {
    # The shape that PaddleOCR feeds its text-direction classifier; the file leaves it open.
    "ch_ppocr_mobile_v2.0_cls_infer": {"input_shape": [3, 48, 192]},
    # What its authors publish.
    "SqueezeNet_fp16": {
        "preprocess": "mean=104/117/123,scale=255,channels=bgr,resize=256,crop=224,"
        "interpolation=bicubic"
    },
}
"""What the command line must be told, by a part of the file's name."""

STATED = {"SqueezeNet_fp16": ("imagenet", 0.61)}
"""Data and accuracy that a catalogue states in its notes only."""


@dataclass(frozen=True)
class Entry:
    """One model of a folder.

    Attributes:
        path: the file.
        is_classifier: what the catalogue says; True where there is none.
        data: name of the data set that its accuracy is of; None where none is stated.
        stated: its accuracy on 1,000 test images.
        transposed: whether it wants images turned over their diagonal, as some old files do.
        given: options but for an input shape.
    """

    path: Path
    is_classifier: bool = True
    data: str | None = None
    stated: float | None = None
    transposed: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """Return the options of :func:`rsonnx.load`.

        An input shape is added where the model is refused without, and it is one of trees: its file
        may leave the number of features open. A tree names each feature that it asks for, and
        answers the same whatever the others are, so the largest number named is enough.
        """
        options = dict(self.given)
        try:
            try_in_child(self.path, ModelSettings(**options))
        except RsonnxError as error:
            if "--input-shape" in str(error) and (features := _features(read_model(self.path))):
                options["input_shape"] = [features]
        return options

    def without_folder(self, error: RsonnxError) -> str:
        """Return a refusal in which the file has its name alone."""
        text = str(error).replace(str(self.path.absolute()), self.path.name)
        return text.replace(str(self.path), self.path.name)


def entries(folder: Path, only: str = "") -> Iterator[Entry]:
    """Yield the models of a folder whose name holds a text, classifiers first."""
    catalogue = folder / "catalogue.json"
    if not catalogue.exists():
        yield from (Entry(path) for path in sorted(folder.glob("*.onnx")) if only in path.name)
        return
    found = json.loads(catalogue.read_text(encoding="utf-8"))
    for entry in sorted(found, key=lambda e: (e["role"] != "classifier", e["file"])):
        if only in entry["file"]:
            yield _entry(entry, folder)


def _entry(entry: Mapping[str, Any], folder: Path) -> Entry:
    name, transposed = entry["file"], False
    options = next((dict(o) for part, o in OPTIONS.items() if part in name), {})
    data, share = next((s for part, s in STATED.items() if part in name), (None, None))
    stated = entry.get("clean_accuracy")
    if stated is not None:
        options["preprocess"], transposed = preprocessing_text(stated["preprocessing"])
        data, share = stated["data"], stated["top1_on_1000_test_images"]
        shape = entry["inputs"][0]["shape"]
        if data == "mnist" and len(shape) == 4 and shape[-2:] != [28, 28]:
            options["preprocess"] += f",resize={shape[-2]}"
    options.setdefault("preprocess", "none")
    is_classifier = entry["role"] == "classifier"
    return Entry(folder / name, is_classifier, data, share, transposed, options)


def preprocessing_text(stated: str) -> tuple[str, bool]:
    """Return the catalogue's words as --preprocess has them, and whether images are transposed."""
    name = max((n for n in AFFINE if stated.startswith(n)), key=len)
    words = stated.removeprefix(name).split()
    unknown = set(words) - {"NCHW", "NHWC", "BGR", "T", "std"}
    if unknown:
        raise SystemExit(f"the preprocessing {stated!r} has the unknown word {unknown.pop()!r}")
    text = AFFINE[name]
    text += "".join(f",layout={w}" for w in words if w in {"NCHW", "NHWC"})
    return text + (",channels=bgr" if "BGR" in words else ""), "T" in words


def _features(model: ModelFile) -> int | None:
    """Return how many features a model of tree ensembles alone looks at; None for any other."""
    graph = model.proto.graph
    numbers = [
        1 + max(attribute.ints)
        for node in graph.node
        if node.op_type.startswith("TreeEnsemble") and node.input[0] == graph.input[0].name
        for attribute in node.attribute
        if attribute.name == "nodes_featureids"
    ]
    return max(numbers, default=None)
