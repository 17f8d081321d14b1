"""Two procedures on the same inputs: how far apart they are, and whether that may be chance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from rsonnx.errors import UsageError
from rsonnx.statistics.binomial_test import p_value_differs_from_half
from rsonnx.statistics.checks import check_alpha, check_samples
from rsonnx.statistics.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper
from rsonnx.statistics.dataset import MeanInterval, radius_interval

_FOR_DIRECTION = 0.9
"""Share of delta for which way the discordant inputs lean; the rest is for how many there are."""
_MOST = 1e200
"""Of a difference: sums of as many as fit into memory stay finite."""


@dataclass(frozen=True)
class PairedAccuracy:
    """The difference of two accuracies on the same inputs, first minus second.

    Attributes:
        difference: (only_first - only_second)/pairs.
        low, high: interval on the difference in the population, in [-1, 1].
        p_value: of McNemar's exact two-sided test that neither is better, rounded up.
        level: of the interval.
    """

    difference: float
    low: float
    high: float
    p_value: float
    level: float


def paired_accuracy(
    only_first: int, only_second: int, pairs: int, delta: float = 0.05
) -> PairedAccuracy:
    """Compare two accuracies on the same inputs, at any sample size.

    The discordant inputs, right in one and wrong in the other, are all that tells the two apart.
    Given how many there are, those of the first are binomial, with a chance θ that is 1/2 where
    neither is better: McNemar's test (Psychometrika 1947) in its exact form. The interval bounds θ
    and the chance ψ of a discordant input by Clopper & Pearson (1934), the former with 9/10 of
    delta; the difference is ψ·(2θ - 1). By the union bound it covers with probability at least
    1 - delta whatever the truth, and leaves out 0 only where the test rejects at 0.9·delta.

    Assumes that the inputs are drawn independently from the population.

    Args:
        only_first: inputs that are right in the first and wrong in the second, >= 0.
        only_second: the other way round, >= 0.
        pairs: all inputs, concordant ones among them, >= 1 and >= the discordant.
        delta: 1 - the level, in (0, 1).
    """
    pairs = check_samples("pairs", pairs)
    check_alpha(delta)
    discordant = only_first + only_second
    if min(only_first, only_second) < 0 or discordant > pairs:
        raise UsageError(
            f"{only_first} and {only_second} of {pairs} inputs are discordant, but numbers of at "
            "least 0 that sum to no more than all inputs were expected"
        )
    leaning, occurring = _FOR_DIRECTION * delta / 2.0, (1.0 - _FOR_DIRECTION) * delta / 2.0
    theta_low, theta_high = 0.0, 1.0
    if discordant:
        theta_low = clopper_pearson_lower(only_first, discordant, leaning)
        theta_high = clopper_pearson_upper(only_first, discordant, leaning)
    psi_low = clopper_pearson_lower(discordant, pairs, occurring)
    psi_high = clopper_pearson_upper(discordant, pairs, occurring)
    low = 2.0 * theta_low - 1.0
    high = 2.0 * theta_high - 1.0
    return PairedAccuracy(
        difference=(only_first - only_second) / pairs,
        low=max(-1.0, math.nextafter(low * (psi_low if low > 0 else psi_high), -math.inf)),
        high=min(1.0, math.nextafter(high * (psi_high if high > 0 else psi_low), math.inf)),
        p_value=p_value_differs_from_half(only_first, discordant),
        level=1.0 - delta,
    )


def paired_mean_interval(
    differences: ArrayLike, *, level: float = 0.95, seed: int = 0
) -> MeanInterval:
    """Return the mean of paired differences and a bootstrap interval (Efron 1979, percentiles).

    Pairs are resampled whole, so that what both share cancels. Assumes that the inputs are drawn
    independently from the population; asymptotic, with no guarantee for few of them.

    Args:
        differences: first minus second for every input; shape (N,), at most 1e200.
        level, seed: as for :func:`radius_interval`.
    """
    values = np.asarray(differences, np.float64)
    if values.ndim != 1 or not values.size or not np.all(np.abs(values) <= _MOST):
        raise UsageError(
            f"the differences are empty or beyond {_MOST:g}, but a finite one an input was expected"
        )
    # The interval moves with its values; moved up, they are what radius_interval takes.
    least = float(values.min())
    moved = radius_interval(values - least, level=level, seed=seed)
    mean, low, high = float(values.mean()), moved.low + least, moved.high + least
    return replace(moved, mean=mean, low=low, high=high)
