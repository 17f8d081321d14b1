"""How finely a log's radii are printed, told from the printed texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Literal

_EXACT = Context(prec=1000)


@dataclass(frozen=True)
class Resolution:
    """Printed digits: ``"significant digits"`` as of ``{:.3}``, ``"decimals"`` as of ``{:.3f}``."""

    digits: int
    kind: Literal["significant digits", "decimals"]

    def __str__(self) -> str:
        return f"{self.digits} {self.kind if self.digits != 1 else self.kind.removesuffix('s')}"

    def unit(self, value: float) -> float:
        """Return the last printed place of ``value`` > 0."""
        if self.kind == "decimals":
            return 10.0**-self.digits
        return 10.0 ** (Decimal(repr(value)).adjusted() - self.digits + 1)


def resolution_of(texts: Sequence[str]) -> Resolution:
    """Tell how many digits were printed.

    Where all texts have as many decimals, that many. Else trailing zeros were dropped somewhere:
    of significant digits and decimals, the reading that has to suppose fewer of them.

    Args:
        texts: decimal numbers above 0, at least one.
    """
    numbers = [Decimal(text) for text in texts]
    places = {_places(number) for number in numbers}
    if len(places) == 1:
        return Resolution(places.pop(), "decimals")
    bare = [number.normalize(_EXACT) for number in numbers]
    figures = [len(number.as_tuple().digits) for number in bare]
    decimals = [_places(number) for number in bare]
    supposed_figures = max(figures) * len(bare) - sum(figures)
    supposed_decimals = max(decimals) * len(bare) - sum(decimals)
    if supposed_figures <= supposed_decimals:
        return Resolution(max(figures), "significant digits")
    return Resolution(max(decimals), "decimals")


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - a finite decimal, which the reader ensures
    return max(0, -exponent)
