"""Networks for ``bench.py`` in torch, with seeded random weights, and the twin of an ONNX file.

Speed does not depend on what the weights are, as long as the values stay ordinary, so batch norms
take their statistics from one forward pass over noise. An exported file has them folded into its
convolutions, as onnxruntime would do anyway; the net in torch keeps them, as its users' nets do.
"""

from __future__ import annotations

import logging
import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import train_mnist
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

AGREEMENT = 1e-3
"""Largest difference of logits between torch and onnxruntime; the logits are of order 1 to 10."""


class Unit(nn.Module):
    """A convolution with batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised convolution of [B, inputs, H, W]."""
        result: Tensor = self.norm(self.convolution(x))
        return result

    def fold(self) -> None:
        """Put the batch norm into the convolution."""
        assert isinstance(self.norm, nn.BatchNorm2d)
        self.convolution = fuse_conv_bn_eval(self.convolution, self.norm)
        self.norm = nn.Identity()


class Block(nn.Module):
    """A residual block: units with ReLU between them, and a shortcut (He et al., 1512.03385)."""

    def __init__(self, units: list[Unit], shortcut: nn.Module) -> None:
        super().__init__()
        self.units = nn.ModuleList(units)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, [B, outputs, H', W']."""
        y = x
        for index, unit in enumerate(self.units):
            y = unit(functional.relu(y) if index else y)
        return functional.relu(y + self.shortcut(x))


def cifar_resnet(depth: int) -> nn.Sequential:
    """Return the ResNet for 32x32 images of He et al., section 4.2; depth is 6n + 2.

    The shortcuts that change the width are convolutions of 1x1, as in the nets of the field.
    """
    layers: list[nn.Module] = [Unit(3, 16, 3), nn.ReLU()]
    width = 16
    for outputs in (16, 32, 64):
        for _ in range((depth - 2) // 6):
            stride = 1 if width == outputs else 2
            same = stride == 1
            shortcut = nn.Identity() if same else Unit(width, outputs, 1, stride)
            units = [Unit(width, outputs, 3, stride), Unit(outputs, outputs, 3)]
            layers.append(Block(units, shortcut))
            width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def resnet50() -> nn.Sequential:
    """Return the ResNet-50 for 224x224 images, with the stride in the 3x3 convolution."""
    layers: list[nn.Module] = [Unit(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    width = 64
    for inner, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        outputs = 4 * inner
        for index in range(blocks):
            stride = 2 if index == 0 and inner > 64 else 1
            shortcut = Unit(width, outputs, 1, stride) if index == 0 else nn.Identity()
            units = [Unit(width, inner, 1), Unit(inner, inner, 3, stride), Unit(inner, outputs, 1)]
            layers.append(Block(units, shortcut))
            width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 1000))


def build(name: str, shape: tuple[int, ...]) -> nn.Sequential:
    """Return the network ``name``, always the same one, in evaluation mode.

    Args:
        name: ``"resnet20"``, ``"resnet110"`` or ``"resnet50"``.
        shape: of one input, (channels, height, width).
    """
    torch.manual_seed(0)
    network = resnet50() if name == "resnet50" else cifar_resnet(int(name.removeprefix("resnet")))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the statistics are those of the one pass
        network.train()(torch.randn(16, *shape))
    return network.eval()


def folded(network: nn.Sequential) -> nn.Sequential:
    """Return a copy whose batch norms are part of their convolutions."""
    copy = deepcopy(network).eval()
    for module in copy.modules():
        if isinstance(module, Unit):
            module.fold()
    return copy.eval()


def export(network: nn.Sequential, shape: tuple[int, ...], path: Path) -> None:
    """Write the network to an ONNX file: input "image" [batch, *shape], output "logits"."""
    # It warns of packages that these networks do not use.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.onnx.export(
            folded(network),
            (torch.zeros(2, *shape),),
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=18,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    path.write_bytes(program.model_proto.SerializeToString())


def mnist_twin(path: Path) -> nn.Sequential:
    """Return the network of a committed MNIST model (``train_mnist.py``) with its weights."""
    network = train_mnist.fold_batch_norm(train_mnist.build_network())
    wanted = network.state_dict()
    weights = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    missing = sorted(set(wanted) - set(weights))
    if missing:
        raise SystemExit(f"{path} is no model of train_mnist.py: it has no weight {missing[0]}")
    network.load_state_dict({name: torch.tensor(weights[name]) for name in wanted})
    return network.eval()


def check_twin(network: nn.Sequential, path: Path, rows: NDArray[np.float32]) -> float:
    """Return the largest difference of logits, torch against onnxruntime, on normalised rows.

    Raises:
        SystemExit: the two are not the same function, so their speeds say nothing.
    """
    with torch.inference_mode():
        expected = network(torch.from_numpy(rows)).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: rows})[0]
    worst = float(np.abs(found - expected).max())
    if not worst < AGREEMENT:
        raise SystemExit(f"{path}: onnxruntime and torch differ by {worst:g}, so nothing is timed")
    return worst
