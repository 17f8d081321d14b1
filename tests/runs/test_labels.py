"""True classes in the model's own numbering."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rsonnx.data import (
    GIVEN_NAMES,
    LABEL_NUMBERS,
    NAMED_LABELS,
    NUMBERED_FOLDERS,
    SORTED_FOLDERS,
    Example,
    Reading,
    open_dataset,
)
from rsonnx.errors import DataError
from rsonnx.runs.labels import Labels, UndecidedOrderError, align_labels

ARRAY = "the array y"
Answer = Callable[[int], int]


@dataclass(frozen=True)
class Rows:
    """A data set of labels alone."""

    labels: tuple[int, ...] | None
    class_names: tuple[str, ...] | None = None
    label_rule: str = SORTED_FOLDERS
    kind: str = "npz"
    path: Path = Path("rows.npz")
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
        label = None if self.labels is None else self.labels[index]
        return Example(self.name(index), label, np.zeros(1, np.float32))

    def met_by(self, classes: Mapping[int, int]) -> tuple[int, ...]:
        """Their labels in the numbering of a model that counts label k as class classes[k]."""
        return tuple(classes[label] for label in self.labels or ())

    def answered_by(self, classes: Mapping[int, int], wrong: int = 0) -> Answer:
        """The answers of such a model, wrong for the first inputs."""
        met = self.met_by(classes)
        return lambda index: -1 if index < wrong else met[index]


def repeated(numbers: Iterable[int], each: int) -> tuple[int, ...]:
    return tuple(np.repeat(list(numbers), each).tolist())


def numbers(*present: int, each: int = 3) -> Rows:
    """A data set of folders that are numbers."""
    return Rows(repeated(sorted(present), each), label_rule=NUMBERED_FOLDERS)


def model_of(classes: int | None, *names: str) -> Any:
    return SimpleNamespace(class_names=names, num_classes=classes)


def unasked(index: int) -> int:
    raise AssertionError(f"the model was asked for input {index}")


def by_text(numbers: Iterable[int]) -> dict[int, int]:
    """What torchvision's ImageFolder and Keras make of folders."""
    return {int(name): at for at, name in enumerate(sorted(map(str, numbers)))}


def by_number(numbers: Iterable[int]) -> dict[int, int]:
    return {number: at for at, number in enumerate(numbers)}


def folder_of(path: Path, *classes: str) -> Path:
    for name in classes:
        (path / name).mkdir(parents=True)
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(path / name / "a.png")
    return path


