"""What the checks of ``gpu_check.py`` share: a model and where it runs, noisy samples, outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runtime import DeviceOptions, OnnxClassifier
from rsonnx.runtime.cuda import open_device
from rsonnx.smoothing import load

SEED = 2_026
RESNET50 = ((3, 64), (4, 128), (6, 256), (3, 512))
"""Bottleneck blocks of each stage, and their inner width (He et al., 1512.03385)."""


@dataclass(frozen=True)
class Outcome:
    """What a check measured.

    Attributes:
        passed: whether it is right; None where it shows nothing.
        note: the figures in a sentence.
        figures: all of them.
    """

    passed: bool | None
    note: str
    figures: dict[str, Any] = field(default_factory=dict)


class NotRunError(Exception):
    """A check that cannot be run here; the text says what it needs."""


@dataclass(frozen=True)
class Setup:
    """What is checked, where, and how long.

    Attributes:
        model, preprocess: the file, and what ``--preprocess`` says of it.
        provider: ``"cuda"``, or ``"cpu"`` for the checks that need no device.
        device: number of the device.
        samples: noisy samples whose labels and scores are compared.
        n: samples of the certificate.
        seconds: of a round of the speed.
    """

    model: Path
    preprocess: str | None
    provider: str
    device: int
    samples: int
    n: int
    seconds: float

    def need_device(self) -> None:
        """Raise NotRunError where noise is not drawn on a device."""
        if self.provider == "cpu":
            raise NotRunError("it needs CUDA")
        try:
            open_device(self.device)
        except UsageError as error:  # CuPy is not installed; one that does not work is a failure
            raise NotRunError(str(error)) from None

    def options(self, device: int | None = None, cuda_graph: bool = False) -> DeviceOptions:
        """Return how the device is used; a processor has no options."""
        if self.provider == "cpu":
            return DeviceOptions()
        return DeviceOptions(self.device if device is None else device, cuda_graph=cuda_graph)

    def load(self, options: DeviceOptions | None = None, **changed: Any) -> OnnxClassifier:
        """Open the model as ``rsonnx certify`` opens it."""
        asked = {"preprocess": self.preprocess, "providers": self.provider} | changed
        return load(self.model, device=options or self.options(), **asked)

    def load_on_cpu(self) -> OnnxClassifier:
        """Open the model on the processor."""
        return replace(self, provider="cpu").load()


def noisy(
    shape: tuple[int, ...], bounds: tuple[float, float], sigma: float = 0.25, seed: int = 1
) -> NoisyStream:
    """Return noisy samples of an input of random levels; sigma is a share of the bounds' range."""
    levels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    law = Gaussian(sigma * (bounds[1] - bounds[0]))
    return NoisyStream(InputSpace(shape, bounds).point(levels), law, SEED, "estimation")


def drawn(stream: NoisyStream, n: int) -> NDArray[np.float32]:
    """Return the first n samples as the host draws them, float32 (n, *shape)."""
    rows = np.empty((n, *stream.sample_shape), np.float32)
    stream.write(0, rows)
    return rows


def serialized(
    nodes: Sequence[NodeProto],
    shape: Sequence[int | str],
    answer: Sequence[int | str],
    weights: Sequence[TensorProto] = (),
) -> bytes:
    """Return a model from ``x`` of one shape to ``y`` of another."""
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        for name, dims in (("x", shape), ("y", answer))
    ]
    graph = helper.make_graph(nodes, "made", tensors[:1], tensors[1:], weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(proto.SerializeToString())


def write_resnet(
    path: Path,
    stages: Sequence[tuple[int, int]] = RESNET50,
    size: int = 224,
    classes: int = 1_000,
) -> None:
    """Write a residual net with random weights, as fast as a trained one, whose labels vary.

    With random weights one class has the largest score whatever the input. So the mean scores of a
    few noisy inputs are taken off, and noise decides.
    """
    random = np.random.default_rng(SEED)
    nodes: list[NodeProto] = []
    weights: list[TensorProto] = []

    def add(operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def weight(shape: tuple[int, ...], scale: float) -> str:
        values = (random.standard_normal(shape) * scale).astype(np.float32)
        weights.append(numpy_helper.from_array(values, f"w{len(weights)}"))
        return weights[-1].name

    def convolved(
        x: str, inputs: int, outputs: int, kernel: int, stride: int, gain: float = 1.0
    ) -> str:
        scale = gain * float(np.sqrt(2.0 / (inputs * kernel * kernel)))
        operands = x, weight((outputs, inputs, kernel, kernel), scale), weight((outputs,), 0.01)
        return add("Conv", *operands, strides=[stride] * 2, pads=[kernel // 2] * 4)

    width = stages[0][1]
    x = add("Relu", convolved("x", 3, width, 7, 2))
    x = add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage, (blocks, inner) in enumerate(stages):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = add("Relu", convolved(x, width, inner, 1, 1))
            y = add("Relu", convolved(y, inner, inner, 3, stride))
            y = convolved(y, inner, 4 * inner, 1, 1, gain=0.3)
            if not block:
                x = convolved(x, width, 4 * inner, 1, stride, gain=0.7)
            x, width = add("Relu", add("Add", x, y)), 4 * inner
    x = add("Flatten", add("GlobalAveragePool", x), axis=1)
    operands = [x, weight((width, classes), 0.05), weight((classes,), 0.0)]
    nodes.append(helper.make_node("Gemm", operands, ["y"]))
    shapes = ("n", 3, size, size), ("n", classes)
    session = onnxruntime.InferenceSession(
        serialized(nodes, *shapes, weights), providers=["CPUExecutionProvider"]
    )
    # About what ImageNet's preprocessing makes of it.
    rows = (drawn(noisy((3, size, size), (0.0, 1.0)), 8) - np.float32(0.45)) / np.float32(0.225)
    mean = session.run(["y"], {"x": rows})[0].mean(axis=0)
    weights[-1] = numpy_helper.from_array(-mean, weights[-1].name)
    path.write_bytes(serialized(nodes, *shapes, weights))


def convolution(kernel: int, stride: int) -> tuple[bytes, NDArray[np.float32], NDArray[np.float64]]:
    """Return a model of one convolution, an input, and its answer computed in float64."""
    random = np.random.default_rng(SEED)
    x = random.standard_normal((4, 32, 32, 32)).astype(np.float32)
    weight = random.standard_normal((32, 32, kernel, kernel)).astype(np.float32)
    margin = kernel // 2
    padded = np.pad(x.astype(np.float64), [(0, 0), (0, 0), (margin, margin), (margin, margin)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (2, 3))
    answer = np.tensordot(windows[:, :, ::stride, ::stride], weight, ((1, 4, 5), (1, 2, 3)))
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[stride] * 2, pads=[margin] * 4)
    shape = ("n", *np.moveaxis(answer, 3, 1).shape[1:])
    model = serialized([node], ("n", *x.shape[1:]), shape, [numpy_helper.from_array(weight, "w")])
    return model, x, np.moveaxis(answer, 3, 1)
