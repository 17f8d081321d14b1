"""Networks for ``bench.py`` in torch, with seeded random weights, and the twin of an ONNX file.

Speed does not depend on what the weights are, as long as the values stay ordinary, so batch norms
take their statistics from one forward pass over noise. An exported file has them folded into its
convolutions, as onnxruntime would do anyway; the net in torch keeps them, as its users' nets do.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn
from training.export import onnx_model, start_from
from training.networks import Block, Unit, cifar_resnet

AGREEMENT = 1e-3
"""Largest difference of logits between torch and onnxruntime; the logits are of order 1 to 10."""


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


def export(network: nn.Sequential, shape: tuple[int, ...], path: Path) -> None:
    """Write the network to an ONNX file: input "image" [batch, *shape], output "logits"."""
    path.write_bytes(onnx_model(network, shape).SerializeToString())


def mnist_twin(path: Path) -> nn.Sequential:
    """Return the network of a committed MNIST model (``train.py``) with its weights."""
    try:
        return start_from(path, "convnet", 1).eval()
    except ValueError as error:
        raise SystemExit(str(error)) from None


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
