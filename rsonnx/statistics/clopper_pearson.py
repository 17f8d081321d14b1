"""Exact one-sided confidence bounds on a probability (Clopper & Pearson 1934)."""

from __future__ import annotations

import math
from collections.abc import Callable

from rsonnx.statistics import special
from rsonnx.statistics.checks import check_alpha, check_count, check_samples
from rsonnx.statistics.rigorous import proves_lower_bound, proves_upper_bound
from rsonnx.statistics.rounding import as_recorded, probability_down, probability_up

_MOST_STEPS = 40
"""Doublings of the margin before giving up: 2^-36 grows past 1, which always holds."""


_TRUSTED = 100_000
"""Samples up to which scipy's errors were measured to be a third of the margin. Below one half they
grow with n: from 2 million on they are as large as the margin, and so are those of its tails."""


def clopper_pearson_lower(k: int, n: int, alpha: float) -> float:
    """Return the lower confidence bound on p at level 1 - ``alpha``, in [0, 1).

    The one-sided bound of CERTIFY (Cohen et al., arXiv 1902.02918): the p with
    P(Bin(n, p) >= k) = alpha, which is the alpha quantile of Beta(k, n - k + 1); 0 if k = 0.
    The value is rounded down, and accepted only where the tail probability that it implies,
    computed anew, does not exceed alpha.

    Args:
        k: hits, 0..n.
        n: samples, >= 1.
        alpha: probability of error, in (0, 1).
    """
    k, n = check_count(k, n)
    alpha = check_alpha(alpha)
    if k == 0:
        return 0.0
    exact = float(special.betaincinv(k, n - k + 1, alpha))
    bound = probability_down(exact)
    margin = exact - bound
    for _ in range(_MOST_STEPS):
        if float(special.betainc(k, n - k + 1, bound)) <= alpha:
            return bound
        margin *= 2.0
        bound = max(0.0, exact - margin)
    return 0.0


def clopper_pearson_upper(k: int, n: int, alpha: float) -> float:
    """Return the upper confidence bound on p at level 1 - ``alpha``; as the lower one, rounded up.

    The p with P(Bin(n, p) <= k) = alpha; 1 if k = n. Computed from the complement, since the
    1 - alpha quantile loses digits for small alpha.
    """
    k, n = check_count(k, n)
    alpha = check_alpha(alpha)
    if k == n:
        return 1.0
    exact = float(special.betainccinv(k + 1, n - k, alpha))
    bound = probability_up(exact)
    margin = bound - exact
    for _ in range(_MOST_STEPS):
        if float(special.betaincc(k + 1, n - k, bound)) <= alpha:
            return bound
        margin *= 2.0
        bound = min(1.0, exact + margin)
    return 1.0


def proved_lower(k: int, n: int, alpha: float) -> float:
    """Return :func:`clopper_pearson_lower`, proved by integers where scipy may err too far."""
    bound = clopper_pearson_lower(k, n, alpha)
    margin = 2.0**-36
    while not (_is_trusted(bound, n) or proves_lower_bound(bound, k, n, alpha)):
        bound, margin = max(0.0, bound * (1.0 - margin)), margin * 2.0
    return bound


def proved_upper(k: int, n: int, alpha: float) -> float:
    """Return :func:`clopper_pearson_upper`, proved in the same way."""
    bound = clopper_pearson_upper(k, n, alpha)
    margin = 2.0**-36
    while not (_is_trusted(bound, n) or proves_upper_bound(bound, k, n, alpha)):
        bound, margin = min(1.0, bound * (1.0 + margin)), margin * 2.0
    return bound


def lower_as_recorded(bound: float, recorded: float | None, k: int, n: int, alpha: float) -> float:
    """Return the lower bound that a row has, where it is this one but for digits, and proved."""
    return as_recorded(bound, recorded, lambda p: proves_lower_bound(p, k, n, alpha))


def _is_trusted(bound: float, n: int) -> bool:
    return bound >= 0.5 or n <= _TRUSTED


def fewest_samples_to_exceed_half(alpha: float) -> int:
    """Return the smallest n for which n hits of n put the lower bound above 1/2: 10 at 0.001.

    With fewer samples CERTIFY can only abstain: alpha^(1/n) > 1/2 is needed.
    """
    alpha = check_alpha(alpha)
    n = max(1, math.floor(math.log(alpha) / math.log(0.5)) - 1)
    while clopper_pearson_lower(n, n, alpha) <= 0.5:
        n += 1
    return n


def samples_to_exceed_half(share: float, alpha: float, most: int = 10**12) -> int | None:
    """Return about how many samples put the lower bound above 1/2, if ``share`` of them are hits.

    Returns:
        The number of samples, to within 1 %, or None where no number up to ``most`` does.
    """
    alpha = check_alpha(alpha)
    check_samples("most", most)

    def enough(n: int) -> bool:
        return clopper_pearson_lower(math.floor(share * n), n, alpha) > 0.5

    if share <= 0.5:
        return None
    return about(enough, 1, fewest_samples_to_exceed_half(alpha), most)


def about(enough: Callable[[int], bool], low: int, high: int, most: int) -> int | None:
    """Return about the least number, to within 1 %, that is enough; None beyond ``most``.

    Args:
        enough: false up to ``low``, and true from some number on.
        low, high: where to begin.
        most: give up beyond it.
    """
    while not enough(high):
        low, high = high, high * 2
        if high > most:
            return None
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
