"""The bit source against an implementation of Philox4x64-10 from its paper."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.errors import UsageError
from rsonnx.noise.philox import MAIN, SETTLE, bits, check_seed, fresh_seed, stream_key

MASK = (1 << 64) - 1


def philox4x64(counter: list[int], key: list[int]) -> list[int]:
    """Ten rounds of Philox4x64 (Salmon et al., SC 2011, table 2 and section 3.3)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * c[0], 1 << 64)
        high1, low1 = divmod(0xCA5A826395121157 * c[2], 1 << 64)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return c


def reference_words(key: int, block: int, region: int, count: int) -> list[int]:
    """The words of a block: numpy advances its counter before the first draw."""
    words: list[int] = []
    draw = 0
    while len(words) < count:
        draw += 1
        words += philox4x64([draw, 0, block, region], [key & MASK, key >> 64])
    return words[:count]


def test_known_answer() -> None:
    # Counter and key 0: the known-answer test of the Random123 library for philox4x64-10.
    assert philox4x64([0] * 4, [0] * 2) == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]


@given(
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**40),
    st.sampled_from([MAIN, SETTLE]),
)
def test_words_are_philox_at_the_blocks_own_counter(key: int, block: int, region: int) -> None:
    found = bits(key, block, region).random_raw(9).tolist()
    assert found == reference_words(key, block, region, 9)


def test_key_is_the_documented_hash() -> None:
    text = b"rsonnx stream 1\x007\x00abc\x00selection"
    expected = int.from_bytes(hashlib.sha256(text).digest()[:16], "little")
    assert stream_key(7, "abc", "selection") == expected


def test_keys_differ_in_every_part() -> None:
    keys = {
        stream_key(seed, digest, stage)
        for seed in (0, 1, 11)
        for digest in ("a", "1a", "b")
        for stage in ("selection", "estimation", "prediction")
    }
    assert len(keys) == 27


def test_fresh_seeds_differ_and_have_many_bits() -> None:
    seeds = [fresh_seed() for _ in range(20)]
    assert len(set(seeds)) == 20  # a collision has odds of 2^-120
    # All 20 below 2^100 would have odds of 2^-560.
    assert max(seeds).bit_length() > 100


@pytest.mark.parametrize("seed", [-1, 1.5, "7", True, None])
def test_bad_seeds(seed: object) -> None:
    with pytest.raises(UsageError, match=r"seed is .* at least 0"):
        check_seed(seed)  # type: ignore[arg-type]


def test_numpy_integers_are_seeds() -> None:
    assert check_seed(np.int64(7)) == 7
