"""True classes in the model's own numbering."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rsonnx.data import (
    GIVEN_NAMES,
    NUMBERED_FOLDERS,
    SORTED_FOLDERS,
    Dataset,
    check_labels,
    composed,
)
from rsonnx.errors import DataError
from rsonnx.runtime import OnnxClassifier
from rsonnx.statistics import p_value_differs_from_half

_TRIED = 200
"""Inputs, spread over the data, whose answers may decide how a model numbers its classes."""

_SURE = 1e-6
"""Largest p-value, of the exact sign test on the inputs that only one of two ways gets right, at
which they decide: all of 21 inputs."""


@dataclass(frozen=True)
class Labels:
    """The true classes of a data set, as the model counts its classes.

    Attributes:
        values: one an input of the data set; None where it is unlabelled.
        rule: how they were found, in words.
        tried: what inputs were seen to decide it, in words; None where they were not asked.
    """

    values: tuple[int, ...] | None
    rule: str
    tried: str | None = None


class UndecidedOrderError(DataError):
    """Folders that are numbers, in an order that neither the model nor its answers tell."""


@dataclass(frozen=True)
class _Order:
    """A way in which class folders may have been numbered: the class of each label, in words."""

    rule: str
    classes: Mapping[int, int]


def align_labels(dataset: Dataset, model: OnnxClassifier, answer: Callable[[int], int]) -> Labels:
    """Express a data set's labels in the model's numbering.

    A model that names its classes is met by name: a folder ``setosa`` is the class ``setosa``, and
    where the names are numbers, the label 3 is the class called 3. Otherwise a label is a position.
    Folders that are numbers may have been counted in the order of texts (0, 1, 10, 2), as
    torchvision and Keras do; where that matters, the model's answers decide, or nothing does.

    Args:
        dataset: the inputs with their labels.
        model: the base classifier.
        answer: the class that the model answers to an input of the data set, by its index.

    Raises:
        DataError: a label is none of the model's classes, the names that were given are of another
            number than its classes, or the order of the folders is not clear
            (:class:`UndecidedOrderError` where inputs did not decide it).
    """
    folders, rule = dataset.class_names, dataset.label_rule
    if folders is not None and rule != SORTED_FOLDERS and model.num_classes is not None:
        _check_given(folders, model.num_classes)
    if dataset.labels is None:
        return Labels(None, rule)
    names = {composed(name): k for k, name in enumerate(model.class_names)}
    if len(names) < len(model.class_names):
        raise DataError(
            "the model gives two of its classes the same name, so labels cannot be met by name; "
            "leave the labels out, or export it with a name for every class"
        )
    known = [folder for folder in folders or () if composed(folder) in names]
    if folders is not None and len(known) == len(folders):
        values = tuple(names[composed(folders[label])] for label in dataset.labels)
        return Labels(values, f"{rule}, matched by the model's class names")
    if known and rule != GIVEN_NAMES:
        unknown = next(folder for folder in folders or () if folder not in known)
        raise DataError(
            f"the class {unknown!r} of {dataset.path} is none of the model's classes, though "
            f"{known[0]!r} is; rename it as one of {', '.join(list(names)[:10])}"
        )
    numbered = names and all(name.lstrip("-").isdecimal() for name in names)
    if numbered and list(names) != [str(k) for k in range(len(names))]:
        for index, label in enumerate(dataset.labels):
            if str(label) not in names:
                raise DataError(
                    f"the input {dataset.name(index)!r} has the label {label}, but the model's "
                    f"classes are called {', '.join(list(names)[:10])}; correct the labels"
                )
        values = tuple(names[str(label)] for label in dataset.labels)
        return Labels(values, f"{rule}, matched by the model's class numbers")
    if rule == NUMBERED_FOLDERS and not names:
        return _numbered(dataset, dataset.labels, model.num_classes, answer)
    if model.num_classes is not None:
        check_labels(dataset, model.num_classes)
    if rule == SORTED_FOLDERS and len(folders or ()) != model.num_classes:
        raise DataError(
            f"{dataset.path} has {len(folders or ())} class folders, but the model tells "
            f"{model.num_classes or 'an unknown number of'} classes apart, so it is not clear "
            "which folder is which class; name a file whose line i names class i with --classes"
        )
    return Labels(dataset.labels, rule)


def _check_given(names: Sequence[str], num_classes: int) -> None:
    if len(names) != num_classes:
        raise DataError(
            f"{len(names)} class names were given (--classes), but the model tells {num_classes} "
            "classes apart; name every class of the model, in the order of its outputs"
        )


def _numbered(
    dataset: Dataset, labels: Sequence[int], num_classes: int | None, answer: Callable[[int], int]
) -> Labels:
    """Decide what folders that are numbers mean to a model that does not name its classes."""
    present = sorted(set(labels))
    if num_classes is not None and len(present) != num_classes:
        check_labels(dataset, num_classes)
    by_number, by_text = _orders(present, num_classes)
    if by_number.classes == by_text.classes:
        return _labels(labels, by_number)
    count = min(_TRIED, len(labels))
    # The middles of equal stretches, since class folders come one after the other.
    tried = [(2 * k + 1) * len(labels) // (2 * count) for k in range(count)]
    answers = [(labels[index], answer(index)) for index in tried]
    hits, hits_by_text = (
        [order.classes[label] == answered for label, answered in answers]
        for order in (by_number, by_text)
    )
    only_number = sum(a > b for a, b in zip(hits, hits_by_text, strict=True))
    only_text = sum(a < b for a, b in zip(hits, hits_by_text, strict=True))
    said = (
        f"of {count} inputs the model is right on {sum(hits)} if the folders are counted as "
        f"numbers, on {sum(hits_by_text)} if as texts"
    )
    if p_value_differs_from_half(only_number, only_number + only_text) <= _SURE:
        return _labels(labels, by_number if only_number > only_text else by_text, said)
    if sorted(present, key=str) == present:
        return _labels(labels, by_number)  # only folders that are not there would tell the two
    raise UndecidedOrderError(
        f"the class folders of {dataset.path} are numbers, which torchvision and Keras count in "
        f"text order (0, 1, 10, 2), and the data do not decide: {said}; name a file whose line i "
        "names class i with --classes"
    )


def _orders(present: Sequence[int], num_classes: int | None) -> tuple[_Order, _Order]:
    """Return which classes folders mean as numbers, and in the order of texts.

    Where a number is no class, as in 1 to K, but every class has a folder, both are positions.
    """
    by_number = _Order(NUMBERED_FOLDERS, {k: k for k in present})
    every: Sequence[int] = present
    if num_classes is not None and present[-1] < num_classes:
        every = range(num_classes)
    elif num_classes is not None:
        positions = {k: at for at, k in enumerate(present)}
        by_number = _Order("class folders in the order of their numbers", positions)
    places = {int(name): at for at, name in enumerate(sorted(map(str, every)))}
    by_text = _Order("class folders in text order (0, 1, 10, 2)", {k: places[k] for k in present})
    return by_number, by_text


def _labels(labels: Sequence[int], order: _Order, tried: str | None = None) -> Labels:
    return Labels(tuple(order.classes[label] for label in labels), order.rule, tried)
