"""What the certificates of a whole dataset say together, each statement with its assumptions."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsonnx.errors import UsageError
from rsonnx.statistics import special
from rsonnx.statistics.checks import check_alpha, check_count, check_samples, check_share
from rsonnx.statistics.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper
from rsonnx.statistics.rounding import probability_down

_CHUNK = 4_000_000
"""Drawn indices held at a time by the bootstrap."""


@dataclass(frozen=True)
class FalseCertificates:
    """How many of a dataset's certificates may be false.

    Attributes:
        expected: at most this many on average, N·alpha.
        quantile: with probability ``level`` no more than this many.
        level: of the quantile.
    """

    expected: float
    quantile: int
    level: float


def false_certificates(
    inputs: int, alpha: float, level: float = 0.95, *, shared_noise: bool = False
) -> FalseCertificates:
    """Bound the number of false certificates among N inputs, abstentions among them.

    Assumes that each is certified at level ``alpha``, 0 for certificates that rest on no samples.
    With independent noise the count is stochastically at most Bin(N, alpha), whose quantile it is.
    Shared noise may make many certificates false at once, so nothing holds but the expectation, and
    by Markov's inequality P(count >= t) <= N·alpha/t.
    """
    check_samples("inputs", inputs)
    _check_error(alpha)
    check_share("level", level)
    if alpha == 0:
        return FalseCertificates(0.0, 0, level)
    if shared_noise:
        # The least t with N·alpha/t <= 1 - level is reached with too small a chance to count.
        reached = math.ceil(inputs * Fraction(alpha) / (1 - Fraction(level)))
        return FalseCertificates(inputs * alpha, min(inputs, reached - 1), level)
    # P(Bin(N, alpha) <= q) = P(Beta(q + 1, N - q) > alpha).
    quantile = bisect_left(
        range(inputs), level, key=lambda q: float(special.betaincc(q + 1, inputs - q, alpha))
    )
    return FalseCertificates(inputs * alpha, quantile, level)


def family_wise_alpha(alpha: float, inputs: int) -> float:
    """Return alpha/N, rounded down, at which all N certificates hold at once, by the union bound.

    It assumes nothing about how inputs or their noise depend on each other.
    """
    check_samples("inputs", inputs)
    return math.nextafter(check_alpha(alpha) / inputs, 0.0)


@dataclass(frozen=True)
class AccuracyInterval:
    """Certified accuracy at one radius, beyond the inputs that were certified.

    Attributes:
        share: X/N, all inputs in the denominator.
        low, high: two-sided interval on the chance that the procedure certifies the right class of
            a further input at this radius; with shared noise, under the noise that was drawn.
        robust_low: one-sided lower bound on the share of the population on which the smoothed
            classifier truly is right and robust at this radius.
        level: confidence of the interval, and of the one-sided bound.
    """

    share: float
    low: float
    high: float
    robust_low: float
    level: float


def accuracy_interval(
    right: int, inputs: int, alpha: float, delta: float = 0.05, *, shared_noise: bool = False
) -> AccuracyInterval:
    """Return intervals for certified accuracy from X = ``right`` of N = ``inputs`` inputs.

    Assumes that the inputs are an independent random sample of the population. The interval is
    Clopper-Pearson's at delta/2 on each side, of the chance q that a further input is certified for
    its class. With independent noise, an input that is not robust is certified all the same with
    probability at most alpha, so q <= A + (1 - A)·alpha for the true share A:
    A >= (CP_lower(X, N, delta) - alpha)/(1 - alpha).

    With shared noise q is the chance under this very noise, and of that the interval holds. But how
    many inputs the noise certifies falsely is itself random, and (1 - A)·alpha is only its mean: by
    Markov's inequality it is below (1 - A)·c, c = 2·alpha/delta, with probability 1 - delta/2, and
    A >= (CP_lower(X, N, delta/2) - c)/(1 - c) with probability 1 - delta by the union bound; 0,
    which says nothing, where c >= 1.

    Args:
        right: inputs certified for their label at the radius or beyond, 0..N.
        inputs: all inputs, abstentions among them.
        alpha: probability of error of each certificate, 0 where they rest on no samples.
        delta: 1 - the level.
        shared_noise: whether all inputs have the same noise.
    """
    right, inputs = check_count(right, inputs)
    _check_error(alpha)
    check_share("delta", delta)
    error, tail = alpha, delta
    if shared_noise and alpha != 0:
        error, tail = 2.0 * alpha / delta, delta / 2.0
    robust = 0.0
    if error < 1.0:
        robust = (clopper_pearson_lower(right, inputs, tail) - error) / (1.0 - error)
    return AccuracyInterval(
        share=right / inputs,
        low=clopper_pearson_lower(right, inputs, delta / 2.0),
        high=clopper_pearson_upper(right, inputs, delta / 2.0),
        robust_low=probability_down(max(0.0, robust)),
        level=1.0 - delta,
    )


@dataclass(frozen=True)
class Band:
    """A band around a curve that holds at all its points at once; float64, shape of the curve."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    half_width: float
    level: float


