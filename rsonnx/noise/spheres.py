"""The sphere: its points, and how far from its centre a plane cuts off a share of its surface."""

from __future__ import annotations

from functools import lru_cache

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.rounding import precision
from rsonnx.statistics import special

_PRECISION = 256


def on_spheres(
    generator: np.random.Generator, radii: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Return a uniform point of each sphere of R^size, (len(radii), size)."""
    points = generator.standard_normal((len(radii), size))
    length = np.sqrt(np.einsum("ij,ij->i", points, points))
    points *= (radii / length)[:, None]
    return points


def cap_edge(share: mpmath.mpf, dimension: int) -> mpmath.mpf:
    """Return how far from a cap's edge the sphere still reaches, as (1 - c)/2, rounded up.

    A cap of the unit sphere of R^n, n >= 2, is {u: u_1 >= c}. For a uniform u, (1 - u_1)/2 has the
    law Beta(k, k) with k = (n - 1)/2, so that the edge of the cap of a share in (0, 1/2] is its
    quantile. It is not below it and above it by 2^-159 of it at most, so that c is never too large:
    the quantile of scipy is improved by Newton's method, and taken where a sum of positive terms,
    cut off, still is at least ``share``.
    """
    half = (dimension - 1) / 2
    with precision(_PRECISION):
        edge = mpmath.mpf(float(special.betaincinv(half, half, float(share))))
        for _ in range(3):
            edge -= (cap_share(edge, dimension) - share) / _density(edge, dimension)
        margin = mpmath.mpf(2) ** -160
        while True:
            raised = min(edge * (1 + margin), mpmath.mpf(0.5))
            if raised == 0.5 or cap_share(raised, dimension) >= share:
                return raised
            margin *= 4


def cap_share(edge: mpmath.mpf, dimension: int) -> mpmath.mpf:
    """Return the share of the cap whose edge is (1 - c)/2 = ``edge`` in (0, 1/2], rounded down.

    It is the distribution function of Beta(k, k): b^k (1 - b)^k / (k·B(k, k)) times the series
    Σ Π 2b(n - 1 + i)/(n + 1 + 2i), all of whose terms are positive (DLMF 8.17.8).
    """
    with precision(_PRECISION):
        edge = mpmath.mpf(edge)
        half = mpmath.mpf(dimension - 1) / 2
        doubled = int(edge * 2 * mpmath.mpf(2) ** _PRECISION)
        term = total = 1 << _PRECISION
        step = 0
        while term:
            term = (term * doubled * (dimension - 1 + step)) // (dimension + 1 + 2 * step)
            term >>= _PRECISION
            total += term
            step += 1
        series = mpmath.ldexp(mpmath.mpf(total), -_PRECISION)
        log_power = half * mpmath.log(edge * (1 - edge)) - _log_beta(dimension)
        share = mpmath.exp(log_power) / half * series
        return share * (1 - mpmath.mpf(2) ** -180)


def _density(edge: mpmath.mpf, dimension: int) -> mpmath.mpf:
    half = mpmath.mpf(dimension - 1) / 2
    return mpmath.exp((half - 1) * mpmath.log(edge * (1 - edge)) - _log_beta(dimension))


@lru_cache(maxsize=64)
def _log_beta(dimension: int) -> mpmath.mpf:
    """Return ln B(k, k), k = (dimension - 1)/2."""
    with precision(_PRECISION):
        half = mpmath.mpf(dimension - 1) / 2
        return 2 * mpmath.loggamma(half) - mpmath.loggamma(2 * half)
