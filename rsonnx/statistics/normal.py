"""The normal distribution rounded outward on the sides that :mod:`rounding` does not cover."""

import math

from scipy import special

from rsonnx.statistics.rounding import QUANTILE_MARGIN


def normal_quantile_up(p: float) -> float:
    """Return a value not below Φ⁻¹(p), the standard normal quantile.

    ``p`` is in [0, 1]; 0 gives -inf and 1 gives inf.
    """
    z = float(special.ndtri(p))
    if not math.isfinite(z):
        return z
    return math.nextafter(z + abs(z) * QUANTILE_MARGIN, math.inf)


def normal_cdf_up(x: float) -> float:
    """Return a probability not below Φ(x), at most 1.

    It turns a target radius into the p that must be exceeded: p0 = Φ(r/σ). scipy's value is good
    to a few units in the last place for x >= 0; below, the rounding of x²/2 is added.
    """
    p = float(special.ndtr(x))
    margin = QUANTILE_MARGIN * (1.0 + min(x, 0.0) ** 2)
    return min(1.0, math.nextafter(p * (1.0 + margin), math.inf))
