"""How the chances of hits grow with the samples: arrays, each with the hits that it begins at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsonnx.statistics import portable, special

_NEGLIGIBLE = 1e-18
"""Probability of single counts that are left out: below 1e-12 in all."""

_DIRECT = 4_000_000
"""Products up to which a direct convolution is used, which keeps relative precision."""


def binomial(n: int, p: float) -> tuple[NDArray[np.float64], int]:
    """Return P(Bin(n, p) = k) for k from the returned start on, negligible ends left out."""
    if p in (0.0, 1.0):
        return np.ones(1), int(n * p)
    spread = 10.0 * np.sqrt(n * p * (1.0 - p)) + 40.0
    first = max(0, int(n * p - spread))
    k = np.arange(first, min(n, int(n * p + spread)) + 1, dtype=np.float64)
    log_pmf = (
        special.gammaln(n + 1.0)
        - special.gammaln(k + 1.0)
        - special.gammaln(n - k + 1.0)
        + special.xlogy(k, p)
        + special.xlog1py(n - k, -p)
    )
    return trim(portable.exp(log_pmf), first)


def convolve(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chances of a sum; the beginnings of both add up."""
    if a.size * b.size <= _DIRECT:
        return np.convolve(a, b)
    size = a.size + b.size - 1
    padded = 1 << (size - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(a, padded) * np.fft.rfft(b, padded), padded)[:size]
    return np.maximum(product, 0.0)


def trim(a: NDArray[np.float64], start: int) -> tuple[NDArray[np.float64], int]:
    """Leave out negligible ends, and return where the rest begins."""
    kept = np.flatnonzero(a > _NEGLIGIBLE)
    if not kept.size:
        return a[:0], start
    return a[kept[0] : kept[-1] + 1], start + int(kept[0])
