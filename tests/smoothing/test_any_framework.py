"""The noise of an input is the same, whatever the classifier is made with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import build, node

import rsonnx
from rsonnx.smoothing import SmoothedClassifier

CLASSES = 4
SHAPES = {"first": (3, 5, 4), "last": (5, 4, 3), "grey": (1, 5, 4), "flat": (60,)}


def _weights(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Whole numbers, and so small that sums of levels are the same in any order.

    Each class's sum to 0, so that no class wins by how bright the input is.
    """
    found = np.random.default_rng(1).integers(-3, 4, (int(np.prod(shape)), CLASSES))
    found[-1] -= found.sum(axis=0)
    return found.astype(np.float32)


def _file(shape: tuple[int, ...], path: Path) -> Path:
    made = [node("Flatten", ["x"], "flat"), node("MatMul", ["flat", "w"], "scores")]
    proto = build(made, ("n", *shape), ("n", CLASSES), {"w": _weights(shape)})
    path.write_bytes(proto.SerializeToString())
    return path


class Function:
    """A classifier that says nothing of its inputs; its method alone is a function."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._weights = _weights(shape)

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        return (batch.reshape(len(batch), -1) @ self._weights).argmax(axis=1)


class Module(Function):
    """A classifier that says what a PyTorch module knows: the shape, and how many classes."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.shape, self.num_classes = shape, CLASSES


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("grid", [True, False], ids=["exact", "float"])
def test_a_file_a_module_and_a_function_give_the_same_counts(
    name: str, grid: bool, tmp_path: Path
) -> None:
    shape, bounds = SHAPES[name], (0.0, 255.0)
    x = np.random.default_rng(2).integers(118, 138, shape, dtype=np.uint8)
    given = x if grid else x + 0.5
    layout = {"first": ",layout=NCHW", "last": ",layout=NHWC", "grey": ",layout=NCHW"}
    file = rsonnx.load(
        _file(shape, tmp_path / "f.onnx"),
        preprocess=f"none{layout.get(name, '')}",
        bounds=bounds,
        providers=["cpu"],
    )
    assert (file.layout is None) is (name == "flat")
    found = [
        SmoothedClassifier(base, 20.0, bounds=bounds).certify(given, n0=50, n=400, seed=5)
        for base in (file, Module(shape), Function(shape), Function(shape).classify)
    ]
    assert found[0].counts.estimation.total == 400
    assert np.count_nonzero(found[0].counts.estimation.classes) > 1  # no vote that all noise gives
    for other in found[1:]:
        assert other.counts.selection == found[0].counts.selection
        assert other.counts.estimation == found[0].counts.estimation
        assert other.radius == found[0].radius


HIDDEN = 16
_GENERATOR = np.random.default_rng(16)
FIRST = _GENERATOR.integers(-2, 3, (60, HIDDEN)).astype(np.float32)
SECOND = _GENERATOR.integers(-2, 3, (HIDDEN, CLASSES)).astype(np.float32)
OFFSET = np.arange(CLASSES, dtype=np.float32) / 4
"""A net without near ties: whole weights on whole levels give sums that float32 holds in any order,
and the offsets keep any two scores apart, so that no framework may answer otherwise."""


def _of_numpy() -> Any:
    def classify(batch: NDArray[np.float32]) -> Any:
        hidden = np.maximum(batch.reshape(-1, 60) @ FIRST, 0)
        return (hidden @ SECOND + OFFSET).argmax(1)

    return classify


def _of_torch() -> Any:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    first, second = torch.nn.Linear(60, HIDDEN, bias=False), torch.nn.Linear(HIDDEN, CLASSES)
    net = torch.nn.Sequential(torch.nn.Flatten(), first, torch.nn.ReLU(), second)
    weights = {"1.weight": FIRST.T, "3.weight": SECOND.T, "3.bias": OFFSET}
    net.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return lambda batch: net(torch.from_numpy(batch)).argmax(1)


