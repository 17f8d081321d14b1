"""Attestations that say more than is true, or say it twice."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rsonnx.cli import run as run_command
from rsonnx.runs import read_run, statement


@pytest.fixture(scope="module")
def attested(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("attested")
    run, attestation = folder / "run.jsonl", folder / "run.intoto.json"
    words = ["certify", workshop / "tiny.onnx", workshop / "set", "--sigma", "0.25", "--n0", "30"]
    words += ["--n", "400", "--seed", "3", "--limit", "4", "--quiet", "-o", run]
    assert run_command([*map(str, words)]) == 0
    assert run_command(["attest", str(run), "-o", str(attestation)]) == 0
    return run, attestation


def check(run: Path, attestation: Path) -> int:
    return run_command(["verify", str(run), "--attestation", str(attestation)])


def _further_subject(found: dict[str, Any]) -> None:
    found["subject"].append({"name": "other.onnx", "digest": {"sha256": "0" * 64}})


def _subject_twice(found: dict[str, Any]) -> None:
    found["subject"].append(found["subject"][0])


def _other_name(found: dict[str, Any]) -> None:
    found["subject"][0]["name"] = "other.onnx"


def _other_role(found: dict[str, Any]) -> None:
    found["subject"][0]["annotations"]["role"] = "data"


def _further_digest(found: dict[str, Any]) -> None:
    found["subject"][2]["digest"]["sha512"] = "0" * 128


def _further_claim(found: dict[str, Any]) -> None:
    found["predicate"]["approved"] = "by everyone"


def _true_for_one(found: dict[str, Any]) -> None:
    """In Python 1 == True."""
    assert found["predicate"]["header"]["format_version"] == 1
    found["predicate"]["header"]["format_version"] = True


@pytest.mark.parametrize(
    "change",
    [
        _further_subject,
        _subject_twice,
        _other_name,
        _other_role,
        _further_digest,
        _further_claim,
        _true_for_one,
    ],
)
def test_what_a_statement_says_beyond_the_run_is_found(
    change: Callable[[dict[str, Any]], None],
    attested: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, attestation = attested
    found = json.loads(attestation.read_text())
    change(found)
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(found))
    assert check(run, attestation) == 0
    assert check(run, changed) == 1
    assert "bug" not in capsys.readouterr().err


def test_a_field_twice_is_no_statement(attested: tuple[Path, Path], tmp_path: Path) -> None:
    """One reader takes the first value, another the last."""
    run, attestation = attested
    text = attestation.read_text()
    twice = tmp_path / "twice.json"
    twice.write_text(text.replace('"acr":', '"acr": 9.9, "acr":', 1))
    assert json.loads(twice.read_text()) == json.loads(text)
    assert check(run, twice) == 1
    twice.write_text(text.replace('"predicate":', '"extra": NaN, "predicate":', 1))
    assert check(run, twice) == 1


def test_a_run_file_may_be_renamed(attested: tuple[Path, Path], tmp_path: Path) -> None:
    run, attestation = attested
    renamed = tmp_path / "renamed.jsonl"
    renamed.write_bytes(run.read_bytes())
    assert check(renamed, attestation) == 0


def test_an_envelope_may_have_the_alphabet_for_addresses(
    attested: tuple[Path, Path], tmp_path: Path
) -> None:
    run, attestation = attested
    found = json.loads(attestation.read_text())
    found["later"] = "ÿþ~~~???>>>"  # a consumer ignores what it does not know
    payload = base64.urlsafe_b64encode(json.dumps(found, ensure_ascii=False).encode())
    assert {b"-"[0], b"_"[0]} & set(payload)
    envelope = tmp_path / "envelope.json"
    fields = {"payloadType": "application/vnd.in-toto+json", "payload": payload.decode()}
    envelope.write_text(json.dumps(fields | {"signatures": []}))
    assert check(run, envelope) == 0


def test_a_digest_of_several_files_is_called_so(attested: tuple[Path, Path]) -> None:
    run = read_run(attested[0])
    assert "content" not in statement(run, {})["subject"][0]["annotations"]
    model = run.header["model"] | {"external_data": ["weights.bin"]}
    several = replace(run, header=run.header | {"model": model})
    said = statement(several, {})["subject"][0]["annotations"]["content"]
    assert said == "the file and its external data, one after the other"
