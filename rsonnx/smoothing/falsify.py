"""Look for a point near an input at which the smoothed classifier answers another class.

The direction comes from the certificate's own noise. Where the samples of an input leave its class,
they lie, on average, to the side on which that class ends: for Gaussian noise the mean of the noise
weighted by the answers is, up to a factor, the gradient of their probabilities (Stein's lemma). So
no gradient of the model is needed. The walk along it stops where two classes are answered equally
often, and there the samples tell the direction best, so it is taken anew.

Nothing of this claims anything: what is found is one candidate, which :func:`confirm` tests on
samples that the search has not seen.
"""

from __future__ import annotations

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rsonnx.arguments import check_positive
from rsonnx.noise import Law, NoisyStream, Point
from rsonnx.noise.space import LEVELS, beyond_numbers
from rsonnx.procedures import Prediction, predict_from_counts
from rsonnx.runtime import CountRequest, Progress, checked_labels
from rsonnx.runtime.thread_engine import usual_batch
from rsonnx.smoothing.classifier import SmoothedClassifier
from rsonnx.smoothing.votes import Votes

SEARCH, CONFIRMATION, SECOND = (
    "falsify search",
    "falsify confirmation",
    "falsify second confirmation",
)
"""Names of the streams: their samples are independent of each other and of all that certified."""

NO_DIRECTION, NOT_REACHED = "no-direction", "not-reached"

_NORMAL = NormalDist()

_ENOUGH, _WIDEST = 20, 4
"""Samples that left the class, of which a direction is made; where fewer do, the noise is stretched
up to so many times, since any direction may be tried."""

_FIRST = 1.3
"""Where the walk looks first, in radii."""

_LOOKS, _NEAR = 6, 0.25
"""How often a walk looks for the boundary, with a fifth of the draws, and how near it is near
enough: Φ⁻¹ of a share."""

_BACK, _ON = 0.5, 0.6
"""How far from one look to the next at most, in the distance of the one before; onward it may be as
far as raises the margin by as much in the linear picture."""

_LEAST_SLOPE = 0.2
"""Of Φ⁻¹ of the share, relative to that of a linear classifier with the certified radius."""

_SPAN = 64
"""Samples that a thread takes at a time, at least; whole blocks."""

_SURE = 2.5
"""Standard deviations by which a confirmation is expected to succeed: 99 of 100 do."""


