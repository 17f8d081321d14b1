"""Jobs: which inputs, what fits, and one arithmetic for all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rsonnx.data import open_dataset
from rsonnx.errors import DataError, UsageError
from rsonnx.procedures import certify_procedure
from rsonnx.runs import Work, do_work, prepare_job
from rsonnx.runs.sample import Sample
from rsonnx.runtime import OnnxClassifier, ThreadEngine

SMALL = (8, 8)


@pytest.fixture
def arrays(tmp_path: Path) -> Callable[..., Path]:
    def make(x: np.ndarray, y: np.ndarray | None = None) -> Path:
        np.savez(tmp_path / "set.npz", **({"x": x} if y is None else {"x": x, "y": y}))
        return tmp_path / "set.npz"

    return make


def _levels(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize(
    ("skip_every", "limit", "expected"),
    [
        (1, None, range(10)),
        (1, 4, (0, 2, 5, 7)),
        (3, None, (0, 3, 6, 9)),
        (3, 2, (0, 6)),
        (10, None, (0,)),
        (11, 99, (0,)),
        (1, 99, range(10)),
    ],
)
def test_selections(
    classifier: OnnxClassifier,
    arrays: Callable[..., Path],
    skip_every: int,
    limit: int | None,
    expected: range | tuple[int, ...],
) -> None:
    dataset = open_dataset(arrays(_levels(10)))
    job = prepare_job(classifier, 0.25, dataset, sample=Sample(limit, skip_every))
    assert job.indices == tuple(expected)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"limit": 0}, "limit is 0"),
        ({"limit": -3}, "limit is -3"),
        ({"skip_every": 0}, "skip-every is 0"),
        ({"skip_every": -1}, "skip-every is -1"),
    ],
)
def test_selections_out_of_range(
    classifier: OnnxClassifier, arrays: Callable[..., Path], wrong: dict[str, int], name: str
) -> None:
    with pytest.raises(UsageError, match=f"{name}, but it must be at least 1"):
        prepare_job(classifier, 0.25, open_dataset(arrays(_levels(2))), sample=Sample(**wrong))


@pytest.mark.parametrize("label", [10, -1, 2**40])
def test_a_label_that_is_no_class_is_named(
    classifier: OnnxClassifier, arrays: Callable[..., Path], label: int
) -> None:
    dataset = open_dataset(arrays(_levels(3), np.array([0, 9, label])))
    with pytest.raises(DataError, match=rf"example '2' .* label {label}, .* classes are 0\.\.9"):
        prepare_job(classifier, 0.25, dataset)


def test_labels_of_chosen_inputs(classifier: OnnxClassifier, arrays: Callable[..., Path]) -> None:
    dataset = open_dataset(arrays(_levels(6), np.array([5, 4, 3, 2, 1, 0])))
    job = prepare_job(classifier, 0.25, dataset, sample=Sample(skip_every=2))
    assert [job.label(index) for index in job.indices] == [5, 3, 1]
    unlabelled = prepare_job(classifier, 0.25, open_dataset(arrays(_levels(2))))
    assert unlabelled.label(1) is None


def test_an_image_of_another_size_is_named(
    classifier: OnnxClassifier, image_folder: Callable[..., Path]
) -> None:
    folder = image_folder({"0/a.png": (0, SMALL), "0/b.png": (9, SMALL), "1/c.png": (0, (8, 9))})
    with pytest.raises(DataError, match=r"the input '1/c\.png': .*9x8"):
        prepare_job(classifier, 0.25, open_dataset(folder))
    # An input that is not chosen need not fit.
    assert prepare_job(classifier, 0.25, open_dataset(folder), sample=Sample(2)).indices == (0, 1)


def test_images_are_exact(classifier: OnnxClassifier, image_folder: Callable[..., Path]) -> None:
    job = prepare_job(classifier, 0.25, open_dataset(image_folder({"0/a.png": (28, SMALL)})))
    assert job.smoothed.arithmetic == "exact"
    assert job.point(0).data.tolist() == np.full((1, 8, 8), 28).tolist()


def test_floats_on_the_grid_are_exact(
    classifier: OnnxClassifier, arrays: Callable[..., Path]
) -> None:
    levels = _levels(4)
    on_grid = open_dataset(arrays((levels / 255).astype(np.float32)))
    job = prepare_job(classifier, 0.25, on_grid)
    assert job.smoothed.arithmetic == "exact"
    assert np.array_equal(job.point(3).data, levels[3])
    same = prepare_job(classifier, 0.25, open_dataset(arrays(levels)))
    assert [job.point(i).digest for i in range(4)] == [same.point(i).digest for i in range(4)]


def test_one_row_off_the_grid_makes_all_float(
    classifier: OnnxClassifier, arrays: Callable[..., Path]
) -> None:
    values = _levels(4) / 255
    values[2, 0, 3, 3] = 0.5
    job = prepare_job(classifier, 0.25, open_dataset(arrays(values)))
    assert job.smoothed.arithmetic == "float"
    procedure = certify_procedure(job.smoothed.noise, n0=10, n=20, alpha=0.001)
    rows = list(do_work(Work(job, procedure, 1)))
    assert [row.arithmetic for row in rows] == ["float"] * 4
    # A row that is off the grid and not chosen says nothing about those that are.
    assert (
        prepare_job(classifier, 0.25, job.dataset, sample=Sample(1)).smoothed.arithmetic == "exact"
    )


@pytest.mark.parametrize("row", [0, 1, 2, 3])
@pytest.mark.parametrize("value", [255.0, -0.5, 1.25])
def test_a_row_outside_the_bounds_is_named(
    classifier: OnnxClassifier, arrays: Callable[..., Path], row: int, value: float
) -> None:
    values = _levels(4) / 255
    values[row, 0, 0, 0] = value
    with pytest.raises(DataError, match=rf"the input '{row}': .*declared bounds are 0 to 1"):
        prepare_job(classifier, 0.25, open_dataset(arrays(values)))


def test_noise_too_wide_for_the_grid_is_refused_before_the_run(
    classifier: OnnxClassifier, arrays: Callable[..., Path]
) -> None:
    dataset = open_dataset(arrays(_levels(1)))
    with pytest.raises(UsageError, match="too wide for exact noise"):
        prepare_job(classifier, 127.5, dataset)


def test_rows_do_not_depend_on_which_other_inputs_are_chosen(
    classifier: OnnxClassifier, arrays: Callable[..., Path]
) -> None:
    dataset = open_dataset(arrays(_levels(4), np.arange(4)))
    found = []
    for skip_every, batch_size in ((1, 7), (2, 64)):
        engine = ThreadEngine(classifier, batch_size)
        job = prepare_job(
            classifier, 0.25, dataset, sample=Sample(skip_every=skip_every), engine=engine
        )
        procedure = certify_procedure(job.smoothed.noise, n0=20, n=500, alpha=0.001)
        rows = do_work(Work(job, procedure, 3))
        found.append({row.index: row.to_json() | {"seconds": 0} for row in rows})
    assert found[1] == {index: row for index, row in found[0].items() if index in (0, 2)}


def test_progress_counts_every_sample(
    classifier: OnnxClassifier, arrays: Callable[..., Path]
) -> None:
    job = prepare_job(classifier, 0.25, open_dataset(arrays(_levels(2))))
    procedure = certify_procedure(job.smoothed.noise, n0=20, n=300, alpha=0.001)
    seen: list[int] = []
    rows = list(do_work(Work(job, procedure, 3), progress=seen.append))
    assert sum(seen) == len(rows) * procedure.samples == 640
    assert all((row.selection.total, row.estimation.total) == (20, 300) for row in rows)
