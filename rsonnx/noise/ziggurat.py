"""The layers of numpy's ziggurat, as numpy itself tells them.

Its tables are no part of its interface, but follow from what it answers to chosen words.
"""

from __future__ import annotations

import ctypes
import math
import threading
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LAYERS = 256
_PLACES = 1 << 52
_NEAR = 64
"""How far, in places, an estimate of where a layer's edge begins may be off."""

_WORD = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)
_HALF = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)
_REAL = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p)


class _Source(ctypes.Structure):
    """What numpy draws from, as its header ``numpy/random/bitgen.h`` declares it."""

    _fields_ = (
        ("state", ctypes.c_void_p),
        ("next_uint64", _WORD),
        ("next_uint32", _HALF),
        ("next_double", _REAL),
        ("next_raw", _WORD),
    )


class _Chosen:
    """A bit generator of one chosen word, which notes whether more was asked for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._word, self._asked = 0, 0
        self._source = _Source(
            None,
            _WORD(lambda _: self._word),
            _HALF(lambda _: 0),
            _REAL(self._real),
            _WORD(lambda _: self._word),
        )
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = (
            ctypes.py_object,
            (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p),
        )
        self.capsule = new(ctypes.addressof(self._source), b"BitGenerator", None)
        self._generator = np.random.Generator(self)  # type: ignore[arg-type] # what it needs is there

    def _real(self, _: Any) -> float:
        """Return what any layer's edge takes, and the tail by its second number."""
        self._asked += 1
        return 0.0 if self._asked % 2 else 0.5

    def normal(self, layer: int, place: int) -> tuple[float, bool]:
        """Return the number at a place of a layer, and whether nothing more was asked."""
        self._word, self._asked = (place << 9) | layer, 0
        return float(self._generator.standard_normal()), not self._asked


@cache
def layers() -> tuple[NDArray[np.float64], NDArray[np.uint64], NDArray[np.float64]]:
    """Return the widths of a place, the first places of the edges, and the heights, (256,) each.

    The heights are those of the density, within a few roundings of numpy's: of 10^17 numbers at an
    edge one may be decided otherwise.
    """
    chosen = _Chosen()
    widths = np.array([chosen.normal(layer, 1)[0] for layer in range(_LAYERS)])
    ends = widths * _PLACES
    estimates = np.roll(ends, 1) / ends * _PLACES
    estimates[1] = 0
    inner = [_edge(chosen, layer, int(estimates[layer])) for layer in range(_LAYERS)]
    heights = np.array([1.0, *(math.exp(-0.5 * end * end) for end in ends[1:].tolist())])
    return widths, np.array(inner, np.uint64), heights


def _edge(chosen: _Chosen, layer: int, estimate: int) -> int:
    """Return the first place of a layer at which more is asked for."""
    low, high = max(0, estimate - _NEAR), min(_PLACES, estimate + _NEAR)
    if (low and not chosen.normal(layer, low - 1)[1]) or (
        high < _PLACES and chosen.normal(layer, high)[1]
    ):
        low, high = 0, _PLACES
    while low < high:
        middle = (low + high) // 2
        if chosen.normal(layer, middle)[1]:
            low = middle + 1
        else:
            high = middle
    return low
