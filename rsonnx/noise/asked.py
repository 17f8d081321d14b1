"""A noise as it is asked for, before the model is there that tells the rest of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rsonnx.errors import UsageError
from rsonnx.noise.catalogue import LAWS, NOISES, law_class, noise_of
from rsonnx.noise.law import Law
from rsonnx.noise.options import FILES, INTERVALS
from rsonnx.noise.sigmas import Values, sigmas_for

_NUMBER = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,2})?", re.ASCII)

USUAL_SIGMAS = "its standard deviation, for pixels in [0, 1] usually 0.12, 0.25, 0.5 or 1"


@dataclass(frozen=True)
class AskedNoise:
    """What a command line or a call says of the noise.

    Attributes:
        text: a law's name and what it takes behind it, numbers: ``"columns,width=4"``.
        sigma: standard deviation of the noise on one value, in the units of the input.
        lam: λ, the scale in the law's own formula, in place of ``sigma``.
        norm: of the radius; None for the law's first.
        files: of numbers, by the field that they are for; they mean its law. ``0.25std`` is a share
            of each value's standard deviation over all the data.
        intervals: two numbers, by the field that they are for; they mean its law too.

    Raises:
        UsageError: there is no such law, or it does not take what is given, or takes more.
    """

    text: str = "gaussian"
    sigma: float | None = None
    lam: float | None = None
    norm: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._parameters  # noqa: B018 - what is wrong is said at once

    @cached_property
    def law(self) -> type[Law]:
        """The kind of noise."""
        several = re.split(r"\s*[+,]\s*", self.text.strip())
        if len(several) > 1 and NOISES.keys() >= set(several):
            both = " and ".join(several)
            joined = {"-".join(several), "-".join(reversed(several))} & LAWS["Images"].keys()
            if joined and LAWS["Images"].keys() >= set(several):
                raise UsageError(f"{both} at once are noise of its own; use --noise {joined.pop()}")
            raise UsageError(
                f"no radius is known here of {both} at once; of two kinds there are brightness or "
                "contrast with each other, with blur or with translation; choose one of these"
            )
        named = law_class(self.text.partition(",")[0].strip())
        said = self.files.keys() | self.intervals.keys()
        if not said:
            return named
        own = next((law for law in NOISES.values() if said <= law.options().keys()), None)
        given = " and ".join(str((FILES | INTERVALS)[name]["option"]) for name in sorted(said))
        if own is None:
            raise UsageError(f"{given} mean noises of their own; give one of them")
        scales = {"--sigma": self.sigma, "--lambda": self.lam} if self.files else {}
        unused = [option for option, scale in scales.items() if scale is not None]
        if "," in self.text or named.name not in ("gaussian", own.name):
            unused = [f"--noise {self.text:.60}", *unused]
        if unused:
            no_scale = " and no scale" if self.files else ""
            leave = " and ".join(unused)
            raise UsageError(f"{own.name} noise takes {given}{no_scale}; leave out {leave}")
        return own

    @cached_property
    def _parameters(self) -> dict[str, int | float]:
        """What stands behind the name, each of them the law's own."""
        options = {key: f.metadata for key, f in self.law.options().items()}
        behind = {key: said for key, said in options.items() if said["option"] is None}
        parameters: dict[str, int | float] = {}
        for pair in self.text.split(",")[1:]:
            key, _, text = (part.strip() for part in pair.partition("="))
            if key not in behind or key in parameters:
                takes = " and ".join(f"{key}=NUMBER" for key in behind)
                raise UsageError(
                    f"{self.law.name} noise was given {pair!r:.60}, but behind its name it takes "
                    f"{f'{takes}, once each' if takes else 'nothing'}; sigma, lambda and norm have "
                    "options of their own"
                )
            if not _NUMBER.fullmatch(text):
                raise UsageError(
                    f"{self.law.name} noise was given {key}={text!r:.60}, but {key} is a number"
                )
            parameters[key] = int(text) if text.lstrip("+-").isdecimal() else float(text)
        needed = self.law.needs() - parameters.keys() - self.files.keys() - self.intervals.keys()
        missing = [key for key in options if key in needed]
        if missing:
            written = ",".join((self.text, *(f"{key}=NUMBER" for key in missing)))
            own = [
                f"{options[key]['option']} {options[key]['shown']}"
                for key in missing
                if key not in behind
            ]
            raise UsageError(
                f"{self.law.name} noise needs {' and '.join(missing)}; "
                f"{f'give {own[0]}' if own else f'write --noise {written}'}"
            )
        return parameters

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

    def of_any_layout(self) -> Law | None:
        """Return the law where the layout of images is all that a model tells, for its radii."""
        own = self.law.own()
        if self.files or self.law.enumerated or "layout" not in own or "size" in own:
            return None
        return self.for_model((1, 1), None)

    def for_model(
        self, shape: tuple[int, ...], layout: str | None, values: Values | None = None
    ) -> Law:
        """Return the law for a model.

        Args:
            shape: that the model takes.
            layout: of the model's images, ``"NCHW"`` or ``"NHWC"``, where it is known.
            values: what is known of an input's values; None for how many they are.

        Raises:
            UsageError: no such model is for this noise, or it contradicts what is asked for.
            DataError: a file does not hold what its field takes.
        """
        values = values or Values(math.prod(shape))
        read = {name: sigmas_for(path, values) for name, path in self.files.items()}
        return self._made(self.law.from_model(shape, layout) | read)

    def _made(self, told: dict[str, Any]) -> Law:
        scale = {"sigma": self.sigma, "lam": self.lam, "norm": self.norm}
        return noise_of(self.law.name, **(scale | told | self._parameters | {**self.intervals}))
