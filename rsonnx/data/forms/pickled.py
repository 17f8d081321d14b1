"""Python pickles of plain values and arrays of numbers, read by a machine that runs nothing.

A pickle is a program, and `pickle.Unpickler`, however restricted, runs it: with memo numbers that
fill the memory, tuples whose hash takes for ever, and states that numpy's own code believes. Here
its instructions are only looked at: what is no constant, no container and no array of numbers is
refused, and nothing is ever called.
"""

from __future__ import annotations

import math
import pickletools
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.data.forms.npy import is_shape
from rsonnx.errors import DataError

_MOST_STEPS = 2**21
"""Instructions that are followed; CIFAR-100's training set has some 400,000."""

_CALLABLES = {
    "numpy.core.multiarray._reconstruct": "array",
    "numpy._core.multiarray._reconstruct": "array",
    "numpy.core.numeric._frombuffer": "values",
    "numpy._core.numeric._frombuffer": "values",
    "numpy.ndarray": "class",
    "numpy.dtype": "dtype",
    "_codecs.encode": "bytes",  # how Python 3 writes bytes for Python 2
}
"""What an array is made with, by every version of numpy, and what each gives."""

_CONSTANTS = ("BININT", "LONG1", "BINFLOAT", "SHORT_BIN", "BINSTRING", "BINUNI", "BINBY", "BYTEARR")
"""How the names of instructions begin that state a number, a text or bytes."""

_NUMBERS = re.compile(r"[biuf][1248]", re.ASCII)


@dataclass(frozen=True)
class _Callable:
    what: str


@dataclass
class _Made:
    """An array, or the type of one: the memo knows it before its state is read."""

    what: str
    value: Any = None


@dataclass
class _Machine:
    """What a pickle has put aside so far.

    Attributes:
        left: bytes that may still be made of texts: a text may be taken from the memo at will.
        stack, memo: as pickles have them.
        marks: how high the stack was where containers begin.
    """

    left: int
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    marks: list[int] = field(default_factory=list)

    def take(self, count: int) -> list[Any]:
        """Take the last values."""
        if not 0 <= count <= len(self.stack):
            raise ValueError("an instruction lacks its values")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def items(self) -> list[Any]:
        """Take the values behind the last mark."""
        return self.take(len(self.stack) - self.marks.pop())

    def encoded(self, text: str) -> bytes:
        """Return the bytes that a text stands for."""
        self.left -= len(text)
        if self.left < 0:
            raise ValueError("it makes more bytes than it has")
        return text.encode("latin-1")

    def follow(self, name: str, argument: Any) -> None:  # noqa: PLR0912 - one an instruction
        """Follow one instruction; ValueError or TypeError where it is none of plain data."""
        stack, memo = self.stack, self.memo
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self.marks.append(len(stack))
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self.take(int(name[-1]))))
            case "TUPLE":
                stack.append(tuple(self.items()))
            case "APPEND" | "APPENDS":
                items = self.take(1) if name == "APPEND" else self.items()
                _kind(stack[-1], list).extend(items)
            case "SETITEM" | "SETITEMS":
                items = self.take(2) if name == "SETITEM" else self.items()
                for key, value in zip(items[::2], items[1::2], strict=True):
                    _kind(stack[-1], dict)[_text(key)] = value
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_callable(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                stack.append(_callable(".".join(map(_text, self.take(2)))))
            case "REDUCE":
                function, arguments = self.take(2)
                stack.append(self.made(_kind(function, _Callable).what, _kind(arguments, tuple)))
            case "BUILD":
                (state,) = self.take(1)
                self.set_state(_kind(stack[-1], _Made), _kind(state, tuple))
            case _ if name.startswith(_CONSTANTS):
                stack.append(argument)
            case _:
                raise ValueError(f"it has the instruction {name}")

    def made(self, what: str, arguments: tuple[Any, ...]) -> Any:
        """Return what a call stands for, made without it."""
        match what, arguments:
            case "array", (_Callable("class"), _, _):
                return _Made("array")
            case "dtype", (str() | bytes() as code, *_):
                if not _NUMBERS.fullmatch(_text(code)):
                    raise DataError(
                        f"it has an array of the type {_text(code)[:20]!a}, not of numbers"
                    )
                return _Made("dtype", np.dtype(_text(code)))
            case "bytes", (str() as text, "latin1" | "latin-1"):
                return self.encoded(text)
            case "values", (buffer, _Made("dtype", dtype), shape, order):
                return _Made("array", self.array(buffer, dtype, shape, order == "F"))
        raise TypeError(f"an array's {what} is made of something else")

    def set_state(self, made: _Made, state: tuple[Any, ...]) -> None:
        """Give an array its values, or a type its byte order."""
        match made.what, state:
            case "dtype", (3, "<" | ">" | "|" | "=" as order, None, None, None, -1, -1, 0):
                made.value = made.value.newbyteorder(order)
            case "array", (1, shape, _Made("dtype", dtype), fortran, values):
                made.value = self.array(values, dtype, shape, bool(fortran))
            case _:
                raise TypeError(f"an array's {made.what} has another state")

    def array(self, values: Any, dtype: np.dtype[Any], shape: Any, by_column: bool) -> NDArray[Any]:
        """Return an array of values that are there."""
        values = self.encoded(values) if isinstance(values, str) else values
        axes = _kind(shape, tuple)
        if not is_shape(axes):
            raise TypeError("an array's shape is no tuple of lengths")
        if len(values) != math.prod(axes) * dtype.itemsize:
            raise ValueError("an array's shape is not that of its values")
        return np.frombuffer(values, dtype).reshape(axes, order="F" if by_column else "C")


def read_pickled(data: bytes, where: str) -> dict[str, Any]:
    """Return the dictionary that a pickle of protocol 2 to 5 holds.

    Args:
        data: the pickle.
        where: names it in messages.

    Returns:
        by its keys as text: numbers, texts, bytes, lists, tuples and arrays of numbers.

    Raises:
        DataError: it is broken, asks for anything else than to make an array of numbers, or is no
            dictionary.
    """
    machine = _Machine(len(data))
    try:
        for step, (code, argument, _) in enumerate(pickletools.genops(data)):
            if step == _MOST_STEPS:
                raise ValueError(f"it has more than {_MOST_STEPS} instructions")
            if code.name == "STOP":
                break
            machine.follow(code.name, argument)
        (value,) = machine.stack
        return {key: _value(made) for key, made in _kind(value, dict).items()}
    except Exception as error:  # whatever hostile bytes provoke
        reason = str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
        raise DataError(
            f"{where} is no pickle of plain arrays ({reason[:100]}); fetch it again, or save its "
            "arrays with numpy.savez"
        ) from error


def _kind(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"a {type(value).__name__} stands where a {kind.__name__} belongs")
    return value


def _value(made: Any) -> Any:
    if isinstance(made, _Callable) or (isinstance(made, _Made) and made.value is None):
        raise TypeError("an array has no values")
    return made.value if isinstance(made, _Made) else made


def _text(value: Any) -> str:
    """Return a text, that of Python 2 among them, which may be read as bytes."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(_kind(value, str))


def _callable(name: str) -> _Callable:
    if name not in _CALLABLES:
        raise DataError(f"it asks for {name[:60]!a}, which is never run")
    return _Callable(_CALLABLES[name])
