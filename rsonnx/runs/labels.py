"""True classes in the model's own numbering."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

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

_FORMS: Mapping[Literal["NFC", "NFD"], str] = {"NFC": "composed", "NFD": "decomposed"}
"""How systems store letters with accents."""


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
    """Class folders in an order that neither the model nor its answers tell."""


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
    torchvision and Keras do; where that matters, the model's answers decide, or nothing does. The
    same holds for names with accents, which are sorted as a system stores them.

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
    met = _by_name(dataset, folders or (), model.class_names)
    if met is not None:
        return met
    names = model.class_names
    numbered = all(name.lstrip("-").isdecimal() for name in names)
    if numbered and names and list(names) != [str(k) for k in range(len(names))]:
        return _by_number(dataset, dataset.labels, names)
    if rule == NUMBERED_FOLDERS and not names:
        return _numbered(dataset, dataset.labels, model.num_classes, answer)
    if model.num_classes is not None:
        check_labels(dataset, model.num_classes)
    if rule != SORTED_FOLDERS or folders is None:
        return Labels(dataset.labels, rule)
    if len(folders) != model.num_classes:
        raise DataError(
            f"{dataset.path} has {len(folders)} class folders, but the model tells "
            f"{model.num_classes or 'an unknown number of'} classes apart, so it is not clear "
            "which folder is which class; name a file whose line i names class i with --classes"
        )
    if numbered:
        return _sorted(dataset, dataset.labels, folders, answer)
    return _unmet(dataset, dataset.labels, names, answer)


def _by_number(dataset: Dataset, labels: Sequence[int], class_names: Sequence[str]) -> Labels:
    """Meet a model whose classes are called by numbers, which are not their positions."""
    names = {name: k for k, name in enumerate(class_names)}
    if len(names) < len(class_names):
        raise _twice()
    for index, label in enumerate(labels):
        if str(label) not in names:
            raise DataError(
                f"the input {dataset.name(index)!r} has the label {label}, but the model's "
                f"classes are called {', '.join(list(names)[:10])}; correct the labels"
            )
    values = tuple(names[str(label)] for label in labels)
    return Labels(values, f"{dataset.label_rule}, matched by the model's class numbers")


def _check_given(names: Sequence[str], num_classes: int) -> None:
    if len(names) != num_classes:
        raise DataError(
            f"{len(names)} class names were given (--classes), but the model tells {num_classes} "
            "classes apart; name every class of the model, in the order of its outputs"
        )


def _by_name(dataset: Dataset, folders: Sequence[str], class_names: Sequence[str]) -> Labels | None:
    """Meet the model's classes by their names; None where it has no name of the data's."""
    known: list[str] = []
    for form, how in ((composed, ""), (_plain, " but for case and punctuation")):
        classes = {form(name): k for k, name in enumerate(class_names)}
        known = [folder for folder in folders if form(folder) in classes]
        if known and len(known) == len(set(map(form, folders))) == len(folders):
            several = Counter(map(form, class_names))
            if any(several[form(folder)] > 1 for folder in folders):
                raise _twice()
            values = tuple(classes[form(folders[label])] for label in dataset.labels or ())
            return Labels(values, f"{dataset.label_rule}, matched by the model's class names{how}")
    if known and dataset.label_rule != GIVEN_NAMES:
        unknown = next((folder for folder in folders if folder not in known), folders[0])
        raise DataError(
            f"the class {unknown!r} of {dataset.path} is none of the model's classes, though "
            f"{known[-1]!r} is; rename it as one of {', '.join(class_names[:10])}"
        )
    for place, (given, own) in enumerate(zip(folders, class_names, strict=False)):
        if given in known and _plain(given) != _plain(own):
            raise DataError(
                f"class {place} is called {given!r} in the names that were given (--classes), but "
                f"{own!r} by the model, which calls another class so; correct the names"
            )
    return None


def _plain(name: str) -> str:
    """Return a name without what is often written otherwise: `Sea_Lion` as `sea lion`."""
    return re.sub(r"[\W_]+", " ", composed(name).casefold()).strip()


def _twice() -> DataError:
    return DataError(
        "the model gives two of its classes the same name, so labels cannot be met by name; "
        "leave the labels out, or export it with a name for every class"
    )


def _numbered(
    dataset: Dataset, labels: Sequence[int], num_classes: int | None, answer: Callable[[int], int]
) -> Labels:
    """Decide what folders that are numbers mean to a model that does not name its classes."""
    present = sorted(set(labels))
    if num_classes is not None and len(present) != num_classes:
        check_labels(dataset, num_classes)
    by_number, by_text = _orders(present, num_classes)
    decided = _decided(labels, (by_number, by_text), answer)
    if isinstance(decided, Labels):
        return decided
    if sorted(present, key=str) == present:
        return _labels(labels, by_number)  # only folders that are not there would tell the two
    raise UndecidedOrderError(
        f"the class folders of {dataset.path} are numbers: {decided}, which decides nothing; "
        "check --preprocess, or name a file whose line i names class i with --classes"
    )


def _unmet(
    dataset: Dataset,
    labels: Sequence[int],
    class_names: Sequence[str],
    answer: Callable[[int], int],
) -> Labels:
    """Take folders in their order, of which the model names none, if it mostly answers so.

    ImageNet's folders are synsets, and its models call their classes by English names.
    """
    tried = _tried(len(labels))
    right = sum(answer(index) == labels[index] for index in tried)
    said = f"of {len(tried)} inputs the model is right on {right} by '{SORTED_FOLDERS}'"
    if 2 * right > len(tried) and p_value_differs_from_half(right, len(tried)) <= _SURE:
        return Labels(tuple(labels), SORTED_FOLDERS, said)
    raise UndecidedOrderError(
        f"none of the class folders of {dataset.path} is a class of the model "
        f"({', '.join(class_names[:5])}), and {said}, which decides nothing; check --preprocess, "
        "or name a file whose line i names class i, as the folders do, with --classes"
    )


def _tried(count: int) -> list[int]:
    """Return inputs in the middles of equal stretches, since folders come one after the other."""
    most = min(_TRIED, count)
    return [(2 * k + 1) * count // (2 * most) for k in range(most)]


def _sorted(
    dataset: Dataset, labels: Sequence[int], folders: Sequence[str], answer: Callable[[int], int]
) -> Labels:
    """Decide the order of folders, which is another where a system stores accents apart."""
    orders = []
    for form, how in _FORMS.items():
        spelt = [unicodedata.normalize(form, folder) for folder in folders]
        places = {
            at: place for place, at in enumerate(sorted(range(len(spelt)), key=spelt.__getitem__))
        }
        orders.append(_Order(f"{SORTED_FOLDERS}, {how} ({form})", places))
    if orders[0].classes == orders[1].classes:
        return Labels(tuple(labels), dataset.label_rule)
    decided = _decided(labels, orders, answer)
    if isinstance(decided, Labels):
        return decided
    raise UndecidedOrderError(
        f"the class folders of {dataset.path} have accents, which systems sort differently: "
        f"{decided}, which decides nothing; check --preprocess, or name a file whose line i names "
        "class i with --classes"
    )


def _decided(
    labels: Sequence[int], orders: Sequence[_Order], answer: Callable[[int], int]
) -> Labels | str:
    """Let the model's answers decide between two orders; in words where they do not."""
    one, other = orders
    if one.classes == other.classes:
        return _labels(labels, one)
    answers = [(labels[index], answer(index)) for index in _tried(len(labels))]
    hits, hits_other = (
        [order.classes[label] == answered for label, answered in answers] for order in (one, other)
    )
    only_one = sum(a > b for a, b in zip(hits, hits_other, strict=True))
    only_other = sum(a < b for a, b in zip(hits, hits_other, strict=True))
    said = (
        f"of {len(answers)} inputs the model is right on {sum(hits)} by '{one.rule}', on "
        f"{sum(hits_other)} by '{other.rule}'"
    )
    if p_value_differs_from_half(only_one, only_one + only_other) > _SURE:
        return said
    return _labels(labels, one if only_one > only_other else other, said)


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
