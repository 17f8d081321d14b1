"""The header: everything that one must know to judge a run, or to do it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rsonnx
from rsonnx.data import open_dataset
from rsonnx.procedures import certify_from_counts, certify_procedure
from rsonnx.runs import (
    Header,
    Job,
    RunWriter,
    SeedUsed,
    new_header,
    prepare_job,
    read_run,
    versions,
)
from rsonnx.runs.labels import Labels
from rsonnx.runs.rows import MEANING
from rsonnx.runs.sample import Sample
from rsonnx.runtime import OnnxClassifier

GIVEN = ["certify", "tiny.onnx", "set", "--sigma", "0.5"]


@pytest.fixture
def job(classifier: OnnxClassifier, image_folder: Callable[..., Path]) -> Job:
    folder = image_folder({f"{k}/a.png": (k * 20, (8, 8)) for k in range(5)})
    return prepare_job(classifier, 0.5, open_dataset(folder), sample=Sample(skip_every=2))


def _header(job: Job, seed: int = 7) -> Header:
    return new_header(
        job,
        certify_procedure(job.smoothed.noise, n0=50, n=2000, alpha=0.01),
        seed=SeedUsed(seed, "operating system"),
        given=GIVEN,
        resolved={"sigma": 0.5, "batch_size": 32},
    )


@pytest.fixture
def written(job: Job) -> dict[str, Any]:
    return json.loads(json.dumps(_header(job).to_json(), allow_nan=False))


def test_the_model(written: dict[str, Any], classifier: OnnxClassifier) -> None:
    model = written["model"]
    assert model["file"] == "tiny.onnx"
    assert len(bytes.fromhex(model["sha256"])) == hashlib.sha256().digest_size
    assert (model["ir_version"], model["opset"]) == (8, {"ai.onnx": 17})
    assert model["input"]["shape"] == ["N", 1, 8, 8]
    assert model["output"]["name"] == "scores"
    assert (model["layout"], model["classes"]) == ("NCHW", 10)
    assert "ties go to the lowest" in model["label"]
    assert "never certified" in model["no_class"]
    assert model["providers"] == {"requested": ["cpu"], "used": ["CPUExecutionProvider"]}
    assert model["preprocess"]["source"] == "argument"
    assert model["bounds"] == {"low": 0.0, "high": 1.0, "source": "default"}
    assert model["batch"]


def test_the_procedure(written: dict[str, Any]) -> None:
    assert written["procedure"] == "certify"
    assert (written["n0"], written["n"], written["alpha"]) == (50, 2000, 0.01)
    assert written["bound"] == "clopper-pearson"
    unanimous = certify_from_counts([50], [2000], sigma=0.5, alpha=0.01)
    assert written["largest_radius"] == unanimous.radius
    assert "l2" in written["claim"]


def test_the_noise(written: dict[str, Any]) -> None:
    noise = written["noise"]
    assert (noise["distribution"], noise["sigma"], noise["norm"]) == ("gaussian", 0.5, "l2")
    assert noise["arithmetic"] == "exact"
    assert "Philox" in noise["generator"]
    assert noise["units"] == "input values between 0 and 1, before preprocessing"


def test_the_data(written: dict[str, Any], job: Job) -> None:
    data = written["data"]
    assert data["path"] == str(job.dataset.path)
    assert (data["kind"], data["size"], data["inputs"]) == ("image-folder", 5, 3)
    assert data["labels"]


def test_what_asked_for_it_and_what_ran_it(written: dict[str, Any]) -> None:
    assert written["seed"] == {"value": "7", "source": "operating system"}
    assert written["arguments"]["given"] == GIVEN
    assert written["arguments"]["resolved"] == {"sigma": 0.5, "batch_size": 32}
    assert written["versions"] == versions()
    assert written["versions"]["rsonnx"] == rsonnx.__version__
    assert written["versions"]["numpy"] == np.__version__
    assert any(name.startswith("onnxruntime") for name in written["versions"])
    assert datetime.fromisoformat(written["created"]).tzinfo is not None
    assert "last line" in written["status"]
    assert written["fields"] == MEANING
    assert (written["format"], written["format_version"]) == ("rsonnx-run", 1)


@given(st.integers(0, 2**128 - 1))
def test_a_seed_of_128_bits_survives_a_reader_that_has_only_floats(seed: int) -> None:
    stored = json.dumps({"seed": {"value": str(seed)}})
    assert int(json.loads(stored, parse_int=float)["seed"]["value"]) == seed


def test_the_seed_of_a_run_is_text(job: Job, tmp_path: Path) -> None:
    seed = 2**128 - 1
    with RunWriter(tmp_path / "run.jsonl", _header(job, seed).to_json()):
        pass
    stored = json.loads((tmp_path / "run.jsonl").read_text().splitlines()[0], parse_int=float)
    assert int(stored["seed"]["value"]) == seed
    assert read_run(tmp_path / "run.jsonl").header.seed == seed


def test_infinite_bounds_are_written_as_text(
    classifier: OnnxClassifier, job: Job, tmp_path: Path
) -> None:
    facts = classifier.facts | {"bounds": {"low": float("-inf"), "high": float("inf")}}
    header = new_header(
        replace(job, model=_WithFacts(facts)),  # type: ignore[arg-type]
        certify_procedure(job.smoothed.noise, n0=50, n=2000, alpha=0.01),
        seed=SeedUsed(7, "argument"),
        resolved={"bounds": [float("-inf"), float("inf")]},
    )
    with RunWriter(tmp_path / "run.jsonl", header.to_json()):
        pass
    read = read_run(tmp_path / "run.jsonl").header.record
    assert read["model"]["bounds"] == {"low": "-inf", "high": "inf"}
    assert read["arguments"]["resolved"]["bounds"] == ["-inf", "inf"]


class _WithFacts:
    """What a header asks of a model."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.rows = "proved"


def test_class_names_are_in_the_model_s_numbering(job: Job) -> None:
    """Folders in text order: the numbers of the rows are not those of the folders."""
    labels = Labels((1, 0, 2, 0, 1), "text order", None, ("1", "10", "2"), ("ape", "bee", "cat"))
    known = replace(job, labels=labels)
    assert _header(known).record["data"]["class_names"] == ["1", "10", "2"]
    assert [known.label_name(index) for index in range(3)] == ["10", "1", "2"]
    assert [known.class_name(number) for number in (0, 2, 3, None)] == ["ape", "cat", None, None]
    unnamed = replace(job, labels=Labels((0,) * 5, "the array y"))
    assert _header(unnamed).record["data"]["class_names"] is None
    assert unnamed.label_name(0) is None
