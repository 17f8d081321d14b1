"""Checkpoints: what comes back is what was counted, of this run and input, or nothing."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs import Checkpoint, Manifest, check_partial, disk
from rsonnx.runs.manifest import Entry
from rsonnx.runs.partial import partial_of
from rsonnx.smoothing import Answer

RUN_ID, OTHER_ID = "a" * 64, "b" * 64
DIGESTS = {0: "0" * 64, 4: "4" * 64}
ANSWERS = {
    0: (Answer("selection", 0, Counts([0, 99], 1)),),
    4: (
        Answer("selection", 0, Counts([100])),
        Answer("estimation", 0, Counts([30, 2])),
        Answer("estimation", 32, Counts([0, 18])),
    ),
}


class _Clock:
    """Seconds that stand still unless they are moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _manifest() -> Manifest:
    return Manifest({k: Entry(k, f"n{k}", None, digest) for k, digest in DIGESTS.items()})


def _checkpoint(folder: Path, *, identity: str = RUN_ID, seconds: float = 10.0) -> Checkpoint:
    return Checkpoint(folder / "run.jsonl", identity, _manifest(), seconds=seconds, clock=_Clock())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    checkpoint = _checkpoint(tmp_path)
    checkpoint.keep(ANSWERS)
    checkpoint.write()
    return tmp_path / "run.jsonl.partial"


def test_what_was_kept_comes_back(tmp_path: Path, written: Path) -> None:
    assert partial_of(tmp_path / "run.jsonl") == written
    kept = _checkpoint(tmp_path).read([0, 4])
    assert (kept.answers, kept.problem, kept.samples) == (ANSWERS, None, 250)
    # An input that was finished since must not be counted again, nor one of another shard.
    assert _checkpoint(tmp_path).read([4]).answers == {4: ANSWERS[4]}
    assert [path.name for path in tmp_path.iterdir()] == [written.name]


def test_nothing_kept_is_no_problem(tmp_path: Path) -> None:
    kept = _checkpoint(tmp_path).read([0, 4])
    assert (kept.answers, kept.problem, kept.samples) == ({}, None, 0)


def test_it_is_written_only_when_it_is_time(tmp_path: Path) -> None:
    clock = _Clock()
    path = tmp_path / "run.jsonl.partial"
    checkpoint = Checkpoint(tmp_path / "run.jsonl", RUN_ID, _manifest(), seconds=10, clock=clock)
    for clock.now, there in ((0, False), (9.9, False), (10, True)):
        checkpoint.keep(ANSWERS)
        assert path.exists() is there
    path.unlink()
    for clock.now, there in ((19, False), (20, True)):
        checkpoint.keep(ANSWERS)
        assert path.exists() is there


def test_no_seconds_write_never(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path, seconds=0)
    checkpoint.keep(ANSWERS)
    checkpoint.write()
    assert not list(tmp_path.iterdir())


def test_what_changes_later_is_not_written(tmp_path: Path) -> None:
    growing = {0: list(ANSWERS[0])}
    checkpoint = _checkpoint(tmp_path)
    checkpoint.keep(growing)
    growing[0].append(Answer("estimation", 0, Counts([1])))
    checkpoint.write()
    assert _checkpoint(tmp_path).read([0]).answers == {0: ANSWERS[0]}


def test_every_changed_byte_is_noticed(tmp_path: Path, written: Path) -> None:
    content = written.read_bytes()
    source = random.Random(3)  # noqa: S311 - a fixed sequence of cases, no secret
    for at in range(len(content)):
        change = source.randrange(1, 256)
        written.write_bytes(content[:at] + bytes([content[at] ^ change]) + content[at + 1 :])
        kept = _checkpoint(tmp_path).read([0, 4])
        assert kept.problem is not None, at
        assert not kept.answers


def test_every_cut_and_every_tail_is_noticed(tmp_path: Path, written: Path) -> None:
    content = written.read_bytes()
    for damaged in [*(content[:at] for at in range(len(content))), content + b"x", content * 2]:
        written.write_bytes(damaged)
        kept = _checkpoint(tmp_path).read([0, 4])
        assert kept.problem is not None
        assert not kept.answers


