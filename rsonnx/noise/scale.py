"""What defines a law is checked here, with sentences that say what was expected; and laws of a λ.

The noise of a law with a scale λ is λ times a noise that does not depend on it.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from rsonnx.errors import UsageError
from rsonnx.noise.law import SampledNoise
from rsonnx.scalars import as_float, as_whole, shown

_LEAST, _MOST = 1e-30, 1e30
"""Far beyond these formulas leave the doubles, and all samples float32."""


def check_scale(name: str, value: float) -> float:
    """Return a finite number above 0: ``"sigma"``, or ``"lambda"``, within 1e-30 to 1e30."""
    number = as_float(value)
    least, most = (_LEAST, _MOST) if name == "lambda" else (5e-324, sys.float_info.max)
    if not least <= number <= most:
        within = f" from {least:g} to {most:g}" if name == "lambda" else ""
        raise UsageError(
            f"{name} is {shown(value)}, but a finite number above 0{within} was expected, in the "
            "units of the input (0.25 and 0.5 are usual for [0, 1])"
        )
    return number


def check_whole(name: str, value: object, most: int, what: str) -> int:
    """Return a whole number as an int, or refuse it unless it is 1 to ``most``; ``what`` it is."""
    whole = as_whole(value)
    if whole is None or not 1 <= whole <= most:
        raise UsageError(
            f"{name} is {shown(value)}, but {what}, a whole number from 1 to {most}, was expected"
        )
    return whole


def needed_size(size: int | None) -> int:
    """Return how many values an input has, or refuse it unless it is known and 1 to 2^53."""
    if size is None:
        raise UsageError(
            "this radius depends on how many values an input has, but no size was given; give it"
        )
    return check_whole("size", size, 2**53, "how many values an input has")


def check_exponent(value: float | None, least: int, noise: str) -> float:
    """Return the exponent of a noise as a float, or refuse it unless it is above ``least``."""
    number = as_float(value)
    if not least < number <= 1e12:
        values = ", the number of values of an input," if least else ""
        raise UsageError(
            f"a is {shown(value)}, but the exponent of {noise} noise must be a number above "
            f"{least}{values} and at most 1e12"
        )
    return number


def check_share(name: str, value: float, lowest: float) -> float:
    """Return a probability in [lowest, 1) as a float, or refuse it."""
    number = as_float(value)
    if not lowest <= number < 1:
        least = "above 0" if lowest else "of at least 0"
        raise UsageError(
            f"{name} is {shown(value)}, but a probability {least} and below 1 was expected"
        )
    return number


class LambdaNoise(SampledNoise):
    """A law with a scale λ of its own, in the units of the input."""

    lam: float

    @classmethod
    @abstractmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float] | None:
        """Return two numbers, one of them 1, whose quotient is σ at λ = 1; None where σ is none.

        ``size`` is d, the values of an input; ``a`` the exponent, where the law has one.
        """

    @classmethod
    def takes_sigma(cls) -> bool:
        """Whether one standard deviation defines its scale."""
        return True

    @classmethod
    def lam_for(cls, sigma: float, size: int | None, a: float | None = None) -> float:
        """Return the λ at which one of ``size`` values has the standard deviation ``sigma``."""
        ratio = cls.ratio(size, a)
        if ratio is None:
            raise UsageError(
                f"{cls.name} noise of a = {a:g} has no standard deviation; give a larger a, or "
                "lambda in place of sigma"
            )
        return check_scale("sigma", sigma) * ratio[1] / ratio[0]

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the noise on one value, without the noise of its last digit."""
        ratio = self.ratio(getattr(self, "size", None), getattr(self, "a", None))
        return None if ratio is None else float(f"{self.lam * ratio[0] / ratio[1]:.14g}")


@dataclass(frozen=True)
class ScaledNoise(LambdaNoise):
    """The fields that most of these laws share, and their checks.

    Attributes:
        lam: λ, > 0, in the units of the input.
        norm: of :attr:`norms`.
        size: d, the values of an input; needed in the norms of :attr:`sized_norms`.
    """

    lam: float
    norm: str = "l1"
    size: int | None = None

    sized_norms: ClassVar[tuple[str, ...]] = ("linf",)
    """Those in which the radius, or the noise itself, depends on d."""

    def __post_init__(self) -> None:
        self._check_norm()
        unused = self.size is None and self.norm not in self.sized_norms
        size = None if unused else needed_size(self.size)
        self._settle(lam=check_scale("lambda", self.lam), size=size)

    @property
    def _d(self) -> int:
        """The values of an input, for what needs them."""
        return needed_size(self.size)
