"""Philox and exact noise in plain operators, against known answers, numpy, and by counting."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper

from rsonnx.compose import noise_graph
from rsonnx.compose.graph import Builder
from rsonnx.compose.noise_graph import NoiseGraph
from rsonnx.compose.philox import Constants, philox4x32, round_keys
from rsonnx.noise import Gaussian
from rsonnx.noise import exported as reference
from rsonnx.noise.exported import key_words, outcomes
from rsonnx.noise.lattice import LatticeTable

STEP = 1 / 255
Feeds = Mapping[str, NDArray[Any]]


def run(builder: Builder, feeds: Feeds, outputs: Sequence[str]) -> list[NDArray[Any]]:
    """Run the nodes of a builder by plain onnxruntime."""
    graph = builder.graph(
        "test",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for name, v in feeds.items()
        ],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    answers: list[NDArray[Any]] = session.run(list(outputs), dict(feeds))
    return answers


def test_words_are_those_of_random123_and_of_numpy() -> None:
    """At Random123's known answers, at the ends of the range and at 1,000 counters and keys."""
    rng = np.random.default_rng(1)
    ends = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 1], np.uint64)
    drawn = np.concatenate([rng.choice(ends, (100, 6)), rng.integers(0, 2**32, (900, 6))])
    known = [[0] * 6, [0xFFFF_FFFF] * 6]
    words = np.array([*known, *drawn], np.int64).T
    builder = Builder()
    constants = Constants.of(builder)
    keys = round_keys(builder, constants, ("w4", "w5"))
    answers = philox4x32(builder, constants, ("w0", "w1", "w2", "w3"), keys)
    found = run(builder, {f"w{k}": word for k, word in enumerate(words)}, answers)
    assert [hex(word[0]) for word in found] == [
        *("0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8")
    ]
    assert [hex(word[1]) for word in found] == [
        *("0x408f276d", "0x41c83b0e", "0xa20bc7c6", "0x6d5451fd")
    ]
    for at in range(words.shape[1]):
        *counter, first, second = (int(word) for word in words[:, at])
        expected = reference.philox4x32([np.uint64([w]) for w in counter], (first, second))
        assert [int(word[0]) for word in expected] == [int(word[at]) for word in found]


def noise_of(table: LatticeTable, key: int, samples: range, size: int) -> NDArray[np.int32]:
    builder = Builder()
    drawn = NoiseGraph(builder, table, "key", size).draw(builder, "samples")
    numbers = np.arange(samples.start, samples.stop, dtype=np.int64)
    (noise,) = run(builder, {"key": key_words(key), "samples": numbers}, [drawn])
    return noise


@pytest.mark.parametrize("sigma", [1e-8, 0.002, 0.02, 0.5, 3.0])
@pytest.mark.parametrize(("size", "samples"), [(1, range(300)), (83, range(5, 90))])
def test_noise_is_the_reference_s(sigma: float, size: int, samples: range) -> None:
    table = Gaussian(sigma).table(STEP)
    for key in (0, 2**128 - 1, 0x000102030405060708090A0B0C0D0E0F):
        expected = outcomes(table, key, samples, size)
        assert np.array_equal(noise_of(table, key, samples, size), expected)


@pytest.mark.parametrize("sigma", [0.002, 0.25, 1.0])
def test_the_law_is_the_table_s_by_counting(sigma: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell once, and in each the settling bits at and just below one of its thresholds.

    Inputs of the graph stand in the place of Philox's words. All halves of a word are equally
    probable, and all settling words, so that the law is the one of the thresholds, which are
    counted here in Python's whole numbers.
    """
    table = Gaussian(sigma).table(STEP)
    thresholds = [(int(h) << 16) | int(low) for h, low in zip(table.high, table.low, strict=True)]

    def words(body: Builder, constants: Constants, counter: list[str], keys: object) -> list[str]:
        if counter[0].startswith("constant"):  # of all blocks
            return ["a", "b", "c", "d"]
        return [body.add("Gather", [name, counter[0]]) for name in ("upper", "lower")]

    monkeypatch.setattr(noise_graph, "philox4x32", words)
    cells = np.arange(1 << 16, dtype=np.int64)
    low, high = cells.reshape(4, 2, -1).transpose(1, 0, 2)
    builder = Builder()
    drawn = NoiseGraph(builder, table, "key", 1 << 16).draw(builder, "samples")
    own: dict[int, list[int]] = {}
    for threshold in thresholds:
        own.setdefault(threshold >> 64, []).append(threshold & (2**64 - 1))
    for pick in (0, 0.5, 1):
        for below in (0, 1):
            settling = {c: rest[round(pick * (len(rest) - 1))] - below for c, rest in own.items()}
            bits = [max(0, settling.get(int(cell), 0)) for cell in cells]
            feeds = {
                "key": np.zeros(4, np.uint32),
                "samples": np.zeros(1, np.int64),
                **{name: (low[k] | (high[k] << 16))[None] for k, name in enumerate("abcd")},
                "upper": np.array([b >> 32 for b in bits], np.int64),
                "lower": np.array([b & 0xFFFF_FFFF for b in bits], np.int64),
            }
            (found,) = run(builder, feeds, [drawn])
            expected = [
                table.minimum + bisect.bisect_right(thresholds, (int(cell) << 64) | b)
                for cell, b in zip(cells, bits, strict=True)
            ]
            assert found[0].tolist() == expected


def test_the_first_two_words_are_philox_s_key_and_the_others_end_each_counter() -> None:
    table = Gaussian(0.5).table(STEP)
    key = (1 << 96) | (2 << 64) | (3 << 32) | 4
    words = reference.philox4x32([np.uint64([w]) for w in (0, 0, 3, 4)], (1, 2))
    cell = int(words[0][0]) & 0xFFFF
    assert table.outcome[cell] != -32768
    assert noise_of(table, key, range(1), 1)[0, 0] == table.outcome[cell]
