"""Which noise suits a model's inputs, and whether a model was trained for the noise asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rsonnx.cli.noises import PER_FEATURE, paired_layouts
from rsonnx.noise import NOISES, SmoothingDistribution
from rsonnx.smoothing import Trained

_MOST_CODES = 1 << 16
"""Whole numbers between bounds further apart are rather measured than names of categories."""

_SAME = 1e-6
"""How far a parameter may be, relatively, from that of the training and be the same."""

_ASKED = {
    "gaussian": "--sigma S",
    PER_FEATURE: "--sigma-per-feature FILE",
    "splitting": "--noise splitting --lambda L",
    "columns": "--noise columns,width=W",
    "blocks": "--noise blocks,width=W",
    "ablation": "--noise ablation,keep=K",
    "flips": "--noise flips,keep=P,values=V",
    "sparse-flips": "--noise sparse-flips,p_plus=P,p_minus=P",
    "power-linf": "--noise power-linf,a=A --sigma S",
}
"""The options of all noises that take more or other ones than ``--noise NAME --sigma S``."""


@dataclass(frozen=True)
class Suited:
    """A noise that suits a model's inputs.

    Attributes:
        noise: its name.
        norms: those in which it certifies, the best first.
        options: of ``rsonnx certify``, to ask for it.
        why: it suits.
    """

    noise: str
    norms: tuple[str, ...]
    options: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return asdict(self) | {"norms": list(self.norms)}


def suited(
    shape: tuple[int, ...],
    layout: str | None,
    bounds: tuple[float, float],
    trained: Trained | None = None,
) -> tuple[Suited, ...]:
    """Return the noises that suit a model's inputs, the one that it was trained with first.

    Args:
        shape: that the model takes, without the batch axis.
        layout: of its images; None where the inputs are none.
        bounds: lowest and highest value of an input.
        trained: what the model says of its training.
    """
    reasons = dict(_reasons(shape, layout, bounds))
    if trained is not None:
        reasons = {trained.noise: f"the model was trained with {trained.words}"} | {
            name: why for name, why in reasons.items() if name != trained.noise
        }
    return tuple(
        Suited(name, NOISES[name].norms, _ASKED.get(name, f"--noise {name} --sigma S"), why)
        for name, why in reasons.items()
    )


def _reasons(
    shape: tuple[int, ...], layout: str | None, bounds: tuple[float, float]
) -> Iterator[tuple[str, str]]:
    """Yield the name of each noise and why it suits."""
    low, high = bounds
    if paired(shape, layout):
        for name, part in (("columns", "a band"), ("blocks", "a block"), ("ablation", "a few")):
            pixels = f"{part} of the pixels" if name != "ablation" else f"{part} pixels"
            yield name, f"the channels can be x and 1 - x of images of which {pixels} are shown"
        return
    if layout is not None:
        yield "gaussian", "images"
        yield "laplace", "images"
        yield "uniform", "images"
        if bounds == (0.0, 1.0):
            yield "splitting", "8-bit images, if the model was trained for it; without chance"
        return
    if _coded(bounds):
        yield "flips", f"if all values are whole numbers from {low:g} to {high:g}"
    if bounds == (0.0, 1.0):
        yield "sparse-flips", "if all values are 0 or 1"
    yield "gaussian", "values in one unit, such as standardised ones"
    yield PER_FEATURE, "values in units of their own"
    if math.isfinite(high - low):
        yield "laplace", "values in one unit"


def paired(shape: tuple[int, ...], layout: str | None) -> bool:
    """Say whether the channels may be those of x and 1 - x."""
    return any(layout in (None, one) for one in paired_layouts(shape))


def _coded(bounds: tuple[float, float]) -> bool:
    """Say whether the bounds may be those of the codes of categories."""
    low, high = bounds
    return (
        bounds != (0.0, 1.0)
        and float(low).is_integer()
        and float(high).is_integer()
        and high - low < _MOST_CODES
    )


def mismatch(trained: Trained | None, noise: SmoothingDistribution) -> str | None:
    """Return what to expect of a model that was trained with other noise, None where it was not.

    None too where the model says nothing of its training, or of a parameter.
    """
    if trained is None or (trained.noise == noise.name and _as_trained(trained, noise)):
        return None
    here = noise.settings
    return (
        f"the model was trained with {trained.words}, but the noise here is {noise.name} noise"
        + (f" ({here})" if here else "")
        + ": expect lower accuracy"
    )


def _as_trained(trained: Trained, noise: SmoothingDistribution) -> bool:
    here = noise.parameters | {"sigma": noise.deviation}
    return all(
        here.get(key) is None or math.isclose(here[key], value, rel_tol=_SAME)
        for key, value in trained.parameters.items()
    )
