"""True classes in the model's own numbering."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rsonnx.data import (
    GIVEN_NAMES,
    LABEL_NUMBERS,
    NAMED_LABELS,
    NUMBERED_FOLDERS,
    SORTED_FOLDERS,
    Dataset,
    check_labels,
    composed,
    folded,
)
from rsonnx.errors import DataError
from rsonnx.runs.orders import Order, choose, confirm, orders_of_names, orders_of_numbers
from rsonnx.runtime import OnnxClassifier

_PLACEHOLDER = re.compile(r"(?:label|class)[ _-]?(\d+)", re.ASCII | re.IGNORECASE)
"""What exporters call classes that nobody named, as Hugging Face's ``LABEL_3``."""

_FROM_DATA = (SORTED_FOLDERS, NAMED_LABELS)
"""Rules of names that the data have, which may be of some classes only."""

_DECISIVE = 21
"""Inputs that show from where numbers count, if the model is right on them."""

_NAME_THEM = "name a file whose line i names class i, as the folders do, with --classes"


@dataclass(frozen=True)
class Labels:
    """The true classes of a data set, as the model counts its classes.

    Attributes:
        values: one an input of the data set; None where it is unlabelled.
        rule: how they were found, in words.
        tried: what inputs were seen to decide it, in words; None where they were not asked.
        own_names: class by class, what the data call it; empty where they name none.
        class_names: class by class, what the model calls it, else the data; may be empty.
    """

    values: tuple[int, ...] | None
    rule: str
    tried: str | None = None
    own_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()


class UndecidedOrderError(DataError):
    """Class folders in an order that neither the model nor its answers tell."""


def align_labels(dataset: Dataset, model: OnnxClassifier, answer: Callable[[int], int]) -> Labels:
    """Express a data set's labels in the model's numbering.

    A model that names its classes is met by name: a folder ``setosa`` is the class ``setosa``.
    Labels that are numbers are met by number where the model's names are numbers, and are positions
    elsewhere; the lines of given names are positions always, and so are folders in their order
    where every class has one. Where labels may be counted in several ways, the model's answers
    decide, or nothing does.

    Args:
        dataset: the inputs with their labels.
        model: the base classifier.
        answer: the class that the model answers to an input of the data set, by its index.

    Raises:
        DataError: a label is none of the model's classes, the names that were given are of another
            number than its classes, or the order of the folders is not clear
            (:class:`UndecidedOrderError` where inputs did not decide it).
    """
    names = dataset.class_names or ()
    if names and dataset.label_rule not in _FROM_DATA and model.num_classes is not None:
        _check_given(names, model.num_classes)
    if dataset.labels is None:
        aligned = Labels(None, dataset.label_rule, own_names=names)
    else:
        aligned = _met(dataset, dataset.labels, names, model, answer)
    named = model.class_names and _numbers(model.class_names) is None
    return replace(
        aligned, class_names=model.class_names if named else aligned.own_names or model.class_names
    )


def _met(
    dataset: Dataset,
    labels: Sequence[int],
    names: Sequence[str],
    model: OnnxClassifier,
    answer: Callable[[int], int],
) -> Labels:
    """Meet the model's classes by name, else by place or by number."""
    met = _by_name(dataset, labels, names, model.class_names)
    if met is not None:
        return met
    if dataset.label_rule == NAMED_LABELS:
        called = ", ".join(model.class_names[:5]) or "nothing"
        raise DataError(
            f"the labels are {', '.join(names[:5])}, but the model calls its classes {called}; "
            "name a file whose line i names class i, as the labels do, with --classes"
        )
    if dataset.label_rule in (GIVEN_NAMES, SORTED_FOLDERS):
        return _by_place(dataset, labels, names, model, answer)
    return _by_number(dataset, labels, model, answer)


def _check_given(names: Sequence[str], num_classes: int) -> None:
    if len(names) != num_classes:
        raise DataError(
            f"{len(names)} classes are named (by --classes, or by the data), but the model tells "
            f"{num_classes} apart; name every class of the model, in the order of its outputs"
        )


def _by_name(
    dataset: Dataset, labels: Sequence[int], folders: Sequence[str], class_names: Sequence[str]
) -> Labels | None:
    """Meet the model's classes by their names; None where it has no name of the data's."""
    listed = dataset.label_rule not in _FROM_DATA
    called_by_numbers = _numbers(class_names)
    if listed and called_by_numbers == _positions(class_names):
        return None  # `--classes` says which folder each number means, even if that is a number
    known: list[str] = []
    for form, how in ((composed, ""), (folded, " but for case and punctuation")):
        classes = {form(name): k for k, name in enumerate(class_names)}
        known = [folder for folder in folders if form(folder) in classes]
        met = known and len(known) == len(set(map(form, folders))) == len(folders)
        if met and not (listed and called_by_numbers):
            several = Counter(map(form, class_names))
            if any(several[form(folder)] > 1 for folder in folders):
                raise _twice()
            check_labels(dataset, len(folders))
            values = tuple(classes[form(folders[label])] for label in labels)
            rule = f"{dataset.label_rule}, matched by the model's class names{how}"
            return Labels(values, rule, own_names=tuple(class_names))
    if known and dataset.label_rule != GIVEN_NAMES:
        unknown = next((folder for folder in folders if folder not in known), folders[0])
        raise DataError(
            f"the class {unknown!r} of {dataset.path} is none of the model's classes, though "
            f"{known[-1]!r} is; rename it as one of {', '.join(class_names[:10])}"
        )
    for place, (name, own) in enumerate(zip(folders, class_names, strict=False)):
        if name in known and folded(name) != folded(own):
            raise DataError(
                f"class {place} is called {name!r} in the names that were given (--classes), but "
                f"{own!r} by the model, which calls another class so; correct the names"
            )
    return None


