"""Machine code that draws exact noise, made by LLVM in a tenth of a second when it is first needed.

It draws what :mod:`rsonnx.noise.lattice` does, in tiles that stay in a core's nearest cache: the
cells of Philox's words are looked up, those that are open are settled one after the other, and the
sums with the input are divided, each in a loop of its own. Nothing is kept between processes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import product
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from rsonnx.noise.philox import MAIN, SETTLE

LANES = 16
"""Cells of a counter, and values that are handled at a time."""

_TILE = 2048
_ROUNDS = 10
# Multipliers and key increments of Philox4x64 (Salmon et al., SC 2011, table 2 and section 3.3).
_MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_INCREMENTS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B

_BYTE, _SHORT, _INT, _LONG, _WIDE = (ir.IntType(bits) for bits in (8, 16, 32, 64, 128))
_FLOAT, _POINTER, _BOOL = ir.FloatType(), ir.PointerType(), ir.IntType(1)
_VECTOR = ir.VectorType(_INT, LANES)
_ONES = ir.Constant(_VECTOR, [1] * LANES)


Write = Callable[..., int]
"""Writes the outcomes of a block from a position on, each added to its level and divided.

It takes what :data:`_ARGUMENTS` names, addresses as whole numbers, lets other threads run, and
returns how many settling words were used by now.
"""

_ARGUMENTS = {
    "out": _POINTER,  # float32 (count,)
    "count": _LONG,
    "levels": _POINTER,  # uint8 (size,), which repeat from the first value on
    "size": _LONG,
    "divisor": _FLOAT,
    "position": _LONG,  # of the first outcome in the block
    "rank": _LONG,  # settling words that were used before
    "block": _LONG,
    "key_low": _LONG,
    "key_high": _LONG,
    "entries": _POINTER,  # int32 (65536,): twice a cell's lowest outcome, and 1 if it is open
    "cells": _POINTER,  # uint16 (thresholds,): their upper bits, ascending
    "rest": _POINTER,  # uint64 (thresholds,): their lower bits
    "thresholds": _LONG,
    "minimum": _LONG,  # the law's smallest outcome
}


@cache
def write_kernel() -> Write:
    """Return the function, compiled for this processor.

    Raises:
        RuntimeError, OSError: LLVM has no code for it.
    """
    module = ir.Module("rsonnx")
    function = ir.Function(module, ir.FunctionType(_LONG, [*_ARGUMENTS.values()]), "rsonnx_write")
    for argument, name in zip(function.args, _ARGUMENTS, strict=True):
        argument.name = name
        if argument.type == _POINTER:
            argument.add_attribute("noalias")
    _Body(function).emit()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    parsed = llvm.parse_assembly(str(module))
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    # What pays as vectors is written as such; the rounds of Philox do not.
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    engine = llvm.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    kinds = [ctypes.c_float if kind == _FLOAT else ctypes.c_uint64 for kind in _ARGUMENTS.values()]
    called = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(engine.get_function_address(function.name))

    def write(*arguments: float) -> int:
        # The engine owns the code, and lives as long as this function does.
        return int(called(*arguments)) if engine else 0

    return write


class _Body:
    """The body of a function, while it is written."""

    def __init__(self, function: ir.Function) -> None:
        self.b = ir.IRBuilder(function.append_basic_block())
        self.given = {argument.name: argument for argument in function.args}
        self.tile = self.b.alloca(_INT, _TILE + 2 * LANES)
        self.words = self.b.alloca(_LONG, 4)

    def emit(self) -> None:
        b, given = self.b, self.given
        keys = self._round_keys()
        rank = self._variable(given["rank"])
        column = self._variable(_long(0))
        self._settling_words(keys, given["rank"])
        with self._loop(_long(0), given["count"], _TILE) as at:
            left = b.sub(given["count"], at)
            count = b.select(b.icmp_unsigned("<", left, _long(_TILE)), left, _long(_TILE))
            position = b.add(given["position"], at)
            skip = b.and_(position, _long(LANES - 1))
            self._look_up(keys, b.udiv(position, _long(LANES)), b.add(skip, count))
            self._settle(keys, rank, skip, count)
            self._add(column, skip, count, b.gep(given["out"], [at], source_etype=_FLOAT))
        b.ret(b.load(rank, typ=_LONG))

    def _round_keys(self) -> list[tuple[Any, Any]]:
        low, high = self.given["key_low"], self.given["key_high"]
        keys = []
        for _ in range(_ROUNDS):
            keys.append((low, high))
            low = self.b.add(low, _long(_INCREMENTS[0]))
            high = self.b.add(high, _long(_INCREMENTS[1]))
        return keys

    def _philox(self, keys: Any, counter: Any, region: int) -> tuple[Any, Any, Any, Any]:
        """Return the four words at the counter [counter, 0, block, region]."""
        b = self.b
        w, x, y, z = counter, _long(0), self.given["block"], _long(region)
        for low, high in keys:
            first, second = (
                b.mul(b.zext(word, _WIDE), ir.Constant(_WIDE, multiplier))
                for word, multiplier in zip((w, y), _MULTIPLIERS, strict=True)
            )
            upper = [b.trunc(b.lshr(p, ir.Constant(_WIDE, 64)), _LONG) for p in (first, second)]
            w, y = b.xor(b.xor(upper[1], x), low), b.xor(b.xor(upper[0], z), high)
            x, z = b.trunc(second, _LONG), b.trunc(first, _LONG)
        return w, x, y, z

    def _look_up(self, keys: Any, counter: Any, values: Any) -> None:
        """Fill the tile with the entries of the table for the cells from a counter on."""
        b = self.b
        with self._loop(_long(0), values, LANES) as at:
            # A generator steps before it draws.
            words = self._philox(
                keys, b.add(counter, b.add(b.udiv(at, _long(LANES)), _long(1))), MAIN
            )
            for lane, (word, part) in enumerate(product(words, range(4))):
                cell = b.and_(b.lshr(word, _long(16 * part)), _long(0xFFFF))
                entry = self._element(self.given["entries"], _INT, cell)
                b.store(entry, self._slot(b.add(at, _long(lane))))

    def _settle(self, keys: Any, rank: Any, skip: Any, count: Any) -> None:
        """Put outcomes in the place of the entries of open cells, in their order."""
        b = self.b
        with self._loop(_long(0), count, LANES) as at:
            place = b.add(skip, at)
            entries = b.load(self._slot(place), typ=_VECTOR, align=4)
            odd = b.trunc(entries, ir.VectorType(_BOOL, LANES))
            bits = b.zext(b.bitcast(odd, _SHORT), _INT)
            left = b.trunc(b.sub(count, at), _INT)
            within = b.select(
                b.icmp_unsigned("<", left, _int(LANES)),
                b.sub(b.shl(_int(1), left), _int(1)),
                _int(-1),
            )
            mask = self._variable(b.and_(bits, within), _INT)
            with self._while(lambda: b.icmp_unsigned("!=", b.load(mask, typ=_INT), _int(0))):
                now = b.load(mask, typ=_INT)
                lane = b.zext(b.cttz(now, _BOOL(1)), _LONG)
                b.store(b.and_(now, b.sub(now, _int(1))), mask)
                self._settle_one(keys, rank, self._slot(b.add(place, lane)))

    def _settle_one(self, keys: Any, rank: Any, slot: Any) -> None:
        """Settle one open cell by the word of its rank."""
        b, given = self.b, self.given
        at = b.load(rank, typ=_LONG)
        lane = b.and_(at, _long(3))
        with b.if_then(b.icmp_unsigned("==", lane, _long(0)), likely=False):
            self._settling_words(keys, at)
        further = self._element(self.words, _LONG, lane)
        b.store(b.add(at, _long(1)), rank)
        lowest = b.ashr(b.load(slot, typ=_INT), _int(1))
        first = b.sub(b.sext(lowest, _LONG), given["minimum"])
        cell = self._element(given["cells"], _SHORT, first)

        def passes(number: Any) -> Any:
            return b.icmp_unsigned("<=", self._element(given["rest"], _LONG, number), further)

        # An open cell has one threshold, in the tails more: whether the first is passed is as good
        # as a coin, so it is added up, and what is branched on is seldom.
        passed = self._variable(b.add(first, b.zext(passes(first), _LONG)))

        def more() -> Any:
            """Whether the first is passed, and there is a next one in the cell that is."""
            number = b.load(passed, typ=_LONG)
            there = b.icmp_unsigned("<", number, given["thresholds"])
            index = b.select(there, number, first)
            same = b.icmp_unsigned("==", self._element(given["cells"], _SHORT, index), cell)
            return b.and_(b.and_(b.icmp_unsigned(">", index, first), same), passes(index))

        with self._while(more):
            b.store(b.add(b.load(passed, typ=_LONG), _long(1)), passed)
        outcome = b.trunc(b.add(given["minimum"], b.load(passed, typ=_LONG)), _INT)
        b.store(b.shl(outcome, _int(1)), slot)

    def _settling_words(self, keys: Any, rank: Any) -> None:
        """Draw the four settling words among which is the one of a rank."""
        b = self.b
        counter = b.add(b.udiv(rank, _long(4)), _long(1))
        for k, word in enumerate(self._philox(keys, counter, SETTLE)):
            b.store(word, b.gep(self.words, [_long(k)], source_etype=_LONG))

    def _add(self, column: Any, skip: Any, count: Any, out: Any) -> None:
        """Write (outcome + level) / divisor for a tile's values, the levels from a column on."""
        b, given = self.b, self.given
        floats = ir.VectorType(_FLOAT, LANES)
        divisor: Any = ir.Constant(floats, ir.Undefined)
        for lane in range(LANES):
            divisor = b.insert_element(divisor, given["divisor"], _int(lane))
        done = self._variable(_long(0))
        with self._while(lambda: b.icmp_unsigned("<", b.load(done, typ=_LONG), count)):
            at, here = b.load(done, typ=_LONG), b.load(column, typ=_LONG)
            entry = self._slot(b.add(skip, at))
            level = b.gep(given["levels"], [here], source_etype=_BYTE)
            target = b.gep(out, [at], source_etype=_FLOAT)
            left, more = b.sub(count, at), b.sub(given["size"], here)
            left = b.select(b.icmp_unsigned("<", left, more), left, more)
            whole = b.icmp_unsigned(">=", left, _long(LANES))
            with b.if_else(whole, likely=True) as (then, otherwise):
                with then:
                    outcomes = b.ashr(b.load(entry, typ=_VECTOR, align=4), _ONES)
                    levels = b.load(level, typ=ir.VectorType(_BYTE, LANES), align=1)
                    sums = b.sitofp(b.add(outcomes, b.zext(levels, _VECTOR)), floats)
                    b.store(b.fdiv(sums, divisor), target, align=4)
                with otherwise, self._loop(_long(0), left, 1) as k:
                    one = b.ashr(self._element(entry, _INT, k), _int(1))
                    total = b.add(one, b.zext(self._element(level, _BYTE, k), _INT))
                    value = b.fdiv(b.sitofp(total, _FLOAT), given["divisor"])
                    b.store(value, b.gep(target, [k], source_etype=_FLOAT))
            step = b.select(whole, _long(LANES), left)
            b.store(b.add(at, step), done)
            following = b.add(here, step)
            b.store(
                b.select(b.icmp_unsigned("==", following, given["size"]), _long(0), following),
                column,
            )

    def _slot(self, place: Any) -> Any:
        return self.b.gep(self.tile, [place], source_etype=_INT)

    def _element(self, array: Any, kind: ir.Type, index: Any) -> Any:
        return self.b.load(self.b.gep(array, [index], source_etype=kind), typ=kind)

    def _variable(self, value: Any, kind: ir.Type = _LONG) -> Any:
        """Return the address of a variable, which the optimizer keeps in a register."""
        with self.b.goto_entry_block():
            slot = self.b.alloca(kind)
        self.b.store(value, slot)
        return slot

    @contextmanager
    def _while(self, holds: Callable[[], Any]) -> Iterator[None]:
        """Repeat what is written inside as long as a condition holds."""
        b = self.b
        head, body, end = (b.append_basic_block() for _ in range(3))
        b.branch(head)
        b.position_at_end(head)
        b.cbranch(holds(), body, end)
        b.position_at_end(body)
        yield
        b.branch(head)
        b.position_at_end(end)

    @contextmanager
    def _loop(self, start: Any, stop: Any, step: int) -> Iterator[Any]:
        """Repeat what is written inside for start, start + step, ... below stop."""
        at = self._variable(start)
        with self._while(lambda: self.b.icmp_unsigned("<", self.b.load(at, typ=_LONG), stop)):
            yield self.b.load(at, typ=_LONG)
            self.b.store(self.b.add(self.b.load(at, typ=_LONG), _long(step)), at)


def _long(value: int) -> ir.Constant:
    return ir.Constant(_LONG, value)


def _int(value: int) -> ir.Constant:
    return ir.Constant(_INT, value)
