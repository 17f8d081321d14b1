"""Tests of random numbers: each returns the odds of a result as extreme as the one found.

Sources: chi-square of Pearson; the moments of a sum of independent terms (its variance from the
exact higher moments of the law, then the normal limit); binomial tails; the serial correlation, a
sum of uncorrelated products; and the number of pairs that agree, whose variance is that of a
U-statistic (Hoeffding 1948). Every figure is two-sided unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray
from scipy import stats

STEP = mpmath.mpf(1.0 / 255.0)
"""The grid of 8-bit values in [0, 1], as a double."""


@dataclass(frozen=True, eq=False)
class RoundedGaussian:
    """The law of round(N(0, sigma²)/step): P(N = k) = Φ((k+½)·step/σ) - Φ((k-½)·step/σ).

    Attributes:
        sigma: in steps.
        masses: float64 (2·reach + 1,): the probability of every outcome -reach .. reach; beyond
            is less than 1e-30.
    """

    sigma: float
    masses: NDArray[np.float64]

    @property
    def reach(self) -> int:
        """The largest outcome that ``masses`` holds."""
        return len(self.masses) // 2

    def moment(self, order: int) -> float:
        """Return E(N^order)."""
        return float((np.arange(-self.reach, self.reach + 1.0) ** order * self.masses).sum())

    def beyond(self, cut: float) -> float:
        """Return P(|N| > cut)."""
        outside = np.abs(np.arange(-self.reach, self.reach + 1)) > cut
        return float(np.sort(self.masses[outside]).sum())


@lru_cache(maxsize=16)
def rounded_gaussian(sigma: float) -> RoundedGaussian:
    """Compute the law from the complementary error function in 40 digits; sigma in [0, 1] units."""
    with mpmath.workdps(40):
        steps = mpmath.mpf(sigma) / STEP
        reach = int(12 * steps) + 2
        above = [
            mpmath.erfc((k - mpmath.mpf("0.5")) / steps / mpmath.sqrt(2)) / 2
            for k in range(1, reach + 2)
        ]  # P(N >= k)
        upper = [float(a - b) for a, b in pairwise(above)]
        middle = float(1 - 2 * above[0])
        return RoundedGaussian(float(steps), np.array([*upper[::-1], middle, *upper]))


def odds_of_deviate(z: float) -> float:
    """Return P(|Z| >= |z|) of a standard normal Z."""
    return float(2 * stats.norm.sf(abs(z)))


def chi_square(found: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    """Return the odds of counts so far from ``probabilities``, or farther (one-sided).

    Neighbouring cells are joined from both ends until each is expected 25 times.
    """
    expected = probabilities * found.sum()
    inner = np.flatnonzero(expected >= 25)
    first, last = inner[0], inner[-1]
    cells = [np.r_[x[:first].sum(), x[first : last + 1], x[last + 1 :].sum()]
             for x in (found.astype(np.float64), expected)]  # fmt: skip
    keep = cells[1] >= 25
    # What is too rare to stand alone goes to the cell beside it.
    for cell in cells:
        cell[1] += 0 if keep[0] else cell[0]
        cell[-2] += 0 if keep[-1] else cell[-1]
    observed, wanted = (cell[keep] for cell in cells)
    statistic = ((observed - wanted) ** 2 / wanted).sum()
    return float(stats.chi2.sf(statistic, len(wanted) - 1))


def moments(values: NDArray[np.float64], exact: dict[int, float]) -> list[float]:
    """Return the odds of the first four raw moments of values of a symmetric law.

    Args:
        values: any shape.
        exact: moments 2, 4, 6 and 8 of the law. The k-th sample moment has variance
            (m_2k - m_k²)/n, with m_1 = m_3 = 0.
    """
    n = values.size
    square = values * values
    found = (values.mean(), square.mean(), (square * values).mean(), (square * square).mean())
    wanted = (0.0, exact[2], 0.0, exact[4])
    return [
        odds_of_deviate((f - w) / np.sqrt((exact[2 * k] - w * w) / n))
        for k, (f, w) in enumerate(zip(found, wanted, strict=True), 1)
    ]


def binomial(found: int, n: int, p: float) -> float:
    """Return the odds of a count of n trials so far from n·p: twice the smaller tail."""
    below, above = stats.binom.cdf(found, n, p), stats.binom.sf(found - 1, n, p)
    return float(min(1.0, 2 * min(below, above)))


def serial(values: NDArray[np.float64], lag: int, second_moment: float) -> float:
    """Return the odds of the correlation of a sequence of mean 0 with itself ``lag`` later."""
    flat = values.ravel()
    products = len(flat) - lag
    total = float(np.dot(flat[lag:], flat[:-lag]))
    return odds_of_deviate(total / (second_moment * np.sqrt(products)))


def cross(rows: NDArray[np.float64], second_moment: float) -> float:
    """Return the odds of the largest correlation between two of the rows, each of mean 0.

    The number of pairs multiplies the odds of one (Bonferroni).
    """
    pairs = np.triu_indices(len(rows), 1)
    z = (rows @ rows.T)[pairs] / (second_moment * np.sqrt(rows.shape[1]))
    return min(1.0, len(z) * odds_of_deviate(float(np.abs(z).max())))


def agreeing_pairs(keys: NDArray[Any], agree: float, three: float) -> float:
    """Return the odds of as many pairs of equal keys (the birthday test).

    Args:
        keys: (n, width), one row a key.
        agree: probability that two keys agree.
        three: probability that three keys agree.
    """
    n = len(keys)
    _, counts = np.unique(keys, axis=0, return_counts=True)
    found = int((counts * (counts - 1) // 2).sum())
    pairs = n * (n - 1) / 2
    # Two pairs that share a key are correlated where the law is not uniform.
    variance = pairs * agree * (1 - agree) + pairs * 2 * (n - 2) * (three - agree**2)
    return odds_of_deviate((found - pairs * agree) / np.sqrt(variance))
