"""Which inputs and samples a run takes, and parts of a run that ``merge`` puts together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import command, done, lines_of, refused, rows_of, same_run, write_lines
from onnx_models import build, node, save

from rsonnx.runs import disk, read_part, read_run

FEW = "certify tiny.onnx set --sigma 0.25 --n 400 --providers cpu --seed 7 --limit 5 --first"
Part = Callable[..., str]


@pytest.fixture
def part(here: Path) -> Part:
    """Certify a part of one run, and return the name of its file."""

    def make(name: str, options: str = "") -> str:
        done(f"{FEW} {options} --quiet -o {name}")
        return name

    return make


@pytest.mark.parametrize(
    "options",
    [
        "--bound randomized-clopper-pearson",
        "--target-radius 0.1",
        "--family-wise --alpha 0.05",
    ],
)
def test_parts_make_the_whole_run(options: str, part: Part) -> None:
    whole = part("whole", options)
    parts = [part("1", f"{options} --shard 1/2")]
    if "target" in options:
        parts.append(part("2", f"{options} --shard 2/2"))
    else:
        parts.append(part("2a", f"{options} --shard 2/2 --samples 0:123"))
        parts.append(part("2b", f"{options} --shard 2/2 --samples 123:400"))
    done("verify 1")
    said = done("merge", *reversed(parts), "-o", "merged")
    assert said.out == ""
    assert "5 inputs" in said.err
    assert same_run(Path("merged"), Path(whole))
    done("verify merged")
    merged = read_run("merged")
    assert merged.header.record["arguments"]["given"] == ["merge", *reversed(parts), "-o", "merged"]
    # Times add, and the run began when its first part did.
    seconds = sum(row.seconds for name in parts for row in read_part(name).rows)
    assert sum(row.seconds for row in merged.rows) == pytest.approx(seconds)
    created = min(read_part(name).header.record["created"] for name in parts)
    assert merged.header.record["created"] == created


@pytest.mark.parametrize(
    "words",
    [
        "image.onnx grey.npz --noise laplace --sigma 0.25 --n 200",
        "image.onnx grey.npz --noise exp-linf --sigma 0.25 --n 200",
        "pair.onnx grey.npz --noise ablation,keep=5 --n 200",
        "pair.onnx grey.npz --noise columns,width=2",
    ],
)
def test_parts_batches_and_a_stop_make_the_same_run(words: str, here: Path) -> None:
    certify = f"certify {words} --seed 3 --providers cpu"
    done(f"{certify} -o whole")
    expected = rows_of(here / "whole")
    n = read_run("whole").header.record["n"]
    for a, b in (
        ("--shard 1/2", "--shard 2/2"),
        (f"--samples 0:{n // 3}", f"--samples {n // 3}:{n}"),
    ):
        for name, which in (("a", a), ("b", b)):
            done(f"{certify} {which} -o {name}")
        done("merge a b -o merged")
        assert rows_of(here / "merged") == expected
        for name in ("a", "b", "merged"):
            Path(name).unlink()
    done(f"{certify} -o other --batch-size 7 --workers 1")
    assert rows_of(here / "other") == expected
    lines = Path("whole").read_bytes().splitlines(keepends=True)
    Path("stopped").write_bytes(b"".join(lines[:3]) + lines[3][:50])
    done(f"{certify} -o stopped --resume")
    assert rows_of(here / "stopped") == expected


def test_counts_are_no_result(part: Part) -> None:
    name = part("counts", "--samples 0:123")
    header, row, *_ = lines_of(Path(name))
    assert header["claim"].startswith("none")
    assert "radius" not in row
    assert row["samples"] == {"start": 0, "stop": 123}
    for reader in ("report", "verify", "attest"):
        assert "rsonnx merge" in refused(reader, name, code=1, named="0:123").err


def test_a_shard_says_that_it_is_one(here: Path) -> None:
    assert "shard 2/2" in done(f"{FEW} --shard 2/2 -o 2").said
    assert done(f"{FEW} --shard 9/9 -o 9").out == ""  # more shards than inputs are no failure
    assert done(f"{FEW} --shard 9/9 -o 9.json --json").json() == []


@pytest.fixture
def parts(part: Part) -> None:
    for name, options in {
        "s1": "--shard 1/2",
        "s2": "--shard 2/2",
        "a": "--shard 1/2 --samples 0:100",
        "b": "--shard 1/2 --samples 100:400",
        "c": "--shard 1/2 --samples 90:400",
        "d": "--shard 1/2 --samples 150:400",
        "e": "--shard 1/2 --samples 0:399",
        "whole": "",
        "fewer": "--shard 2/2 --n 300",
        "seeded": "--shard 2/2 --seed 8",
    }.items():
        part(name, options)


def test_what_does_not_make_a_whole_run_is_refused(parts: None) -> None:
    for names, named in (
        ("s1", "2 of 5"),
        ("s2", "3 of 5"),
        ("s1 s2 s1", "s1 and s1"),
        ("s1 s2 a", "s1 and in a"),
        ("whole s2", "whole and in s2"),
        ("s2 a c", "90:400"),
        ("s2 a d", "100:150"),
        ("s2 b", "0:100"),
        ("s2 e", "399:400"),
        ("s1 fewer", "n is 400"),
        ("s1 seeded", "seed.value"),
    ):
        refused(f"merge {names} -o out", named=named)


def test_an_unfinished_part_is_named_with_the_command_that_finishes_it(parts: None) -> None:
    lines = Path("s2").read_bytes().splitlines(keepends=True)
    Path("s2").write_bytes(b"".join(lines[:2]))
    error = refused("merge s1 s2 -o out", named="shard 2/2").err
    done(error.strip().split(": rsonnx ")[1])
    done("merge s1 s2 -o out")


def test_nothing_half_is_left(parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    real = disk.append
    written: list[int] = []

    def append(file: object, data: bytes) -> None:
        written.append(len(data))
        if len(written) == 2:  # the header is on the disk
            raise OSError(28, "No space left on device")
        real(file, data)  # type: ignore[arg-type]

    monkeypatch.setattr(disk, "append", append)
    refused("merge s1 s2 -o out", code=1, named="No space left")


CLASSES, EACH = 5, 40
SAMPLE = "--preprocess none --sigma 0.05 --n 20 --n0 5 --alpha 0.01 --seed 1 --providers cpu"


def _save_centres(name: str, centres: list[float], folder: Path) -> None:
    """One class a centre, on 1x4x4 images: that whose centre is nearest to the mean."""
    weights = np.repeat(2 * np.array(centres)[None] / 16, 16, axis=0).astype(np.float32)
    bias = -(np.array(centres, np.float32) ** 2)
    made = [node("Flatten", ["x"], "flat"), node("Gemm", ["flat", "w", "b"], "scores")]
    proto = build(made, ("n", 1, 4, 4), ("n", len(centres)), {"w": weights, "b": bias})
    save(proto, folder, f"{name}.onnx")


@pytest.fixture
def sorted_data(here: Path) -> Path:
    """Data sorted by class, a model that is right, and some that are right on class 0 alone."""
    levels = np.repeat(np.arange(CLASSES) * 60, EACH).astype(np.uint8)
    levels = np.broadcast_to(levels[:, None, None, None], (CLASSES * EACH, 1, 4, 4)).copy()
    levels[:, 0, 0, 0] = np.arange(len(levels))  # no two are the same
    labels = np.repeat(np.arange(CLASSES), EACH)
    np.savez(here / "sorted.npz", x=levels, y=labels)
    np.savez(here / "one_class.npz", x=levels[:EACH], y=labels[:EACH])
    centres = [k * 60 / 255 for k in range(CLASSES)]
    _save_centres("right", centres, here)
    _save_centres("rotated", [centres[0], *centres[2:], centres[1]], here)
    _save_centres("constant", [*centres[:1], *[9.0] * (CLASSES - 1)], here)
    return here


@pytest.mark.parametrize(
    ("options", "expected", "rule"),
    [
        ("--limit 5", [0, 40, 80, 120, 160], "spread"),
        ("--limit 3", [0, 66, 133], "spread"),
        ("--limit 5 --first", [0, 1, 2, 3, 4], "first"),
        ("--limit 4 --skip-every 10", [0, 50, 100, 150], "spread"),
        ("--limit 4 --skip-every 10 --first", [0, 10, 20, 30], "first"),
    ],
)
def test_which_inputs_are_taken(
    options: str, expected: list[int], rule: str, sorted_data: Path
) -> None:
    done(f"certify right.onnx sorted.npz {SAMPLE} {options} -o run.jsonl")
    run = read_run("run.jsonl")
    assert [row.index for row in run.rows] == expected
    data = run.header.record["data"]
    assert data["sample"]["rule"] == rule
    assert data["classes_in_sample"] == len({k // EACH for k in expected})
    assert data["classes_in_data"] == CLASSES


def test_a_random_sample_is_one_run_with_shards_a_stop_and_a_replay(sorted_data: Path) -> None:
    asked = f"certify right.onnx sorted.npz {SAMPLE} --limit 7 --sample 3 --quiet -o"
    done(asked, "whole")
    lines = lines_of(Path("whole"))
    write_lines(Path("cut"), lines[:4])
    done(asked, "cut", "--resume")
    for k in (1, 2):
        done(asked, f"shard{k}", "--shard", f"{k}/2")
        done(f"verify shard{k}")
    refused("merge shard1 -o merged")
    done("merge shard1 shard2 -o merged")
    assert rows_of(Path("whole")) == rows_of(Path("cut")) == rows_of(Path("merged"))
    done("verify merged --model right.onnx --data sorted.npz --replay 7")
    # Neither other inputs nor another rule pass for the sample that is recorded.
    for field, value in (("seed", "4"), ("limit", 8), ("rule", "spread")):
        header = json.loads(json.dumps(lines[0]))
        header["data"]["sample"][field] = value
        write_lines(Path("forged"), [header, *lines[1:]])
        assert command("verify forged").code == 1


@pytest.mark.parametrize(
    ("options", "drawn"),
    [
        ("", True),
        ("--limit 200", True),
        ("--limit 20 --sample 3", True),
        ("--limit 20", False),
        ("--limit 20 --first", False),
        ("--skip-every 2", False),
        ("--shard 1/2", False),
    ],
)
def test_what_is_said_of_the_population(options: str, drawn: bool, sorted_data: Path) -> None:
    said = done(f"certify right.onnx sorted.npz {SAMPLE} {options} --quiet --details -o run.jsonl")
    assert ("of the population, " in said.out) is drawn
    (found,) = done("report run.jsonl --json").json()
    stated = found["statements"]
    for name in ("certified_accuracy", "certified_accuracy_band", "acr"):
        assert (stated[name] is not None) is drawn
    assert (stated["population_unknown"] is None) is drawn
    assert stated["false_certificates"] is not None
    done(f"certify rotated.onnx sorted.npz {SAMPLE} {options} --quiet -o other.jsonl")
    (paired,) = done("report run.jsonl other.jsonl --paired --json").json()
    assert (paired["acr"] is not None) is drawn
    for at in paired["certified_accuracy"]:
        assert (at["p_value"] is not None) is (at["low"] is not None) is drawn
    assert (paired["population_unknown"] is None) is drawn
    if drawn:  # and half of such a run says nothing of it
        write_lines(Path("half.jsonl"), lines_of(Path("run.jsonl"))[:9])
        assert done("report half.jsonl --json").json()[0]["statements"]["acr"] is None


def test_a_sample_that_lacks_classes_is_said_before_and_after(sorted_data: Path) -> None:
    asked = f"certify right.onnx sorted.npz {SAMPLE} --limit 50"
    few, all_of_them = done(f"{asked} --first"), done(asked)
    assert f"2 of the {CLASSES} classes" in few.err
    assert f"2 of the {CLASSES} classes" in " ".join(few.out.split())
    assert "classes of the data" not in all_of_them.said


@pytest.mark.parametrize(
    ("files", "options", "warned"),
    [
        ("right.onnx sorted.npz", "", False),
        ("rotated.onnx sorted.npz", "", True),
        ("constant.onnx sorted.npz", "", True),
        ("rotated.onnx sorted.npz", "--limit 10", True),
        ("right.onnx sorted.npz", "--limit 2", False),
        ("right.onnx one_class.npz", "", False),  # data of one class are no sign of guessing
    ],
)
def test_the_accuracy_before_a_run_is_over_a_spread(
    files: str, options: str, warned: bool, sorted_data: Path
) -> None:
    error = done(f"certify {files} {SAMPLE} {options}").err.splitlines()
    inputs = EACH if "one_class" in files else CLASSES * EACH
    taken = min(100, int(options.split()[1]) if options else inputs)
    right = taken if "right" in files else taken // CLASSES
    assert any(line.startswith("clean") and f"{right} of {taken} " in line for line in error)
    assert any(line.startswith("warn") and "--preprocess" in line for line in error) is warned


@pytest.mark.parametrize(
    "words",
    [
        "predict right.onnx sorted.npz --n 20 --alpha 0.01",
        "preview right.onnx sorted.npz -o a.png",
        "plan --model right.onnx --data sorted.npz --n 20 --alpha 0.01",
    ],
)
def test_other_commands_take_the_same_inputs(words: str, sorted_data: Path) -> None:
    asked = "--preprocess none --sigma 0.05 --seed 1 --providers cpu --limit 5 --sample 3"
    assert "by the seed 3" in done(f"{words} {asked}").err
