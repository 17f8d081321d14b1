"""What a law is called: the fields that define it, how they are recorded, and its words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from dataclasses import MISSING, Field, fields
from typing import Any, ClassVar

from rsonnx.errors import UsageError
from rsonnx.noise.norms import Norm, norm_named
from rsonnx.scalars import shown


class Described(ABC):
    """A frozen dataclass whose fields are all that it takes to draw a noise again."""

    name: ClassVar[str]
    """As on the command line and in run files."""

    norms: ClassVar[tuple[str, ...]]
    """Those in which it can certify, the best first."""

    norm: str
    """The norm in which its radii are measured."""

    # How it is asked for.

    @classmethod
    def own(cls) -> Mapping[str, Field[Any]]:
        """Return all fields by name."""
        return {f.name: f for f in fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def options(cls) -> Mapping[str, Field[Any]]:
        """Return the fields that :func:`rsonnx.noise.options.option` declares, by name."""
        return {name: f for name, f in cls.own().items() if "shown" in f.metadata}

    @classmethod
    def needs(cls) -> Set[str]:
        """Return which of these must be given."""
        return {name for name, f in cls.options().items() if f.default is MISSING}

    @classmethod
    def takes_sigma(cls) -> bool:
        """Whether one standard deviation defines its scale."""
        return "sigma" in cls.own()

    @classmethod
    def scales(cls) -> tuple[str, ...]:
        """Return what may be given as its scale: ``"sigma"``, ``"lambda"``, either or neither."""
        return ("sigma",) * cls.takes_sigma() + ("lambda",) * ("lam" in cls.own())

    @classmethod
    def lam_for(cls, sigma: float, size: int | None, a: float | None = None) -> float:
        """Return the λ at which one of ``size`` values has the standard deviation ``sigma``."""
        del sigma, size, a
        instead = "give lambda in its place" if "lambda" in cls.scales() else "leave it out"
        raise UsageError(f"{cls.name} noise has no sigma; {instead}")

    # What is recorded and said of it.

    @property
    def parameters(self) -> dict[str, Any]:
        """All that defines the law, as JSON."""
        own = {name: getattr(self, name) for name in self.own()}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in own.items()}

    def to_json(self) -> dict[str, Any]:
        """Return what a header records; :func:`rsonnx.noise.law_from_json` reads it back."""
        return {
            "distribution": self.name,
            "sigma": self.deviation,
            "norm": self.norm,
            "parameters": self.parameters,
        }

    @property
    @abstractmethod
    def deviation(self) -> float | None:
        """Standard deviation of the noise on one value in the units of the input, if it has one;
        of a transformation, that of its parameter."""

    @property
    def settings(self) -> str:
        """The parameter that matters, for a sentence: ``sigma = 0.5``; "" where none is."""
        return "" if self.deviation is None else f"sigma = {self.deviation:g}"

    @property
    def label(self) -> str:
        """A short name with the parameter that matters, for tables: ``laplace sigma = 0.5``."""
        return f"{self.name} {self.settings}".rstrip()

    @property
    def short_label(self) -> str:
        """The same where space is dear: the usual noise goes without its name."""
        return self.label

    @property
    def title(self) -> str:
        """What begins a line: ``Laplace noise of sigma = 0.5``."""
        title = f"{self.name[0].upper()}{self.name[1:]} noise"
        return f"{title} of {self.settings}" if self.settings else title

    def __str__(self) -> str:
        return self.label

    @property
    def measure(self) -> Norm:
        """What is known of the norm of its radii."""
        return norm_named(self.norm)

    @property
    def within(self) -> str:
        """Where the answer is certified, for a radius called "the row's radius"."""
        return self.measure.within

    def units(self, low: float, high: float) -> str:
        """Return in which units radii are for inputs of these bounds; others are not compared."""
        return self.measure.units(low, high)

    def _settle(self, **checked: Any) -> None:
        """Store fields as they were checked; a law is frozen from then on."""
        for key, value in checked.items():
            object.__setattr__(self, key, value)

    def _check_norm(self) -> None:
        """Refuse a norm in which this distribution certifies nothing."""
        if not isinstance(self.norm, str) or self.norm not in self.norms:
            raise UsageError(
                f"the norm is {shown(self.norm)}, but {self.name} noise certifies in "
                f"{' or '.join(self.norms)}; choose one of these, or another noise"
            )
