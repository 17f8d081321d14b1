"""Top-k certificates for Gaussian smoothing, from estimation counts (Jia et al., arXiv 1912.09899).

Theorem 1: let p_l be at least ``p_lower``, and p_1 <= ... <= p_k the k largest upper bounds of all
rivals of class l, with p_S(t) = min(p_1 + ... + p_t, 1 - p_lower) for the t smallest of them. Then
l is among the k most probable classes at every point closer than R in the l2 norm, where

    Φ(Φ⁻¹(p_lower) - R/σ) = min over t = 1..k of Φ(Φ⁻¹(p_S(t)) + R/σ)/t.

The class is fixed before the samples are drawn, as a true label is, so there is nothing to select.
All bounds hold at once: alpha/2 is spent on the class and alpha/2 is shared by its rivals, whatever
k is, so the certificates for all k hold together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from numbers import Integral

from numpy.typing import ArrayLike
from scipy import special

from rsonnx.counts import MOST_CLASSES, Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian
from rsonnx.statistics import (
    check_alpha,
    clopper_pearson_lower,
    clopper_pearson_upper,
    normal_quantile_down,
    normal_quantile_up,
    scale_down,
)
from rsonnx.statistics.enclosures import normal_cdf_bounds
from rsonnx.statistics.rigorous import normal_cdf_at_least, normal_cdf_at_most

_FIRST_MARGIN = 2.0**-46
"""Relative margin under the root found in floating point; doubled until the radius is proved."""


@dataclass(frozen=True)
class TopKCertificate:
    """A radius within which a class stays among the k most probable.

    Attributes:
        label: the class that was claimed before the samples were drawn.
        k: among how many classes it stays.
        radius: in the units of sigma, in l2, rounded down; 0 where nothing is certified.
        p_lower: lower bound on its probability, rounded down.
        rivals_upper: the k largest upper bounds on the probability of a rival, rounded up and
            falling. Answers that are no class are one of the rivals.
    """

    label: int
    k: int
    radius: float
    p_lower: float
    rivals_upper: tuple[float, ...]

    @property
    def certified(self) -> bool:
        """Whether the class is certified to be among the k most probable."""
        return self.radius > 0.0


def certify_top_k(
    estimation: Counts | ArrayLike,
    label: int,
    k: int,
    *,
    sigma: float,
    num_classes: int,
    alpha: float = 0.001,
) -> TopKCertificate:
    """Certify that a class stays among the k most probable, with probability 1 - ``alpha``.

    Args:
        estimation: counts per class of samples drawn after ``label`` was fixed, shape (classes,).
        label: the class, 0..num_classes - 1; one that these counts suggested is not allowed.
        k: 1..num_classes - 1.
        sigma: standard deviation of the Gaussian noise, > 0, in the units of the radius.
        num_classes: K, known beforehand: alpha is shared among the K - 1 other classes and the
            answers that are no class.
        alpha: probability of error of all bounds together, in (0, 1).

    Raises:
        UsageError: an argument is outside its range, or there are no samples.
    """
    counts = Counts.of(estimation)
    alpha, sigma = check_alpha(alpha), Gaussian(sigma).sigma
    _check_classes(counts, label, k, num_classes)
    n = counts.total
    if n < 1:
        raise UsageError("there are no estimation samples, but at least 1 is needed")
    p_lower = clopper_pearson_lower(counts[label], n, alpha / 2.0)
    others = [counts[c] for c in range(min(num_classes, len(counts))) if c != label]
    # A bound rises with the hits, so the k most frequent rivals have the k largest bounds.
    hits = sorted([*others, counts.no_class], reverse=True)[:k]
    hits += [0] * (k - len(hits))
    bounds = {h: clopper_pearson_upper(h, n, alpha / (2.0 * num_classes)) for h in set(hits)}
    rivals = tuple(bounds[h] for h in hits)
    return TopKCertificate(label, k, top_k_radius(sigma, p_lower, rivals), p_lower, rivals)


@lru_cache(maxsize=4096)
def top_k_radius(sigma: float, p_lower: float, rivals_upper: tuple[float, ...]) -> float:
    """Return the R of the theorem, rounded down; 0 where it is not above 0.

    Args:
        sigma: > 0.
        p_lower: lower bound on the probability of the class, in [0, 1].
        rivals_upper: upper bounds on those of its k most probable rivals, each in [0, 1].

    Raises:
        UsageError: there are no rivals.
    """
    if not rivals_upper:
        raise UsageError("no rival is given, but a top-k radius needs at least one")
    sums = _sums(p_lower, rivals_upper)
    if p_lower <= 0.0:
        return 0.0
    if sums[0] <= 0.0:
        return math.inf
    low = normal_quantile_down(p_lower)
    reached = [_root(low, normal_quantile_up(total), t) for t, total in enumerate(sums, start=1)]
    best = max(range(len(sums)), key=reached.__getitem__)
    margin = _FIRST_MARGIN
    while reached[best] > 0.0 and margin < 1.0:
        claimed = scale_down(reached[best] * (1.0 - margin), sigma)
        if claimed <= 0.0:
            break
        if _proves(claimed, sigma, p_lower, sums[best], best + 1):
            return claimed
        margin *= 2.0
    return 0.0


def proves_top_k_radius(
    radius: float, sigma: float, p_lower: float, rivals_upper: Sequence[float]
) -> bool:
    """Prove by integer arithmetic that a finite ``radius`` > 0 is not above the R of the theorem.

    A False means "not proved". Arguments as for :func:`top_k_radius`.
    """
    sums = _sums(p_lower, rivals_upper)
    return any(_proves(radius, sigma, p_lower, total, t) for t, total in enumerate(sums, start=1))


def _proves(radius: float, sigma: float, p_lower: float, total: float, t: int) -> bool:
    """Prove Φ(Φ⁻¹(p_lower) - R/σ) >= Φ(Φ⁻¹(total) + R/σ)/t: one such t is enough for the minimum.

    Doubles on the safe side stand for the quantiles, and are proved to be there.
    """
    low, high = normal_quantile_down(p_lower), normal_quantile_up(total)
    if math.isinf(low) or math.isinf(high):
        return False
    if not (normal_cdf_at_most(low, p_lower) and normal_cdf_at_least(high, total)):
        return False
    shift = Fraction(radius) / Fraction(sigma)
    left = normal_cdf_bounds(Fraction(low) - shift)[0]
    return t * left >= normal_cdf_bounds(Fraction(high) + shift)[1]


def _root(low: float, high: float, t: int) -> float:
    """Return about the R >= 0 with Φ(low - R) = Φ(high + R)/t, which falls from left to right."""
    from scipy import optimize  # noqa: PLC0415 - as long to import as the rest of the certificate

    def lead(radius: float) -> float:
        return t * float(special.ndtr(low - radius)) - float(special.ndtr(high + radius))

    if not math.isfinite(high) or lead(0.0) <= 0.0:
        return 0.0
    far = 1.0
    while lead(far) > 0.0:
        far *= 2.0
    return float(optimize.brentq(lead, 0.0, far, xtol=1e-15, rtol=2.0**-50))


def _sums(p_lower: float, rivals_upper: Sequence[float]) -> list[float]:
    """Return p_S(t) for t = 1..k, rounded up."""
    rest = 0.0 if p_lower >= 1.0 else math.nextafter(1.0 - p_lower, math.inf)
    rising = accumulate(sorted(rivals_upper), lambda a, b: math.nextafter(a + b, math.inf))
    return [min(total, rest) for total in rising]


def _check_classes(counts: Counts, label: int, k: int, num_classes: int) -> None:
    for name, value in (("label", label), ("k", k), ("num_classes", num_classes)):
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise UsageError(f"{name} is {value!r}, but a whole number was expected")
    if not 2 <= num_classes <= MOST_CLASSES:
        raise UsageError(
            f"num_classes is {num_classes}, but a number from 2 to {MOST_CLASSES:,} was expected"
        )
    if len(counts) > num_classes:
        raise UsageError(f"num_classes is {num_classes}, but the counts list {len(counts)} classes")
    if not 0 <= label < num_classes:
        raise UsageError(f"the class is {label}, but one of 0..{num_classes - 1} was expected")
    if not 1 <= k < num_classes:
        raise UsageError(
            f"k is {k}, but with {num_classes} classes a number from 1 to {num_classes - 1} was "
            "expected: every class is among the top of them all"
        )
