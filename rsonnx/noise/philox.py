"""Where random bits come from: numpy's Philox4x64-10, addressed instead of consumed.

Every block of noise has a counter range of its own under a key of its own, so a block can be drawn
anywhere, in any order, and is the same. The key is the first 128 bits of a SHA-256 over the run's
seed, a digest of the input and the stage, so the streams of two inputs or two stages never meet.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.scalars import as_whole, shown

SEED_BITS = 128
"""Entropy drawn from the operating system where no seed is given."""

SEED_DIGITS = 4_000
"""Of the largest seed; Python reads and writes few more."""

MAIN, SETTLE = 0, 1
"""Counter regions of a block: its ordinary words, and the words that settle rare cases."""


def fresh_seed() -> int:
    """Draw a seed of 128 bits from the operating system."""
    return secrets.randbits(SEED_BITS)


def check_seed(seed: int) -> int:
    """Return ``seed``, or refuse it unless it is a whole number >= 0 of at most 4,000 digits."""
    whole = as_whole(seed)
    if whole is None or not 0 <= whole < 10**SEED_DIGITS:
        raise UsageError(
            f"the seed is {shown(seed)}, but a whole number of at least 0 was expected, of at most "
            f"{SEED_DIGITS:,} digits"
        )
    return whole


def stream_key(seed: int, digest: str, stage: str) -> int:
    """Return the 128-bit Philox key of one stage of one input, from its digest in hexadecimal."""
    text = f"rsonnx stream 1\0{seed}\0{digest}\0{stage}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:16], "little")


def place_in(key: int, span: int, length: int) -> int:
    """Return a place 0 .. ``length`` - 1, a power of two, in a span of a stream of a key."""
    text = f"rsonnx watched 1\0{key}\0{span}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") % length


def uniform(seed: int, digest: str) -> float:
    """Return a number in (0, 1] for a randomised bound on one input, drawn apart from all noise."""
    word = int(bits(stream_key(seed, digest, "bound"), 0).random_raw())
    return ((word >> 11) + 1) * 2.0**-53


def bits(key: int, block: int, region: int = MAIN) -> np.random.Philox:
    """Return the generator at the start of a block's counter range.

    Counter words, lowest first: [running, running, block, region].
    """
    return np.random.Philox(key=key, counter=(region << 192) | (block << 128))


def raw_words(generator: np.random.Philox, count: int) -> NDArray[np.uint64]:
    """Return the generator's next ``count`` words, while other threads may run.

    ``random_raw`` defines the words but keeps all other threads waiting; ``integers`` over the
    whole range gives the same words without that. numpy promises the former for ever and not the
    latter, so it is used only where it is seen to agree.
    """
    if not _integers_are_raw_words():
        return generator.random_raw(count)
    return _integers(generator, count)


def _integers(generator: np.random.Philox, count: int) -> NDArray[np.uint64]:
    most = 2**64 - 1
    return np.random.Generator(generator).integers(most, size=count, dtype=np.uint64, endpoint=True)


@cache
def _integers_are_raw_words() -> bool:
    return np.array_equal(_integers(bits(1, 2), 4099), bits(1, 2).random_raw(4099))
