"""True classes in the model's own numbering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from rsonnx.data import Example, open_dataset
from rsonnx.errors import DataError
from rsonnx.runs.labels import Labels, align_labels


@dataclass(frozen=True)
class Rows:
    """A data set of labels alone."""

    labels: tuple[int, ...] | None
    class_names: tuple[str, ...] | None = None
    kind: str = "npz"
    path: Path = Path("rows.npz")
    label_rule: str = "the array y"

    def __len__(self) -> int:
        return len(self.labels or (0,))

    def name(self, index: int) -> str:
        return f"row {index}"

    def shape(self, index: int) -> tuple[int, ...]:
        return (1,)

    def __getitem__(self, index: int) -> Example:
        values: NDArray[Any] = np.zeros(1, np.float32)
        return Example(
            self.name(index), None if self.labels is None else self.labels[index], values
        )


def aligned(
    labels: Sequence[int] | None,
    *,
    folders: Sequence[str] | None = None,
    names: Sequence[str] = (),
    classes: int | None = None,
) -> Labels:
    dataset = Rows(
        None if labels is None else tuple(labels), None if folders is None else tuple(folders)
    )
    count = (len(names) or None) if classes is None else classes
    model: Any = SimpleNamespace(class_names=tuple(names), num_classes=count)
    return align_labels(dataset, model)


def test_labels_are_positions_where_the_model_names_nothing() -> None:
    found = aligned([0, 2, 1], classes=3)
    assert found == Labels((0, 2, 1), "the array y")


def test_no_labels_stay_none() -> None:
    assert aligned(None, names=("1", "2")) == Labels(None, "the array y")


def test_folders_are_met_by_the_model_s_names() -> None:
    """The folders are sorted, the model's classes are not."""
    found = aligned([0, 1, 2, 1], folders=("cat", "dog", "eel"), names=("eel", "cat", "ape", "dog"))
    assert found.values == (1, 3, 0, 3)
    assert found.rule == "the array y, matched by the model's class names"


def test_some_of_the_model_s_classes_are_enough() -> None:
    assert aligned([0, 0], folders=("dog",), names=("cat", "dog")).values == (1, 1)


def test_folders_of_other_names_are_positions() -> None:
    """ImageNet's folders are synsets, and a model may name its classes in English."""
    found = aligned([0, 1], folders=("n01440764", "n01443537"), names=("tench", "goldfish"))
    assert found == Labels((0, 1), "the array y")


@pytest.mark.parametrize("names", [("1", "2", "3"), ("3", "1", "2"), ("-1", "1", "2", "3")])
def test_classes_that_are_called_by_numbers_are_met_by_number(names: tuple[str, ...]) -> None:
    found = aligned([3, 1, 2], names=names)
    assert found.values == tuple(names.index(str(k)) for k in (3, 1, 2))
    assert found.rule == "the array y, matched by the model's class numbers"


def test_classes_called_0_1_2_are_positions() -> None:
    assert aligned([2, 0], names=("0", "1", "2")) == Labels((2, 0), "the array y")


@pytest.mark.parametrize("label", [0, 4, -1])
def test_a_label_that_is_no_class_number_is_refused(label: int) -> None:
    with pytest.raises(
        DataError,
        match=f"'row 1' has the label {label}, but the model's classes are called 1, 2, 3",
    ):
        aligned([1, label], names=("1", "2", "3"))


def test_whole_numbers_are_positions_where_the_classes_are_texts() -> None:
    assert aligned([0, 2], names=("setosa", "versicolor", "virginica")).values == (0, 2)


@pytest.mark.parametrize("label", [3, -1])
@pytest.mark.parametrize("names", [("a", "b", "c"), ("0", "1", "2"), ()])
def test_a_label_outside_the_positions_is_refused(label: int, names: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=rf"'row 1' .* has label {label}, .* classes are 0\.\.2"):
        aligned([0, label], names=names, classes=3)


def test_a_name_of_two_classes_meets_no_label() -> None:
    with pytest.raises(DataError, match="gives two of its classes the same name"):
        aligned([0, 1], folders=("a", "b"), names=("a", "b", "a"))
    assert aligned(None, names=("a", "a")).values is None


def test_labels_are_taken_as_they_are_where_the_classes_are_unknown() -> None:
    assert aligned([5, 70]).values == (5, 70)


def test_a_folder_of_images_is_met_by_name(tmp_path: Path) -> None:
    for name in ("setosa", "virginica"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / name / "a.png")
    dataset = open_dataset(tmp_path)
    model: Any = SimpleNamespace(class_names=("virginica", "versicolor", "setosa"), num_classes=3)
    found = align_labels(dataset, model)
    assert found.values == (2, 0)


def test_folders_that_are_numbers_are_met_by_number(tmp_path: Path) -> None:
    for name in ("1", "3"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / name / "a.png")
    model: Any = SimpleNamespace(class_names=("1", "2", "3"), num_classes=3)
    assert align_labels(open_dataset(tmp_path), model).values == (0, 2)


def folder_of(path: Path, *classes: str) -> Path:
    for name in classes:
        (path / name).mkdir(parents=True)
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(path / name / "a.png")
    return path


def model_of(classes: int, *names: str) -> Any:
    return SimpleNamespace(class_names=names, num_classes=classes)


def test_folders_for_some_of_the_classes_are_no_positions(tmp_path: Path) -> None:
    """2 of 1,000 folders would be classes 0 and 1, whatever they are called."""
    dataset = open_dataset(folder_of(tmp_path, "n01491361", "n01534433"))
    with pytest.raises(DataError, match=r"has 2 class folders, .* tells 1000 .*--classes"):
        align_labels(dataset, model_of(1000))
    assert align_labels(dataset, model_of(2)).values == (0, 1)
    named = open_dataset(tmp_path, classes=[*(f"other {k}" for k in range(998)), "n01534433",
                                            "n01491361"])  # fmt: skip
    # The order of the data set is that of its labels.
    assert align_labels(named, model_of(1000)).values == (998, 999)


def test_a_folder_that_is_no_class_beside_one_that_is(tmp_path: Path) -> None:
    dataset = open_dataset(folder_of(tmp_path, "cat", "hamster", "tiger"))
    with pytest.raises(DataError, match=r"'hamster' .* none of the model's classes, though 'cat'"):
        align_labels(dataset, model_of(3, "cat", "dog", "fish"))
