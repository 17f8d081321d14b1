"""Transformed images against scipy's interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformed_images import by_scipy, images

from rsonnx.transforms.families import ROTATION, SCALING, Family
from rsonnx.transforms.images import Frame, transformed

FAMILIES = {"rotation": (ROTATION, -180.0, 180.0), "scaling": (SCALING, 0.25, 4.0)}


def exact(image: NDArray[np.float64], family: Family, parameter: float) -> NDArray[np.float64]:
    frame = Frame(*image.shape[1:])
    places = frame.places(family.matrix(parameter))
    return frame.interpolated(frame.padded(image), *places).reshape(image.shape)


@pytest.mark.parametrize("name", FAMILIES)
@given(image=images(), share=st.floats(0, 1))
def test_any_image_is_interpolated_as_by_scipy(
    name: str, image: NDArray[np.float64], share: float
) -> None:
    family, low, high = FAMILIES[name]
    parameter = low + share * (high - low)
    expected = by_scipy(image, family, parameter)
    assert np.abs(exact(image, family, parameter) - expected).max() < 1e-9
    assert np.abs(transformed(image, family, parameter) - expected).max() < 255 * 12 * 2**-19


@given(images())
def test_the_identity_changes_nothing(image: NDArray[np.float64]) -> None:
    for family in (ROTATION, SCALING):
        assert (transformed(image, family, family.identity) == image).all()


@given(images(), st.floats(-180, 180))
def test_images_of_levels_are_exact(image: NDArray[np.float64], angle: float) -> None:
    """All sums are of whole multiples of 2^-42, so no machine can round them otherwise."""
    steps = transformed(image, ROTATION, angle) * 2.0**42
    assert (steps == np.rint(steps)).all()
