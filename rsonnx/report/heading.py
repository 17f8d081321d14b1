"""What names a run in a table, and how it was certified."""

from __future__ import annotations

from dataclasses import dataclass

from rsonnx.report.rounding import alpha_up


@dataclass(frozen=True)
class Settings:
    """How counts became certificates.

    Attributes:
        alpha: probability of error an input; 0 where every change was counted.
        bound: the confidence bound on a probability; ``"exact"`` where there is none to bound.
        radius_rule: ``"one-sided"``, ``"two-sided"`` or ``"exact"``.
        family_wise: the probability of any error among all inputs, of which ``alpha`` is the share
            of one; else None.
    """

    alpha: float
    bound: str
    radius_rule: str
    family_wise: float | None = None

    @property
    def exact(self) -> bool:
        """Whether every change that the noise can make was counted, which leaves nothing open."""
        return self.alpha == 0

    def __str__(self) -> str:
        if self.exact:
            return "counted in full"
        each = f"{alpha_up(self.alpha)} an input"
        if self.family_wise is not None:
            each = f"{alpha_up(self.family_wise)} for all inputs at once, {each}"
        return f"alpha = {each}, {self.bound}, {self.radius_rule}"


@dataclass(frozen=True)
class Heading:
    """What names a run in a table.

    Attributes:
        model: the model's file name.
        noise: the smoothing distribution with the parameter that matters: ``gaussian sigma = 0.5``.
        sigma: standard deviation of the noise on one value; None for noise that has none.
        within: where answers are certified, for a radius called "the input's radius".
        units: in which sigma and the radius are measured.
        norm: the norm of the radius.
        n: estimation samples an input; the most of them in an adaptive run, and in an exact one how
            many changes were counted.
        arithmetic: ``"exact"`` or ``"float"``.
        status: how the run ended.
        settings: how its counts became the certificates that are shown.
        target_radii: the radii whose decision stopped an adaptive run; None for a fixed n.
        restated_from: the settings that the run was made with, if its rows were derived anew.
        shared_noise: whether all inputs have the same noise, so that certificates are dependent.
        additive: whether the noise is added to the input, as opposed to replacing parts of it.
        rows: why a row's answer does not depend on its batch: ``"proved"``, ``"alone"``, or
            ``"watched"``, which assumes it; None where the run does not say.
    """

    model: str
    noise: str
    sigma: float | None
    within: str
    units: str
    norm: str
    n: int
    arithmetic: str
    status: str
    settings: Settings
    target_radii: tuple[float, ...] | None = None
    restated_from: Settings | None = None
    shared_noise: bool = False
    additive: bool = True
    rows: str | None = None

    @property
    def gaussian(self) -> bool:
        """Whether the noise is the usual one, which its sigma alone tells apart."""
        return self.short_noise != self.noise

    @property
    def radii_of(self) -> str:
        """Of which norm and in which units radii are, in a stranger's words."""
        return f"{self.norm} radius in {self.units}"

    @property
    def short_noise(self) -> str:
        """The noise in few words; Gaussian noise, which is the usual one, goes by its sigma."""
        return self.noise.removeprefix("gaussian ")
