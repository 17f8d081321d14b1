"""A noise as it is asked for, before the model is there that tells the rest of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rsonnx.errors import UsageError
from rsonnx.noise.catalogue import NOISES, law_class, noise_of
from rsonnx.noise.law import Law
from rsonnx.noise.sigmas import read_sigmas

_NUMBER = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,4})?", re.ASCII)
_MOST = 1e39
_ELSEWHERE = {"sigma", "lam", "lambda", "norm"}
"""Parameters that are given apart."""


@dataclass(frozen=True)
class AskedNoise:
    """What a command line or a call says of the noise.

    Attributes:
        text: a law's name and what it takes behind it, numbers: ``"columns,width=4"``.
        sigma: standard deviation of the noise on one value, in the units of the input.
        lam: λ, the scale in the law's own formula, in place of ``sigma``.
        norm: of the radius; None for the law's first.
        files: of numbers, by the field that they are for; they mean its law.

    Raises:
        UsageError: there is no such law, or it takes no such parameter.
    """

    text: str = "gaussian"
    sigma: float | None = None
    lam: float | None = None
    norm: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._parameters  # noqa: B018 - what is wrong is said at once

    @cached_property
    def law(self) -> type[Law]:
        """The kind of noise."""
        named = law_class(self.text.partition(",")[0].strip())
        if not self.files:
            return named
        (own,) = (law for law in NOISES.values() if not self.files.keys() - law.options().keys())
        scaled = self.sigma is not None or self.lam is not None
        if scaled or "," in self.text or named.name not in ("gaussian", own.name):
            raise UsageError(
                f"{own.name} noise takes {self._option(own)} and no other noise or scale; leave "
                "the rest out"
            )
        return own

    @cached_property
    def _parameters(self) -> dict[str, int | float]:
        """What stands behind the name, each of them the law's own."""
        law, options = self.law, self.law.options()
        behind = {key: f for key, f in options.items() if f.metadata["option"] is None}
        takes = " and ".join(f"{key}={f.metadata['shown']}" for key, f in behind.items())
        parameters: dict[str, int | float] = {}
        for pair in self.text.split(",")[1:]:
            key, _, text = (part.strip() for part in pair.partition("="))
            if key in _ELSEWHERE:
                raise UsageError(f"the noise has {pair!r:.60}, but {key} is an option of its own")
            if key not in behind or key in parameters:
                twice = " twice" if key in parameters else ""
                raise UsageError(
                    f"{law.name} noise was given {pair!r:.60}{twice}, but it takes "
                    f"{takes or 'no further parameter'}"
                )
            parameters[key] = _number(key, text)
        for key, f in options.items():
            if f.default is MISSING and key not in parameters and key not in self.files:
                how = f.metadata["option"] or f"{law.name},{key}="
                raise UsageError(
                    f"{law.name} noise needs {how}{f.metadata['shown']}: {f.metadata['help']}"
                )
        return parameters

    @staticmethod
    def _option(law: type[Law]) -> str:
        return next(str(f.metadata["option"]) for f in law.options().values())

    def early(self) -> Law | None:
        """Return the law; None where it depends on the model, but for what is wrong already."""
        own = self.law.own()
        if self.files or "layout" in own:
            return None
        try:
            return self._made({})
        except UsageError:
            if "size" not in own:
                raise
        self._made({"size": 1})  # what is refused for inputs of a single value is refused for all
        return None

    def for_model(self, shape: tuple[int, ...], layout: str | None) -> Law:
        """Return the law for a model.

        Args:
            shape: that the model takes.
            layout: of the model's images, ``"NCHW"`` or ``"NHWC"``, where it is known.

        Raises:
            UsageError: no such model is for this noise, or it contradicts what is asked for.
            DataError: a file does not hold what its field takes.
        """
        size = math.prod(shape)
        read = {name: read_sigmas(path, size) for name, path in self.files.items()}
        return self._made(dict(self.law.from_model(shape, layout)) | read)

    def _made(self, told: dict[str, Any]) -> Law:
        scale = {"sigma": self.sigma, "lam": self.lam, "norm": self.norm}
        return noise_of(self.law.name, **(scale | told | self._parameters))


def _number(key: str, text: str) -> int | float:
    if not _NUMBER.fullmatch(text) or not abs(number := float(text)) < _MOST:
        raise UsageError(f"the noise has {key}={text!r:.60}, but a number below 1e39 was expected")
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else number
