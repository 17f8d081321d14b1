"""``compose smooth``, ``predict --generator exported`` and ``attest --deployed``, end to end."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from commands import command, done, refused

from rsonnx.data import open_dataset

SMOOTH = "compose smooth tiny.onnx --sigma 0.25 --n 300"
RUN = (
    "certify tiny.onnx set --sigma 0.25 --n0 30 --n 200 --seed 3 --limit 4 --providers cpu --quiet"
)
FILES = "--deployed smoothed.onnx --model tiny.onnx"


@pytest.fixture(scope="module")
def made(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smoothed")
    for name in ("tiny.onnx", "fragile.onnx", "set"):
        (folder / name).symlink_to(workshop / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done(f"{SMOOTH} -o smoothed.onnx")
        done(f"{RUN} -o run.jsonl")
        done(f"attest run.jsonl {FILES} -o statement.json")
    return folder


@pytest.fixture
def files(made: Path, here: Path) -> Path:
    for path in made.iterdir():
        if not path.is_symlink():
            shutil.copy(path, here)
    return here


def test_the_file_counts_what_predict_counts(files: Path) -> None:
    words = "predict tiny.onnx set --sigma 0.25 --n 300 --providers cpu --json --generator exported"
    session = onnxruntime.InferenceSession("smoothed.onnx")
    dataset = open_dataset("set")
    for one in done(f"{words} --seed 8").lines():
        key = np.array([int(one["key"][at : at + 8], 16) for at in range(0, 32, 8)], np.uint32)
        levels = dataset[one["index"]].values.reshape(1, 8, 8)
        label, counts = session.run(["label", "counts"], {"input": levels, "key": key})
        assert int(label) == one["prediction"]
        assert {str(k): c for k, c in enumerate(counts.tolist()) if c} == one["counts"]


def test_check_and_refusals(files: Path) -> None:
    assert "byte for byte" in done("compose check smoothed.onnx tiny.onnx").said
    refused("compose check smoothed.onnx fragile.onnx", code=4, named="fragile.onnx")
    sha256 = hashlib.sha256(Path("tiny.onnx").read_bytes()).hexdigest()
    for words in (
        "certify smoothed.onnx set --sigma 0.25",
        "predict smoothed.onnx set --sigma 0.25",
        "compose ensemble smoothed.onnx smoothed.onnx -o no.onnx",
        "compose smooth smoothed.onnx --sigma 0.25 -o no.onnx",
    ):
        said = refused(words, code=4, named="smoothed.onnx").said
        assert all(text in said for text in ("compose smooth", "tiny.onnx", sha256[:12], "attest"))
    refused(f"{SMOOTH} -o smoothed.onnx", named="smoothed.onnx")
    refused("compose smooth tiny.onnx --sigma 0 -o no.onnx")
    refused("compose smooth tiny.onnx --sigma 0.25 --n 10 -o no.onnx", named="11")
    refused("compose smooth tiny.onnx --sigma 0.25 --bounds auto -o no.onnx", named="bounds")
    refused("compose smooth absent.onnx --sigma 0.25 -o no.onnx", named="absent.onnx")


def test_a_statement_names_the_deployed_file_which_verify_composes_again(files: Path) -> None:
    *_, subject, run = json.loads(Path("statement.json").read_text())["subject"]
    assert (subject["name"], run["annotations"]["role"]) == ("smoothed.onnx", "run file")
    assert subject["annotations"] == {"role": "deployed file", "n": 300, "alpha": 0.001}
    said = done(f"verify run.jsonl --attestation statement.json {FILES} --json").json()
    assert said["deployed"] == subject["digest"]["sha256"]
    assert command("verify run.jsonl --attestation statement.json").code == 1
    done("attest run.jsonl -o plain.json")
    assert command(f"verify run.jsonl --attestation plain.json {FILES}").code == 1


def _moved_threshold(model: onnx.ModelProto) -> None:
    table = next(t for t in model.graph.initializer if t.dims == [301])
    table.raw_data = (12).to_bytes(8, "little") + table.raw_data[8:]


def _other_sigma(model: onnx.ModelProto) -> None:
    (entry,) = [e for e in model.metadata_props if e.key == "rsonnx.composition"]
    entry.value = entry.value.replace('"sigma": 0.25', '"sigma": 0.5')


def _no_composition(model: onnx.ModelProto) -> None:
    (entry,) = [e for e in model.metadata_props if e.key == "rsonnx.composition"]
    entry.key = "other"


@pytest.mark.parametrize("change", [_moved_threshold, _other_sigma, _no_composition])
def test_a_changed_file_is_not_attested(
    change: Callable[[onnx.ModelProto], None], files: Path
) -> None:
    model = onnx.load("smoothed.onnx")
    change(model)
    onnx.save(model, "forged.onnx")
    refused("attest run.jsonl --deployed forged.onnx --model tiny.onnx", code=4, named="forged")


def test_what_a_run_does_not_certify_is_not_attested(files: Path) -> None:
    refused("attest run.jsonl --deployed smoothed.onnx", named="--model")
    words = "attest run.jsonl --deployed smoothed.onnx --model fragile.onnx"
    refused(words, code=1, named="run.jsonl")
    refused("attest run.jsonl --deployed tiny.onnx --model tiny.onnx", code=4, named="tiny.onnx")
    for options, name in (("--noise laplace --sigma 0.25", "laplace"), ("--sigma 0.5", "wider")):
        done(f"{RUN.replace('--sigma 0.25', options)} -o {name}.jsonl")
        refused(f"attest {name}.jsonl {FILES}", code=1 if name == "laplace" else 4, named=name)
    # Settings are compared as they are meant, not as they were said.
    done(f"{SMOOTH} --preprocess none --bounds 0 1 -o same.onnx")
    assert Path("same.onnx").read_bytes() == Path("smoothed.onnx").read_bytes()
