"""What can be asked of a base classifier around an input, and what an answer claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rsonnx.arguments import check_choice, check_flag
from rsonnx.errors import UsageError
from rsonnx.scalars import as_float, shown

NORMS = ("l2", "linf", "l1")
METHODS = ("crown", "crown-ibp", "ibp")
ARITHMETICS = ("float32", "real")

_EVALUATED = {
    "float32": "the file's answer, in float32 on a processor and with sums in any order, to the "
    "float32 numbers nearest to the point",
    "real": "the answer of the function that the file states, in real numbers and not as it runs,",
}


@dataclass(frozen=True)
class Question:
    """What is asked of every input.

    Attributes:
        norm: ``"l2"``, ``"linf"`` or ``"l1"``.
        epsilon: the radius of which it is decided; None for the largest that is certified.
        method: ``"crown"`` bounds every layer backwards, ``"crown-ibp"`` the scores alone, and
            ``"ibp"`` none.
        arithmetic: ``"float32"`` for the file as it runs, ``"real"`` for the function it states.
        within_bounds: whether points outside the declared bounds are left out.

    Raises:
        UsageError: there is no such norm, method or arithmetic, or epsilon is not above 0.
    """

    norm: str = "l2"
    epsilon: float | None = None
    method: str = "crown"
    arithmetic: str = "float32"
    within_bounds: bool = False

    def __post_init__(self) -> None:
        check_choice("norm", self.norm, NORMS)
        check_choice("method", self.method, METHODS)
        check_choice("arithmetic", self.arithmetic, ARITHMETICS)
        check_flag("within_bounds", self.within_bounds)
        if self.epsilon is not None:
            epsilon = as_float(self.epsilon)
            if not 0 < epsilon < math.inf:
                raise UsageError(
                    f"epsilon is {shown(self.epsilon)}, but a number above 0 was expected"
                )
            object.__setattr__(self, "epsilon", epsilon)

    def claim(self, fixed: Sequence[str] = ()) -> str:
        """Return what a radius says, in a sentence without its end.

        Args:
            fixed: names of the columns in which no change is bounded.
        """
        where = " and within the bounds" if self.within_bounds else ""
        if fixed:
            where += f" whose fixed columns are unchanged ({', '.join(fixed)})"
        return (
            f"at every point at most the radius away ({self.norm} norm){where}, "
            f"{_EVALUATED[self.arithmetic]} is the row's prediction: proved, without chance"
        )
