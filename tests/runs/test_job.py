"""Jobs: which inputs, what fits, and one arithmetic for all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsonnx.data import open_dataset
from rsonnx.errors import DataError, UsageError
from rsonnx.procedures import certify_procedure
from rsonnx.runs import Job, Work, do_work, prepare_job
from rsonnx.runs.sample import Sample
from rsonnx.runtime import OnnxClassifier, ThreadEngine

SMALL = (8, 8)
LEVELS = np.random.default_rng(1).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)
Make = Callable[..., Job]


@pytest.fixture
def job_of(classifier: OnnxClassifier, tmp_path: Path) -> Make:
    """A job of arrays."""

    def make(x: np.ndarray, y: Any = None, sigma: float = 0.25, **options: Any) -> Job:
        path = tmp_path / "set.npz"
        np.savez(path, **({"x": x} if y is None else {"x": x, "y": np.array(y)}))
        return prepare_job(classifier, sigma, open_dataset(path), **options)

    return make


def test_indices_and_labels_are_those_of_the_sample(job_of: Make) -> None:
    for sample, expected in (
        (Sample(), range(6)),
        (Sample(2, 3), (0, 3)),
        (Sample(4), (0, 1, 3, 4)),
    ):
        job = job_of(LEVELS, range(5, -1, -1), sample=sample)
        assert job.indices == tuple(expected)
        assert [job.label(index) for index in job.indices] == [5 - index for index in expected]
    assert job_of(LEVELS).label(1) is None


def test_arguments_out_of_range_are_refused_before_the_run(job_of: Make) -> None:
    with pytest.raises(UsageError, match="too wide"):
        job_of(LEVELS, sigma=127.5)
    for label in (10, -1, 2**40):
        with pytest.raises(DataError, match=f"'2' .*{label}"):
            job_of(LEVELS[:3], [0, 9, label])


def test_an_image_of_another_size_is_named(
    classifier: OnnxClassifier, image_folder: Callable[..., Path]
) -> None:
    folder = image_folder({"0/a.png": (28, SMALL), "0/b.png": (9, SMALL), "1/c.png": (0, (8, 9))})
    with pytest.raises(DataError, match=r"'1/c\.png': .*9x8"):
        prepare_job(classifier, 0.25, open_dataset(folder))
    # An input that is not chosen need not fit.
    job = prepare_job(classifier, 0.25, open_dataset(folder), sample=Sample(2))
    assert (job.indices, job.smoothed.arithmetic) == ((0, 1), "exact")
    assert job.point(0).data.tolist() == np.full((1, 8, 8), 28).tolist()


def test_floats_on_the_grid_are_exact(job_of: Make) -> None:
    job = job_of((LEVELS / 255).astype(np.float32))
    assert job.smoothed.arithmetic == "exact"
    digests = [job.point(i).digest for i in range(6)]
    assert np.array_equal(job.point(3).data, LEVELS[3])
    same = job_of(LEVELS)
    assert [same.point(i).digest for i in range(6)] == digests


def test_one_row_off_the_grid_makes_all_float(job_of: Make) -> None:
    values = LEVELS / 255
    values[2, 0, 3, 3] = 0.5
    job = job_of(values)
    assert job.smoothed.arithmetic == "float"
    procedure = certify_procedure(job.smoothed.noise, n0=10, n=20, alpha=0.001)
    assert {row.arithmetic for row in do_work(Work(job, procedure, 1))} == {"float"}
    # A row that is off the grid and not chosen says nothing about those that are.
    assert job_of(values, sample=Sample(1)).smoothed.arithmetic == "exact"


@pytest.mark.parametrize("value", [255.0, -0.5, 1.25])
def test_a_row_outside_the_bounds_is_named(job_of: Make, value: float) -> None:
    for row in (0, 3, 5):
        values = LEVELS / 255
        values[row, 0, 0, 0] = value
        with pytest.raises(DataError, match=rf"the input '{row}': .* 0 to 1"):
            job_of(values)


def test_rows_depend_on_no_other_input_and_progress_counts_every_sample(
    classifier: OnnxClassifier, job_of: Make
) -> None:
    found: list[dict[int, Any]] = []
    for skip_every, batch_size in ((1, 7), (2, 64)):
        engine = ThreadEngine(classifier, batch_size)
        job = job_of(LEVELS, range(6), sample=Sample(skip_every=skip_every), engine=engine)
        procedure = certify_procedure(job.smoothed.noise, n0=20, n=500, alpha=0.001)
        seen: list[int] = []
        rows = list(do_work(Work(job, procedure, 3), progress=seen.append))
        assert sum(seen) == len(rows) * (1 + procedure.samples) == len(rows) * 521
        found.append({row.index: row.to_json() | {"seconds": 0} for row in rows})
        assert all(
            row["samples"] == {"selection": 20, "estimation": 500} for row in found[-1].values()
        )
    assert found[1] == {index: row for index, row in found[0].items() if index in (0, 2, 4)}
