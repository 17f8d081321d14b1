"""True classes in the model's own numbering."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from rsonnx.data import (
    GIVEN_NAMES,
    NUMBERED_FOLDERS,
    SORTED_FOLDERS,
    Example,
    Reading,
    open_dataset,
)
from rsonnx.errors import DataError
from rsonnx.runs.labels import Labels, UndecidedOrderError, align_labels


@dataclass(frozen=True)
class Rows:
    """A data set of labels alone."""

    labels: tuple[int, ...] | None
    class_names: tuple[str, ...] | None = None
    kind: str = "npz"
    path: Path = Path("rows.npz")
    label_rule: str = "the array y"
    reading: Reading = field(default_factory=Reading)

    def __len__(self) -> int:
        return len(self.labels or (0,))

    def name(self, index: int) -> str:
        return f"row {index}"

    def shape(self, index: int) -> tuple[int, ...]:
        return (1,)

    def turned(self, index: int) -> bool:
        return False

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
        None if labels is None else tuple(labels),
        None if folders is None else tuple(folders),
        label_rule="the array y" if folders is None else SORTED_FOLDERS,
    )
    count = (len(names) or None) if classes is None else classes
    model: Any = SimpleNamespace(class_names=tuple(names), num_classes=count)
    return align_labels(dataset, model, unasked)


def unasked(index: int) -> int:
    raise AssertionError(f"the model was asked for input {index}")


def test_labels_are_positions_where_the_model_names_nothing() -> None:
    found = aligned([0, 2, 1], classes=3)
    assert found == Labels((0, 2, 1), "the array y")


def test_no_labels_stay_none() -> None:
    assert aligned(None, names=("1", "2")).values is None


def test_folders_are_met_by_the_model_s_names() -> None:
    """The folders are sorted, the model's classes are not."""
    found = aligned([0, 1, 2, 1], folders=("cat", "dog", "eel"), names=("eel", "cat", "ape", "dog"))
    assert found.values == (1, 3, 0, 3)
    assert found.rule == f"{SORTED_FOLDERS}, matched by the model's class names"


def test_some_of_the_model_s_classes_are_enough() -> None:
    assert aligned([0, 0], folders=("dog",), names=("cat", "dog")).values == (1, 1)


@pytest.mark.parametrize(("right", "decided"), [(30, True), (29, True), (20, False), (0, False)])
def test_folders_that_the_model_does_not_name_are_positions_if_it_answers_so(
    right: int, decided: bool
) -> None:
    """ImageNet's folders are synsets, and a model may name its classes in English."""
    labels = [0] * 15 + [1] * 15
    dataset = Rows(tuple(labels), ("n01440764", "n01443537"), label_rule=SORTED_FOLDERS)
    model: Any = SimpleNamespace(class_names=("tench", "goldfish"), num_classes=2)

    def answer(index: int) -> int:
        return labels[index] if index < right else 1 - labels[index]

    if decided:
        found = align_labels(dataset, model, answer)
        assert (found.values, found.rule) == (tuple(labels), SORTED_FOLDERS)
        assert str(right) in (found.tried or "")
        return
    with pytest.raises(UndecidedOrderError):
        align_labels(dataset, model, answer)


def test_names_that_were_given_and_contradict_the_models_are_refused() -> None:
    dataset = Rows((0, 1, 2), ("cat", "dog", "bird"), label_rule=GIVEN_NAMES)
    model: Any = SimpleNamespace(class_names=("dog", "cat", "brid"), num_classes=3)
    with pytest.raises(DataError, match="'cat'"):
        align_labels(dataset, model, unasked)


@pytest.mark.parametrize("names", [("1", "2", "3"), ("3", "1", "2"), ("-1", "1", "2", "3")])
def test_classes_that_are_called_by_numbers_are_met_by_number(names: tuple[str, ...]) -> None:
    found = aligned([3, 1, 2], names=names)
    assert found.values == tuple(names.index(str(k)) for k in (3, 1, 2))
    assert found.rule == "the array y, matched by the model's class numbers"


