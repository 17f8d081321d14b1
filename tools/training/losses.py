"""The four losses, each as in its paper; sigma and distances are in units of pixels in [0, 1].

m is the number of noise draws an image, f̄ the mean of the softmax over them: the soft smoothed
classifier, F in Salman et al. and SmoothMix.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.networks import Normalised

_TINY = 1e-20


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of a loss, by their names in its paper; 0 where it has none.

    Attributes:
        draws: m, noise draws an image.
        weight: lambda of Consistency, eta of SmoothMix.
        entropy: eta of Consistency, the weight of the entropy.
        steps: T, steps of the attack.
        size: epsilon of SmoothAdv, the largest l2 norm of the attack; alpha of SmoothMix, the l2
            length of one step.
    """

    draws: int = 1
    weight: float = 0.0
    entropy: float = 0.0
    steps: int = 0
    size: float = 0.0


@dataclass(frozen=True)
class Batch:
    """Images [B, C, H, W] in [0, 1], their labels [B], and m draws of noise [m, B, C, H, W].

    ``samples`` [m, B, C', H, W] takes the place of images plus noise where the noise is not added.
    """

    images: Tensor
    labels: Tensor
    noise: Tensor
    samples: Tensor | None = None


def gaussian(network: Normalised, batch: Batch, settings: Settings, ramp: float) -> Tensor:
    """Return the cross-entropy of f(x + eps), eps ~ N(0, sigma^2 I) (1902.02918, section 4.2).

    Or of f(sample), for noise that is not added.
    """
    del settings, ramp
    if batch.samples is not None:
        logits: Tensor = network(batch.samples.flatten(0, 1))
        return _cross_entropy(logits.float().unflatten(0, batch.samples.shape[:2]), batch.labels)
    return _cross_entropy(_logits(network, batch.images, batch.noise), batch.labels)


def consistency(network: Normalised, batch: Batch, settings: Settings, ramp: float) -> Tensor:
    """Return CE + lambda E[KL(f̄ || f(x + eps))] + eta H(f̄) (2006.04062, equations 6 and 7)."""
    del ramp
    logits = _logits(network, batch.images, batch.noise)
    log_soft = functional.log_softmax(logits, -1)
    mean = log_soft.exp().mean(0)
    log_mean = mean.clamp(min=_TINY).log()
    divergence = (mean * (log_mean - log_soft)).sum(-1).mean()
    entropy = -(mean * log_mean).sum(-1).mean()
    regularised = settings.weight * divergence + settings.entropy * entropy
    return _cross_entropy(logits, batch.labels) + regularised


def smoothadv(network: Normalised, batch: Batch, settings: Settings, ramp: float) -> Tensor:
    """Return the cross-entropy of f(x' + eps) at the adversary x' of f̄ (1906.04584, equation S).

    x' maximises -log f̄(x')_y by PGD in an l2 ball of radius epsilon, clipped to [0, 1], over the
    same draws of noise that the loss then takes; steps of 2 epsilon / T. The radius grows from 0
    to epsilon during the warm-up.
    """
    radius = settings.size * ramp
    step = 2 * radius / settings.steps
    adversary = batch.images
    with _frozen(network):
        added = _added(network, batch.noise)
        for _ in range(settings.steps):
            ascent = _ascent(network, adversary, added, batch.labels)
            moved = (adversary + step * ascent).clamp(0, 1)
            away = (moved - batch.images).renorm(2, 0, radius)
            adversary = batch.images + away
    return _cross_entropy(_logits(network, adversary, batch.noise), batch.labels)


def smoothmix(network: Normalised, batch: Batch, settings: Settings, ramp: float) -> Tensor:
    """Return CE + eta E[1[f̄ right] KL(y_mix || f(x_mix + eps))] (2111.09277, equations 8 to 11).

    x~ is T steps of length alpha up the gradient of -log f̄(x)_y, in no ball, clipped to [0, 1];
    x_mix = (1 - u) x + u x~ and y_mix = (1 - u) f̄(x) + u / K with u uniform in [0, 1/2]. The weight
    grows from 0 to eta during the warm-up.
    """
    adversary = batch.images
    with _frozen(network):
        added = _added(network, batch.noise)
        for _ in range(settings.steps):
            ascent = _ascent(network, adversary, added, batch.labels)
            adversary = (adversary + settings.size * ascent).clamp(0, 1)
    logits = _logits(network, batch.images, batch.noise)
    mean = functional.softmax(logits, -1).mean(0)
    share = torch.rand(len(batch.images), device=batch.images.device) / 2
    wide = share.view(-1, 1, 1, 1)
    mixed = (1 - wide) * batch.images + wide * adversary
    target = (1 - share[:, None]) * mean + share[:, None] / mean.shape[1]
    log_soft = functional.log_softmax(_logits(network, mixed, batch.noise), -1)
    divergence = (target * (target.clamp(min=_TINY).log() - log_soft)).sum(-1)
    right = (mean.argmax(1) == batch.labels).float()
    return (
        _cross_entropy(logits, batch.labels) + settings.weight * ramp * (right * divergence).mean()
    )


LOSSES = {
    "gaussian": gaussian,
    "consistency": consistency,
    "smoothadv": smoothadv,
    "smoothmix": smoothmix,
}


def _logits(network: Normalised, images: Tensor, noise: Tensor) -> Tensor:
    """Return the logits [m, B, classes] of images [B, ...] under m draws of noise."""
    noisy = (images + noise).flatten(0, 1)
    logits: Tensor = network(noisy)
    return logits.float().unflatten(0, noise.shape[:2])


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)))


def _added(network: Normalised, noise: Tensor) -> Tensor:
    """Return what noise [m, B, ...] adds to the output of the first layer, which is affine.

    So that layer goes over an image once a step of an attack, and not once a draw.
    """
    with torch.no_grad():
        at_noise = network.first(noise.flatten(0, 1)).unflatten(0, noise.shape[:2])
        return at_noise - network.first(torch.zeros_like(noise[0, :1]))


def _ascent(network: Normalised, images: Tensor, added: Tensor, labels: Tensor) -> Tensor:
    """Return the gradient of -log f̄(x)_y at ``images``, of l2 norm 1 each; 0 where it vanishes."""
    at = images.detach().requires_grad_()
    logits = network.rest((network.first(at) + added).flatten(0, 1)).float()
    mean = functional.softmax(logits.unflatten(0, added.shape[:2]), -1).mean(0)
    loss = functional.nll_loss(mean.clamp(min=_TINY).log(), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, [at])
    norm = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    return gradient / (norm + 1e-8)


@contextmanager
def _frozen(network: Normalised) -> Iterator[None]:
    """Attack the network in evaluation mode and without gradients of its weights."""
    training = network.training
    network.eval().requires_grad_(False)
    try:
        yield
    finally:
        network.train(training).requires_grad_(True)