def _of_jax() -> Any:
    jax = pytest.importorskip("jax", reason="JAX is not installed")

    @jax.jit
    def classify(batch: Any) -> Any:
        hidden = jax.nn.relu(batch.reshape(-1, 60) @ FIRST)
        return (hidden @ SECOND + OFFSET).argmax(1)

    return classify


def _on_a_device() -> Any:
    """Answers that no array is made of before they are fetched, as those on a card."""

    class Label:
        def __init__(self, labels: Any) -> None:
            self._labels = labels

        def __array__(self, *_: Any, **__: Any) -> Any:
            raise TypeError("these labels lie on a device")

        def cpu(self) -> Any:
            return self._labels

    classify = _of_numpy()
    return lambda batch: Label(classify(batch))


@pytest.mark.parametrize("made", [_of_numpy, _of_torch, _of_jax, _on_a_device])
def test_a_net_gives_the_same_counts_as_a_file_and_in_any_framework(
    made: Any, tmp_path: Path
) -> None:
    shape, bounds = (3, 5, 4), (0.0, 255.0)
    nodes = [
        node("Flatten", ["x"], "flat"),
        node("MatMul", ["flat", "first"], "hidden"),
        node("Relu", ["hidden"], "positive"),
        node("Gemm", ["positive", "second", "offset"], "scores"),
    ]
    weights = {"first": FIRST, "second": SECOND, "offset": OFFSET}
    path = tmp_path / "net.onnx"
    path.write_bytes(build(nodes, ("n", *shape), ("n", CLASSES), weights).SerializeToString())
    file = rsonnx.load(path, preprocess="none", bounds=bounds, providers=["cpu"])
    x = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    one, other = (
        SmoothedClassifier(base, 40.0, bounds=bounds).certify(x, n0=50, n=2_000, seed=5)
        for base in (file, made())
    )
    assert np.count_nonzero(one.counts.estimation.classes) > 1
    assert (one.counts.selection, one.counts.estimation) == (
        other.counts.selection,
        other.counts.estimation,
    )
    assert one.radius == other.radius


SAID = {"bounds": (0.0, 255.0), "num_classes": 2, "shape": (1, 4, 4), "layout": "NCHW"}


def _bright(batch: NDArray[np.float32]) -> NDArray[np.int64]:
    return (batch.reshape(len(batch), -1).mean(axis=1) > 127).astype(np.int64)


def _on_the_class() -> Any:
    return type("C", (), SAID | {"__call__": lambda _, batch: _bright(batch)})()


def _in_slots() -> Any:
    made = type("C", (), {"__slots__": tuple(SAID), "__call__": lambda _, batch: _bright(batch)})()
    for name, value in SAID.items():
        setattr(made, name, value)
    return made


def _as_properties() -> Any:
    said = {name: property(lambda _, value=value: value) for name, value in SAID.items()}
    return type("C", (), said | {"__call__": lambda _, batch: _bright(batch)})()


def _on_a_function() -> Any:
    def function(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        return _bright(batch)

    function.__dict__.update(SAID)
    return function


@pytest.mark.parametrize("made", [_on_the_class, _in_slots, _as_properties, _on_a_function])
def test_what_an_object_that_is_called_says_of_itself_is_heard(made: Any) -> None:
    called = made()
    smoothed = SmoothedClassifier(called, 50.0)
    assert {name: getattr(smoothed.base, name) for name in SAID} == SAID
    assert (smoothed.bounds, smoothed.input_shape) == (SAID["bounds"], SAID["shape"])
    certificate = smoothed.certify(np.full((1, 4, 4), 200, np.uint8), n=200, seed=1)
    assert certificate.label == 1  # 200 of 255, and no number of [0, 1]


def test_an_object_that_is_called_is_watched_and_shared_by_threads() -> None:
    seen: list[int] = []

    class Watched:
        thread_safe = True

        def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
            return _bright(batch)

        def watch(self, batch: NDArray[np.float32], place: int, label: int) -> bool:
            seen.append(place)
            return False

    smoothed = SmoothedClassifier(Watched(), 0.25)
    assert getattr(smoothed.base, "thread_safe", False)
    smoothed.certify(np.full((1, 4, 4), 0.5, np.float32), n=200, seed=1)
    assert seen
