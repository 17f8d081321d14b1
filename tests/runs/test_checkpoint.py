"""Checkpoints: what comes back is what was counted, of this run and input, or nothing."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs import Checkpoint, Manifest, check_partial, disk
from rsonnx.runs.manifest import Entry
from rsonnx.runs.partial import partial_of
from rsonnx.smoothing import Answer

RUN_ID, OTHER_ID = "a" * 64, "b" * 64
DIGESTS = {0: "0" * 64, 4: "4" * 64}
MANIFEST = Manifest({k: Entry(k, f"n{k}", None, digest) for k, digest in DIGESTS.items()})
ANSWERS = {
    0: (Answer("selection", 0, Counts([0, 99], 1)),),
    4: (
        Answer("selection", 0, Counts([100])),
        Answer("estimation", 0, Counts([30, 2])),
        Answer("estimation", 32, Counts([0, 18])),
        Answer("estimation", 0, Counts([7]), "c" * 64),  # of another point
    ),
}


class _Clock:
    """Seconds that stand still unless they are moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _checkpoint(folder: Path, identity: str = RUN_ID, seconds: float = 10.0) -> Checkpoint:
    return Checkpoint(folder / "run.jsonl", identity, MANIFEST, seconds=seconds, clock=_Clock())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    checkpoint = _checkpoint(tmp_path)
    growing: dict[int, Any] = {k: list(answers) for k, answers in ANSWERS.items()}
    checkpoint.note(growing)
    growing[0].append(Answer("estimation", 0, Counts([1])))  # what changes later is not written
    checkpoint.write()
    return tmp_path / "run.jsonl.partial"


def test_what_was_kept_comes_back(tmp_path: Path, written: Path) -> None:
    assert partial_of(tmp_path / "run.jsonl") == written
    kept = _checkpoint(tmp_path).read([0, 4])
    assert (kept.answers, kept.problem, kept.samples) == (ANSWERS, None, 257)
    # An input that was finished since must not be counted again, nor one of another shard.
    assert _checkpoint(tmp_path).read([4]).answers == {4: ANSWERS[4]}
    assert [path.name for path in tmp_path.iterdir()] == [written.name]
    other = _checkpoint(tmp_path, OTHER_ID)
    assert (other.read([0, 4]).answers, bool(other.read([0, 4]).problem)) == ({}, True)
    other.remove()
    assert written.exists()
    _checkpoint(tmp_path).remove()
    assert not written.exists()
    nothing = _checkpoint(tmp_path).read([0, 4])
    assert (nothing.answers, nothing.problem, nothing.samples) == ({}, None, 0)


def test_it_is_written_only_when_it_is_time(tmp_path: Path) -> None:
    clock = _Clock()
    path = tmp_path / "run.jsonl.partial"
    never = _checkpoint(tmp_path, seconds=0)
    never.note(ANSWERS)
    never.write()
    assert not path.exists()
    checkpoint = Checkpoint(tmp_path / "run.jsonl", RUN_ID, MANIFEST, seconds=10, clock=clock)
    for clock.now, there in ((0, False), (4, False), (8, True), (12, False), (16, True)):
        checkpoint.note(ANSWERS)
        checkpoint.write_in_time()
        assert path.exists() is there
        path.unlink(missing_ok=True)


def test_every_changed_byte_every_cut_and_every_tail_is_noticed(
    tmp_path: Path, written: Path
) -> None:
    content = written.read_bytes()
    source = random.Random(3)  # noqa: S311 - a fixed sequence of cases, no secret
    damaged = [content + b"x", content * 2, *(content[:at] for at in range(len(content)))]
    for at in range(len(content)):
        change = source.randrange(1, 256)
        damaged.append(content[:at] + bytes([content[at] ^ change]) + content[at + 1 :])
    for case in damaged:
        written.write_bytes(case)
        kept = _checkpoint(tmp_path).read([0, 4])
        assert kept.problem is not None
        assert not kept.answers


def _signed(value: dict[str, object]) -> bytes:
    body = json.dumps(value).encode() + b"\n"
    return body + json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"


GOOD = {"stage": "estimation", "start": 0, "stop": 2, "counts": {"1": 2}}
INPUT: dict[str, Any] = {"index": 0, "digest": DIGESTS[0], "answers": [GOOD]}
ANSWERS_WRONG = [
    *([GOOD | wrong] for wrong in ({"stage": 3}, {"point": "x"}, {"stop": 3}, {"stop": 0})),
    *([GOOD | wrong] for wrong in ({"start": -1}, {"counts": [2]})),
    *([GOOD | {"counts": counts}] for counts in ({"1": 3, "2": -1}, {"9" * 30: 2})),
    [GOOD, GOOD],  # nothing may be counted twice
    [GOOD, GOOD | {"start": 3, "stop": 5}],
    3,
]


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 2},
        {"run": 7},
        {"inputs": {}},
        {"inputs": [7]},
        {"inputs": [INPUT, INPUT]},
        {"inputs": [INPUT | {"index": 1}]},
        {"inputs": [INPUT | {"digest": DIGESTS[4]}]},
        {"inputs": [INPUT | {"digest": "x"}]},
        {"inputs": [{"index": 0, "digest": DIGESTS[0]}]},
        *({"inputs": [INPUT | {"answers": answers}]} for answers in ANSWERS_WRONG),
    ],
    ids=str,
)
def test_a_checkpoint_that_contradicts_itself_is_not_used(
    tmp_path: Path, change: dict[str, object]
) -> None:
    value: dict[str, object] = {
        "kind": "checkpoint",
        "format": "rsonnx-partial",
        "format_version": 1,
        "run": RUN_ID,
        "inputs": [INPUT],
    }
    path = tmp_path / "run.jsonl.partial"
    path.write_bytes(_signed(value))
    assert _checkpoint(tmp_path).read([0]).samples == 2
    path.write_bytes(_signed(value | change))
    kept = _checkpoint(tmp_path).read([0])
    assert not kept.answers
    assert kept.problem
    assert "\n" not in kept.problem


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path, written: Path) -> None:
    check_partial(tmp_path / "run.jsonl")
    written.write_bytes(written.read_bytes()[:20])
    check_partial(tmp_path / "run.jsonl")
    written.write_text("my notes")
    with pytest.raises(UsageError, match="no checkpoint"):
        check_partial(tmp_path / "run.jsonl")
    with pytest.raises(UsageError, match="too long"):
        check_partial(tmp_path / ("x" * 246))  # with .partial it is not, with .partial.tmp it is
    written.unlink()
    written.mkdir()
    with pytest.raises(UsageError, match="directory"):
        check_partial(tmp_path / "run.jsonl")


def test_the_old_counts_stay_where_the_new_cannot_be_written(
    tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "append", refuse)
    checkpoint = _checkpoint(tmp_path)
    checkpoint.note({0: ANSWERS[0]})
    with pytest.raises(RunFileError, match="No space left"):
        checkpoint.write()
    assert _checkpoint(tmp_path).read([0, 4]).answers == ANSWERS
    assert [path.name for path in tmp_path.iterdir()] == [written.name]
