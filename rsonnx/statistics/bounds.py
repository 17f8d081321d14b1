"""Confidence bounds on a probability behind one interface, sound ones and well-known unsound ones.

``get_bound`` finds a bound by name, for tables and comparisons; ``certifying_bound`` finds one that
may give a certificate, and refuses the others with the reason. The default is Clopper-Pearson, the
largest bound that never falls as the hits rise and misses with probability at most alpha.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from rsonnx.arguments import check_choice
from rsonnx.errors import UsageError
from rsonnx.scalars import as_float, shown
from rsonnx.statistics import special
from rsonnx.statistics.checks import check_alpha, check_count
from rsonnx.statistics.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper
from rsonnx.statistics.rounding import probability_down

DEFAULT_BOUND = "clopper-pearson"

_FORMULA_MARGIN = 2.0**-48
"""Absolute margin on a closed formula: its terms are at most 1 before they cancel."""

_STEPS = 200
"""Halvings of an interval: more than a double needs to come to rest."""

_Formula = Callable[[int, int, float], float]


@dataclass(frozen=True)
class Bound:
    """A one-sided confidence bound on a probability.

    Attributes:
        name: as it stands in run files and on the command line.
        sound: whether P(bound misses p) <= alpha for every p and n, so that it may certify.
        source: where it is from.
        why_not: an unsound one may not certify.
        needs_uniform: whether it takes a number u in (0, 1], uniform and drawn before sampling.
    """

    name: str
    sound: bool
    source: str
    why_not: str = ""
    needs_uniform: bool = False
    _formula: _Formula = field(kw_only=True, repr=False, compare=False)

    def lower(self, k: int, n: int, alpha: float, uniform: float | None = None) -> float:
        """Return the lower bound on p from ``k`` hits in ``n`` samples at level 1 - ``alpha``.

        A sound one is rounded down; an unsound one is not rounded, and may be 1. ``uniform`` is u
        in (0, 1], where ``needs_uniform``; else it has no effect.
        """
        k, n = check_count(k, n)
        alpha = check_alpha(alpha)
        if self.needs_uniform:
            drawn = as_float(uniform)
            if not 0.0 < drawn <= 1.0:
                raise UsageError(
                    f"the bound {self.name} has the uniform number {shown(uniform)}, but it needs "
                    "one in (0, 1], drawn before sampling and recorded with the counts"
                )
            return randomized_clopper_pearson_lower(k, n, alpha, drawn)
        value = min(1.0, max(0.0, self._formula(k, n, alpha)))
        if not self.sound or self.name == DEFAULT_BOUND:
            return value
        # Each of these is below Clopper-Pearson's in exact arithmetic, whose rounding is guarded.
        return min(
            probability_down(max(0.0, value - _FORMULA_MARGIN)), clopper_pearson_lower(k, n, alpha)
        )

    def upper(self, k: int, n: int, alpha: float, uniform: float | None = None) -> float:
        """Return the upper confidence bound: the mirror image of :meth:`lower`, rounded up."""
        k, n = check_count(k, n)
        if self.name == DEFAULT_BOUND:
            return clopper_pearson_upper(k, n, alpha)
        value = 1.0 - self.lower(n - k, n, alpha, uniform)
        return min(1.0, math.nextafter(value, math.inf)) if self.sound else value


def _last_double(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return about the largest double below ``high`` that holds, as all from ``low`` on do."""
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if not low < middle < high:
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def randomized_clopper_pearson_lower(k: int, n: int, alpha: float, uniform: float) -> float:
    """Return the lower bound of exact coverage 1 - alpha: Clopper-Pearson's without its slack.

    The p with P(Bin(n, p) > k) + u·P(Bin(n, p) = k) = alpha (Stevens 1950, Biometrika 37), for a u
    that is uniform on (0, 1], drawn before sampling and recorded: a u chosen after the counts are
    seen makes the bound worthless. u = 1 gives Clopper-Pearson's. Rounded down.
    """
    k, n = check_count(k, n)
    alpha = check_alpha(alpha)

    if k == 0:
        # u + (1-u)(1 - (1-p)^n) = alpha; nothing is excluded unless u < alpha.
        if uniform >= alpha:
            return 0.0
        return probability_down(-math.expm1(math.log1p((uniform - alpha) / (1.0 - uniform)) / n))

    def tail(p: float) -> float:
        at_least = float(special.betainc(k, n - k + 1, p))
        above = 0.0 if k == n else float(special.betainc(k + 1, n - k, p))
        return (1.0 - uniform) * above + uniform * at_least

    return probability_down(_last_double(lambda p: tail(p) <= alpha, 0.0, 1.0))


