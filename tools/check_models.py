"""Load, certify and score every model of a folder of third-party ONNX files, and print a table.

    python tools/check_models.py DIR [--mnist IDX] [--cifar10 ZIP] [--imagenet DIR WNIDS]
        [--images 1000] [--n 1000] [--only TEXT]

DIR holds ``catalogue.json`` and the files that it describes: a list of objects with the keys
``file``, ``role`` (``classifier`` or not) and, where it is known, ``clean_accuracy`` (``data``,
``preprocessing``, ``top1_on_1000_test_images``). Every model is loaded the way ``rsonnx certify``
loads it, in a child process first, and one input is certified: a test image where the catalogue
names the data, else uniform noise. Nothing here knows any model, but for ``OPTIONS``: what a user
would have to type on the command line for it, since the file does not say.

A model that the catalogue calls no classifier must be refused. One that is certified all the same
is counted, and so is a classifier that is refused.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.data import Dataset, Example, open_dataset, read_class_names
from rsonnx.errors import RsonnxError
from rsonnx.model import ModelFile, ModelSettings, read_model
from rsonnx.runs import prepare_job
from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import SmoothedClassifier, load, try_in_child

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

_BGR_MEANS = "mean=104/117/123,scale=255,channels=bgr,resize=256,crop=224,interpolation=bicubic"

OPTIONS: dict[str, dict[str, Any]] = {
    # The shape that PaddleOCR feeds its text-direction classifier; the file leaves it open.
    "ch_ppocr_mobile_v2.0_cls_infer": {"input_shape": [3, 48, 192]},
    # What its authors publish; the catalogue states no accuracy, its notes do: 61 %.
    "SqueezeNet_fp16": {"preprocess": _BGR_MEANS, "data": "imagenet", "stated": 0.61},
}
"""What the command line must be told, by a part of the file's name."""

_SIGMA, _SEED = 0.25, 1
_BATCH = 100


@dataclass
class Result:
    """One line of the table.

    Attributes:
        file: name of the model.
        is_classifier: what the catalogue says.
        options: what was given beside the preprocessing.
        found: batch, kind of answer and edits.
        verdict: the certificate in words, or the refusal.
        certified: whether there is a certificate or an abstention.
        accuracy: share of the images that are classified correctly without noise.
        stated: what the catalogue says of it.
    """

    file: str
    is_classifier: bool
    options: list[str] = field(default_factory=list)
    found: str = ""
    verdict: str = ""
    certified: bool = False
    accuracy: float | None = None
    stated: float | None = None

    def row(self) -> str:
        """Return the line, in Markdown."""
        accuracy = "" if self.accuracy is None else f"{100 * self.accuracy:.1f}"
        stated = "" if self.stated is None else f"{100 * self.stated:.1f}"
        difference = self.difference
        cells = [
            self.file.removesuffix(".onnx"),
            "yes" if self.is_classifier else "no",
            " ".join(self.options),
            self.found,
            self.verdict,
            accuracy,
            stated,
            "" if difference is None else f"{100 * difference:+.1f}",
        ]
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    @property
    def difference(self) -> float | None:
        """Accuracy that was measured less the one that is stated."""
        known = self.accuracy is not None and self.stated is not None
        return self.accuracy - self.stated if known else None  # type: ignore[operator]


class Transposed:
    """A data set whose images are turned over their diagonal, as some old files want them."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Example:
        found = self._dataset[index]
        return Example(found.name, found.label, np.swapaxes(found.values, 0, 1))

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of an example, height and width exchanged."""
        height, width, *rest = self._dataset.shape(index)
        return (width, height, *rest)


def preprocessing_text(stated: str) -> tuple[str, bool]:
    """Return the catalogue's words as --preprocess has them, and whether images are transposed."""
    name = max((n for n in AFFINE if stated.startswith(n)), key=len)
    words = stated.removeprefix(name).split()
    text = AFFINE[name]
    text += "".join(f",layout={w}" for w in words if w in {"NCHW", "NHWC"})
    text += ",channels=bgr" if "BGR" in words else ""
    unknown = set(words) - {"NCHW", "NHWC", "BGR", "T", "std"}
    if unknown:
        raise SystemExit(f"the preprocessing {stated!r} has the unknown word {unknown.pop()!r}")
    return text, "T" in words


