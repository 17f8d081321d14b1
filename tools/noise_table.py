"""Certify the Gaussian MNIST sample models under every additive noise and norm, at equal sigma.

    python tools/noise_table.py --json tools/results/noises.json

The same images, n and alpha for all; sigma is the standard deviation of one value, that of the
model's training. A network knows the noise that it was trained with, so other noises show what it
makes of them, not what a network of their own would.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import rsonnx
from rsonnx.data import open_dataset
from rsonnx.noise import NOISES, IndependentNoise, JointNoise, noise_of
from rsonnx.report import text_down
from rsonnx.smoothing import certify_many, certify_procedure

SAMPLES = Path(__file__).resolve().parents[1] / "sample_models"
SIZE = 28 * 28
PARAMETERS = {"power-linf": {"a": 1_000}, "pareto": {"a": 3}}


@dataclass(frozen=True)
class Cell:
    """A model under a noise in a norm: the mean radius, 0 where wrong, and the share certified."""

    sigma: float
    noise: str
    norm: str
    acr: float
    right: int
    inputs: int
    seconds: float


def pairs() -> list[tuple[str, str]]:
    """Return every additive noise with each of its norms; per-feature noise needs its own file."""
    return [
        (name, norm)
        for name, law in NOISES.items()
        if issubclass(law, IndependentNoise | JointNoise) and name != "gaussian-per-feature"
        for norm in law.norms
    ]


def cell(sigma: float, name: str, norm: str, n: int, limit: int) -> Cell:
    """Certify the first ``limit`` images of the sample."""
    model = rsonnx.load(SAMPLES / f"mnist_gaussian_{sigma:.2f}.onnx", providers=["cpu"])
    law = noise_of(name, size=SIZE, sigma=sigma, norm=norm, **PARAMETERS.get(name, {}))
    smoothed = rsonnx.SmoothedClassifier(model, noise=law)
    dataset = open_dataset(SAMPLES / "mnist_test_500")
    points = (
        (index, smoothed.point(dataset[index].values.reshape(1, 28, 28))) for index in range(limit)
    )
    procedure = certify_procedure(law, n0=100, n=n, alpha=0.001)
    begun = time.perf_counter()
    radii = [
        one.certificate.radius
        for one in certify_many(smoothed, procedure, points, seed=1)
        if one.certificate.label == dataset[one.index].label
    ]
    mean = sum(map(Fraction, radii), Fraction(0)) / limit
    seconds = round(time.perf_counter() - begun, 1)
    return Cell(sigma, name, norm, float(mean), len(radii), limit, seconds)


def table(cells: list[Cell]) -> str:
    """Return the mean radii as Markdown, a line a noise and norm, a column a model."""
    sigmas = sorted({one.sigma for one in cells})
    lines = ["| noise | norm | " + " | ".join(f"σ = {sigma:g}" for sigma in sigmas) + " |"]  # noqa: RUF001
    lines.append("|---|---|" + "---:|" * len(sigmas))
    for name, norm in dict.fromkeys((one.noise, one.norm) for one in cells):
        row = [one for one in cells if (one.noise, one.norm) == (name, norm)]
        texts = [f"{text_down(one.acr, 4)} ({one.right})" for one in row]
        lines.append(f"| {name} | {norm} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def main() -> None:
    """Certify all, print the table and keep the figures."""
    parser = argparse.ArgumentParser(description="Every additive noise on the MNIST models.")
    parser.add_argument("--n", type=int, default=10_000, help="samples; default: %(default)s")
    parser.add_argument("--limit", type=int, default=50, help="images; default: %(default)s")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    args = parser.parse_args()
    cells = []
    for name, norm in pairs():
        for sigma in (0.25, 0.5, 1.0):
            cells.append(cell(sigma, name, norm, args.n, args.limit))
            print(cells[-1], file=sys.stderr)
    print(table(cells))
    if args.json is not None:
        facts: dict[str, Any] = {"n": args.n, "alpha": 0.001, "n0": 100, "seed": 1}
        args.json.write_text(json.dumps(facts | {"cells": [vars(c) for c in cells]}, indent=1))


if __name__ == "__main__":
    main()
