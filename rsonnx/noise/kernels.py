"""The code that draws exact noise: what :mod:`rsonnx.noise.lattice` does, three times as fast.

It works in tiles that stay in a core's nearest cache: the cells of Philox's words are looked up,
those that are open are settled one after the other, and the sums with the input are divided, each
in a loop of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import product
from typing import Any

from llvmlite import ir

from rsonnx.noise.machine_code import (
    BLOCK,
    BOOL,
    BYTE,
    FLOAT,
    INT,
    LONG,
    POINTER,
    SHORT,
    Body,
    compiled,
    long,
)
from rsonnx.noise.philox import MAIN, SETTLE

LANES = 16
"""Cells of a counter, and values that are handled at a time."""

_TILE = 2048

_VECTOR = ir.VectorType(INT, LANES)
_ONES = ir.Constant(_VECTOR, [1] * LANES)

Write = Callable[..., int]
"""Writes the outcomes of a block from a position on, each added to its level and divided.

It takes what :data:`_ARGUMENTS` names, addresses as whole numbers, lets other threads run, and
returns how many settling words were used by now.
"""

_ARGUMENTS = {
    "out": POINTER,  # float32 (count,)
    "count": LONG,
    "levels": POINTER,  # uint8 (size,), which repeat from the first value on
    "size": LONG,
    "divisor": FLOAT,
    "position": LONG,  # of the first outcome in the block
    "rank": LONG,  # settling words that were used before
    **BLOCK,
    "entries": POINTER,  # (65536,): twice a cell's lowest outcome, and 1 if it is open
    "cells": POINTER,  # uint16 (thresholds,): their upper bits, ascending
    "rest": POINTER,  # uint64 (thresholds,): their lower bits
    "thresholds": LONG,
    "minimum": LONG,  # the law's smallest outcome
}


@cache
def write_kernel(bits: int) -> Write:
    """Return the function for entries of so many bits; raises as :func:`compiled` does."""
    return compiled("rsonnx_write", _ARGUMENTS, partial(_Exact, entry=ir.IntType(bits)))


class _Exact(Body):
    """Draws, settles, adds and divides."""

    def __init__(self, function: ir.Function, entry: ir.IntType) -> None:
        super().__init__(function)
        self.entry = entry
        self.tile = self.b.alloca(INT, _TILE + 2 * LANES)
        self.words = self.b.alloca(LONG, 4)

    def emit(self) -> None:
        """Write the whole body."""
        b, given = self.b, self.given
        keys = self.round_keys()
        rank = self.variable(given["rank"])
        column = self.variable(long(0))
        self._settling_words(keys, given["rank"])
        with self.loop(long(0), given["count"], _TILE) as at:
            left = b.sub(given["count"], at)
            count = b.select(b.icmp_unsigned("<", left, long(_TILE)), left, long(_TILE))
            position = b.add(given["position"], at)
            skip = b.and_(position, long(LANES - 1))
            self._look_up(keys, b.udiv(position, long(LANES)), b.add(skip, count))
            self._settle(keys, rank, skip, count)
            self._add(column, skip, count, b.gep(given["out"], [at], source_etype=FLOAT))
        b.ret(b.load(rank, typ=LONG))

    def _look_up(self, keys: Any, counter: Any, values: Any) -> None:
        """Fill the tile with the entries of the table for the cells from a counter on."""
        b = self.b
        with self.loop(long(0), values, LANES) as at:
            # A generator steps before it draws.
            words = self.philox(keys, b.add(counter, b.add(b.udiv(at, long(LANES)), long(1))), MAIN)
            for lane, (word, part) in enumerate(product(words, range(4))):
                cell = b.and_(b.lshr(word, long(16 * part)), long(0xFFFF))
                entry = self.element(self.given["entries"], self.entry, cell)
                b.store(b.sext(entry, INT), self._slot(b.add(at, long(lane))))

    def _settle(self, keys: Any, rank: Any, skip: Any, count: Any) -> None:
        """Put outcomes in the place of the entries of open cells, in their order."""
        b = self.b
        with self.loop(long(0), count, LANES) as at:
            place = b.add(skip, at)
            entries = b.load(self._slot(place), typ=_VECTOR, align=4)
            odd = b.trunc(entries, ir.VectorType(BOOL, LANES))
            bits = b.zext(b.bitcast(odd, SHORT), INT)
            left = b.trunc(b.sub(count, at), INT)
            within = b.select(
                b.icmp_unsigned("<", left, _int(LANES)),
                b.sub(b.shl(_int(1), left), _int(1)),
                _int(-1),
            )
            mask = self.variable(b.and_(bits, within), INT)
            with self.repeat_while(lambda: b.icmp_unsigned("!=", b.load(mask, typ=INT), _int(0))):
                now = b.load(mask, typ=INT)
                lane = b.zext(b.cttz(now, BOOL(1)), LONG)
                b.store(b.and_(now, b.sub(now, _int(1))), mask)
                self._settle_one(keys, rank, self._slot(b.add(place, lane)))

    def _settle_one(self, keys: Any, rank: Any, slot: Any) -> None:
        """Settle one open cell by the word of its rank."""
        b, given = self.b, self.given
        at = b.load(rank, typ=LONG)
        lane = b.and_(at, long(3))
        with b.if_then(b.icmp_unsigned("==", lane, long(0)), likely=False):
            self._settling_words(keys, at)
        further = self.element(self.words, LONG, lane)
        b.store(b.add(at, long(1)), rank)
        lowest = b.ashr(b.load(slot, typ=INT), _int(1))
        first = b.sub(b.sext(lowest, LONG), given["minimum"])
        cell = self.element(given["cells"], SHORT, first)

        def passes(number: Any) -> Any:
            return b.icmp_unsigned("<=", self.element(given["rest"], LONG, number), further)

        # An open cell has one threshold, in the tails more: whether the first is passed is as good
        # as a coin, so it is added up, and what is branched on is seldom.
        passed = self.variable(b.add(first, b.zext(passes(first), LONG)))

        def more() -> Any:
            """Whether the first is passed, and there is a next one in the cell that is."""
            number = b.load(passed, typ=LONG)
            there = b.icmp_unsigned("<", number, given["thresholds"])
            index = b.select(there, number, first)
            same = b.icmp_unsigned("==", self.element(given["cells"], SHORT, index), cell)
            return b.and_(b.and_(b.icmp_unsigned(">", index, first), same), passes(index))

        with self.repeat_while(more):
            b.store(b.add(b.load(passed, typ=LONG), long(1)), passed)
        outcome = b.trunc(b.add(given["minimum"], b.load(passed, typ=LONG)), INT)
        b.store(b.shl(outcome, _int(1)), slot)

    def _settling_words(self, keys: Any, rank: Any) -> None:
        """Draw the four settling words among which is the one of a rank."""
        b = self.b
        counter = b.add(b.udiv(rank, long(4)), long(1))
        for k, word in enumerate(self.philox(keys, counter, SETTLE)):
            b.store(word, b.gep(self.words, [long(k)], source_etype=LONG))

    def _add(self, column: Any, skip: Any, count: Any, out: Any) -> None:
        """Write (outcome + level) / divisor for a tile's values, the levels from a column on."""
        b, given = self.b, self.given
        floats = ir.VectorType(FLOAT, LANES)
        divisor: Any = ir.Constant(floats, ir.Undefined)
        for lane in range(LANES):
            divisor = b.insert_element(divisor, given["divisor"], _int(lane))
        done = self.variable(long(0))
        with self.repeat_while(lambda: b.icmp_unsigned("<", b.load(done, typ=LONG), count)):
            at, here = b.load(done, typ=LONG), b.load(column, typ=LONG)
            entry = self._slot(b.add(skip, at))
            level = b.gep(given["levels"], [here], source_etype=BYTE)
            target = b.gep(out, [at], source_etype=FLOAT)
            left, more = b.sub(count, at), b.sub(given["size"], here)
            left = b.select(b.icmp_unsigned("<", left, more), left, more)
            whole = b.icmp_unsigned(">=", left, long(LANES))
            with b.if_else(whole, likely=True) as (then, otherwise):
                with then:
                    outcomes = b.ashr(b.load(entry, typ=_VECTOR, align=4), _ONES)
                    levels = b.load(level, typ=ir.VectorType(BYTE, LANES), align=1)
                    sums = b.sitofp(b.add(outcomes, b.zext(levels, _VECTOR)), floats)
                    b.store(b.fdiv(sums, divisor), target, align=4)
                with otherwise, self.loop(long(0), left, 1) as k:
                    one = b.ashr(self.element(entry, INT, k), _int(1))
                    total = b.add(one, b.zext(self.element(level, BYTE, k), INT))
                    value = b.fdiv(b.sitofp(total, FLOAT), given["divisor"])
                    b.store(value, b.gep(target, [k], source_etype=FLOAT))
            step = b.select(whole, long(LANES), left)
            b.store(b.add(at, step), done)
            following = b.add(here, step)
            b.store(
                b.select(b.icmp_unsigned("==", following, given["size"]), long(0), following),
                column,
            )

    def _slot(self, place: Any) -> Any:
        return self.b.gep(self.tile, [place], source_etype=INT)


def _int(value: int) -> ir.Constant:
    return ir.Constant(INT, value)
