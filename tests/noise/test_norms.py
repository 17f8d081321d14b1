"""What a radius measures: the words fit every norm, and the units are its own."""

from __future__ import annotations

import pytest

from rsonnx.noise import NOISES, NORMS, norm_named


def test_every_norm_of_every_noise_has_words() -> None:
    assert {norm for law in NOISES.values() for norm in law.norms} == set(NORMS)


@pytest.mark.parametrize("name", [*NORMS, "l7"])
def test_a_sentence_holds_the_radius_once(name: str) -> None:
    norm = norm_named(name)
    assert norm.covers.count("{}") == 1
    assert "the row's radius" in norm.within
    reached = norm.whole or norm.reached
    assert ("at most" in norm.within, "at most" in norm.covers) == (reached, reached)
    assert norm.limit == ("at most" if reached else "below")


@pytest.mark.parametrize("name", ["l1", "l2", "linf"])
def test_radii_in_the_units_of_the_input(name: str) -> None:
    expected = "input values between 0 and 255, before preprocessing"
    assert norm_named(name).units(0.0, 255.0) == expected


@pytest.mark.parametrize(
    ("name", "unit"),
    [("l0", "features"), ("patch", "pixels"), ("mahalanobis", "standard deviations of the noise")],
)
def test_radii_in_units_of_their_own(name: str, unit: str) -> None:
    assert norm_named(name).units(0.0, 255.0) == unit
