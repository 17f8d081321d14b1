"""The manifest: one digest over all inputs, that anybody can compute again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rsonnx.data import open_dataset
from rsonnx.errors import DataError, RunFileError
from rsonnx.runs import Job, Manifest, Row, make_manifest, manifest_digest, prepare_job
from rsonnx.runs.manifest import Entry
from rsonnx.runs.sample import Sample
from rsonnx.runtime import OnnxClassifier

ENTRIES = [Entry(0, "3/a.png", 3, "ab" * 32), Entry(7, "\udcffß", None, "cd" * 32)]


@pytest.fixture
def job(classifier: OnnxClassifier, image_folder: Callable[..., Path]) -> Job:
    folder = image_folder({f"{k}/a.png": (k * 20, (8, 8)) for k in range(5)})
    return prepare_job(classifier, 0.5, open_dataset(folder), sample=Sample(skip_every=2))


def test_the_digest_is_of_plain_lines() -> None:
    text = (
        f'[0, "3/a.png", 3, "{"ab" * 32}"]\n'
        f'[7, "\\udcff\\u00df", null, "{"cd" * 32}"]\n'
    )  # fmt: skip
    assert manifest_digest(ENTRIES) == hashlib.sha256(text.encode("ascii")).hexdigest()
    assert Manifest({e.index: e for e in ENTRIES}).sha256 == manifest_digest(ENTRIES)


@pytest.mark.parametrize(
    "other",
    [
        ENTRIES[::-1],
        ENTRIES[:1],
        [replace(ENTRIES[0], name="3/b.png"), ENTRIES[1]],
        [replace(ENTRIES[0], label=4), ENTRIES[1]],
        [replace(ENTRIES[0], index=1), ENTRIES[1]],
        [replace(ENTRIES[0], digest="ef" * 32), ENTRIES[1]],
    ],
)
def test_every_field_and_the_order_count(other: list[Entry]) -> None:
    assert manifest_digest(other) != manifest_digest(ENTRIES)


def test_it_is_made_of_the_chosen_inputs(job: Job) -> None:
    seen: list[int] = []
    manifest = make_manifest(job, seen.append)
    assert list(manifest.entries) == [0, 2, 4]
    assert seen == [1, 2, 3]
    for index, entry in manifest.entries.items():
        assert (entry.index, entry.name, entry.label) == (index, f"{index}/a.png", index)
        assert entry.digest == job.point(index).digest


def test_a_broken_input_is_named(job: Job) -> None:
    path = Path(job.dataset.path) / "4" / "a.png"
    path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(DataError, match=r"4/a\.png"):
        make_manifest(job)


def test_an_input_that_changes_during_the_run_is_refused(job: Job) -> None:
    manifest = make_manifest(job)
    manifest.check(2, job.point(2))
    with pytest.raises(DataError, match=r"the input '2/a\.png' changed while the run was going"):
        manifest.check(2, job.point(4))


def test_rows_of_other_inputs_are_refused(make_row: Callable[..., Row]) -> None:
    row = make_row(0)
    entry = Entry(0, row.name, row.label, row.digest)
    Manifest({0: entry}).check_row(row)
    for changed in (
        replace(entry, name="4/other.png"),
        replace(entry, label=4),
        replace(entry, digest="ab" * 32),
    ):
        with pytest.raises(RunFileError, match=r"the input 0 has the (name|label|digest) "):
            Manifest({0: changed}).check_row(row)
