"""``rsonnx declare``: what is written into a model is what typing it would mean."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from commands import command, done, refused
from onnx_models import linear

from rsonnx.runs import read_run

FEW = "--sigma 0.25 --n 200 --seed 3 --providers cpu"


def test_what_is_declared_need_not_be_typed(here: Path) -> None:
    names = [f"class {k}" for k in range(10)]
    (here / "names.txt").write_text("\n".join(names))
    facts = "--preprocess scale=2,mean=0.1,std=1.5 --bounds -1 1.5 --classes names.txt"
    done(f"declare undeclared.onnx {facts} --trained gaussian,sigma=0.25 -o declared.onnx")
    done(f"certify undeclared.onnx floats.npz {facts} {FEW} -o typed.jsonl")
    done(f"certify declared.onnx floats.npz {FEW} -o declared.jsonl")
    runs = [read_run(f"{name}.jsonl") for name in ("typed", "declared")]
    typed, declared = (run.header for run in runs)
    assert typed.model.bounds == declared.model.bounds == (-1.0, 1.5)
    one, other = (header.record["model"]["preprocess"] for header in (typed, declared))
    assert {**one, "source": ""} == {**other, "source": ""}
    assert declared.record["model"]["class_names"] == names
    assert declared.record["model"]["trained"] == {
        "noise": "gaussian",
        "parameters": {"sigma": 0.25},
    }
    one, other = ([(row.index, row.estimation) for row in run.rows] for run in runs)
    assert one == other
    # What a model says already is said once.
    again = "declare declared.onnx --preprocess scale=2,mean=0.1,std=1.5 --bounds -1 1.5"
    done(f"{again} --classes names.txt --trained gaussian,sigma=0.25 -o again.onnx")
    assert (here / "again.onnx").read_bytes() == (here / "declared.onnx").read_bytes()


@pytest.mark.parametrize(
    ("fact", "other"),
    [
        ("--preprocess mnist", "--preprocess zero-one"),
        ("--bounds 0 1", "--bounds 0 255"),
        ("--trained gaussian,sigma=0.5", "--trained laplace,lambda=2"),
        ("--classes a.txt", "--classes b.txt"),
    ],
)
def test_a_contradiction_is_refused_or_replaced_and_said(fact: str, other: str, here: Path) -> None:
    for name in ("a", "b"):
        (here / f"{name}.txt").write_text("\n".join(f"{name}{k}" for k in range(10)))
    done(f"declare undeclared.onnx {fact} -o first.onnx")
    refused(f"declare first.onnx {other} -o second.onnx", named="--replace")
    assert "replaced" in done(f"declare first.onnx {other} --replace -o second.onnx").err
    done(f"declare undeclared.onnx {other} -o other.onnx")
    assert (here / "second.onnx").read_bytes() == (here / "other.onnx").read_bytes()


def test_what_cannot_be_declared_is_refused(here: Path) -> None:
    (here / "few.txt").write_text("a\nb\n")
    for facts, named in {
        "": "preprocess",
        "--preprocess nope": "nope",
        "--preprocess imagenet": "channels",
        "--preprocess none,layout=NHWC": "NHWC",
        "--bounds 1 0": "bounds",
        "--trained nope,sigma=1": "nope",
        "--trained gaussian,sigma=-1": "sigma=-1",
        "--trained gaussian,lambda=1": "lambda=1",
        "--classes few.txt": "10 classes",
        "--preprocess none -o tiny.onnx": "tiny.onnx",
        "--preprocess none -o nowhere/x.onnx": "nowhere",
    }.items():
        output = "" if "-o" in facts else "-o out.onnx"
        refused(f"declare undeclared.onnx {facts} {output}", named=named)
    refused("declare text.onnx --preprocess none -o out.onnx", code=4, named="text.onnx")


def test_weights_beside_a_model_are_put_into_it(here: Path) -> None:
    (here / "apart").mkdir()
    model = linear(("n", 1, 8, 8))
    onnx.save(model, here / "whole.onnx")
    onnx.save(
        model,
        here / "apart" / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    done("declare apart/model.onnx --preprocess none -o declared.onnx")
    (here / "apart" / "weights.bin").unlink()
    x = np.random.default_rng(1).random((4, 1, 8, 8), np.float32)
    name = model.graph.input[0].name
    answers = [
        ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {name: x})[0]
        for path in ("whole.onnx", "declared.onnx")
    ]
    assert (answers[0] == answers[1]).all()


def test_inspect_ends_in_the_command_that_declares_what_it_found(here: Path) -> None:
    folder = here / "my models; all"
    folder.mkdir()
    (here / "undeclared.onnx").rename(folder / "it's.onnx")
    path = "my models; all/it's.onnx"
    outcome = command("inspect", path, "set", "--providers", "cpu")
    *_, last = outcome.out.splitlines()
    words = shlex.split(last)
    assert words[:3] == ["rsonnx", "declare", path]
    done(*words[1:])
    done("certify", words[words.index("-o") + 1], "set", *FEW.split(), "-o", "run.jsonl")
    # Nothing is left to be declared of a model that says it.
    assert "rsonnx declare" not in done("inspect", words[-1], "set", "--providers", "cpu").out
