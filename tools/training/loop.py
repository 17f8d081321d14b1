"""The training loop: seeded, resumable after every epoch, on a processor or on CUDA."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rsonnx.noise import CoveredNoise, Gaussian, Law
from training.datasets import Kind, Split, augment
from training.losses import LOSSES, Batch, Settings
from training.networks import Normalised
from training.noises import keeps_pixels, samples, transformed
from training.recipes import Recipe

RISE = 0.1
"""Share of the steps over which the learning rate rises, where it falls along a cosine."""


@dataclass(frozen=True)
class Job:
    """One training: the same job on the same machine gives the same weights.

    Attributes:
        method, settings: the loss.
        law: the noise.
        kind, recipe, seed: what it is trained on, how, and the seed of all that is random.
        start: digest of the file whose weights it starts from; "" for fresh ones.
        device: ``"cpu"`` or ``"cuda"``.
        bfloat16: whether forward and backward passes are computed in bfloat16.
        held_out: how many of the last training images it is not trained on.
    """

    method: str
    law: Law
    settings: Settings
    kind: Kind
    recipe: Recipe
    seed: int
    start: str
    device: str
    bfloat16: bool
    held_out: int = 0


def train(
    job: Job,
    network: nn.Sequential,
    split: Split,
    checkpoint: Path,
    after: Callable[[int, Any], None] | None = None,
) -> Normalised:
    """Return the trained network, in evaluation mode on the processor.

    Args:
        job: what to do.
        network: to be trained, as :func:`training.networks.build` or an exported file gives it.
        split: the training images.
        checkpoint: file that is written after every epoch; training goes on from it where it is
            there, and it is removed by the caller once the result is safe.
        after: is called with the epochs that are done and the model so far, after each.

    Raises:
        ValueError: the checkpoint is not this job's, or damaged.
    """
    model = normalised(job, network).to(job.device)

    def loss(chosen: Tensor, ramp: float) -> Tensor:
        batch = _batch(job, split, chosen)
        with torch.autocast(job.device, torch.bfloat16, enabled=job.bfloat16):
            return LOSSES[job.method](model, batch, job.settings, ramp)

    size = job.recipe.batch // job.settings.draws
    result = descend(job, job.recipe, model, loss, len(split.labels), size, checkpoint, after)
    assert isinstance(result, Normalised)
    return result


def descend(
    job: object,
    recipe: Recipe,
    model: nn.Module,
    loss: Callable[[Tensor, float], Tensor],
    examples: int,
    size: int,
    checkpoint: Path,
    after: Callable[[int, Any], None] | None = None,
) -> nn.Module:
    """Return the model after all epochs of a recipe, in evaluation mode on the processor.

    Args:
        job: all that the weights depend on; a checkpoint of another is refused.
        recipe: how the weights are moved.
        model: to be trained, where it is.
        loss: of the chosen examples (indices [size]) and of the share (0 to 1) of the warm-up that
            is done.
        examples, size: of the training set and of a step.
        checkpoint, after: as :func:`train` has them.

    Raises:
        ValueError: the checkpoint is not this job's, or damaged.
    """
    # Twice as fast on a processor; torch has this argument, its type stubs do not.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = AveragedModel(model, avg_fn=_average(recipe.averaging), use_buffers=True)
    optimiser = _optimiser(recipe, model)
    state = _State(job, model, averaged, optimiser, checkpoint)
    first = state.resume()
    steps = examples // size
    begun = time.monotonic()
    for epoch in range(first, recipe.epochs):
        model.train()
        total = 0.0
        ramp = min(1.0, (epoch + 1) / recipe.warm_up)
        order = torch.randperm(examples)
        for step in range(steps):
            value = loss(order[step * size : (step + 1) * size], ramp)
            share = (epoch * steps + step) / (recipe.epochs * steps)
            optimiser.param_groups[0]["lr"] = learning_rate(recipe, epoch, share)
            optimiser.zero_grad()
            torch.autograd.backward(value)
            optimiser.step()
            if recipe.averaging:
                averaged.update_parameters(model)
            total += value.item()
        state.save(epoch + 1)
        if after is not None:
            after(epoch + 1, averaged.module if recipe.averaging else model)
        seconds = time.monotonic() - begun
        left = seconds / (epoch + 1 - first) * (recipe.epochs - epoch - 1)
        print(
            f"epoch {epoch + 1}/{recipe.epochs}  loss {total / steps:.4f}  {seconds:.0f} s, "
            f"about {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )
    result: nn.Module = averaged.module if recipe.averaging else model
    return result.cpu().eval()


def learning_rate(recipe: Recipe, epoch: int, share: float) -> float:
    """Return the learning rate in an epoch, counted from 0, when ``share`` of all steps is done."""
    if recipe.falls:
        return recipe.rate * 0.1 ** (3 * epoch // recipe.epochs)
    if share < RISE:
        return recipe.rate * share / RISE
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * (share - RISE) / (1 - RISE)))


def _batch(job: Job, split: Split, chosen: Tensor) -> Batch:
    """Return the chosen images, changed and with their noise, on the job's device."""
    images = split.pixels(chosen)
    if job.recipe.augments:
        images = augment(job.kind, images).clamp(0, 1)
    if isinstance(job.law, CoveredNoise):
        images = transformed(job.law, images)
    labels, draws = split.labels[chosen].to(job.device), job.settings.draws
    if isinstance(job.law, Gaussian | CoveredNoise):
        noise = job.law.sigma * torch.randn(draws, *images.shape)
        return Batch(images.to(job.device), labels, noise.to(job.device))
    drawn = samples(job.law, images, draws).to(job.device)
    images = images.to(job.device)
    if job.law.additive:
        return Batch(images, labels, drawn - images)
    return Batch(images, labels, torch.zeros_like(images), drawn)


