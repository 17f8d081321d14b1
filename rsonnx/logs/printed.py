"""The radii of a log as they are printed, and the true ones that each may stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rounding = Literal["nearest", "down"]

TOLERANCE = 2e-7
"""Relative slack on a printed radius: some projects compute it in single precision."""


@dataclass(frozen=True)
class Resolution:
    """Printed digits: ``"significant digits"`` as of ``{:.3}``, ``"decimals"`` as of ``{:.3f}``."""

    digits: int
    kind: Literal["significant digits", "decimals"]

    def unit(self, value: float) -> float:
        """Return the last printed place of ``value`` > 0."""
        if self.kind == "decimals":
            return 10.0**-self.digits
        return 10.0 ** (Decimal(repr(value)).adjusted() - self.digits + 1)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Resolution:
        """Tell how many digits were printed, of decimal numbers above 0, at least one.

        Where all texts have as many decimals, that many. Else trailing zeros were dropped
        somewhere: of significant digits and decimals, what has to suppose fewer of them.
        """
        places = [_places(Decimal(text)) for text in texts]
        if len(set(places)) == 1:
            return cls(places[0], "decimals")
        bare = [Decimal(text).normalize(Context(prec=1000)) for text in texts]
        figures = [len(number.as_tuple().digits) for number in bare]
        decimals = [_places(number) for number in bare]
        if max(figures) * len(bare) - sum(figures) <= max(decimals) * len(bare) - sum(decimals):
            return cls(max(figures), "significant digits")
        return cls(max(decimals), "decimals")


@dataclass(frozen=True)
class Printed:
    """The distinct radii above 0 of a log, ascending, each with the unit of its last digit."""

    values: Array
    units: Array
    resolution: Resolution

    @classmethod
    def of(cls, texts: Sequence[str]) -> Printed:
        """Read printed radii above 0, at least one."""
        resolution = Resolution.of(texts)
        values = sorted({float(text) for text in texts})
        units = [resolution.unit(value) for value in values]
        return cls(np.array(values), np.array(units), resolution)

    def interval(self, rounding: Rounding) -> tuple[Array, Array]:
        """Return the lowest and the highest true radius behind each printed one."""
        slack = TOLERANCE * self.values
        below, above = (0.5, 0.5) if rounding == "nearest" else (0.0, 1.0)
        return self.values - below * self.units - slack, self.values + above * self.units + slack


def _places(number: Decimal) -> int:
    return max(0, -int(number.as_tuple().exponent))
