"""What is proved of a form's class probabilities by calculation: a bracket of the largest.

The other classes are bounded from above, and never as 1 - p_A: beyond eight standard deviations
that is no double, and its rounding error may be larger than they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cache, lru_cache, singledispatch

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.closed_form import Boxes, Linear, StumpSum
from rsonnx.errors import UsageError
from rsonnx.noise import Law, Point
from rsonnx.noise.cells import LEAST, crossings
from rsonnx.noise.rounding import normal_cdf, precision
from rsonnx.procedures.evidence import Bracket
from rsonnx.statistics.convolution import LatticeSum, SumLaw
from rsonnx.statistics.portable import dot

_TRIED = 2
"""Classes that are tried where no class is shown to have more than half: the likeliest ones."""

_SCALE = 2.0**900
"""Of products of probabilities, see :mod:`rsonnx.statistics.convolution`."""

_PRECISION = 160
_MARGIN = mpmath.mpf(2) ** -60
"""Relative margin for a formula in 160 bits."""


@singledispatch
def bracket(form: object, law: Law, point: Point, changed: int = 0) -> Bracket:
    """Return the likeliest class of a form at a point under noise, with bounds.

    Args:
        form: the base classifier.
        law: the noise.
        point: the input without noise.
        changed: of how many fixed values the other classes' bound allows a change, to any other.

    Raises:
        UsageError: the form and the noise do not go together.
    """
    del law, point, changed
    raise UsageError(f"nothing is calculated for {type(form).__name__}; use samples")


@bracket.register
def _of_stumps(form: StumpSum, law: Law, point: Point, changed: int = 0) -> Bracket:
    decision = form.decision
    where = crossings(law, point, form.splits)
    masses = [each.masses() for each in where]
    # Fixed values lie in one cell for certain.
    fixed = [(k, int(masses[k].argmax())) for k, at in enumerate(form.splits) if at.at in law.fixed]

    @cache
    def law_of(a: int, b: int | None) -> SumLaw:
        return SumLaw.of(_lattice(form, a, b).steps, masses)

    def may_beat(a: int, b: int, changed: int) -> float:
        first, second = (0, None) if decision.is_single else (min(a, b), max(a, b))
        sums, lattice = law_of(first, second), _lattice(form, first, second)
        # A single score has class 1 where it is above the threshold; of two, the first one wins.
        is_above = b == 1 if decision.is_single else b < a
        swing = _swing(form, first, second, fixed, changed, up=not is_above)
        below, above = _places(form, lattice, first, second, swing)
        return sums.upper(None, above) if is_above else sums.upper(below + 1, None)

    order = [0, 1]
    if not decision.is_single:
        pairs = zip(masses, form.splits, strict=True)
        parts = (dot(mass, split.leaves.T) for mass, split in pairs)
        order = np.argsort(-sum(parts, form.base), kind="stable").tolist()
    return _likeliest(decision.classes, may_beat, order, changed)


@lru_cache(maxsize=256)
def _lattice(form: StumpSum, a: int, b: int | None) -> LatticeSum:
    """Return a score less another one on a lattice."""
    return LatticeSum.of([_differences(split.leaves, a, b) for split in form.splits])


def _differences(leaves: NDArray[np.float64], a: int, b: int | None) -> list[Fraction]:
    own = [Fraction(value) for value in leaves[:, a].tolist()]
    if b is None:
        return own
    return [v - Fraction(w) for v, w in zip(own, leaves[:, b].tolist(), strict=True)]


def _swing(
    form: StumpSum, a: int, b: int | None, fixed: list[tuple[int, int]], changed: int, *, up: bool
) -> Fraction:
    """Return by how much a score, less another, rises or falls at most where values change."""
    swings = []
    for place, cell in fixed if changed else ():
        each = _differences(form.splits[place].leaves, a, b)
        swings.append(max(each) - each[cell] if up else min(each) - each[cell])
    return sum(sorted(swings, key=abs)[-changed:], Fraction(0))


@lru_cache(maxsize=1 << 12)
def _places(
    form: StumpSum, lattice: LatticeSum, a: int, b: int | None, swing: Fraction
) -> tuple[int, int]:
    """Return up to which step a score is surely below the threshold or another, and from which."""
    decision, base = form.decision, [Fraction(value) for value in form.base.tolist()]
    slack = [Fraction(value) for value in decision.slack.tolist()]
    if b is None:
        threshold = Fraction(decision.threshold) - base[a] - swing
        return lattice.places(threshold, slack[a], tie_above=decision.tie_above)
    # Of equal scores the first wins, and a < b.
    return lattice.places(base[b] - base[a] - swing, slack[a] + slack[b], tie_above=True)


@bracket.register
def _of_boxes(form: Boxes, law: Law, point: Point, changed: int = 0) -> Bracket:
    _refuse_changes("one tree", changed)
    masses = np.full(len(form.classes), _SCALE)
    for column, where in enumerate(crossings(law, point, form.cuts)):
        cells, at = np.unique(
            np.stack([form.first[:, column], form.last[:, column]]), axis=1, return_inverse=True
        )
        each = [where.mass(first, last) for first, last in cells.T.tolist()]
        masses *= np.array(each)[at.reshape(-1)]
    margin = 1 + (len(form.cuts) + 2) * 2.0**-52

    def total(boxes: np.ndarray) -> float:
        scaled = math.fsum(masses[boxes]) * margin
        return min(1.0, max(LEAST, math.nextafter(math.ldexp(scaled, -900), math.inf)))

    labels = sorted(set(form.classes[form.classes >= 0].tolist()))
    label = max(labels, key=lambda c: math.fsum(masses[form.classes == c]), default=-1)
    may_be = total((form.classes == label) | (form.classes < 0))
    return Bracket.of(label, total(form.classes != label), may_be)


@bracket.register
def _of_linear(form: Linear, law: Law, point: Point, changed: int = 0) -> Bracket:
    _refuse_changes("linear scores", changed)
    if not law.normal:
        raise UsageError(
            f"of linear scores under {law.name} noise nothing is calculated; use Gaussian noise, "
            "or samples"
        )
    decision, margins = form.decision, _Margins(form, law, point)
    if decision.is_single:
        sides = {below: margins.at_most(0, None, below=below) for below in (False, True)}
        beats = {(0, 1): sides[True], (1, 0): sides[False]}
        return _likeliest(decision.classes, lambda a, b, _: beats[a, b], (0, 1))
    order = np.argsort(-margins.scores, kind="stable").tolist()
    return _likeliest(decision.classes, lambda a, b, _: margins.at_most(a, b, below=False), order)


class _Margins:
    """By how much linear scores may be above others, under normal noise.

    What the file computes differs from the real score by a part of the size of the noisy values, so
    these are bounded: all but surely they lie within some standard deviations of the input.
    """

    def __init__(self, form: Linear, law: Law, point: Point) -> None:
        space, x = point.space, point.data.reshape(-1).astype(np.float64)
        self._form, self._shift, self._further = form, 0.0, 0.0
        if point.arithmetic == "exact":
            x = space.bounds[0] + x * space.step
            self._shift = space.step / 2  # by which a step and the noise that it rounds differ
            if space.bounds != (0.0, 1.0):  # levels are multiplied and shifted, each rounded
                self._further = 2.0**-21
        self._sigmas = np.array([law.deviation_of(at) or 0.0 for at in range(x.size)])
        self._sizes = np.abs(x) + self._shift + (abs(space.bounds[0]) if self._further else 0.0)
        self.scores = dot(form.weights, x) + form.intercepts

    def at_most(self, a: int, b: int | None, *, below: bool) -> float:
        """Return an upper bound on the probability that score ``a`` may come out before ``b``.

        Without ``b``, that it may come out above the threshold, or below it.
        """
        form, decision, sigmas = self._form, self._form.decision, self._sigmas
        own = form.weights[a]
        other = np.zeros_like(own) if b is None else form.weights[b]
        sizes = np.abs(own) + np.abs(other)
        lead = (decision.threshold if b is None else self.scores[b]) - self.scores[a]
        if below:
            lead = -lead
        slack = decision.slack[a] + (0.0 if b is None else decision.slack[b])
        # Sums of d terms in doubles are good to d·2^-52 of the sum of sizes.
        doubles = (own.size + 8) * 2.0**-51
        spread = math.sqrt(float((((own - other) * sigmas) ** 2).sum()))
        most = math.sqrt(float(((sizes * sigmas) ** 2).sum()))
        noisy = int(np.count_nonzero(sizes * sigmas))
        far = self._far(lead / spread if spread else 0.0, noisy)
        rounding = form.rounding[a] + (0.0 if b is None else form.rounding[b])
        rounding = rounding + (self._further + doubles) * sizes
        reach = self._sizes + far * sigmas
        constants = float(np.abs(form.intercepts[[a] if b is None else [a, b]]).sum())
        constants += abs(decision.threshold) if b is None else 0.0
        slack += float(dot(rounding, reach)) * (1 + doubles) + doubles * constants
        slack += self._shift * float(sizes[sigmas > 0].sum()) * (1 + doubles)
        lead -= slack
        spread += math.copysign(doubles * (spread + most), lead)
        with precision(_PRECISION):
            if spread > 0:
                likely = normal_cdf(-mpmath.mpf(lead) / spread)
            else:
                likely = mpmath.mpf(0 if lead > 0 else 1)
            escaped = 2 * noisy * normal_cdf(-mpmath.mpf(far)) if far > 0 else mpmath.mpf(noisy)
            total = float((likely + escaped) * (1 + _MARGIN))
        return min(1.0, max(LEAST, math.nextafter(total, math.inf)))

    def _far(self, deviations: float, noisy: int) -> float:
        """Return how many standard deviations all noise but a negligible part stays within."""
        with np.errstate(divide="ignore", over="ignore"):
            room = float(np.min((self._form.largest - self._sizes) / self._sigmas))
        wanted = math.sqrt(deviations**2 + 2 * math.log(max(1, noisy) * 2.0**42))
        return max(0.0, min(wanted, room * (1 - 2.0**-50)))


def _refuse_changes(what: str, changed: int) -> None:
    if changed:
        raise UsageError(
            f"changes of fixed values are certified for sums of stumps, but the model is {what}; "
            "leave out --changed"
        )


def _likeliest(
    classes: Sequence[int],
    may_beat: Callable[[int, int, int], float],
    order: Iterable[int],
    changed: int = 0,
) -> Bracket:
    """Return the bracket of the first class that has more than half, or of the nearest to it.

    Args:
        classes: the label of each contestant.
        may_beat: an upper bound on the probability that one may come out before another, where so
            many fixed values change.
        order: the contestants, the likeliest first.
        changed: how many fixed values may change.
    """
    tried = []
    for a in list(order)[:_TRIED]:
        rivals = [b for b, label in enumerate(classes) if label != classes[a]]
        each = [may_beat(b, a, changed) for b in rivals]
        other = each[0] if len(each) == 1 else math.nextafter(math.fsum(each), math.inf)
        may_win = min((may_beat(a, b, 0) for b in rivals), default=1.0)
        tried.append(Bracket.of(classes[a], min(1.0, max(LEAST, other)), may_win))
        if other < 0.5:
            break
    return min(tried, key=lambda one: one.p_b_upper)
