"""Published ensembles of stumps, as files: golden radii, and what 60 digits give of the same cuts.

Weights of github.com/eth-sri/drs at commit 1071b11, in hundredths, less a half each, so that class
1 is answered above 0. Golden values are of their thresholds in float64, which the file rounds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from exact_oracle import Cut, Noise, Oracle, Stump, answer, cuts_of, file_of
from scipy import special

import rsonnx
from rsonnx.data import open_dataset
from rsonnx.noise import noise_of

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "stumps.json").read_text())
DIGITS = ROOT.parent / "shared" / "data" / "mnist" / "t10k-images-idx3-ubyte.gz"


def stumps_of(rows: Iterable[tuple[int, float, int, int]]) -> list[Stump]:
    return [
        Stump(at, Cut(float(np.float32(cut))), (left - 50.0,), (right - 50.0,))
        for at, cut, left, right in rows
    ]


def certified(stumps: list[Stump], rows: list[list[float]], **noise: Any) -> list[Any]:
    """Certify rows of real numbers exactly, and have the run verified."""
    base = rsonnx.load(
        file_of(stumps, len(rows[0])),
        preprocess="none",
        bounds=(-math.inf, math.inf),
        providers=["cpu"],
    )
    smoothed = rsonnx.SmoothedClassifier(base, **noise)
    return [smoothed.certify(np.array(row), procedure="exact") for row in rows]


@pytest.mark.parametrize("case", GOLDEN["published"], ids=lambda case: case["model"])
def test_radii_of_tables_are_the_golden_ones(case: dict[str, Any]) -> None:
    stumps = stumps_of(case["stumps"])
    noise = Noise(case["noise"], case["scale"])
    size = len(case["rows"][0]["x"])
    law = noise_of(
        noise.name, size=size, **{"sigma" if noise.name == "gaussian" else "lam": noise.scale}
    )
    oracle = Oracle.of(file_of(stumps, size), cuts_of(stumps), size)
    found = certified(stumps, [row["x"] for row in case["rows"]], noise=law)
    for row, certificate in zip(case["rows"], found, strict=True):
        assert certificate.label == row["label"]
        assert certificate.radius == pytest.approx(float(row["radius"]), abs=1e-6)
        label, radius = answer(oracle.masses(row["x"], noise), noise)
        assert certificate.label == label
        assert radius - mpmath.mpf(1e-9) < certificate.radius <= radius


def test_radii_of_digits_are_the_golden_ones() -> None:
    """The other class has down to 1e-33, which no 1 - p in float64 would show."""
    if not DIGITS.exists():
        pytest.skip("the MNIST test set is not passed on with the project")
    case = GOLDEN["published_mnist"]
    stumps = stumps_of(
        zip(*(case["stumps"][k] for k in ("feature", "threshold", "left", "right")), strict=True)
    )
    images, rows = open_dataset(DIGITS), case["rows"]
    x = [(images[row["mnist_test"]].values.reshape(-1) / 255).tolist() for row in rows]
    found = certified(stumps, x, sigma=case["sigma"])
    for row, values, certificate in zip(rows, x, found, strict=True):
        assert certificate.label == row["label"]
        assert certificate.radius == pytest.approx(float(row["radius"]), abs=1e-6)
        other = mass_of_sign(stumps, values, case["sigma"], above=row["label"] == 0)
        radius = -case["sigma"] * special.ndtri(other)
        assert radius - 1e-9 < certificate.radius <= radius * (1 + 1e-12)


def mass_of_sign(stumps: list[Stump], x: list[float], sigma: float, *, above: bool) -> float:
    """Return P(S > 0) or P(S <= 0): sums of products of positive doubles, good to some 1e-13."""
    masses, lowest = np.ones(1), 0
    for stump in stumps:
        left, right = int(stump.below[0]), int(stump.above[0])
        z = (float(stump.cut.real()) - x[stump.feature]) / sigma
        shares = ((left, special.ndtr(z)), (right, special.ndtr(-z)))
        low = min(left, right)
        wider = np.zeros(len(masses) + abs(left - right))
        for leaf, share in shares:
            wider[leaf - low : leaf - low + len(masses)] += share * masses
        masses, lowest = wider, lowest + low
    first = 1 - lowest
    return float(masses[first:].sum() if above else masses[:first].sum())
