"""Which noise suits a model's inputs, and whether a model was trained for the noise asked for."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from rsonnx.noise import NOISES, InputSpace, Law
from rsonnx.smoothing import Trained

_SAME = 1e-6
"""How far a parameter may be, relatively, from that of the training and be the same."""


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


def suited(space: InputSpace, trained: Trained | None = None) -> tuple[Suited, ...]:
    """Return the noises that suit a model's inputs, the one that it was trained with first.

    Args:
        space: of what the model takes; its layout is None where these are no images.
        trained: what the model says of its training.
    """
    reasons = {law: why for law in NOISES.values() if (why := law.suits(space)) is not None}
    if any(law.claim > 1 for law in reasons):
        reasons = {law: why for law, why in reasons.items() if law.claim > 1}
    ordered = dict(sorted(reasons.items(), key=lambda item: -item[0].claim))
    if trained is not None:
        own = NOISES[trained.noise]
        ordered = {own: ""} | ordered | {own: f"the model was trained with {trained.words}"}
    return tuple(Suited(law.name, law.norms, _options(law), why) for law, why in ordered.items())


def _options(law: type[Law]) -> str:
    """Return the options that ask for a noise: ``--noise power-linf,a=A --sigma S``."""
    needed = {key: f.metadata for key, f in law.options().items() if key in law.needs()}
    own = [f"{said['option']} {said['shown']}" for said in needed.values() if said["option"]]
    if own:
        return " ".join(own)
    behind = "".join(f",{key}={said['shown']}" for key, said in needed.items())
    scale = "--sigma S" if law.takes_sigma() else "--lambda L" if "lam" in law.own() else ""
    named = "" if law.name == "gaussian" else f"--noise {law.name}{behind}"
    return f"{named} {scale}".strip()


def mismatch(trained: Trained | None, noise: Law) -> str | None:
    """Return what to expect of a model that was trained with other noise, None where it was not.

    None too where the model says nothing of its training, or of a parameter.
    """
    if trained is None or (trained.noise == noise.name and _as_trained(trained, noise)):
        return None
    here = f" ({noise.settings})" if noise.settings else ""
    return (
        f"the model was trained with {trained.words}, but the noise here is {noise.name} "
        f"noise{here}: expect lower accuracy"
    )


def _as_trained(trained: Trained, noise: Law) -> bool:
    here = noise.parameters | {"sigma": noise.deviation}
    return all(
        here.get(key) is None or math.isclose(here[key], value, rel_tol=_SAME)
        for key, value in trained.parameters.items()
    )
