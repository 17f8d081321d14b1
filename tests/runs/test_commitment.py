"""Commitments: the seed follows from what was settled and from a value that came later."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from headers import record
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs import Commitment, Header, read_commitment
from rsonnx.runs.commitment import CommittedSeed
from rsonnx.runs.differences import FREE, flat

SOURCE, ROUND, VALUE = "drand quicknet, randomness", "30000000", "0f3a" * 16
RECORD = record(model={"opset": {"own": 1}}, data={"size": 9})
MADE = Commitment.of(RECORD, SOURCE, ROUND)


def _committed(**changed: Any) -> dict[str, Any]:
    return {**RECORD, "seed": CommittedSeed(MADE, VALUE).to_json()} | changed


def _changed(value: Any) -> Any:
    """Another value of the same kind, where there is one."""
    if isinstance(value, str):
        return value[:-1] + ("1" if value[-1:] == "0" else "0")
    if value == []:
        return ["x"]
    return [] if isinstance(value, list | dict) else 0.25 if value is None else value + 1


def test_the_digest_is_that_of_the_file_and_the_seed_follows_as_written_out(tmp_path: Path) -> None:
    path = tmp_path / "made.json"
    path.write_bytes(MADE.content)
    assert read_commitment(path) == MADE
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == MADE.sha256
    text = b"rsonnx beacon 1\0" + digest.encode() + b"\0" + VALUE.encode()
    expected = int.from_bytes(hashlib.sha256(text).digest()[:16], "big")
    assert CommittedSeed(MADE, VALUE).seed == expected
    header = Header.from_json(_committed())
    assert (header.seed, header.committed) == (expected, CommittedSeed(MADE, VALUE))


def test_known_answers_which_files_that_were_published_rest_on() -> None:
    run = {
        **{"kind": "header", "format": "rsonnx-run", "format_version": 1, "created": "now"},
        **{"status": "started", "claim": "much", "fields": {}, "engine": {"workers": 2}},
        "model": {"file": "µ.onnx", "sha256": "ab" * 32, "bounds": {"low": 0.0, "source": "x"}},
        "noise": {"sigma": 0.1, "scale": 1e-07, "big": 2**60},
        "seed": {"value": "1"},
        "arguments": {"given": ["certify"], "resolved": {"n": 2}},
        **{"n": 2, "alpha": 0.001, "shard": None, "samples": None, "restated_from": None},
        "versions": {"numpy": "2.4.6", "python": "3.12.0", "platform": "x"},
    }
    made = Commitment.of(run, "nist, outputValue µ", "7")
    assert made.run == {
        "model": {"sha256": "ab" * 32, "bounds": {"low": 0.0}},
        "noise": run["noise"],
        **{"n": 2, "alpha": 0.001, "versions": {"numpy": "2.4.6"}},
    }
    assert made.sha256 == "845c3c078048fdebce8808e2b8308434b49eb8bd55ad0b203ade87f800a521ee"
    assert CommittedSeed(made, "00ff" * 16).seed == 33757928448050241819225959447452124906


def test_each_field_that_tells_runs_apart_decides_the_digest_and_is_checked() -> None:
    covered = flat(MADE.run)
    assert {"model.sha256", "data.manifest", "n0", "n", "alpha", "bound", "noise.sigma"} < {
        *covered
    }
    assert {"model.providers.used", "data.size", "family_wise", "target_radii"} < {*covered}
    assert not {field for field in covered if field in FREE or field.split(".")[0] == "seed"}
    for field, value in covered.items():
        other = copy.deepcopy(RECORD)
        *parents, last = field.split(".")
        inside = other
        for parent in parents:
            inside = inside[parent]
        inside[last] = _changed(value)
        made = Commitment.of(other, SOURCE, ROUND)
        assert made.sha256 != MADE.sha256
        assert [difference.field for difference in MADE.differences(other)] == [field]
        with pytest.raises(UsageError, match=field):
            MADE.check(other)
        with pytest.raises(RunFileError):
            Header.from_json({**other, "seed": CommittedSeed(MADE, VALUE).to_json()})


def test_a_field_left_out_of_a_commitment_or_added_is_a_difference() -> None:
    for field in MADE.run:
        fewer = {name: value for name, value in MADE.run.items() if name != field}
        assert Commitment(fewer, SOURCE, ROUND).differences(RECORD)
    assert MADE.differences({**RECORD, "unheard_of": 1})


def test_neither_the_part_nor_the_seed_nor_the_words_of_the_command_matter() -> None:
    for changed in (
        {"seed": {"value": "8", "source": "operating system"}},
        {"shard": {"index": 1, "of": 2}, "created": "later", "claim": "of the shard"},
        {"arguments": {"given": ["another"], "resolved": {"workers": 3}}},
        {"model": {**RECORD["model"], "file": "renamed.onnx"}},
    ):
        assert Commitment.of(RECORD | changed, SOURCE, ROUND) == MADE


@given(st.sampled_from(["source", "round", "beacon", "run"]), st.binary())
def test_all_that_a_seed_follows_from_decides_it(name: str, drawn: bytes) -> None:
    values = {"source": SOURCE, "round": ROUND, "beacon": VALUE, "run": "7"}
    values[name] = hashlib.sha256(drawn).hexdigest()
    commitment = Commitment({"n": values["run"]}, values["source"], values["round"])
    plain = Commitment({"n": "7"}, SOURCE, ROUND)
    assert CommittedSeed(commitment, values["beacon"]).seed != CommittedSeed(plain, VALUE).seed


def test_a_value_has_one_spelling() -> None:
    assert CommittedSeed(MADE, f" {VALUE.upper()}\n") == CommittedSeed(MADE, VALUE)
    for value in (
        "",
        "0f" * 15,
        "0x" + VALUE,
        "3 17 22 41",
        VALUE[:-1] + "g",
        "f" * 1025,
        "٣" * 32,
    ):
        with pytest.raises(UsageError):
            CommittedSeed(MADE, value)
    for name in ("", " ", "a\nb", "x" * 201):
        with pytest.raises(UsageError):
            Commitment({}, name, ROUND)
        with pytest.raises(UsageError):
            Commitment({}, SOURCE, name)


@pytest.mark.parametrize(
    "edit",
    [
        lambda seed: seed.update(value=str(int(seed["value"]) + 1)),
        lambda seed: seed.update(value="0" + seed["value"]),
        lambda seed: seed.update(source="argument"),
        lambda seed: seed.update(beacon="0e" * 32),
        lambda seed: seed.update(beacon=seed["beacon"].upper()),
        lambda seed: seed.update(beacon=7),
        lambda seed: seed.update(more=1),
        lambda seed: seed.pop("beacon"),
        lambda seed: seed.pop("commitment"),
        lambda seed: seed["commitment"].update(more=1),
        lambda seed: seed["commitment"].update(format_version=2),
        lambda seed: seed["commitment"]["beacon"].update(round="30000001"),
        lambda seed: seed["commitment"]["beacon"].update(source="nist"),
        lambda seed: seed["commitment"]["beacon"].update(more=1),
        lambda seed: seed["commitment"]["run"].update(n=999),
        lambda seed: seed["commitment"].update(run=[]),
    ],
)
def test_a_seed_that_does_not_follow_is_refused(edit: Any) -> None:
    seed = CommittedSeed(MADE, VALUE).to_json()
    Header.from_json(_committed(seed=seed))
    edit(seed)
    with pytest.raises(RunFileError):
        Header.from_json(_committed(seed=seed))


def test_a_commitment_nested_too_deeply_is_no_bug() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    seed = CommittedSeed(MADE, VALUE).to_json()
    seed["commitment"]["run"] = deep
    with pytest.raises(RunFileError):
        Header.from_json(_committed(seed=seed))


def test_a_restated_run_is_taken_for_what_it_was_made_as() -> None:
    names = ("alpha", "bound", "radius_rule", "family_wise")
    before = {name: RECORD[name] for name in names}
    restated = Header.from_json(_committed(alpha=0.01, restated_from=before))
    assert (restated.procedure.alpha, restated.committed) == (0.01, CommittedSeed(MADE, VALUE))
    for wrong in ({**before, "alpha": 0.01}, {**before, "bound": "hoeffding"}):
        with pytest.raises(RunFileError):
            Header.from_json(_committed(alpha=0.01, restated_from=wrong))
    with pytest.raises(RunFileError):  # only its settings may be restated
        Header.from_json(_committed(n=999, restated_from={**before, "n": RECORD["n"]}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        MADE.content[:-1],
        MADE.content.replace(b"  ", b"\t"),
        MADE.content.replace(b"30000000", b"30000000\\n"),
        json.dumps(MADE.to_json()).encode(),
        MADE.content.replace(b'"run": {', b'"run": {}, "run": {'),
        MADE.content.replace(b"0.001", b"NaN"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_refused(content: bytes, tmp_path: Path) -> None:
    assert content != MADE.content
    path = tmp_path / "made.json"
    path.write_bytes(content)
    with pytest.raises(RunFileError, match=r"made\.json"):
        read_commitment(path)
