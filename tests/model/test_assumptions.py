"""What is refused since the theorem does not cover it, and which operators couple rows."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from onnx_models import echo, linear, model_file, parsed, rows_model

from rsonnx.errors import ModelError
from rsonnx.model import node_types, refuse_unsound, row_coupling

TRUE, FALSE = np.array(True), np.array(False)
WEIGHTS = {"on": TRUE, "off": FALSE, "ratio": np.float32(0.5), "times": np.array(1)}
CALL = "y = mine.F(x)"
MODE_OF_CALL = "y = mine.F(x, on)"


def made(
    text: str, functions: tuple[str, ...] = (), opset: int = 15, **weights: np.ndarray
) -> onnx.ModelProto:
    return rows_model(text, weights=WEIGHTS | weights, opset=opset, functions=functions)


def branches(then: str, otherwise: str, condition: str = "mode") -> str:
    return (
        f"r = If<then_branch = a () => (float r) {{{then}}}, "
        f"else_branch = b () => (float r) {{{otherwise}}}>({condition})"
    )


RANDOM = [
    "RandomNormal<shape=[3]>()",
    "RandomUniform<shape=[3]>()",
    *(f"{name}(x)" for name in ("RandomNormalLike", "RandomUniformLike", "Bernoulli")),
    "Multinomial(x)",
    *(f"com.microsoft.{name}(x, x)" for name in ("BitmaskDropout", "BiasDropout", "Sampling")),
]
DROPOUT = "r = Dropout(x, , mode)"
HIDING = "mode = Constant<value = bool {0}>() r = Identity(x)"
LOOP = (
    "last, r = Loop<body = body (int64 i, bool go, bool mode) => (bool on2, bool next, float r)"
    f"{{on2 = Identity(go) {DROPOUT} next = Identity(mode)}}>(times, , on)"
)
TRAINED: dict[str, tuple[str, ...]] = {
    "an initializer": ("y = Dropout(x, ratio, on)",),
    "a constant": ("m = Constant<value = bool {1}>(); y = Dropout(x, ratio, m)",),
    "a constant that evaluation shows": ("m = Not(off); y = Dropout(x, ratio, m)",),
    "a name that is false elsewhere": (MODE_OF_CALL, f"F (x, mode) => (r) {{{DROPOUT}}}"),
    "one branch, in a graph": (branches(DROPOUT, HIDING),),
    "the other branch, in a graph": (branches(HIDING, DROPOUT),),
    "one branch": (MODE_OF_CALL, f"F (x, mode) => (r) {{{branches(DROPOUT, HIDING)}}}"),
    "the other branch": (MODE_OF_CALL, f"F (x, mode) => (r) {{{branches(HIDING, DROPOUT)}}}"),
    "an input of a subgraph": (LOOP,),
    "a constant outside a function": (CALL, f"F (x) => (r) {{{DROPOUT}}}"),
    "what a caller sets": (
        CALL, f"F <m>(x) => (r) {{mode = Constant<value: tensor = @m>() {DROPOUT}}}",
    ),
    "a normalisation": ("y, m, v = BatchNormalization<training_mode=1>(x, x, x, x, x)",),
    "a normalisation of old": ("y, m, v, s, t = BatchNormalization(x, x, x, x, x)",),
    "a normalisation whose caller sets it": (
        CALL, "F <m>(x) => (r) {r = BatchNormalization<training_mode: int = @m>(x, x, x, x, x)}",
    ),
}  # fmt: skip
SOUND: dict[str, tuple[str, ...]] = {
    "an initializer": ("y = Dropout(x, ratio, off)",),
    "a constant": ("m = Constant<value = bool {0}>(); y = Dropout(x, ratio, m)",),
    "no mode": ("y = Dropout(x, ratio, )",),
    "a constant outside a branch": (
        "c = Constant<value = bool {1}>(); mode = Constant<value = bool {0}>();"
        + branches(DROPOUT, DROPOUT, "c"),
    ),
    "a constant outside a branch of a function": (
        CALL,
        "F (x) => (r) {c = Constant<value = bool {1}>() mode = Constant<value = bool {0}>() "
        + branches(DROPOUT, DROPOUT, "c")
        + "}",
    ),
    "a function of the file": (CALL, "F (x) => (r) {r = Abs(x)}"),
}


@pytest.mark.parametrize("operator", RANDOM)
def test_random_operators_are_refused_wherever_they_are(operator: str) -> None:
    name = re.findall(r"\w+", operator.partition("(")[0].partition("<")[0])[-1]
    inside = branches(f"r = {operator}", "r = Identity(x)", "on")
    for text, functions in (
        (f"y = {operator}", ()),
        (inside, ()),
        (CALL, (f"F (x) => (r) {{r = {operator}}}",)),
    ):
        with pytest.raises(ModelError, match=f"random operator {name}") as caught:
            refuse_unsound(model_file(made(text, functions)))
        assert caught.value.exit_code == 4


@pytest.mark.parametrize("name", TRAINED)
def test_what_may_be_in_training_mode_is_refused(name: str) -> None:
    text, *functions = TRAINED[name]
    weights = {"mode": TRUE if "in a graph" in name else FALSE}
    with pytest.raises(ModelError, match="training mode"):
        refuse_unsound(model_file(made(text, tuple(functions), **weights)))


@pytest.mark.parametrize("name", SOUND)
def test_what_is_surely_in_evaluation_mode_is_accepted(name: str) -> None:
    text, *functions = SOUND[name]
    model = model_file(made(text, tuple(functions)))
    refuse_unsound(model)
    assert row_coupling(model) is None


@pytest.mark.parametrize("labels", ["classlabels_ints=[0, 1]", "classlabels_strings=['a', 'b']"])
def test_a_transform_that_reads_stray_memory_is_refused(labels: str) -> None:
    options = f"{labels}, coefficients=[1.0, 1.0, 1.0, 1.0], intercepts=[0.0]"
    sound = made(f"l, y = ml.LinearClassifier<{options}, post_transform='LOGISTIC'>(x)")
    refuse_unsound(model_file(sound))
    stray = made(f"l, y = ml.LinearClassifier<{options}, post_transform='PROBIT'>(x)")
    with pytest.raises(ModelError, match="PROBIT"):
        refuse_unsound(model_file(stray))


def test_custom_operators_are_refused_by_name_and_overload() -> None:
    with pytest.raises(ModelError, match=r"my\.Magic"):
        refuse_unsound(model_file(made("y = my.Magic(x)")))
    proto = made(CALL, ("F (x) => (r) {r = Abs(x)}",))
    assert node_types(model_file(proto)) == ["mine.F", "Abs"]
    proto.functions[0].overload = "elsewhere"
    with pytest.raises(ModelError, match=r"mine\.F"):
        refuse_unsound(model_file(proto))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("q, s, z = DynamicQuantizeLinear(x)", "DynamicQuantizeLinear"),
        ("q = ms.DynamicQuantizeMatMul(x)", "DynamicQuantizeMatMul"),
        ("q = ms.DynamicQuantizeLSTM(x)", "DynamicQuantizeLSTM"),
        ("q = BatchNormalization(x, x, x, x, x)", None),
        ("q = BatchNormalization<training_mode=0>(x, x, x, x, x)", None),
    ],
)
def test_operators_that_couple_rows_are_known(text: str, expected: str | None) -> None:
    model = model_file(made(text))
    refuse_unsound(model)
    assert row_coupling(model) == expected
    inside = made("y = If<then_branch = a () => (float r) {r = Abs(x)}>(on)")
    inside.graph.node[0].attribute[0].g.node.extend(parsed(text))
    assert row_coupling(model_file(inside)) == expected


def test_ordinary_models_couple_nothing() -> None:
    for proto in (linear(), echo()):
        refuse_unsound(model_file(proto))
        assert row_coupling(model_file(proto)) is None
