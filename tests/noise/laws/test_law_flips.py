"""Discrete flips: l0 radii against all classifiers of tiny spaces, and the law that is drawn."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_laws import every_classifier

from rsonnx.noise.laws.flips import Flips
from rsonnx.noise.laws.sparse_flips import SparseFlips
from rsonnx.noise.regions import RegionNoise, Regions, double_above

GOLDEN = Path(__file__).parents[4] / "shared" / "golden" / "statistics.json"


def regions(law: RegionNoise, changed: int) -> list[Regions]:
    return list(next(itertools.islice(law.changes(), changed - 1, None)))


def weight(law: RegionNoise, old: int, new: int) -> Fraction:
    """The probability that a feature shows ``new`` where it is ``old``, by the law's definition."""
    if isinstance(law, SparseFlips):
        flip = Fraction(law.p_minus if old else law.p_plus)
        return flip if old != new else 1 - flip
    assert isinstance(law, Flips)
    keep = Fraction(law.keep)
    return keep if old == new else (1 - keep) / (law.values - 1)


def values_of(law: RegionNoise) -> int:
    return law.values if isinstance(law, Flips) else 2


# The least mass of an event.


@pytest.mark.parametrize(
    ("keep", "values", "changed", "p_a", "mass"),
    [
        # Lee et al., arXiv 1906.04948, worked out in exact fractions with the decimals as given.
        (0.8, 2, 1, 0.9, 0.6),
        (0.6, 4, 1, 0.95, 0.775),
        (0.2, 256, 3, 0.99, 0.5110117033116973),
        (0.2, 256, 1, 0.95, 0.7531372549019608),
        (0.8, 2, 1, 0.95, 0.8),
        (0.1, 256, 5, 0.99, 0.6386161355237885),
    ],
)
def test_published_masses(keep: float, values: int, changed: int, p_a: float, mass: float) -> None:
    (kind,) = regions(Flips(keep, values, size=10), changed)
    # Their figures were summed in doubles; ours are exact for the doubles that are given.
    assert float(kind.least(Fraction(p_a))) == pytest.approx(mass, rel=1e-11)


@pytest.mark.parametrize(
    ("plus", "minus", "additions", "deletions", "p_a", "mass"),
    [
        # Bojchevski et al., arXiv 2008.12952, with p+, p- and changes as given.
        (0.01, 0.6, 0, 5, 0.9, 0.044888874625),
        (0.2, 0.2, 2, 0, 0.95, 0.35),
        (0.01, 0.6, 0, 3, 0.99, 0.95507875),
        (0.01, 0.6, 0, 5, 0.999, 0.9877701896875),
        (0.01, 0.6, 1, 0, 0.99, 0.6),
        (0.01, 0.6, 1, 1, 0.999, 0.934),
    ],
)
def test_published_masses_at_two_rates(
    plus: float, minus: float, additions: int, deletions: int, p_a: float, mass: float
) -> None:
    law = SparseFlips(plus, minus, size=10)
    kind = law.regions(additions, deletions)
    assert float(kind.least(Fraction(p_a))) == pytest.approx(mass, rel=1e-11)
    assert kind in regions(law, additions + deletions)


@pytest.mark.skipif(not GOLDEN.exists(), reason="the folder of reference values is not here")
def test_reference_masses() -> None:
    found = json.loads(GOLDEN.read_text())["discrete"]
    for name, mass in found.items():
        kind, *given = name.split()
        n = {k: float(v) for k, _, v in (g.partition("=") for g in given if "=" in g)}
        if kind == "lee":
            law: Any = Flips(n["keep"], int(n["K"]) + 1, size=10)
            (kinds,) = regions(law, int(n["r"]))
        else:
            kinds = SparseFlips(n["p+"], n["p-"], size=10).regions(int(n["ra"]), int(n["rd"]))
        assert float(kinds.least(Fraction(n["p"]))) == pytest.approx(mass, rel=1e-11)


