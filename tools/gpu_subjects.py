"""What ``gpu_check.py`` runs: a model opened as ``rsonnx certify`` opens one, on a device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from rsonnx.errors import UsageError
from rsonnx.model import INPUT, LABEL, SCORES, Batch, ModelSettings, adapt, read_model
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runtime import Engine, ProviderChoice, Session
from rsonnx.runtime.cuda import engine_for, open_place
from rsonnx.runtime.device_options import DeviceOptions
from rsonnx.smoothing.adapting import make_plan

SEED = 2_026
_BLOCKS = ((3, 64), (4, 128), (6, 256), (3, 512))
"""ResNet-50: bottleneck blocks of each stage, and their inner width (He et al., 1512.03385)."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model on a provider: what an engine and a smoothed classifier need of one.

    Attributes:
        session: of the adapted model: preprocessing in front, the label behind.
        shape: of one input.
        num_classes: how many classes it has.
        bounds: lowest and highest value of an input.
        layout: where the channels are.
    """

    session: Session
    shape: tuple[int, ...]
    num_classes: int
    bounds: tuple[float, float]
    layout: str | None
    batch_size: int | None = None
    input_name: str = INPUT
    label_name: str = LABEL
    thread_safe: bool = True
    on_cpu: bool = True
    device: Any = None

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the label of each row."""
        return self.session.run(LABEL, INPUT, batch)

    def stream(self, seed: int, sigma: float = 0.25) -> NoisyStream:
        """Return noisy samples of an input of random levels."""
        space = InputSpace(self.shape, self.bounds, self.layout)
        levels = np.random.default_rng(seed).integers(0, 256, self.shape, np.uint8)
        law = Gaussian(sigma * (self.bounds[1] - self.bounds[0]))
        return NoisyStream(space.point(levels), law, SEED, "estimation")


@dataclass(frozen=True)
class Where:
    """Where a model is to run.

    Attributes:
        provider: ``"cpu"``, ``"cuda"`` or ``"tensorrt"``.
        device: number of the device.
        cuda_graph: whether a CUDA graph is recorded.
    """

    provider: ProviderChoice
    device: int = 0
    cuda_graph: bool = False


def open_subject(
    path: Path, preprocess: str | None, where: Where, batch: int | None = None
) -> tuple[Subject, Engine]:
    """Open a model, and the engine that counts with it.

    Raises:
        UsageError: the model has no free batch axis, which this tool does not deal with.
    """
    plan = make_plan(read_model(path), ModelSettings(preprocess=preprocess))
    if plan.data.batch is not None or not plan.data.has_batch_axis:
        raise UsageError(f"{path} has a fixed batch size, but one with a free one was expected")
    made = adapt(
        plan.model, plan.data, plan.output, plan.preprocessing, plan.bounds, Batch.AS_FILED
    )
    place = open_place(where.provider, DeviceOptions(where.device, cuda_graph=where.cuda_graph))
    session = Session(made, where.provider, path.name, place.options)
    rows = np.zeros((2, *plan.data.shape), np.float32)
    subject = Subject(
        session,
        plan.data.shape,
        session.run(SCORES, INPUT, rows).shape[1],
        plan.bounds,
        plan.data.layout,
        on_cpu=where.provider.is_cpu,
        device=place.device,
    )
    # A processor has one thread, as the bare session beside it has.
    workers = 1 if where.provider.is_cpu and place.device is None else None
    return subject, engine_for(subject, batch, workers)


def ties_model() -> bytes:
    """Return a model whose scores are its input, so that the label behind it can be tried."""
    made = [helper.make_node("Identity", ["x"], ["y"])]
    graph = helper.make_graph(
        made,
        "ties",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 10])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(proto.SerializeToString())


class _Net:
    """Layers one after the other, with seeded weights that keep values ordinary."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(SEED)

    def add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def weight(self, shape: tuple[int, ...], scale: float) -> str:
        name = f"w{len(self.weights)}"
        values = (self._random.standard_normal(shape) * scale).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def convolution(
        self, x: str, inputs: int, outputs: int, kernel: int, stride: int, gain: float = 1.0
    ) -> str:
        scale = gain * float(np.sqrt(2.0 / (inputs * kernel * kernel)))
        operands = [x, self.weight((outputs, inputs, kernel, kernel), scale)]
        operands.append(self.weight((outputs,), 0.01))
        pads = [kernel // 2] * 4
        return self.add("Conv", operands, strides=[stride] * 2, pads=pads)


def resnet50(path: Path) -> None:
    """Write a ResNet-50 with random weights: its speed is that of a trained one."""
    net = _Net()
    x = net.add("Relu", [net.convolution("x", 3, 64, 7, 2)])
    x = net.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    width = 64
    for stage, (blocks, inner) in enumerate(_BLOCKS):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = net.add("Relu", [net.convolution(x, width, inner, 1, 1)])
            y = net.add("Relu", [net.convolution(y, inner, inner, 3, stride)])
            y = net.convolution(y, inner, 4 * inner, 1, 1, gain=0.3)
            if not block:
                x = net.convolution(x, width, 4 * inner, 1, stride, gain=0.7)
            x, width = net.add("Relu", [net.add("Add", [x, y])]), 4 * inner
    x = net.add("Flatten", [net.add("GlobalAveragePool", [x])], axis=1)
    bias = net.weight((1000,), 0.01)
    net.nodes.append(
        helper.make_node("Gemm", [x, net.weight((width, 1000), 0.05), bias], ["scores"])
    )
    graph = helper.make_graph(
        net.nodes,
        "resnet50",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 224, 224])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1000])],
        net.weights,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(proto, path)
