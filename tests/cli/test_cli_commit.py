"""``certify --commit`` and ``--beacon``: a run is settled first, and its seed comes out later."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import done, lines_of, refused, rows_of, same_run, write_lines

import rsonnx
from rsonnx.runs import read_part, read_run, restate
from rsonnx.runs.sample import Sample

RUN = "certify tiny.onnx set --sigma 0.25 --n0 30 --n 400 --limit 5 --first --providers cpu --quiet"
ROUND = ("--beacon-round", "drand quicknet, randomness", "30000000")
VALUE = hashlib.sha256(b"the value of the round").hexdigest()
COMMITTED = f"{RUN} --commit made.json --beacon {VALUE}"


@pytest.fixture(scope="module")
def made(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a commitment and its run."""
    folder = tmp_path_factory.mktemp("committed")
    for name in ("tiny.onnx", "set"):
        (folder / name).symlink_to(workshop / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done(f"{RUN} --commit made.json", *ROUND)
        done(f"{COMMITTED} -o run.jsonl")
    return folder


@pytest.fixture
def lines(made: Path, here: Path) -> list[dict[str, Any]]:
    """The lines of the run, which lies in this folder beside its commitment."""
    for name in ("made.json", "run.jsonl"):
        shutil.copy(made / name, here)
    return lines_of(here / "run.jsonl")


def test_a_commitment_prints_its_digest_and_samples_nothing(here: Path) -> None:
    said = done(f"{RUN} --commit made.json", *ROUND)
    digest = hashlib.sha256(Path("made.json").read_bytes()).hexdigest()
    assert said.out == f"{digest}  made.json\n"
    assert {path.name for path in here.iterdir() if path.suffix in (".json", ".jsonl")} == {
        "made.json"
    }
    again = done(f"{RUN} --json --workers 1 --commit again.json", *ROUND).json()
    assert again["sha256"] == digest
    assert again["beacon"] == {"source": ROUND[1], "round": ROUND[2]}
    refused(f"{RUN} --commit made.json", *ROUND, named="made.json")


def test_the_seed_follows_and_verify_says_what_that_does_not_show(
    lines: list[dict[str, Any]],
) -> None:
    digest = hashlib.sha256(Path("made.json").read_bytes()).hexdigest()
    text = f"rsonnx beacon 1\0{digest}\0{VALUE}"
    seed = lines[0]["seed"]
    assert seed["value"] == str(int(hashlib.sha256(text.encode()).hexdigest()[:32], 16))
    assert seed["commitment"] == json.loads(Path("made.json").read_text())
    done(f"{RUN} --seed {seed['value']} -o plain.jsonl")
    assert rows_of(Path("plain.jsonl")) == rows_of(Path("run.jsonl"))
    said = done("verify run.jsonl --model tiny.onnx --data set --replay 2").said
    for part in (digest, VALUE, ROUND[1], ROUND[2], "cannot show"):
        assert part in said
    found = done("verify run.jsonl --json").json()["commitment"]
    assert (found["sha256"], found["round"], found["value"]) == (digest, ROUND[2], VALUE)
    assert found["published_before"] == "not checked"
    assert "commitment" not in done("verify plain.jsonl").out
    assert done("verify plain.jsonl --json").json()["commitment"] is None
    done("attest run.jsonl -o statement.json")
    done("verify run.jsonl --attestation statement.json")
    done("report run.jsonl --html page.html")
    assert "30000000" in Path("page.html").read_text()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--n 401", "n"),
        ("--noise uniform --sigma 0.25", "noise"),
        ("--limit 6", "inputs"),
        ("--sample 3 --limit 5", "rule"),
        ("--float16", "float16"),
    ],
)
def test_another_run_than_the_one_committed_to_is_refused(
    options: str, named: str, lines: list[dict[str, Any]]
) -> None:
    base = COMMITTED.replace("--first ", "") if "--sample" in options else COMMITTED
    refused(f"{base} {options} -o other.jsonl", named=named)


def test_another_model_or_other_data_are_refused(lines: list[dict[str, Any]]) -> None:
    refused(f"{COMMITTED.replace('tiny', 'fragile')} -o other.jsonl", named="model.sha256")
    Path("set").unlink()
    shutil.copytree(Path("plain").resolve(), "set/0")
    refused(f"{COMMITTED} -o other.jsonl", named="data.")


@pytest.mark.parametrize(
    "words",
    [
        f"{RUN} --beacon {VALUE}",
        f"{RUN} --beacon-round nist 7",
        f"{RUN} --commit made.json",
        f"{RUN} --commit made.json --beacon {VALUE} --beacon-round nist 7",
        f"{RUN} --commit made.json --beacon 3,17,22,41",
        f"{RUN} --commit missing.json --beacon {VALUE}",
        f"{RUN} --commit made.json --beacon= -o other.jsonl",
        f"{COMMITTED} --seed 0",
        f"{RUN} --commit new.json --beacon-round nist 7 --seed 0",
        f"{RUN} --commit new.json --beacon-round nist 7 --shard 1/2",
        f"{RUN} --commit new.json --beacon-round nist 7 --samples 0:100",
        f"{RUN} --commit new.json --beacon-round nist 7 -o run2.jsonl",
        f"{RUN} --commit new.json --beacon-round nist 7 --resume",
        f"{RUN} --commit no/folder.json --beacon-round nist 7",
    ],
)
def test_words_that_do_not_go_together_are_refused(
    words: str, lines: list[dict[str, Any]], children: list[str]
) -> None:
    refused(words)


