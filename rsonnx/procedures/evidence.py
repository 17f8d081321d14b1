"""What a certificate follows from, and what is proved of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Cover
from rsonnx.procedures.result import ABSTAIN, CertificateCounts


@dataclass(frozen=True)
class Bracket:
    """What was calculated of the class probabilities at an input.

    Attributes:
        label: the likeliest class; ``ABSTAIN`` where no class is ever sure.
        p_a_lower, p_a_upper: bounds on its probability.
        p_b_upper: upper bound on the probability of all that is not this class, together.
    """

    label: int
    p_a_lower: float
    p_a_upper: float
    p_b_upper: float

    @classmethod
    def of(cls, label: int, p_b_upper: float, p_a_upper: float) -> Bracket:
        """Return the bracket of two upper bounds."""
        p_a_lower = max(0.0, math.nextafter(1.0 - p_b_upper, 0.0))
        return cls(label, p_a_lower, max(p_a_lower, p_a_upper), p_b_upper)


@dataclass(frozen=True)
class Evidence:
    """What a certificate follows from: all that a row has to keep of its samples.

    Attributes:
        selection: counts of the samples that chose the class.
        estimation: counts of the samples that bound its probability, independent of the former.
        uniform: the number that a randomised bound was given, else None.
        claim: (hits, samples) of the look that an adaptive run claims its bound from, else None.
        cover: the images that stand for all that a transformation makes, else None.
        near, near_b: the bounds on the class's probability and on every other's that a row has.
            They are taken where they differ from what is derived in their last digits alone, and
            save a search.
        bracket: what was calculated in place of samples, else None.
    """

    selection: Counts
    estimation: Counts
    uniform: float | None = None
    claim: tuple[int, int] | None = None
    cover: Cover | None = None
    near: float | None = field(default=None, compare=False)
    near_b: float | None = field(default=None, compare=False)
    bracket: Bracket | None = None

    @property
    def stages(self) -> tuple[Counts, Counts]:
        """The counts of both stages."""
        return self.selection, self.estimation

    @property
    def chosen(self) -> int:
        """The class that the selection samples chose; ``ABSTAIN`` if none had a class."""
        return self.selection.top()[0] if self.selection.seen else ABSTAIN

    @property
    def hits(self) -> int:
        """How many estimation samples are of the chosen class."""
        chosen = self.chosen
        return self.estimation[chosen] if chosen != ABSTAIN else 0

    def check_stages(self) -> None:
        """Refuse a stage without samples."""
        if self.selection.total < 1 or self.estimation.total < 1:
            raise UsageError(
                f"there are {self.selection.total} selection and {self.estimation.total} "
                "estimation samples, but each stage needs at least 1"
            )


class Figures(Protocol):
    """What is proved of a row or certificate."""

    @property
    def counts(self) -> CertificateCounts: ...  # noqa: D102
    @property
    def top_class(self) -> int: ...  # noqa: D102
    @property
    def p_a_lower(self) -> float: ...  # noqa: D102
    @property
    def p_b_upper(self) -> float | None: ...  # noqa: D102
    @property
    def radius(self) -> float: ...  # noqa: D102
    @property
    def one_sided_radius(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True)
class Proof:
    """What integer arithmetic, which trusts no rounding margin, says of a row's figures.

    Attributes:
        bounds: whether the bounds on probabilities are proved.
        radius: whether the radius is proved as well.
        faults: what should be proved and is not, in words.
    """

    bounds: bool = False
    radius: bool = False
    faults: tuple[str, ...] = ()
