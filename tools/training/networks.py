"""The networks: LeNet and two small nets for MNIST, the ResNets for CIFAR-10."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

NETWORKS = ("lenet", "convnet", "squares", "resnet20", "resnet110")


class Normalised(nn.Module):
    """A network of normalised pixels as a function of pixels in [0, 1]."""

    def __init__(
        self, network: nn.Sequential, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.network = network
        self.given = (mean, std)
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    @property
    def preprocess(self) -> dict[str, list[float]] | str:
        """The step before the network as rsonnx's metadata have it."""
        mean, std = self.given
        return {"mean": list(mean), "std": list(std)} if any(mean) or set(std) != {1.0} else "none"

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return what the inner network takes, for pixels in [0, 1]."""
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        return (pixels - mean) / std

    def first(self, pixels: Tensor) -> Tensor:
        """Return what the first layer makes of pixels; it is affine in evaluation mode."""
        hidden: Tensor = self.network[0](self.normalise(pixels))
        return hidden

    def rest(self, hidden: Tensor) -> Tensor:
        """Return the logits [B, 10] of what :meth:`first` returns."""
        logits: Tensor = self.network[1:](hidden)
        return logits

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits [B, 10] of pixels [B, channels, height, width]."""
        return self.rest(self.first(pixels))


def build(name: str, channels: int) -> nn.Sequential:
    """Return an untrained network: normalised pixels to logits [B, 10].

    Args:
        name: of NETWORKS.
        channels: of its input.
    """
    if name == "lenet":
        return lenet(channels)
    if name == "convnet":
        return convnet(channels)
    if name == "squares":
        return squares(channels)
    return cifar_resnet(int(name.removeprefix("resnet")), channels)


def lenet(channels: int = 1) -> nn.Sequential:
    """Return the LeNet of the published MNIST results: conv 20-5, conv 50-5, dense 500.

    ReLU comes after pooling, which is the same function and less to compute.
    """
    return nn.Sequential(
        nn.Conv2d(channels, 20, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(50 * 4 * 4, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )


def convnet(channels: int = 1) -> nn.Sequential:
    """Return a net of three convolutions of stride 2 and two dense layers.

    1,135,168 multiply-adds an image of 1 x 28 x 28, about half of LeNet's.
    """

    def block(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *block(channels, 16, 5),  # to 14 x 14
        *block(16, 48, 3),  # to 7 x 7
        *block(48, 80, 3),  # to 4 x 4
        nn.Flatten(),
        nn.Linear(80 * 4 * 4, 128, bias=False),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


class Square(nn.Module):
    """The activation that homomorphic encryption computes with one multiplication."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the squares."""
        return x * x


def squares(channels: int = 1) -> nn.Sequential:
    """Return a net of one hidden layer of 32 squares, for inference on encrypted images."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * 28 * 28, 32, bias=False),
        nn.BatchNorm1d(32),
        Square(),
        nn.Linear(32, 10),
    )


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
        if isinstance(self.norm, nn.BatchNorm2d):
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


def cifar_resnet(depth: int, channels: int = 3) -> nn.Sequential:
    """Return the ResNet for 32x32 images of He et al., section 4.2; depth is 6n + 2.

    The shortcuts that change the width are convolutions of 1x1, as in the nets of the field.
    """
    layers: list[nn.Module] = [Unit(channels, 16, 3), nn.ReLU()]
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


def folded(network: nn.Sequential) -> nn.Sequential:
    """Return the same function in evaluation mode, each batch norm in the layer before it."""
    copy = deepcopy(network).eval()
    copy.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    layers: list[nn.Module] = []
    for layer in copy:
        if isinstance(layer, nn.BatchNorm2d):
            convolution = layers[-1]
            assert isinstance(convolution, nn.Conv2d)
            layers[-1] = fuse_conv_bn_eval(convolution, layer)
        elif isinstance(layer, nn.BatchNorm1d):
            dense = layers[-1]
            assert isinstance(dense, nn.Linear)
            layers[-1] = fuse_linear_bn_eval(dense, layer)
        else:
            layers.append(layer)
    for module in copy.modules():
        if isinstance(module, Unit):
            module.fold()
    return nn.Sequential(*layers).eval()
