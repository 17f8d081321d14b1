"""The manifest: one digest over all inputs, that anybody can compute again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headers import certified_row
from numpy.typing import NDArray
from onnx_models import nearest_mean

import rsonnx
from rsonnx.data import open_dataset
from rsonnx.data.rows import StoredRows
from rsonnx.errors import DataError, RunFileError
from rsonnx.runs import Manifest, make_manifest, manifest_digest, prepare_job
from rsonnx.runs.manifest import Entry
from rsonnx.runs.sample import Sample
from rsonnx.runtime import OnnxClassifier

ENTRIES = [Entry(0, "3/a.png", 3, "ab" * 32), Entry(7, "\udcffß", None, "cd" * 32)]


def test_the_digest_is_of_plain_lines_of_every_field_in_order() -> None:
    text = (
        f'[0, "3/a.png", 3, "{"ab" * 32}"]\n'
        f'[7, "\\udcff\\u00df", null, "{"cd" * 32}"]\n'
    )  # fmt: skip
    digest = manifest_digest(ENTRIES)
    assert digest == hashlib.sha256(text.encode("ascii")).hexdigest()
    assert Manifest({e.index: e for e in ENTRIES}).sha256 == digest
    others = [ENTRIES[::-1], ENTRIES[:1]]
    changes = ({"name": "3/b.png"}, {"label": 4}, {"index": 1}, {"digest": "ef" * 32})
    others += [[replace(ENTRIES[0], **change), ENTRIES[1]] for change in changes]  # type: ignore[arg-type]
    assert digest not in map(manifest_digest, others)


def test_it_is_made_of_the_chosen_inputs_and_holds_them_to_it(
    classifier: OnnxClassifier, image_folder: Callable[..., Path]
) -> None:
    folder = image_folder({f"{k}/a.png": (k * 20, (8, 8)) for k in range(5)})
    job = prepare_job(classifier, 0.5, open_dataset(folder), sample=Sample(skip_every=2))
    seen: list[int] = []
    manifest = make_manifest(job, seen.append)
    assert list(manifest.entries) == [0, 2, 4]
    assert seen == [1, 2, 3]
    for index, entry in manifest.entries.items():
        assert entry == Entry(index, f"{index}/a.png", index, job.point(index).digest)
    manifest.check(2, job.point(2))
    with pytest.raises(DataError, match=r"2/a\.png"):  # it changed while the run was going
        manifest.check(2, job.point(4))
    path = folder / "4" / "a.png"
    path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(DataError, match=r"4/a\.png"):
        make_manifest(job)


@pytest.mark.parametrize("kept", [0, 1 << 20])
@pytest.mark.parametrize("axes", ["HWC", "CHW", "HW"])
def test_inputs_that_are_read_together_are_those_that_are_read_one_by_one(
    axes: str, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = 1 if axes == "HW" else 3
    model = rsonnx.load(nearest_mean((channels, 6, 6)), preprocess="none", providers="cpu")
    shape = tuple({"H": 6, "W": 6, "C": channels}[axis] for axis in axes)
    levels = np.random.default_rng(2).integers(0, 200, (7, *shape), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", x=levels)
    monkeypatch.setattr("rsonnx.data.rows._KEPT_BYTES", kept)
    monkeypatch.setattr("rsonnx.runs.manifest._TOGETHER", 2 * levels[0].size)
    job = prepare_job(model, 0.5, open_dataset(tmp_path / "set.npz"))
    assert job.levels(job.indices) is not None
    read: list[int] = []
    row = StoredRows.row

    def noted(rows: StoredRows, at: int) -> NDArray[Any]:
        read.append(at)
        return row(rows, at)

    monkeypatch.setattr(StoredRows, "row", noted)
    manifest = make_manifest(job)
    # What is compressed is read once, but for the brightest at the end: going back begins anew.
    assert read[:7] == ([] if kept else list(range(7)))
    assert len(read) <= 8
    points = [job.point(index) for index in range(7)]
    assert [entry.digest for entry in manifest.entries.values()] == [p.digest for p in points]
    assert manifest.largest == max(p.values().max() for p in points)


def test_rows_of_other_inputs_are_refused() -> None:
    row = certified_row(0)
    entry = Entry(0, row.name, row.label, row.digest)
    Manifest({0: entry}).check_row(row)
    for name, other in (("name", "4/other.png"), ("label", 4), ("digest", "ab" * 32)):
        changed = replace(entry, **{name: other})  # type: ignore[arg-type]
        with pytest.raises(RunFileError, match=f"input 0 has the {name} "):
            Manifest({0: changed}).check_row(row)
