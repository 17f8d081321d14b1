"""The generator of exported files, by known answers and by counting, without any sampling."""

import itertools
import pickle

import numpy as np
import pytest
from numpy.typing import NDArray

from rsonnx import SmoothedClassifier
from rsonnx.errors import UsageError
from rsonnx.noise import ExportedStream, Gaussian, InputSpace, Uniform, check_key, exported
from rsonnx.noise.exported import key_text, key_words, outcomes, philox4x32

ZERO, ONES = 0, 0xFFFF_FFFF
KEY = 0x000102030405060708090A0B0C0D0E0F


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [  # Random123's known answers for philox4x32-10
        ([ZERO] * 4, [ZERO] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([ONES] * 4, [ONES] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_known_answers(counter: list[int], key: list[int], words: list[int]) -> None:
    drawn = philox4x32([np.array([word], np.uint64) for word in counter], key)
    assert [int(word[0]) for word in drawn] == words


def test_a_key_is_its_four_words() -> None:
    assert key_words(KEY).tolist() == [0x00010203, 0x04050607, 0x08090A0B, 0x0C0D0E0F]
    assert check_key(key_text(KEY)) == KEY
    for wrong in ("", "0" * 31, "0" * 33, "0x" + "0" * 30, "g" * 32, " " * 32, 7, None):
        with pytest.raises(UsageError):
            check_key(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("sigma", [0.01, 0.25, 1.0])
def test_the_law_is_the_table_s_by_counting(sigma: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the 2^16 halves of a word gives its cell's outcome, and settling words the rest.

    The words are put in Philox's place: all halves once, in low and high places, and for settling
    each threshold's own 64 bits and the number before it. Equal words are equally probable, so the
    law is the table's, which tests/noise/test_lattice.py proves.
    """
    table = Gaussian(sigma).table(1 / 255)
    cells = np.arange(1 << 16, dtype=np.uint64)
    thresholds = table.cells_of_thresholds.astype(np.int64)
    for below in (0, 1):
        settling = np.zeros(1 << 16, np.uint64)
        settling[thresholds[::-1]] = table.rest[::-1] - np.uint64(below)  # a cell's first

        def words(
            counter: list[NDArray[np.uint64]], key: object, further: NDArray[np.uint64] = settling
        ) -> tuple[NDArray[np.uint64], ...]:
            shape = np.broadcast_shapes(*(np.shape(word) for word in counter))
            if len(shape) == 2:  # cells: word i of counter j holds cells 2q and 2q + 1 of them all
                size = shape[1]
                order = cells.reshape(4, 2, size)
                return tuple((low | (high << np.uint64(16)))[None] for low, high in order)
            which = further[counter[0].astype(np.int64)]
            return which >> np.uint64(32), which & np.uint64(0xFFFF_FFFF), which, which

        monkeypatch.setattr(exported, "philox4x32", words)
        drawn = outcomes(table, 0, range(1), 1 << 16)[0]
        ends = np.searchsorted(thresholds, np.arange(1 << 16), side="left")
        passed = np.zeros(1 << 16, np.int64)
        np.add.at(passed, thresholds, table.rest <= settling[thresholds])
        assert np.array_equal(drawn, table.minimum + ends + passed)


def test_no_counter_is_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every counter of a draw of 40 samples of 83 values, over calls of several lengths."""
    used: list[tuple[int, ...]] = []

    def words(counter: list[NDArray[np.uint64]], key: list[int]) -> tuple[NDArray[np.uint64], ...]:
        spread = np.broadcast_arrays(*counter)
        used.extend(zip(*(word.reshape(-1).tolist() for word in spread), strict=True))
        return philox4x32(counter, key)

    monkeypatch.setattr(exported, "philox4x32", words)
    table = Gaussian(0.02).table(1 / 255)  # of which many cells are settled
    parts = [outcomes(table, KEY, range(a, b), 83) for a, b in itertools.pairwise((0, 1, 7, 40))]
    settled = sum(sample >= 1 << 31 for _, sample, *_ in used)
    assert len(set(used)) == len(used) == 40 * 11 + settled
    assert settled > 0
    assert {rest for _, _, *rest in map(list, used) for rest in [tuple(rest)]} == {
        (0x08090A0B, 0x0C0D0E0F)
    }
    monkeypatch.undo()
    assert np.array_equal(np.concatenate(parts), outcomes(table, KEY, range(40), 83))


def test_a_stream_writes_levels_plus_outcomes() -> None:
    levels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4) * 20
    for bounds in ((0.0, 1.0), (-1.0, 1.0)):
        space = InputSpace((1, 3, 4), bounds)
        stream = ExportedStream(space.point(levels), Gaussian(0.5), 0, "prediction", file_key=KEY)
        out = np.empty((300, 1, 3, 4), np.float32)
        pickle.loads(pickle.dumps(stream)).write(5, out)  # noqa: S301 - as workers get it
        noise = outcomes(Gaussian(0.5).table(space.step), KEY, range(5, 305), 12)
        assert np.array_equal(out, space.values_of(levels + noise.reshape(-1, 1, 3, 4)))


def test_keys_of_inputs_and_stages_differ() -> None:
    space = InputSpace((2,))
    law = Gaussian(0.5)
    points = [space.point(np.array([0, k], np.uint8)) for k in range(3)]
    keys = {
        ExportedStream(point, law, seed, stage).key
        for point in points
        for seed in (1, 2)
        for stage in ("selection", "estimation", "prediction")
    }
    assert len(keys) == 18


def test_what_no_file_draws_is_refused() -> None:
    space = InputSpace((2,))
    levels = space.point(np.array([1, 2], np.uint8))
    between = space.point(np.array([0.1, 0.2]), "float")
    assert ExportedStream(levels, Uniform(0.5), 1, "prediction").key
    for point, law, stage, key in (
        (between, Gaussian(0.5), "prediction", None),
        (levels, Gaussian(0.5), "estimation", KEY),  # would be the samples of the selection
    ):
        with pytest.raises(UsageError):
            ExportedStream(point, law, 1, stage, file_key=key)


def test_a_prediction_names_its_key_and_counts_what_the_key_draws() -> None:
    def bright(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        return (batch.mean(axis=(1, 2)) > 0.5).astype(np.int64)

    smoothed = SmoothedClassifier(bright, 0.5)
    x = np.full((3, 3), 140, np.uint8)
    own = smoothed.exported().predict(x, n=200, seed=7)
    assert own.key is not None
    assert own.seed == 7
    again = smoothed.exported(own.key).predict(x, n=200)
    assert (again.counts, again.key, again.seed) == (own.counts, own.key, None)
    noise = outcomes(Gaussian(0.5).table(1 / 255), check_key(own.key), range(200), 9)
    ones = int((((noise + 140.0) / 255).mean(axis=1) > 0.5).sum())
    assert list(own.counts) == [200 - ones, ones]
    assert smoothed.predict(x, n=200, seed=7).key is None
