"""The header: everything that one must know to judge a run, or to do it again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from headers import header as read_header
from headers import record_of
from kernels_in_cpp import NEEDS_COMPILER
from onnx_models import linear, save
from stub_cuda import StubCuda

import rsonnx
from rsonnx.data import open_dataset
from rsonnx.errors import RunFileError
from rsonnx.noise import Columns, Gaussian
from rsonnx.procedures import Adaptive, Enumerated, certify_from_counts, certify_procedure
from rsonnx.runs import (
    Header,
    Job,
    RunWriter,
    SampleRange,
    SeedUsed,
    Shard,
    new_header,
    prepare_job,
    read_run,
    resume_command,
    versions,
)
from rsonnx.runs.files import START, line_of
from rsonnx.runs.labels import Labels
from rsonnx.runs.row_fields import MEANING
from rsonnx.runs.sample import Sample
from rsonnx.runtime import OnnxClassifier

GIVEN = ["certify", "tiny.onnx", "set", "--sigma", "0.5"]
SEED = 2**128 - 1


@pytest.fixture
def job(classifier: OnnxClassifier, image_folder: Callable[..., Path]) -> Job:
    folder = image_folder({f"{k}/a.png": (k * 20, (8, 8)) for k in range(5)})
    return prepare_job(classifier, 0.5, open_dataset(folder), sample=Sample(skip_every=2))


def _header(job: Job, **more: Any) -> Header:
    return new_header(
        job,
        certify_procedure(job.smoothed.noise, n0=50, n=2000, alpha=0.01),
        seed=SeedUsed(SEED, "operating system"),
        **{"manifest": "ab" * 32, "given": GIVEN, "resolved": {"sigma": 0.5, "batch_size": 32}}
        | more,
    )


def test_what_is_written_of_model_data_noise_and_procedure(job: Job) -> None:
    header = _header(job)
    line = line_of(header.to_json())
    assert line.startswith(START)  # by which a torn header is known
    assert Header.from_json(json.loads(line)) == header
    written = header.record
    model = written["model"]
    assert (model["file"], len(bytes.fromhex(model["sha256"]))) == ("tiny.onnx", 32)
    assert (model["ir_version"], model["opset"]) == (8, {"ai.onnx": 17})
    assert (model["input"]["shape"], model["output"]["name"]) == (["N", 1, 8, 8], "scores")
    assert (model["layout"], model["classes"]) == ("NCHW", 10)
    assert model["providers"] == {"requested": ["cpu"], "used": ["CPUExecutionProvider"]}
    assert model["preprocess"]["source"] == "argument"
    assert model["bounds"] == {"low": 0.0, "high": 1.0, "source": "default"}
    assert all(model[name] for name in ("batch", "label", "no_class"))
    data = written["data"]
    assert (data["path"], data["kind"]) == (str(job.dataset.path), "image-folder")
    assert (data["size"], data["inputs"], bool(data["labels"])) == (5, 3, True)
    noise = written["noise"]
    assert (noise["distribution"], noise["sigma"], noise["norm"]) == ("gaussian", 0.5, "l2")
    assert (noise["arithmetic"], "Philox" in noise["generator"]) == ("exact", True)
    assert noise["units"] == "input values between 0 and 1, before preprocessing"
    assert (written["n0"], written["n"], written["alpha"]) == (50, 2000, 0.01)
    unanimous = certify_from_counts([50], [2000], sigma=0.5, alpha=0.01)
    assert written["largest_radius"] == unanimous.radius
    assert written["arguments"] == {"given": GIVEN, "resolved": {"sigma": 0.5, "batch_size": 32}}
    assert (written["claim"], written["fields"]) == (header.claim, MEANING)
    assert written["versions"] == versions()
    assert written["versions"]["rsonnx"] == rsonnx.__version__
    assert written["versions"]["numpy"] == np.__version__
    assert any(name.startswith("onnxruntime") for name in written["versions"])
    assert datetime.fromisoformat(written["created"]).tzinfo is not None


def test_headers_say_which_part_they_are_of(job: Job) -> None:
    whole = _header(job)
    assert (whole.shard, whole.samples, whole.data.manifest) == (None, None, "ab" * 32)
    part = _header(job, shard=Shard(2, 2), samples=SampleRange(10, 20))
    assert (part.shard, part.samples) == (Shard(2, 2), SampleRange(10, 20))
    assert part.record["shard"] == {"index": 2, "of": 2}
    assert part.record["samples"] == {"start": 10, "stop": 20}
    assert (part.data.inputs, part.inputs) == (3, 1)  # of the whole run, and of the part
    assert part.claim != whole.claim


def test_a_seed_of_128_bits_survives_a_reader_that_has_only_floats(
    job: Job, tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    with RunWriter(path, _header(job).to_json()):
        pass
    stored = json.loads(path.read_text().splitlines()[0], parse_int=float)
    assert int(stored["seed"]["value"]) == read_run(path, checked=False).header.seed == SEED


def test_numbers_that_json_lacks_or_others_round_are_written_as_text(
    classifier: OnnxClassifier, job: Job
) -> None:
    infinite = float("-inf"), float("inf")
    bounds = dict(zip(("low", "high"), infinite, strict=True)) | {"source": "argument"}
    facts = classifier.facts | {"bounds": bounds, "feeds": {"stop": [2**63 - 1, 2**53]}}
    model: Any = SimpleNamespace(facts=facts, rows="proved")
    header = _header(replace(job, model=model), resolved={"bounds": list(infinite)})
    assert header.model.bounds == infinite
    assert header.record["model"]["bounds"] == bounds | {"low": "-inf", "high": "inf"}
    assert header.record["model"]["feeds"] == {"stop": [str(2**63 - 1), 2**53]}
    assert header.resolved["bounds"] == ["-inf", "inf"]
    json.dumps(header.to_json(), allow_nan=False)


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


def _huge(name: str) -> dict[str, Any]:
    """A noise on inputs of so many values that its deviation is beyond the doubles."""
    parameters = {"lam": 1.0, "norm": "l2" if name == "ball" else "l1", "size": 10**400}
    return {"distribution": name, "parameters": parameters, "norm": parameters["norm"], "sigma": 1}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"bound": "wald"}, "wald"),
    ({"bound": "exact"}, "gaussian noise"),
    ({"radius_rule": "x" * 5000}, "radius rule is 'xxx"),
    ({"alpha": 2}, "alpha is 2"),
    ({"n0": 0}, "n0 is 0"),
    ({"num_classes": 10**9}, "num_classes is 1000000000"),
    ({"data": {"sample": Sample(3).to_json() | {"rule": "all"}}}, "rule"),
    ({"noise": {"distribution": "cauchy"}}, "'cauchy'"),
    ({"noise": {"sigma": -1}}, "sigma is -1"),
    ({"noise": {"norm": "l7"}}, "l7"),
    ({"noise": {"stream": 3}}, "stream of the noise is 3"),
    ({"noise": _huge("exp-linf")}, "size is 1000"),
    ({"noise": _huge("ball")}, "size is 1000"),
    ({"target_radii": [0.5]}, "clopper-pearson"),
    ({"bound": "e-process", "target_radii": [0.5, 0.25]}, "must rise"),
    ({"bound": "e-process", "target_radii": [9.5]}, "cannot be reached"),
    *(({"shard": {"index": k, "of": 3}}, "shard|index") for k in (0, 4, True)),
    ({"shard": {"index": 1, "of": 2, "more": 1}}, "shard"),
    *(({"samples": {"start": a, "stop": 5}}, "samples|start") for a in (5, -1, 0.0)),
]


@pytest.mark.parametrize(("changed", "named"), WRONG, ids=lambda one: str(one)[:60])
def test_what_is_wrong_is_refused_before_anything_is_made_of_it(
    changed: dict[str, Any], named: str, run_file: Callable[..., Path]
) -> None:
    path = run_file(0, **changed)
    with pytest.raises(RunFileError, match=rf"run\.jsonl, line 1: .*({named})") as caught:
        read_run(path)
    assert len(str(caught.value)) < len(str(path)) + 400


def test_the_procedure_that_is_recorded_is_the_one_that_made_it() -> None:
    adaptive = Adaptive(Gaussian(0.5), 100, 1000, 0.001, (0.25, 0.5))
    enumerated = Enumerated(Columns(1, "NCHW"), (1, 8, 8))
    for procedure in (adaptive, enumerated):
        made = record_of(procedure, model={"input_shape": [2, 8, 8]})
        assert Header.from_json(made).procedure == procedure
    with pytest.raises(RunFileError, match="alpha"):
        Header.from_json(record_of(enumerated, model={"input_shape": [2, 8, 8]}, family_wise=0.1))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, 0),
        ({"claim": "that all is well"}, 1),
        ({"family_wise": 0.05}, 1),  # of which 0.001 is no share of one of three
        ({"data": {"inputs": 5, "size": 9, "sample": Sample(4).to_json()}}, 1),
        ({"data": {"inputs": 3, "size": 9, "sample": Sample(3).to_json()}}, 1),  # 0, 3, 6
        ({"data": {"inputs": 3, "size": 9, "sample": Sample(3, first=True).to_json()}}, 0),
        ({"data": {"inputs": 3, "size": 9, "sample": Sample(3, seed=1).to_json()}}, 1),
        ({"data": {"inputs": 3, "size": 2**40, "sample": Sample(3, seed=1).to_json()}}, 0),
    ],
)
def test_what_it_says_of_all_inputs_together_is_held_to_its_rows(
    changed: dict[str, Any], said: int
) -> None:
    assert len(read_header(**changed).contradictions([0, 1, 2])) == said


def test_the_command_that_goes_on() -> None:
    given = ["certify", "--resume", "a b.onnx", "--", "-data", "--resume"]
    assert resume_command(given) == "rsonnx certify --resume 'a b.onnx' -- -data"
    program = ["python", "-m", "rsonnx"]
    assert resume_command(["certify", "m"], program) == "python -m rsonnx certify --resume m"


@NEEDS_COMPILER
@pytest.mark.parametrize("tf32", [False, True])
def test_a_run_on_a_device_names_what_its_roundings_depend_on(
    tf32: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "")
    del os.environ["NVIDIA_TF32_OVERRIDE"]
    monkeypatch.setattr("rsonnx.runtime.session.cudnn_version", lambda: "9.28.1")
    model, data = save(linear(), tmp_path), np.full((2, 1, 4, 4), 200, np.uint8)
    asked = {"preprocess": "none", "providers": "cuda", "tf32": tf32, "n": 50, "n0": 5}
    with StubCuda().installed():
        rsonnx.certify(model, data, sigma=0.25, output=tmp_path / "run", **asked)
    header = read_run(tmp_path / "run").header
    session = header.record["model"]["session"]
    assert {key: session[key] for key in ("tf32", "deterministic", "cudnn", "environment")} == {
        "tf32": tf32,
        "deterministic": True,
        "cudnn": "9.28.1",
        "environment": {"NVIDIA_TF32_OVERRIDE": str(int(tf32))},
    }
    assert ("TF32" in header.model.variation.words) == tf32
    changed = {**header.record["model"], "session": {**session, "cudnn": "9.1.0"}}
    (difference,) = header.differences(header.changed(model=changed))
    assert difference.field == "model.session.cudnn"
