"""Columns of categories: what is looked up, or set apart one by one, is a function of one value."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from closed_models import answers, closed_model, read_form, tree_node
from numpy.typing import NDArray
from onnx_models import parsed

from rsonnx.closed_form import Boxes, StumpSum

CODES = (0, 1, 2, 3)
NUMBERS = (-0.75, 0.25, 0.5, 2.0)

ENCODED = {
    "one column a category": (
        "code = Gather<axis=1>(x, last); whole = Cast<to=7>(code); "
        "hot = ml.OneHotEncoder<cats_int64s: ints = [2, 0, 3, 1]>(whole); "
        "flat = Reshape(hot, row); rest = Gather<axis=1>(x, first); "
        "z = Concat<axis=1>(rest, flat)"
    ),
    "a table of numbers": (
        "code = Gather<axis=1>(x, last); whole = Cast<to=7>(code); read = Gather(table, whole); "
        "rest = Gather<axis=1>(x, first); z = Concat<axis=1>(rest, read)"
    ),
    "keys": (
        "code = Gather<axis=1>(x, last); whole = Cast<to=7>(code); "
        "read = ml.LabelEncoder<keys_int64s: ints = [3, 1, 2], values_floats: floats = "
        "[0.25, 1.5, -1.0], default_float: float = 0.5>(whole); "
        "rest = Gather<axis=1>(x, first); z = Concat<axis=1>(rest, read)"
    ),
    "texts": (
        "code = Gather<axis=1>(x, last); whole = Cast<to=7>(code); read = Gather(texts, whole); "
        "hot = ml.OneHotEncoder<cats_strings: strings = ['no', 'yes', 'maybe']>(read); "
        "flat = Reshape(hot, row); rest = Gather<axis=1>(x, first); "
        "z = Concat<axis=1>(rest, flat)"
    ),
    "equality": (
        "code = Gather<axis=1>(x, last); same = Equal(code, two); is = Cast<to=1>(same); "
        "rest = Gather<axis=1>(x, first); z = Concat<axis=1>(rest, is)"
    ),
}
WEIGHTS: dict[str, NDArray[Any]] = {
    "first": np.array([0, 1]),
    "last": np.array([2]),
    "row": np.array([0, -1]),
    "table": np.float32([0.5, -1, 0.75, -2]),
    "texts": np.array(["yes", "no", "maybe", "perhaps"], object),
    "two": np.float32([2]),
}


def read(text: str, trees: list[Any]) -> tuple[Any, Any, NDArray[np.float32]]:
    nodes = [*parsed(text), tree_node(trees, (0, 1), source="z")]
    used = {name: WEIGHTS[name] for n in nodes for name in n.input if name in WEIGHTS}
    rows = np.float32(list(product(NUMBERS, NUMBERS, CODES)))
    proto = closed_model(nodes, 3, "label", used)
    return read_form(proto, fixed=(2,)), answers(proto, rows), rows


@pytest.mark.parametrize("name", ENCODED)
def test_stumps_on_categories(name: str) -> None:
    trees = [(k, 0.4, "BRANCH_LEQ", {0: 1.0 - k}, {0: k - 1.25}) for k in range(3)]
    form, expected, rows = read(ENCODED[name], trees)
    assert isinstance(form, StumpSum)
    np.testing.assert_array_equal(form.labels(rows), expected)
    assert len(np.unique(expected)) == 2


@pytest.mark.parametrize("name", ENCODED)
def test_one_tree_on_categories(name: str) -> None:
    """A leaf may hold categories that are no neighbours, and so several boxes."""
    left, right = {0: -1.0}, {0: 1.0}
    tree = (
        2,
        0.4,
        "BRANCH_LT",
        (0, 0.3, "BRANCH_LEQ", left, right),
        (1, 0.3, "BRANCH_GT", left, right),
    )
    form, expected, rows = read(ENCODED[name], [tree])
    assert isinstance(form, Boxes)
    np.testing.assert_array_equal(form.labels(rows), expected)
    assert len(np.unique(expected)) == 2
