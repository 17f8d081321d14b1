"""What a composed model's metadata say of its parts: which they are, in order, and how joined.

It is what :mod:`rsonnx.compose` writes. It proves nothing, since anybody can write metadata: only
composing the parts again does (:func:`rsonnx.compose.check`), and no certificate rests on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

COMPOSITION_KEY = "rsonnx.composition"

_SHA256 = re.compile("[0-9a-f]{64}")

_MOST_CHARACTERS, _MOST_WORDS, _MOST_LEVELS = 1_000_000, 10_000, 16
"""Of the entry, which every run's header repeats; of it in words, which begin every report; and of
its values in values: what reads a header follows so many, and not many more."""


@dataclass(frozen=True)
class PartRecord:
    """One part of a composed model.

    Attributes:
        role: what it is there: ``"member"``, ``"denoiser"``, ``"diffusion model"``,
            ``"classifier"``.
        file: its name, without folder.
        sha256: of the file, as :class:`rsonnx.model.ModelFile` has it.
        settings: what was declared of it beside its file, by the names of the options.
        preprocess: what was put between the composed input and this part, as a header has it.
    """

    role: str
    file: str
    sha256: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    preprocess: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Composition:
    """How a model was composed.

    Attributes:
        how: the command: ``"ensemble"``, ``"consensus"`` and so on, of :data:`WORDS`.
        parts: in the order in which they were given, which belongs to the model.
        options: of the command, as the library takes them.
    """

    how: str
    parts: tuple[PartRecord, ...]
    options: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the metadata, which :func:`composition_in` reads."""
        return {
            "how": self.how,
            "parts": [asdict(part) for part in self.parts],
            "options": dict(self.options),
        }

    @property
    def words(self) -> str:
        """What the model is: ``consensus of a.onnx, b.onnx, c.onnx (first 2)``."""
        return WORDS[self.how](self.parts, self.options)


def _listed(parts: Sequence[PartRecord]) -> str:
    return ", ".join(part.file for part in parts)


def _ensemble(parts: Sequence[PartRecord], options: Mapping[str, Any]) -> str:
    weights = options["weights"]
    weighted = "" if weights is None else f"; weights {'/'.join(f'{w:g}' for w in weights)}"
    return f"ensemble of {_listed(parts)} ({options['vote']} vote{weighted})"


def _consensus(parts: Sequence[PartRecord], options: Mapping[str, Any]) -> str:
    return f"consensus of {_listed(parts)} (first {options['k']})"


def _smooth(parts: Sequence[PartRecord], options: Mapping[str, Any]) -> str:
    return (
        f"smoothed {_listed(parts)} (sigma = {options['sigma']:g}, n = {options['n']:,}, alpha = "
        f"{options['alpha']:g})"
    )


def _denoise(parts: Sequence[PartRecord], _: Mapping[str, Any]) -> str:
    denoiser, classifier = parts
    return f"denoiser {denoiser.file} before classifier {classifier.file}"


def _diffuse(parts: Sequence[PartRecord], options: Mapping[str, Any]) -> str:
    unet, classifier = parts
    stated = options["schedule"]
    if not isinstance(stated, str):
        stated = f"{stated['beta_schedule']}-{stated['num_train_timesteps']}"
    return (
        f"diffusion model {unet.file} (one step of {stated}, sigma {options['sigma']:g}) before "
        f"classifier {classifier.file}"
    )


WORDS: dict[str, Callable[[Sequence[PartRecord], Mapping[str, Any]], str]] = {
    "ensemble": _ensemble,
    "consensus": _consensus,
    "denoise": _denoise,
    "diffuse": _diffuse,
    "smooth": _smooth,
}
"""What a composed model is, in words, by how it was composed."""


def composition_in(metadata: Mapping[str, str]) -> Composition | None:
    """Return how a model's metadata say that it was composed.

    None where they do not say it, or not so that a run's header can hold it.
    """
    try:
        text = metadata[COMPOSITION_KEY]
        stored: Any = json.loads(text) if len(text) <= _MOST_CHARACTERS else None
        parts = tuple(PartRecord(**part) for part in stored["parts"])
        made = Composition(stored["how"], parts, dict(stored["options"]))
        mappings = [mapping for part in parts for mapping in (part.settings, part.preprocess)]
        are_fit = (
            all(isinstance(text, str) for part in parts for text in (part.role, part.file))
            and all(_SHA256.fullmatch(part.sha256) for part in parts)
            and all(isinstance(mapping, dict) for mapping in mappings)
            and all(part.role.isascii() for part in parts)
            and _levels(stored) <= _MOST_LEVELS
        )
        return made if are_fit and 0 < len(made.words) <= _MOST_WORDS else None
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _levels(value: Any) -> int:
    """Return how deep lists and objects lie in each other."""
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_levels, inner), default=0) if isinstance(value, dict | list) else 0
