"""``deterministic``: what is proved of the model itself, alone and beside a smoothed run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from commands import done, refused
from numpy.typing import ArrayLike
from onnx_models import FLOAT, INT64, rows_model, save, tensor

import rsonnx
from rsonnx.runs import read_run

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


LINEAR = "h = Gemm<transB=1>(x, w, b); "


def save_linear(
    folder: Path, end: str, w: ArrayLike = ((3, 4), (0, 0)), b: ArrayLike = (-3, 0), name: str = ""
) -> None:
    """Save a model whose scores h are linear in two values, and which ends as is said."""
    proto = rows_model(LINEAR + end, (2,), {"w": np.float32(w), "b": np.float32(b)})
    kind, shape = (INT64, ["n"]) if "Arg" in end else (FLOAT, ["n", len(np.asarray(b))])
    proto.graph.output[0].CopyFrom(tensor("y", kind, shape))
    save(proto, folder, name or "other.onnx")


@pytest.fixture
def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A linear classifier of two values, whose exact radii are known, and three inputs."""
    monkeypatch.chdir(tmp_path)
    save_linear(tmp_path, "y = Identity(h)", name="model.onnx")
    x = np.float32([[1, 1], [0.5, 0.25], [0.25, 0.25]])
    np.savez(tmp_path / "d.npz", x=x, y=np.array([0, 1, 0]))
    return tmp_path


COMMAND = "deterministic model.onnx d.npz --preprocess none"


@pytest.mark.parametrize(("norm", "length"), [("l2", 5.0), ("linf", 7.0), ("l1", 4.0)])
def test_radii_are_those_of_the_model_rounded_down(plane: Path, norm: str, length: float) -> None:
    made = done(f"{COMMAND} --norm {norm} --json").json()
    exact = [4 / length, 0.5 / length, 1.25 / length]
    for row, radius in zip(made["rows"], exact, strict=True):
        assert radius * 0.998 < row["radius"] <= radius
    assert [row["prediction"] for row in made["rows"]] == [0, 1, 1]
    assert [row["certified"] for row in made["rows"]] == [True] * 3
    assert made["norm"] == norm
    again = rsonnx.deterministic("model.onnx", "d.npz", preprocess="none", norm=norm)
    assert [c.radius for c in again.certificates] == [row["radius"] for row in made["rows"]]
    assert [c.correct for c in again.certificates] == [True, True, False]


def test_one_radius_is_decided_and_bounds_cut_the_ball(plane: Path) -> None:
    cut, whole = (
        done(f"{COMMAND} --norm linf --epsilon 0.6 {more} --json").json()["rows"]
        for more in ("--within-bounds", "")
    )
    # Of (1, 1) no value may grow, and the score of class 0 falls by 0.6 * 7 = 4.2 > 4 in either.
    assert [row["certified"] for row in whole] == [False] * 3
    # Of (0.25, 0.25) values may grow to 0.85 in either; of none can one fall below 0.
    assert [row["margin"] > 0 for row in cut] == [row["certified"] for row in cut]
    for row, other in zip(whole, cut, strict=True):
        assert row["margin"] <= other["margin"]
    assert whole[0]["margin"] == pytest.approx(-0.2, abs=1e-4)
    assert "open" in done(f"{COMMAND} --norm linf --epsilon 0.6").out


def test_a_file_has_a_line_an_input_and_is_never_overwritten(plane: Path) -> None:
    done(f"{COMMAND} -o out.jsonl --quiet")
    header, *rows, end = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert header["format"] == "rsonnx-deterministic"
    assert end == {"kind": "end", "status": "complete"}
    assert [row["index"] for row in rows] == [0, 1, 2]
    before = Path("out.jsonl").read_bytes()
    refused(f"{COMMAND} -o out.jsonl", named="out.jsonl")
    assert Path("out.jsonl").read_bytes() == before


def test_a_run_stands_beside_as_another_classifier(plane: Path) -> None:
    done(
        "certify model.onnx d.npz --preprocess none --sigma 0.5 --n 200 --seed 1 --limit 2 --first "
        "--providers cpu -o run.jsonl"
    )
    outcome = done("deterministic model.onnx d.npz --run run.jsonl")
    assert "Two classifiers" in outcome.out
    assert "smoothed by gaussian sigma = 0.5" in outcome.out
    made = done("deterministic model.onnx d.npz --run run.jsonl --json").json()
    rows = read_run("run.jsonl").rows
    assert [row["smoothed"]["radius"] for row in made["rows"]] == [row.radius for row in rows]
    assert [row["digest"] for row in made["rows"]] == [row.digest for row in rows]
    refused("deterministic model.onnx d.npz --run run.jsonl --limit 1", named="--limit")


