"""Files of labels: an input and its label a line, or one label a line in the order of the inputs.

Labels that are numbers count the classes from 0; all others are names of classes.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from rsonnx.data.dataset import Dataset
from rsonnx.data.forms.npy import only_array
from rsonnx.data.label_arrays import array_labels
from rsonnx.data.limits import check_fits
from rsonnx.data.names import (
    GIVEN_NAMES,
    LABEL_NUMBERS,
    composed,
    heading,
    text_labels,
    whole_number,
)
from rsonnx.data.settings import DataSettings
from rsonnx.errors import DataError
from rsonnx.files import read_small

_MOST_BYTES = 64 * 2**20

_BYTES_A_LINE = 400
"""What the cells of a line take in memory, as several texts."""

_BOXES = re.compile(r"(\S+)(?: \d+){4}(?: \1(?: \d+){4})*", re.ASCII)
"""A class with the corners of its boxes, as in ImageNet's `LOC_val_solution.csv`."""

_INPUT_HEADINGS = frozenset(
    [
        *("path", "filepath", "file", "filename", "id", "index", "row", "name"),
        *("image", "imageid", "imagename", "imagepath", "img", "picture"),
    ]
)
_LABEL_HEADINGS = frozenset(
    [
        *("label", "labelid", "labelname", "class", "classid", "classindex", "classname"),
        *("category", "categoryid", "target", "y", "synset", "wnid", "predictionstring"),
    ]
)


def labelled(dataset: Dataset, settings: DataSettings) -> Dataset:
    """Return a data set with the labels of a file, if one was given.

    - Two columns, by tabs, commas, semicolons or blanks: an input and its label. An input is named
      as in the data set, with or without its ending and leading folders. A heading may say which of
      several columns are meant.
    - One column: a label a line, in the order of the inputs; or an array of them, .npy or .npz.

    Args:
        dataset: the inputs, which have no labels where a file was given.
        settings: the file, in UTF-8, and class names that labels are met by.

    Raises:
        UsageError: the file cannot be read.
        DataError: it is no such file, the inputs have labels of their own, one has none or two, or
            a label is none of the class names; or, of any data set, labels and class names are
            numbers in two orders.
    """
    path, classes = settings.labels, settings.names
    if path is not None:
        dataset = _labelled(dataset, path, classes)
    _check_numbers(dataset, classes)
    return dataset


def _check_numbers(dataset: Dataset, classes: tuple[str, ...] | None) -> None:
    """Refuse numbers that may be places in the given names or, in other places, names there."""
    if classes is None or dataset.labels is None or dataset.label_rule == GIVEN_NAMES:
        return
    numbers = list(map(whole_number, classes))
    if numbers != list(range(len(numbers))) and set(dataset.labels) <= set(numbers):
        raise DataError(
            f"the labels of {dataset.path} are numbers, and the class names given are numbers in "
            "another order; leave out the names, or give words"
        )


def _labelled(dataset: Dataset, path: Path, classes: tuple[str, ...] | None) -> Dataset:
    """Return a data set with the labels of a file."""
    if dataset.labels is not None:
        raise DataError(
            f"{dataset.path} has labels of its own ({dataset.label_rule}); leave the labels file "
            f"{path} out"
        )
    where = f"the labels file {path}"
    array = only_array(path, where) if path.is_file() else None
    names = [dataset.name(index) for index in range(len(dataset))]
    if array is not None:
        _check_order(names, where)
        labels, called, rule = array_labels(
            array, len(dataset), classes, where=where, rule=LABEL_NUMBERS
        )
        return replace(dataset, labels=labels, class_names=called, label_rule=rule)
    inputs = _Inputs(names)
    rows = read_rows(path, "the labels file", inputs.__contains__)
    unused: tuple[str, ...] = ()
    if len(rows[0]) == 1:
        _check_order(names, where)
        texts = [row[0] for row in rows[_has_heading([row[0] for row in rows]) :]]
        if len(texts) != len(dataset):
            raise DataError(
                f"{where} has {len(texts):,} labels, but {dataset.path} has "
                f"{len(dataset):,} inputs; write one label a line, or the input's path and its "
                "label"
            )
    else:
        texts, unused = _met(pairs_of(rows, path), inputs, path, dataset.path)
    labels, called, rule = labels_of(texts, path, classes)
    reading = replace(dataset.reading, unused_labels=unused)
    return replace(dataset, labels=labels, class_names=called, label_rule=rule, reading=reading)


def _check_order(names: Sequence[str], where: str) -> None:
    """Refuse labels without names for files that systems sort in several ways."""
    if list(names) != sorted(names):
        return  # rows, or a list, whose order is their own
    for name, following in pairwise(names):
        if _sorted_by(name) > _sorted_by(following):
            raise DataError(
                f"{where} names no inputs, whose order is not clear ({name!r} before "
                f"{following!r}, or behind?); write the input's path and its label a line"
            )


def _sorted_by(name: str) -> list[tuple[int, str]]:
    """Return what file managers sort a name by: runs of digits as numbers, letters in any case."""
    parts = re.split("([0-9]+)", name.casefold())
    parts[1::2] = [digits.lstrip("0") for digits in parts[1::2]]
    return [(len(part) if at % 2 else 0, part) for at, part in enumerate(parts)]


