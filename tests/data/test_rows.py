"""Rows of arrays that are too large to be kept: the same values, in memory that does not grow."""

from __future__ import annotations

import gzip
import pickle
import struct
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rsonnx.data import limits, open_dataset, rows

RANDOM = np.random.default_rng(4)
LEVELS = RANDOM.integers(0, 256, (40, 3, 5), dtype=np.uint8)


def save(folder: Path, form: str) -> Path:
    if form.startswith("idx"):
        name = f"train-images-idx3-ubyte{form.removeprefix('idx')}"
        data = struct.pack(">IIII", 0x803, *LEVELS.shape) + LEVELS.tobytes()
        (folder / name).write_bytes(gzip.compress(data) if form.endswith("gz") else data)
        return folder / name
    values = {"uint8": LEVELS, "bare": LEVELS[:, 0, 0]}.get(form, LEVELS.astype(">f4"))
    write = np.savez if form == "stored" else np.savez_compressed
    write(folder / "set.npz", x=values, y=np.arange(40))
    return folder / "set.npz"


@pytest.mark.parametrize("form", ["idx", "idx.gz", "stored", "packed", "uint8", "bare"])
def test_rows_that_are_not_kept_are_those_that_are(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, form)
    kept = open_dataset(path)
    monkeypatch.setattr(rows, "_KEPT_BYTES", 0)
    monkeypatch.setattr(rows, "_BLOCK_VALUES", 7)
    read = open_dataset(path)
    assert isinstance(read.rows, rows.StoredRows)  # type: ignore[attr-defined]
    assert (read.labels, read.reading, len(read)) == (kept.labels, kept.reading, len(kept))
    order = [*range(40), *RANDOM.permutation(40).tolist()]
    with ThreadPoolExecutor(4) as pool:
        for dataset in (read, pickle.loads(pickle.dumps(read))):  # noqa: S301
            for at, example in zip(order, pool.map(dataset.__getitem__, order), strict=True):
                expected = kept[at].values
                assert example.values.dtype == expected.dtype
                assert not example.values.flags.writeable
                np.testing.assert_array_equal(example.values, expected, strict=True)


@pytest.mark.parametrize("form", ["packed", "idx.gz"])
def test_what_is_not_kept_is_checked_to_its_end(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused
) -> None:
    monkeypatch.setattr(rows, "_KEPT_BYTES", 0)
    path = save(tmp_path, form)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 255
    path.write_bytes(data)
    with refused(path.name, "cannot be read"):
        open_dataset(path)


def test_a_file_that_changes_while_it_is_read_is_a_data_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused
) -> None:
    monkeypatch.setattr(rows, "_KEPT_BYTES", 0)
    path = save(tmp_path, "idx")
    dataset = open_dataset(path)
    path.write_bytes(path.read_bytes()[:100])
    with refused(path.name, "holds only"):
        dataset[39]


def _zeros(path: Path, count: int, width: int) -> Path:
    """Write an array of zeros, deflated, a thousand times smaller than it announces to be."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w") as f,
    ):
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, width)}
        np.lib.format.write_array_header_1_0(f, header)
        for _ in range(width):
            f.write(bytes(count))
    return path


def test_memory_follows_the_rows_that_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """128 MiB behind 128 kB; 16 would be kept."""
    monkeypatch.setattr(rows, "_KEPT_BYTES", 2**24)
    path = _zeros(tmp_path / "set.npz", 2**17, 2**10)
    assert path.stat().st_size < 2**18
    tracemalloc.start()
    dataset = open_dataset(path)
    assert not dataset[2**17 - 1].values.any()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**26


def test_more_examples_than_any_labels_are_kept_for_are_refused(tmp_path: Path, refused) -> None:
    with refused("'x'", f"{2**24 + 1:,}"):
        open_dataset(_zeros(tmp_path / "set.npz", 2**24 + 1, 1))


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_the_free_memory_cannot_hold_is_refused(
    order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused
) -> None:
    """Of an array that is stored column by column that is all of it, else one row."""
    shape = (2, 2**17) if order == "C" else (2**17, 2)
    np.savez_compressed(tmp_path / "set.npz", x=np.zeros(shape, np.float32, order))
    open_dataset(tmp_path / "set.npz")
    monkeypatch.setattr(limits, "available_memory", lambda: 2**20)
    with refused("set.npz", "memory"):
        open_dataset(tmp_path / "set.npz")
