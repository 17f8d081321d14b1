"""``verify`` with the model and the data: what was changed is found, wherever it was changed."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from damaged import changed
from PIL import Image

from rsonnx.cli import run as run_command
from rsonnx.runs import read_run, restate

WAYS: dict[str, list[str]] = {
    "fixed": ["--n", "400"],
    "two-sided": ["--n", "400", "--radius", "two-sided"],
    "randomised": ["--n", "400", "--bound", "randomized-clopper-pearson"],
    "adaptive": ["--n", "4000", "--target-radius", "0.05"],
}
SIGMA = "0.25"


@pytest.fixture(scope="module")
def files(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("verified")
    for name, options in WAYS.items():
        words = ["certify", workshop / "tiny.onnx", workshop / "set", "--sigma", SIGMA, "--n0"]
        words += ["30", "--seed", "3", "--skip-every", "2", *options, "--quiet"]
        assert run_command([*map(str, words), "-o", str(folder / f"{name}.jsonl")]) == 0
    return {name: folder / f"{name}.jsonl" for name in WAYS}


def check(*words: object) -> int:
    return run_command(["verify", *map(str, words)])


@pytest.mark.parametrize("name", WAYS)
def test_every_vote_is_drawn_again(
    name: str, files: dict[str, Path], workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [files[name], "--model", workshop / "tiny.onnx", "--data", workshop / "set"]
    assert check(*words, "--replay", 99, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["replay"]["exact"]
    assert len(found["replay"]["rows"]) == found["rows"] == 10
    for row in found["replay"]["rows"]:
        assert row["differing"] == 0
        assert row["stands"]
        assert (row["label"], row["radius"]) == (row["recorded_label"], row["recorded_radius"])
        assert row["samples"] > 16
    assert any(row["radius"] > 0 for row in found["replay"]["rows"])


def test_a_forged_row_that_agrees_with_itself_is_found(
    files: dict[str, Path], workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One vote flipped and everything derived from it anew: only the noise can tell."""

    def flip(row: dict[str, Any]) -> None:
        counts, top = row["counts"]["estimation"], str(row["top_class"])
        counts[top] = counts.get(top, 0) + 1
        other = next(k for k, votes in counts.items() if k != top and votes > 0)
        counts[other] -= 1

    run = read_run(files["fixed"])
    line = 1 + next(i for i, row in enumerate(run.rows) if row.estimation[row.top_class] < 400)
    forged = changed(files["fixed"], tmp_path / "forged.jsonl", line, flip)
    again = restate(read_run(forged))
    lines = forged.read_text().splitlines()
    lines[line] = json.dumps(again.rows[line - 1].to_json())
    forged.write_text("\n".join(lines) + "\n")
    assert check(forged) == 0
    capsys.readouterr()
    words = [forged, "--model", workshop / "tiny.onnx", "--data", workshop / "set"]
    assert check(*words, "--replay", 10) == 1
    assert f"input {run.rows[line - 1].index}: 1 votes differ" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("field", "value"), [("radius", 0.5), ("p_a_lower", 0.99), ("base_prediction", 7)]
)
def test_an_edited_figure_is_found(
    field: str, value: float, files: dict[str, Path], workshop: Path, tmp_path: Path
) -> None:
    forged = changed(
        files["fixed"], tmp_path / "forged.jsonl", 2, lambda row: row.update({field: value})
    )
    words = [forged, "--model", workshop / "tiny.onnx", "--data", workshop / "set"]
    assert check(*words, "--replay", 10) == 1