def features_of_trees(model: ModelFile) -> int | None:
    """Return how many features a model of tree ensembles alone looks at; None for any other.

    Its file may leave the number of features open. A tree names each feature that it asks for, and
    answers the same whatever the others are, so the largest number named says how many there must
    be at least.
    """
    graph = model.proto.graph
    numbers = [
        1 + max(attribute.ints)
        for node in graph.node
        if node.op_type.startswith("TreeEnsemble") and node.input[0] == graph.input[0].name
        for attribute in node.attribute
        if attribute.name == "nodes_featureids"
    ]
    return max(numbers, default=None)


def with_input_shape(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, with an --input-shape where the file is one of trees and leaves it open.

    It is only given where the model is refused without.
    """
    try:
        try_in_child(path, ModelSettings(**given))
    except RsonnxError as error:
        if "--input-shape" in str(error):
            features = features_of_trees(read_model(path))
            return dict(given) | ({} if features is None else {"input_shape": [features]})
    return dict(given)


def example(job: Any, model: OnnxClassifier) -> NDArray[Any]:
    """Return an input to certify: the first of the data, or uniform noise in the bounds."""
    if job is not None:
        return job.point(job.indices[0])  # type: ignore[no-any-return]
    low, high = model.bounds
    unit = np.random.default_rng(_SEED).random(model.shape)
    return np.asarray(low + (high - low) * unit, np.float32)


def batches(job: Any) -> Iterator[tuple[NDArray[np.float32], list[int]]]:
    """Yield inputs without noise, with their labels."""
    for start in range(0, len(job.indices), _BATCH):
        chosen = job.indices[start : start + _BATCH]
        yield (
            np.stack([job.point(i).values() for i in chosen]).astype(np.float32),
            [job.label(i) for i in chosen],
        )


def describe(model: OnnxClassifier) -> str:
    """Return what was found in a file, in few words."""
    facts = model.facts
    edits = [*facts["edits"], *(f"input {name!r} left out" for name in facts["unused_inputs"])]
    answer = facts["label"].split(";")[0]
    return "; ".join([f"batch {facts['batch']}", answer, *edits])


def check(entry: Mapping[str, Any], folder: Path, data: Mapping[str, Dataset], n: int) -> Result:
    """Load, certify and score one model."""
    path = folder / entry["file"]
    result = Result(entry["file"], entry["role"] == "classifier")
    options = next((dict(o) for part, o in OPTIONS.items() if part in entry["file"]), {})
    source, result.stated = options.pop("data", None), options.pop("stated", None)
    transposed = False
    stated = entry.get("clean_accuracy")
    if stated is not None:
        options["preprocess"], transposed = preprocessing_text(stated["preprocessing"])
        source, result.stated = stated["data"], stated["top1_on_1000_test_images"]
        sides = entry["inputs"][0]["shape"][-2:]
        if source == "mnist" and len(entry["inputs"][0]["shape"]) == 4 and sides != [28, 28]:
            options["preprocess"] += f",resize={sides[0]}"
    options.setdefault("preprocess", "none")
    options = with_input_shape(path, options)
    shape = options.get("input_shape")
    result.options += [f"--preprocess {options['preprocess']}"]
    result.options += [f"--input-shape {','.join(map(str, shape))}"] if shape else []
    dataset = None if source is None else data.get(source)
    if dataset is not None and transposed:
        dataset = Transposed(dataset)  # type: ignore[assignment]
    try:
        try_in_child(path, ModelSettings(**options))
        model = load(path, **options, providers=["cpu"])
        result.found = describe(model)
        job = None if dataset is None else prepare_job(model, _SIGMA, dataset)
        smoothed = SmoothedClassifier(model, _SIGMA) if job is None else job.smoothed
        certificate = smoothed.certify(example(job, model), n=n, seed=_SEED)
        result.certified = True
        outcome = "abstained" if certificate.abstained else f"class {certificate.label}"
        result.verdict = f"certified: {outcome}, radius {certificate.radius:.3f}"
        if job is not None:
            right = sum(int((model.classify(x) == y).sum()) for x, y in batches(job))
            result.accuracy = right / len(job.indices)
    except RsonnxError as error:
        found = str(error).replace(str(path.absolute()), path.name).replace(str(path), path.name)
        result.verdict = f"refused: {found}"
    return result


class Chosen:
    """Chosen examples of a data set, so that only they are read."""

    def __init__(self, dataset: Dataset, chosen: Sequence[int]) -> None:
        self._dataset, self._chosen = dataset, chosen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> Example:
        return self._dataset[self._chosen[index]]

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of an example."""
        return self._dataset.shape(self._chosen[index])

    def turned(self, index: int) -> bool:
        """Say whether an example is read turned."""
        return self._dataset.turned(self._chosen[index])

    def name(self, index: int) -> str:
        """Return the name of an example."""
        return self._dataset.name(self._chosen[index])

    @property
    def labels(self) -> tuple[int, ...] | None:
        """The labels of the chosen examples."""
        labels = self._dataset.labels
        return None if labels is None else tuple(labels[i] for i in self._chosen)


def open_all(arguments: argparse.Namespace) -> dict[str, Dataset]:
    """Open the data sets that were named.

    The catalogue's accuracies were measured on 1,000 random images of each test set. numpy's old
    generator, seeded with 0, drew them, those of MNIST first; with them the figures agree to the
    last image, so a difference is a difference in rsonnx.
    """
    generator = np.random.RandomState(0)
    found: dict[str, Any] = {}
    for name, path in (("mnist", arguments.mnist), ("cifar10", arguments.cifar10)):
        order = generator.permutation(10_000)
        if path:
            found[name] = Chosen(open_dataset(path), order[: arguments.images].tolist())
    if arguments.imagenet:
        folder, names = arguments.imagenet
        found["imagenet"] = open_dataset(folder, classes=read_class_names(names))
    return found


def print_totals(results: list[Result], seconds: float) -> None:
    """Print how many classifiers were certified, how many others refused, and the accuracies."""
    good = [r for r in results if r.is_classifier]
    bad = [r for r in results if not r.is_classifier]
    certified = [r for r in good if r.certified]
    plain = [r for r in certified if not any("--input-shape" in o for o in r.options)]
    print(f"\nclassifiers certified: {len(certified)} of {len(good)}", end="")
    print(f" ({len(plain)} of them without --input-shape)")
    print(f"others refused: {sum(not r.certified for r in bad)} of {len(bad)}")
    differences = [(abs(r.difference), r.file) for r in results if r.difference is not None]
    if differences:
        within = sum(d <= 0.005 + 1e-9 for d, _ in differences)
        worst = max(differences)
        print(f"accuracies within 0.5 points: {within} of {len(differences)}; ", end="")
        print(f"the worst is {100 * worst[0]:.1f} points off ({worst[1]})")
    print(f"{seconds:.0f} s")
    for result in results:
        if result.certified != result.is_classifier:
            print(f"  not as the catalogue has it: {result.file}: {result.verdict}")


def main() -> None:
    """Check every model and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mnist", type=Path, help="idx file of the MNIST test images")
    parser.add_argument("--cifar10", type=Path, help="zip of the CIFAR-10 test images")
    parser.add_argument("--imagenet", type=Path, nargs=2, metavar=("DIR", "WNIDS"))
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--only", default="", help="models whose name holds this text")
    arguments = parser.parse_args()
    catalogue = json.loads((arguments.folder / "catalogue.json").read_text(encoding="utf-8"))
    data = open_all(arguments)
    print("| file | classifier | options | found | verdict | clean % | stated % | difference |")
    print("|---|---|---|---|---|---|---|---|")
    start = time.monotonic()
    results = []
    for entry in sorted(catalogue, key=lambda e: (e["role"] != "classifier", e["file"])):
        if arguments.only in entry["file"]:
            results.append(check(entry, arguments.folder, data, arguments.n))
            print(results[-1].row(), flush=True)
    print_totals(results, time.monotonic() - start)


if __name__ == "__main__":
    main()
