"""Adaptive certification: sample until a target is decided, and pay nothing for looking.

alpha is split once: alpha_e = 0.2·alpha for an e-process that may be looked at after every batch,
alpha_f = 0.8·alpha for one Clopper-Pearson bound at the ceiling ``n_max``. By the union bound both
hold at once with probability 1 - alpha, whatever made the sampling stop. Giving up where the goal
is out of reach costs power, never validity: it certifies nothing.

Probabilities stand for radii here: a target radius r is decided by p0 = Φ(r/sigma), rounded up.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.statistics.checks import check_alpha, check_count, check_samples, check_share
from rsonnx.statistics.clopper_pearson import clopper_pearson_lower, lower_as_recorded
from rsonnx.statistics.eprocess import (
    anytime_lower,
    chance_to_reach,
    check_null,
    check_process_alpha,
    fewest_hits_to_reject,
    fewest_samples_to_reject,
    rejects,
)
from rsonnx.statistics.rounding import as_recorded

PROCESS_SHARE = 0.2
FUTILITY = 1e-3
GROWTH = 1.05
_SAME_TARGET = 2.0**-46
"""How far two targets that are one may differ, relatively: a logarithm of a likelihood changes by
1.4e-14·n at most, of the 1e-13·n that the e-process leaves for errors, and a chance of n <= 2e6
samples by less than 1e-7 of itself, of the 1e-6 that spending leaves."""
FIRST_LOOK = 16
"""Earlier looks give up on inputs that the ceiling would certify, and save nothing to speak of."""


def target_as_recorded(target: float, recorded: float | None) -> float:
    """Return the target that a row has, where it is this one but for its last digits."""
    return as_recorded(target, recorded, partial(math.isclose, target, rel_tol=_SAME_TARGET))


class Verdict(StrEnum):
    """What an adaptive run knows after a look at its counts."""

    CONTINUE = "continue"
    """Undecided: draw the next batch."""

    CERTIFIED = "certified"
    """Every target is reached."""

    FUTILE = "futile"
    """The next target is out of reach of the samples that are left."""

    EXHAUSTED = "exhausted"
    """All ``n_max`` samples are drawn, and not every target is reached."""


@dataclass(frozen=True)
class AdaptiveRule:
    """When to stop, and what may then be claimed; fixed before the first sample.

    Args:
        targets: probabilities to exceed, one a target radius, strictly rising, each in [1/2, 1),
            and none above what n_max agreeing samples would reach.
        n_max: the most samples, >= 1.
        alpha: probability of any false claim, in (0, 1), with alpha·share <= 1/e.
        share: of alpha that the e-process gets, in (0, 1).
        futility: give up where reaching the next target is less likely than this, in [0, 1); 0
            never gives up early unless the target cannot be reached at all.
    """

    targets: tuple[float, ...]
    n_max: int = 100_000
    alpha: float = 0.001
    share: float = PROCESS_SHARE
    futility: float = FUTILITY

    def __post_init__(self) -> None:
        check_samples("n_max", self.n_max)
        check_alpha(self.alpha)
        check_share("share", self.share)
        if self.futility != 0:
            check_share("futility", self.futility)
        check_process_alpha(self.alpha_e)
        object.__setattr__(self, "targets", tuple(self.targets))
        if not self.targets:
            raise UsageError("no target is given, but an adaptive run needs at least one")
        for target in self.targets:
            check_null(target)
        if any(b <= a for a, b in zip(self.targets, self.targets[1:], strict=False)):
            raise UsageError(
                f"the targets are {list(self.targets)}, but they must rise from each to the next"
            )
        reachable = self.lower(self.n_max, self.n_max)
        if self.targets[-1] > reachable:
            raise UsageError(
                f"a target needs a probability above {self.targets[-1]:.9g}, but n_max = "
                f"{self.n_max:,} at alpha = {self.alpha:g} reaches {reachable:.9g} at most; use a "
                "larger n_max or a smaller target radius"
            )

    @property
    def alpha_e(self) -> float:
        """Probability of error of the e-process."""
        return self.alpha * self.share

    @property
    def alpha_f(self) -> float:
        """Probability of error of the bound at ``n_max``."""
        return self.alpha - self.alpha_e

    @cached_property
    def final_hits(self) -> tuple[int, ...]:
        """For each target, the fewest hits of ``n_max`` that certify it at the ceiling."""
        return tuple(
            bisect_left(
                range(self.n_max + 1),
                target,
                key=lambda k: clopper_pearson_lower(k, self.n_max, self.alpha_f),
            )
            for target in self.targets
        )

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """The numbers of samples at which the counts are looked at, free of charge."""
        earliest = fewest_samples_to_reject(self.targets[0], self.alpha_e)
        return look_schedule(self.n_max, through=earliest)

    def lower(self, k: int, n: int, near: float | None = None) -> float:
        """Lower bound on p that ``k`` hits in ``n`` samples support under this rule.

        Holds at any n at which the run stopped, or ever looked. Rounded down; 0 where it is not
        above 1/2. ``near`` is as of :func:`anytime_lower`.
        """
        k, n = check_count(k, n)
        if n > self.n_max:
            raise UsageError(f"n is {n}, but the rule draws at most n_max = {self.n_max} samples")
        final = clopper_pearson_lower(k, n, self.alpha_f) if n == self.n_max else 0.0
        final = lower_as_recorded(final, near, k, n, self.alpha_f)
        if final > 0.5 and not rejects(k, n, final, self.alpha_e):
            return final
        value = anytime_lower(k, n, self.alpha_e, near)
        # The bisection may stop a rounding error short of a target that was rejected outright.
        for target in self.targets:
            if target > value:
                if not rejects(k, n, target, self.alpha_e):
                    break
                value = target_as_recorded(target, near)
        return max(value, final if final > 0.5 else 0.0)

    def early_hits(self, target: int, looks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the fewest hits that certify a target at looks before ``n_max``.

        More hits than samples stand where none do.
        """
        return fewest_hits_to_reject(looks, self.targets[target], self.alpha_e)

    def reaches(self, k: int, n: int, target: int = 0) -> bool:
        """Whether ``k`` hits in ``n`` samples certify a target, at any look."""
        return rejects(k, n, self.targets[target], self.alpha_e) or (
            n == self.n_max and k >= self.final_hits[target]
        )

    def hopeless(self, k: int, n: int, target: int) -> bool:
        """Whether ``k`` hits in ``n`` samples leave a target no chance worth sampling on."""
        goal = self.final_hits[target]
        return k + self.n_max - n < goal or (
            chance_to_reach(k, n, self.n_max, goal) < self.futility
        )

    def start(self) -> AdaptiveDecision:
        """Return the state of a run that has no samples yet."""
        return AdaptiveDecision(self)


