"""``rsonnx compose``: the file that it writes is a model like any other."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
from commands import command, done, refused, rows_of
from onnx_models import linear, save

from rsonnx.runs import read_run

FEW = "--sigma 0.25 --n 200 --n0 50 --seed 3 --providers cpu"
JOINED = "compose consensus a.onnx b.onnx tiny.onnx --k 2"


def members(here: Path) -> None:
    for seed, name in enumerate("ab"):
        save(linear(("n", 1, 8, 8), 10, seed=seed), here, f"undeclared_{name}.onnx")
        done(f"declare undeclared_{name}.onnx --preprocess none -o {name}.onnx")


def test_a_composed_file_is_certified_resumed_sharded_and_replayed(here: Path) -> None:
    members(here)
    outcome = done(f"{JOINED} -o all.onnx")
    assert "consensus of a.onnx, b.onnx, tiny.onnx (first 2)" in outcome.said
    done(f"{JOINED} -o again.onnx")
    assert (here / "again.onnx").read_bytes() == (here / "all.onnx").read_bytes()
    for check in ("check", "--check"):
        checked = done(f"compose {check} all.onnx a.onnx b.onnx tiny.onnx")
        assert "byte for byte" in checked.said
        refused(f"compose {check} all.onnx a.onnx tiny.onnx b.onnx", named="a", code=4)
        refused(f"compose {check} all.onnx", named="PARTS", code=2)
    done(f"certify all.onnx floats.npz {FEW} -o run.jsonl")
    header = read_run(here / "run.jsonl").header.record
    assert header["model"]["rows"] == "proved"
    assert header["model"]["composition"]["how"] == "consensus"
    for shard in (1, 2):
        done(f"certify all.onnx floats.npz {FEW} --shard {shard}/2 -o {shard}.jsonl")
    done("merge 1.jsonl 2.jsonl -o merged.jsonl")
    assert rows_of(here / "merged.jsonl") == rows_of(here / "run.jsonl")
    lines = (here / "run.jsonl").read_bytes().splitlines(keepends=True)
    (here / "cut.jsonl").write_bytes(b"".join(lines[:2]))
    done(f"certify all.onnx floats.npz {FEW} --resume -o cut.jsonl")
    assert rows_of(here / "cut.jsonl") == rows_of(here / "run.jsonl")
    done("verify run.jsonl --replay 2 --model all.onnx --data floats.npz --providers cpu")
    forged = lines[0].replace(b"consensus of a.onnx", b"consensus of z.onnx")
    (here / "forged.jsonl").write_bytes(b"".join([forged, *lines[1:]]))
    told = "verify forged.jsonl --replay 1 --model all.onnx --data floats.npz --providers cpu"
    outcome = command(told)
    assert outcome.code == 1
    assert "model.composition" in outcome.err
    report = done("report run.jsonl").out
    words = "consensus of a.onnx, b.onnx, tiny.onnx (first 2)"
    assert words in report.splitlines()[0]
    done("report run.jsonl --html page.html --card card.md")
    # Only composing the parts again proves it, so it is told as what the file says of itself.
    assert f"says that it is the {words}" in (here / "card.md").read_text("utf-8")
    page = (here / "page.html").read_text("utf-8")
    assert f"a model that says it is the <bdi>{words}" in page
    for part in header["model"]["composition"]["parts"]:
        assert f"{part['file']}, SHA-256 {part['sha256']}" in page


def test_what_does_not_fit_is_refused_and_nothing_is_written(here: Path) -> None:
    members(here)
    save(linear(("n", 1, 8, 8), 9), here, "nine.onnx")
    for words, named, code in (
        ("ensemble a.onnx -o all.onnx", "1 model", 2),
        ("ensemble a.onnx gone.onnx -o all.onnx", "gone.onnx", 2),
        ("ensemble a.onnx text.onnx -o all.onnx", "text.onnx", 4),
        ("ensemble a.onnx b.onnx -o tiny.onnx", "tiny.onnx", 2),
        ("ensemble a.onnx undeclared.onnx -o all.onnx", "undeclared.onnx", 2),
        ("ensemble a.onnx nine.onnx --preprocess none -o all.onnx", "nine.onnx", 4),
        ("ensemble a.onnx b.onnx --weights 1,x -o all.onnx", "--weights", 2),
        ("ensemble a.onnx b.onnx tiny.onnx --preprocess none --preprocess none -o all.onnx",
         "--preprocess", 2),
        ("consensus a.onnx b.onnx --k 3 -o all.onnx", "k is 3", 2),
        ("check a.onnx a.onnx b.onnx", "a.onnx", 4),
    ):  # fmt: skip
        refused(f"compose {words}", named=named, code=code)


def test_a_part_may_be_called_what_is_no_utf_8(here: Path) -> None:
    members(here)
    odd = os.fsdecode(b"\xff.onnx")
    (here / "b.onnx").rename(here / odd)
    done(f"compose ensemble a.onnx {odd} -o all.onnx")
    done(f"certify all.onnx floats.npz {FEW} -o run.jsonl")
    assert "a.onnx" in done("report run.jsonl").out.splitlines()[0]
    done("verify run.jsonl")


def test_each_part_is_declared_once_or_one_by_one(here: Path) -> None:
    members(here)
    twice = "compose ensemble undeclared_a.onnx undeclared_b.onnx"
    done(f"{twice} --preprocess none -o once.onnx")
    done(f"{twice} --preprocess none --preprocess mnist -o apart.onnx")
    scale = np.float32(1 / 0.3081)
    constants = onnx.load("apart.onnx").graph.initializer
    held = [onnx.numpy_helper.to_array(tensor) for tensor in constants]
    assert any(array.size == 1 and np.isclose(array.item(), scale) for array in held)
    for name in ("once", "apart"):
        done(f"compose check {name}.onnx undeclared_a.onnx undeclared_b.onnx")