def test_classes_called_0_1_2_are_positions() -> None:
    found = aligned([2, 0], names=("0", "1", "2"))
    assert (found.values, found.rule) == ((2, 0), "the array y")


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
    with pytest.raises(DataError, match="gives two of its classes the same name"):
        aligned([1, 2], names=("1", "2", "1"))
    # Names that no label meets, such as ImageNet's two cranes, do no harm.
    assert aligned([0, 2], names=("crane", "tench", "crane")).values == (0, 2)
    assert aligned([0], folders=("tench",), names=("crane", "tench", "crane")).values == (1,)


def test_names_meet_whatever_their_case_and_punctuation() -> None:
    folders, names = ("Dog", "sea_lion"), ("Sea Lion", "dog", "cat")
    found = aligned([0, 1], folders=folders, names=names)
    assert found.values == (1, 0)
    assert "case" in found.rule
    with pytest.raises(DataError, match=r"'hamster'.*'Dog'"):
        aligned([0, 1], folders=("Dog", "hamster"), names=names)
    with pytest.raises(DataError, match="none of the model's classes"):
        aligned([0, 1], folders=("Dog", "dog!"), names=names)
    # What the model itself tells apart by case alone is met as it is written.
    assert aligned([0, 1], folders=("A", "a"), names=("a", "A")).values == (1, 0)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_that_systems_sort_differently_are_decided_by_the_answers(form: str) -> None:
    words = ("\u00e9toile", "eau", "zebra")  # the first comes last where it is composed
    stored = tuple(sorted(words))
    dataset = Rows(tuple(np.repeat(range(3), 30).tolist()), stored, label_rule=SORTED_FOLDERS)
    trained = sorted(unicodedata.normalize(form, word) for word in words)
    classes = {
        label: trained.index(unicodedata.normalize(form, name)) for label, name in enumerate(stored)
    }
    found = align_labels(dataset, model_of(3), model_by(classes, dataset))
    assert found.values == tuple(classes[label] for label in dataset.labels or ())
    assert form in found.rule
    with pytest.raises(DataError, match="--classes"):
        align_labels(dataset, model_of(3), lambda _: 0)
    harmless = Rows((0, 1), ("cr\u00e8me", "tea"), label_rule=SORTED_FOLDERS)
    plain = align_labels(harmless, model_of(2), unasked)
    assert (plain.values, plain.rule) == ((0, 1), SORTED_FOLDERS)


def test_labels_are_taken_as_they_are_where_the_classes_are_unknown() -> None:
    assert aligned([5, 70]).values == (5, 70)


def test_a_folder_of_images_is_met_by_name(tmp_path: Path) -> None:
    for name in ("setosa", "virginica"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / name / "a.png")
    dataset = open_dataset(tmp_path)
    model: Any = SimpleNamespace(class_names=("virginica", "versicolor", "setosa"), num_classes=3)
    found = align_labels(dataset, model, unasked)
    assert found.values == (2, 0)


def test_folders_that_are_numbers_are_met_by_number(tmp_path: Path) -> None:
    for name in ("1", "3"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / name / "a.png")
    model: Any = SimpleNamespace(class_names=("1", "2", "3"), num_classes=3)
    assert align_labels(open_dataset(tmp_path), model, unasked).values == (0, 2)


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
        align_labels(dataset, model_of(1000), unasked)
    assert align_labels(dataset, model_of(2), unasked).values == (0, 1)
    named = open_dataset(tmp_path, classes=[*(f"other {k}" for k in range(998)), "n01534433",
                                            "n01491361"])  # fmt: skip
    # The order of the data set is that of its labels.
    assert align_labels(named, model_of(1000), unasked).values == (998, 999)


def test_a_folder_that_is_no_class_beside_one_that_is(tmp_path: Path) -> None:
    dataset = open_dataset(folder_of(tmp_path, "cat", "hamster", "tiger"))
    with pytest.raises(DataError, match=r"'hamster' .* none of the model's classes, though 'cat'"):
        align_labels(dataset, model_of(3, "cat", "dog", "fish"), unasked)