def _chernoff_kl(k: int, n: int, alpha: float) -> float:
    if k == 0:
        return 0.0
    target = -math.log(alpha)
    if k == n:
        return math.exp(-target / n)

    def far(p: float) -> bool:
        divergence = k * math.log(k / (n * p)) + (n - k) * math.log((n - k) / (n * (1.0 - p)))
        return divergence >= target

    return _last_double(far, 0.0, k / n)


def _hoeffding(k: int, n: int, alpha: float) -> float:
    return k / n - math.sqrt(-math.log(alpha) / (2.0 * n))


def _empirical_bernstein(k: int, n: int, alpha: float) -> float:
    if n == 1:
        return 0.0
    log_term = math.log(2.0 / alpha)
    variance = k * (n - k) / (n * (n - 1.0))
    return k / n - math.sqrt(2.0 * variance * log_term / n) - 7.0 * log_term / (3.0 * (n - 1.0))


def _chebyshev(k: int, n: int, alpha: float) -> float:
    return k / n - math.sqrt(1.0 / (4.0 * n * alpha))


def _score(k: int, n: int, z_squared: float) -> float:
    if k == 0:
        return 0.0
    # The smaller root of (k/n - p)² = z² p(1 - p)/n, without the cancellation of the usual form.
    root = math.sqrt(z_squared * (z_squared + 4.0 * k * (n - k) / n))
    return 2.0 * k * k / (n * (2.0 * k + z_squared + root))


def _cantelli(k: int, n: int, alpha: float) -> float:
    return _score(k, n, (1.0 - alpha) / alpha)


def _wald(k: int, n: int, alpha: float) -> float:
    z = -float(special.ndtri(alpha))
    return k / n - z * math.sqrt(k * (n - k) / n) / n


def _wilson(k: int, n: int, alpha: float) -> float:
    z = -float(special.ndtri(alpha))
    # Above alpha = 1/2 z is negative and the bound lies above k/n: the larger root.
    return _score(k, n, z * z) if z >= 0.0 else 1.0 - _score(n - k, n, z * z)


def _jeffreys(k: int, n: int, alpha: float) -> float:
    return 0.0 if k == 0 else float(special.betaincinv(k + 0.5, n - k + 0.5, alpha))


BOUNDS: dict[str, Bound] = {
    bound.name: bound
    for bound in (
        Bound(
            DEFAULT_BOUND, True, "Clopper & Pearson 1934, Biometrika 26",
            _formula=clopper_pearson_lower,
        ),
        Bound(
            "chernoff-kl", True, "Chernoff 1952; n·KL(k/n, p) = ln(1/alpha)", _formula=_chernoff_kl
        ),
        Bound("hoeffding", True, "Hoeffding 1963, JASA 58", _formula=_hoeffding),
        Bound(
            "empirical-bernstein", True, "Maurer & Pontil 2009, arXiv 0907.3740, Theorem 4",
            _formula=_empirical_bernstein,
        ),
        Bound("chebyshev", True, "Chebyshev's inequality with variance 1/4", _formula=_chebyshev),
        Bound("cantelli", True, "Cantelli's inequality with variance p(1-p)", _formula=_cantelli),
        Bound(
            "randomized-clopper-pearson", True, "Stevens 1950, Biometrika 37", needs_uniform=True,
            _formula=clopper_pearson_lower,
        ),
        Bound(
            "wald", False, "the normal approximation with the estimated variance",
            "at alpha = 0.001 it misses up to 1000 times as often as it may, and is 1 where all "
            "samples agree",
            _formula=_wald,
        ),
        Bound(
            "wilson", False, "Wilson 1927, JASA 22",
            "it is asymptotic: at alpha = 0.001 it misses 10 times as often as it may with n = 10, "
            "and 1.1 times with n = 1000",
            _formula=_wilson,
        ),
        Bound(
            "jeffreys", False, "the alpha quantile of Beta(k + 1/2, n - k + 1/2)",
            "it is right on average over p, not at every p: at alpha = 0.001 it misses up to 4.5 "
            "times as often as it may",
            _formula=_jeffreys,
        ),
    )
}  # fmt: skip
"""All bounds by name, sound ones first."""


def get_bound(name: str) -> Bound:
    """Return the bound of that name, sound or not; ``"clt"`` is another name of ``"wald"``."""
    if isinstance(name, str) and name == "clt":
        return BOUNDS["wald"]
    return BOUNDS[check_choice("the bound", name, BOUNDS)]


def certifying_bound(name: str) -> Bound:
    """Return the bound of that name, or refuse one that is not sound, and say why."""
    bound = get_bound(name)
    if not bound.sound:
        sound = ", ".join(other.name for other in BOUNDS.values() if other.sound)
        raise UsageError(
            f"the bound {bound.name} cannot give a certificate: {bound.why_not}; use one of {sound}"
        )
    return bound
