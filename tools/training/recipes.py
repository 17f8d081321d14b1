"""The published recipes, and a short one for a processor; all hyper-parameters stand here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from training.datasets import MNIST, Kind
from training.losses import Settings

METHODS = ("gaussian", "consistency", "smoothadv", "smoothmix")


@dataclass(frozen=True)
class Recipe:
    """How the weights are moved.

    Attributes:
        name: as on the command line.
        network: of ``NETWORKS``.
        epochs: passes over the training images.
        batch: noisy images a step: images times draws.
        optimiser: SGD with momentum 0.9, or AdamW.
        rate: highest learning rate.
        decay: weight decay.
        falls: whether the rate falls to a tenth after each third of the epochs; or else it rises
            over the first tenth of the steps and goes to 0 along half a cosine.
        averaging: decay of the moving average of the weights, which is exported; 0 for none.
        augments: whether images are changed before the noise.
        normalises: whether the network takes pixels less their mean, over their deviation.
    """

    name: str
    network: str
    epochs: int
    batch: int
    optimiser: Literal["sgd", "adamw"]
    rate: float
    decay: float
    falls: bool
    averaging: float
    augments: bool
    normalises: bool = True

    @property
    def warm_up(self) -> int:
        """Epochs over which an attack or its weight grows: 10 of the published 90 and 150."""
        return min(10, max(1, round(self.epochs / 9)))

    def words(self, kind: Kind | None = None) -> str:
        """Return the recipe in a line, for the exported file; the kind is of what is augmented."""
        moved = "AdamW" if self.optimiser == "adamw" else "SGD with momentum 0.9"
        rate = (
            f"learning rate {self.rate:g}, a tenth after each third of the epochs"
            if self.falls
            else f"peak learning rate {self.rate:g}, linear warm-up over a tenth, cosine to 0"
        )
        average = f", moving average of the weights {self.averaging}" if self.averaging else ""
        changes = f"; before the noise {kind.changes}" if self.augments and kind else ""
        return (
            f"{self.network}, {self.epochs} epochs, batch {self.batch}, {moved}, {rate}, "
            f"weight decay {self.decay:g}{average}{changes}"
        )


RECIPES = {
    # Jeong and Shin (2006.04062) and Jeong et al. (2111.09277): their MNIST and CIFAR-10 settings.
    ("published", "mnist"): Recipe(
        "published",
        "lenet",
        90,
        256,
        "sgd",
        0.01,
        1e-4,
        True,
        0.0,
        augments=False,
        normalises=False,
    ),
    ("published", "cifar10"): Recipe(
        "published", "resnet110", 150, 256, "sgd", 0.1, 1e-4, True, 0.0, augments=True
    ),
    # Ours, for two cores of a processor.
    ("short", "mnist"): Recipe(
        "short", "convnet", 70, 256, "adamw", 0.01, 0.05, False, 0.999, augments=True
    ),
    ("short", "cifar10"): Recipe(
        "short", "resnet20", 20, 256, "sgd", 0.2, 5e-4, False, 0.999, augments=True
    ),
}


def settings(
    method: str,
    kind: Kind,
    sigma: float | None,
    draws: int | None = None,
    steps: int | None = None,
) -> Settings:
    """Return the hyper-parameters of a method: those published for the nearest published sigma.

    MNIST: the experiments of the Consistency and SmoothMix projects. CIFAR-10: likewise; SmoothAdv
    after the names of the certification logs that they publish.

    Args:
        method, kind, sigma: of the training.
        draws, steps: in place of the published ones. With other steps SmoothMix goes as far in all.
    """
    published = _published(method, kind, sigma)
    if draws is not None and method != "gaussian":
        published = replace(published, draws=draws)
    if steps is not None and published.steps:
        far = published.size * published.steps
        size = far / steps if method == "smoothmix" else published.size
        published = replace(published, steps=steps, size=size)
    return published


def _published(method: str, kind: Kind, sigma: float | None) -> Settings:
    if method == "gaussian" or sigma is None:
        return Settings()
    near = min((0.25, 0.5, 1.0), key=lambda published: abs(published - sigma))
    mnist = kind is MNIST
    if method == "consistency":
        weights = {0.25: 10.0, 0.5: 5.0, 1.0: 5.0} if mnist else {0.25: 20.0, 0.5: 10.0, 1.0: 10.0}
        return Settings(draws=2, weight=weights[near], entropy=0.5)
    if method == "smoothadv":
        if mnist or near == 0.25:
            return Settings(draws=4 if mnist else 8, steps=10, size=255 / 256)
        return Settings(draws=2, steps=10, size=512 / 256)
    if mnist:
        return Settings(draws=4, weight=5.0, steps={0.25: 2, 0.5: 4, 1.0: 8}[near], size=1.0)
    return Settings(draws=2, weight=5.0, steps=4, size={0.25: 0.5, 0.5: 1.0, 1.0: 2.0}[near])
