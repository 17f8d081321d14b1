"""Noise as a smoothed classifier draws it that is one ONNX file; here in numpy, word for word.

Such a file (:mod:`rsonnx.compose.smooth`) draws exact noise with plain operators, by Philox4x32-10
(Salmon et al., SC 2011) and the table of :mod:`rsonnx.noise.lattice`: of a uniform number of 80
bits, 16 choose a cell, and 64 more settle one that holds thresholds, so the law is the same. What
differs is where the bits come from. A key of 128 bits takes the place of the seed and the input's
digest: two of its words are Philox's key, the other two stand in every counter. The counter
(j, sample, key, key) gives the cells of eight values, and (value, 2^31 + sample, key, key) the 64
bits that settle one. So no counter is used twice, and no sample depends on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.lattice import UNSETTLED, LatticeTable
from rsonnx.noise.space import add
from rsonnx.noise.stream import NoisyStream
from rsonnx.scalars import shown

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
"""Of the first and the third word of a counter in a round of Philox4x32."""

KEY_STEPS = 0x9E3779B9, 0xBB67AE85
"""What the key's two words grow by from round to round."""

ROUNDS = 10

CELLS = 8
"""Cells of 16 bits that a counter gives."""

SETTLING = 1 << 31
"""Added to the number of a sample in the counters that settle its values."""

KEY_WORDS = 4

_WORD = np.uint64(0xFFFF_FFFF)

Words = NDArray[np.uint64]


def check_key(key: str) -> int:
    """Return a key of 128 bits, given as 32 hexadecimal digits: its four words, the first first."""
    digits = key.lower() if isinstance(key, str) else ""
    if len(digits) != 8 * KEY_WORDS or set(digits) - set("0123456789abcdef"):
        raise UsageError(f"the key is {shown(key)}, but 32 hexadecimal digits were expected")
    return int(digits, 16)


def key_text(key: int) -> str:
    """Return what :func:`check_key` reads."""
    return f"{key:0{8 * KEY_WORDS}x}"


def key_words(key: int) -> NDArray[np.uint32]:
    """Return the four words of a key of 128 bits as a file takes them, uint32 (4,)."""
    return np.frombuffer(key.to_bytes(4 * KEY_WORDS, "big"), ">u4").astype(np.uint32)


def philox4x32(counter: Sequence[Words], key: Sequence[int]) -> tuple[Words, ...]:
    """Return the four words of Philox4x32-10 at counters.

    Args:
        counter: its four words, of one shape or shapes that broadcast; each below 2^32.
        key: its two words.
    """
    a, b, c, d = counter
    keys = list(key)
    for _ in range(ROUNDS):
        first, third = (word * np.uint64(m) for word, m in zip((a, c), MULTIPLIERS, strict=True))
        a, b = (third >> np.uint64(32)) ^ b ^ np.uint64(keys[0]), third & _WORD
        c, d = (first >> np.uint64(32)) ^ d ^ np.uint64(keys[1]), first & _WORD
        keys = [(word + step) & int(_WORD) for word, step in zip(keys, KEY_STEPS, strict=True)]
    return a, b, c, d


def outcomes(table: LatticeTable, key: int, samples: range, size: int) -> NDArray[np.int16]:
    """Return the noise of samples of ``size`` values, int16 (samples, size).

    Args:
        table: of the law.
        key: 128 bits.
        samples: which, from 0 on, below 2^31.
        size: below 2^31.
    """
    first, second, *rest = key_words(key).astype(np.uint64)
    numbers = np.arange(samples.start, samples.stop, dtype=np.uint64)
    counters = np.arange(-(-size // CELLS), dtype=np.uint64)
    words = philox4x32([counters[None], numbers[:, None], *rest], (int(first), int(second)))
    halves = [half for word in words for half in (word & np.uint64(0xFFFF), word >> np.uint64(16))]
    cells = np.concatenate(halves, axis=1)[:, :size].astype(np.uint16)
    drawn = table.outcome[cells]
    rows, values = np.nonzero(drawn == UNSETTLED)
    settling = [values.astype(np.uint64), numbers[rows] + np.uint64(SETTLING), *rest]
    upper, lower, *_ = philox4x32(settling, (int(first), int(second)))
    drawn[rows, values] = table.settle(cells[rows, values], (upper << np.uint64(32)) | lower)
    return drawn


@dataclass(frozen=True)
class ExportedStream(NoisyStream):
    """The samples that a smoothed classifier draws that is one ONNX file.

    Attributes:
        file_key: the key that the file is given; None derives one from the seed, the input and the
            stage, as :class:`NoisyStream` does.

    Raises:
        UsageError: the noise has no table, the input is not on the 8-bit grid, or one key is to
            draw two stages that must be independent of each other.
    """

    file_key: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.point.arithmetic != "exact" or self._table is None:
            raise UsageError(
                "an exported file draws independent noise on the 8-bit grid, not "
                f"{self.distribution} noise on {self.point.arithmetic} inputs; leave out the "
                "generator"
            )
        if self.file_key is not None and self.stage in ("selection", "estimation"):
            raise UsageError("a file's key draws a prediction; certify without it, by a seed")

    @cached_property
    def _table(self) -> LatticeTable | None:
        return self.distribution.table(self.point.space.step)

    @cached_property
    def key(self) -> int:
        """The key of the file, 128 bits."""
        return super().key if self.file_key is None else self.file_key

    @property
    def drawn_by(self) -> dict[str, Any]:
        """The key, and the seed where it was derived from that."""
        return {"seed": self.seed if self.file_key is None else None, "key": key_text(self.key)}

    @cached_property
    def grid(self) -> None:
        """No device draws it."""

    def write(self, start: int, out: NDArray[np.float32]) -> None:
        """Write samples; see :meth:`NoisyStream.write`."""
        table, space = self._table, self.point.space
        assert table is not None  # noqa: S101 - see __post_init__
        rows, base = out.reshape(len(out), -1), self.point.data.reshape(-1)
        for at in range(0, len(rows), self.block):
            part = rows[at : at + self.block]
            samples = range(start + at, start + at + len(part))
            add(outcomes(table, self.key, samples, space.size), base, space.divisor, part)
            space.stretch(part)