@pytest.mark.parametrize("count", [4, 6])
@pytest.mark.parametrize("labels", [(0, 1), None])
def test_given_names_are_one_a_class(count: int, labels: tuple[int, ...] | None) -> None:
    given = Rows(labels, tuple(f"n{k}" for k in range(count)), label_rule="array y")
    for names in ((), ("n0", "n1", "n2", "n3", "n4")):
        with pytest.raises(DataError, match=f"{count} class names .* 5 classes"):
            align_labels(given, model_of(5, *names), unasked)
    assert align_labels(given, model_of(count), unasked).values == labels


@pytest.mark.parametrize(
    ("folder", "name"), [("caf\u00e9", "cafe\u0301"), ("cafe\u0301", "caf\u00e9")]
)
def test_unicode_forms_of_a_folder_and_a_class_meet(folder: str, name: str) -> None:
    assert aligned([0, 1], folders=(folder, "tea"), names=("tea", name)).values == (1, 0)
    with pytest.raises(DataError, match="the same name"):
        aligned([0], folders=(folder,), names=("tea", folder, name))


def numbers(*present: int, each: int = 3) -> Rows:
    """A data set of folders that are numbers."""
    return Rows(tuple(np.repeat(sorted(present), each).tolist()), label_rule=NUMBERED_FOLDERS)


def model_by(classes: dict[int, int], dataset: Rows, wrong: int = 0) -> Any:
    """The answers of a model that counts folder k as class classes[k], but for some inputs."""
    labels = dataset.labels or ()
    return lambda index: -1 if index < wrong else classes[labels[index]]


def text_order(numbers: Sequence[int]) -> dict[int, int]:
    """What torchvision's ImageFolder and Keras make of folders."""
    return {int(name): at for at, name in enumerate(sorted(map(str, numbers)))}


@pytest.mark.parametrize("count", [12, 100])
def test_the_model_s_answers_tell_text_order_from_number_order(count: int) -> None:
    dataset = numbers(*range(count))
    labels = dataset.labels or ()
    in_text = text_order(range(count))
    for classes in (in_text, {k: k for k in range(count)}):
        found = align_labels(dataset, model_of(count), model_by(classes, dataset, wrong=3))
        assert found.values == tuple(classes[label] for label in labels)
        assert found.tried is not None
        assert ("text" in found.rule) == (classes is in_text)


@pytest.mark.parametrize("classes", [None, 12])
def test_answers_that_do_not_decide_ask_for_the_names(classes: int | None) -> None:
    few = numbers(*range(12), each=2)  # folders 2 to 11 mean another class, 20 inputs: 2^-19
    in_text = text_order(range(12))
    for answer in (model_by(in_text, few), model_by(in_text, numbers(*range(12)), wrong=99)):
        with pytest.raises(DataError, match="--classes"):
            align_labels(few, model_of(classes) if classes else _unnumbered(), answer)


def _unnumbered() -> Any:
    return SimpleNamespace(class_names=(), num_classes=None)


