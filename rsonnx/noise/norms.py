"""What a radius measures, in words: one entry a norm."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Norm:
    """A norm in which a radius is given.

    Attributes:
        measure: what it measures of a change, for a sentence.
        within: where the answer is certified, for a radius called "the row's radius".
        covers: which changes a radius covers, with ``{}`` for it: "every change ...".
        unit: what a radius counts; None where it is in the units of the input.
        whole: whether radii are whole numbers, all of which are reached.
        length: the norm of a change, float64, to nearest; None where it is no norm of numbers.
        steepest: the change of a given length along which a linear function of this gradient rises
            most, up to a factor; None where it is the gradient itself.
        reached: whether radii that are no whole numbers are reached too.
    """

    measure: str
    within: str
    covers: str
    unit: str | None = None
    whole: bool = False
    length: Callable[[NDArray[np.float64]], float] | None = None
    steepest: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None
    reached: bool = False

    @property
    def limit(self) -> str:
        """How far a change may go whose measure is compared with a radius."""
        return "at most" if self.whole or self.reached else "below"

    def units(self, low: float, high: float) -> str:
        """Return in which units radii are, and sigma, for inputs of these bounds."""
        return self.unit or f"input values between {low:g} and {high:g}, before preprocessing"


def _closer(name: str) -> str:
    return f"at every point closer than the row's radius in the {name} norm"


def _euclidean(change: NDArray[np.float64]) -> float:
    return math.hypot(*change.flat)


def _sparse(gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a change of few values, which in l1 go furthest for their length.

    That of the one largest would be the steepest, but bounds end it soon, and of an estimate it is
    mostly noise.
    """
    scaled = gradient / np.abs(gradient).max()
    sparse: NDArray[np.float64] = scaled * np.abs(scaled) ** 4
    return sparse


