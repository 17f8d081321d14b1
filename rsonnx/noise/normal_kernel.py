"""The code that draws normal noise, by the ziggurat of numpy's ``standard_normal``, in float64.

Of Marsaglia & Tsang (J. Stat. Softw. 5(8), 2000): a word of Philox chooses a layer, a sign and a
place in the layer; one in a hundred lies where more words and a comparison decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from rsonnx.noise.machine_code import (
    BLOCK,
    BOOL,
    DOUBLE,
    FLOAT,
    LONG,
    POINTER,
    Body,
    compiled,
    long,
)
from rsonnx.noise.philox import MAIN

_WORDS = 1024
"""Words that are drawn at a time."""

_PLACE_BITS = 52
_TAIL = 3.6541528853610088
"""Where the lowest layer ends and the tail begins."""

_INVERSE_TAIL = 0.27366123732975828

_ARGUMENTS = {
    "out": POINTER,  # float32 (count,)
    "count": LONG,
    "values": POINTER,  # float64 (size,), which repeat from the first value on
    "size": LONG,
    "sigma": DOUBLE,
    "position": LONG,  # words of the block that were used before
    **BLOCK,
    "widths": POINTER,  # float64 (256,): of a place in each layer
    "inner": POINTER,  # uint64 (256,): below so many places nothing more is asked
    "heights": POINTER,  # float64 (256,): of the density at the end of each layer
}


def normal_kernel(exponential: int, log1p: int) -> Callable[..., int]:
    """Return what writes sigma times a normal number plus a value, and returns the new position.

    Args:
        exponential, log1p: addresses of these functions of C, for the one in a hundred.

    Raises:
        RuntimeError, OSError: LLVM has no code for it.
    """
    symbols = {"rsonnx_exp": exponential, "rsonnx_log1p": log1p}
    return compiled("rsonnx_normal", _ARGUMENTS, _Normal, symbols)


class _Normal(Body):
    """Draws words, goes the ziggurat with them, scales and adds.

    Runs of numbers about which nothing more is asked have a loop of their own, so small that all of
    it stays in registers.
    """

    def __init__(self, function: ir.Function) -> None:
        super().__init__(function)
        self.function = function
        self.words = self.b.alloca(LONG, _WORDS)
        self.keys = self.round_keys()
        self.position = self.variable(self.given["position"])
        self.first = self.variable(self.b.and_(self.given["position"], long(-4)))
        self.done = self.variable(long(0))
        self.column = self.variable(long(0))
        self.accepted = self.variable(BOOL(0), BOOL)
        self.normal = self.variable(_double(0.0), DOUBLE)

    def emit(self) -> None:
        """Write the whole body."""
        b, given = self.b, self.given
        self._fill()
        with self.repeat_while(
            lambda: b.icmp_unsigned("<", b.load(self.done, typ=LONG), given["count"])
        ):
            self._run()
            left = b.icmp_unsigned("<", b.load(self.done, typ=LONG), given["count"])
            with b.if_then(b.and_(left, b.not_(b.load(self.accepted, typ=BOOL))), likely=False):
                self._draw()
                self._write(long(0))
                self._advance(long(1), 0)
        b.ret(b.load(self.position, typ=LONG))

    def _run(self) -> None:
        """Write numbers until one lies at an edge, or words, columns or numbers are used up."""
        b, given = self.b, self.given
        used = b.sub(self._refilled(), b.load(self.first, typ=LONG))
        most = b.sub(long(_WORDS), used)
        for end, variable in (("count", self.done), ("size", self.column)):
            left = b.sub(given[end], b.load(variable, typ=LONG))
            most = b.select(b.icmp_unsigned("<", left, most), left, most)
        words = b.gep(self.words, [used], source_etype=LONG)
        ran = self.variable(long(0))
        b.store(long(0), ran)
        b.store(BOOL(1), self.accepted)

        def more() -> Any:
            within = b.icmp_unsigned("<", b.load(ran, typ=LONG), most)
            return b.and_(within, b.load(self.accepted, typ=BOOL))

        with self.repeat_while(more):
            at = b.load(ran, typ=LONG)
            self._place(self.element(words, LONG, at))
            self._write(at)  # and once more, where it is not accepted
            b.store(b.add(at, long(1)), ran)
        refused = b.zext(b.not_(b.load(self.accepted, typ=BOOL)), LONG)
        self._advance(b.sub(b.load(ran, typ=LONG), refused), 1)

    def _write(self, further: Any) -> None:
        """Write sigma times the normal number plus the value, so many places on."""
        b, given = self.b, self.given
        at, column = (b.add(b.load(v, typ=LONG), further) for v in (self.done, self.column))
        noise = b.fmul(given["sigma"], b.load(self.normal, typ=DOUBLE))
        value = b.fadd(noise, self.element(given["values"], DOUBLE, column))
        b.store(b.fptrunc(value, FLOAT), b.gep(given["out"], [at], source_etype=FLOAT))

    def _advance(self, numbers: Any, words: int) -> None:
        """Go on behind so many numbers, of each of which so many words, 0 or 1, are used here."""
        b = self.b
        for variable in (self.done, self.column, self.position)[: 2 + words]:
            b.store(b.add(b.load(variable, typ=LONG), numbers), variable)
        column = b.load(self.column, typ=LONG)
        around = b.icmp_unsigned("==", column, self.given["size"])
        b.store(b.select(around, long(0), column), self.column)

    def _draw(self) -> None:
        """Draw one normal number."""
        b = self.b
        b.store(BOOL(0), self.accepted)
        with self.repeat_while(lambda: b.not_(b.load(self.accepted, typ=BOOL))):
            layer, place = self._place(self._next())
            with b.if_then(b.not_(b.load(self.accepted, typ=BOOL)), likely=False):
                lowest = b.icmp_unsigned("==", layer, long(0))
                with b.if_else(lowest) as (tail, edge):
                    with tail:
                        self._draw_tail(place)
                    with edge:
                        self._decide(layer, b.load(self.normal, typ=DOUBLE))

    def _place(self, word: Any) -> tuple[Any, Any]:
        """Set the number that a word chooses, and whether nothing more is asked.

        Returns:
            The layer, and the place in it.
        """
        b, given = self.b, self.given
        layer = b.and_(word, long(0xFF))
        place = b.and_(b.lshr(word, long(9)), long((1 << _PLACE_BITS) - 1))
        far = b.fmul(b.sitofp(place, DOUBLE), self.element(given["widths"], DOUBLE, layer))
        sign = b.shl(b.and_(b.lshr(word, long(8)), long(1)), long(63))
        b.store(b.bitcast(b.xor(b.bitcast(far, LONG), sign), DOUBLE), self.normal)
        inside = b.icmp_unsigned("<", place, self.element(given["inner"], LONG, layer))
        b.store(inside, self.accepted)
        return layer, place

    def _decide(self, layer: Any, normal: Any) -> None:
        """Decide at the edge of a layer whether the number lies below the density."""
        b, heights = self.b, self.given["heights"]
        share = self._uniform()
        own = self.element(heights, DOUBLE, layer)
        above = self.element(heights, DOUBLE, b.sub(layer, long(1)))
        height = b.fadd(b.fmul(b.fsub(above, own), share), own)
        square = b.fmul(b.fmul(_double(-0.5), normal), normal)
        b.store(b.fcmp_ordered("<", height, self._call("rsonnx_exp", square)), self.accepted)

    def _draw_tail(self, place: Any) -> None:
        """Draw a number beyond the lowest layer."""
        b = self.b
        with self.repeat_while(lambda: b.not_(b.load(self.accepted, typ=BOOL))):
            beyond = b.fmul(_double(-_INVERSE_TAIL), self._log_of_rest())
            depth = b.fneg(self._log_of_rest())
            far = b.fadd(_double(_TAIL), beyond)
            negative = b.trunc(b.lshr(place, long(8)), BOOL)
            b.store(b.select(negative, b.fneg(far), far), self.normal)
            below = b.fcmp_ordered(">", b.fadd(depth, depth), b.fmul(beyond, beyond))
            b.store(below, self.accepted)

    def _log_of_rest(self) -> Any:
        """Return log(1 - U)."""
        return self._call("rsonnx_log1p", self.b.fneg(self._uniform()))

    def _uniform(self) -> Any:
        """Return U in [0, 1), of 53 bits of a word."""
        bits = self.b.lshr(self._next(), long(11))
        return self.b.fmul(self.b.uitofp(bits, DOUBLE), _double(2.0**-53))

    def _call(self, symbol: str, argument: Any) -> Any:
        return self.b.call(self.function.module.get_global(symbol), [argument])

    def _next(self) -> Any:
        """Return the next word."""
        b = self.b
        at = self._refilled()
        b.store(b.add(at, long(1)), self.position)
        return self.element(self.words, LONG, b.sub(at, b.load(self.first, typ=LONG)))

    def _refilled(self) -> Any:
        """Return the position, whose word is there."""
        b = self.b
        at = b.load(self.position, typ=LONG)
        used = b.icmp_unsigned(">=", b.sub(at, b.load(self.first, typ=LONG)), long(_WORDS))
        with b.if_then(used, likely=False):
            b.store(at, self.first)
            self._fill()
        return at

    def _fill(self) -> None:
        """Draw the words from the first on, which is the first of a counter."""
        b = self.b
        counter = b.udiv(b.load(self.first, typ=LONG), long(4))
        with self.loop(long(0), long(_WORDS // 4), 1) as at:
            # A generator steps before it draws.
            four = self.philox(self.keys, b.add(b.add(counter, at), long(1)), MAIN)
            for k, word in enumerate(four):
                place = b.add(b.mul(at, long(4)), long(k))
                b.store(word, b.gep(self.words, [place], source_etype=LONG))


def _double(value: float) -> ir.Constant:
    return ir.Constant(DOUBLE, value)
