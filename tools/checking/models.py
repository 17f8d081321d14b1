"""Load, certify and score every model of a folder of third-party ONNX files."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from checking.catalogue import Entry, entries
from rsonnx.data import Dataset, Example, open_dataset, read_class_names
from rsonnx.errors import RsonnxError
from rsonnx.model import ModelSettings
from rsonnx.runs import prepare_job
from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import SmoothedClassifier, load, try_in_child

_SIGMA, _SEED = 0.25, 1
_BATCH = 100


@dataclass
class Result:
    """What became of one model; an accuracy is the share that is right without noise."""

    entry: Entry
    options: str = ""
    found: str = ""
    verdict: str = ""
    certified: bool = False
    accuracy: float | None = None

    @property
    def difference(self) -> float | None:
        """Accuracy that was measured less the one that is stated."""
        if self.accuracy is None or self.entry.stated is None:
            return None
        return self.accuracy - self.entry.stated

    def row(self) -> str:
        """Return the line, in Markdown."""
        percent = (self.accuracy, self.entry.stated)
        figures = ["" if share is None else f"{100 * share:.1f}" for share in percent]
        figures += ["" if self.difference is None else f"{100 * self.difference:+.1f}"]
        cells = [self.entry.path.stem, "yes" if self.entry.is_classifier else "no", self.options]
        cells += [self.found, self.verdict, *figures]
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


class Chosen:
    """Chosen examples of a data set, so that only they are read; transposed if asked for."""

    def __init__(self, dataset: Dataset, chosen: Sequence[int], transposed: bool = False) -> None:
        self._dataset, self._chosen, self._transposed = dataset, chosen, transposed

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._dataset, name)
        if name in ("shape", "turned", "name"):
            return lambda index: self._turn(value(self._chosen[index]), name == "shape")
        return value

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> Example:
        example = self._dataset[self._chosen[index]]
        values = np.swapaxes(example.values, 0, 1) if self._transposed else example.values
        return Example(example.name, example.label, values)

    def _turn(self, value: Any, is_shape: bool) -> Any:
        return (value[1], value[0], *value[2:]) if is_shape and self._transposed else value

    @property
    def labels(self) -> tuple[int, ...] | None:
        """The labels of the chosen examples."""
        labels = self._dataset.labels
        return None if labels is None else tuple(labels[i] for i in self._chosen)


def check(entry: Entry, data: Mapping[str, tuple[Dataset, Sequence[int]]], n: int) -> Result:
    """Load, certify and score one model, as ``rsonnx certify`` does: in a child process first.

    One input is certified: a test image where the catalogue names the data, else uniform noise.
    """
    options, result = entry.options(), Result(entry)
    shape = options.get("input_shape")
    result.options = f"--preprocess {options['preprocess']}"
    result.options += f" --input-shape {','.join(map(str, shape))}" if shape else ""
    named = data.get(str(entry.data))
    try:
        try_in_child(entry.path, ModelSettings(**options))
        model = load(entry.path, **options, providers=["cpu"])
        result.found = _describe(model)
        if named is None:
            job, smoothed = None, SmoothedClassifier(model, _SIGMA)
            low, high = model.bounds
            unit = np.random.default_rng(_SEED).random(model.shape)
            x: Any = np.asarray(low + (high - low) * unit, np.float32)
        else:
            job = prepare_job(model, _SIGMA, Chosen(*named, entry.transposed))  # type: ignore[arg-type]
            smoothed, x = job.smoothed, job.point(job.indices[0])
        certificate = smoothed.certify(x, n=n, seed=_SEED)
        result.certified = True
        outcome = "abstained" if certificate.abstained else f"class {certificate.label}"
        result.verdict = f"certified: {outcome}, radius {certificate.radius:.3f}"
        if job is not None:
            right = sum(_right(job, start) for start in range(0, len(job.indices), _BATCH))
            result.accuracy = right / len(job.indices)
    except RsonnxError as error:
        result.verdict = f"refused: {entry.without_folder(error)}"
    return result


def _right(job: Any, start: int) -> int:
    chosen = job.indices[start : start + _BATCH]
    inputs: NDArray[np.float32] = np.stack(
        [job.point(i).values() for i in chosen], dtype=np.float32
    )
    return int((job.model.classify(inputs) == [job.label(i) for i in chosen]).sum())


def _describe(model: OnnxClassifier) -> str:
    facts = model.facts
    edits = [*facts["edits"], *(f"input {name!r} left out" for name in facts["unused_inputs"])]
    return "; ".join([f"batch {facts['batch']}", facts["label"].split(";")[0], *edits])


def open_all(given: argparse.Namespace) -> dict[str, tuple[Dataset, Sequence[int]]]:
    """Open the data sets that were named.

    The catalogue's accuracies were measured on 1,000 random images of each test set. numpy's old
    generator, seeded with 0, drew them, those of MNIST first; with them the figures agree to the
    last image, so a difference is a difference in rsonnx.
    """
    generator = np.random.RandomState(0)
    data: dict[str, tuple[Dataset, Sequence[int]]] = {}
    for name, path in (("mnist", given.mnist), ("cifar10", given.cifar10)):
        order = generator.permutation(10_000)
        if path:
            data[name] = open_dataset(path), order[: given.images].tolist()
    if given.imagenet:
        folder, names = given.imagenet
        dataset = open_dataset(folder, classes=read_class_names(names))
        data["imagenet"] = dataset, range(len(dataset))
    return data


def main(given: argparse.Namespace) -> int:
    """Check every model, print the table and the totals; 1 where the catalogue says otherwise."""
    data, start, results = open_all(given), time.monotonic(), []
    print("| file | classifier | options | found | verdict | clean % | stated % | difference |")
    print("|---|---|---|---|---|---|---|---|")
    for entry in entries(given.folder, given.only):
        results.append(check(entry, data, given.n))
        print(results[-1].row(), flush=True)
    good = [r for r in results if r.entry.is_classifier]
    bad = [r for r in results if not r.entry.is_classifier]
    certified = [r for r in good if r.certified]
    plain = sum("--input-shape" not in r.options for r in certified)
    print(
        f"\nclassifiers certified: {len(certified)} of {len(good)} ({plain} of them without "
        f"--input-shape)\nothers refused: {sum(not r.certified for r in bad)} of {len(bad)}"
    )
    differences = [
        (abs(r.difference), r.entry.path.name) for r in results if r.difference is not None
    ]
    if differences:
        within, worst = sum(d <= 0.005 + 1e-9 for d, _ in differences), max(differences)
        print(
            f"accuracies within 0.5 points: {within} of {len(differences)}; the worst is "
            f"{100 * worst[0]:.1f} points off ({worst[1]})"
        )
    print(f"{time.monotonic() - start:.0f} s")
    otherwise = [r for r in results if r.certified != r.entry.is_classifier]
    for result in otherwise:
        print(f"  not as the catalogue has it: {result.entry.path.name}: {result.verdict}")
    return int(bool(otherwise))
