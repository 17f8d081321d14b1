"""Models whose input is int32 or int64: noise on codes gives whole numbers, cast as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from commands import command, done, refused
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx_models import node

import rsonnx
from rsonnx import SmoothedClassifier
from rsonnx.errors import ModelError, UsageError
from rsonnx.noise import Flips, Gaussian, Laplace, Law, NoisyStream, SparseFlips, Splitting

KINDS = {"int32": TensorProto.INT32, "int64": TensorProto.INT64}
VALUES = 6


def of_codes(kind: str, way: str, least: int = 0, values: int = 5) -> bytes:
    """Return a classifier of 6 codes into 3 classes: linear, or by a table as tokens are looked up.

    The table has a row for each code that there is, and onnxruntime fails on any other.
    """
    random = np.random.default_rng(4)
    kept = {"w": random.standard_normal((VALUES, 3)).astype(np.float32)}
    if way == "linear":
        kept["least"] = np.array([least], np.float32)
        nodes = [
            helper.make_node("Cast", ["x"], ["real"], to=TensorProto.FLOAT),
            node("Sub", ["real", "least"], "f"),
            node("MatMul", ["f", "w"], "scores"),
        ]
    else:
        kept["table"] = random.standard_normal((values, 3)).astype(np.float32)
        kept["least"] = np.array([least], np.int32 if kind == "int32" else np.int64)
        nodes = [
            node("Sub", ["x", "least"], "token"),
            node("Gather", ["table", "token"], "embedded"),
            node("Mul", ["embedded", "w"], "weighted"),
            node("ReduceMean", ["weighted"], "scores", axes=[1], keepdims=0),
        ]
    graph = helper.make_graph(
        nodes,
        "codes",
        [helper.make_tensor_value_info("x", KINDS[kind], ["n", VALUES])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(value, name) for name, value in kept.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("way", ["linear", "table"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("bounds", "noise"),
    [
        ((0, 4), Flips(0.5, 5, size=VALUES)),
        ((-3, 7), Flips(0.3, 11, size=VALUES)),
        ((2**22 - 300, 2**22), Flips(0.3, 301, size=VALUES)),
        ((0, 1), SparseFlips(0.3, 0.4, size=VALUES)),
    ],
    ids=["from 0", "below 0", "large", "bits"],
)
def test_votes_are_those_of_onnxruntime_on_the_integers(
    way: str, kind: str, bounds: tuple[int, int], noise: Law
) -> None:
    low, high = bounds
    made = of_codes(kind, way, low, high - low + 1)
    base = rsonnx.load(made, bounds=bounds)  # which needs no preprocessing, and says so
    assert base.facts["preprocess"]["identity"] is True
    assert base.rows == "proved"
    smoothed = SmoothedClassifier(base, noise=noise)
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    for x in (np.linspace(low, high, VALUES).astype(kind), np.full(VALUES, high, kind)):
        point = smoothed.point(x)
        stream = smoothed.stream(point, "estimation", 7)
        assert isinstance(stream, NoisyStream)
        samples = np.empty((200, VALUES), np.float32)
        stream.write(0, samples)
        whole = samples.astype(kind)
        assert np.array_equal(whole, samples)
        votes = session.run(None, {"x": whole})[0].argmax(axis=1)
        counts = smoothed.sample_counts(point, 0, 200, stage="estimation", seed=7)
        assert [counts[k] for k in range(3)] == np.bincount(votes, minlength=3).tolist()
        own = session.run(None, {"x": x[None]})[0].argmax(axis=1)
        assert smoothed.base_label(point) == own[0]


@pytest.mark.parametrize("noise", [Gaussian(1.0), Laplace(1.0), Splitting(0.5)])
def test_other_noise_is_refused_and_that_for_codes_is_named(noise: Law) -> None:
    def function(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.zeros(len(batch), np.int64)

    function.codes = True  # type: ignore[attr-defined]
    for base in (rsonnx.load(of_codes("int64", "linear"), bounds=(0, 4)), function):
        with pytest.raises(ModelError, match=r"flips.*sparse-flips"):
            SmoothedClassifier(base, noise=noise)


@pytest.mark.parametrize("bounds", [(0, float("inf")), (0.5, 4.5), (0, 2**23)])
def test_bounds_that_are_no_codes_are_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="bounds"):
        rsonnx.load(of_codes("int32", "linear"), bounds=bounds)


@pytest.mark.usefixtures("children")
def test_codes_from_file_to_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.onnx").write_bytes(of_codes("int64", "table"))
    x = np.random.default_rng(1).integers(0, 5, (4, VALUES))
    for kind in ("int64", "uint16"):
        np.savez(f"{kind}.npz", x=x.astype(kind))
    noise = "--noise flips,keep=0.5,values=5 --bounds 0 4"
    sampling = "--n 100 --seed 1 --alpha 0.05"
    for kind in ("int64", "uint16"):
        done(f"certify m.onnx {kind}.npz {noise} {sampling} -o {kind}.jsonl")
    done("verify int64.jsonl --model m.onnx --data uint16.npz --replay 4")
    refused("certify m.onnx int64.npz --sigma 0.5 -o no.jsonl", code=4, named="flips")
    refused(
        f"certify m.onnx int64.npz --preprocess imagenet {noise} {sampling} -o no.jsonl",
        named="preprocessing",
    )
    inspected = done("inspect m.onnx --bounds 0 4 --json").json()
    assert [noise["noise"] for noise in inspected["noises"]] == ["flips"]
    np.savez("labelled.npz", x=x, y=np.zeros(4, np.int64))
    tried = command("inspect m.onnx labelled.npz --bounds 0 4 --json").json()["preprocessings"]
    assert [t["preprocess"] for t in tried if t["problem"] is None] == ["none"]