NORMS = {
    "l2": Norm(
        "Euclidean length (l2 norm)",
        _closer("l2"),
        "of Euclidean length (l2 norm) below {}",
        length=_euclidean,
    ),
    "l1": Norm(
        "sum of absolute changes (l1 norm)",
        _closer("l1"),
        "whose absolute values sum to less than {} (l1 norm)",
        length=lambda change: math.fsum(np.abs(change).flat),
        steepest=_sparse,
    ),
    "linf": Norm(
        "largest absolute change of a value (linf norm)",
        _closer("linf"),
        "of every value by less than {} (linf norm)",
        length=lambda change: float(np.abs(change).max()),
        steepest=np.sign,
    ),
    "mahalanobis": Norm(
        "length in standard deviations of the noise (Mahalanobis norm)",
        "at every point closer than the row's radius, where each value's change is measured in "
        "its own standard deviations of the noise (Mahalanobis norm)",
        "of a length below {} in standard deviations of the noise (Mahalanobis norm)",
        unit="standard deviations of the noise",
        length=_euclidean,
    ),
    "l0": Norm(
        "number of changed features (l0 norm)",
        "at every point that differs in at most the row's radius of features (l0 norm)",
        "of at most {} of the features (l0 norm)",
        unit="features",
        whole=True,
    ),
    "patch": Norm(
        "extent (side, in pixels, of a square patch that covers it)",
        "at every point that differs within one square patch of at most the row's radius as its "
        "side, in pixels",
        "inside one square patch with a side of at most {} pixels",
        unit="pixels",
        whole=True,
    ),
    "brightness": Norm(
        "amount, the same added to every value (brightness),",
        "at every input that is brighter or darker, by the same in every value, by less than the "
        "row's radius",
        "of brightness, by the same in every value, by less than {}",
    ),
    "contrast": Norm(
        "logarithm of the factor, the same on every value (contrast),",
        "at every input whose values are multiplied by one factor that is less than e to the "
        "power of the row's radius, or divided by it",
        "of contrast, by a factor on every value whose logarithm is below {} either way",
        unit="logarithms of a factor",
    ),
    "brightness-contrast": Norm(
        "amount, the same added to every value, beside one factor of the certified contrasts,",
        "at every input whose values are multiplied by one factor between e^-K and e^K and, before "
        "or after that, brighter or darker, by the same in every value, by less than the row's "
        "radius",
        "by one factor between e^-K and e^K on every value and, before or after that, of "
        "brightness, by the same in every value, by less than {}",
    ),
    "brightness-blur": Norm(
        "amount, the same added to every value, beside a blur of the certified variances,",
        "at every input that is blurred (heat kernel, reflecting edges) by a variance up to T and "
        "brighter or darker, by the same in every value, by less than the row's radius",
        "by a blur (heat kernel, reflecting edges) of a variance up to T and of brightness, by the "
        "same in every value, by less than {}",
    ),
    "contrast-blur": Norm(
        "logarithm of the factor, the same on every value, beside a blur of the certified "
        "variances,",
        "at every input that is blurred (heat kernel, reflecting edges) by a variance up to T and "
        "whose values are multiplied by one factor that is less than e to the power of the row's "
        "radius, or divided by it",
        "by a blur (heat kernel, reflecting edges) of a variance up to T and a factor on every "
        "value whose logarithm is below {} either way",
        unit="logarithms of a factor",
    ),
    "brightness-translation": Norm(
        "amount, the same added to every value, beside a shift of the certified lengths,",
        "at every input that is shifted by whole pixels, around the edges, by up to D pixels and "
        "brighter or darker, by the same in every value, by less than the row's radius",
        "by a shift by whole pixels, around the edges, by up to D pixels and of brightness, by the "
        "same in every value, by less than {}",
    ),
    "contrast-translation": Norm(
        "logarithm of the factor, the same on every value, beside a shift of the certified "
        "lengths,",
        "at every input that is shifted by whole pixels, around the edges, by up to D pixels and "
        "whose values are multiplied by one factor that is less than e to the power of the row's "
        "radius, or divided by it",
        "by a shift by whole pixels, around the edges, by up to D pixels and a factor on every "
        "value whose logarithm is below {} either way",
        unit="logarithms of a factor",
    ),
    "blur": Norm(
        "variance, where it is a blur (heat kernel),",
        "at every input that is blurred (heat kernel, reflecting edges) by a variance below the "
        "row's radius",
        "by a blur (heat kernel, reflecting edges) of a variance below {}",
        unit="squared pixels",
    ),
    "translation": Norm(
        "length, where it is a cyclic shift by whole pixels,",
        "at every input that is shifted by whole pixels, around the edges, less far than the row's "
        "radius",
        "by a shift by whole pixels, around the edges, less far than {}",
        unit="pixels",
    ),
    "padded-translation": Norm(
        "length, where it is a shift by whole pixels, the lowest value entering,",
        "at every input that is shifted by whole pixels, the lowest value entering at the edge, by "
        "at most the row's radius",
        "by a shift by whole pixels, the lowest value entering at the edge, by at most {}",
        unit="pixels",
        reached=True,
    ),
    "rotation": Norm(
        "angle, in degrees, by which it is turned about its middle,",
        "at every turn of the input about its middle by at most the row's radius",
        "that turns an image about its middle by at most {} degrees",
        unit="degrees",
        reached=True,
    ),
    "scaling": Norm(
        "difference from 1 of the factor by which it is scaled about its middle",
        "at every scaling of the input about its middle by a factor that differs from 1 by at most "
        "the row's radius",
        "that scales an image about its middle by a factor that differs from 1 by at most {}",
        unit="differences of a factor from 1",
        reached=True,
    ),
}


def norm_named(name: str) -> Norm:
    """Return what is known of a norm; a name from elsewhere is taken as it is."""
    return NORMS.get(name) or Norm(f"{name} norm", _closer(name), f"below {{}} in the {name} norm")
