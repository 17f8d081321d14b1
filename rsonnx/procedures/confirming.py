"""Calculate a recorded bracket again, by other arithmetic and another algorithm.

The noise is enclosed by whole numbers in place of mpmath; sums keep their real ends and are merged
where they lie close, in place of being rounded to a lattice, and are added up in long doubles;
trees and half-spaces are fractions. No line is shared with :mod:`rsonnx.procedures.brackets`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, singledispatch

import numpy as np
from numpy.typing import NDArray

from rsonnx.closed_form import Boxes, Form, Linear, StumpSum
from rsonnx.noise import InputSpace, Law, Point
from rsonnx.noise.cells import LEAST
from rsonnx.procedures.evidence import Bracket
from rsonnx.statistics.enclosures import normal_tail_bounds

_BINS = (1 << 17, 1 << 20, 1 << 22)
"""How finely sums are told apart: more finely where a bracket is not confirmed yet."""

_LONG = np.longdouble
_UNIT = float(np.finfo(_LONG).eps)
_MOST = 1 << 61
_LEVELS = 1 << 20
_BITS = 1200
"""Of a product of probabilities in whole numbers."""


@dataclass(frozen=True)
class Again:
    """What came of calculating again.

    Attributes:
        p_b_upper: upper bound on the probability of all other classes together.
        p_a_upper: the same of the class itself.
    """

    p_b_upper: Fraction
    p_a_upper: Fraction


def unconfirmed(
    form: Form, law: Law, point: Point, recorded: Bracket, changed: int = 0
) -> Iterator[str]:
    """Yield what of a recorded bracket is not confirmed; arguments as for :func:`bracket`."""
    classes = set(getattr(form, "decision", form).classes)  # type: ignore[union-attr]
    if recorded.label not in classes:
        yield f"top_class is {recorded.label}, but the model has the classes {sorted(classes)}"
        return
    for bins in _BINS:
        again = _again(form, law, point, recorded.label, bins, changed)
        wrong = [
            f"{name} is {value!r}, but calculated again it is {float(bound)!r}"
            for name, value, bound in (
                ("p_b_upper", recorded.p_b_upper, again.p_b_upper),
                ("p_a_upper", recorded.p_a_upper, again.p_a_upper),
            )
            if value < min(bound, Fraction(1)) and (bound > LEAST or value < LEAST)
        ]
        if not wrong or not isinstance(form, StumpSum):
            break
    yield from wrong


@singledispatch
def _again(form: object, law: Law, point: Point, label: int, bins: int, changed: int = 0) -> Again:
    raise NotImplementedError(type(form).__name__)


@dataclass(frozen=True)
class _Edges:
    """The ends of the cells of one value, less the value, and bounds on the noise beyond them."""

    ends: tuple[Fraction, ...]
    tails: tuple[tuple[Fraction, Fraction], ...]

    def between(self, first: int, last: int) -> Fraction:
        """Return an upper bound on the probability of cells, from one to another."""
        none = (Fraction(0), Fraction(0))
        left, right = first > 0, last < len(self.ends)
        low = self.tails[first - 1] if left else none
        high = self.tails[last] if right else none
        if right and self.ends[last] <= 0:
            return high[1] - low[0]
        if left and self.ends[first - 1] > 0:
            return low[1] - high[0]
        return 1 - low[0] - high[0]


def _edges(law: Law, point: Point, at: int, cuts: NDArray[np.float64]) -> _Edges:
    value = point.data.reshape(-1)[at]
    if at in law.fixed:
        ends = tuple(Fraction(-1 if np.float32(value) >= cut else 1) for cut in cuts)
        return _Edges(ends, ((Fraction(0), Fraction(0)),) * len(ends))
    if point.arithmetic == "exact":
        half, step = Fraction(1, 2), Fraction(point.space.step)
        ends = tuple((_level(point.space, cut) - half - int(value)) * step for cut in cuts.tolist())
    else:
        ends = tuple(_half_way(cut) - Fraction(float(value)) for cut in cuts.tolist())
    return _Edges(ends, tuple(_tail(law, at, abs(end)) for end in ends))


@lru_cache(maxsize=1 << 16)
def _tail(law: Law, at: int, distance: Fraction) -> tuple[Fraction, Fraction]:
    bounds = law.tail_bounds(distance, at)
    if bounds is None:
        raise NotImplementedError(law.name)
    return bounds


def _half_way(cut: float) -> Fraction:
    before = float(np.nextafter(np.float32(cut), np.float32(-math.inf)))
    ends = (
        Fraction(end) if math.isfinite(end) else int(math.copysign(2**128, end))
        for end in (cut, before)
    )
    return Fraction(sum(ends)) / 2


@lru_cache(maxsize=1 << 16)
def _level(space: InputSpace, cut: float) -> int:
    """Return the first level whose value is not below a cut, by bisection."""
    low, high = -_LEVELS, _LEVELS
    while low < high:
        middle = (low + high) // 2
        if float(space.values_of(np.array([middle]))[0]) >= cut:
            high = middle
        else:
            low = middle + 1
    return low


@_again.register
def _sums_again(
    form: StumpSum, law: Law, point: Point, label: int, bins: int, changed: int = 0
) -> Again:
    decision = form.decision
    masses = []
    for split in form.splits:
        edges = _edges(law, point, split.at, split.cuts)
        masses.append([edges.between(cell, cell) for cell in range(len(split.cuts) + 1)])
    base = [Fraction(value) for value in form.base.tolist()]
    slack = [Fraction(value) for value in decision.slack.tolist()]
    leaves = [
        [[Fraction(v) for v in row] for row in split.leaves.tolist()] for split in form.splits
    ]
    if decision.is_single:
        terms = [[row[0] for row in own] for own in leaves]
        ends = _ends(terms, masses, bins)
        is_above = label == decision.classes[1]
        lead = base[0] - Fraction(decision.threshold)
        tie, near = decision.tie_above, slack[0]
        if is_above:
            lower = lead - _lost(form, law, point, terms, changed)
            return Again(
                _not_above(ends, lower, near, tie_above=tie),
                _not_below(ends, lead, near, tie_above=tie),
            )
        opposite = [[-value for value in own] for own in terms]
        higher = lead + _lost(form, law, point, opposite, changed)
        return Again(
            _not_below(ends, higher, near, tie_above=tie),
            _not_above(ends, lead, near, tie_above=tie),
        )
    own = decision.classes.index(label)
    other, most = Fraction(0), Fraction(1)
    for rival, its in enumerate(decision.classes):
        if its == label:
            continue
        terms = [[row[own] - row[rival] for row in cells] for cells in leaves]
        ends = _ends(terms, masses, bins)
        lead, near = base[own] - base[rival], slack[own] + slack[rival]
        lower = lead - _lost(form, law, point, terms, changed)
        other += _not_above(ends, lower, near, tie_above=own < rival)
        most = min(most, _not_below(ends, lead, near, tie_above=own < rival))
    return Again(other, most)


def _lost(
    form: StumpSum, law: Law, point: Point, terms: Sequence[Sequence[Fraction]], changed: int
) -> Fraction:
    """Return the most that a sum loses where so many fixed values become others."""
    values = point.data.reshape(-1).astype(np.float32)
    losses = [
        own[sum(values[split.at] >= cut for cut in split.cuts.tolist())] - min(own)
        for split, own in zip(form.splits, terms, strict=True)
        if split.at in law.fixed
    ]
    return sum(sorted(losses, reverse=True)[:changed], Fraction(0))


@dataclass(frozen=True, eq=False)
class _Ends:
    """Sums, each between two real ends (times ``scale``), with upper bounds on probabilities."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    mass: NDArray[np.longdouble]
    scale: int
    roundings: int

    def total(self, chosen: NDArray[np.bool_]) -> Fraction:
        """Return what the chosen ones have together, as low as its rounding allows."""
        together = self.mass[chosen].sum()
        rounding = 2 * (self.roundings + len(self.mass)) * _UNIT
        return _fraction(together) * (1 - Fraction(rounding))