def read_rows(path: Path, what: str, is_input: Callable[[str], bool]) -> list[list[str]]:
    """Read the rows of a table of texts, all of one length: 1 where it is a list.

    Args:
        path: the file, UTF-8.
        what: it is called in messages.
        is_input: whether a text may name an input: what is before the last blank of a line does not
            where the lines are names of several words.

    Raises:
        UsageError: the file cannot be read.
        DataError: it is empty, no UTF-8 text, or its rows are of several lengths.
    """
    try:
        text = read_small(path, what, _MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(
            f"{what} {path} is not UTF-8 text; write a path and a label a line"
        ) from None
    check_fits(_BYTES_A_LINE * text.count("\n"), f"{what} {path}")
    lines = [line.strip() for line in text.rstrip().replace("\r\n", "\n").split("\n")]
    if lines == [""]:
        raise DataError(f"{what} {path} is empty; write a path and a label a line")
    if "" in lines:
        raise DataError(f"line {lines.index('') + 1} of {what} {path} is blank; remove it")
    for by in "\t,;":
        if all(by in line for line in lines):
            try:
                cells = list(csv.reader(lines, delimiter=by, skipinitialspace=True))
            except csv.Error as error:
                raise DataError(f"{what} {path} is no table ({error}); write it again") from None
            rows = [[cell.strip() for cell in row] for row in cells]
            break
    else:
        rows = [line.rsplit(None, 1) for line in lines]
        if any(len(row) == 1 for row in rows) or not any(is_input(row[0]) for row in rows):
            return [[line] for line in lines]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise DataError(
                f"line {number} of {what} {path} has {len(row)} columns, but line 1 has "
                f"{len(rows[0])}; quote texts that hold the separator"
            )
    return rows


def _has_heading(labels: Sequence[str]) -> bool:
    """Tell whether the first label of a column is the column's heading."""
    return heading(labels[0]) in _LABEL_HEADINGS or (
        len(labels) > 1
        and whole_number(labels[0]) is None
        and all(whole_number(label) is not None for label in labels[1:])
    )


def pairs_of(rows: list[list[str]], path: Path) -> list[tuple[str, str]]:
    """Return inputs and labels of a table of at least two columns.

    Raises:
        DataError: it has more, and its first line does not say which are meant.
    """
    headings = list(map(heading, rows[0]))
    of_inputs, of_labels = (
        [at for at, name in enumerate(headings) if name in known]
        for known in (_INPUT_HEADINGS, _LABEL_HEADINGS)
    )
    if len(of_inputs) == len(of_labels) == 1:
        return [(row[of_inputs[0]], row[of_labels[0]]) for row in rows[1:]]
    if len(headings) > 2:
        shown = ", ".join(map(repr, rows[0][:5]))
        raise DataError(
            f"the labels file {path} has {len(headings)} columns, and its first line does not say "
            f"which are the path and the label ({shown}); keep these two"
        )
    return [(row[0], row[1]) for row in rows[_has_heading([row[1] for row in rows]) :]]


class _Inputs:
    """Inputs of a data set by their names, as another file may write them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._whole: dict[str, int | None] = {}
        self._ends: dict[str, int | None] = {}  # also of what is inside of folders
        stored = list(map(composed, names))
        for index, name in enumerate(stored):
            for spelt in {name, str(PurePosixPath(name).with_suffix(""))}:
                self._whole[spelt] = None if spelt in self._whole else index
                for end in _ends(spelt):
                    self._ends[end] = None if end in self._ends else index
        times = Counter(stored)
        self._whole |= {name: index for index, name in enumerate(stored) if times[name] == 1}

    def __contains__(self, name: str) -> bool:
        return self.index(name) is not None

    def index(self, name: str) -> int | None:
        """Return which input is meant; None for none, or for one of several."""
        name = composed(name).replace("\\", "/").removeprefix("./")
        if name in self._ends:
            return self._whole.get(name, self._ends[name])
        return next((self._whole[end] for end in _ends(name) if end in self._whole), None)


def _ends(name: str) -> Iterator[str]:
    """Yield a path without more and more of its leading folders."""
    yield name
    while "/" in name:
        name = name.partition("/")[2]
        yield name


def _met(
    pairs: Iterable[tuple[str, str]], inputs: _Inputs, path: Path, where: Path
) -> tuple[list[str], tuple[str, ...]]:
    """Return a label an input, in their order, and the paths that are no input's."""
    labels: dict[int, str] = {}
    unused = []
    for name, label in pairs:
        index = inputs.index(name)
        if index is None:
            unused.append(name)
        elif index in labels:
            raise DataError(
                f"the labels file {path} has the input {inputs.names[index]!r} twice; remove one "
                "of its lines"
            )
        else:
            labels[index] = label
    missing = [name for index, name in enumerate(inputs.names) if index not in labels]
    if missing:
        raise DataError(
            f"{len(missing):,} of the {len(inputs.names):,} inputs of {where} have no label in "
            f"{path}, such as {missing[0]!r}"
            + (f" ({len(unused):,} lines name no input, such as {unused[0]!r})" if unused else "")
            + "; label or remove them"
        )
    return [labels[index] for index in range(len(inputs.names))], tuple(unused)


def labels_of(
    texts: Sequence[str], path: Path, classes: tuple[str, ...] | None
) -> tuple[tuple[int, ...], tuple[str, ...] | None, str]:
    """Return the labels as numbers, the class names, and the rule's phrase.

    Args:
        texts: one an input.
        path: of the file that has them.
        classes: class names in the order of the model's outputs, or None.

    Raises:
        DataError: a label is none of the class names.
    """
    boxes = [_BOXES.fullmatch(text) for text in texts]
    names = [text if box is None else box[1] for text, box in zip(texts, boxes, strict=True)]
    return text_labels(names, classes, f"the labels file {path}", LABEL_NUMBERS)
