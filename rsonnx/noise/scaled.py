"""Laws with a scale λ of their own: the noise is λ times a noise that does not depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rsonnx.noise.law import SampledNoise
from rsonnx.noise.scale import check_scale, check_size, needed_size


@dataclass(frozen=True)
class ScaledNoise(SampledNoise):
    """The fields that these laws share, and their checks.

    Attributes:
        lam: λ, > 0, in the units of the input.
        norm: of :attr:`norms`.
        size: d, the values of an input; needed in the norms of :attr:`sized_norms`.
    """

    lam: float
    norm: str = "l1"
    size: int | None = None

    sized_norms: ClassVar[tuple[str, ...]]
    """Those in which the radius, or the noise itself, depends on d."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "lam", check_scale("lambda", self.lam))
        self._check_norm()
        size = check_size(self.size, needed=self.norm in self.sized_norms)
        object.__setattr__(self, "size", size)

    @property
    def _d(self) -> int:
        """The values of an input, for what needs them."""
        return needed_size(self.size)