def _not_above(ends: _Ends, lead: Fraction, slack: Fraction, *, tie_above: bool) -> Fraction:
    limit = (slack - lead) * ends.scale
    return ends.total(ends.low < math.ceil(limit) if tie_above else ends.low <= math.floor(limit))


def _not_below(ends: _Ends, lead: Fraction, slack: Fraction, *, tie_above: bool) -> Fraction:
    limit = (-slack - lead) * ends.scale
    return ends.total(ends.high >= math.ceil(limit) if tie_above else ends.high > math.floor(limit))


def _ends(
    terms: Sequence[Sequence[Fraction]], masses: Sequence[Sequence[Fraction]], bins: int
) -> _Ends:
    scale = math.lcm(*(value.denominator for own in terms for value in own))
    size = sum(max(map(abs, own)) for own in terms)
    if size * scale >= _MOST:  # then values are rounded outward to whole numbers of 64 bits
        scale = 1 << max(0, math.floor(_MOST / (size + 1)).bit_length() - 1)
    floors = [[math.floor(value * scale) for value in own] for own in terms]
    span = sum(max(own) - min(own) for own in floors)
    apart = math.gcd(*(value - own[0] for own in floors for value in own))
    width = max(1, apart, -(-span // bins))
    low = high = np.zeros(1, np.int64)
    mass, roundings = np.ones(1, _LONG), 0
    for own, values, chances in zip(floors, terms, masses, strict=True):
        first = int(low[0]) + min(own)
        places = (int(low[-1]) + max(own) - first) // width + 1
        sums, ends = np.zeros(places, _LONG), np.zeros((2, places), np.int64)
        for value, real, chance in zip(own, values, chances, strict=True):
            if not chance:
                continue
            place = ((low + value - first) // width).astype(np.intp)
            starts = np.flatnonzero(np.diff(place, prepend=-1))
            at, is_new = place[starts], sums[place[starts]] == 0
            least = low[starts] + value
            most = np.maximum.reduceat(high, starts) + math.ceil(real * scale)
            ends[0][at] = np.where(is_new, least, np.minimum(ends[0][at], least))
            ends[1][at] = np.where(is_new, most, np.maximum(ends[1][at], most))
            sums[at] += np.add.reduceat(mass, starts) * _long(chance)
            roundings += 1 + int(np.diff(starts, append=len(place)).max())
        taken = sums > 0
        low, high, mass = ends[0][taken], ends[1][taken], sums[taken]
    return _Ends(low, high, mass, scale, roundings)


def _long(chance: Fraction) -> np.longdouble:
    """Return a long double not below a probability > 0."""
    exponent = chance.denominator.bit_length() - chance.numerator.bit_length()
    mantissa = math.ceil(chance * Fraction(2) ** (exponent + 60))
    upper, lower = divmod(mantissa, 1 << 32)
    exact = _LONG(upper) * _LONG(2**32) + _LONG(lower)
    return np.ldexp(exact * (1 + _LONG(_UNIT)), -exponent - 60)  # type: ignore[no-any-return]


def _fraction(value: np.longdouble) -> Fraction:
    numerator, denominator = value.as_integer_ratio()
    return Fraction(numerator, denominator)


@_again.register
def _boxes_again(
    form: Boxes, law: Law, point: Point, label: int, bins: int, changed: int = 0
) -> Again:
    del bins, changed
    edges = [_edges(law, point, cuts.at, cuts.cuts) for cuts in form.cuts]
    one = 1 << _BITS
    spans: dict[tuple[int, int, int], int] = {}
    other = own = 0
    rows = zip(form.first.tolist(), form.last.tolist(), form.classes.tolist(), strict=True)
    for first, last, its in rows:
        product = one
        for value, cells in enumerate(zip(first, last, strict=True)):
            if cells == (0, len(edges[value].ends)):
                continue
            key = (value, *cells)
            if key not in spans:
                spans[key] = math.ceil(edges[value].between(*cells) * one)
            product = -(-product * spans[key] >> _BITS)
        other += product if its != label else 0
        own += product if its in (label, -1) else 0
    # Rounded up a thousand times at 2^-1200, far below what is compared.
    return Again(Fraction(other, one), Fraction(own, one))


@_again.register
def _linear_again(
    form: Linear, law: Law, point: Point, label: int, bins: int, changed: int = 0
) -> Again:
    del bins, changed
    decision, noise = form.decision, _Values.of(law, point)
    if decision.is_single:
        sides = [_half_space(form, noise, 0, None, sign) for sign in (1, -1)]
        return Again(*(sides if label == decision.classes[1] else sides[::-1]))
    own = decision.classes.index(label)
    rivals = [k for k, its in enumerate(decision.classes) if its != label]
    return Again(
        sum((_half_space(form, noise, own, k, 1) for k in rivals), Fraction(0)),
        min((_half_space(form, noise, k, own, 1) for k in rivals), default=Fraction(1)),
    )


@dataclass(frozen=True)
class _Values:
    """An input and its noise in fractions.

    Attributes:
        centre: the value of each place.
        sigmas: of its noise.
        shift: by how much noise on the grid may differ from the noise that it rounds.
        further: what the values of levels add to the rounding of a product, relatively.
        offset: to the size of a value, for that.
    """

    centre: tuple[Fraction, ...]
    sigmas: tuple[Fraction, ...]
    shift: Fraction
    further: Fraction
    offset: Fraction

    @classmethod
    def of(cls, law: Law, point: Point) -> _Values:
        given, space = point.data.reshape(-1).tolist(), point.space
        sigmas = tuple(Fraction(law.deviation_of(at) or 0) for at in range(len(given)))
        zero = Fraction(0)
        if point.arithmetic == "float":
            return cls(tuple(map(Fraction, given)), sigmas, zero, zero, zero)
        low, step = Fraction(space.bounds[0]), Fraction(space.step)
        is_plain = space.bounds == (0.0, 1.0)
        return cls(
            tuple(low + level * step for level in given),
            sigmas,
            step / 2,
            zero if is_plain else Fraction(1, 2**21),
            zero if is_plain else abs(low),
        )


def _half_space(form: Linear, values: _Values, a: int, b: int | None, sign: int) -> Fraction:
    """Bound P(score a, less score b or the threshold, times ``sign``, is not surely above 0)."""
    decision = form.decision
    own = [Fraction(w) for w in form.weights[a].tolist()]
    its = [Fraction(0)] * len(own) if b is None else [Fraction(w) for w in form.weights[b].tolist()]
    rounding = [Fraction(r) for r in form.rounding[a].tolist()]
    lead = Fraction(float(form.intercepts[a])) - Fraction(
        decision.threshold if b is None else float(form.intercepts[b])
    )
    slack = Fraction(float(decision.slack[a]))
    if b is not None:
        slack += Fraction(float(decision.slack[b]))
        rounding = [
            r + Fraction(s) for r, s in zip(rounding, form.rounding[b].tolist(), strict=True)
        ]
    sizes = [abs(v) + abs(w) for v, w in zip(own, its, strict=True)]
    apart = [v - w for v, w in zip(own, its, strict=True)]
    lead += sum((w * x for w, x in zip(apart, values.centre, strict=True)), Fraction(0))
    lead *= sign
    square = sum(((w * s) ** 2 for w, s in zip(apart, values.sigmas, strict=True)), Fraction(0))
    root = math.isqrt(math.floor(square * 4**_BITS))
    noisy = sum(1 for w, s in zip(sizes, values.sigmas, strict=True) if w * s)
    near = float(lead * 2**_BITS / root) if root else 0.0
    far = Fraction(math.sqrt(near**2 + 2 * math.log(max(1, noisy) * 2.0**42)) - 2.0**-20)
    room = [
        (Fraction(form.largest) - abs(x) - values.shift - values.offset) / s
        for x, s in zip(values.centre, values.sigmas, strict=True)
        if s
    ]
    far = max(Fraction(0), min([far, *room]))
    for r, w, x, s in zip(rounding, sizes, values.centre, values.sigmas, strict=True):
        reach = abs(x) + values.shift + values.offset + far * s
        slack += (r + values.further * w) * reach + (values.shift * w if s else 0)
    lead -= slack
    spread = Fraction(root + (lead >= 0), 2**_BITS)
    if not square:
        likely = Fraction(lead <= 0)
    elif lead >= 0:
        likely = normal_tail_bounds(lead / spread)[1]
    else:
        likely = 1 - normal_tail_bounds(-lead / spread)[0]
    return min(Fraction(1), likely + 2 * noisy * normal_tail_bounds(far)[1])
