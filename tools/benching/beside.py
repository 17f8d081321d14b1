"""Smoothing, sampled and exact, and deterministic verification: what each gives and costs."""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
from checking.catalogue import entries
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import rsonnx
from benching.subjects import SAMPLES
from benching.turns import Record
from rsonnx.data import open_dataset
from rsonnx.errors import ModelError
from rsonnx.listener import Listener
from rsonnx.model import ModelSettings, read_model
from rsonnx.noise import AskedNoise
from rsonnx.runs.deterministic import layers_of
from rsonnx.runs.sample import Sample
from rsonnx.smoothing import make_plan

SIGMA = 0.25
SAMPLED, EXACT, CROWN, CROWN_IBP = "sampled", "exact", "crown", "crown-ibp"
WAYS: dict[str, tuple[tuple[str, str], ...]] = {
    "linear": tuple((way, "l2") for way in (SAMPLED, EXACT, CROWN)),
    "mnist": tuple((way, norm) for norm in ("l2", "linf", "l1") for way in (SAMPLED, CROWN)),
    "resnet": ((SAMPLED, "l2"), (CROWN_IBP, "l2")),
}
"""How each model is certified, and in which norms."""

Data = Path | tuple[NDArray[Any], NDArray[Any]]


class _Clock(Listener):
    """Takes the processors' seconds from the first input on."""

    def __init__(self) -> None:
        self.begun_at = self.last = 0.0

    def begun(self, extent: object) -> None:  # noqa: ARG002
        self.begun_at = time.process_time()

    def finished(self, result: object, *, certified: bool) -> None:  # noqa: ARG002
        self.last = time.process_time()


def measure_beside(arguments: argparse.Namespace) -> Iterator[Record]:
    """Certify a linear model, an MNIST net and a residual net in every way that there is for each.

    Yields:
        Median radius and the processors' seconds an input; at the end, how many classifiers of a
        folder of others' can be smoothed and bounded, with the operators that stopped the bounds.
    """
    arguments.runs.mkdir(parents=True, exist_ok=True)
    linear = arguments.runs / "linear.onnx"
    digits = two_digits(linear)
    subjects: dict[str, tuple[Path, Data, int]] = {
        "linear": (linear, digits, arguments.limit),
        "mnist": (
            SAMPLES / "mnist_gaussian_0.25.onnx",
            SAMPLES / "mnist_test_500",
            arguments.limit,
        ),
        "resnet": (SAMPLES / "cifar10_gaussian_0.25.onnx", arguments.pictures, 1),
    }
    for name, (model, data, limit) in subjects.items():
        for way, norm in WAYS[name]:
            if arguments.only in f"{name} {way} {norm}":
                yield measured(name, model, data, way, norm, limit, arguments.n)
    if arguments.only in "others":
        yield files_taken(arguments.models)


def measured(
    name: str,
    model: Path,
    data: Data,
    way: str,
    norm: str,
    limit: int,
    n: int,
) -> Record:
    """Return what one way of certifying gives and costs."""
    clock = _Clock()
    shared: dict[str, Any] = {"sample": Sample(limit=limit), "listener": clock}
    if way in (SAMPLED, EXACT):
        how: dict[str, Any] = {"n": n, "seed": 1} if way == SAMPLED else {"procedure": "exact"}
        noise = AskedNoise(sigma=SIGMA, norm=norm)
        run = rsonnx.certify(model, data, noise=noise, providers=["cpu"], **how, **shared)
        radii = [row.radius for row in run.rows]
    else:
        made = rsonnx.deterministic(model, data, norm=norm, method=way, **shared)
        radii = [certificate.radius for certificate in made.certificates]
    return {
        "model": name,
        "parameters": sum(
            int(np.prod(t.dims)) for t in onnx.load(model).graph.initializer if t.data_type == 1
        ),
        "way": way,
        "norm": norm,
        "n": n if way == SAMPLED else None,
        "inputs": len(radii),
        "certified": sum(radius > 0 for radius in radii),
        "radius": median(radii),
        "seconds": (clock.last - clock.begun_at) / len(radii),
    }


def two_digits(path: Path) -> Data:
    """Write a linear model that tells 1 from 5, by least squares on half of the sample's images.

    Returns:
        The other half.
    """
    dataset = open_dataset(SAMPLES / "mnist_test_500")
    labels = np.array(dataset.labels)
    chosen = np.flatnonzero((labels == 1) | (labels == 5))
    x = np.stack([dataset[int(index)].values for index in chosen]).reshape(len(chosen), -1)
    y = (labels[chosen] == 5).astype(np.int64)
    rows = np.hstack([x[::2] / 255, np.ones((len(x[::2]), 1))])
    grown = rows.T @ rows + 10 * np.eye(rows.shape[1])
    weights = np.linalg.solve(grown, rows.T @ (2 * y[::2] - 1.0)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["scores"], transB=1)],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", x.shape[1]])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.stack([-weights[:-1], weights[:-1]]), "w"),
            numpy_helper.from_array(np.array([-weights[-1], weights[-1]]), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"rsonnx.preprocess": '{"identity": true}'})
    onnx.save(model, path)
    return x[1::2], y[1::2]


def files_taken(folder: Path) -> Record:
    """Return how many classifiers of a folder can be smoothed, and of how many bounds are known."""
    smoothed = bounded = classifiers = 0
    stopped = Counter[str]()
    for entry in entries(folder):
        if not entry.is_classifier:
            continue
        classifiers += 1
        plan = make_plan(read_model(entry.path), ModelSettings(**entry.options()))
        smoothed += 1
        try:
            layers_of(plan)
            bounded += 1
        except ModelError as error:
            named = re.search(r"bounds of (\w+)", str(error))
            stopped[named[1] if named else "a label that is no largest score"] += 1
    blank = ("way", "norm", "n", "inputs", "certified", "radius", "seconds")
    return {
        **dict.fromkeys(blank),
        "model": "of others",
        "classifiers": classifiers,
        "smoothed": smoothed,
        "bounded": bounded,
        "stopped": dict(stopped.most_common()),
    }
