"""Which noise suits a model's inputs, and whether a model was trained for the noise asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rsonnx.noise import NOISES, InputSpace, Law
from rsonnx.smoothing import Trained


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
    space: InputSpace, trained: Trained | None = None, *, codes: bool = False
) -> tuple[Suited, ...]:
    """Return the noises that suit a model's inputs, the one that it was trained with first.

    Args:
        space: of what the model takes; its layout is None where these are no images.
        trained: what the model says of its training.
        codes: whether it takes codes alone.
    """
    laws = [law for law in NOISES.values() if law.codes or not codes]
    reasons = {law: why for law in laws if (why := law.suits(space)) is not None}
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
    behind = "".join(f",{key}={said['shown']}" for key, said in needed.items())
    scale = "--sigma S" if law.takes_sigma() else "--lambda L" if "lam" in law.own() else ""
    named = "" if law.name == "gaussian" else f"--noise {law.name}{behind}"
    return f"{' '.join(own) or named} {scale}".strip()
