"""``verify --replay`` elsewhere: near ties explain votes, and what is not reached is a fault."""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Outcome, assert_sentence, command, done, lines_of, write_lines
from numpy.typing import NDArray

from rsonnx.model import SCORES
from rsonnx.procedures.covered import Covered
from rsonnx.runs import Row, check_against, read_run, restate
from rsonnx.runtime import Session
from rsonnx.statistics import AdaptiveRule

GOLDEN = Path(__file__).parents[1] / "golden"
Lines = list[dict[str, Any]]
WAYS = {
    "fixed": "--n 2000",
    "adaptive": "--n 4000 --adaptive",
}
REPLAY = "--model tiny.onnx --data set --providers cpu --replay 99"
FORGED = Path("forged.jsonl")


def certify(way: str, output: str = "run.jsonl") -> Lines:
    done(f"certify tiny.onnx set --sigma 0.25 --seed 3 --quiet {WAYS[way]} -o {output}")
    return lines_of(Path(output))


def rounding_to(bits: int) -> Callable[..., NDArray[Any]]:
    """A session whose scores have so many bits, in the place of ``Session.run_all``."""
    exact = Session.run_all

    def run_all(
        session: Session, outputs: Sequence[str], name: str, batch: NDArray[Any]
    ) -> list[NDArray[Any]]:
        mantissa, exponent = np.frexp(exact(session, [SCORES], name, batch)[0])
        scores = np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits)
        return [scores if output == SCORES else scores.argmax(axis=1) for output in outputs]

    return run_all


def called_tf32(header: dict[str, Any]) -> None:
    """Let a header say that the run was made on a card, with TF32."""
    header["model"]["providers"]["used"] = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    header["model"]["session"] = {"options": {}, "tf32": True}
    used = header["model"]["providers"]["used"]
    header["arguments"]["resolved"].update(tf32=True, providers=used)


def replayed(lines: Lines) -> tuple[Outcome, Outcome]:
    """Write a file that agrees with itself and replay it: what was said, and the JSON of it."""
    for line in lines[1:-1]:
        line["samples"] = {k: sum(votes.values()) for k, votes in line["counts"].items()}
    write_lines(FORGED, lines)
    rows = [row.to_json() for row in restate(read_run(FORGED, checked=False)).rows]
    write_lines(FORGED, [lines[0], *rows, lines[-1]])
    words = f"verify {FORGED} {REPLAY}"
    said, fields = command(words), command(f"{words} --json")
    assert said.code == fields.code
    assert said.code == 0 or assert_sentence(said, str(FORGED)) is None
    assert not fields.json()["replay"]["exact"]
    return said, fields


def move(line: dict[str, Any], votes: int) -> None:
    """Move votes of an input to its top class, or away from it, to the class that has most."""
    counts, top = line["counts"]["estimation"], str(line["top_class"])
    other = max((k for k in counts if k != top), key=lambda k: counts[k])
    counts[top] += votes
    counts[other] -= votes


def contested(lines: Lines) -> dict[str, Any]:
    """Return a row that is certified, with a good share of the votes for another class."""
    return next(
        line
        for line in lines[1:-1]
        if not line["abstained"] and 100 < line["samples"]["estimation"] - hits(line) < 800
    )


def hits(line: dict[str, Any]) -> int:
    return int(line["counts"]["estimation"][str(line["top_class"])])