def test_the_inputs_that_are_tried_are_spread_over_the_data() -> None:
    dataset = numbers(*range(50), each=40)
    asked: list[int] = []

    def answer(index: int) -> int:
        asked.append(index)
        return (dataset.labels or ())[index]

    assert align_labels(dataset, model_of(50), answer).values == dataset.labels
    assert len(asked) == 200
    assert {index // 40 for index in asked} == set(range(50))


@pytest.mark.parametrize(
    ("present", "classes"), [(range(10), 10), ((0, 7), 10), ((0, 1), None), ((8,), 10)]
)
def test_numbers_of_one_order_are_classes_unasked(present: Sequence[int], classes: int) -> None:
    dataset = numbers(*present)
    model: Any = SimpleNamespace(class_names=(), num_classes=classes)
    assert align_labels(dataset, model, unasked) == Labels(dataset.labels, NUMBERED_FOLDERS)


def test_names_of_the_model_settle_what_folders_mean() -> None:
    dataset = numbers(*range(12))
    names = map(str, range(12))
    assert align_labels(dataset, model_of(12, *names), unasked).values == dataset.labels


@pytest.mark.parametrize("names", ["LABEL_{}", "class {}", "word-{}x"])
def test_names_that_are_not_the_folders_leave_the_order_to_the_answers(names: str) -> None:
    """Hugging Face calls classes that nobody named LABEL_0, LABEL_1, ..., whatever they mean."""
    dataset = numbers(*range(12))
    model = model_of(12, *(names.format(k) for k in range(12)))
    for classes in (text_order(range(12)), {k: k for k in range(12)}):
        found = align_labels(dataset, model, model_by(classes, dataset))
        assert found.values == tuple(classes[label] for label in dataset.labels or ())
    with pytest.raises(UndecidedOrderError):
        align_labels(dataset, model, lambda _: 0)


def test_placeholders_with_other_numbers_are_met_by_number() -> None:
    model = model_of(3, "LABEL_3", "LABEL_1", "LABEL_2")
    assert align_labels(numbers(1, 3, each=1), model, unasked).values == (1, 0)


NUMBERED = [("-1", "0", "1"), ("1", "2", "3"), ("0", "7", "1"), ("0", "1", "2")]


@pytest.mark.parametrize("names", NUMBERED)
def test_named_folders_are_positions_where_the_classes_are_called_by_numbers(
    names: tuple[str, ...],
) -> None:
    """The k-th folder is no class that is called k."""
    for rule in (SORTED_FOLDERS, GIVEN_NAMES):
        dataset = Rows((0, 1, 2), ("ant", "bee", "cat"), label_rule=rule)
        found = align_labels(dataset, model_of(3, *names), unasked)
        assert found.values == (0, 1, 2)
        assert found.class_names == ("ant", "bee", "cat")
    fewer = Rows((0, 1), ("ant", "bee"), label_rule=SORTED_FOLDERS)
    with pytest.raises(DataError, match=rf"{', '.join(names)}.*--classes"):
        align_labels(fewer, model_of(3, *names), unasked)
    some = Rows((1, 2), ("ant", "bee", "cat"), label_rule=GIVEN_NAMES)
    assert align_labels(some, model_of(3, *names), unasked).values == (1, 2)


def test_lines_that_are_numbers_are_positions_too() -> None:
    """They say what the model's numbers mean, or contradict what it calls its classes."""
    given = ("0", "1", "10", "2")
    dataset = Rows((0, 1, 2, 3), given, label_rule=GIVEN_NAMES)
    assert align_labels(dataset, model_of(4, "0", "1", "2", "3"), unasked).values == (0, 1, 2, 3)
    with pytest.raises(DataError, match="'10'"):
        align_labels(dataset, model_of(4, "0", "1", "2", "10"), unasked)


@pytest.mark.parametrize("labels", [(1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2)])
@pytest.mark.parametrize("folders", [True, False])
def test_numbers_from_one_are_told_from_those_from_zero(
    labels: tuple[int, ...], folders: bool
) -> None:
    """9 of 10 folders, as 1 to 10 without 10: no label would be out of range."""
    rule = NUMBERED_FOLDERS if folders else "the array y"
    dataset = Rows(tuple(np.repeat(labels, 60).tolist()), label_rule=rule)
    for offset in (0, 1):
        classes = {k: k - offset for k in labels}
        found = align_labels(dataset, model_of(10), model_by(classes, dataset))
        assert found.values == tuple(classes[label] for label in dataset.labels or ())
        assert found.own_names == (tuple(map(str, range(1, 11))) if offset else ())
    # Where the answers tell nothing, the numbers stand, and it is said.
    for answer in (0, 1, 2):
        constant = align_labels(dataset, model_of(10), lambda _, answer=answer: answer)
        assert constant.values == dataset.labels
        assert constant.tried is not None


def test_one_to_ten_in_text_order_of_which_some_lack() -> None:
    dataset = numbers(1, 2, 10, 11, each=40)
    classes = text_order(range(1, 13))
    found = align_labels(dataset, model_of(12), model_by(classes, dataset))
    assert found.values == tuple(classes[label] for label in dataset.labels or ())
    assert found.own_names[classes[10]] == "10"


def test_a_model_of_one_answer_confirms_no_order() -> None:
    """Most inputs being of one class, it is mostly right by any."""
    dataset = Rows((0,) * 95 + (1,) * 5, ("n1", "n2"), label_rule=SORTED_FOLDERS)
    with pytest.raises(UndecidedOrderError):
        align_labels(dataset, model_of(2, "tench", "crane"), lambda _: 0)


def test_the_inputs_that_are_tried_do_not_alias_with_classes_that_take_turns() -> None:
    labels = tuple(k % 12 for k in range(1200))
    dataset = Rows(labels, label_rule=NUMBERED_FOLDERS)
    asked = []

    def answer(index: int) -> int:
        asked.append(labels[index])
        return labels[index]

    assert align_labels(dataset, model_of(12), answer).values == labels
    counts = Counter(asked)
    assert len(counts) == 12
    assert max(counts.values()) - min(counts.values()) <= 1


def test_class_names_follow_the_order_that_was_found() -> None:
    words = ("e\u0301tude", "ecole", "zebra")  # sorted as decomposed text would: ecole, etude
    stored = tuple(sorted(words))
    dataset = Rows(tuple(np.repeat(range(3), 40).tolist()), stored, label_rule=SORTED_FOLDERS)
    composed = sorted(unicodedata.normalize("NFC", word) for word in words)
    classes = {
        label: composed.index(unicodedata.normalize("NFC", name))
        for label, name in enumerate(stored)
    }
    found = align_labels(dataset, model_of(3), model_by(classes, dataset))
    assert [unicodedata.normalize("NFC", name) for name in found.class_names] == composed
    counted = numbers(*range(1, 13))
    found = align_labels(counted, model_of(12), model_by(text_order(range(1, 13)), counted))
    assert found.class_names == tuple(sorted(map(str, range(1, 13))))


def test_a_folder_that_was_met_by_place_keeps_its_name_beside_the_model_s() -> None:
    labels = [0] * 30 + [1] * 30
    dataset = Rows(tuple(labels), ("n01440764", "n01443537"), label_rule=SORTED_FOLDERS)
    found = align_labels(dataset, model_of(2, "tench", "goldfish"), labels.__getitem__)
    assert found.own_names == ("n01440764", "n01443537")
    assert found.class_names == ("tench", "goldfish")


def test_a_label_that_no_given_name_has_is_refused() -> None:
    dataset = Rows((0, -1), ("cat", "dog"))
    with pytest.raises(DataError, match="'row 1'"):
        align_labels(dataset, model_of(2, "dog", "cat"), unasked)


def test_folders_for_some_classes_of_a_model_in_text_order() -> None:
    """3, 7 and 11 of 0 to 11: the places among all twelve."""
    dataset = numbers(3, 7, 11, each=30)
    in_text = text_order(range(12))
    found = align_labels(dataset, model_of(12), model_by(in_text, dataset))
    assert sorted(set(found.values or ())) == sorted(in_text[k] for k in (3, 7, 11))
    # 3 and 7 alone are in one order: as numbers, unless the answers say otherwise.
    two = numbers(3, 7, each=5)
    assert align_labels(two, model_of(12), model_by(in_text, two)).values == two.labels
    many = numbers(3, 7, each=50)
    assert set(align_labels(many, model_of(12), model_by(in_text, many)).values or ()) == {5, 9}


@pytest.mark.parametrize("present", [range(1, 10), (3, 7, 9)])
def test_numbers_that_are_no_classes_are_positions_where_every_class_has_one(
    present: Sequence[int],
) -> None:
    dataset = numbers(*present)
    found = align_labels(dataset, model_of(len(present)), unasked)
    assert found.values == tuple(np.repeat(range(len(present)), 3).tolist())
    assert found.rule != NUMBERED_FOLDERS
    with pytest.raises(DataError, match="has label"):
        align_labels(dataset, model_of(len(present) - 1), unasked)


def test_one_to_k_of_more_than_nine_classes_is_decided_by_the_answers() -> None:
    dataset = numbers(*range(1, 13))
    labels = dataset.labels or ()
    for classes in (text_order(range(1, 13)), {k: k - 1 for k in range(1, 13)}):
        found = align_labels(dataset, model_of(12), model_by(classes, dataset))
        assert found.values == tuple(classes[label] for label in labels)
    with pytest.raises(DataError, match="--classes"):
        align_labels(dataset, model_of(12), lambda _: 0)
