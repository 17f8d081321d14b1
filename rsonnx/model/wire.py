"""Take large weights out of a model's file before protobuf reads it, which would copy them.

A message is fields, one behind the other, of which some are messages again. Only the lengths of
those that hold a weight are written anew where its values are taken out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Piece:
    """The bytes of a weight, and where they begin in the file."""

    offset: int
    values: NDArray[np.uint8]


Raw = dict[int, Piece]
"""The bytes of large weights, by their places among the stored tensors of the main graph."""

_GRAPH, _TENSOR, _VALUES = 7, 5, 9
"""Numbers of the fields that lead to them: the graph, a stored tensor of it, its raw data."""

_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}
"""How protobuf stores the value of a field: as a number, behind its length, in so many bytes."""

_LONGEST = 10
"""Bytes of a number at most."""

_MOST_FIELDS = 1 << 20
"""Fields on the way to weights, at most: a file of nothing else would take many minutes."""


class UnfitError(Exception):
    """A file cannot be read so.

    It is damaged, states the values of a weight twice, or is made of too many fields.
    """


def split(
    file: io.BufferedReader, size: int, large: int, hear: Callable[[Any], object]
) -> tuple[bytes, Raw]:
    """Return a serialized model without the values of its large weights, and those.

    Args:
        file: at its beginning.
        size: its bytes.
        large: the bytes of a large weight, at least.
        hear: is given all bytes of the file, in their order.

    Raises:
        UnfitError: not all of it was heard.
    """
    splitter = _Splitter(file, large, hear)
    light = splitter.message(size, (_GRAPH, _TENSOR, _VALUES))
    splitter.flush()
    return light, splitter.raw


class _Splitter:
    """A file that is read once, from its beginning.

    Attributes:
        raw: what was taken out.
    """

    def __init__(self, file: io.BufferedReader, large: int, hear: Callable[[Any], object]) -> None:
        self._file, self._large, self._hear = file, large, hear
        self._at = self._tensors = self._fields = 0
        self._unheard: list[bytes] = []
        self._valued: set[int] = set()
        self.raw: Raw = {}

    def message(self, stop: int, way: tuple[int, ...]) -> bytes:
        """Return the message that ends at ``stop``, without values that ``way`` leads to."""
        kept: list[bytes] = []
        while self._at < stop:
            key, tag = self._number()
            self._fields += 1
            if self._fields > _MOST_FIELDS:
                raise UnfitError
            number, kind = key >> 3, key & 7
            if kind == _LENGTH:
                length, written = self._number()
                if self._at + length > stop:
                    raise UnfitError
                if number == way[0]:
                    kept += self._on_the_way(number, tag, length, way)
                else:
                    kept += [tag, written, self._bytes(length)]
            elif kind == _VARINT:
                kept += [tag, self._number()[1]]
            elif kind in _FIXED:
                kept += [tag, self._bytes(_FIXED[kind])]
            else:
                raise UnfitError
        if self._at != stop:
            raise UnfitError
        return b"".join(kept)

    def _on_the_way(
        self, number: int, tag: bytes, length: int, way: tuple[int, ...]
    ) -> Iterable[bytes]:
        """Return what is kept of a field that holds weights, or is the values of one."""
        if number == _VALUES:
            if self._tensors in self._valued:
                raise UnfitError
            self._valued.add(self._tensors)
            if length >= self._large:
                self.raw[self._tensors] = self._values(length)
                return ()
        if number != _VALUES and (length >= self._large or number == _GRAPH):
            inner = self.message(self._at + length, way[1:])
        else:
            inner = self._bytes(length)
        self._tensors += number == _TENSOR
        return tag, _number(len(inner)), inner

    def flush(self) -> None:
        """Let all be heard that was read."""
        self._hear(b"".join(self._unheard))
        self._unheard.clear()

    def _bytes(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise UnfitError
        self._at += length
        self._unheard.append(data)
        return data

    def _number(self) -> tuple[int, bytes]:
        """Return a number, and how it is written."""
        value, written = 0, b""
        while not written or written[-1] & 0x80:
            written += self._bytes(1)
            value |= (written[-1] & 0x7F) << 7 * (len(written) - 1)
            if len(written) > _LONGEST:
                raise UnfitError
        return value, written

    def _values(self, length: int) -> Piece:
        self.flush()
        offset, values = self._at, np.empty(length, np.uint8)
        if self._file.readinto(values.data) < length:
            raise UnfitError
        self._at += length
        self._hear(values)
        return Piece(offset, values)


def _number(value: int) -> bytes:
    """Return a number as protobuf writes it."""
    written = bytearray()
    while value > 0x7F:
        written.append(0x80 | value & 0x7F)
        value >>= 7
    return bytes([*written, value])