def accuracy_band(shares: ArrayLike, inputs: int, delta: float = 0.05) -> Band:
    """Return a band that holds at every radius at once, for certified accuracies ``shares``.

    The inequality of Dvoretzky, Kiefer & Wolfowitz with Massart's constant (1990): half width
    sqrt(ln(2/delta)/(2N)). The curve is one minus a distribution function, that of the radius with
    -1 for inputs that are not certified for their label. Assumes that the inputs are an independent
    random sample of the population; if they share their noise, it is of the curve under that noise.
    It speaks of what the procedure certifies; for the truth subtract alpha as
    :func:`accuracy_interval` does.
    """
    check_samples("inputs", inputs)
    check_share("delta", delta)
    curve = np.asarray(shares, np.float64)
    if curve.size and not (np.all(curve >= 0.0) and np.all(curve <= 1.0)):
        raise UsageError("a share of the curve is outside [0, 1]; certified accuracy was expected")
    half = math.nextafter(math.sqrt(math.log(2.0 / delta) / (2.0 * inputs)), math.inf)
    return Band(np.maximum(0.0, curve - half), np.minimum(1.0, curve + half), half, 1.0 - delta)


@dataclass(frozen=True)
class MeanInterval:
    """A mean and its bootstrap interval."""

    mean: float
    low: float
    high: float
    level: float
    resamples: int
    seed: int


def radius_interval(
    radii: ArrayLike, *, level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> MeanInterval:
    """Return the average certified radius and a bootstrap interval (Efron 1979, percentiles).

    Assumes that the inputs are an independent random sample of the population; if they share their
    noise, it is of the average under that noise. The interval is asymptotic, with no guarantee at
    small N, and speaks of the average of what is certified, which the false certificates among them
    can only raise.

    Args:
        radii: for every input its radius where right, else 0; shape (N,), finite, >= 0.
        level, resamples: of the interval.
        seed: of numpy's Philox, so that a report can be made again to the last digit.
    """
    values = np.asarray(radii, np.float64)
    if values.ndim != 1 or not values.size:
        raise UsageError("no radii are given, but an average needs at least one input")
    if not (np.all(np.isfinite(values)) and values.min() >= 0.0):
        raise UsageError("a radius is negative, infinite or NaN; give 0 where an input is wrong")
    check_samples("resamples", resamples)
    check_share("level", level)
    generator = np.random.Generator(np.random.Philox(seed))
    means = np.empty(resamples)
    step = max(1, _CHUNK // values.size)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = generator.integers(0, values.size, (count, values.size))
        means[start : start + count] = values[drawn].mean(axis=1)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return MeanInterval(float(values.mean()), float(low), float(high), level, resamples, seed)


def _check_error(alpha: float) -> None:
    """Refuse what is no probability of error; certificates without samples have 0."""
    if isinstance(alpha, bool) or alpha != 0:
        check_alpha(alpha)