@dataclass
class AdaptiveDecision:
    """The state of one adaptive run.

    Attributes:
        rule: what decides.
        k, n: hits and samples so far.
        verdict: after the last update.
        reached: how many targets are certified, from the lowest.
        claim: the (hits, samples) of the look with the best bound, from which the rule derives
            :attr:`p_lower` again.
    """

    rule: AdaptiveRule
    k: int = 0
    n: int = 0
    verdict: Verdict = Verdict.CONTINUE
    reached: int = 0
    claim: tuple[int, int] = (0, 0)

    @property
    def p_lower(self) -> float:
        """Lower bound on p that may be claimed, rounded down; 0 where it is not above 1/2."""
        k, n = self.claim
        return self.rule.lower(k, n) if n else 0.0

    def update(self, k: int, n: int) -> Verdict:
        """Look at the hits and samples so far, and decide; anything but ``CONTINUE`` is final.

        Raises:
            UsageError: the counts contradict the ones before, or the run was already decided.
        """
        k, n = check_count(k, n)
        if self.verdict is not Verdict.CONTINUE:
            raise UsageError(f"the run was decided ({self.verdict}) at n = {self.n}: start another")
        if not self.n < n <= self.rule.n_max or not 0 <= k - self.k <= n - self.n:
            raise UsageError(
                f"the counts went from {self.k} of {self.n} to {k} of {n}, but they must grow, to "
                f"at most n_max = {self.rule.n_max} samples"
            )
        self.k, self.n = k, n
        while self.reached < len(self.rule.targets) and self.rule.reaches(k, n, self.reached):
            self.reached += 1
            self.claim = (k, n)
        self.verdict = self._decide()
        if self.verdict is not Verdict.CONTINUE and self.rule.lower(k, n) > self.p_lower:
            self.claim = (k, n)
        return self.verdict

    def _decide(self) -> Verdict:
        rule = self.rule
        if self.reached == len(rule.targets):
            return Verdict.CERTIFIED
        if self.n == rule.n_max:
            return Verdict.EXHAUSTED
        return Verdict.FUTILE if rule.hopeless(self.k, self.n, self.reached) else Verdict.CONTINUE


def look_schedule(n_max: int, *, through: int | None = None) -> tuple[int, ...]:
    """Return rising numbers of samples that grow by ``GROWTH`` and end at ``n_max``.

    ``through`` is a look to have among them, the earliest that can certify; the first is at
    ``FIRST_LOOK``, unless that is earlier.
    """
    looks: list[int] = []
    n = min(FIRST_LOOK, n_max if through is None else through)
    while n < n_max:
        looks.append(n)
        following = max(n + 1, math.floor(n * GROWTH))
        n = through if through is not None and n < through < following else following
    return (*looks, n_max)


def align_looks(looks: Sequence[int], batch: int) -> tuple[int, ...]:
    """Return ``looks`` rounded up to whole batches, the last one kept."""
    check_samples("batch", batch)
    last = looks[-1]
    rounded = {min(last, -(-n // batch) * batch) for n in looks}
    return tuple(sorted(rounded))
