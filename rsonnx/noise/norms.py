"""What a radius measures, in words: one entry a norm."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Norm:
    """A norm in which a radius is given.

    Attributes:
        measure: what it measures of a change, for a sentence.
        within: where the answer is certified, for a radius called "the row's radius".
        covers: which changes a radius covers, with ``{}`` for it: "every change ...".
        unit: what a radius counts; None where it is in the units of the input.
        whole: whether radii are whole numbers, all of which are reached.
    """

    measure: str
    within: str
    covers: str
    unit: str | None = None
    whole: bool = False

    @property
    def limit(self) -> str:
        """How far a change may go whose measure is compared with a radius."""
        return "at most" if self.whole else "below"

    def units(self, low: float, high: float) -> str:
        """Return in which units radii are, and sigma, for inputs of these bounds."""
        return self.unit or f"input values between {low:g} and {high:g}, before preprocessing"


def _closer(name: str) -> str:
    return f"at every point closer than the row's radius in the {name} norm"


NORMS = {
    "l2": Norm(
        "Euclidean length (l2 norm)", _closer("l2"), "of Euclidean length (l2 norm) below {}"
    ),
    "l1": Norm(
        "sum of absolute changes (l1 norm)",
        _closer("l1"),
        "whose absolute values sum to less than {} (l1 norm)",
    ),
    "linf": Norm(
        "largest absolute change of a value (linf norm)",
        _closer("linf"),
        "of every value by less than {} (linf norm)",
    ),
    "mahalanobis": Norm(
        "length in standard deviations of the noise (Mahalanobis norm)",
        "at every point closer than the row's radius, where each value's change is measured in "
        "its own standard deviations of the noise (Mahalanobis norm)",
        "of a length below {} in standard deviations of the noise (Mahalanobis norm)",
        unit="standard deviations of the noise",
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
}


def norm_named(name: str) -> Norm:
    """Return what is known of a norm; a name from elsewhere is taken as it is."""
    return NORMS.get(name) or Norm(f"{name} norm", _closer(name), f"below {{}} in the {name} norm")
