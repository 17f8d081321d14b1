"""Functions that LLVM makes for this processor: loops, Philox, and how they are called.

A function is described by a :class:`Body`, whose variables the optimizer keeps in registers, and
compiled in less than a tenth of a second; nothing is kept between processes.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

BOOL, BYTE, SHORT, INT, LONG, _WIDE = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64, 128))
FLOAT, DOUBLE, POINTER = ir.FloatType(), ir.DoubleType(), ir.PointerType()

_ROUNDS = 10
# Multipliers and key increments of Philox4x64 (Salmon et al., SC 2011, table 2 and section 3.3).
_MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_INCREMENTS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B

BLOCK = {"block": LONG, "key_low": LONG, "key_high": LONG}
"""The arguments that say which block's words a function draws."""


class Body(ABC):
    """The body of a function, while it is written.

    Attributes:
        b: where instructions go.
        given: the arguments by name, those of :data:`BLOCK` among them.
    """

    def __init__(self, function: ir.Function) -> None:
        self.b = ir.IRBuilder(function.append_basic_block())
        self.given = {argument.name: argument for argument in function.args}

    @abstractmethod
    def emit(self) -> None:
        """Write the whole body."""

    def round_keys(self) -> list[tuple[Any, Any]]:
        """Return the keys of the rounds of Philox."""
        low, high = self.given["key_low"], self.given["key_high"]
        keys = []
        for _ in range(_ROUNDS):
            keys.append((low, high))
            low = self.b.add(low, long(_INCREMENTS[0]))
            high = self.b.add(high, long(_INCREMENTS[1]))
        return keys

    def philox(self, keys: Any, counter: Any, region: int) -> tuple[Any, Any, Any, Any]:
        """Return the four words at the counter [counter, 0, block, region]."""
        b = self.b
        w, x, y, z = counter, long(0), self.given["block"], long(region)
        for low, high in keys:
            first, second = (
                b.mul(b.zext(word, _WIDE), ir.Constant(_WIDE, multiplier))
                for word, multiplier in zip((w, y), _MULTIPLIERS, strict=True)
            )
            upper = [b.trunc(b.lshr(p, ir.Constant(_WIDE, 64)), LONG) for p in (first, second)]
            w, y = b.xor(b.xor(upper[1], x), low), b.xor(b.xor(upper[0], z), high)
            x, z = b.trunc(second, LONG), b.trunc(first, LONG)
        return w, x, y, z

    def element(self, array: Any, kind: ir.Type, index: Any) -> Any:
        """Return an element of an array."""
        return self.b.load(self.b.gep(array, [index], source_etype=kind), typ=kind)

    def variable(self, value: Any, kind: ir.Type = LONG) -> Any:
        """Return the address of a variable, which the optimizer keeps in a register."""
        with self.b.goto_entry_block():
            slot = self.b.alloca(kind)
        self.b.store(value, slot)
        return slot

    @contextmanager
    def repeat_while(self, holds: Callable[[], Any]) -> Iterator[None]:
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
    def loop(self, start: Any, stop: Any, step: int) -> Iterator[Any]:
        """Repeat what is written inside for start, start + step, ... below stop."""
        at = self.variable(start)
        with self.repeat_while(lambda: self.b.icmp_unsigned("<", self.b.load(at, typ=LONG), stop)):
            yield self.b.load(at, typ=LONG)
            self.b.store(self.b.add(self.b.load(at, typ=LONG), long(step)), at)


def compiled(
    name: str,
    arguments: Mapping[str, ir.Type],
    body: Callable[[ir.Function], Body],
    symbols: Mapping[str, int] | None = None,
) -> Callable[..., int]:
    """Return a function of one body, which lets other threads run and returns a whole number.

    Args:
        name: of the function.
        arguments: their types by name; addresses are given as whole numbers.
        body: writes it.
        symbols: addresses of functions of C, from a double to a double, that it calls.

    Raises:
        RuntimeError, OSError: LLVM has no code for it.
    """
    module = ir.Module(name)
    for symbol, address in (symbols or {}).items():
        ir.Function(module, ir.FunctionType(DOUBLE, [DOUBLE]), symbol)
        llvm.add_symbol(symbol, address)
    function = ir.Function(module, ir.FunctionType(LONG, [*arguments.values()]), name)
    for argument, called in zip(function.args, arguments, strict=True):
        argument.name = called
        if argument.type == POINTER:
            argument.add_attribute("noalias")
    body(function).emit()
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
    numbers = {FLOAT: ctypes.c_float, DOUBLE: ctypes.c_double}
    kinds = [numbers.get(kind, ctypes.c_uint64) for kind in arguments.values()]
    native = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(engine.get_function_address(name))

    def call(*values: float) -> int:
        # The engine owns the code, and lives as long as this function does.
        return int(native(*values)) if engine else 0

    return call


def long(value: int) -> ir.Constant:
    """Return a whole number of 64 bits."""
    return ir.Constant(LONG, value)
