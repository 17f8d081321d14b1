"""What a number of samples can do: for planning a run before it is paid for.

All in probabilities: a radius r of Gaussian smoothing asks for p0 = Φ(r/sigma), in [1/2, 1).
"""

from __future__ import annotations

import math
from bisect import bisect_left

from rsonnx.errors import UsageError
from rsonnx.scalars import as_float, shown
from rsonnx.statistics import special
from rsonnx.statistics.checks import MOST_SAMPLES, check_alpha, check_samples
from rsonnx.statistics.clopper_pearson import about, clopper_pearson_lower
from rsonnx.statistics.eprocess import check_null


def largest_bound(n: int, alpha: float) -> float:
    """Return the lower bound if all ``n`` samples agree: the most that (n, alpha) can give."""
    return clopper_pearson_lower(check_samples("n", n), n, alpha)


def fewest_samples(p0: float, alpha: float) -> int:
    """Return the least n at which n agreeing samples put the lower bound at ``p0`` or above.

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
    below = range(max(1, n - step), n)
    return below.start + bisect_left(below, p0, key=lambda m: clopper_pearson_lower(m, m, alpha))


def fewest_hits(n: int, p0: float, alpha: float) -> int | None:
    """Return the least k of ``n`` whose lower bound is ``p0`` or above, None if not even n is."""
    if largest_bound(n, alpha) < check_null(p0):
        return None
    return bisect_left(range(n), p0, key=lambda k: clopper_pearson_lower(k, n, alpha))


def chance_to_certify(p: float, n: int, p0: float, alpha: float) -> float:
    """Return the chance that ``n`` samples certify ``p0`` where the class has probability ``p``."""
    if not 0.0 <= as_float(p) <= 1.0:
        raise UsageError(f"p is {shown(p)}, but a probability in [0, 1] was expected")
    k = fewest_hits(n, p0, alpha)
    if k is None or k <= 0:
        return 0.0 if k is None else 1.0
    return float(special.betainc(k, n - k + 1, p))


def samples_for_chance(
    p: float, p0: float, alpha: float, chance: float = 0.9, most: int = 10**9
) -> int | None:
    """Return about how many samples certify ``p0`` with at least ``chance``, to within 1 %.

    None where p, the true probability of the class, is not above p0, or ``most`` does not do.
    """
    check_null(p0)
    if not 0.0 < chance < 1.0:
        raise UsageError(f"chance is {chance!r}, but it must lie strictly between 0 and 1")
    chance_to_certify(p, 1, p0, alpha)  # refuses what is no probability
    if p <= p0:
        return None
    return about(
        lambda n: chance_to_certify(p, n, p0, alpha) >= chance, 0, fewest_samples(p0, alpha), most
    )
