"""Arguments of any kind: a call of the library does its work, or one sentence says what is not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import build, linear, node

import rsonnx
from rsonnx import SmoothedClassifier, compose, runs
from rsonnx.model import ModelSettings
from rsonnx.runtime import EngineSettings
from rsonnx.smoothing import declare
from rsonnx.smoothing.falsify import Effort

pytestmark = pytest.mark.usefixtures("no_children")

X = np.random.default_rng(2).random((3, 1, 4, 4), dtype=np.float32)
MODEL = linear().SerializeToString()
LOAD = {"preprocess": "none", "providers": "cpu"}
PREDICT = {"model": MODEL, "data": X, "n": 100, "sigma": 0.25, "seed": 3, **LOAD}
CERTIFY = {**PREDICT, "n0": 10}
COUNTS = {"selection": [9, 1], "estimation": [99, 1], "sigma": 0.25}
VERIFY = {"run": "run.jsonl", "model": "m.onnx", "data": X, "replay": 1}
FALSIFY = {"run": "run.jsonl", "model": "m.onnx", "data": X, "effort": Effort(50, 1, 50), "seed": 1}
DECLARED = {"declared": {"preprocess": "none"}}
DENOISER = build([node("Identity", ["x"], "y")], ("n", 1, 4, 4), ("n", 1, 4, 4), output_name="y")
FRONT = {"classifier": MODEL, **DECLARED}

# Of numbers that a call would do its work for, only those for which that is little.
NUMBERS: tuple[Any, ...] = (
    *(0, 1, 3, -1, 2**53 + 1, 2**70, 0.5, -0.5, 1e308, 5e-324),
    *(float("nan"), float("inf"), 1j, True, Fraction(1, 2), Decimal("0.5")),
    *(np.float32(0.5), np.float16(2), np.int8(3), np.uint64(2**63), np.True_, np.datetime64("NaT")),
    *(np.array(0.5), np.array(3), np.array([0.5, 1.0]), np.array([[1]]), np.array([None, "x"])),
)
TEXTS = ("", "x", "y" * 5000, "a\0b", "\udc80", "1/2", "0:9", "cpu", np.str_("x"), b"x")
OTHERS = (None, object(), int, len, lambda *_: None, Path("none"), range(2), {1}, NotImplemented)
UNPRINTABLE = st.builds(pow, st.sampled_from((10, -10)), st.just(5001))  # as Python has it
VALUES = st.recursive(
    st.sampled_from((*NUMBERS, *TEXTS, *OTHERS)) | UNPRINTABLE,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.builds(iter, st.lists(inner, max_size=3))
        | st.dictionaries(st.sampled_from(("", "x", "mean", 1, None)), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module", autouse=True)
def _here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A model and a run of it; the child that tries models takes long, and has its own tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("arguments"))
        patch.setattr("rsonnx.runs.opening.try_in_child", lambda *_, **__: None)
        patch.setattr("rsonnx.runs.reopening.in_child", lambda function, path, **_: function(path))
        Path("m.onnx").write_bytes(MODEL)
        both = compose.ensemble("m.onnx", "m.onnx", **DECLARED)
        Path("both.onnx").write_bytes(compose.serialized(both))
        rsonnx.certify(output="run.jsonl", **CERTIFY)
        yield


def smoothed(**changed: Any) -> SmoothedClassifier:
    return SmoothedClassifier(**{"base": rsonnx.load(MODEL, **LOAD), "sigma": 0.25} | changed)


def of_function(**changed: Any) -> object:
    def classify(batch: np.ndarray) -> np.ndarray:
        return np.zeros(len(batch), np.int64)

    usual = {"base": classify, "sigma": 0.25}
    return SmoothedClassifier(**usual | changed).certify(X[0], n=100)


def taken(*calls: Any) -> list[str]:
    """The names of the arguments that calls take by name."""
    names = {
        name: None
        for call in calls
        for name, of in inspect.signature(call).parameters.items()
        if name != "self" and of.kind in (of.POSITIONAL_OR_KEYWORD, of.KEYWORD_ONLY)
    }
    return list(names)


def joined(join: Callable[..., object], **usual: Any) -> tuple[Callable[..., object], list[str]]:
    """A composition of members, and its arguments: members or the first of two, and options."""

    def call(members: Any = (MODEL, MODEL), first: Any = MODEL, **changed: Any) -> object:
        several = members if isinstance(members, tuple) else (first, members)
        return join(*several, **usual | DECLARED | changed)

    return call, ["members", "first", *taken(join)]


def front(join: Callable[..., object], name: str, **usual: Any) -> Any:
    return lambda **k: join(**{name: DENOISER, **FRONT, **usual} | k), taken(join)


OPENING = (runs.opening.open_job, ModelSettings, EngineSettings)
CALLS: dict[str, tuple[Callable[..., object], list[str]]] = {
    "load": (lambda **k: rsonnx.load(**{"model": MODEL, **LOAD} | k), taken(rsonnx.load)),
    "certify": (
        lambda **k: rsonnx.certify(**CERTIFY | k),
        taken(rsonnx.certify, runs.certify, *OPENING),
    ),
    "predict": (
        lambda **k: rsonnx.predict(**PREDICT | k),
        taken(rsonnx.predict, runs.predict, *OPENING),
    ),
    "commit": (
        lambda **k: rsonnx.commit(**CERTIFY | {"seed": None, "source": "s", "round": "1"} | k),
        taken(rsonnx.commit),
    ),
    "falsify": (lambda **k: rsonnx.falsify(**FALSIFY | k), taken(rsonnx.falsify, runs.falsify)),
    "deterministic": (
        lambda **k: rsonnx.deterministic(**{"model": MODEL, "data": X, **LOAD} | k),
        taken(rsonnx.deterministic, runs.deterministic, *OPENING),
    ),
    "declare": (
        lambda **k: rsonnx.declare(**{"model": MODEL, "preprocess": "none"} | k),
        taken(rsonnx.declare, declare),
    ),
    "plan": (
        lambda **k: rsonnx.plan(**{"noise": rsonnx.noise.Gaussian(0.5), "n": 100} | k),
        taken(rsonnx.plan),
    ),
    "compare_bounds": (
        lambda **k: rsonnx.compare_bounds(**{"k": 99, "n": 100} | k),
        taken(rsonnx.compare_bounds),
    ),
    "read_run": (lambda **k: rsonnx.read_run(**{"path": "run.jsonl"} | k), ["path"]),
    "report": (
        lambda of="run.jsonl", **k: rsonnx.report(of, **k),
        ["of", *taken(rsonnx.report)],
    ),
    "verify": (lambda **k: rsonnx.verify(**VERIFY | k), taken(rsonnx.verify)),
    "Sample": (runs.Sample, [field.name for field in fields(runs.Sample)]),
    "SmoothedClassifier": (
        lambda **k: smoothed(**k).predict(X[0], n=20),
        taken(SmoothedClassifier.__init__),
    ),
    "of a function": (of_function, taken(SmoothedClassifier.__init__)),
    "SmoothedClassifier.certify": (
        lambda **k: smoothed().certify(**{"x": X[0], "n": 100} | k),
        taken(SmoothedClassifier.certify),
    ),
    "SmoothedClassifier.predict": (
        lambda **k: smoothed().predict(**{"x": X[0], "n": 100} | k),
        taken(SmoothedClassifier.predict),
    ),
    "SmoothedClassifier.sample_counts": (
        lambda **k: smoothed().sample_counts(
            **{"x": X[0], "start": 0, "stop": 9, "stage": "probe", "seed": 1} | k
        ),
        taken(SmoothedClassifier.sample_counts),
    ),
    "certify_from_counts": (
        lambda **k: rsonnx.certify_from_counts(**COUNTS | k),
        taken(rsonnx.certify_from_counts),
    ),
    "compose.ensemble": joined(compose.ensemble),
    "compose.consensus": joined(compose.consensus, k=2),
    "compose.denoise": front(compose.denoise, "denoiser", range=(0, 1)),
    "compose.diffuse": front(compose.diffuse, "unet", sigma=0.5, schedule="linear-1000"),
    "compose.smooth": (
        lambda **k: compose.smooth(**{"model": MODEL, "sigma": 0.25, "n": 20, **DECLARED} | k),
        taken(compose.smooth),
    ),
    "compose.check": (
        lambda **k: compose.check(k.get("model", "both.onnx"), k.get("part", "m.onnx"), "m.onnx"),
        ["model", "part"],
    ),
    "predict_from_counts": (
        lambda **k: rsonnx.predict_from_counts(**{"counts": [99, 1]} | k),
        taken(rsonnx.predict_from_counts),
    ),
}


def test_every_public_function_is_among_the_calls() -> None:
    public = {name for name in rsonnx.__all__ if inspect.isfunction(getattr(rsonnx, name))}
    assert public <= CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
@given(data=st.data())
def test_an_argument_of_any_kind_works_or_is_refused(name: str, data: st.DataObject) -> None:
    call, arguments = CALLS[name]
    argument, value = data.draw(st.sampled_from(arguments)), data.draw(VALUES)
    try:
        call(**{argument: value})
    except rsonnx.RsonnxError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most values are refused, and some are not


@pytest.mark.parametrize(
    "noise", [rsonnx.noise.Gaussian, rsonnx.noise.Laplace, rsonnx.noise.AnisotropicGaussian]
)
@given(value=VALUES, norm=st.none() | VALUES)
def test_a_law_of_any_kind_is_made_or_refused(noise: Any, value: Any, norm: Any) -> None:
    try:
        noise(value, **{} if norm is None else {"norm": norm})
    except rsonnx.RsonnxError as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_numbers_of_numpy_are_plain_numbers() -> None:
    plain = rsonnx.certify(
        MODEL, X, sigma=0.25, n=100, n0=10, alpha=0.5, seed=3, batch_size=7, target_radii=0.125,
        sample=runs.Sample(limit=2), bounds=(0, 1), share_noise=True, **LOAD,
    )  # fmt: skip
    same = rsonnx.certify(
        MODEL, X, sigma=np.float32(0.25), n=np.int8(100), n0=np.uint64(10), alpha=np.float16(0.5),
        seed=np.array(3), batch_size=np.int16(7), target_radii=np.array([0.125], np.float32),
        sample=runs.Sample(limit=np.int32(2)), bounds=np.array([0, 1]), share_noise=np.True_,
        **LOAD,
    )  # fmt: skip
    assert [{**row.to_json(), "seconds": 0} for row in same.rows] == [
        {**row.to_json(), "seconds": 0} for row in plain.rows
    ]
    header, expected = (dict(run.header.to_json(), created="") for run in (same, plain))
    assert header == expected


@pytest.mark.parametrize("call", [rsonnx.certify, rsonnx.predict, rsonnx.deterministic])
def test_an_argument_that_there_is_not_is_named_before_others_are_asked_for(
    call: Callable[..., object],
) -> None:
    with pytest.raises(rsonnx.UsageError, match="'sgma'"):
        call(MODEL, X, sgma=0.25)


def test_a_part_is_named_by_its_text() -> None:
    texts = rsonnx.certify(output="text.jsonl", shard="1/2", samples="0:50", **CERTIFY)
    named = rsonnx.certify(
        output="named.jsonl", shard=runs.Shard(1, 2), samples=runs.SampleRange(0, 50), **CERTIFY
    )
    assert texts.header.shard == named.header.shard == runs.Shard(1, 2)
    assert texts.header.samples == named.header.samples == runs.SampleRange(0, 50)
