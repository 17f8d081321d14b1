"""What is measured: a model file, an input for it, and its usual noise; all of it data.

The residual nets have seeded random weights. Speed does not depend on what the weights are, as long
as the values stay ordinary, so batch norms take their statistics from one forward pass over noise.
An exported file has them folded into its convolutions, as onnxruntime would do anyway; the net in
torch keeps them, as its users' nets do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

import rsonnx
from benching.turns import need
from rsonnx.data import open_dataset
from rsonnx.noise.additive import quickest_block, quickest_normal

if TYPE_CHECKING:
    from torch import nn

    from rsonnx.noise import Arithmetic
    from rsonnx.runtime import OnnxClassifier

SAMPLES = Path(__file__).parents[2] / "sample_models"
AGREEMENT = 1e-3
"""Largest difference of logits between torch and onnxruntime; the logits are of order 1 to 10."""


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


_CIFAR = ((3, 32, 32), (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616))
_IMAGENET = ((3, 224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 0.5)

KINDS: dict[str, Kind] = {
    "mnist": Kind((1, 28, 28), (0.1307,), (0.3081,), 0.5, samples=32_768, most=1_000_000),
    "cifar10": Kind(*_CIFAR, 0.5, samples=1_024, most=100_000),
    "resnet20": Kind(*_CIFAR, 0.25, samples=4_096, most=100_000),
    "resnet110": Kind(*_CIFAR, 0.25, samples=1_024, most=10_000),
    "resnet50": Kind(*_IMAGENET, samples=64, most=1_000),
}


TRAINED = {
    "mnist": ("mnist_gaussian_0.50.onnx", "convnet"),
    "cifar10": ("cifar10_gaussian_0.50.onnx", "resnet20"),
}
"""The subjects that are sample models, and their networks in torch."""


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

    def smoothed(
        self,
        provider: str,
        *,
        batch_size: int | None = None,
        workers: int | None = None,
        arithmetic: Arithmetic = "exact",
    ) -> rsonnx.SmoothedClassifier:
        """Load the file as a user does, and smooth it."""
        given = {"mean": list(self.kind.mean), "std": list(self.kind.std)}
        model: OnnxClassifier = rsonnx.load(self.path, preprocess=given, providers=[provider])
        return rsonnx.SmoothedClassifier(
            model, self.kind.sigma, arithmetic=arithmetic, batch_size=batch_size, workers=workers
        )

    def noisy(self, rows: int) -> NDArray[np.float32]:
        """Return noisy versions of the image, in pixels in [0, 1], the same ones each time."""
        noise = np.random.default_rng(0).standard_normal((rows, *self.kind.shape), np.float32)
        return np.asarray(self.image / 255 + self.kind.sigma * noise, np.float32)

    def normalised(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the file takes for pixels (rows, channels, height, width) in [0, 1]."""
        mean, std = (np.reshape(v, (-1, 1, 1)) for v in (self.kind.mean, self.kind.std))
        return np.asarray((pixels - mean) / std, np.float32)

    def freed(self) -> bytes:
        """Return the file with a free first axis in its first input and all its outputs."""
        model = onnx.load(self.path)
        for value in (model.graph.input[0], *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
        del model.graph.value_info[:]
        return bytes(model.SerializeToString())

    def twin(self) -> nn.Sequential:
        """Return the same network in torch; it is checked to give the same logits."""
        if self.name in TRAINED:
            from training.export import start_from  # noqa: PLC0415  # needs torch

            network = start_from(self.path, TRAINED[self.name][1], self.kind.shape[0]).eval()
        else:
            network = build(self.name)
        check_twin(network, self.path, self.normalised(self.noisy(4)))
        return network


def prepare(name: str, folder: Path, samples: int | None = None) -> Subject:
    """Return a subject; the residual nets are built and exported into ``folder``.

    Args:
        name: key of :data:`KINDS`.
        folder: for exported models.
        samples: of a round; None takes the kind's.
    """
    kind = KINDS[name]
    quickest_block()  # which a process loads beside its first work
    quickest_normal()
    image = np.random.default_rng(1).integers(0, 256, kind.shape, np.uint8)
    if name in TRAINED:
        path = SAMPLES / TRAINED[name][0]
        if name == "mnist":
            image = open_dataset(SAMPLES / "mnist_test_500")[0].values.reshape(kind.shape)
    else:
        need("torch", f"the model {name} is built and exported by it")
        from training.export import onnx_model  # noqa: PLC0415  # needs torch

        path = folder / f"{name}.onnx"
        path.write_bytes(onnx_model(build(name), kind.shape).SerializeToString())
    return Subject(name, path, image, samples or kind.samples)


def build(name: str) -> nn.Sequential:
    """Return the residual network ``name`` of torch, always the same one, in evaluation mode."""
    import torch  # noqa: PLC0415  # in the extra bench
    from training.networks import cifar_resnet  # noqa: PLC0415  # needs torch

    torch.manual_seed(0)
    network = resnet50() if name == "resnet50" else cifar_resnet(int(name.removeprefix("resnet")))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the statistics are those of the one pass
        network.train()(torch.randn(16, *KINDS[name].shape))
    return network.eval()


def resnet50() -> nn.Sequential:
    """Return the ResNet-50 for 224x224 images, with the stride in the 3x3 convolution."""
    from torch import nn  # noqa: PLC0415  # in the extra bench
    from training.networks import Block, Unit  # noqa: PLC0415  # needs torch

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


def check_twin(network: nn.Sequential, path: Path, rows: NDArray[np.float32]) -> float:
    """Return the largest difference of logits, torch against onnxruntime, on normalised rows.

    Raises:
        SystemExit: the two are not the same function, so their speeds say nothing.
    """
    import torch  # noqa: PLC0415  # in the extra bench

    with torch.inference_mode():
        expected = network(torch.from_numpy(rows)).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    scores = session.run(None, {session.get_inputs()[0].name: rows})[0]
    worst = float(np.abs(scores - expected).max())
    if not worst < AGREEMENT:
        raise SystemExit(f"{path}: onnxruntime and torch differ by {worst:g}, so nothing is timed")
    return worst
