"""Denoisers that stand before a classifier: their networks, their losses and their exported files.

Salman et al., arXiv 2003.01908 (a denoiser by mean-squared error and by stability); Ho et al.,
2006.11239 (a network that predicts the noise at every step of a diffusion).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

from rsonnx.compose.schedules import Schedule, read_schedule
from training.export import traced, write
from training.loop import descend
from training.recipes import Recipe

AGREEMENT = 1e-4
"""Largest difference of pixels between torch and onnxruntime."""


class Denoiser(nn.Module):
    """Noisy pixels [B, channels, H, W], H and W even, to pixels of the same shape.

    Convolutions at half the resolution correct what one linear filter gives. Nothing bounds the
    output: with a sigmoid behind it the training collapses to grey.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        inner = [layer for _ in range(3) for layer in (_convolution(width, width), nn.ReLU())]
        self.filter = nn.Conv2d(channels, channels, 5, padding=2)
        self.network = nn.Sequential(
            _halving(channels, width), nn.ReLU(), *inner, _doubling(width, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the estimate of the image without noise."""
        result: Tensor = self.filter(x) + self.network(x)
        return result


class Block(nn.Module):
    """A residual block of a U-Net, told the time step."""

    def __init__(self, inputs: int, outputs: int, time: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(8, inputs), nn.SiLU(), _convolution(inputs, outputs)
        )
        self.time = nn.Linear(time, outputs)
        self.second = nn.Sequential(
            nn.GroupNorm(8, outputs), nn.SiLU(), _convolution(outputs, outputs)
        )
        same = inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Return the block's output, [B, outputs, H, W], for an embedded time [B, time]."""
        y = self.first(x) + self.time(time)[:, :, None, None]
        result: Tensor = self.shortcut(x) + self.second(y)
        return result


class UNet(nn.Module):
    """The noise in scaled pixels [B, channels, H, W], H and W multiples of 4, at steps t [B]."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        time = 4 * width
        self.register_buffer("rates", 10_000 ** -torch.linspace(0, 1, 16))
        self.time = nn.Sequential(nn.Linear(32, time), nn.SiLU(), nn.Linear(time, time), nn.SiLU())
        self.gain = nn.Linear(time, channels)
        self.into = _halving(channels, width)
        self.left = Block(width, width, time)
        self.down = nn.Conv2d(width, 2 * width, 3, 2, 1)
        self.low = nn.ModuleList(Block(2 * width, 2 * width, time) for _ in range(2))
        self.up = _doubling(2 * width, width)
        self.right = Block(2 * width, width, time)
        self.out = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), _doubling(width, channels))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the estimate of the noise, of deviation 1."""
        angles = t.to(x.dtype)[:, None] * self.get_buffer("rates")
        time = self.time(torch.cat([angles.sin(), angles.cos()], 1))
        left = self.left(self.into(x), time)
        low = self.down(left)
        for block in self.low:
            low = block(low, time)
        right = self.right(torch.cat([left, self.up(low)], 1), time)
        result: Tensor = self.out(right) + self.gain(time)[:, :, None, None] * x
        return result


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _halving(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 4, 2, 1)


def _doubling(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)


@dataclass(frozen=True)
class DenoisingJob:
    """One training: the same job on the same images and machine gives the same weights.

    Attributes:
        recipe: how the weights are moved; its network is ``denoiser`` or ``unet``.
        width: channels of the widest convolution of a denoiser, of the first of a U-Net.
        sigmas: of a denoiser's noise, in units of pixels in [0, 1]; each image draws one.
        schedule: of a U-Net, as ``rsonnx compose diffuse`` takes it; "" for a denoiser.
        stability: weight of the stability loss beside the mean-squared error.
        digest: of the frozen classifier; "" for none.
        seed: of all that is random.
        bfloat16: whether forward and backward passes are computed in bfloat16.
    """

    recipe: Recipe
    width: int
    sigmas: tuple[float, ...]
    schedule: str
    stability: float
    digest: str
    seed: int
    bfloat16: bool

    def build(self, channels: int) -> nn.Module:
        """Return the untrained network."""
        return UNet(channels, self.width) if self.schedule else Denoiser(channels, self.width)


def train_denoiser(
    job: DenoisingJob, images: Tensor, classifier: nn.Module | None, checkpoint: Path
) -> nn.Module:
    """Return the trained network, in evaluation mode.

    Args:
        job: what to do.
        images: [N, channels, H, W], bytes; no labels.
        classifier: frozen: pixels in [0, 1] to scores.
        checkpoint: as :func:`training.loop.train` has it.

    Raises:
        ValueError: the sides do not suit the network, or the checkpoint is not this job's.
    """
    least = 4 if job.schedule else 2
    if images.shape[2] % least or images.shape[3] % least:
        raise ValueError(
            f"the images are {images.shape[2]} x {images.shape[3]}, but multiples of {least} were "
            "expected"
        )
    model = job.build(images.shape[1])
    step = _diffusion_loss(job, model) if job.schedule else _loss(job, model, classifier)

    def loss(chosen: Tensor, _: float) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=job.bfloat16):
            return step(images[chosen].to(torch.float32) / 255)

    return descend(job, job.recipe, model, loss, len(images), job.recipe.batch, checkpoint)


def _loss(
    job: DenoisingJob, model: nn.Module, classifier: nn.Module | None
) -> Callable[[Tensor], Tensor]:
    sigmas = torch.tensor(job.sigmas)

    def step(clean: Tensor) -> Tensor:
        sigma = sigmas[torch.randint(len(sigmas), (len(clean), 1, 1, 1))]
        denoised = model(clean + sigma * torch.randn_like(clean)).float()
        error = functional.mse_loss(denoised, clean)
        return error if classifier is None else error + job.stability * stability(
            classifier, denoised, clean
        )  # fmt: skip

    return step


def stability(classifier: nn.Module, denoised: Tensor, clean: Tensor) -> Tensor:
    """Return the cross-entropy of the scores of denoised images with the classes of clean ones."""
    with torch.no_grad():
        labels = classifier(clean).argmax(1)
    return functional.cross_entropy(classifier(denoised).float(), labels)


def _diffusion_loss(job: DenoisingJob, model: nn.Module) -> Callable[[Tensor], Tensor]:
    bars = torch.tensor([float(bar) for bar in schedule_of(job).alpha_bars()])

    def step(clean: Tensor) -> Tensor:
        t = torch.randint(len(bars), (len(clean),))
        bar, noise = bars[t][:, None, None, None], torch.randn_like(clean)
        noisy = bar.sqrt() * (2 * clean - 1) + (1 - bar).sqrt() * noise
        return functional.mse_loss(model(noisy, t).float(), noise)

    return step


def schedule_of(job: DenoisingJob) -> Schedule:
    """Return a U-Net's schedule."""
    return read_schedule(job.schedule)


def export_denoiser(
    job: DenoisingJob, model: nn.Module, images: Tensor, path: Path, training: dict[str, Any]
) -> float:
    """Write a trained network to an ONNX file, and return how far torch and onnxruntime differ.

    A denoiser takes ``image`` and gives ``denoised``, float32 pixels in [0, 1]; a U-Net takes
    ``sample``, float32 scaled pixels in [-1, 1], and ``timestep``, int64 [batch], and gives
    ``noise``.

    Args:
        job: what was done.
        model: in evaluation mode.
        images: a few, [B, channels, H, W] in [0, 1], on which the file is compared.
        path, training: of the file, and what it says of its training.
    """
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    batch = torch.export.Dim("batch")
    inputs: tuple[Tensor, ...] = (images,)
    names, output = ["image"], "denoised"
    if job.schedule:
        inputs = (2 * images - 1, torch.arange(len(images)))
        names, output = ["sample", "timestep"], "noise"
    proto = traced(model, inputs, names, output, ({0: batch},) * len(names))
    bounds = {} if job.schedule else {"rsonnx.bounds": json.dumps([0, 1])}
    write(proto, path, bounds | {"rsonnx.training": json.dumps(training)})
    with torch.inference_mode():
        expected = model(*inputs).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
    return float(np.abs(session.run([output], feeds)[0] - expected).max())