def test_that_of_another_run_is_not_used_and_not_removed(tmp_path: Path, written: Path) -> None:
    other = _checkpoint(tmp_path, identity=OTHER_ID)
    assert other.read([0, 4]).problem == "it belongs to another run"
    other.remove()
    assert written.exists()
    _checkpoint(tmp_path).remove()
    assert not written.exists()


def _signed(value: dict[str, object]) -> bytes:
    body = json.dumps(value).encode() + b"\n"
    return body + json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"


GOOD = {"stage": "estimation", "start": 0, "stop": 2, "counts": {"1": 2}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 2}, "format version is 2"),
        ({"run": 7}, "another run"),
        ({"inputs": {}}, "inputs is an object"),
        ({"inputs": [7]}, "not subscriptable"),
        ({"inputs": [{"index": 1, "digest": DIGESTS[0], "answers": []}]}, "none of the run's"),
        ({"inputs": [{"index": 0, "digest": DIGESTS[4], "answers": []}]}, "another one"),
        ({"inputs": [{"index": 0, "digest": "x", "answers": []}]}, "not a SHA-256"),
        ({"inputs": [{"index": 0, "digest": DIGESTS[0]}]}, "'answers' is missing"),
        ({"answers": 3}, "answers is 3"),
        ({"answers": [GOOD | {"stage": 3}]}, "stage is 3"),
        ({"answers": [GOOD | {"point": "x"}]}, "not a SHA-256"),
        ({"answers": [GOOD | {"stop": 3}]}, "the counts sum to 2"),
        ({"answers": [GOOD | {"stop": 0}]}, "stop is 0"),
        ({"answers": [GOOD | {"start": -1}]}, "start is -1"),
        ({"answers": [GOOD | {"counts": {"1": 3, "2": -1}}]}, "2 is -1"),
        ({"answers": [GOOD | {"counts": [2]}]}, "counts is a list"),
        ({"answers": [GOOD, GOOD]}, "not one range"),
        ({"answers": [GOOD, GOOD | {"start": 3, "stop": 5}]}, "not one range"),
        ({"answers": [GOOD | {"counts": {"9" * 30: 2}}]}, "have the class"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_not_used(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    value: dict[str, object] = {
        "kind": "checkpoint",
        "format": "rsonnx-partial",
        "format_version": 1,
        "run": RUN_ID,
        "inputs": [{"index": 0, "digest": DIGESTS[0], "answers": [GOOD]}],
    }
    path = tmp_path / "run.jsonl.partial"
    path.write_bytes(_signed(value))
    assert _checkpoint(tmp_path).read([0]).problem is None
    if "answers" in change:
        change = {"inputs": [{"index": 0, "digest": DIGESTS[0], **change}]}
    path.write_bytes(_signed(value | change))
    kept = _checkpoint(tmp_path).read([0])
    assert not kept.answers
    assert words in str(kept.problem)


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path, written: Path) -> None:
    check_partial(tmp_path / "run.jsonl")
    written.write_bytes(written.read_bytes()[:20])
    check_partial(tmp_path / "run.jsonl")
    written.write_text("my notes")
    with pytest.raises(UsageError, match="is no checkpoint of rsonnx"):
        check_partial(tmp_path / "run.jsonl")
    with pytest.raises(UsageError, match="cannot be created: File name too long"):
        check_partial(tmp_path / ("x" * 246))  # with .partial it is not, with .partial.tmp it is
    written.unlink()
    written.mkdir()
    with pytest.raises(UsageError, match="cannot be created: Is a directory"):
        check_partial(tmp_path / "run.jsonl")


def test_the_old_counts_stay_where_the_new_cannot_be_written(
    tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "append", refuse)
    checkpoint = _checkpoint(tmp_path)
    checkpoint.keep({0: ANSWERS[0]})
    with pytest.raises(RunFileError, match=r"cannot be kept in .*: No space left on device"):
        checkpoint.write()
    assert _checkpoint(tmp_path).read([0, 4]).answers == ANSWERS
    assert [path.name for path in tmp_path.iterdir()] == [written.name]
