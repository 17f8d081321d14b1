"""Bounds against published verdicts, exact distances and closed forms."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from layered_models import RELU_NET, certified, read
from numpy.typing import NDArray
from onnx_models import rows_model

from rsonnx.deterministic import NORMS, Ball, Network, Verifier, read_network

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parent / "published.json").read_text())


def eighths(entry: dict[str, Any], *names: str) -> list[NDArray[np.float32]]:
    """Return numbers of a published network, which are given times 8."""
    return [np.array(entry[f"{name}_times_8"], np.float32) / 8 for name in names]


def two_input_net(entry: dict[str, Any]) -> onnx.ModelProto:
    """Return a published network, of one score."""
    w, b, out, c = eighths(entry, "W", "b", "out", "c")
    weights = {"w": w, "b": b, "o": out[None], "c": c.reshape(1)}
    return rows_model(RELU_NET, (2,), weights)


@pytest.mark.parametrize("entry", PUBLISHED["two_input_nets"])
@pytest.mark.parametrize("norm", NORMS)
def test_tiny_networks_are_never_certified_beyond_their_exact_distance(
    entry: dict[str, Any], norm: str
) -> None:
    network = read(two_input_net(entry), threshold=0.0)
    x = [float(Fraction(value)) for value in entry["x"]]
    radius = certified(network, x, entry["label"], norm, arithmetic="real")
    exact = float(entry[f"base_exact_{norm}"])
    assert radius <= exact * (1 + 1e-16)
    if norm != "l1":
        assert radius >= float(entry[f"base_crown_{norm}"]) * (1 - 1e-9)
    # As it runs, in float32, a little less is certified: 1e-5, more where the score is small.
    assert radius * 0.999 < certified(network, x, entry["label"], norm) <= radius


@pytest.mark.parametrize("entry", PUBLISHED["linear"])
@pytest.mark.parametrize("norm", NORMS)
def test_linear_classifiers_are_certified_to_their_exact_distance(
    entry: dict[str, Any], norm: str
) -> None:
    w, b = eighths(entry, "W", "b")
    model = rows_model("y = Gemm<transB=1>(x, w, b)", (w.shape[1],), {"w": w, "b": b})
    radius = certified(read(model), entry["x"], entry["label"], norm, arithmetic="real")
    exact = entry[f"base_{norm}"]
    assert exact * (1 - 1e-10) < radius <= exact * (1 + 1e-15)


def verdicts(name: str, epsilon: str) -> Iterator[tuple[int, str]]:
    published = PUBLISHED["vnncomp"]
    words = published["verdicts"][f"{name} {epsilon}"].split()
    yield from zip(published["images"], words, strict=True)


def mnist_fc(name: str) -> Network:
    files = list((SHARED / "models").glob(f"*--{name}"))
    if not files:
        pytest.skip("the reference models are not at hand")
    model = onnx.load(files[0])
    graph = model.graph
    return read_network(model, graph.input[0].name, (784, 1), graph.output[0].name)


def proved(network: Network, image: int, epsilon: str) -> bool:
    folder = SHARED / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip("MNIST is not at hand")
    pixels, labels = (
        np.frombuffer(gzip.decompress(next(folder.glob(f"t10k-{k}*")).read_bytes()), np.uint8)[at:]
        for k, at in (("images", 16), ("labels", 8))
    )
    center = (pixels.reshape(-1, 784)[image] / np.float32(255)).astype(np.float64)
    ball = Ball(center, "linf", float(epsilon), bounds=(0.0, 1.0))
    return bool((Verifier(network, ball).margins(int(labels[image])) > 0).all())


def test_no_published_counterexample_to_the_smallest_network_is_certified() -> None:
    name, epsilon = "mnist-net_256x2.onnx", "0.03"
    network = mnist_fc(name)
    right = {"robust": 0, "counterexample": 0}
    for image, verdict in verdicts(name, epsilon):
        right[verdict] += proved(network, image, epsilon)
    assert right == {"robust": 9, "counterexample": 0}


@pytest.mark.slow
def test_as_many_published_verdicts_are_proved_as_by_crown_and_none_is_contradicted() -> None:
    right = {"robust": 0, "counterexample": 0, "unknown": 0}
    for key in PUBLISHED["vnncomp"]["verdicts"]:
        name, epsilon = key.split()
        network = mnist_fc(name)
        for image, verdict in verdicts(name, epsilon):
            right[verdict] += proved(network, image, epsilon)
    assert right["counterexample"] == 0
    assert right["robust"] >= 30, right  # as docs/explanation/beside.md says
