"""What names a run in a table, and how it was certified."""

from __future__ import annotations

from dataclasses import dataclass

from rsonnx.report.rounding import alpha_up


@dataclass(frozen=True)
class Settings:
    """How counts became certificates.

    Attributes:
        alpha: probability of error an input.
        bound: the confidence bound on a probability.
        radius_rule: ``"one-sided"`` or ``"two-sided"``.
        family_wise: the probability of any error among all inputs, of which ``alpha`` is the share
            of one; else None.
    """

    alpha: float
    bound: str
    radius_rule: str
    family_wise: float | None = None

    def __str__(self) -> str:
        each = f"{alpha_up(self.alpha)} an input"
        if self.family_wise is not None:
            each = f"{alpha_up(self.family_wise)} for all inputs at once, {each}"
        return f"alpha = {each}, {self.bound}, {self.radius_rule}"


@dataclass(frozen=True)
class Heading:
    """What names a run in a table.

    Attributes:
        model: the model's file name.
        sigma: standard deviation of the noise.
        units: in which sigma and the radius are measured.
        norm: the norm of the radius.
        n: estimation samples an input; the most of them in an adaptive run.
        arithmetic: ``"exact"`` or ``"float"``.
        status: how the run ended.
        settings: how its counts became the certificates that are shown.
        target_radii: the radii whose decision stopped an adaptive run; None for a fixed n.
        restated_from: the settings that the run was made with, if its rows were derived anew.
        shared_noise: whether all inputs have the same noise, so that certificates are dependent.
    """

    model: str
    sigma: float
    units: str
    norm: str
    n: int
    arithmetic: str
    status: str
    settings: Settings
    target_radii: tuple[float, ...] | None = None
    restated_from: Settings | None = None
    shared_noise: bool = False
