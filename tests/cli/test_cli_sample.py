"""Which inputs the commands take, and what is said of the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from rsonnx import cli
from rsonnx.cli import opening
from rsonnx.runs import read_run

CLASSES, EACH = 5, 40
Command = Callable[..., int]


def _save_model(path: Path, centres: list[float]) -> None:
    """One class a centre, on 1x4x4 images: that whose centre is nearest to the mean."""
    at = np.array(centres, np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("Sub", ["column", "centres"], ["off"]),
        helper.make_node("Abs", ["off"], ["far"]),
        helper.make_node("Neg", ["far"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "nearest",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 4, 4])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(centres)])],
        [
            numpy_helper.from_array(at, "centres"),
            numpy_helper.from_array(np.array([1], np.int64), "one"),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(proto.SerializeToString())


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data sorted by class, a model that is right, and some that are right on class 0 alone."""
    here = tmp_path_factory.mktemp("sample")
    levels = np.repeat(np.arange(CLASSES) * 60, EACH).astype(np.uint8)
    levels = np.broadcast_to(levels[:, None, None, None], (CLASSES * EACH, 1, 4, 4)).copy()
    levels[:, 0, 0, 0] = np.arange(len(levels))  # no two are the same
    labels = np.repeat(np.arange(CLASSES), EACH)
    np.savez(here / "sorted.npz", x=levels, y=labels)
    np.savez(here / "one_class.npz", x=levels[:EACH], y=labels[:EACH])
    centres = [k * 60 / 255 for k in range(CLASSES)]
    _save_model(here / "right.onnx", centres)
    _save_model(here / "rotated.onnx", [centres[0], *centres[2:], centres[1]])
    _save_model(here / "constant.onnx", [*centres[:1], *[9.0] * (CLASSES - 1)])
    return here


