"""What a caller declares of a model: all that decides how its file is read, adapted and batched.

One object that :func:`rsonnx.load`, the child that tries a model, workers and a run's header share.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from rsonnx.arguments import check_choice, check_flag, check_kind, check_pair, check_positive
from rsonnx.columns import Column
from rsonnx.errors import UsageError
from rsonnx.model.preprocess import Preprocessing, declared_preprocessing, parse_preprocessing
from rsonnx.scalars import as_float, plain, shown

ROWS = ("alone", "watched")
"""What can be done with a model whose rows are not proved to be independent."""


AUTO: Final = "auto"
"""Bounds that are what all the data span."""


@dataclass(frozen=True)
class ModelSettings:
    """How a model is read, as far as its file does not say or a caller says otherwise.

    Attributes:
        bounds: lowest and highest value of an input; ``"auto"`` for what the data span, to
            be settled by whoever opens them; None for what the file says, else (0, 1).
        preprocess: what the model expects done to its inputs, as
            :func:`~rsonnx.model.declared_preprocessing` takes it, a file being read at once; None
            for what the model's file says.
        output_name: the output that answers.
        threshold: for a model of one score: class 1 is answered above it.
        input_shape: of one input, without the batch axis, where the file leaves axes open.
        feeds: values of the inputs that are not smoothed: numbers, texts, or lists of them.
        float16: convert the model first.
        rows: ``"alone"`` or ``"watched"``, see :func:`rsonnx.load`.
        columns: of the table that its inputs are rows of; empty for other data.
    """

    bounds: tuple[float, float] | Literal["auto"] | None = None
    preprocess: str | Mapping[str, Any] | Preprocessing | None = None
    output_name: str | None = None
    threshold: float | None = None
    input_shape: Sequence[int] | None = None
    feeds: Mapping[str, Any] = field(default_factory=dict)
    float16: bool = False
    rows: str = ROWS[0]
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        check_choice("rows", self.rows, ROWS)
        check_kind("feeds", self.feeds, Mapping, "a mapping by name")  # type: ignore[type-abstract]
        if self.output_name is not None:
            check_kind("output_name", self.output_name, str, "the name of an output")
        # Arrays have no equality and no JSON.
        plain = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in self.feeds.items()}
        object.__setattr__(self, "feeds", plain)
        object.__setattr__(self, "float16", check_flag("float16", self.float16))
        if self.bounds is not None and not (isinstance(self.bounds, str) and self.bounds == AUTO):
            object.__setattr__(self, "bounds", check_pair(self.bounds))
        if self.threshold is not None:
            object.__setattr__(self, "threshold", _finite(self.threshold))
        if self.input_shape is not None:
            object.__setattr__(self, "input_shape", _whole_numbers(self.input_shape))
        if self.preprocess is not None:
            object.__setattr__(self, "preprocess", declared_preprocessing(self.preprocess))

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What is declared of the preprocessing, understood; None where nothing is."""
        return cast(Preprocessing | None, self.preprocess)

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records, by the names of the command line's options."""
        preprocess, shape = self.preprocessing, self.input_shape
        return {
            "bounds": list(self.bounds) if isinstance(self.bounds, tuple) else self.bounds,
            "preprocess": None if preprocess is None else preprocess.to_json(),
            "output_name": self.output_name,
            "threshold": self.threshold,
            "input_shape": None if shape is None else ",".join(map(str, shape)),
            "feed": [f"{name}={_feed_text(value)}" for name, value in self.feeds.items()],
            "float16": self.float16,
            "rows": self.rows,
        } | ({"columns": [column.to_json() for column in self.columns]} if self.columns else {})

    @classmethod
    def from_json(cls, recorded: Mapping[str, Any]) -> ModelSettings:
        """Return the settings that :meth:`to_json` or an older header recorded.

        Other fields are left alone. Older files have no ``rows``, and are taken for ``alone``.

        Raises:
            KeyError: a field is missing.
            TypeError: a field is of another kind.
            ValueError: a field is out of range (UsageError is one).
        """
        kinds = {"output_name": str, "float16": bool, "rows": str}
        plain = {"rows": ROWS[0]} | dict(recorded)
        for name, kind in kinds.items():
            if not isinstance(plain[name], kind | None):
                raise TypeError(f"{name} is {plain[name]!r:.60}")
        preprocess, shape = plain["preprocess"], plain["input_shape"]
        if preprocess is not None:
            preprocess = {key: value for key, value in dict(preprocess).items() if key != "source"}
        return cls(
            bounds=plain["bounds"],
            preprocess=None if preprocess is None else parse_preprocessing(preprocess),
            output_name=plain["output_name"],
            threshold=plain["threshold"],
            input_shape=None if shape is None else read_shape(shape),
            feeds=dict(map(read_feed, plain["feed"])),
            float16=bool(plain["float16"]),
            rows=plain["rows"] or ROWS[0],
            columns=tuple(map(Column.from_json, plain.get("columns", ()))),
        )


def _finite(threshold: object) -> float:
    number = as_float(threshold)
    if not math.isfinite(number):
        raise UsageError(f"the threshold is {shown(threshold)}, but a finite number was expected")
    return number


def _whole_numbers(shape: Any) -> tuple[int, ...]:
    several = plain(shape)
    if isinstance(several, str) or not isinstance(several, Iterable):
        raise UsageError(f"the input shape is {shown(shape)}, but whole numbers were expected")
    return tuple(check_positive("an axis of the input shape", axis) for axis in several)


def read_shape(text: str) -> tuple[int, ...]:
    """Read a shape such as ``3,224,224``."""
    try:
        return tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        raise UsageError(
            f"--input-shape is {shown(text)}, but whole numbers such as 3,224,224 were expected"
        ) from None


def read_feed(text: str) -> tuple[str, Any]:
    """Read ``NAME=NUMBER``, ``NAME=NUMBER,...`` or, for several axes, ``NAME=[[...], ...]``."""
    # A name may hold an equals sign; a number cannot.
    name, equals, value = text.rpartition("=")
    try:
        if value.startswith("["):
            import numpy as np  # noqa: PLC0415 - help and completion need this module, not numpy

            np.asarray(numbers := json.loads(value))  # or it is ragged, or deeper than any array
            return name, numbers
        numbers = [_number(part) for part in value.split(",")]
    except (ValueError, RecursionError):
        equals = ""
    if not name or not equals:
        raise UsageError(
            f"--feed is {shown(text)}, but NAME=NUMBER or NAME=NUMBER,... was expected"
        )
    return name, numbers[0] if len(numbers) == 1 else numbers


def _number(text: str) -> int | float | bool:
    if text in {"true", "false"}:
        return text == "true"
    try:
        return int(text)
    except ValueError:
        return float(text)


def _feed_text(value: Any) -> str:
    text = json.dumps(value, default=lambda number: number.tolist())
    is_list = isinstance(value, list) and len(value) > 1 and "[" not in text[1:]
    return text[1:-1].replace(" ", "") if is_list else text