def normalised(job: Job, network: nn.Sequential) -> Normalised:
    """Return the network behind its normalisation, if any; noise may encode pixels anew."""
    if job.recipe.normalises and keeps_pixels(job.law):
        return Normalised(network, job.kind.mean, job.kind.std)
    return Normalised(network, (0.0,), (1.0,))


def _average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Return the moving average; the first steps weigh more, so that it forgets its start."""

    def step(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        now = min(decay, (1 + int(count)) / (10 + int(count)))
        return old.lerp(new, 1 - now) if old.is_floating_point() else new

    return step


def _optimiser(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(model.parameters(), weight_decay=recipe.decay)
    return torch.optim.SGD(
        model.parameters(), lr=recipe.rate, momentum=0.9, weight_decay=recipe.decay, fused=True
    )


@dataclass(frozen=True)
class _State:
    """All that training goes on from, and its file."""

    job: object
    model: nn.Module
    averaged: AveragedModel
    optimiser: torch.optim.Optimizer
    path: Path

    def save(self, epoch: int) -> None:
        """Write the state after ``epoch`` epochs; a killed process leaves the one before."""
        held: dict[str, Any] = {
            "job": repr(self.job),
            "epoch": epoch,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
        }
        fresh = self.path.with_name(self.path.name + ".new")
        torch.save(held, fresh)
        fresh.replace(self.path)

    def resume(self) -> int:
        """Return how many epochs are done, after taking their state up; 0 without a checkpoint."""
        if not self.path.exists():
            return 0
        try:
            held = torch.load(self.path, weights_only=True)
        except Exception as error:
            raise ValueError(f"{self.path} cannot be read: {error}") from error
        if held["job"] != repr(self.job):
            raise ValueError(
                f"{self.path} was left by another training ({held['job']}); remove it, or give "
                "the options of that training"
            )
        self.model.load_state_dict(held["model"])
        self.averaged.load_state_dict(held["averaged"])
        self.optimiser.load_state_dict(held["optimiser"])
        torch.set_rng_state(held["random"])
        return int(held["epoch"])