@pytest.fixture
def call(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setattr(opening, "try_in_child", lambda *_: None)
    monkeypatch.chdir(shelf)
    return lambda *words: cli.run([str(word) for word in words])


def _certify(*more: object, model: str = "right", data: str = "sorted") -> list[object]:
    words = f"certify {model}.onnx {data}.npz --preprocess none --sigma 0.05 --n 20 --n0 5"
    return [*words.split(), *["--alpha", "0.01", "--seed", "1", "--providers", "cpu"], *more]


def _said(error: str, topic: str) -> str:
    """Return what was said of a topic."""
    return "\n".join(line for line in error.splitlines() if line.split(maxsplit=1)[0] == topic)


@pytest.mark.parametrize(
    ("options", "expected", "rule"),
    [
        (("--limit", "5"), [0, 40, 80, 120, 160], "spread"),
        (("--limit", "3"), [0, 66, 133], "spread"),
        (("--limit", "5", "--first"), [0, 1, 2, 3, 4], "first"),
        (("--limit", "4", "--skip-every", "10"), [0, 50, 100, 150], "spread"),
        (("--limit", "4", "--skip-every", "10", "--first"), [0, 10, 20, 30], "first"),
    ],
)
def test_a_limit_is_spread_over_the_data(
    options: tuple[str, ...], expected: list[int], rule: str, call: Command, tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    assert call(*_certify(*options, "-o", path)) == 0
    run = read_run(path)
    assert [row.index for row in run.rows] == expected
    assert run.header["data"]["sample"]["rule"] == rule
    assert run.header["data"]["classes_in_sample"] == len({k // EACH for k in expected})
    assert run.header["data"]["classes_in_data"] == CLASSES


def test_a_random_sample_is_one_run_with_shards_a_stop_and_a_replay(
    call: Command, tmp_path: Path
) -> None:
    asked = _certify("--limit", "7", "--sample", "3", "--quiet")
    whole, cut, merged = (tmp_path / name for name in ("whole", "cut", "merged"))
    assert call(*asked, "-o", whole) == 0
    lines = whole.read_bytes().splitlines(keepends=True)
    cut.write_bytes(b"".join(lines[:4]))
    assert call(*asked, "-o", cut, "--resume") == 0
    shards = [tmp_path / f"shard{k}" for k in (1, 2)]
    for k, shard in enumerate(shards, 1):
        assert call(*asked, "-o", shard, "--shard", f"{k}/2") == 0
        assert call("verify", shard) == 0
    assert call("merge", shards[0], "-o", merged) == 2
    assert call("merge", *shards, "-o", merged) == 0
    counts = [
        [(row.index, row.estimation, row.radius) for row in read_run(path).rows]
        for path in (whole, cut, merged)
    ]
    assert counts[0] == counts[1] == counts[2]
    model = ("--model", "right.onnx", "--data", "sorted.npz", "--replay", "7")
    assert call("verify", merged, *model) == 0
    # Neither other inputs nor another rule pass for the sample that is recorded.
    for field, value in (("seed", "4"), ("limit", 8), ("rule", "spread")):
        header = json.loads(lines[0])
        header["data"]["sample"][field] = value
        forged = tmp_path / f"{field}.jsonl"
        forged.write_bytes(json.dumps(header).encode() + b"\n" + b"".join(lines[1:]))
        assert call("verify", forged) == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--first",),
        ("--sample", "1"),
        ("--limit", "3", "--sample", "-1"),
        ("--limit", "3", "--sample", "1", "--first"),
        ("--limit", "3", "--sample", "1", "--skip-every", "2"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(
    options: tuple[str, ...], call: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*_certify(*options)) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "drawn"),
    [
        ((), True),
        (("--limit", "200"), True),
        (("--limit", "20", "--sample", "3"), True),
        (("--limit", "20"), False),
        (("--limit", "20", "--first"), False),
        (("--skip-every", "2"), False),
        (("--shard", "1/2"), False),
    ],
)
def test_what_is_said_of_the_population(
    options: tuple[str, ...],
    drawn: bool,
    call: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "run.jsonl"
    assert call(*_certify(*options, "--quiet", "-o", path)) == 0
    assert ("P]" in capsys.readouterr().out) is drawn
    assert call("report", path, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    stated: dict[str, Any] = found["statements"]
    for name in ("certified_accuracy", "certified_accuracy_band", "acr"):
        assert (stated[name] is not None) is drawn
    assert (stated["population_unknown"] is None) is drawn
    assert stated["false_certificates"] is not None
    assert call("report", path, path, "--paired", "--json") == 0
    (paired,) = json.loads(capsys.readouterr().out)
    assert (paired["acr"] is not None) is drawn
    for at in paired["certified_accuracy"]:
        assert (at["p_value"] is not None) is (at["low"] is not None) is drawn
    assert (paired["population_unknown"] is None) is drawn


def test_half_of_a_run_says_nothing_of_the_population(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.jsonl"
    assert call(*_certify("--limit", "20", "--sample", "3", "--quiet", "-o", path)) == 0
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:9]))
    capsys.readouterr()
    assert call("report", path, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["statements"]["acr"] is None


def test_a_sample_that_lacks_classes_is_said_before_and_after(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.jsonl"
    assert call(*_certify("--limit", "50", "--first", "-o", path)) == 0
    shown = capsys.readouterr()
    assert f"2 of the {CLASSES} classes" in _said(shown.err, "warning")
    assert f"2 of the {CLASSES} classes" in shown.out
    assert call(*_certify("--limit", "50")) == 0
    shown = capsys.readouterr()
    assert "classes of the data" not in shown.err + shown.out


@pytest.mark.parametrize(
    ("model", "options", "warned"),
    [
        ("right", (), False),
        ("rotated", (), True),
        ("constant", (), True),
        ("rotated", ("--limit", "100"), True),
        ("rotated", ("--limit", "10"), True),
        ("right", ("--limit", "2"), False),
    ],
)
def test_the_accuracy_before_a_run_is_over_a_spread(
    model: str,
    options: tuple[str, ...],
    warned: bool,
    call: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(*_certify(*options, model=model)) == 0
    error = capsys.readouterr().err
    taken = min(100, int(options[1]) if options else CLASSES * EACH)
    right = taken if model == "right" else taken // CLASSES
    assert f"{right} of {taken} " in _said(error, "clean")
    assert ("--preprocess" in _said(error, "warning")) is warned


def test_data_of_one_class_are_no_sign_of_guessing(
    call: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*_certify(data="one_class")) == 0
    assert not _said(capsys.readouterr().err, "warning").count("--preprocess")


@pytest.mark.parametrize("command", ["predict", "preview", "plan"])
def test_other_commands_take_the_same_inputs(
    command: str, call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where: tuple[object, ...] = ("right.onnx", "sorted.npz")
    if command == "plan":
        where = ("--model", where[0], "--data", where[1])
    more: tuple[object, ...] = ("-o", tmp_path / "a.png") if command == "preview" else ("--n", "20")
    asked = "--preprocess none --sigma 0.05 --seed 1 --providers cpu --limit 5 --sample 3"
    asked += "" if command == "preview" else " --alpha 0.01"
    assert call(command, *where, *asked.split(), *more) == 0
    assert "by the seed 3" in _said(capsys.readouterr().err, "inputs")