def test_a_commitment_that_was_edited_is_refused(lines: list[dict[str, Any]]) -> None:
    path = Path("made.json")
    path.write_bytes(path.read_bytes().replace(b'"n": 400', b'"n": 401'))
    refused(f"{COMMITTED} -o other.jsonl", named="n is 401")
    path.write_bytes(path.read_bytes().replace(b"  ", b" "))
    refused(f"{COMMITTED} -o other.jsonl", code=1, named="made.json")


def test_parts_of_a_committed_run_make_it(lines: list[dict[str, Any]]) -> None:
    done(f"{COMMITTED} --shard 1/2 -o 1")
    done(f"{COMMITTED} --shard 2/2 --samples 0:123 -o 2a")
    done(f"{COMMITTED} --shard 2/2 --samples 123:400 -o 2b")
    assert read_part("2a").header.committed == read_run("run.jsonl").header.committed
    done("merge 2b 1 2a -o merged")
    assert same_run(Path("merged"), Path("run.jsonl"))
    done("verify merged")
    done(f"{RUN} --seed {lines[0]['seed']['value']} --shard 2/2 -o 2")
    refused("merge 1 2 -o other", named="seed.commitment")


def test_a_stopped_run_goes_on_with_its_commitment_or_without_naming_it(
    lines: list[dict[str, Any]],
) -> None:
    for options in (f"--commit made.json --beacon {VALUE}", ""):
        write_lines(Path("stopped"), lines[:3])
        done(f"{RUN} {options} --resume -o stopped")
        assert rows_of(Path("stopped")) == rows_of(Path("run.jsonl"))
        assert read_run("stopped").header.committed == read_run("run.jsonl").header.committed
        done("verify stopped")
    write_lines(Path("stopped"), lines[:3])
    refused(f"{RUN} --n 401 --resume -o stopped", named="n is 400")
    other = f"{RUN} --commit made.json --beacon {'0' * 64}"
    refused(f"{other} --resume -o stopped", named="seed.")
    done(f"{RUN} --seed 3 -o other")
    refused(f"{COMMITTED} --resume -o other", named="seed.")


def test_a_restated_run_keeps_its_commitment_and_says_what_it_was_made_as(
    lines: list[dict[str, Any]],
) -> None:
    run = read_run("run.jsonl")
    restated = restate(run, alpha=0.01, bound="hoeffding")
    assert restated.header.committed == run.header.committed
    assert restated.header.restated_from is not None
    assert restated.header.restated_from.alpha == 0.001
    assert "0.001" in done("report run.jsonl --alpha 0.01").out


def test_a_commitment_of_the_library_is_that_of_the_command(lines: list[dict[str, Any]]) -> None:
    made = rsonnx.commit(
        "tiny.onnx",
        "set",
        ROUND[1],
        ROUND[2],
        sigma=0.25,
        n0=30,
        n=400,
        sample=Sample(5, first=True),
        providers="cpu",
    )
    assert made.content == Path("made.json").read_bytes()
    rows = rsonnx.certify(
        "tiny.onnx",
        "set",
        sigma=0.25,
        n0=30,
        n=400,
        sample=Sample(5, first=True),
        providers="cpu",
        commit=made,
        beacon=VALUE,
    ).rows
    assert [row.to_json() | {"seconds": 0} for row in rows] == rows_of(Path("run.jsonl"))
    with pytest.raises(rsonnx.UsageError):
        rsonnx.commit("tiny.onnx", "set", ROUND[1], ROUND[2], sigma=0.25, seed=3)
    for options in ({"commit": made}, {"beacon": VALUE}):
        with pytest.raises(rsonnx.UsageError):
            rsonnx.certify("tiny.onnx", "set", sigma=0.25, **options)


def test_an_array_is_committed_to_by_its_values(here: Path) -> None:
    values = np.random.default_rng(1).random((3, 1, 8, 8), dtype=np.float32)
    options = {"sigma": 0.25, "n0": 30, "n": 400, "providers": "cpu"}
    made = rsonnx.commit("tiny.onnx", (values, [0, 1, 2]), "nist", "7", **options)
    rsonnx.certify("tiny.onnx", (values, [0, 1, 2]), **options, commit=made, beacon=VALUE)
    values[0, 0, 0, 0] += 0.5
    with pytest.raises(rsonnx.UsageError, match="manifest"):
        rsonnx.certify("tiny.onnx", (values, [0, 1, 2]), **options, commit=made, beacon=VALUE)
