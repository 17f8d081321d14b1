"""A run file of the version before noise had a version: it is verified and gone on with as it was.

``golden/first_stream.jsonl`` was written by that version, from the model and the data below, with
``--limit 5``, which took the first inputs. The versions that it names are those of the test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from rsonnx import cli
from rsonnx.runs import opening, read_run, verify, versions

GOLDEN = Path(__file__).parents[1] / "golden" / "first_stream.jsonl"
Lines = list[dict[str, Any]]
Command = Callable[..., int]


@pytest.fixture
def lines() -> Lines:
    found = [json.loads(line) for line in GOLDEN.read_text("ascii").splitlines()]
    assert "stream" not in found[0]["noise"]
    assert "sample" not in found[0]["data"]
    found[0]["versions"] = versions()
    return found


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command beside the model and the data of the file."""
    mean = helper.make_node("ReduceMean", ["x"], ["scores"], axes=[2, 3], keepdims=0)
    graph = helper.make_graph(
        [mean],
        "channels",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 4, 4])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])],
    )
    opset = helper.make_opsetid("", 13)
    proto = helper.make_model(graph, opset_imports=[opset], ir_version=8, producer_name="")
    (tmp_path / "channels.onnx").write_bytes(proto.SerializeToString())
    levels = (np.arange(8 * 48).reshape(8, 3, 4, 4) * 37 % 97).astype(np.uint8) + 60
    for k in range(8):
        levels[k, k // 3] += 40
    np.savez(tmp_path / "levels.npz", x=levels, y=np.arange(8) // 3)
    monkeypatch.setattr(opening, "try_in_child", lambda *_, **__: None)
    monkeypatch.chdir(tmp_path)
    return lambda *words: cli.run([str(word) for word in words])


def _write(path: Path, lines: Lines) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "ascii")
    return path


def _certify(*more: object) -> list[object]:
    words = "certify channels.onnx levels.npz --preprocess none --sigma 0.25 --n0 20 --n 300 "
    words += "--seed 5 --providers cpu --limit 5 --quiet"
    return [*words.split(), *more]


def _rows(path: Path) -> Lines:
    found = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in found[1:]]


def test_it_holds_and_replays(
    lines: Lines, call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _write(tmp_path / "old.jsonl", lines)
    assert not verify(read_run(path)).faults
    given = ("--model", "channels.onnx", "--data", "levels.npz", "--replay", "5")
    assert call("verify", path, *given) == 0
    assert capsys.readouterr().out.count(" 0 of 320 votes differ") == 5


def test_it_is_gone_on_with(
    lines: Lines, call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _write(tmp_path / "cut.jsonl", lines[:3])
    for more, said in (
        (("--sample", "3"), "data.sample.rule is 'first' in the file and 'random' now"),
        (("--skip-every", "2"), "data.manifest is"),
    ):
        assert call(*_certify("-o", path, "--resume", *more)) == 2
        assert said in capsys.readouterr().err
    assert call(*_certify("-o", path, "--resume")) == 0
    assert _rows(path) == _rows(GOLDEN)


def test_its_shards_are_merged_among_themselves(
    lines: Lines, call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, *rows, end = lines
    shards = [
        _write(
            tmp_path / f"shard{k}.jsonl",
            [
                header | {"shard": {"index": k, "of": 2}},
                *rows[k - 1 :: 2],
                end | {"inputs": len(rows[k - 1 :: 2])},
            ],
        )
        for k in (1, 2)
    ]
    assert call("merge", *shards, "-o", tmp_path / "whole.jsonl") == 0
    assert _rows(tmp_path / "whole.jsonl") == _rows(GOLDEN)
    new = tmp_path / "new.jsonl"
    assert call(*_certify("-o", new, "--first", "--shard", "2/2")) == 0
    capsys.readouterr()
    assert call("merge", shards[0], new, "-o", tmp_path / "mixed.jsonl") == 2
    assert "noise.stream is 1" in capsys.readouterr().err


def test_it_speaks_for_its_own_inputs_alone(
    lines: Lines, call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("report", _write(tmp_path / "old.jsonl", lines), "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["statements"]["certified_accuracy"] is None
    assert "5 of the 8" in found["statements"]["population_unknown"]
