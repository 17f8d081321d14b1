"""An anytime-valid test of p <= p0 and the lower bound on p that follows from it.

E_n(p0) is the likelihood of k hits in n samples averaged over a Beta(1/2, 1/2) prior cut to
(p0, 1], divided by the likelihood at p0. If p <= p0, every factor of it has mean at most 1, so it
is a supermartingale that starts at 1, and by Ville's inequality P(E_n ever reaches 1/alpha) <=
alpha: looking after every batch, and stopping when one likes, costs nothing. (Howard, Ramdas,
McAuliffe, Sekhon, arXiv 1810.08240; Waudby-Smith & Ramdas, arXiv 2010.09686.)

One run decides every p0 >= 1/2 at once: where E_n(p0) >= 1/alpha and alpha <= 1/e, E_n falls in p0.
For let x = k - n·p0, q0 = 1 - p0, and h the hazard of the prior; then d ln E/dp0 = h(1 - 1/E) -
x/(p0·q0). From 1 <= ln E <= n·KL(k/n, p0) <= x²/(n·p0·q0) and x <= n·q0 follows x >= p0 >= 1/2,
while h·p0·q0 = sin t·cos t/(2t) < 1/2 with cos² t = p0. So the rejected p0 form an interval from
1/2 up to the lower bound, and a wrong rejection anywhere implies one at the true p (at 1/2 if p is
less): a single event, of probability at most alpha.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsonnx.errors import UsageError
from rsonnx.scalars import as_float, shown
from rsonnx.statistics import portable, special
from rsonnx.statistics.checks import check_alpha, check_count, check_samples

LOG_MARGIN = 1e-8
"""Added to the threshold of ln E: 100 times the largest error measured at n = 1e5."""

_LARGEST_ALPHA = math.exp(-1.0)
_HALVINGS = 60
_PRIOR = 0.5
_LOG_PRIOR_BETA = math.log(math.pi)


def log_e(k: ArrayLike, n: ArrayLike, p0: ArrayLike) -> NDArray[np.float64]:
    """Return ln E_n(p0): the evidence of ``k`` hits in ``n`` samples against p <= ``p0``.

    float64, of the shape that the arguments broadcast to. The error is a few 1e-16·n: 7e-11 at
    n = 1e5.
    """
    hits, total, p = (np.asarray(value, np.float64) for value in (k, n, p0))
    a, b = hits + _PRIOR, total - hits + _PRIOR
    log_inside = portable.log(special.betaincc(a, b, p))
    far = ~np.isfinite(log_inside)
    if far.any():
        # So far below p0 that the integral underflows: bound it by the integrand's end times the
        # interval. Only its being small matters, it is never near a threshold.
        end = special.xlogy(a - 1.0, p) + b * portable.log1p(-p) - special.betaln(a, b)
        log_inside = np.where(far, end, log_inside)
    value = (
        special.betaln(a, b)
        + log_inside
        - _LOG_PRIOR_BETA
        - portable.log(special.betaincc(_PRIOR, _PRIOR, p))
        - special.xlogy(hits, p)
        - special.xlog1py(total - hits, -p)
    )
    return np.asarray(value, np.float64)


def log_threshold(alpha: float, n: int) -> float:
    """Return what ln E_n must reach: ln(1/alpha), and a margin for its rounding errors."""
    return -math.log(alpha) + float(_margin(n))


def _margin(n: ArrayLike) -> NDArray[np.float64]:
    return np.maximum(LOG_MARGIN, 1e-13 * np.asarray(n, np.float64))


def rejects(k: int, n: int, p0: float, alpha: float) -> bool:
    """Whether ``k`` hits in ``n`` samples reject p <= ``p0`` at any time; alpha is at most 1/e."""
    k, n = check_count(k, n)
    check_process_alpha(alpha)
    # Below the mean no p above p0 explains the counts better than p0 does.
    return k > n * p0 and float(log_e(k, n, p0)) >= log_threshold(alpha, n)


def anytime_lower(k: int, n: int, alpha: float, near: float | None = None) -> float:
    """Lower confidence bound on p that holds at every n at once with probability 1 - ``alpha``.

    The infimum of the p with E_n(p) < 1/alpha, rounded down, where it is above 1/2; else 0, which
    is all that a certificate needs to know. n may be chosen after seeing the samples.

    Args:
        k: hits, 0..n.
        n: samples, >= 1.
        alpha: probability of error, in (0, 1/e].
        near: where the bound was before; it is the bound if ln E_n is at the threshold there,
            which by the monotony above needs no search. A sixteenth of the threshold's margin is
            given to the last digits of another processor.
    """
    k, n = check_count(k, n)
    check_process_alpha(alpha)
    if near is not None and 0.5 <= near < k / n:
        short = log_threshold(alpha, n) - float(log_e(k, n, near))
        if abs(short) <= _margin(n) / 16:
            return near
    return _search(k, n, alpha)


@lru_cache(maxsize=65536)
def _search(k: int, n: int, alpha: float) -> float:
    low, high = 0.5, k / n
    if not rejects(k, n, low, alpha):
        return 0.0
    threshold = log_threshold(alpha, n)
    for _ in range(_HALVINGS):
        p = (low + high) / 2.0
        if not low < p < high:
            break
        low, high = (p, high) if float(log_e(k, n, p)) >= threshold else (low, p)
    return low


def fewest_hits_to_reject(n: ArrayLike, p0: float, alpha: float) -> NDArray[np.int64]:
    """Return, for each n, the least k that rejects p <= ``p0``; n + 1 where not even n does."""
    total = np.atleast_1d(np.asarray(n, np.int64))
    threshold = -math.log(alpha) + _margin(total)
    low, high = np.floor(total * p0).astype(np.int64), total + 1
    while np.any(high - low > 1):
        middle = (low + high) // 2
        enough = log_e(middle, total, p0) >= threshold
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def fewest_samples_to_reject(p0: float, alpha: float) -> int:
    """Return the least n at which n hits of n reject p <= ``p0``: the earliest possible stop."""
    check_process_alpha(alpha)
    check_null(p0)
    high = 1
    while not rejects(high, high, p0, alpha):
        high *= 2
    return 1 + bisect_left(range(1, high), True, key=lambda n: rejects(n, n, p0, alpha))


def chance_to_reach(k: int, n: int, most: int, goal: int) -> float:
    """Predict P(at least ``goal`` hits of ``most`` samples) after ``k`` hits in ``n``.

    The beta-binomial predictive probability with the prior Beta(1/2, 1/2). It decides whether
    sampling on is worth while, never whether anything is certified, and is good to 1e-5 of itself
    where it is above 1e-5; where the goal is no more than the expectation it is given as 1.
    """
    rest, needed = check_samples("most", most) - n, goal - k
    if needed <= 0:
        return 1.0
    if needed > rest:
        return 0.0
    a, b = k + _PRIOR, n - k + _PRIOR
    if needed <= rest * a / (a + b):
        return 1.0
    if rest - needed <= _SUMMED:
        j = np.arange(needed, rest + 1, dtype=np.float64)
        return min(1.0, float(portable.exp(_log_predictive(j, rest, a, b)).sum()))
    # The terms fall smoothly from `needed` on: an integral from half a step below it.
    variance = rest * a * b * (a + b + rest) / ((a + b) ** 2 * (a + b + 1.0))
    start = needed - 0.5
    width = min(rest + 0.5 - start, _WIDTHS * math.sqrt(variance))
    x = start + width * _NODES
    inside = np.minimum(x, rest)  # the last half step has no argument of its own
    chances = portable.exp(_log_predictive(inside, rest, a, b))
    return min(1.0, float(width * portable.dot(_WEIGHTS, chances)))


_SUMMED = 256
_WIDTHS = 12.0
_roots, _weights = np.polynomial.legendre.leggauss(64)
_NODES, _WEIGHTS = (_roots + 1.0) / 2.0, _weights / 2.0


def _log_predictive(j: NDArray[np.float64], rest: int, a: float, b: float) -> NDArray[np.float64]:
    value = (
        special.gammaln(rest + 1.0)
        - special.gammaln(j + 1.0)
        - special.gammaln(rest - j + 1.0)
        + special.betaln(a + j, b + rest - j)
        - special.betaln(a, b)
    )
    return np.asarray(value, np.float64)


def check_process_alpha(alpha: float) -> float:
    """Return ``alpha``, or refuse it unless 0 < alpha <= 1/e, as the proof of one run needs."""
    alpha = check_alpha(alpha)
    if alpha > _LARGEST_ALPHA:
        raise UsageError(
            f"alpha is {alpha!r}, but an anytime-valid bound needs alpha of at most "
            f"{_LARGEST_ALPHA:.3f} (1/e)"
        )
    return alpha


def check_null(p0: float) -> float:
    """Return ``p0``, the probability that must be exceeded, or refuse it unless in [1/2, 1)."""
    number = as_float(p0)
    if not 0.5 <= number < 1.0:
        raise UsageError(
            f"the probability to exceed is {shown(p0)}, but it must lie in [0.5, 1); a target "
            "radius r gives Φ(r/sigma), which reaches 1 at r = 8.3 sigma"
        )
    return number