@pytest.mark.parametrize("way", WAYS)
def test_near_ties_explain_what_a_coarser_rounding_moved(
    way: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TF32 keeps 10 bits of a product, so scores of 11 bits are well within its rounding."""
    with monkeypatch.context() as patch:
        patch.setattr(Session, "run_all", rounding_to(11))
        lines = certify(way)
    called_tf32(lines[0])
    said, fields = replayed(lines)
    rows = fields.json()["replay"]["rows"]
    assert any(row["differing"] for row in rows)
    for row in rows:
        assert (row["near_ties"] is None) == (row["differing"] == 0)
        assert row["differing"] <= (row["near_ties"] or 0)
        assert row["unexplained"] == 0
    fallen = {row["index"] for row in rows if not row["stands"]}
    assert {fault["index"] for fault in fields.json()["faults"]} == fallen
    assert fallen
    assert said.code == 5
    assert "explained by near ties" in said.said


def test_what_no_rounding_of_the_sessions_explains_is_told(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same votes, from a session that is said to have had all bits of float32."""
    with monkeypatch.context() as patch:
        patch.setattr(Session, "run_all", rounding_to(11))
        lines = certify("fixed")
    lines[0]["versions"]["onnxruntime-gpu"] = "1.0"
    said, fields = replayed(lines)
    rows = {row["index"]: row for row in fields.json()["replay"]["rows"]}
    assert any(row["unexplained"] for row in rows.values())
    faults = {fault["index"] for fault in fields.json()["faults"]}
    assert faults == {k for k, row in rows.items() if row["unexplained"] or not row["stands"]}
    assert any(rows[k]["stands"] for k in faults)  # which is no fall, so the file is refused
    assert said.code == 1
    assert "unexplained" in said.said


def votes_added(lines: Lines) -> None:
    move(contested(lines), 40)


def all_votes(lines: Lines) -> None:
    for line in lines[1:-1]:
        if not line["abstained"]:
            line["counts"]["estimation"] = {str(line["top_class"]): line["samples"]["estimation"]}


def votes_taken(lines: Lines) -> None:
    move(contested(lines), -40)


def another_class(lines: Lines) -> None:
    line = contested(lines)
    for votes in line["counts"].values():
        top = str(line["top_class"])
        other = next(str(k) for k in range(10) if str(k) != top and str(k) not in votes)
        votes[other] = votes.pop(top)


def no_class(lines: Lines) -> None:
    """An abstention claims nothing, but its votes are not those of the model."""
    line = contested(lines)
    line["counts"] = {stage: {"no_class": n} for stage, n in line["samples"].items()}


def base_prediction(lines: Lines) -> None:
    line = contested(lines)
    line["base_prediction"] = (line["base_prediction"] + 5) % 10


def votes_added_and_a_base_prediction(lines: Lines) -> None:
    votes_added(lines)
    base_prediction(lines)


FORGERIES: dict[str, tuple[Callable[[Lines], None], int]] = {
    "votes added": (votes_added, 5),
    "all votes": (all_votes, 5),
    "another class": (another_class, 5),
    "votes taken": (votes_taken, 1),
    "no class": (no_class, 1),
    "a base prediction": (base_prediction, 1),
    "votes added and a base prediction": (votes_added_and_a_base_prediction, 1),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forger_who_claims_other_versions_is_found(name: str, here: Path) -> None:
    forge, code = FORGERIES[name]
    lines = certify("fixed")
    forge(lines)
    lines[0]["versions"].update({"numpy": "1.0", "processor": "another"})
    said, fields = replayed(lines)
    assert said.code == code
    rows = fields.json()["replay"]["rows"]
    assert fields.json()["faults"]
    for row in rows:
        assert row["stands"] or row["unexplained"]


def test_a_claim_that_the_votes_before_it_do_not_reach_is_a_fault(here: Path) -> None:
    """The counts are those of the seed; a look is claimed before which there were hits alone."""
    lines = certify("adaptive")
    lines[0]["versions"]["numpy"] = "1.0"
    run = read_run(write_lines(FORGED, lines))
    forged, rows = set(), []
    for row in run.rows:
        if not row.abstained:
            looked = row.evidence.hits // 2
            evidence = replace(row.evidence, claim=(looked, looked))
            rows.append(Row.of(run.header.procedure.derive(evidence), row))
            forged.add(row.index)
        else:
            rows.append(row)
    again = check_against(
        replace(run, rows=tuple(rows)), "tiny.onnx", "set", providers=["cpu"], count=len(rows)
    )
    assert again is not None
    assert again.unreached == again.faults
    assert {fault.index for fault in again.faults} == forged != set()
    assert {row.index for row in again.rows if row.unexplained} == forged


def test_a_tie_of_the_model_itself_may_be_broken_otherwise(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a vote nor the answer without noise is a fault, where the scores are near ties."""
    lines = certify("fixed")
    lines[0]["versions"]["numpy"] = "1.0"
    ties = lambda _model, batch, _unit: np.ones(len(batch), np.bool_)  # noqa: E731
    monkeypatch.setattr("rsonnx.runtime.OnnxClassifier.near_ties", ties)
    base_prediction(lines)
    assert replayed(lines)[0].code == 0


def test_hits_that_move_between_images_of_a_cover_are_no_equal_votes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them together are as many, but they certify an image that was given up."""
    shutil.copytree(GOLDEN / "inputs", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    run = read_run(GOLDEN / "runs" / "rotation.jsonl")
    procedure = run.header.procedure
    assert isinstance(procedure, Covered)
    forged, rows = set(), []
    for row in run.rows:
        cover = row.cover
        assert cover is not None
        rules = [procedure._rule(radius) for radius in cover.radii]
        least = [
            bisect_left(range(samples + 1), True, key=partial(_reaches, rule, samples))
            for rule, samples in zip(rules, cover.samples, strict=True)
        ]
        hits = [max(own, needed) for own, needed in zip(cover.hits, least, strict=True)]
        added = sum(hits) - sum(cover.hits)
        for at, needed in enumerate(least):
            taken = min(added, hits[at] - needed)
            hits[at], added = hits[at] - taken, added - taken
        evidence = replace(row.evidence, cover=replace(cover, hits=tuple(hits)))
        certificate = procedure.derive(evidence) if not added else None
        if certificate is not None and certificate.radius > row.radius:
            forged.add(row.index)
            rows.append(Row.of(certificate, row))
        else:
            rows.append(row)
    again = check_against(
        replace(run, rows=tuple(rows)), "image.onnx", "grey.npz", providers=["cpu"], count=9
    )
    assert again is not None
    assert forged
    assert {fault.index for fault in again.unreached} == forged


def _reaches(rule: AdaptiveRule, samples: int, hits: int) -> bool:
    return rule.reaches(hits, samples)
