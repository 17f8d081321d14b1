"""Certificates over an interval of a transformation: every image in it is near a certified one.

The interval is cut into cells, and the image in the centre of each stands for all of its cell: none
is farther from it in l2 than the cell's radius, by proof (:mod:`rsonnx.transforms.cover`). A centre
is certified where samples reject that its class has too small a probability for that radius. A row
claims all parameters up to a radius from the identity, before the nearest cell whose centre was not
certified.

Each centre is tested at the whole of alpha, once. Classes, cells and radii follow from the
selection samples alone. Of the cells whose class really has too small a probability, let B be the
nearest to the identity. What a row claims are parameters up to a distance, so a false claim reaches
into B or beyond it, and B was certified: which happens with probability alpha at most, whatever the
others do. (A test of hypotheses in a fixed order: Maurer, Hothorn & Lehmacher 1995; where all must
be rejected, Berger 1982.) It needs no independence of the centres' samples.

The selection samples are spread over a few parameters. What they tell of the probability there
chooses the cells' radii: with larger ones there are fewer cells, and each needs more samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import CoveredNoise, Law, Point
from rsonnx.procedures.abstain import certificate_or_reason
from rsonnx.procedures.adaptive import PROCESS_SHARE
from rsonnx.procedures.procedure import LOOK, Ask, Evidence, Figures, Procedure, Proof, Steps, Task
from rsonnx.procedures.result import ABSTAIN, AbstainReason, Certificate, Cover
from rsonnx.statistics import (
    AdaptiveRule,
    align_looks,
    check_alpha,
    check_samples,
    fewest_samples,
    stop_fault,
)
from rsonnx.transforms.cover import Cell, Interval

_RADII = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 2.0)
"""Radii that a cell may have, in standard deviations."""

_GUESSED = 0.6
"""Least probability for which radii are chosen: where it is lower, a centre soon ends the input."""


@dataclass(frozen=True)
class _Rule(AdaptiveRule):
    """Decides one centre."""

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """After how many samples the counts are looked at."""
        return align_looks(super().looks, LOOK)

    def fails(self, hits: int, samples: int) -> bool:
        """Whether a centre is given up."""
        spent = samples == self.n_max or self.hopeless(hits, samples, 0)
        return spent and not self.reaches(hits, samples)


@lru_cache(maxsize=256)
def _rule(target: float, n: int, alpha: float) -> _Rule:
    """Return what decides a centre; most centres of a run share a few."""
    return _Rule((target,), n, alpha, PROCESS_SHARE)


@dataclass(frozen=True)
class Covered(Procedure):
    """Certify an interval of a transformation by centres that cover it.

    Attributes:
        noise: Gaussian noise, with the transformation and its interval.
        n0: selection samples, over all parameters that they are spread over, >= 1.
        n: the most estimation samples of a centre, >= 1.
        alpha: probability of error of all that is claimed of one input, in (0, 1).

    Raises:
        UsageError: an argument is outside its range, or n is too small for any radius.
    """

    noise: CoveredNoise
    n0: int
    n: int
    alpha: float

    bound: str = field(init=False, default="cover")
    radius_rule: str = field(init=False, default="one-sided")
    num_classes: int | None = field(init=False, default=None)
    target_radii: tuple[float, ...] | None = field(init=False, default=None)

    fixed_n: ClassVar[bool] = False
    only_these: ClassVar[str] = (
        "stopped sampling once its centres were decided; certify again with other settings"
    )

    def __post_init__(self) -> None:
        self._settle(
            n0=check_samples("n0", self.n0),
            n=check_samples("n", self.n),
            alpha=check_alpha(self.alpha),
        )
        least = fewest_samples(min(self._needed.values()), self.alpha * (1.0 - PROCESS_SHARE))
        if self.n < least:
            raise UsageError(
                f"n = {self.n:,} samples of an image at alpha = {self.alpha:g} can never certify "
                f"anything; the smallest n that can is {least}"
            )

    @cached_property
    def _needed(self) -> dict[float, float]:
        """The radii that cells may have, rising, with the probability that each needs."""
        radii = (float(f"{share * self.noise.sigma:.12g}") for share in _RADII)
        return {radius: self.noise.drawn.probability_for(radius) for radius in radii}

    @cached_property
    def _targets(self) -> dict[float, float]:
        """Those of them that n samples can reach."""
        reachable = AdaptiveRule((0.5,), self.n, self.alpha, PROCESS_SHARE).lower(self.n, self.n)
        return {radius: p for radius, p in self._needed.items() if p <= reachable}

    def steps(self, task: Task) -> Steps[Certificate]:
        """Select a class and a cover, then look at all centres until each is decided.

        A centre that cannot be certified any more ends the sampling of all that are farther out.
        """
        images = self.noise.images(task.point)
        tried = yield self._selecting(task.point, images)
        selection = sum(tried, Counts([]))
        chosen = Evidence(selection, Counts([])).chosen
        cells = [] if chosen == ABSTAIN else self._cells(images, chosen, tried)
        near = [self.noise.nearest(cell.low, cell.high) for cell in cells]
        points = [self.noise.transformed(task.point, images, cell.centre) for cell in cells]
        rules = [self._rule(cell.radius) for cell in cells]
        counts = [Counts([])] * len(cells)
        undecided, reached = list(range(len(cells))), math.inf
        while undecided:
            looks = [next(n for n in rules[at].looks if n > counts[at].total) for at in undecided]
            more = yield [
                Ask(_stream(at), counts[at].total, look, points[at])
                for at, look in zip(undecided, looks, strict=True)
            ]
            going_on = []
            for at, answers in zip(undecided, more, strict=True):
                counts[at] += answers
                hits, samples = counts[at][chosen], counts[at].total
                if rules[at].fails(hits, samples):
                    reached = min(reached, near[at])
                elif not rules[at].reaches(hits, samples):
                    going_on.append(at)
            undecided = [at for at in going_on if near[at] < reached]
        return self.derive(_evidence(selection, Cover.of(cells), counts))

    @property
    def _spread(self) -> dict[float, tuple[int, int]]:
        """The parameters at which the class is selected, rising, with the samples of each."""
        low, high = self.noise.interval
        identity = self.noise.family.identity
        several = {low, (low + identity) / 2.0, identity, (identity + high) / 2.0, high}
        at = sorted(several) if self.n0 >= len(several) else [identity]
        ends = [round(self.n0 * k / len(at)) for k in range(len(at) + 1)]
        return dict(zip(at, pairwise(ends), strict=True))

    def _selecting(self, point: Point, images: Interval) -> list[Ask]:
        """Return what asks for the selection samples."""
        return [
            Ask("selection", *part, self.noise.transformed(point, images, parameter))
            for parameter, part in self._spread.items()
        ]

    def _cells(self, images: Interval, chosen: int, tried: Sequence[Counts]) -> list[Cell]:
        """Return the cells of an input, from the lowest on, as the selection samples suggest."""
        shares = [(counts[chosen] + 0.5) / (counts.total + 1.0) for counts in tried]

        def radii(parameter: float) -> list[float]:
            return self._radii(float(np.interp(parameter, [*self._spread], shares)))

        return sorted(images.cells(radii), key=lambda cell: cell.low)

    def _radii(self, p: float) -> list[float]:
        """Return the radii of cells where the class has probability ``p``, the cheapest first."""
        p = max(p, _GUESSED)

        def cost(radius: float) -> float:
            """Samples that decide a centre, by the rate of the evidence, for a unit of length."""
            target = self._targets[radius]
            if target >= p:
                return math.inf
            rate = p * math.log(p / target) + (1.0 - p) * math.log((1.0 - p) / (1.0 - target))
            return max(LOOK, -math.log(PROCESS_SHARE * self.alpha) / rate) / radius

        cheapest = min(self._targets, key=cost)
        return [radius for radius in self._targets if radius >= cheapest]

    def _rule(self, radius: float) -> _Rule:
        return _rule(self._targets[radius], self.n, self.alpha)

    def derive(self, evidence: Evidence) -> Certificate:
        """Claim what lies before the nearest cell that is not certified."""
        cover = evidence.cover
        if cover is None:
            raise UsageError("it has no cover, which every input of such a run has")
        if evidence.selection.total != self.n0:
            raise UsageError(
                f"it has {evidence.selection.total:,} selection samples, but n0 = {self.n0:,}"
            )
        self._check_cover(evidence, cover)
        certified = self._certified(cover)
        radius = self._reached(cover, certified)
        within = [
            self._targets[cell_radius]
            for at, cell_radius in enumerate(cover.radii)
            if certified[at] and self.noise.nearest(*cover.edges[at : at + 2]) < radius
        ]
        certificate = certificate_or_reason(
            self, evidence, min(within, default=0.0), radius, certified=radius > 0.0
        )
        if evidence.chosen == ABSTAIN or radius == self.noise.farthest:
            return certificate
        if certificate.reason is not None and not cover.centres:
            certificate = replace(certificate, reason=AbstainReason.LOOSE_BOUND)
        return replace(certificate, explanation=self._explain(evidence.chosen, cover, radius))

    def _check_cover(self, evidence: Evidence, cover: Cover) -> None:
        """Refuse a cover that is none of this interval, or whose samples are not those counted."""
        low, high = self.noise.interval
        identity = self.noise.family.identity
        edges = cover.edges or (identity, identity)
        if not low <= edges[0] <= identity <= edges[-1] <= high:
            raise UsageError(
                f"its cover is from {edges[0]} to {edges[-1]}, which is not around {identity:g} "
                f"from {low:g} to {high:g}"
            )
        if unknown := set(cover.radii) - self._targets.keys():
            raise UsageError(f"its cover has the radius {min(unknown)}, which no cell may have")
        if max(cover.samples, default=0) > self.n:
            raise UsageError(f"a centre has {max(cover.samples):,} samples, but n = {self.n:,}")
        counted = (evidence.hits, evidence.estimation.total)
        if counted != (sum(cover.hits), sum(cover.samples)):
            raise UsageError(
                f"its centres have {sum(cover.hits):,} hits in {sum(cover.samples):,} samples, but "
                f"the counts {counted[0]:,} in {counted[1]:,}"
            )

    def _certified(self, cover: Cover) -> list[bool]:
        """Return of which centres the samples reject too small a probability."""
        counted = zip(cover.radii, cover.hits, cover.samples, strict=True)
        return [n > 0 and self._rule(radius).reaches(hits, n) for radius, hits, n in counted]

    def _open(self, cover: Cover, certified: Sequence[bool]) -> Iterator[tuple[float, int | None]]:
        """Yield how near to the identity comes what is not certified, and which cell it is."""
        if not cover.centres:
            yield 0.0, None
            return
        for at, done in enumerate(certified):
            if not done:
                yield self.noise.nearest(*cover.edges[at : at + 2]), at
        for edge, end in zip((cover.edges[0], cover.edges[-1]), self.noise.interval, strict=True):
            if edge != end:
                yield self.noise.from_identity(edge), None

    def _reached(self, cover: Cover, certified: Sequence[bool]) -> float:
        nearest = min((near for near, _ in self._open(cover, certified)), default=math.inf)
        return min(nearest, self.noise.farthest)

    def _explain(self, chosen: int, cover: Cover, radius: float) -> str:
        """Return which cell ends the claim, and why."""
        unit = self.noise.unit
        here = [at for near, at in self._open(cover, self._certified(cover)) if near == radius]
        at = next((at for at in here if at is not None), None)
        if at is None:
            return (
                f"from {radius:g}{unit} on the image moves too far at a step for any radius that "
                f"n = {self.n:,} samples can certify; use a larger sigma or n"
            )
        low, high = cover.edges[at : at + 2]
        return (
            f"the image at {cover.centres[at]:g}{unit}, which stands for {low:g} to {high:g}, has "
            f"class {chosen} in {cover.hits[at]:,} of {cover.samples[at]:,} samples, too few to "
            f"be sure of it within {cover.radii[at]:g} in l2"
        )

    def check(self, evidence: Evidence, uniform: float | None) -> Iterator[str]:
        """Yield where the sampling of a centre cannot have stopped, as well."""
        yield from super().check(evidence, uniform)
        cover = evidence.cover or Cover()
        near = [self.noise.nearest(cell.low, cell.high) for cell in cover.cells]
        counted = [*zip(cover.hits, cover.samples, strict=True)]
        certified = self._certified(cover)
        faults: list[str | None] = []
        for radius, own, done in zip(cover.radii, counted, certified, strict=True):
            rule = self._rule(radius)
            bound = rule.targets[0] if done else rule.lower(*own)
            faults.append(stop_fault(rule, rule.looks, *own, own if bound else (0, 0), bound))
        sound = zip(near, certified, faults, strict=True)
        ended = min((n for n, done, fault in sound if not (done or fault)), default=math.inf)
        for at, fault in enumerate(faults):
            # A centre is left undecided where a nearer one is given up.
            left = (
                not certified[at]
                and near[at] >= ended
                and counted[at][1] in self._rule(cover.radii[at]).looks
            )
            if fault is not None and not left:
                yield f"the centre at {cover.centres[at]:g}: {fault}"

    def check_input(self, evidence: Evidence, point: Point) -> Iterator[str]:
        """Yield which cells hold images that are farther from their centre than they say."""
        images = self.noise.images(point)
        for cell in (evidence.cover or Cover()).cells:
            far = images.farthest(cell)
            if not far <= cell.radius:
                yield (
                    f"the images from {cell.low} to {cell.high} are up to {far:.6g} from that at "
                    f"{cell.centre}, but the cell has the radius {cell.radius:g}"
                )

    def streams(self, evidence: Evidence) -> Mapping[str, Sequence[int]]:
        """Return how many samples were drawn of each stream; each centre has its own."""
        return {**super().streams(evidence), "estimation": (evidence.cover or Cover()).samples}

    def prove(self, figures: Figures) -> Proof:
        """No integer arithmetic covers the e-process."""
        del figures
        return Proof()

    def again(self, task: Task, evidence: Evidence) -> Steps[Certificate]:
        """Ask for the same samples of the same images."""
        images, cover = self.noise.images(task.point), evidence.cover or Cover()
        asks = self._selecting(task.point, images)
        first = len(asks)
        for at, (cell, samples) in enumerate(zip(cover.cells, cover.samples, strict=True)):
            centre = self.noise.transformed(task.point, images, cell.centre)
            asks.append(Ask(_stream(at), 0, samples, centre))
        counted = yield asks
        selection = sum(counted[:first], Counts([]))
        return self.derive(_evidence(selection, cover, counted[first:]))

    @property
    def largest_radius(self) -> float:
        """The end of the interval that is farther from the identity."""
        return self.noise.farthest

    @property
    def words(self) -> str:
        """How many samples of an input are drawn, and what they decide."""
        return (
            f"n0 = {self.n0:,} an input, and of each image that covers {self.noise.label} as many "
            f"as decide it, at most n = {self.n:,}, alpha = {self.alpha:g}"
        )

    @classmethod
    def recorded(cls, fields: Mapping[str, Any], noise: Law, shape: tuple[int, ...]) -> Self:
        """Return the procedure that :meth:`to_json` recorded."""
        del shape
        if not isinstance(noise, CoveredNoise):
            raise UsageError(f"{noise.name} noise has no interval to be covered")
        return cls(noise, fields["n0"], fields["n"], fields["alpha"])


def _stream(at: int) -> str:
    """Return the name of the stream of a centre's samples, by its number from the lowest."""
    return f"estimation {at}"


def _evidence(selection: Counts, cover: Cover, counts: Sequence[Counts]) -> Evidence:
    """Return what was counted of the centres of a cover, whose own numbers are replaced."""
    evidence = Evidence(selection, sum(counts, Counts([])))
    hits = tuple(own[evidence.chosen] if own.total else 0 for own in counts)
    samples = tuple(own.total for own in counts)
    return replace(evidence, cover=replace(cover, hits=hits, samples=samples))
