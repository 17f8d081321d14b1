"""Trees of every operator: where the form decides, its label is the file's, at every cut too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import onnx
import pytest
from closed_models import adapted_labels, answers, closed_model, new_tree_node, read_form, tree_node
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto
from onnx_models import node, parsed

from rsonnx.closed_form import UNDECIDED, Boxes, Form, StumpSum
from rsonnx.errors import ModelError

FEATURES = 3
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")
F32 = st.floats(-4, 4, width=32)
LATTICE = st.integers(-8, 8).map(lambda k: k / 4)


def at_cuts(form: Form) -> NDArray[np.float32]:
    """Inputs with every value on a cut, or on the float32 number before or behind it, or apart."""
    generator = np.random.default_rng(0)
    rows = generator.normal(scale=3, size=(600, FEATURES)).astype(np.float32)
    for cuts in form.cuts if isinstance(form, Boxes) else form.splits:  # type: ignore[union-attr]
        numbers = cuts.cuts.astype(np.float32)
        beside = [np.nextafter(numbers, np.float32(end)) for end in (-np.inf, np.inf)]
        taken = generator.random(len(rows)) < 0.7
        rows[taken, cuts.at] = generator.choice(np.concatenate([numbers, *beside]), taken.sum())
    return rows


def compare(
    proto: onnx.ModelProto,
    labels: Sequence[Any] = (),
    *,
    exact: bool = False,
    kind: Any = np.float32,
) -> Form:
    """Hold a form against plain onnxruntime."""
    form = read_form(proto)
    rows = at_cuts(form)
    found = form.labels(rows)
    decided = found != UNDECIDED
    expected = answers(proto, rows.astype(kind), labels)
    np.testing.assert_array_equal(found[decided], expected[decided])
    assert decided.all() or not exact
    return form


def stumps(weights: st.SearchStrategy[float], ids: Sequence[int]) -> st.SearchStrategy[Any]:
    """Trees of one branch, or of one leaf, with a weight for each of some classes in each leaf."""
    leaf = st.tuples(*[weights] * len(ids)).map(lambda held: dict(zip(ids, held, strict=True)))
    branch = st.tuples(
        st.integers(0, FEATURES - 1), st.one_of(F32, LATTICE), st.sampled_from(MODES), leaf, leaf
    )
    return st.one_of(branch, branch, branch, leaf)


@st.composite
def ensembles(draw: Callable[[Any], Any]) -> tuple[onnx.ModelProto, Sequence[Any], bool]:
    """A classifier of stumps, its labels, and whether its sums are exact in float32."""
    exact = draw(st.booleans())
    weights = LATTICE if exact else F32
    classes = draw(st.integers(2, 4))
    labels = draw(
        st.sampled_from([tuple(range(classes)), tuple("dcba"[:classes]), (7, 3, 5, 9)[:classes]])
    )
    ids: Sequence[int] = range(classes)
    base = draw(st.tuples(*[weights] * classes))
    given: dict[str, Any] = {"base_values": list(base)} if draw(st.booleans()) else {}
    if classes == 2 and draw(st.booleans()):
        ids = (draw(st.integers(0, 1)),)
        given = {"base_values": [base[0]]} if given and ids == (0,) else {}
        weights = draw(st.sampled_from([weights, weights.map(abs)]))
    elif classes == 2:
        given, labels = {}, (0, 1) if isinstance(labels[0], int) else labels
    trees = draw(st.lists(stumps(weights, ids), min_size=1, max_size=9))
    transform = draw(st.sampled_from(["NONE", "LOGISTIC", "SOFTMAX"]))
    made = tree_node(trees, labels, post_transform=transform, **given)
    return closed_model([made], FEATURES, "label"), labels, exact


@settings(max_examples=40, deadline=None)
@given(ensembles())
def test_a_classifier_of_stumps(case: tuple[onnx.ModelProto, Sequence[Any], bool]) -> None:
    proto, labels, exact = case
    compare(proto, labels, exact=exact)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(stumps(F32, [0]), min_size=1, max_size=6),
    F32,
    st.sampled_from(["SUM", "AVERAGE"]),
    st.sampled_from(["Greater", "GreaterOrEqual", "Less", "LessOrEqual"]),
    st.booleans(),
)
def test_one_sum_of_a_regressor_against_a_threshold(
    trees: list[Any], level: float, aggregate: str, operator: str, turned: bool
) -> None:
    sides = ["level", "scores"] if turned else ["scores", "level"]
    nodes = [
        tree_node(trees, aggregate_function=aggregate, base_values=[0.25]),
        node(operator, sides, "above"),
        node("Cast", ["above"], "column", to=TensorProto.INT64),
        node("Reshape", ["column", "flat"], "answer"),
    ]
    weights = {"level": np.array([[level]], np.float32), "flat": np.array([-1])}
    compare(closed_model(nodes, FEATURES, "answer", weights))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 2).flatmap(lambda k: stumps(F32, [k])), min_size=1, max_size=8),
    st.sampled_from([0, 1]),
    st.sampled_from([None, "Softmax", "LogSoftmax"]),
)
def test_the_newer_operator(trees: list[Any], aggregate: int, curve: str | None) -> None:
    nodes = [new_tree_node(trees, 3, aggregate_function=aggregate)]
    if curve is not None:
        nodes[0].output[0] = "raw"
        nodes.append(node(curve, ["raw"], "scores", axis=1))
    compare(closed_model(nodes, FEATURES, "scores", ml=5))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_one_tree_of_any_depth(data: st.DataObject) -> None:
    leaf = st.tuples(*[F32] * 3).map(lambda held: dict(enumerate(held)))
    tree = data.draw(
        st.recursive(
            leaf,
            lambda inner: st.tuples(
                st.integers(0, FEATURES - 1), LATTICE, st.sampled_from(MODES), inner, inner
            ),
            max_leaves=12,
        )
    )
    form = compare(
        closed_model([tree_node([tree], ("a", "b", "c"))], FEATURES, "label"), "abc", exact=True
    )
    assert isinstance(form, Boxes)
    cells = np.array(list(product(*(range(len(c.cuts) + 1) for c in form.cuts))))
    inside = (form.first[:, None] <= cells) & (cells <= form.last[:, None])
    assert (inside.all(axis=2).sum(axis=0) == 1).all()  # the boxes are a partition


SCALER = "z = ml.Scaler<offset: floats = [0.1, -0.7, 3.3], scale: floats = [3.1, -0.2, 7.7]>(x)"
PREFIXES: dict[str, tuple[str, dict[str, NDArray[Any]]]] = {
    "a scaler": (SCALER, {}),
    "a difference and a quotient": (
        "centred = Sub(x, mean); z = Div(centred, std)",
        {"mean": np.float32([[0.3, -0.1, 2.0]]), "std": np.float32([[0.7, -1.3, 11.0]])},
    ),
    "bounds and steps": (
        "held = Clip(x, low, high); wide = Mul(held, three); z = Floor(wide)",
        {"low": np.float32(-1), "high": np.float32(1.5), "three": np.float32([3])},
    ),
    "columns in another order": (
        "turned = Gather<axis=1>(x, order); z = Neg(turned)",
        {"order": np.array([2, 0, 1])},
    ),
    "columns apart": (
        "left, right = Split<axis=1>(x, sizes); small = Mul(left, tenth); "
        "z = Concat<axis=1>(right, small)",
        {"sizes": np.array([1, 2]), "tenth": np.float32([0.1])},
    ),
    "doubles": (
        "wide = Cast<to=11>(x); thirds = Div(wide, third); z = Cast<to=1>(thirds)",
        {"third": np.float64([3.0])},
    ),
}


@pytest.mark.parametrize("prefix", PREFIXES)
@settings(max_examples=15, deadline=None)
@given(trees=st.lists(stumps(F32, [0, 1, 2]), min_size=2, max_size=8))
def test_cuts_are_pulled_back_to_the_float32_number(prefix: str, trees: list[Any]) -> None:
    text, weights = PREFIXES[prefix]
    proto = closed_model(
        [*parsed(text), tree_node(trees, (0, 1, 2), source="z")], FEATURES, "label", weights
    )
    compare(proto)


@settings(max_examples=15, deadline=None)
@given(trees=st.lists(stumps(F32, [0, 1, 2]), min_size=2, max_size=8))
def test_trees_in_doubles(trees: list[Any]) -> None:
    proto = closed_model(
        [tree_node(trees, (0, 1, 2), double=True)], FEATURES, "label", kind=TensorProto.DOUBLE
    )
    compare(proto, kind=np.float64)


def test_exact_sums_have_no_slack_and_others_have() -> None:
    def slack(weight: float) -> Any:
        trees = [(k, 0.5, "BRANCH_LEQ", {0: -weight}, {0: weight}) for k in range(FEATURES)]
        form = read_form(closed_model([tree_node(trees, (0, 1))], FEATURES, "label"))
        assert isinstance(form, StumpSum)
        return form.decision.slack

    assert slack(0.375) == 0
    assert 0 < slack(0.1) < 1e-6


def test_sums_of_one_value_that_nearly_tie_are_undecided() -> None:
    """With two threads onnxruntime adds them up in another order, in batches that are large."""
    halves = [
        ({0: 0.2, 1: 0.2, 2: 0.2}, {0: -0.3, 1: -0.3, 2: 0.1}),
        ({0: -0.1, 1: -0.3, 2: 0.3}, {0: 0.1, 1: -0.2, 2: 0.2}),
        ({0: 0.3, 1: 0.2, 2: -0.1}, {0: 0.3, 1: -0.2, 2: -0.1}),
    ]
    trees = [(0, 0.5, "BRANCH_LEQ", *leaves) for leaves in halves for _ in range(2)]
    given = {"aggregate_function": "AVERAGE", "base_values": [-0.1, 0.2, 0.1]}
    nodes = [
        tree_node(trees, targets=3, **given),
        node("ArgMax", ["scores"], "answer", axis=1, keepdims=0),
    ]
    form = read_form(closed_model(nodes, 1, "answer"))
    labels = form.labels(np.array([[0.0], [1.0]], np.float32))
    assert labels.tolist() == [UNDECIDED, 2]


PLUS, MINUS = {0: 1.0}, {0: -1.0}
REFUSED = {
    "BRANCH_EQ": [(0, 0.5, "BRANCH_EQ", PLUS, MINUS)],
    "several trees": [(0, 0.5, "BRANCH_LEQ", (1, 0.5, "BRANCH_LT", PLUS, MINUS), MINUS)] * 2,
    "no weight": [
        (0, 0.5, "BRANCH_LEQ", PLUS, {0: -1.0, 1: 1.0}),
        (1, 0.5, "BRANCH_LT", PLUS, MINUS),
    ],
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_names_it_and_sampling(what: str) -> None:
    with pytest.raises(ModelError, match=f"{what}.*sample"):
        read_form(closed_model([tree_node(REFUSED[what], (0, 1))], FEATURES, "label"))


@settings(max_examples=15, deadline=None)
@given(trees=st.lists(stumps(F32, [0, 1, 2]), min_size=2, max_size=8))
def test_preprocessing_is_pulled_back_too(trees: list[Any]) -> None:
    proto = closed_model([tree_node(trees, (0, 1, 2))], FEATURES, "label")
    given = {"preprocess": "mean=0.3,std=-0.7,scale=9", "bounds": (-5.0, 4.0)}
    form = read_form(proto, **given)
    rows = at_cuts(form)
    expected = adapted_labels(proto, rows, **given)
    decided = form.labels(rows) != UNDECIDED
    np.testing.assert_array_equal(form.labels(rows)[decided], expected[decided])


@pytest.mark.parametrize(
    ("kind", "bounds"), [(TensorProto.INT64, (0.0, 6.0)), (TensorProto.FLOAT, (0.0, 6.0))]
)
def test_whole_numbers(kind: int, bounds: tuple[float, float]) -> None:
    """Codes are rounded and clipped before they are cast: the cuts lie between whole numbers."""
    trees = [
        (k, level, "BRANCH_LEQ", {0: 1.0 + k}, {0: -1.5}) for k in range(3) for level in (2, 4)
    ]
    nodes = [*parsed("z = Cast<to=1>(x)"), tree_node(trees, (0, 1), source="z")]
    proto = closed_model(nodes, FEATURES, "label", kind=kind)
    form = read_form(proto, bounds=bounds)
    assert isinstance(form, StumpSum)
    halves = (
        [2.5, 4.5] if kind == TensorProto.INT64 else np.nextafter(np.float32([2, 4]), np.float32(9))
    )
    for split in form.splits:
        np.testing.assert_allclose(split.cuts, halves, rtol=0, atol=1e-6)
    rows = at_cuts(form)
    np.testing.assert_array_equal(form.labels(rows), adapted_labels(proto, rows, bounds=bounds))


def test_a_cast_that_may_leave_its_type_is_refused_unless_the_value_is_fixed() -> None:
    trees = [(k, 2.0, "BRANCH_LEQ", {0: 1.0 + k}, {0: -1.5}) for k in range(3)]
    nodes = [*parsed("w = Cast<to=7>(x); z = Cast<to=1>(w)"), tree_node(trees, (0, 1), source="z")]
    proto = closed_model(nodes, FEATURES, "label")
    with pytest.raises(ModelError, match="operator Cast"):
        read_form(proto)
    form = read_form(proto, fixed=(0, 1, 2))
    assert isinstance(form, StumpSum)
    assert all(split.cuts == [3] for split in form.splits)


def test_outputs_of_a_split_that_nothing_uses() -> None:
    trees = [(k, 0.5, "BRANCH_LEQ", {0: 1.0 + k}, {0: -1.5}) for k in range(2)]
    nodes = [*parsed("left, z = Split<axis=1>(x, sizes)"), tree_node(trees, (0, 1), source="z")]
    form = compare(closed_model(nodes, FEATURES, "label", {"sizes": np.array([1, 2])}), exact=True)
    assert isinstance(form, StumpSum)
    assert [split.at for split in form.splits] == [1, 2]
