"""Sampling until little of a radius is left to gain, with a fixed bound at full alpha at the stop.

At looks n_1 < ... < n_J, after which sampling may end, it ends at the first with few hits: K_j <=
c_j, where c_J = n_J. Then L(K_j, n_j) is claimed, the Clopper-Pearson lower bound at alpha that a
fixed number n_j of samples would have. Looking costs nothing, and all samples count:

    A claim is false if L(K_j, n_j) > p. Let h_j be the fewest hits of n_j whose bound is above p;
    P(K_j >= h_j) <= alpha for each j alone, as L is a bound. Let i be the first look with
    h_i <= c_i, which depends on p and on no sample. Before it a stop claims nothing false. So where
    a false claim is made, look i was reached, and had K_i >= h_i: either the claim was made there,
    or sampling went on, with K_i > c_i >= h_i. Hence P(a false claim) <= P(K_i >= h_i) <= alpha.

It holds for any c_j that were fixed beforehand. What it needs is that many hits go on and few end
the sampling, and this is also what saves samples: the higher p, the more of them a given share of
the radius takes. A rule that ends at many hits, as one with a target radius does, has to pay for
its looks (:mod:`rsonnx.statistics.adaptive`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from rsonnx.statistics import special
from rsonnx.statistics.adaptive import align_looks, look_schedule
from rsonnx.statistics.checks import check_alpha, check_count, check_samples, check_share
from rsonnx.statistics.clopper_pearson import clopper_pearson_lower

_SHARES = 64

FIRST_LOOK = 256
"""Samples before the first look: so few hits as end an input there are no accident by then."""


@dataclass(frozen=True)
class PrecisionRule:
    """When to stop, and what is then claimed; fixed before the first sample.

    Args:
        share: of a radius that may be left to gain, in (0, 1).
        n_max: the number of samples whose radius is aimed at, >= 1.
        alpha: probability of a false claim, in (0, 1).
        radius: of a lower bound on p, >= 0, not falling.
        batch: looks are at multiples of so many samples, >= 1.
    """

    share: float
    n_max: int
    alpha: float
    radius: Callable[[float], float]
    batch: int = 1
    _edges: dict[int, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        check_share("precision", self.share)
        check_samples("n", self.n_max)
        check_alpha(self.alpha)

    def bound(self, k: int, n: int) -> float:
        """Lower bound on p that is claimed where ``k`` hits in ``n`` samples ended the sampling."""
        return clopper_pearson_lower(k, n, self.alpha)

    def radius_at(self, k: int, n: int) -> float:
        """Return the radius that is claimed there."""
        return self.radius(self.bound(k, n))

    def expected(self, k: int, n: int) -> float:
        """Return the radius of ``n_max`` samples with the same share of hits, rounded down."""
        return self.radius_at(k * self.n_max // n, self.n_max)

    def suffices(self, k: int, n: int) -> bool:
        """Whether at most the share is left to gain: of what is expected, or of one unit if larger.

        A unit is the radius at p = Φ(1): of Gaussian noise, sigma.
        """
        expected = self.expected(k, n)
        return expected - self.radius_at(k, n) <= self.share * max(expected, self._unit)

    @cached_property
    def _unit(self) -> float:
        return self.radius(float(special.ndtr(1.0)))

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """After how many samples the hits are looked at; the last ends all."""
        looks = align_looks(look_schedule(self.n_max), self.batch)
        late = [n for n in looks if n >= FIRST_LOOK] or [self.n_max]
        last = next(n for n in late if self.suffices(n, n))
        return tuple(n for n in late if n <= last)

    def most_hits(self, n: int) -> int:
        """Return c_n: sampling ends at the look ``n`` with so many hits or fewer.

        The next more do not suffice, while fewer do, as far as one in 64 shares of hits shows.
        """
        if n == self.looks[-1]:
            return n
        if n not in self._edges:
            shares = [n * i // _SHARES for i in range(_SHARES + 1)]
            enough, more = next(pair for pair in pairwise(shares) if not self.suffices(pair[1], n))
            between = range(enough + 1, more)
            missing = bisect_left(between, True, key=lambda k: not self.suffices(k, n))
            self._edges[n] = enough + missing
        return self._edges[n]

    def stop_fault(self, k: int, n: int) -> str | None:
        """Return why no run has ``k`` hits in ``n`` samples at its end, in words; None if one has.

        Between two looks any hits are possible, so this is exact.
        """
        k, n = check_count(k, n)
        if n not in self.looks:
            return f"it stopped after {n:,} samples, where it never looks"
        if k > self.most_hits(n):
            return f"it stopped after {n:,} samples with {k:,} hits, where it goes on"
        for look in self.looks:
            if look < n and min(k, look) <= self.most_hits(look):
                return f"it drew {n:,} samples, but must have stopped after {look:,}"
        return None
