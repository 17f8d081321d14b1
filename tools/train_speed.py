"""Measure what makes training of LeNet faster: milliseconds of one thread, by turns.

    python tools/train_speed.py

A line is one way of doing a step on 256 noisy images; the first is how torch does it unasked. The
lowest processor time of all turns counts, so that a busy machine matters little.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from training import losses
from training.networks import Normalised, build

TURNS = 10
DRAWS = 4
SETTINGS = losses.Settings(draws=DRAWS, weight=5.0, steps=8, size=1.0)


class PerDraw(Normalised):
    """A network whose attack goes over an image once a draw: its "first layer" does nothing."""

    def first(self, pixels: Tensor) -> Tensor:
        """Return the pixels."""
        return pixels

    def rest(self, hidden: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.network(hidden)
        return logits


def swapped(network: nn.Sequential) -> nn.Sequential:
    """Return LeNet with each ReLU before the pooling."""
    layers = list(network)
    for place in (1, 4):
        layers[place], layers[place + 1] = layers[place + 1], layers[place]
    return nn.Sequential(*layers)


def step(model: Normalised, batch: losses.Batch, method: str, half: bool, attack: int) -> None:
    """Take a step without the optimiser's part of it."""
    settings = losses.Settings(**{**vars(SETTINGS), "steps": attack})
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        value = losses.LOSSES[method](model, batch, settings, 1.0)
    model.zero_grad()
    torch.autograd.backward(value)


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    images = torch.rand(256 // DRAWS, 1, 28, 28)
    labels = torch.randint(0, 10, (len(images),))
    batch = losses.Batch(images, labels, torch.randn(DRAWS, *images.shape))

    def way(
        method: str, *, half: bool, last: bool, late: bool, shared: bool = True, attack: int = 8
    ) -> Callable[[], None]:
        network = build("lenet", 1) if late else swapped(build("lenet", 1))
        model = (Normalised if shared else PerDraw)(network, (0.0,), (1.0,))
        if last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return partial(step, model, batch, method, half, attack)

    fast = {"half": True, "last": True, "late": True}
    ways = {
        "gaussian: float32": way("gaussian", half=False, last=False, late=False),
        "gaussian: + bfloat16": way("gaussian", half=True, last=False, late=False),
        "gaussian: + channels last": way("gaussian", half=True, last=True, late=False),
        "gaussian: + pooling before ReLU": way("gaussian", **fast),
        "smoothmix: all of these, 8 steps": way("smoothmix", **fast, shared=False),
        "smoothmix: + first layer once an image": way("smoothmix", **fast),
        "smoothmix: + 2 steps of 4": way("smoothmix", **fast, attack=2),
    }
    lowest = dict.fromkeys(ways, float("inf"))
    for turn in range(TURNS):
        for name, run in ways.items():
            begun = time.process_time()
            run()
            lowest[name] = min(lowest[name], time.process_time() - begun) if turn else lowest[name]
    for name, seconds in lowest.items():
        print(f"{name:42} {1e3 * seconds:7.1f} ms")


if __name__ == "__main__":
    main()