def enumerated(law: RegionNoise, x: tuple[int, ...], y: tuple[int, ...], p: Fraction) -> Fraction:
    """The least mass at y of an event of mass p at x, over all samples one by one."""
    seen = []
    for z in itertools.product(range(values_of(law)), repeat=len(x)):
        here = math.prod((weight(law, a, c) for a, c in zip(x, z, strict=True)), start=Fraction(1))
        there = math.prod((weight(law, b, c) for b, c in zip(y, z, strict=True)), start=Fraction(1))
        seen.append((there / here if here else math.inf, here, there))
    left, found = p, Fraction(0)
    for ratio, here, _ in sorted(seen, key=lambda s: s[0]):
        part = min(left, here)
        left -= part
        found += part * ratio if part else 0
    return found


TINY: list[tuple[RegionNoise, int]] = [
    (Flips(0.75, 2, size=4), 4),
    (Flips(0.25, 2, size=3), 3),  # flips more often than not: the other way round is likelier
    (Flips(0.5, 3, size=2), 2),
    (Flips(0.25, 3, size=2), 2),
    (SparseFlips(0.25, 0.5, size=3), 3),
    (SparseFlips(0.0, 0.5, size=3), 3),
    (SparseFlips(0.75, 0.5, size=3), 3),
    (SparseFlips(0.0625, 0.0, size=3), 3),
]
IDS = [f"{law}, d = {d}" for law, d in TINY]


@pytest.mark.parametrize(("law", "features"), TINY, ids=IDS)
def test_the_least_mass_is_that_of_all_samples(law: RegionNoise, features: int) -> None:
    points = list(itertools.product(range(values_of(law)), repeat=features))
    for p in (Fraction(0), Fraction(1, 3), Fraction(3, 5), Fraction(15, 16), Fraction(1)):
        for changed in range(1, features + 1):
            least = min(
                enumerated(law, x, y, p)
                for x in (points[:1] if isinstance(law, Flips) else points)
                for y in points
                if sum(a != b for a, b in zip(x, y, strict=True)) == changed
            )
            expected = min(kind.least(p) for kind in regions(law, changed))
            assert least == expected


def real_cases(law: RegionNoise, features: int, classes: int) -> Iterator[tuple[float, ...]]:
    """Yield probabilities of the top class and of the next, and the radius that it really has."""
    points, unit = list(itertools.product(range(values_of(law)), repeat=features)), 1 << 40
    masses = np.array(
        [
            [
                int(unit * math.prod(weight(law, a, c) for a, c in zip(x, z, strict=True)))
                for z in points
            ]
            for x in points
        ]
    )
    assert (masses.sum(axis=1) == unit).all()
    for top, rest, radius in every_classifier(masses, points, classes):
        yield top / unit, rest / unit, radius


@pytest.mark.parametrize(("law", "features"), TINY, ids=IDS)
def test_no_classifier_breaks_a_radius(law: RegionNoise, features: int) -> None:
    worst: dict[float, float] = {}
    for p, _, radius in real_cases(law, features, 2):  # all masses are doubles here
        worst[p] = min(radius, worst.get(p, radius))
    assert all(law.radius(p) <= radius for p, radius in worst.items())
    # Where p is the mass of whole regions, a classifier that is as bad as any can be exists.
    exact = sum(law.radius(p) == radius for p, radius in worst.items())
    assert exact >= 2


@pytest.mark.parametrize(
    ("law", "features"), [TINY[1], TINY[4], TINY[6]], ids=[IDS[1], IDS[4], IDS[6]]
)
def test_no_classifier_of_three_classes_breaks_a_two_sided_radius(
    law: RegionNoise, features: int
) -> None:
    gained = False
    for p_a, p_b, radius in real_cases(law, features, 3):
        assert law.radius_between(p_a, p_b) <= radius
        gained |= law.radius_between(p_a, p_b) > law.radius(p_a)
    assert gained


# Radii.