def _twice() -> DataError:
    return DataError(
        "the model gives two of its classes the same name, so labels cannot be met by name; "
        "leave the labels out, or export it with a name for every class"
    )


def _by_place(
    dataset: Dataset,
    labels: Sequence[int],
    names: Sequence[str],
    model: OnnxClassifier,
    answer: Callable[[int], int],
) -> Labels:
    """Take the lines of given names, or folders in their order, for the model's classes in turn."""
    if dataset.label_rule == GIVEN_NAMES:
        return Labels(tuple(labels), GIVEN_NAMES, own_names=tuple(names))
    called = f" ({', '.join(model.class_names[:5])})" if model.class_names else ""
    if len(names) != model.num_classes:
        raise DataError(
            f"{dataset.path} has {len(names)} class folders, but the model tells "
            f"{model.num_classes or 'an unknown number of'} classes{called} apart, so it is not "
            f"clear which folder is which class; {_NAME_THEM}"
        )
    orders = orders_of_names(names)
    if model.class_names and _numbers(model.class_names) is None:
        # ImageNet's folders are synsets, and its models call their classes by English names.
        order = Order(SORTED_FOLDERS, {k: k for k in range(len(names))}, tuple(names))
        choice, why = confirm(labels, order, answer), f"are none of the model's classes{called}"
    else:
        choice, why = choose(labels, orders, answer), "have accents, which systems sort differently"
    if choice.order is None:
        raise UndecidedOrderError(
            f"the class folders of {dataset.path} {why}: {choice.said}, which decides nothing; "
            f"check --preprocess, or {_NAME_THEM}"
        )
    rule = choice.order.rule if len(orders) > 1 else SORTED_FOLDERS
    return replace(_labels(labels, choice.order, choice.said), rule=rule)


def _by_number(
    dataset: Dataset, labels: Sequence[int], model: OnnxClassifier, answer: Callable[[int], int]
) -> Labels:
    """Take labels that are numbers for those by which the model calls its classes."""
    rule, names, classes = dataset.label_rule, model.class_names, model.num_classes
    own_names = dataset.class_names or ()
    numbers = _numbers(names)
    digits = numbers is not None and not any(map(_PLACEHOLDER.fullmatch, names))
    known = digits or (rule == NUMBERED_FOLDERS and set(labels) <= set(numbers or ()))
    if numbers is not None and numbers != _positions(names) and known:
        values = _numbered(dataset, labels, names, numbers)
        matched = f"{rule}, matched by the model's class numbers"
        return Labels(values, matched, own_names=own_names or tuple(map(str, numbers)))
    present = sorted(set(labels))
    called = set(map(str, present))
    if numbers is None and called <= set(names):  # beside other classes that have words for names
        if sum(name in called for name in names) > len(called):
            raise _twice()
        values = tuple(names.index(str(label)) for label in labels)
        return Labels(values, f"{rule}, matched by the model's class names", own_names=own_names)
    every = rule == NUMBERED_FOLDERS and len(present) == classes and not digits
    if classes is not None and not every:
        check_labels(dataset, classes)
    orders = orders_of_numbers(rule, present, classes)
    choice = choose(labels, orders[:1] if digits else orders, answer)
    taken, said = choice.order, choice.said
    if taken is None and rule == LABEL_NUMBERS and len(labels) >= _DECISIVE:
        raise UndecidedOrderError(
            f"the numbers of the labels file may count from 0 or from 1: {said}, which decides "
            "nothing; check --preprocess, or write names of classes in their place"
        )
    if taken is None and (rule != NUMBERED_FOLDERS or sorted(present, key=str) == present):
        taken, said = orders[0], f"{said}, which decides nothing; so they are taken as they are"
    if taken is None:
        raise UndecidedOrderError(
            f"the class folders of {dataset.path} are numbers: {said}, which decides nothing; "
            f"check --preprocess, or {_NAME_THEM}"
        )
    aligned = _labels(labels, taken, said)
    return replace(aligned, own_names=own_names) if own_names else aligned


def _numbered(
    dataset: Dataset, labels: Sequence[int], names: Sequence[str], numbers: Sequence[int]
) -> tuple[int, ...]:
    """Return the classes that are called by the numbers of the labels."""
    places = {number: k for k, number in enumerate(numbers)}
    if len(places) < len(numbers):
        raise _twice()
    for index, label in enumerate(labels):
        if label not in places:
            raise DataError(
                f"the input {dataset.name(index)!r} has the label {label}, but the model's "
                f"classes are called {', '.join(names[:10])}; correct the labels"
            )
    return tuple(places[label] for label in labels)


def _numbers(names: Sequence[str]) -> tuple[int, ...] | None:
    """Return the numbers that a model's classes are called by; None where they are not."""
    digits = [_PLACEHOLDER.sub(r"\1", name) for name in names]
    if not digits or not all(re.fullmatch(r"-?[0-9]{1,18}", name) for name in digits):
        return None
    return tuple(map(int, digits))


def _positions(names: Sequence[str]) -> tuple[int, ...]:
    return tuple(range(len(names)))


def _labels(labels: Sequence[int], order: Order, tried: str | None) -> Labels:
    values = tuple(order.classes[label] for label in labels)
    return Labels(values, order.rule, tried, own_names=order.names)