@dataclass(frozen=True)
class Effort:
    """How many samples falsifying an input may take.

    Attributes:
        draws: samples of an estimate of the direction, >= 1.
        rounds: how often the direction is taken anew, >= 1.
        samples: of the confirmation, >= 1.
    """

    draws: int = 5_000
    rounds: int = 6
    samples: int = 20_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, check_positive(name, value))

    @property
    def most(self) -> int:
        """How many samples an input takes at most, but for a break inside its radius."""
        looks = (_LOOKS - 1) * max(1, self.draws // 5)
        first = self.draws * (_WIDEST.bit_length() + 2)
        return first + (self.rounds + 1) * (self.draws + looks) + self.samples


@dataclass(frozen=True)
class Start:
    """What is known of an input before the search.

    Attributes:
        point: the input.
        label: the class that is certified.
        radius: within which, > 0.
        share: of the samples of the two most frequent classes, the most that the second one may
            have, in (0, 1/2): what the radius follows from.
    """

    point: Point
    label: int
    radius: float
    share: float


@dataclass(frozen=True)
class Candidate:
    """Where a search ended.

    Attributes:
        point: where another class is likely to be answered; None where there is none.
        reason: why there is none: ``"no-direction"``, no sample left the class; ``"not-reached"``,
            the class stays as far as the bounds of an input go.
        samples: how many were drawn.
    """

    point: Point | None
    reason: str | None
    samples: int


def distance_between(law: Law, one: Point, other: Point) -> float:
    """Return how far apart two points of a space are in the norm of a law, rounded up."""
    change = other.data.astype(np.float64) - one.data
    return law.length(change * one.space.step if one.arithmetic == "exact" else change)


def confirm(
    smoothed: SmoothedClassifier,
    point: Point,
    stream: str,
    *,
    seed: int,
    samples: int,
    alpha: float,
    progress: Progress | None = None,
) -> Prediction:
    """Return the smoothed classifier's answer at a candidate: PREDICT, arXiv 1902.02918.

    Args:
        smoothed: the smoothed classifier.
        point: the candidate, fixed before.
        stream: ``CONFIRMATION`` or ``SECOND``.
        seed: of the noise, >= 0.
        samples: how many, >= 1.
        alpha: probability of an answer that is not the smoothed classifier's, in (0, 1).
        progress: called with the number of samples counted since its last call.
    """
    request = CountRequest(smoothed.stream(point, stream, seed), 0, samples)
    return predict_from_counts(smoothed.count([request], progress)[0], alpha=alpha)


def search(
    smoothed: SmoothedClassifier,
    start: Start,
    *,
    seed: int,
    alpha: float,
    effort: Effort,
    progress: Progress | None = None,
) -> Candidate:
    """Look for a point, within the bounds of an input and on its grid, of another answer.

    Args:
        smoothed: the smoothed classifier.
        start: the input and its certificate.
        seed: of the noise, >= 0. The same seed and input give the same candidate whatever the batch
            size and the number of threads.
        alpha: at which a candidate will be confirmed.
        effort: how many samples it takes.
        progress: called with the number of samples drawn since its last call.

    Raises:
        UsageError: the noise measures its radii in no distance.
        InferenceError: the base classifier failed.
    """
    own = _Search(smoothed, start, seed, effort, progress)
    point, reason = own.run(-_NORMAL.inv_cdf(alpha / 2))
    return Candidate(point, reason, own.drawn)


@dataclass(frozen=True)
class _Ray:
    """The way from an input along a direction, which goes on along the bounds where it meets them.

    Attributes:
        law: in whose norm distances are.
        point: the input.
        direction: in the input's shape, not 0; of any length.
    """

    law: Law
    point: Point
    direction: NDArray[np.float64]

    @cached_property
    def _step(self) -> NDArray[np.float64]:
        """A change of length 1, in levels or in values as the input is given."""
        steepest = self.law.measure.steepest
        step = self.direction if steepest is None else steepest(self.direction)
        return step / self._length(step)

    def _length(self, change: NDArray[np.float64]) -> float:
        exact = self.point.arithmetic == "exact"
        return self.law.length(change * self.point.space.step if exact else change)

    def _changed(self, length: float) -> NDArray[np.float64]:
        """Return the input changed by a step of a length, but for what leaves the bounds."""
        x, space = self.point.data.astype(np.float64), self.point.space
        low, high = (0, LEVELS) if self.point.arithmetic == "exact" else space.bounds
        return np.clip(x + length * self._step, np.minimum(low, x), np.maximum(high, x))

    def at(self, distance: float) -> Point:
        """Return the point of the way at a distance, on the grid; the last one if it ends before.

        Bounds shorten a step, so it is lengthened until what is left of it is long enough.
        """
        x, low, high = self.point.data, distance, distance
        reached = self._length(self._changed(high) - x)
        while reached < distance:
            low, high, before = high, 2 * high, reached
            reached = self._length(self._changed(high) - x)
            if reached == before:
                break
        for _ in range(40):
            middle = (low + high) / 2
            short = self._length(self._changed(middle) - x) < distance
            low, high = (middle, high) if short else (low, middle)
        y = self._changed(high)
        if self.point.arithmetic == "exact":
            return self.point.space.point(np.rint(y).astype(np.uint8))
        return self.point.space.point(y, "float")


class _Search:
    """One search, and how many samples it has drawn."""

    def __init__(
        self,
        smoothed: SmoothedClassifier,
        start: Start,
        seed: int,
        effort: Effort,
        progress: Progress | None,
    ) -> None:
        self._smoothed, self._start, self._effort = smoothed, start, effort
        self._seed, self._progress = seed, progress
        self._offset = 0
        self.drawn = 0
        self._margin = _NORMAL.inv_cdf(start.share)

    def run(self, critical: float) -> tuple[Point | None, str | None]:
        """Return a candidate that a test with such a critical value is likely to confirm."""
        label, draws = self._start.label, self._effort.draws
        direction = self._first_direction()
        if direction is None:
            return None, NO_DIRECTION
        gradient, distance = np.zeros_like(direction), _FIRST * self._start.radius
        for weight in range(1, self._effort.rounds + 1):
            distance, votes = self._cross(self._ray(direction), distance)
            better = votes.towards(votes.rival(label), label)
            if better is not None:  # later ones, taken nearer, count for more
                gradient += weight * better
                direction = gradient if gradient.any() else direction
        ray = self._ray(direction)
        distance, votes = self._cross(ray, distance)
        wanted = self._wanted(critical, votes)
        distance = self._onward(distance, votes.margin(label), wanted)
        margin = self._votes(ray.at(distance), 2 * draws).margin(label)
        if margin <= 0:
            return None, NOT_REACHED
        shifted = self._onward(distance, margin, wanted)
        # A step back may be too long where the margin rises faster than evenly, as it mostly does.
        return ray.at(shifted if shifted > distance else (shifted + distance) / 2), None

    def _first_direction(self) -> NDArray[np.float64] | None:
        """Return where samples leave the class, of stretched noise where too few do."""
        label, draws, stretch = self._start.label, self._effort.draws, 1
        votes = self._votes(self._start.point, draws)
        while draws - votes.counts[label] < min(_ENOUGH, draws) and stretch < _WIDEST:
            stretch *= 2
            votes = self._votes(self._start.point, draws, stretch)
        return votes.away(label)

    def _ray(self, direction: NDArray[np.float64]) -> _Ray:
        return _Ray(self._smoothed.noise, self._start.point, direction)

    def _cross(self, ray: _Ray, distance: float) -> tuple[float, Votes]:
        """Walk to where the class and its rival are answered equally often; return the votes."""
        label, draws = self._start.label, self._effort.draws
        look = max(1, draws // 5)
        below, above = (0.0, self._margin), None
        for remaining in reversed(range(_LOOKS)):
            point = ray.at(distance)
            votes = self._votes(point, look)
            margin = votes.margin(label)
            if abs(margin) < _NEAR or not remaining:
                break
            if margin < 0:
                below = (distance, margin)
            else:
                above = (distance, margin)
            if above is None or above[0] <= below[0]:
                distance = self._onward(distance, margin, 0.0)
            else:
                (near, low), (far, high) = below, above
                distance = near - low * (far - near) / (high - low)
        if draws > look:
            votes.add(self._votes(point, draws - look))
        return distance, votes

    def _onward(self, distance: float, margin: float, wanted: float) -> float:
        """Return where the margin is expected to be the one wanted, from the one at a distance.

        In the linear picture it rises evenly from the input on.
        """
        linear = -self._margin / self._start.radius
        slope = max((margin - self._margin) / distance, _LEAST_SLOPE * linear)
        step = (wanted - margin) / slope
        return distance + min(max(step, -_BACK * distance), _ON * max(distance, 1 / linear))

    def _wanted(self, critical: float, votes: Votes) -> float:
        """Return the margin at which a confirmation succeeds but for bad luck.

        Φ⁻¹ of a share near 1/2 of m votes has the standard error √(π/2m).
        """
        label, total = self._start.label, votes.counts.total()
        both = max(1, votes.counts[label] + votes.counts[votes.rival(label)])
        confirmed, estimated = (n * both / total for n in (self._effort.samples, 2 * total))
        lead = min(0.5 + critical / (2 * math.sqrt(confirmed)), 0.999)
        luck = _SURE * math.sqrt(math.pi / 2 * (1 / confirmed + 1 / estimated))
        return _NORMAL.inv_cdf(lead) + luck

    def _votes(self, point: Point, samples: int, stretch: int = 1) -> Votes:
        """Draw samples of a point that were not drawn before, and add up their noise.

        Threads take spans of samples that depend on the size of an input alone, and the sums of
        spans are added in order, so that they are the same to the last bit.
        """
        stream = self._smoothed.stream(point, SEARCH, self._seed)
        width = stream.block * -(-_SPAN // stream.block)
        first = -(-self._offset // stream.block) * stream.block  # points may share their noise
        self._offset = first + samples
        self.drawn += samples
        spans = [(at, min(at + width, self._offset)) for at in range(first, self._offset, width)]
        workers = min(self._smoothed.engine_facts.get("workers", 1), len(spans))
        count, votes = partial(self._count, stream, stretch), Votes()
        with ThreadPoolExecutor(workers, "rsonnx") as pool:
            for at in range(0, len(spans), workers):  # no more sums at a time than threads
                for part in pool.map(count, spans[at : at + workers]):
                    votes.add(part)
        if self._progress is not None:
            self._progress(samples)
        return votes

    def _count(self, stream: NoisyStream, stretch: int, span: tuple[int, int]) -> Votes:
        (start, stop), shape = span, stream.sample_shape
        size = self._smoothed.batch_size or usual_batch(shape)
        noisy = np.empty((stop - start, *shape), np.float32)
        base = stream.point.values()
        with beyond_numbers():
            stream.write(start, noisy)
            noise = noisy - base
            if stretch > 1:
                noisy = base + stretch * noise
            parts = (noisy[at : at + size] for at in range(0, len(noisy), size))
            labels = np.concatenate([checked_labels(self._smoothed.base, part) for part in parts])
            return Votes(
                Counter(labels.tolist()),
                {int(k): noise[labels == k].sum(0, np.float64) for k in np.unique(labels)},
            )