def test_a_tie_is_not_certified() -> None:
    # Flips at 3/4 of one of one binary feature: an event of 5/6 here keeps 1/2 there.
    law = Flips(0.75, 2, size=1)
    (kind,) = regions(law, 1)
    assert kind.breaking_point() == Fraction(5, 6)
    assert kind.least(Fraction(5, 6)) == Fraction(1, 2)
    least = law.probability_for(1)
    assert least == double_above(Fraction(5, 6))
    assert law.radius(least) == 1
    assert law.radius(math.nextafter(least, 0)) == 0


LAWS = st.one_of(
    st.builds(Flips, st.floats(0.01, 0.999), st.integers(2, 300), size=st.integers(1, 12)),
    st.builds(SparseFlips, st.floats(0, 0.99), st.floats(0.01, 0.99), size=st.integers(1, 8)),
)


@given(LAWS, st.floats(0, 1), st.floats(0, 1))
def test_laws_of_radii(law: RegionNoise, p: float, q: float) -> None:
    p, q = min(p, q), max(p, q)
    assert 0 <= law.radius(p) <= law.radius(q) <= (law.size or 0)  # type: ignore[attr-defined]
    assert law.radius_between(q, 1 - q) == law.radius(q) or Fraction(1 - q) != 1 - Fraction(q)
    assert law.radius_between(q, p) >= law.radius_between(p, q)
    assert law.radius(0.5) == law.radius_between(p, 1.0) == 0


@given(LAWS, st.floats(0, 1))
def test_masses_add_up_and_points_break(law: RegionNoise, share: float) -> None:
    p, before = Fraction(share), Fraction(1)
    for kinds in itertools.islice(law.changes(), 5):
        for kind in kinds:
            assert sum(kind.here) == sum(kind.there) == kind.total
            ratios = [
                math.inf if not there else here / there
                for here, there in zip(kind.here, kind.there, strict=True)
                if here or there
            ]
            assert all(b <= a * (1 + 1e-12) for a, b in itertools.pairwise(ratios))
            assert kind.least(p) <= p
            breaking = kind.breaking_point()
            assert breaking == 1 or kind.least(breaking) == Fraction(1, 2)
        least = min(kind.least(p) for kind in kinds)
        assert least <= before  # more changes never leave more
        before = least


@settings(deadline=None)
@given(LAWS, st.integers(1, 12))
def test_the_probability_for_a_radius_is_the_smallest(law: RegionNoise, radius: int) -> None:
    p = law.probability_for(radius)
    assert 0.5 < p <= 1
    assert law.radius(p) >= radius or p == 1
    assert law.radius(math.nextafter(p, 0)) < radius
    assert law.probability_for(radius - 0.5) == p


def test_binary_flips_are_sparse_flips_at_one_rate() -> None:
    one, two = Flips(0.75, 2, size=9), SparseFlips(0.25, 0.25, size=9)
    for p in np.linspace(0.5, 1, 101):
        assert one.radius(p) == two.radius(p)
        assert one.radius_between(p, 0.2) == two.radius_between(p, 0.2)


def test_uniform_noise_certifies_every_change() -> None:
    # At keep = 1/4 of 4 values a sample tells nothing of the input.
    assert Flips(0.25, 4, size=30).radius(math.nextafter(0.5, 1)) == 30


def test_the_caps_hold() -> None:
    assert Flips(0.25, 4, size=5000).radius(0.9) == 256
    assert SparseFlips(0.5, 0.5, size=5000).radius(0.9) == 64
    assert Flips(0.25, 4, size=5000).probability_for(257) == 1
    assert Flips(0.25, 4, size=5000).probability_for(math.inf) == 1


def test_a_rate_of_zero_certifies_what_it_can() -> None:
    # Nothing is ever added, so a feature that shows 1 was 1: additions can break every p < 1.
    law = SparseFlips(0.0, 0.5, size=3)
    assert law.regions(0, 1).least(Fraction(3, 4)) == Fraction(1, 2)
    assert law.regions(1, 0).least(Fraction(1)) == Fraction(1, 2)
    assert law.radius(1.0) == 0
