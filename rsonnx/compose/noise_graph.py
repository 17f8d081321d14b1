"""Exact noise in plain operators: what :func:`rsonnx.noise.exported.outcomes` draws in numpy."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from rsonnx.compose.graph import Builder
from rsonnx.compose.philox import Constants, philox4x32, round_keys
from rsonnx.noise.exported import CELLS, KEY_WORDS, SETTLING
from rsonnx.noise.lattice import UNSETTLED, LatticeTable

_OPEN = 1 << 16
"""Added to the number of an unsettled cell among those, in place of an outcome."""

_HALF_WORD = 1 << 16

_SIGN = 1 << 63
"""Taken off 64-bit numbers, which int64 holds then, in their order; no uint64 can be compared."""


class NoiseGraph:
    """Draws the noise of one input by a key that is a tensor of the graph.

    Args:
        builder: of the main graph, which holds what the bodies share that draw.
        table: of the law.
        key: uint32 (4,).
        size: values of an input.
    """

    def __init__(self, builder: Builder, table: LatticeTable, key: str, size: int) -> None:
        whole = builder.constant
        words = builder.add("Cast", [key], to=TensorProto.INT64)
        first, second, *self._rest = (
            builder.add("Slice", [words, whole([at], "int64"), whole([at + 1], "int64")])
            for at in range(KEY_WORDS)
        )
        self._philox = Constants.of(builder)
        self._keys = round_keys(builder, self._philox, (first, second))
        self._size = size
        self._counters = whole(np.arange(-(-size // CELLS))[None], "int64")
        # The thresholds in a cell are told by where they begin and end among all.
        cells = np.flatnonzero(table.outcome == UNSETTLED)
        outcome = table.outcome.astype(np.int32)
        outcome[cells] = _OPEN + np.arange(len(cells))
        begin, inside = table.first[cells], table.inside[cells]
        self._outcome = whole(outcome, "int32")
        self._begin, self._end = whole(begin, "int64"), whole(begin + inside, "int64")
        most = int(inside.max(initial=0))
        self._steps = [1 << bit for bit in reversed(range(most.bit_length()))]
        # Entry t is the lower 64 bits of the last of t thresholds; beyond them none is asked for.
        rest = (table.rest ^ np.uint64(_SIGN)).view(np.int64)
        self._last = whole([0, *rest, *[0] * sum(self._steps)], "int64")
        self._minimum = table.minimum

    def draw(self, body: Builder, samples: str) -> str:
        """Return the noise, int32 (samples, size), of the samples of these numbers, int64 (n,)."""
        add, whole = body.add, body.constant
        column = add("Unsqueeze", [samples, whole([1], "int64")])
        words = philox4x32(body, self._philox, [self._counters, column, *self._rest], self._keys)
        low, half = whole([_HALF_WORD - 1], "int64"), whole([_HALF_WORD], "int64")
        sides = (("BitwiseAnd", low), ("Div", half))
        halves = [add(operator, [word, by]) for word in words for operator, by in sides]
        cells = add("Concat", halves, axis=1)
        ends = (whole([number], "int64") for number in (0, self._size, 1))
        cells = add("Reshape", [add("Slice", [cells, *ends]), whole([-1], "int64")])
        # Ten times as fast as Gather.
        drawn = add("GatherElements", [self._outcome, cells])
        drawn = add("Reshape", [drawn, whole([-1, self._size], "int64")])
        open_mark = whole([_OPEN], "int32")
        places = add("NonZero", [add("GreaterOrEqual", [drawn, open_mark])])
        at = add("Transpose", [places])
        row, value = (add("Gather", [places, whole(axis, "int64")]) for axis in (0, 1))
        number = add("Add", [add("Gather", [samples, row]), whole([SETTLING], "int64")])
        upper, lower, *_ = philox4x32(body, self._philox, [value, number, *self._rest], self._keys)
        further = add("Add", [self._shifted(body, upper), lower])
        opened = add("Sub", [add("GatherND", [drawn, at]), open_mark])
        passed = self._passed(body, opened, further)
        settled = add("Add", [passed, whole([self._minimum], "int64")])
        settled = add("Cast", [settled], to=TensorProto.INT32)
        return add("ScatterND", [drawn, at, settled])

    def _shifted(self, body: Builder, upper: str) -> str:
        """Return upper·2^32 - 2^63."""
        centred = body.add("Sub", [upper, body.constant([_SIGN >> 32], "int64")])
        return body.add("Mul", [centred, body.constant([1 << 32], "int64")])

    def _passed(self, body: Builder, opened: str, further: str) -> str:
        """Return how many of all thresholds are at most U, by bisection within unsettled cells."""
        passed, end = (body.add("Gather", [bounds, opened]) for bounds in (self._begin, self._end))
        for step in self._steps:
            tried = body.add("Add", [passed, body.constant([step], "int64")])
            inside = body.add("LessOrEqual", [tried, end])
            below = body.add("LessOrEqual", [body.add("Gather", [self._last, tried]), further])
            passed = body.add("Where", [body.add("And", [inside, below]), tried, passed])
        return passed
