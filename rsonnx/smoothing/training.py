"""What a model's own metadata say of the noise that it was trained for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from rsonnx.errors import UsageError
from rsonnx.noise import NOISES, Law
from rsonnx.noise.catalogue import law_class
from rsonnx.scalars import shown

TRAINING_KEY = "rsonnx.training"

_SHAPED = frozenset(
    {"norm", "size", "layout", "channels", "sigmas", "seed", "contrast", "shifts", "shift", "blur"}
)
"""Fields of a law that say nothing of its strength. The seed in the metadata is the training's."""


@dataclass(frozen=True)
class Trained:
    """The noise that a model was trained with.

    Attributes:
        noise: its name, of :data:`rsonnx.noise.NOISES`.
        parameters: what is said of it, by the names of its fields, ``sigma`` or ``lam``; each
            finite and above 0.
    """

    noise: str
    parameters: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records."""
        return {"noise": self.noise, "parameters": dict(self.parameters)}

    @property
    def words(self) -> str:
        """The noise in words: ``gaussian noise (sigma = 0.25)``."""
        said = [f"{_SHOWN.get(key, key)} = {value:g}" for key, value in self.parameters.items()]
        return f"{self.noise} noise" + (f" ({', '.join(said)})" if said else "")

    def mismatch(self, noise: Law) -> str | None:
        """Return what to expect under other noise; None where it is the same, or nothing is known.

        None too where nothing is known of a parameter.
        """
        here = noise.parameters | {"sigma": noise.deviation}
        if self.noise in (noise.name, noise.drawn.name) and all(
            here.get(key) is None or math.isclose(here[key], value, rel_tol=_SAME)
            for key, value in self.parameters.items()
        ):
            return None
        asked = f" ({noise.settings})" if noise.settings else ""
        return (
            f"the model was trained with {self.words}, but the noise here is {noise.name} noise"
            f"{asked}: expect lower accuracy"
        )


_SAME = 1e-6
"""How far a parameter may be, relatively, from that of the training and be the same."""

_SHOWN = {"lam": "lambda"}


def training_in(metadata: Mapping[str, str]) -> Trained | None:
    """Return the noise that a model's metadata say it was trained with, None where they do not.

    The entry is a JSON object, such as ``{"method": "gaussian", "sigma": 0.5}`` or ``{"method":
    "splitting", "lambda": 2}``; its ``noise parameters`` may stand in an object of their own. A
    ``noise`` or ``method`` that is no noise's name is a method of
    training with Gaussian noise if it has a ``sigma``. It is a remark on which no certificate
    rests, so one that cannot be understood is as good as none.
    """
    try:
        stored = json.loads(metadata[TRAINING_KEY])
    except (KeyError, ValueError, RecursionError):
        return None
    if not isinstance(stored, dict):
        return None
    inner = stored.get("noise parameters")
    stored = (inner if isinstance(inner, dict) else {}) | stored
    recorded = {("lam" if key == "lambda" else key): value for key, value in stored.items()}
    named = [recorded.get(key) for key in ("noise", "method")]
    name = next((law for law in named if isinstance(law, str) and law in NOISES), None)
    if name is None:
        sigma = _positive(recorded.get("sigma"))
        return None if sigma is None else Trained("gaussian", {"sigma": sigma})
    own = {field.name for field in fields(NOISES[name])} - _SHAPED  # type: ignore[arg-type]
    parameters = {key: _positive(recorded.get(key)) for key in sorted(own | {"sigma"})}
    return Trained(name, {key: value for key, value in parameters.items() if value is not None})


def read_trained(text: str) -> Trained:
    """Understand the noise of a training as ``gaussian,sigma=0.5`` or ``splitting,lambda=2``.

    Raises:
        UsageError: there is no such noise, or it has no such parameter, or that is not above 0.
    """
    if not isinstance(text, str):
        raise UsageError(
            f"the noise of training is {shown(text)}, but a text was expected, such as "
            "'gaussian,sigma=0.5'"
        )
    name, *pairs = text.split(",")
    law_class(name)
    parts = [pair.partition("=") for pair in pairs]
    try:
        said = {key.strip(): float(value) for key, _, value in parts}
    except ValueError:
        said = {}
    trained = training_in({TRAINING_KEY: json.dumps({"noise": name, **said})})
    if trained is None or len(trained.parameters) < len(pairs):
        raise UsageError(
            f"the noise of training is {shown(text)}, but a noise and its numbers above 0, such as "
            "gaussian,sigma=0.5, were expected"
        )
    return trained


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond all floats
        return None
    return number if math.isfinite(number) and number > 0 else None
