"""What samples can show and cost before they are paid for: largest radius, least n, chances."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rsonnx.errors import UsageError
from rsonnx.noise import CoveredNoise, Law, check_law
from rsonnx.procedures.adaptive import Adaptive
from rsonnx.procedures.covered import Covered
from rsonnx.procedures.enumerated import Enumerated
from rsonnx.procedures.precise import Precise
from rsonnx.procedures.radii import default_radii, radius_text
from rsonnx.scalars import as_float, shown
from rsonnx.statistics import (
    chance_to_certify,
    check_alpha,
    check_samples,
    expected_end,
    expected_radius,
    fewest_samples,
    fewest_samples_to_exceed_half,
    largest_bound,
    operating_point,
    samples_for_chance,
)
from rsonnx.statistics.checks import MOST_SAMPLES
from rsonnx.statistics.spending import FINAL_SHARE

DEFAULT_N = 100_000
SELECTION_SAMPLES = 100
"""The n0 of ``rsonnx certify``."""
PILOT_SAMPLES = 64
"""Samples on each input from which the cost of an adaptive run is estimated."""

PROBABILITIES = (
    *(0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99),
    *(0.995, 0.998, 0.999, 0.9995, 0.9999),
)  # fmt: skip
CHANCE = 0.9
"""Chance at which a fixed n is called enough."""


@dataclass(frozen=True)
class Target:
    """A radius to be certified, and what it asks for.

    Attributes:
        radius: in the noise's norm.
        probability: p that must be exceeded, rounded up.
        smallest_n: least fixed n that can certify it: if all samples agree.
        smallest_ceiling: the same for the ceiling of an adaptive run.
    """

    radius: float
    probability: float
    smallest_n: int
    smallest_ceiling: int


@dataclass(frozen=True)
class Expected:
    """What to expect where the class has probability ``p``.

    Attributes:
        p: true probability of the class.
        true_radius: what endless samples would certify.
        chances: of n fixed samples to certify each of the plan's radii.
        samples_for_chance: fixed samples that certify the largest of them with a chance of 90 %, to
            within 1 %; None where no number does.
        adaptive_chance: the same chance of an adaptive run up to n; None where there is none.
        adaptive_samples: how many it draws on average, or one that stops for precision; None where
            there is neither.
        lost: of the radius of n samples on average, by the latter, a share; None where there is
            none.
    """

    p: float
    true_radius: float
    chances: tuple[float, ...]
    samples_for_chance: int | None
    adaptive_chance: float | None
    adaptive_samples: float | None
    lost: float | None = None


@dataclass(frozen=True)
class Plan:
    """What can be certified with noise of a law.

    Attributes:
        noise: the law.
        alpha: probability of error an input; 0 where everything is counted.
        n: samples an input, or all changes that the noise can make.
        largest_radius: if all of them agree, rounded down.
        target: the radius to be certified; None where none was named.
        radii: those of the table, rising.
        table: one line a p, rising; empty where everything is counted.
        adaptive: the procedure that decides the target, None where n is too low a ceiling for it,
            or the one that stops for precision.
        cover: the procedure that certifies several images of an input, where the noise asks for it;
            then there is no target, and no table.
    """

    noise: Law
    alpha: float
    n: int
    largest_radius: float
    target: Target | None = None
    radii: tuple[float, ...] = ()
    table: tuple[Expected, ...] = ()
    adaptive: Adaptive | Precise | None = None
    cover: Covered | None = None

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        law = self.noise
        return {
            "noise": law.to_json() | {"label": law.label},
            "sigma": law.deviation,
            "alpha": self.alpha,
            "n": self.n,
            "largest_radius": self.largest_radius,
            "target": None if self.target is None else asdict(self.target),
            "radii": list(self.radii),
            "table": [asdict(line) for line in self.table],
            **({"evaluations": self.n} if law.enumerated else {}),
            **({"fewest_samples": self.cover.fewest} if self.cover else {}),
        }


@dataclass(frozen=True)
class Cost:
    """Samples and seconds of one input, and the seconds of all of them.

    An adaptive run's are an estimate from ``inputs_tried`` of them; None for no estimate.
    """

    samples_per_input: float
    seconds_per_input: float
    seconds: float
    inputs_tried: int | None = None


@dataclass(frozen=True)
class MachineTime:
    """How long a plan takes on this machine, by its speed on the first of ``inputs``.

    ``fixed`` and ``adaptive`` are the two ways to sample; None for one that is not planned.
    ``images`` is how many images covered an input on average, where several are certified.
    """

    provider: str
    batch_size: int | None
    samples_per_second: float
    inputs: int
    fixed: Cost | None
    adaptive: Cost | None
    images: float | None = None


def plan(
    noise: Law,
    *,
    n: int | None = None,
    alpha: float = 0.001,
    target_radius: float | None = None,
    precision: float | None = None,
    shape: tuple[int, ...] = (),
) -> Plan:
    """Say what a number of samples can certify.

    Args:
        noise: the law.
        n: fixed samples, or the ceiling of adaptive ones; None takes 100,000, or ten times the
            least that can reach the target if that is more.
        alpha: probability of a wrong statement, in (0, 1).
        target_radius: the radius to be certified, > 0 and in the law's norm; None for a table.
        precision: or the share of each radius that may be lost for fewer samples, in (0, 1).
        shape: of an input, where the law counts everything, which takes neither n nor alpha.

    Raises:
        UsageError: an argument is outside its range, or no certificate can come of it.

    >>> rsonnx.plan(rsonnx.noise.Gaussian(0.5), target_radius=0.5).target.smallest_n
    40
    """
    if check_law(noise).enumerated:
        everything = Enumerated(noise, shape)
        return Plan(noise, 0.0, everything.n, everything.largest_radius)
    if isinstance(noise, CoveredNoise):
        if target_radius is not None or precision is not None:
            raise UsageError(
                f"{noise.name} noise certifies as far as it can, up to {noise.farthest:g}"
                f"{noise.unit}, so there is no target radius and no precision; leave them out"
            )
        cover = Covered(noise, SELECTION_SAMPLES, DEFAULT_N if n is None else n, alpha)
        return Plan(noise, alpha, cover.n, cover.largest_radius, cover=cover)
    alpha = check_alpha(alpha)
    if target_radius is not None and precision is not None:
        raise UsageError("a target radius and a precision end sampling otherwise; give one of them")
    target = None if target_radius is None else _target(noise, target_radius, alpha)
    n = _samples(noise, n, alpha, target)
    largest = noise.radius(largest_bound(n, alpha))
    adaptive: Adaptive | Precise | None = None
    if target is None:
        radii = default_radii(largest, whole=noise.measure.whole)
        if precision is not None:
            adaptive = Precise(noise, SELECTION_SAMPLES, n, alpha, precision)
    else:
        radii = (target.radius,)
        reached = n >= target.smallest_ceiling
        adaptive = Adaptive(noise, SELECTION_SAMPLES, n, alpha, radii) if reached else None
    table = tuple(_table(noise, n, alpha, radii, adaptive))
    return Plan(noise, alpha, n, largest, target, radii, table, adaptive)


def _target(noise: Law, radius: float, alpha: float) -> Target:
    number = as_float(radius)
    if not 0.0 < number < math.inf:
        raise UsageError(f"the target radius is {shown(radius)}, but a number above 0 was expected")
    radius = number
    p = max(0.5, noise.probability_for(radius))
    try:
        fixed = fewest_samples(p, alpha)
        # The bound at the ceiling of an adaptive run has a share of alpha.
        ceiling = fewest_samples(p, alpha * FINAL_SHARE)
    except UsageError:
        most = noise.radius(largest_bound(MOST_SAMPLES, alpha))
        raise UsageError(
            f"the target radius {radius!r} is out of reach: {MOST_SAMPLES:,} samples of "
            f"{noise.label} at alpha = {alpha:g} reach at most {radius_text(most)}; use a smaller "
            "radius or wider noise"
        ) from None
    return Target(radius, p, fixed, ceiling)


def _samples(noise: Law, n: int | None, alpha: float, target: Target | None) -> int:
    least = fewest_samples_to_exceed_half(alpha)
    if n is None:
        least = least if target is None else target.smallest_ceiling
        return max(DEFAULT_N, min(MOST_SAMPLES, 10 * least))
    n = check_samples("n", n)
    if n < least:
        raise UsageError(
            f"n = {n} at alpha = {alpha:g} can never certify anything; the smallest n that can is "
            f"{least}"
        )
    if target is not None and n < target.smallest_n:
        most = noise.radius(largest_bound(n, alpha))
        raise UsageError(
            f"the target radius {target.radius!r} is above {radius_text(most)}, the largest that "
            f"n = {n:,} samples of {noise.label} at alpha = {alpha:g} can reach; it needs n = "
            f"{target.smallest_n:,} or more"
        )
    return n


def _table(
    noise: Law, n: int, alpha: float, radii: Sequence[float], adaptive: Adaptive | Precise | None
) -> Iterator[Expected]:
    needed = [noise.probability_for(radius) if radius else 0.5 for radius in radii]
    probabilities = list(PROBABILITIES)
    # Further nines until one is above what the largest radius asks for.
    for nines in range(5, 16):
        if probabilities[-1] <= needed[-1]:
            probabilities.append(float(f"0.{'9' * nines}"))
    for p in probabilities:
        chance = samples = lost = None
        if isinstance(adaptive, Adaptive):
            point = operating_point(adaptive.rule, p, adaptive.looks)
            chance, samples = _share(point.certified[-1]), point.samples
        elif adaptive is not None:
            samples, radius = expected_end(adaptive.rule, p)
            whole = expected_radius(adaptive.rule, p)
            lost = _share(1.0 - radius / whole) if whole else None
        yield Expected(
            p,
            noise.radius(p),
            tuple(_share(chance_to_certify(p, n, q, alpha)) for q in needed),
            samples_for_chance(p, needed[-1], alpha, CHANCE, MOST_SAMPLES),
            chance,
            samples,
            lost,
        )


def _share(chance: float) -> float:
    """Return a chance that rounding errors may have put a little outside [0, 1]."""
    return min(1.0, max(0.0, chance))