NUMBERED = [("-1", "0", "1"), ("1", "2", "3"), ("0", "7", "1"), ("0", "1", "2")]
LINES = tuple(f"n{k}" for k in range(6))
INSECTS, ACCENTS = ("ant", "bee", "cat"), ("caf\u00e9", "cafe\u0301")
MET: list[tuple[Rows, Any, tuple[int, ...] | None]] = [
    (Rows(None, None, ARRAY), model_of(2, "1", "2"), None),
    (Rows(None, None, ARRAY), model_of(2, "a", "a"), None),
    (Rows((5, 70), None, ARRAY), model_of(None), (5, 70)),
    (Rows((0, 2, 1), None, ARRAY), model_of(3), (0, 2, 1)),
    # Numbers are positions where the classes are texts, and numbers where they are called so.
    (Rows((0, 2), None, ARRAY), model_of(3, "setosa", "versicolor", "virginica"), (0, 2)),
    (Rows((2, 0), None, ARRAY), model_of(3, "0", "1", "2"), (2, 0)),
    (Rows((3, 1, 2), None, ARRAY), model_of(3, "1", "2", "3"), (2, 0, 1)),
    (Rows((3, 1, 2), None, ARRAY), model_of(3, "3", "1", "2"), (0, 1, 2)),
    (Rows((3, 1, 2), None, ARRAY), model_of(4, "-1", "1", "2", "3"), (3, 1, 2)),
    (numbers(1, 3, each=1), model_of(3, "LABEL_3", "LABEL_1", "LABEL_2"), (1, 0)),
    # Also beside classes that are called otherwise, unless some label is none of these numbers.
    (Rows((1, 2, 1), None, ARRAY), model_of(3, "1", "2", "other"), (0, 1, 0)),
    (numbers(1, 2, each=1), model_of(3, "1", "2", "other"), (0, 1)),
    (Rows((1, 0), None, ARRAY), model_of(3, "1", "2", "other"), (1, 0)),
    (numbers(0, 10, 11, each=1), model_of(12, *map(str, range(12))), (0, 10, 11)),
    # Names that no label meets, such as ImageNet's two cranes, do no harm.
    (Rows((0, 2), None, ARRAY), model_of(3, "crane", "tench", "crane"), (0, 2)),
    (Rows((0,), ("tench",)), model_of(3, "crane", "tench", "crane"), (1,)),
    # Folders are sorted, the model's classes are not, and some are enough.
    (Rows((0, 1, 2, 1), INSECTS), model_of(4, "cat", "ant", "ape", "bee"), (1, 3, 0, 3)),
    (Rows((0, 0), ("dog",)), model_of(2, "cat", "dog"), (1, 1)),
    (Rows((0, 1, 0), ("ant", "cat"), NAMED_LABELS), model_of(3, "bee", "cat", "ant"), (2, 1, 2)),
    # Names meet whatever their case, punctuation and form, unless the model tells these apart.
    (Rows((0, 1), ("Dog", "sea_lion")), model_of(3, "Sea Lion", "dog", "cat"), (1, 0)),
    (Rows((0, 1), ("A", "a")), model_of(2, "a", "A"), (1, 0)),
    *((Rows((0, 1), (a, "t")), model_of(2, "t", b), (1, 0)) for a, b in (ACCENTS, ACCENTS[::-1])),
    (Rows((0, 1), ("cr\u00e8me", "tea")), model_of(2), (0, 1)),
    # The k-th folder is no class that is called k.
    *((Rows((0, 1, 2), INSECTS), model_of(3, *names), (0, 1, 2)) for names in NUMBERED),
    *((Rows((1, 2), INSECTS, GIVEN_NAMES), model_of(3, *names), (1, 2)) for names in NUMBERED),
    (Rows((0, 1, 2), ("0", "1", "10"), GIVEN_NAMES), model_of(3, "0", "1", "2"), (0, 1, 2)),
    (Rows((0, 1), LINES[:4], ARRAY), model_of(4), (0, 1)),
    # Numbers of one order are classes; where they are none, positions if every class has one.
    *((numbers(*p, each=1), model_of(10), tuple(p)) for p in (range(10), (0, 7), (8,))),
    (numbers(0, 1, each=1), model_of(None), (0, 1)),
    (numbers(*range(1, 10), each=1), model_of(9), tuple(range(9))),
    (numbers(3, 7, each=1), model_of(2), (0, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "model", "values"), MET)
def test_labels_are_met_unasked(rows: Rows, model: Any, values: tuple[int, ...] | None) -> None:
    found = align_labels(rows, model, unasked)
    assert found.values == values
    assert found.rule != rows.label_rule or values == rows.labels  # what was changed is said


REFUSED: list[tuple[Rows, Any, str]] = [
    *(
        (Rows((1, k), None, ARRAY), model_of(3, "1", "2", "3"), "'row 1'.* 1, 2, 3")
        for k in (0, 4, -1)
    ),
    *(
        (Rows((0, k), None, ARRAY), model_of(3, *names), "'row 1'.* 0[.][.]2")
        for k in (3, -1)
        for names in ((), ("a", "b", "c"), ("0", "1", "2"))
    ),
    (Rows((0, -1), ("cat", "dog")), model_of(2, "dog", "cat"), "'row 1'"),
    (Rows((1, 2, 3), None, LABEL_NUMBERS), model_of(3), "3.* 0[.][.]2"),
    *(
        (Rows((0, 1), INSECTS[:2], NAMED_LABELS), model_of(2, *names), "ant.*--classes")
        for names in ((), ("0", "1"), ("cat", "dog"))
    ),
    (numbers(3, 7), model_of(1), "label"),
    # One name of two classes.
    (Rows((0, 1), ("a", "b")), model_of(3, "a", "b", "a"), "same name"),
    (Rows((1, 2), None, ARRAY), model_of(3, "1", "2", "1"), "same name"),
    (Rows((1, 2), None, ARRAY), model_of(4, "1", "2", "1", "other"), "same name"),
    (Rows((0,), (ACCENTS[0],)), model_of(3, "tea", *ACCENTS), "same name"),
    # A folder or a line that is no class, beside one that is.
    (Rows((0, 1), ("Dog", "hamster")), model_of(2, "dog", "cat"), "'hamster'.*'Dog'"),
    (Rows((0, 1), ("Dog", "dog!")), model_of(2, "dog", "cat"), "none of the model's classes"),
    (Rows((0, 1, 2), INSECTS, GIVEN_NAMES), model_of(3, "bee", "ant", "kat"), "'ant'|'cat'"),
    (Rows((0, 1, 2), ("0", "10", "2"), GIVEN_NAMES), model_of(3, "0", "2", "10"), "'10'"),
    # Folders for some of the classes are no positions, and given names are one a class.
    *((Rows((0, 1), INSECTS[:2]), model_of(3, *n), f"{', '.join(n)}.*--classes") for n in NUMBERED),
    (Rows((0, 1), ("n01", "n02")), model_of(1000), "2 class folders.* 1000 .*--classes"),
    *(
        (Rows(labels, LINES[:count], ARRAY), model_of(5, *names), f"{count} .* 5")
        for count in (4, 6)
        for labels in ((0, 1), None)
        for names in ((), LINES[:5])
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "model", "named"), REFUSED)
def test_labels_that_meet_no_class_are_refused(rows: Rows, model: Any, named: str) -> None:
    with pytest.raises(DataError, match=named):
        align_labels(rows, model, unasked)


def test_folders_of_images_are_met_by_name_and_by_number(tmp_path: Path) -> None:
    flowers = open_dataset(folder_of(tmp_path / "flowers", "setosa", "virginica"))
    model = model_of(3, "virginica", "versicolor", "setosa")
    assert align_labels(flowers, model, unasked).values == (2, 0)
    counted = open_dataset(folder_of(tmp_path / "counted", "1", "3"))
    assert align_labels(counted, model_of(3, "1", "2", "3"), unasked).values == (0, 2)
    synsets = folder_of(tmp_path / "synsets", "n01491361", "n01534433")
    lines = [*(f"other {k}" for k in range(998)), "n01534433", "n01491361"]
    # The order of the data set is that of its labels.
    named = open_dataset(synsets, classes=lines)
    assert align_labels(named, model_of(1000), unasked).values == (998, 999)


@pytest.mark.parametrize(("right", "decided"), [(30, True), (29, True), (20, False), (0, False)])
def test_folders_that_the_model_does_not_name_are_positions_if_it_answers_so(
    right: int, decided: bool
) -> None:
    """ImageNet's folders are synsets, and a model may name its classes in English."""
    rows = Rows(repeated((0, 1), 15), ("n01440764", "n01443537"))
    model = model_of(2, "tench", "goldfish")

    def answer(index: int) -> int:
        label = rows.labels[index] if rows.labels else 0
        return label if index < right else 1 - label

    if not decided:
        with pytest.raises(UndecidedOrderError):
            align_labels(rows, model, answer)
        return
    found = align_labels(rows, model, answer)
    assert (found.values, found.rule) == (rows.labels, SORTED_FOLDERS)
    assert str(right) in (found.tried or "")
    assert (found.own_names, found.class_names) == (rows.class_names, model.class_names)


def test_a_model_of_one_answer_confirms_no_order() -> None:
    """Most inputs being of one class, it is mostly right by any."""
    rows = Rows((0,) * 95 + (1,) * 5, ("n1", "n2"))
    with pytest.raises(UndecidedOrderError):
        align_labels(rows, model_of(2, "tench", "crane"), lambda _: 0)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_that_systems_sort_differently_are_decided_by_the_answers(form: Any) -> None:
    words = ("\u00e9toile", "eau", "zebra")  # the first comes last where it is composed
    rows = Rows(repeated(range(3), 30), tuple(sorted(words)))
    trained = sorted(unicodedata.normalize(form, word) for word in words)
    classes = {
        label: trained.index(unicodedata.normalize(form, name))
        for label, name in enumerate(rows.class_names or ())
    }
    found = align_labels(rows, model_of(3), rows.answered_by(classes))
    assert found.values == rows.met_by(classes)
    assert form in found.rule
    assert [unicodedata.normalize(form, name) for name in found.class_names] == trained
    with pytest.raises(DataError, match="--classes"):
        align_labels(rows, model_of(3), lambda _: 0)


@pytest.mark.parametrize("names", ["", "LABEL_{}", "class {}", "word-{}x"])
@pytest.mark.parametrize("present", [range(12), range(100), range(1, 13)])
def test_the_answers_tell_text_order_from_number_order(present: range, names: str) -> None:
    """Hugging Face calls classes that nobody named LABEL_0, LABEL_1, ..., whatever they mean."""
    rows, count = numbers(*present), len(present)
    model = model_of(count, *(names.format(k) for k in range(count) if names))
    for classes in (by_text(present), by_number(present)):
        found = align_labels(rows, model, rows.answered_by(classes, wrong=3))
        assert found.values == rows.met_by(classes)
        assert found.tried is not None
        assert ("text" in found.rule) == (classes == by_text(present))
        if not names and classes == by_text(present) and 0 not in present:
            assert found.class_names == tuple(sorted(map(str, present)))
    with pytest.raises(DataError, match="--classes"):
        align_labels(rows, model, lambda _: 0)


@pytest.mark.parametrize("classes", [None, 12])
def test_answers_that_do_not_decide_ask_for_the_names(classes: int | None) -> None:
    few = numbers(*range(12), each=2)  # folders 2 to 11 mean another class, 20 inputs: 2^-19
    in_text = by_text(range(12))
    for answer in (few.answered_by(in_text), few.answered_by(in_text, wrong=99)):
        with pytest.raises(DataError, match="--classes"):
            align_labels(few, model_of(classes), answer)


@pytest.mark.parametrize("labels", [range(1, 10), (1, 2)])
@pytest.mark.parametrize("rule", [NUMBERED_FOLDERS, ARRAY])
def test_numbers_from_one_are_told_from_those_from_zero(labels: Sequence[int], rule: str) -> None:
    """9 of 10 folders, as 1 to 10 without 10: no label would be out of range."""
    rows = Rows(repeated(labels, 60), label_rule=rule)
    for offset in (0, 1):
        classes = {k: k - offset for k in labels}
        found = align_labels(rows, model_of(10), rows.answered_by(classes))
        assert found.values == rows.met_by(classes)
        assert found.own_names == (tuple(map(str, range(1, 11))) if offset else ())
    # Where the answers tell nothing, the numbers stand, and it is said.
    for answer in (0, 1, 2):
        constant = align_labels(rows, model_of(10), lambda _, answer=answer: answer)
        assert constant.values == rows.labels
        assert constant.tried is not None


@pytest.mark.parametrize(
    ("present", "each", "trained"),
    [((1, 2, 10, 11), 40, range(1, 13)), ((3, 7, 11), 30, range(12)), ((3, 7), 50, range(12))],
)
def test_text_order_of_which_some_lack(
    present: Sequence[int], each: int, trained: Sequence[int]
) -> None:
    rows, classes = numbers(*present, each=each), by_text(trained)
    found = align_labels(rows, model_of(12), rows.answered_by(classes))
    assert found.values == rows.met_by(classes)
    assert all(found.own_names[classes[k]] == str(k) for k in present if found.own_names)


def test_few_inputs_of_one_order_are_numbers_unless_the_answers_say_otherwise() -> None:
    two = numbers(3, 7, each=5)
    assert align_labels(two, model_of(12), two.answered_by(by_text(range(12)))).values == two.labels


@pytest.mark.parametrize(
    "labels", [repeated(range(50), 40), tuple(k % 12 for k in range(1200))], ids=["sorted", "turns"]
)
def test_the_inputs_that_are_tried_are_spread_over_the_classes(labels: tuple[int, ...]) -> None:
    asked: list[int] = []

    def answer(index: int) -> int:
        asked.append(labels[index])
        return labels[index]

    classes = max(labels) + 1
    found = align_labels(Rows(labels, label_rule=NUMBERED_FOLDERS), model_of(classes), answer)
    assert isinstance(found, Labels)
    assert found.values == labels
    counts = Counter(asked)
    assert (len(asked), len(counts)) == (200, classes)
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize(("start", "values"), [(0, (1, 2)), (1, (0, 1)), (None, None)])
def test_a_labels_file_counts_from_where_the_answers_show(
    start: int | None, values: tuple[int, int] | None
) -> None:
    """ImageNet's own numbers run from 1, in an order that is none of its models'."""
    rows = Rows(repeated((1, 2), 30), None, LABEL_NUMBERS)
    model = model_of(3)
    if start is None:
        with pytest.raises(UndecidedOrderError):
            align_labels(rows, model, lambda index: index % 3)
        return
    met = align_labels(rows, model, rows.answered_by({1: 1 - start, 2: 2 - start}))
    assert met.values == repeated(values or (), 30)
    named = Rows(rows.labels, ("ant", "bee", "cat"), LABEL_NUMBERS)  # names decide nothing
    with pytest.raises(UndecidedOrderError):
        align_labels(named, model, lambda index: index % 3)
    few = Rows((1, 2), None, LABEL_NUMBERS)  # which could not decide it
    assert align_labels(few, model, lambda index: index).values == (1, 2)
