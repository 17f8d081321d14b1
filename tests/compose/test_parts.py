"""Parts that cannot be joined are refused, and a composed file is what its parts make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx_models import build, echo, linear, node, parsed, save, tree_classifier, with_outputs

import rsonnx
from rsonnx.compose import check, consensus, ensemble, serialized
from rsonnx.errors import ModelError, RsonnxError, UsageError
from rsonnx.smoothing.composition import composition_in

SHAPE = ("n", 1, 4, 4)
PIXELS: dict[str, Any] = {"preprocess": "zero-one"}


def said(model: onnx.ModelProto, **metadata: Any) -> onnx.ModelProto:
    texts = {key: json.dumps(value) for key, value in metadata.items()}
    helper.set_model_props(model, {"rsonnx.preprocess": '"zero-one"'} | texts)
    return model


def softmaxed(operator: str = "Softmax") -> onnx.ModelProto:
    made = [node("Flatten", ["x"], "flat"), node("MatMul", ["flat", "w"], "logits")]
    w = np.random.default_rng(1).standard_normal((16, 5)).astype(np.float32)
    if operator == "Exp":  # which no operator tells
        made += [
            node("Exp", ["logits"], "raised"),
            node("ReduceSum", ["raised", "one"], "sum"),
            node("Div", ["raised", "sum"], "scores"),
        ]
        return build(made, SHAPE, ("n", 5), {"w": w, "one": np.array([1])})
    return build([*made, node(operator, ["logits"], "scores", axis=1)], SHAPE, ("n", 5), {"w": w})


def coded() -> onnx.ModelProto:
    made = [node("Cast", ["x"], "real", to=1), node("Flatten", ["real"], "scores")]
    model = build(made, SHAPE, ("n", 16))
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    return model


def newer() -> onnx.ModelProto:
    model = linear(SHAPE)
    model.ir_version = 99
    return model


def test_parts_that_do_not_fit_are_refused_and_named(tmp_path: Path) -> None:
    first = save(said(linear(SHAPE)), tmp_path, "first.onnx")
    others = {
        "five": said(linear(SHAPE, 6)),
        "bounds": said(linear(SHAPE), **{"rsonnx.bounds": [0, 255]}),
        "larger": said(linear(("n", 1, 5, 4))),
        "three": said(linear(("n", 3, 4, 4))),
        "cropped": said(linear(SHAPE), **{"rsonnx.preprocess": "zero-one,crop=4/4"}),
        "softmax": said(softmaxed()),
        "written": said(softmaxed("Exp")),
        "silent": linear(SHAPE),
        "tree": said(with_outputs([node("Flatten", ["x"], "y"), tree_classifier()],
                                  [helper.make_tensor_value_info("label", 7, ["n"])])),
        "fixed": said(build([node("ReduceMean", ["x"], "mean", axes=[0], keepdims=1),
                             node("Sub", ["x", "mean"], "centred"),
                             node("Flatten", ["centred"], "flat"),
                             node("MatMul", ["flat", "w"], "scores")],
                            (4, 1, 4, 4), (4, 5), {"w": np.ones((16, 5), np.float32)})),
        "codes": said(coded()),
        "newer": said(newer()),
        "random": said(build([node("RandomNormalLike", ["x"], "noise"),
                              node("Flatten", ["noise"], "scores")], SHAPE, ("n", 16))),
    }  # fmt: skip
    for name, model in others.items():
        path = save(model, tmp_path, f"{name}.onnx")
        for join in (ensemble, lambda *parts: consensus(*parts, k=2)):
            with pytest.raises(RsonnxError, match=f"{name}.onnx") as refusal:
                join(first, path)
            assert len(str(refusal.value)) < 350
            assert "onnxruntime_src" not in str(refusal.value)


def test_names_of_classes_must_agree_where_there_are_any(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d", "e"]
    named = said(linear(SHAPE), class_names=names)
    numbered = said(linear(SHAPE, seed=2))
    assert rsonnx.load(ensemble(numbered, named)).class_names == tuple(names)
    assert rsonnx.load(ensemble(named, named)).class_names == tuple(names)
    other = save(said(linear(SHAPE), class_names=["a", "c", "b", "d", "e"]), tmp_path)
    with pytest.raises(ModelError, match=r"class 1.*'b'.*'c' to .*model.onnx"):
        ensemble(named, numbered, other)


@pytest.mark.parametrize(
    "names", ["10234", "12345", ["7", "-1", "0", "2", "3"], ["1.0", "0.0", "2.0", "3.0", "4.0"]]
)
def test_names_that_are_numbers_in_another_order_are_not_joined_with_none(names: Any) -> None:
    numbered, other = linear(SHAPE, seed=2), said(linear(SHAPE), class_names=list(names))
    for parts in ((numbered, other), (other, numbered), (said(linear(SHAPE)), other, numbered)):
        with pytest.raises(ModelError, match=f"class 0 .*'{names[0]}'.*--classes"):
            ensemble(*parts, declared=PIXELS)
    declared = rsonnx.declare(numbered, preprocess="zero-one", classes=list(names))
    assert rsonnx.load(ensemble(other, declared)).class_names == tuple(names)
    for in_order in ("01234", ["00", "01", "02", "03", "04"]):
        ensemble(said(linear(SHAPE), class_names=list(in_order)), numbered, declared=PIXELS)


def test_probabilities_are_added_where_they_are_asked_for() -> None:
    for model in (softmaxed(), softmaxed("Exp")):
        with pytest.raises(ModelError, match="probabilities"):
            ensemble(model, linear(SHAPE), declared=PIXELS)
        ensemble(model, linear(SHAPE), vote="probabilities", declared=PIXELS)
    # Log-probabilities differ from scores by a number a row, which moves no largest sum.
    ensemble(softmaxed("LogSoftmax"), linear(SHAPE), declared=PIXELS)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"vote": "loud"}, "vote"),
        ({"weights": (1,)}, "weights"),
        ({"weights": 2}, "weights"),
        ({"weights": (1, 0)}, "weights"),
        ({"weights": (1, float("nan"))}, "weights"),
        ({"weights": (1, 1e300)}, "weights"),
        ({"declared": [PIXELS]}, "1 declarations"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        ensemble(linear(SHAPE), linear(SHAPE), **{"declared": PIXELS} | options)
    for k in (1, 3, 1.5, "2"):
        with pytest.raises(UsageError, match="k is"):
            consensus(linear(SHAPE), linear(SHAPE), k=k, declared=PIXELS)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="1 model was given"):
        ensemble(linear(SHAPE), declared=PIXELS)


def test_a_composed_file_is_what_its_parts_make(tmp_path: Path) -> None:
    parts = [save(linear(SHAPE, seed=seed), tmp_path, f"{seed}.onnx") for seed in range(3)]
    other = save(linear(SHAPE, seed=4), tmp_path, "other.onnx")
    composed = {
        "ensemble": ensemble(*parts, weights=(2, 1, 0.5), declared=PIXELS),
        "consensus": consensus(*parts, k=2, declared=[PIXELS, {"preprocess": "mnist"}, PIXELS]),
    }
    for how, model in composed.items():
        path = tmp_path / f"{how}.onnx"
        path.write_bytes(serialized(model))
        onnx.checker.check_model(model, full_check=True)
        assert check(path, *parts) == composition_in(
            {entry.key: entry.value for entry in model.metadata_props}
        )
        # What parts are called does not matter, which they are and their order does.
        renamed = [(tmp_path / f"renamed{at}.onnx") for at in range(3)]
        for part, name in zip(parts, renamed, strict=True):
            name.write_bytes(part.read_bytes())
        assert check(path, *renamed).how == how
        for wrong in ((parts[1], parts[0], parts[2]), (*parts[:2], other)):
            with pytest.raises(ModelError, match="in order"):
                check(path, *wrong)
        with pytest.raises(UsageError, match="3 parts"):
            check(path, *parts[:2])
        # The digest in the metadata proves nothing: another graph under the same words is found.
        forged = onnx.load(path)
        forged.graph.node[-1].name = "forged"
        with pytest.raises(ModelError, match="another model"):
            check(forged, *parts)
    with pytest.raises(ModelError, match="does not say"):
        check(parts[0], *parts)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"vote": "soft"},
        {"vote": "soft", "weights": None, "k": 2},
        {"vote": [], "weights": None},
        {"vote": "soft", "weights": 5},
        {"vote": "soft", "weights": {"a": 1}},
    ],
)
@pytest.mark.parametrize("settings", [{}, {"preprocess": 5}, {"feed": 5}, {"nope": 1}])
def test_what_forged_metadata_say_is_refused_in_a_sentence_of_ours(
    options: dict[str, Any], settings: dict[str, Any]
) -> None:
    composed = ensemble(linear(SHAPE), linear(SHAPE), declared=PIXELS)
    entries = {entry.key: entry for entry in composed.metadata_props}
    stated = json.loads(entries["rsonnx.composition"].value)
    stated["options"] = options
    stated["parts"][0]["settings"] |= settings
    entries["rsonnx.composition"].value = json.dumps(stated)
    with pytest.raises(ModelError) as refusal:
        check(composed, linear(SHAPE), linear(SHAPE))
    assert not {"NoneType", "argument", "keyword", "iterable", "voting"} & {
        *str(refusal.value).replace("'", " ").replace("(", " ").split()
    }


def test_operator_sets_are_brought_together_or_refused(tmp_path: Path) -> None:
    box: dict[str, Any] = {"preprocess": "none", "bounds": (-1, 1)}
    new = linear(("n", 4), 3, opset=20, ir_version=9)
    inside = "y = If<then_branch = a () => (t) {t = Softmax<axis=1>(p)},else_branch = a () => (e)"
    text = f"p = MatMul(x, w); {inside} {{e = Tanh(p)}}>(yes)"
    weights = {"w": np.eye(4, 3, dtype=np.float32), "yes": np.array(True)}
    made = build(parsed(text), ("n", 4), ("n", 3), weights, opset=11, output_name="y")
    old = save(made, tmp_path, "old.onnx")
    with pytest.raises(ModelError, match=r"old.onnx.*operator set 11.*Softmax"):
        ensemble(new, old, vote="probabilities", declared=box)
    ensemble(old, old, vote="probabilities", declared=box)
    # The oldest files list their weights among their inputs, or should.
    for lists in (True, False):
        oldest = linear(("n", 4), 3, opset=8, ir_version=3, list_weights=lists, seed=2)
        joined = ensemble(oldest, new, declared=box)
        assert {o.domain: o.version for o in joined.opset_import} == {"": 20}
        x = np.random.default_rng(1).random((5, 4)).astype(np.float32)
        total = sum(rsonnx.load(part, **box).scores(x) for part in (oldest, new))
        np.testing.assert_allclose(rsonnx.load(joined).scores(x), total, rtol=1e-5)


def test_compositions_are_parts_too(tmp_path: Path) -> None:
    models = [echo(3, input_name="x"), linear(("n", 3), 3), linear(("n", 3), 3, seed=4)]
    box: dict[str, Any] = {"preprocess": "none", "bounds": (-1, 1)}
    inner = consensus(*models, k=2, declared=box)
    outer = rsonnx.load(consensus(inner, ensemble(*models, declared=box), models[0], k=2,
                                  declared=[{}, {}, box]))  # fmt: skip
    assert outer.rows == "proved"
    x = np.random.default_rng(3).standard_normal((50, 3)).astype(np.float32)
    assert outer.classify(x).tolist() == [int(outer.classify(row[None])[0]) for row in x]


def _stated(how: str = "smooth", options: Mapping[str, Any] | None = None, **part: Any) -> str:
    known = {"role": "classifier", "file": "a.onnx", "sha256": "0" * 64} | part
    usual = {"sigma": 0.5, "n": 50, "alpha": 0.1}
    return json.dumps({"how": how, "parts": [known], "options": options or usual})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"how": "ensemble"}',
        '{"how": "nope", "parts": [], "options": {}}',
        '{"how": "consensus", "parts": [], "options": {}}',
        '{"how": "ensemble", "parts": [{"role": 1, "file": "a", "sha256": "b"}], "options": '
        '{"vote": "soft", "weights": null}}',
        "[" * 100_000,
        _stated(role="\ud800"),
        _stated(sha256="0" * 63 + "A"),
        _stated(file="a" * 1_000_000),
        _stated(settings={"threshold": [[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]}),
        _stated("smooth", {"sigma": 10**400, "n": 50, "alpha": 0.1}),
    ],
)
def test_metadata_that_cannot_be_understood_are_none(text: str) -> None:
    assert composition_in({"rsonnx.composition": text}) is None