def test_a_run_of_other_data_or_another_model_is_refused(plane: Path) -> None:
    done(
        "certify model.onnx d.npz --preprocess none --sigma 0.5 --n 200 --seed 1 --providers cpu "
        "-o run.jsonl"
    )
    np.savez("other.npz", x=np.float32([[1, 1], [0.5, 0.25], [0.25, 0.5]]), y=np.array([0, 1, 0]))
    refused("deterministic model.onnx other.npz --run run.jsonl", named="digest", code=1)
    save_linear(plane, "y = Identity(h)", w=((3, 5), (0, 0)))
    refused("deterministic other.onnx d.npz --run run.jsonl", named="run.jsonl", code=1)


@pytest.mark.parametrize(
    ("end", "named"),
    [
        ("y = Selu(h)", "Selu"),
        ("y = ArgMin<axis=1,keepdims=0>(h)", "label"),
    ],
)
def test_an_operator_without_bounds_is_named(plane: Path, end: str, named: str) -> None:
    save_linear(plane, end)
    refused("deterministic other.onnx d.npz --preprocess none -o out.jsonl", named=named, code=4)
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize(
    "end",
    [
        "y = ArgMax<axis=1,keepdims=0>(h)",
        "y = Softmax(h)",
        "y = LogSoftmax(h)",
    ],
)
def test_what_only_reads_off_the_scores_is_dropped(plane: Path, end: str) -> None:
    save_linear(plane, end)
    made = done("deterministic other.onnx d.npz --preprocess none --json").json()
    assert made["rows"][0]["radius"] == pytest.approx(0.8, rel=2e-3)


def test_declared_preprocessing_and_bounds_are_part_of_the_model(plane: Path) -> None:
    """The model sees (x / 255 - 0.5) / 0.25 of a value x between 0 and 255."""
    np.savez("wide.npz", x=255 * np.load("d.npz")["x"], y=np.array([0, 1, 0]))
    command = "deterministic model.onnx wide.npz --bounds 0 255 --preprocess"
    made = done(f"{command} mean=0.5,std=0.25 --json").json()
    # At (1, 1) the model is fed (2, 2), 14 - 3 above the plane.
    assert made["rows"][0]["radius"] == pytest.approx(11 / 5 * 0.25 * 255, rel=2e-3)


def test_a_model_of_one_score_has_a_threshold(plane: Path) -> None:
    save_linear(plane, "y = Identity(h)", w=((3, 4),), b=(-3,))
    made = done("deterministic other.onnx d.npz --preprocess none --threshold 1 --json").json()
    assert [row["prediction"] for row in made["rows"]] == [1, 0, 0]
    assert made["rows"][0]["radius"] == pytest.approx(3 / 5, rel=2e-3)


@pytest.mark.parametrize("epsilon", [0, -1, math.nan, math.inf])
def test_no_radius_is_refused(plane: Path, epsilon: float) -> None:
    refused(f"{COMMAND} --epsilon", str(epsilon), named="epsilon")


@pytest.mark.slow
def test_methods_that_bound_less_certify_less_of_a_sample_model() -> None:
    model, data = SAMPLES / "mnist_gaussian_0.50.onnx", SAMPLES / "mnist_test_500"
    radii = [
        done(f"deterministic {model} {data} --limit 1 --norm linf --method {method} --json").json()[
            "rows"
        ][0]["radius"]
        for method in ("crown-ibp", "ibp")
    ]
    assert 0 < radii[1] <= radii[0]


@pytest.mark.parametrize("arithmetic", ["real", "float32"])
@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
def test_the_ball_is_around_the_input_and_not_around_the_nearest_float32(
    tmp_path: Path, norm: str, arithmetic: str
) -> None:
    # Class 0 below float32 .05: no number that near .1 - .05 may be left out of the ball.
    edge = float(np.float32(0.05))
    save_linear(tmp_path, "y = Identity(h)", ((0, 0), (1, 0)), (edge, 0))
    x = np.array([[0.1, 0.0]])
    options = {"norm": norm, "arithmetic": arithmetic, "preprocess": "none"}
    (row,) = rsonnx.deterministic(tmp_path / "other.onnx", x, epsilon=0.05, **options).certificates
    assert edge > 0.1 - 0.05
    assert row.abstained
    (row,) = rsonnx.deterministic(tmp_path / "other.onnx", x, **options).certificates
    assert 0.049 < row.radius < 0.1 - edge


def test_columns_in_which_no_change_is_bounded_are_named_with_the_claim(tmp_path: Path) -> None:
    save_linear(tmp_path, "y = Identity(h)", ((0, 0), (1, 100)), (0.5, 0))
    table = tmp_path / "d.csv"
    table.write_text("narrow,wide,label\n0.9,0.01,1\n0.8,0.02,1\n0.1,0.0,0\n")
    words = f"deterministic {tmp_path}/other.onnx {table} --norm linf --preprocess none"
    options = f"{words} --fixed-columns wide --epsilon 0.0078431367864"
    said = done(options)
    assert "wide" in said.out
    assert "narrow" not in said.out
    assert "0.0078431367864" in said.out  # in full: rounded it would be one that was not asked for
    made = done(f"{options} --json").json()
    assert "wide" in made["claim"]
    assert made["fixed_columns"] == ["wide"]
