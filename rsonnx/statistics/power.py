"""What a number of samples can do: for planning a run before it is paid for.

All in probabilities: a radius r of Gaussian smoothing asks for p0 = Φ(r/sigma).
"""

from __future__ import annotations

import math

from scipy import special

from rsonnx.errors import UsageError
from rsonnx.statistics.checks import check_alpha, check_samples
from rsonnx.statistics.clopper_pearson import clopper_pearson_lower
from rsonnx.statistics.eprocess import check_null

MOST_SAMPLES = 10**12


def largest_bound(n: int, alpha: float) -> float:
    """Return the lower bound if all ``n`` samples agree: the most that (n, alpha) can give."""
    return clopper_pearson_lower(check_samples("n", n), n, alpha)


def fewest_samples(p0: float, alpha: float) -> int:
    """Return the least n at which n agreeing samples put the lower bound at ``p0`` or above.

    Args:
        p0: in [1/2, 1).
        alpha: in (0, 1).

    Raises:
        UsageError: an argument is outside its range, or more than 1e12 samples would be needed.
    """
    check_null(p0)
    check_alpha(alpha)
    guess = math.log(alpha) / math.log(p0)
    if not guess < MOST_SAMPLES:
        raise UsageError(
            f"a probability of {p0!r} would need about {guess:.3g} agreeing samples; use a smaller "
            "target radius or a larger sigma"
        )
    # The bound is rounded down by 2^-36 of itself, so p0 very near 1 needs a few samples more.
    n = max(1, math.floor(guess) - 1)
    step = 1
    while clopper_pearson_lower(n, n, alpha) < p0:
        n, step = n + step, step * 2
        if n > MOST_SAMPLES:
            raise UsageError(f"a probability of {p0!r} is above what any n can show")
    low = max(0, n - step)
    while n - low > 1:
        middle = (low + n) // 2
        low, n = (
            (low, middle) if clopper_pearson_lower(middle, middle, alpha) >= p0 else (middle, n)
        )
    return n


def fewest_hits(n: int, p0: float, alpha: float) -> int | None:
    """Return the least k of ``n`` whose lower bound is ``p0`` or above, None if not even n is."""
    if largest_bound(n, alpha) < check_null(p0):
        return None
    low, high = math.floor(n * p0) - 1, n
    while high - low > 1:
        k = (low + high) // 2
        low, high = (low, k) if clopper_pearson_lower(k, n, alpha) >= p0 else (k, high)
    return high


def chance_to_certify(p: float, n: int, p0: float, alpha: float) -> float:
    """Return the chance that ``n`` samples certify ``p0`` where the class has probability ``p``."""
    _check_probability(p)
    k = fewest_hits(n, p0, alpha)
    return 0.0 if k is None else _tail(k, n, p)


def samples_for_chance(
    p: float, p0: float, alpha: float, chance: float = 0.9, most: int = 10**9
) -> int | None:
    """Return about how many samples certify ``p0`` with at least ``chance``, to within 1 %.

    Args:
        p: true probability of the class, in [0, 1].
        p0: probability to exceed, in [1/2, 1).
        alpha: probability of error, in (0, 1).
        chance: in (0, 1).
        most: give up beyond this many samples.

    Returns:
        The number of samples; None where p is not above p0, or ``most`` does not do.
    """
    _check_probability(p)
    check_null(p0)
    if not 0.0 < chance < 1.0:
        raise UsageError(f"chance is {chance!r}, but it must lie strictly between 0 and 1")
    if p <= p0:
        return None
    low, high = 0, fewest_samples(p0, alpha)
    while chance_to_certify(p, high, p0, alpha) < chance:
        low, high = high, 2 * high
        if high > most:
            return None
    while high - low > max(1, high // 100):
        n = (low + high) // 2
        low, high = (low, n) if chance_to_certify(p, n, p0, alpha) >= chance else (n, high)
    return high


def _tail(k: int, n: int, p: float) -> float:
    return 1.0 if k <= 0 else float(special.betainc(k, n - k + 1, p))


def _check_probability(p: float) -> None:
    if not (isinstance(p, int | float) and 0.0 <= p <= 1.0):
        raise UsageError(f"p is {p!r}, but a probability in [0, 1] was expected")
