"""Certificates of all that a transformation makes of an image: each is near a certified one.

An interval is cut into cells, and the image in the centre of each stands for all of its cell: none
is farther from it in l2 than the cell's radius, by proof (:mod:`rsonnx.transforms.cover`). Whole
pixels have a cell and an image each, of the radius 0. A centre is certified where samples reject
that its class has too small a probability for that radius. A row claims all parameters up to a
radius from the identity, before the nearest cell whose centre was not certified.

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
from rsonnx.noise import Cover, CoveredNoise, Law, Point
from rsonnx.procedures.abstain import certificate_or_reason
from rsonnx.procedures.adaptive import PROCESS_SHARE
from rsonnx.procedures.evidence import Evidence, Figures, Proof
from rsonnx.procedures.procedure import LOOK, Ask, Procedure, Steps, Task
from rsonnx.procedures.result import ABSTAIN, AbstainReason, Certificate
from rsonnx.statistics import (
    AdaptiveRule,
    align_looks,
    check_alpha,
    check_samples,
    fewest_samples,
    stop_fault,
    target_as_recorded,
)

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
    """Certify what a transformation makes of an image by centres that cover it.

    Attributes:
        noise: Gaussian noise, with the transformation and its parameters.
        n0: selection samples, over all parameters that they are spread over, >= 1.
        n: the most estimation samples of a centre, >= 1.
        alpha: probability of error of all that is claimed of one input, in (0, 1).

    Raises:
        UsageError: an argument is outside its range, or n is too small for any radius.
    """

    noise: CoveredNoise[Any]
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
        drawn = self.noise.drawn
        return {r: drawn.probability_for(r) if r else 0.5 for r in self.noise.cell_radii}

    @cached_property
    def _targets(self) -> dict[float, float]:
        """Those of them that n samples can reach."""
        reachable = AdaptiveRule((0.5,), self.n, self.alpha, PROCESS_SHARE).lower(self.n, self.n)
        return {radius: p for radius, p in self._needed.items() if p <= reachable}

    def steps(self, task: Task) -> Steps[Certificate]:
        """Select a class and a cover, then look at all centres until each is decided.

        A centre that cannot be certified any more ends the sampling of all that are farther out.
        """
        tried = yield self._selecting(task.point)
        selection = sum(tried, Counts([]))
        chosen = Evidence(selection, Counts([])).chosen
        cover = Cover() if chosen == ABSTAIN else self._cover(task.point, chosen, tried)
        near = self.noise.nearest(cover)
        points = [self.noise.image(task.point, centre) for centre in cover.centres]
        rules = [self._rule(radius) for radius in cover.radii]
        counts = [Counts([])] * len(rules)
        undecided, reached = list(range(len(rules))), math.inf
        while undecided:
            nearest = near[undecided[0]]
            asked = [at for at in undecided if not self.noise.in_turn or near[at] == nearest]
            looks = [next(n for n in rules[at].looks if n > counts[at].total) for at in asked]
            more = yield [
                Ask(_stream(at), counts[at].total, look, points[at])
                for at, look in zip(asked, looks, strict=True)
            ]
            going_on = []
            for at, answers in zip(asked, more, strict=True):
                counts[at] += answers
                hits, samples = counts[at][chosen], counts[at].total
                if rules[at].fails(hits, samples):
                    reached = min(reached, near[at])
                elif not rules[at].reaches(hits, samples):
                    going_on.append(at)
            going_on += undecided[len(asked) :]  # all of whom come behind
            undecided = [at for at in going_on if near[at] < reached]
        return self.derive(_evidence(selection, cover, counts))

    @property
    def _spread(self) -> dict[Any, tuple[int, int]]:
        """The parameters at which the class is selected, with the samples of each."""
        several = self.noise.selecting
        few = self.n0 < len(several)
        at = [min(several, key=self.noise.from_identity)] if few else several
        ends = [round(self.n0 * k / len(at)) for k in range(len(at) + 1)]
        return dict(zip(at, pairwise(ends), strict=True))

    def _selecting(self, point: Point) -> list[Ask]:
        """Return what asks for the selection samples."""
        return [
            Ask("selection", *part, self.noise.image(point, parameter))
            for parameter, part in self._spread.items()
        ]

    def _cover(self, point: Point, chosen: int, tried: Sequence[Counts]) -> Cover:
        """Return the cells of an input, as the selection samples suggest."""
        shares = [(counts[chosen] + 0.5) / (counts.total + 1.0) for counts in tried]

        def radii(parameter: float) -> list[float]:
            return self._radii(float(np.interp(parameter, [*self._spread], shares)))

        return self.noise.cover(point, radii)

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
        certified, near = self._certified(cover), self.noise.nearest(cover)
        reached = self._reached(cover, certified)
        radius = self.noise.radius_before(reached)
        within = [
            self._targets[cover.radii[at]]
            for at, done in enumerate(certified)
            if done and near[at] < reached
        ]
        p_a_lower = target_as_recorded(min(within, default=0.0), evidence.near)
        certificate = certificate_or_reason(
            self, evidence, p_a_lower, radius, certified=reached > 0.0
        )
        if evidence.chosen == ABSTAIN or reached == math.inf:
            return certificate
        if certificate.reason is not None and not cover.centres:
            certificate = replace(certificate, reason=AbstainReason.LOOSE_BOUND)
        return replace(certificate, explanation=self._explain(evidence.chosen, cover, reached))

    def _check_cover(self, evidence: Evidence, cover: Cover) -> None:
        """Refuse a cover that is none of this noise, or whose samples are not those counted."""
        if cover.centres or evidence.chosen != ABSTAIN:
            self.noise.check_cover(cover)
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

    def _reached(self, cover: Cover, certified: Sequence[bool]) -> float:
        """Return how near to the identity comes what is not certified; infinite for nothing."""
        near = zip(self.noise.nearest(cover), certified, strict=True)
        open_cells = (at for at, done in near if not done)
        return min(self.noise.left_out(cover), min(open_cells, default=math.inf))

    def _explain(self, chosen: int, cover: Cover, reached: float) -> str:
        """Return which cell ends the claim, and why."""
        ends = zip(self.noise.nearest(cover), self._certified(cover), strict=True)
        at = next((at for at, end in enumerate(ends) if end == (reached, False)), None)
        if at is None:
            return (
                f"from {reached:g}{self.noise.unit} on the image moves too far at a step for any "
                f"radius that n = {self.n:,} samples can certify; use a larger sigma or n"
            )
        radius = cover.radii[at]
        return (
            f"the image {self.noise.described(cover, at)} has class {chosen} in "
            f"{cover.hits[at]:,} of {cover.samples[at]:,} samples, too few to be sure of it"
            + (f" within {radius:g} in l2" if radius else "")
        )

    def check(self, evidence: Evidence, uniform: float | None) -> Iterator[str]:
        """Yield where the sampling of a centre cannot have stopped, as well."""
        yield from super().check(evidence, uniform)
        cover = evidence.cover or Cover()
        near = self.noise.nearest(cover)
        counted = [*zip(cover.hits, cover.samples, strict=True)]
        certified = self._certified(cover)
        faults: list[str | None] = []
        for radius, own, done in zip(cover.radii, counted, certified, strict=True):
            rule = self._rule(radius)
            if not own[1]:
                faults.append("it has no samples")
                continue
            bound = rule.targets[0] if done else rule.lower(*own)
            faults.append(stop_fault(rule, rule.looks, *own, own if bound else (0, 0), bound))
        sound = zip(near, certified, faults, strict=True)
        ended = min((n for n, done, fault in sound if not (done or fault)), default=math.inf)
        for at, fault in enumerate(faults):
            # A centre is left undecided, or not even begun, where a nearer one is given up.
            left = (
                not certified[at]
                and near[at] >= ended
                and counted[at][1] in (0, *self._rule(cover.radii[at]).looks)
            )
            if fault is not None and not left:
                yield f"the image {self.noise.described(cover, at)} is unsound: {fault}"

    def check_input(self, evidence: Evidence, point: Point) -> Iterator[str]:
        """Yield which cells hold images that are farther from their centre than they say."""
        yield from self.noise.misplaced(point, evidence.cover or Cover())

    def streams(self, evidence: Evidence) -> Mapping[str, Sequence[int]]:
        """Return how many samples were drawn of each stream; each centre has its own."""
        return {**super().streams(evidence), "estimation": (evidence.cover or Cover()).samples}

    def prove(self, figures: Figures) -> Proof:
        """No integer arithmetic covers the e-process."""
        del figures
        return Proof()

    def again(self, task: Task, evidence: Evidence) -> Steps[Certificate]:
        """Ask for the same samples of the same images."""
        cover, asks = evidence.cover or Cover(), self._selecting(task.point)
        first = len(asks)
        for at, (centre, samples) in enumerate(zip(cover.centres, cover.samples, strict=True)):
            if samples:
                asks.append(Ask(_stream(at), 0, samples, self.noise.image(task.point, centre)))
        counted = yield asks
        selection, drawn = sum(counted[:first], Counts([])), iter(counted[first:])
        counts = [next(drawn) if samples else Counts([]) for samples in cover.samples]
        return self.derive(_evidence(selection, cover, counts))

    @property
    def largest_radius(self) -> float:
        """The parameter that is farthest from the identity."""
        return self.noise.farthest

    @property
    def fewest(self) -> int | None:
        """The least samples that certify all of any input; None where that depends on it."""
        images, first = self.noise.centres, self._rule(min(self._targets)).looks[0]
        return None if images is None else self.n0 + images * first

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
