"""Honest runs of every procedure, made by the commands that made those of tests/golden."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from types import ModuleType

import onnx
import pytest
from onnx import numpy_helper

INPUTS = Path(__file__).parents[1] / "golden" / "inputs"
_TOOLS = Path(__file__).parents[2] / "tools"

FIXED_N = (
    *("fixed", "two-sided", "randomised", "hoeffding", "family-wise", "shared", "limited"),
    *("watched", "threshold", "float16", "float", "laplace-l1", "ablation", "sparse-flips"),
    "table",
)
ADAPTIVE = ("target", "adaptive", "adaptive-family-wise")
PRECISE = ("precision",)
TABLE = ("adaptive", "adaptive-family-wise")
COUNTED = ("splitting", "columns")
SAMPLED = (*FIXED_N, *ADAPTIVE)
ALL = (*SAMPLED, *COUNTED)
GAUSSIAN = ("fixed", "two-sided", "randomised", "hoeffding", "family-wise", "shared", "float")
UNCERTAIN = ("fixed", "family-wise", "shared", "float", "laplace-l1")
SOME = ("two-sided", "adaptive", "limited", "watched", "laplace-l1", "splitting")
REPLAYED = ("two-sided", "randomised", "limited", "watched", "laplace-l1", "sparse-flips")
WHOLE = ("fixed", "adaptive", "float", "columns")
COMMITTED = ("committed",)
TABLES = ("table",)
SHARDS = ("shard1", "shard2")
RANGES = ("samples1", "samples2")

BEACON = "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"
OTHERS = {"shard1": "shard2", "shard2": "shard1", "samples1": "samples2", "samples2": "samples1"}
"""The part that makes another one a whole run."""


def golden_tool() -> ModuleType:
    """Import tools/make_golden_runs.py."""
    if not _TOOLS.is_dir():
        pytest.skip("the tools are not part of an installation", allow_module_level=True)
    with pytest.MonkeyPatch.context() as path:
        path.syspath_prepend(_TOOLS)
        return importlib.import_module("make_golden_runs")


def inputs_of(name: str) -> tuple[str, str]:
    """Return the model and the data that a run is of, or says that it is of."""
    tool = golden_tool()
    model, data = tool.words_of(name if name in tool.RUN_COMMANDS else "fixed")[1:3]
    return model, data


@pytest.fixture(scope="session")
def honest_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models, the data, and a run of every way, each ``NAME.jsonl``.

    ``committed`` is ``fixed`` with the seed of a commitment and a beacon; ``other-model`` is the
    same of a model that is another one by its weights.
    """
    tool, folder, start = golden_tool(), tmp_path_factory.mktemp("honest"), Path.cwd()
    shutil.copytree(INPUTS, folder, dirs_exist_ok=True)
    os.chdir(folder)
    try:
        for name in (*ALL, *PRECISE, *SHARDS, *RANGES):
            tool.call(*tool.words_of(name))
        *words, _, _ = tool.words_of("fixed")
        _make_other_model(Path(words[1]), Path("other.onnx"))
        tool.call("certify", "other.onnx", *words[2:], "-o", "other-model.jsonl")
        at = words.index("--seed")
        commit = (*words[:at], *words[at + 2 :], "--commit", "commitment.json")
        tool.call(*commit, "--beacon-round", "drand quicknet, randomness", 30_000_000)
        tool.call(*commit, "--beacon", BEACON, "-o", "committed.jsonl")
    finally:
        os.chdir(start)
    return folder


def _make_other_model(path: Path, target: Path) -> None:
    model = onnx.load(path)
    (weights,) = model.graph.initializer
    values = numpy_helper.to_array(weights)
    weights.CopyFrom(numpy_helper.from_array(values[::-1].copy(), weights.name))
    onnx.save(model, target)
