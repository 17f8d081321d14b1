"""What ``bench.py`` runs: a model file, an input for it, and its usual noise."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import rsonnx
from rsonnx.data import open_dataset

if TYPE_CHECKING:
    from torch import nn

    from rsonnx.noise import Arithmetic
    from rsonnx.runtime import OnnxClassifier

SAMPLES = Path(__file__).parents[1] / "sample_models"


@dataclass(frozen=True)
class Kind:
    """A model of the bench.

    Attributes:
        shape: of one input.
        mean, std: of the pixels, a number a channel: the preprocessing.
        sigma: in units of pixels in [0, 1].
        samples: of a round, so that it takes about a second or a few on two cores.
        most: samples of the longest certification in the part on linear cost.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sigma: float
    samples: int
    most: int


_CIFAR = ((3, 32, 32), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), 0.25)
_IMAGENET = ((3, 224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 0.5)

KINDS: dict[str, Kind] = {
    "mnist": Kind((1, 28, 28), (0.1307,), (0.3081,), 0.5, samples=32_768, most=1_000_000),
    "resnet20": Kind(*_CIFAR, samples=4_096, most=100_000),
    "resnet110": Kind(*_CIFAR, samples=1_024, most=10_000),
    "resnet50": Kind(*_IMAGENET, samples=64, most=1_000),
}


@dataclass(frozen=True, eq=False)
class Subject:
    """One model, ready to be measured.

    Attributes:
        name: key of :data:`KINDS`.
        path: the ONNX file, which takes normalised pixels.
        image: uint8 pixels, in the kind's shape.
        samples: of a round.
    """

    name: str
    path: Path
    image: NDArray[np.uint8]
    samples: int

    @property
    def kind(self) -> Kind:
        """Shape, preprocessing and noise."""
        return KINDS[self.name]

    def classifier(self, provider: str) -> OnnxClassifier:
        """Load the file as a user does."""
        given = {"mean": list(self.kind.mean), "std": list(self.kind.std)}
        return rsonnx.load(self.path, preprocess=given, providers=[provider])

    def smoothed(
        self,
        provider: str,
        *,
        batch_size: int | None,
        workers: int | None,
        arithmetic: Arithmetic = "exact",
    ) -> rsonnx.SmoothedClassifier:
        """Return the smoothed classifier that is measured."""
        return rsonnx.SmoothedClassifier(
            self.classifier(provider),
            self.kind.sigma,
            arithmetic=arithmetic,
            batch_size=batch_size,
            workers=workers,
        )

    def noisy(self, rows: int) -> NDArray[np.float32]:
        """Return noisy versions of the image, in pixels in [0, 1], the same ones each time."""
        noise = np.random.default_rng(0).standard_normal((rows, *self.kind.shape), np.float32)
        return np.asarray(self.image / 255 + self.kind.sigma * noise, np.float32)

    def normalised(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the file takes for pixels (rows, channels, height, width) in [0, 1]."""
        mean, std = (np.reshape(v, (-1, 1, 1)) for v in (self.kind.mean, self.kind.std))
        return np.asarray((pixels - mean) / std, np.float32)

    def twin(self) -> nn.Sequential:
        """Return the same network in torch; it is checked to give the same logits."""
        import bench_networks  # noqa: PLC0415  # needs torch

        if self.name == "mnist":
            network = bench_networks.mnist_twin(self.path)
        else:
            network = bench_networks.build(self.name, self.kind.shape)
        bench_networks.check_twin(network, self.path, self.normalised(self.noisy(4)))
        return network


def prepare(name: str, folder: Path, samples: int | None = None) -> Subject:
    """Return a subject; the residual nets are built and exported into ``folder``.

    Args:
        name: key of :data:`KINDS`.
        folder: for exported models.
        samples: of a round; None takes the kind's.
    """
    kind = KINDS[name]
    if name == "mnist":
        path = SAMPLES / "mnist_gaussian_0.50.onnx"
        image = open_dataset(SAMPLES / "mnist_test_500")[0].values.reshape(kind.shape)
    else:
        need("torch", f"the model {name} is built and exported by it")
        import bench_networks  # noqa: PLC0415  # needs torch

        path = folder / f"{name}.onnx"
        bench_networks.export(bench_networks.build(name, kind.shape), kind.shape, path)
        image = np.random.default_rng(1).integers(0, 256, kind.shape, np.uint8)
    return Subject(name, path, image, samples or kind.samples)


def need(module: str, why: str) -> None:
    """Stop with one sentence where a package of the extra ``bench`` is missing."""
    if importlib.util.find_spec(module) is None:
        raise SystemExit(f"{module} is not installed, but {why}; pip install 'rsonnx[bench]'")
