"""Ways in which the classes of a data set may be numbered, and the model's answers to choose one.

A model that answers one class to nearly everything is right on all inputs of that class, whichever
that is; so its most frequent answer never counts.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rsonnx.data import NUMBERED_FOLDERS, SORTED_FOLDERS
from rsonnx.runs.sample import spread_over
from rsonnx.statistics import p_value_differs_from_half

_TRIED = 200
"""Inputs whose answers may decide how a model numbers its classes."""

_SURE = 1e-6
"""Largest p-value, of the exact sign test on the inputs that only one of two ways gets right, at
which they decide: all of 21 inputs."""

_FORMS: Mapping[Literal["NFC", "NFD"], str] = {"NFC": "composed", "NFD": "decomposed"}
"""How systems store letters with accents."""


@dataclass(frozen=True)
class Order:
    """A way in which classes may have been numbered.

    Attributes:
        rule: in words.
        classes: the class of each label.
        names: class by class, what the data call it; empty where that is its number.
    """

    rule: str
    classes: Mapping[int, int]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """What the model's answers say of some orders.

    Attributes:
        order: the one that they prove; None where they prove none.
        said: how often the model is right by each, in words; None where there is but one.
    """

    order: Order | None
    said: str | None = None


def orders_of_numbers(
    rule: str, present: Sequence[int], num_classes: int | None
) -> tuple[Order, ...]:
    """Return what labels that are numbers may mean, the numbers themselves first.

    Folders may have been sorted as texts, as torchvision and Keras do, and classes be counted from
    1 where none is 0. Folders whose numbers are no classes, as in 1 to K, are positions where every
    class has one.

    Args:
        rule: where the labels come from.
        present: the labels there are, ascending.
        num_classes: K, above all of them or as many as they are; None where it is not known.
    """
    folders = rule == NUMBERED_FOLDERS
    if num_classes is not None and present[-1] >= num_classes:
        numbers, first = list(present), "class folders in the order of their numbers"
    else:
        numbers, first = list(range(num_classes or 0)) or list(present), rule
    plain = num_classes is None or present[-1] < num_classes
    orders = [Order(first, {k: k for k in present}) if plain else _placed(first, numbers)]
    if folders:
        in_text = "class folders in text order (0, 1, 10, 2)"
        orders.append(_placed(in_text, sorted(numbers, key=str)))
    if plain and num_classes is not None and 0 < present[0] < present[-1]:
        from_one = range(1, num_classes + 1)
        orders.append(_placed(f"{rule}, counted from 1", from_one))
        if folders:
            in_text = "class folders in text order (1, 10, 2)"
            orders.append(_placed(in_text, sorted(from_one, key=str)))
    return _different(orders, present)


def _placed(rule: str, numbers: Sequence[int]) -> Order:
    return Order(rule, {k: at for at, k in enumerate(numbers)}, tuple(map(str, numbers)))


def orders_of_names(folders: Sequence[str]) -> tuple[Order, ...]:
    """Return the orders that sorting gives folders, another where accents are stored apart."""
    orders = []
    for form, how in _FORMS.items():
        spelt = [unicodedata.normalize(form, folder) for folder in folders]
        places = sorted(range(len(spelt)), key=spelt.__getitem__)
        orders.append(
            Order(
                f"{SORTED_FOLDERS}, {how} ({form})",
                {label: place for place, label in enumerate(places)},
                tuple(folders[label] for label in places),
            )
        )
    return _different(orders, range(len(folders)))


def _different(orders: Sequence[Order], present: Sequence[int]) -> tuple[Order, ...]:
    found: dict[tuple[int, ...], Order] = {}
    for order in orders:
        found.setdefault(tuple(order.classes[label] for label in present), order)
    return tuple(found.values())


def choose(labels: Sequence[int], orders: Sequence[Order], answer: Callable[[int], int]) -> Choice:
    """Let the model's answers choose between orders: one has to be better than each other.

    Args:
        labels: of the data set.
        orders: at least one; a single one is taken unasked.
        answer: the class that the model answers to an input, by its index.
    """
    if len(orders) == 1:
        return Choice(orders[0])
    answers = _asked(labels, answer)
    usual = _usual(answers)
    telling = [pair for pair in answers if pair[1] != usual]
    right = [sum(order.classes[label] == got for label, got in answers) for order in orders]
    said = f"of {len(answers)} inputs the model is right on " + ", on ".join(
        f"{hits} by '{order.rule}'" for hits, order in zip(right, orders, strict=True)
    )
    for order in orders:
        if all(_better(order, other, telling) for other in orders if other is not order):
            return Choice(order, said)
    return Choice(None, said)


def _asked(labels: Sequence[int], answer: Callable[[int], int]) -> list[tuple[int, int]]:
    """Return the labels of some inputs, spread over the classes, each with the model's answer."""
    return [(labels[index], answer(index)) for index in spread_over(labels, _TRIED)]


def _usual(answers: Sequence[tuple[int, int]]) -> int:
    """Return the model's most frequent answer."""
    ((usual, _),) = Counter(answered for _, answered in answers).most_common(1)
    return usual


def _better(one: Order, other: Order, answers: Sequence[tuple[int, int]]) -> bool:
    """Say whether the inputs that only one of two orders gets right prove the first."""
    hits = [(one.classes[label] == got, other.classes[label] == got) for label, got in answers]
    ours, theirs = sum(a > b for a, b in hits), sum(a < b for a, b in hits)
    return ours > theirs and p_value_differs_from_half(ours, ours + theirs) <= _SURE


def confirm(labels: Sequence[int], order: Order, answer: Callable[[int], int]) -> Choice:
    """Let the model's answers confirm an order: it is mostly right by it, and in several classes.

    Args:
        labels: of the data set.
        order: the only one that may be meant.
        answer: the class that the model answers to an input, by its index.
    """
    answers = [(order.classes[label], got) for label, got in _asked(labels, answer)]
    usual = _usual(answers)
    right = sum(meant == got for meant, got in answers)
    others = [meant == got for meant, got in answers if meant != usual]
    mostly = 2 * right > len(answers) and 2 * sum(others) > len(others)
    sure = mostly and p_value_differs_from_half(right, len(answers)) <= _SURE
    said = f"of {len(answers)} inputs the model is right on {right} by '{order.rule}'"
    return Choice(order if sure else None, said)