def test_another_model_is_found(
    files: dict[str, Path], workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(files["fixed"], "--model", workshop / "fragile.onnx") == 1
    assert "this is not the model of the run: its SHA-256 is" in capsys.readouterr().err
    assert check(files["fixed"], "--model", workshop / "tiny.onnx") == 0
    assert "the model is the run's" in capsys.readouterr().out


def test_changed_data_are_found(
    files: dict[str, Path], workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "set"
    shutil.copytree(workshop / "set", data)
    words = [files["fixed"], "--model", workshop / "tiny.onnx", "--data", data]
    assert check(*words) == 0
    capsys.readouterr()
    picture = data / "4" / "centre.png"
    with Image.open(picture) as image:
        pixels = image.copy()
    pixels.putpixel((0, 0), 0)
    pixels.save(picture)
    assert check(*words) == 1
    assert "the input 8 has the digest" in capsys.readouterr().err
    (data / "4").rename(data / "40")
    assert check(*words) == 1
    shutil.rmtree(data / "40")
    assert check(*words) == 1


def test_another_seed_in_the_header_is_found(
    files: dict[str, Path], workshop: Path, tmp_path: Path
) -> None:
    forged = changed(
        files["fixed"], tmp_path / "seed.jsonl", 0, lambda header: header["seed"].update(value="4")
    )
    words = [forged, "--model", workshop / "tiny.onnx", "--data", workshop / "set"]
    assert check(*words, "--replay", 10) == 1


def test_elsewhere_differing_votes_are_told_and_are_no_fault(
    files: dict[str, Path], workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A header of another onnxruntime, and one vote that another rounding could have moved."""

    def flip(row: dict[str, Any]) -> None:
        counts, top = row["counts"]["estimation"], str(row["top_class"])
        other = next(k for k, votes in counts.items() if k != top and votes > 1)
        counts[top] += 1
        counts[other] -= 1

    run = read_run(files["fixed"])
    line = 1 + next(
        i
        for i, row in enumerate(run.rows)
        if not row.abstained and row.estimation[row.top_class] < 395
    )
    there = changed(files["fixed"], tmp_path / "a.jsonl", line, flip)
    row = restate(read_run(there)).rows[line - 1].to_json()
    there = changed(there, tmp_path / "b.jsonl", line, lambda old: old.update(row))
    there = changed(
        there,
        tmp_path / "there.jsonl",
        0,
        lambda header: header["versions"].update({"onnxruntime-gpu": "1.0", "numpy": "1.0"}),
    )
    words = [there, "--model", workshop / "tiny.onnx", "--data", workshop / "set"]
    assert check(*words, "--replay", 10) == 0
    out = capsys.readouterr().out
    assert "replayed elsewhere (numpy was '1.0' and is " in out
    assert "1 of 430 votes differ" in out
    assert "does not stand to the last digit" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--replay", "5"], "give --model and --data"),
        (["--data", "set"], "give both"),
        (["--model", "no.onnx"], "no.onnx does not exist"),
        (["--attestation", "no.json"], "no.json does not exist"),
        (["--model", "tiny.onnx", "--data", "set", "--replay", "0"], "at least 1 input"),
        (["--model", "tiny.onnx", "--data", "set", "--providers", "x"], "'x' is not known"),
    ],
)
def test_wrong_usage_is_one_sentence(
    words: list[str],
    said: str,
    files: dict[str, Path],
    workshop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(workshop)
    assert check(files["fixed"], *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("arguments", None),
        ("arguments", {"resolved": {}}),
        ("versions", 3),
        ("model", {"sha256": 5}),
        ("noise", {"sigma": "x"}),
        ("seed", {"value": "-1"}),
    ],
)
def test_a_strange_header_is_one_sentence(
    section: str,
    value: Any,
    files: dict[str, Path],
    workshop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    strange = changed(
        files["fixed"],
        tmp_path / "strange.jsonl",
        0,
        lambda header: header.update({section: value}),
    )
    words = [strange, "--model", workshop / "tiny.onnx", "--data", workshop / "set"]
    assert check(*words, "--replay", 2) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("Error: ")
    assert "bug" not in error


@pytest.fixture
def attested(files: dict[str, Path], tmp_path: Path) -> tuple[Path, Path]:
    target = tmp_path / "run.intoto.json"
    assert run_command(["attest", str(files["fixed"]), "-o", str(target)]) == 0
    return files["fixed"], target


def test_an_attestation_holds(
    attested: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, statement = attested
    assert check(run, "--attestation", statement) == 0
    found = json.loads(statement.read_text())
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert {s["annotations"]["role"] for s in found["subject"]} == {"model", "data", "run file"}
    envelope = tmp_path / "envelope.json"
    payload = base64.b64encode(statement.read_bytes()).decode()
    fields = {"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": []}
    envelope.write_text(json.dumps(fields))
    capsys.readouterr()
    assert check(run, "--attestation", envelope, "--json") == 0
    assert json.loads(capsys.readouterr().out)["attestation"] == str(envelope)


def _without_subject(found: dict[str, Any]) -> None:
    found["subject"].pop()


def _other_digest(found: dict[str, Any]) -> None:
    found["subject"][0]["digest"]["sha256"] = "0" * 64


def _other_summary(found: dict[str, Any]) -> None:
    found["predicate"]["summary"]["acr"] += 0.01


def _other_header(found: dict[str, Any]) -> None:
    found["predicate"]["header"]["noise"]["sigma"] = 1.0


@pytest.mark.parametrize("change", [_without_subject, _other_digest, _other_summary, _other_header])
def test_an_attestation_that_is_not_true_is_found(
    change: Callable[[dict[str, Any]], None], attested: tuple[Path, Path]
) -> None:
    run, statement = attested
    found = json.loads(statement.read_text())
    change(found)
    statement.write_text(json.dumps(found))
    assert check(run, "--attestation", statement) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"_type": 3}',
        b'{"payload": 3, "payloadType": "application/vnd.in-toto+json"}',
        b'{"payload": "e30=", "payloadType": "application/vnd.in-toto+json"}',
        b'{"payload": "!", "payloadType": "x"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_statement_is_one_sentence(
    content: bytes, files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = tmp_path / "strange.json"
    strange.write_bytes(content)
    assert check(files["fixed"], "--attestation", strange) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "bug" not in error


def test_what_is_not_whole_is_not_attested(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = files["fixed"].read_text().splitlines(keepends=True)
    short = tmp_path / "short.jsonl"
    short.write_text("".join(lines[:-1]))
    assert run_command(["attest", str(short)]) == 1
    assert "incomplete, and only a complete one is attested" in capsys.readouterr().err
    forged = changed(
        files["fixed"], tmp_path / "forged.jsonl", 2, lambda row: row.update(p_a_lower=0.99)
    )
    assert run_command(["attest", str(forged)]) == 1
    assert "does not hold (1 faults)" in capsys.readouterr().err
    target = tmp_path / "there.json"
    target.write_text("mine")
    assert run_command(["attest", str(files["fixed"]), "-o", str(target)]) == 2
    assert target.read_text() == "mine"
