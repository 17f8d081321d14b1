"""By which rules inputs are certified, before the noise and the model are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rsonnx.arguments import check_flag
from rsonnx.errors import UsageError
from rsonnx.noise import Law
from rsonnx.procedures import Adaptive, Fixed, Procedure, as_radii, certify_procedure
from rsonnx.statistics import (
    DEFAULT_BOUND,
    check_alpha,
    family_wise_alpha,
    fewest_samples_to_exceed_half,
)


@dataclass(frozen=True)
class Rules:
    """How inputs are certified, before the noise and the model are known.

    Attributes:
        n0, n: selection and estimation samples, or the most of them, >= 1.
        alpha: probability of error an input, in (0, 1); with ``family_wise`` of any error at all.
        bound: name of a sound bound on a probability; ``rsonnx bounds`` lists them.
        radius: ``"one-sided"`` or ``"two-sided"``.
        target_radii: radii to decide adaptively, rising, each > 0, or one.
        adaptive: whether all radii of the table are decided so.
        precision: the share of each radius that may be lost for fewer samples, in (0, 1); None for
            a fixed n, or what the targets need.
        family_wise: whether the inputs share ``alpha``.
        procedure: ``"sampled"``, or ``"exact"``, to which n0, n and alpha mean nothing.
        changed: of how many fixed values a change is allowed for, where it is exact.
    """

    n0: int = 100
    n: int = 100_000
    alpha: float = 0.001
    bound: str = DEFAULT_BOUND
    radius: str = "one-sided"
    target_radii: float | Iterable[float] | None = None
    adaptive: bool = False
    precision: float | None = None
    family_wise: bool = False
    procedure: str = "sampled"
    changed: int = 0

    def __post_init__(self) -> None:
        if self.target_radii is not None:
            object.__setattr__(self, "target_radii", as_radii(self.target_radii))
        for name in ("adaptive", "family_wise"):
            object.__setattr__(self, name, check_flag(name, getattr(self, name)))
        if self.family_wise:
            object.__setattr__(self, "alpha", check_alpha(self.alpha))
        if (self.target_radii is not None) + self.adaptive + (self.precision is not None) > 1:
            raise UsageError(
                "a target radius decides that radius, adaptive all of the table, and a precision "
                "says how much of each radius may be lost; give one of them"
            )

    def made(
        self,
        noise: Law,
        *,
        num_classes: int | None,
        shape: tuple[int, ...] | None = None,
        inputs: int = 1,
    ) -> Procedure:
        """Return the procedure that is meant, or refuse one that can never certify anything.

        Args:
            noise: the smoothing distribution; n0, n and alpha mean nothing to one that is
                enumerated.
            num_classes: K, None where it is not known.
            shape: of an input, where it is known.
            inputs: how many share ``alpha``, where it is family-wise.

        Raises:
            UsageError: an argument is out of range, or n is too small for alpha.
        """
        targets = self.target_radii
        certain = noise.enumerated or self.procedure != "sampled"
        if certain and self.family_wise:
            how = (
                f"{noise.name} noise is counted in full"
                if noise.enumerated
                else "nothing is sampled"
            )
            raise UsageError(
                f"family-wise alpha was asked for, but {how}, so no certificate can be wrong by "
                "chance; leave it out"
            )
        if certain or noise.covered:  # which are refused with targets of any kind
            targets = (0.0,) if self.adaptive else targets
        alpha = self.alpha
        if self.family_wise:
            alpha = family_wise_alpha(alpha, inputs)
        if not (certain or noise.covered):
            self._check(Fixed(noise, self.n0, self.n, alpha, self.bound, self.radius, num_classes))
            if self.adaptive:
                targets = Adaptive.of_table(noise, self.n0, self.n, alpha).target_radii
        return certify_procedure(
            noise,
            shape=shape,
            n0=self.n0,
            n=self.n,
            alpha=alpha,
            bound=self.bound,
            radius=self.radius,
            target_radii=targets,
            precision=self.precision,
            num_classes=num_classes,
            procedure=self.procedure,
            changed=self.changed,
        )

    def _check(self, fixed: Fixed) -> None:
        least = fewest_samples_to_exceed_half(fixed.alpha)
        if self.n < least:
            raise UsageError(
                f"n = {self.n} at alpha = {fixed.alpha:g} can never certify anything; the "
                f"smallest n that can is {least}"
            )
        if fixed.largest_radius <= 0.0:
            raise UsageError(
                f"n = {self.n} at alpha = {fixed.alpha:g} can never certify anything with the "
                f"bound {self.bound} and the {self.radius} radius; use a larger n"
            )
