"""Runs are held against inputs of another answer: honest ones stand, overstated ones fall."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from commands import lines_of, write_lines

import rsonnx
from rsonnx.counts import Counts
from rsonnx.errors import RunFileError, UsageError
from rsonnx.listener import Listener
from rsonnx.noise import noise_of
from rsonnx.procedures import Evidence
from rsonnx.runs import Row, check_breaks, read_breaks, read_run
from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing.falsify import Effort

EFFORT = Effort(draws=600, rounds=2, samples=1_500)
LEVELS = [10, 50, 70, 100, 120, 134, 150, 190, 205, 240]
"""Grey pictures of 64 pixels; the class is that of the nearest of ten means, k/9."""


@pytest.fixture
def made(
    classifier: OnnxClassifier,
    children: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder with a model, data, and a run of them."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.onnx").write_bytes(classifier.elsewhere.model.read_bytes())
    x = np.array(LEVELS, np.uint8)[:, None, None, None] * np.ones((1, 8, 8), np.uint8)
    y = np.rint(np.array(LEVELS) / 255 * 9).astype(int)
    np.savez("grey.npz", x=x, y=y)
    rsonnx.certify(
        "tiny.onnx", "grey.npz", sigma=0.25, n=2_000, seed=1, output="run.jsonl", preprocess="none"
    )
    return tmp_path


@pytest.fixture
def broken(made: Path) -> Path:
    """The file of breaks of that run."""
    rsonnx.falsify("tiny.onnx", "grey.npz", "run.jsonl", effort=EFFORT, seed=2, output="b.jsonl")
    return made / "b.jsonl"


def overstate(rows: int) -> None:
    """Forge that in the first certificates every sample was of the class, at radii that follow."""
    run, lines = read_run("run.jsonl"), lines_of(Path("run.jsonl"))
    for at in [at for at, line in enumerate(lines) if line.get("radius")][:rows]:
        row = next(row for row in run.rows if row.index == lines[at]["index"])
        classes = [0] * 10
        classes[row.prediction] = row.estimation.total
        evidence = Evidence(row.selection, Counts(classes))
        lines[at] = Row.of(run.header.procedure.derive(evidence), row).to_json()
    write_lines(Path("run.jsonl"), lines)


def faults_of(path: Path) -> list[int | None]:
    breaks = read_breaks(path)
    return [fault.index for fault in check_breaks(breaks, "tiny.onnx", "grey.npz", "run.jsonl")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 0.9), ("alpha_inside", 0.9), ("run", {"alpha": 0.999}), ("run", {"shared": True})],
)
def test_a_header_that_would_excuse_more_breaks_is_refused(
    name: str, value: Any, broken: Path
) -> None:
    """Each of these alone lets an overstated run seem to hold, or a guess seem confirmed."""
    lines = lines_of(broken)
    lines[0][name] = lines[0][name] | value if isinstance(value, dict) else value
    write_lines(broken, lines)
    with pytest.raises(RunFileError, match=name):
        check_breaks(read_breaks(broken), "tiny.onnx", "grey.npz", "run.jsonl")


def test_a_break_that_is_left_out_is_told(broken: Path) -> None:
    lines = lines_of(broken)
    at = next(k for k, line in enumerate(lines) if line.get("distance"))
    void = dict.fromkeys(("distance", "answer", "counts", "again", "input"))
    lines[at] |= void | {"reason": "no-certificate"}
    write_lines(broken, lines)
    assert faults_of(broken) == [lines[at]["index"], None]  # and its arrays hold one more


def test_arrays_of_other_inputs_are_told(broken: Path) -> None:
    arrays = dict(np.load("b.npz"))
    np.savez("b.npz", **arrays | {"x": 255 - arrays["x"]})
    assert faults_of(broken) == [None]
    Path("b.npz").write_bytes(b"none")
    assert faults_of(broken) == [None]
    Path("b.npz").unlink()
    assert faults_of(broken) == []


def test_breaks_lie_behind_the_boundary_and_are_found_again(broken: Path) -> None:
    """A class ends half-way between two means; the nearest end is 8 times that far in l2."""
    breaks = read_breaks(broken)
    assert breaks.status == "complete"
    assert [row.index for row in breaks.rows] == list(range(len(LEVELS)))
    assert breaks.holds
    assert not breaks.false
    certified = [row for row in breaks.rows if row.reason != "no-certificate"]
    assert len(certified) >= 6
    assert list(breaks.broken) == certified
    for row in certified:
        mean = LEVELS[row.index] / 255
        ends = [8 * abs(mean - (k + 0.5) / 9) for k in range(9)]
        assert row.distance is not None
        assert max(row.radius, min(ends)) < row.distance < 2 * min(ends) + 0.1
    with np.load("b.npz") as arrays:
        assert arrays["x"].dtype == np.uint8
        assert arrays["distance"].tolist() == [row.distance for row in certified]
    answered = rsonnx.predict("tiny.onnx", "b.npz", sigma=0.25, n=2_000, preprocess="none")
    assert [one.prediction.label for one in answered] == [row.answer for row in certified]
    assert [one.label for one in answered] == [row.answer for row in certified]
    assert faults_of(broken) == []


def test_a_run_of_overstated_radii_falls(made: Path) -> None:
    overstate(len(LEVELS))
    breaks = rsonnx.falsify("tiny.onnx", "grey.npz", "run.jsonl", effort=EFFORT, seed=2)
    assert len(breaks.false) > breaks.expected
    assert not breaks.holds
    assert breaks.to_json()["holds"] is False


def test_one_false_certificate_is_one_of_those_to_expect(made: Path) -> None:
    overstate(1)
    breaks = rsonnx.falsify("tiny.onnx", "grey.npz", "run.jsonl", effort=EFFORT, seed=2)
    assert len(breaks.false) == 1
    assert breaks.holds
    (row,) = breaks.false
    assert row.again is not None
    assert row.again.total == 4 * EFFORT.samples


def test_what_was_changed_of_breaks_is_found(broken: Path) -> None:
    honest = lines_of(broken)
    at = next(k for k, line in enumerate(honest) if line.get("distance"))

    def changed(**fields: Any) -> Path:
        lines = json.loads(json.dumps(honest))
        lines[at] |= fields
        return write_lines(Path("changed.jsonl"), lines)

    index = honest[at]["index"]
    assert faults_of(changed(distance=honest[at]["distance"] * 0.99)) == [index]
    assert faults_of(changed(radius=honest[at]["radius"] * 0.99)) == [index]
    counts = honest[at]["counts"]
    first, second = sorted(counts, key=counts.__getitem__)[-2:]
    moved = counts | {first: counts[first] + 1, second: counts[second] - 1}
    assert faults_of(changed(counts=moved)) == [index]
    other = next(line for line in honest[at + 1 :] if line.get("input"))
    assert {*faults_of(changed(input=other["input"]))} == {index}
    assert {*faults_of(changed(input="AAAA"))} == {index}
    write_lines(Path("short.jsonl"), [*honest[:2], honest[-1] | {"inputs": 1}])
    with pytest.raises(RunFileError, match="short"):
        read_breaks("short.jsonl")
    for fields in (
        {"counts": {"0": EFFORT.samples}},
        {"answer": None},
        {"reason": "not-confirmed"},
        {"input": "?"},
        {"radius": 99.0},  # a break inside it would have been confirmed again
        {"radius": 0.0},
        {"more": 1},
    ):
        with pytest.raises(RunFileError, match="changed"):
            read_breaks(changed(**fields))


def test_another_run_model_or_data_is_refused(broken: Path) -> None:
    lines = lines_of(Path("run.jsonl"))
    write_lines(Path("run.jsonl"), lines[:-1])
    with pytest.raises(RunFileError, match="SHA-256"):
        faults_of(broken)
    write_lines(Path("run.jsonl"), lines)
    with np.load("grey.npz") as arrays:
        np.savez("other.npz", x=255 - arrays["x"], y=arrays["y"])
    with pytest.raises(RunFileError, match="run"):
        rsonnx.falsify("tiny.onnx", "other.npz", "run.jsonl")
    model = onnx.load("tiny.onnx")
    model.doc_string = "another"
    onnx.save(model, "other.onnx")
    with pytest.raises(RunFileError, match="model"):
        rsonnx.falsify("other.onnx", "grey.npz", "run.jsonl")


def test_an_interrupted_file_is_gone_on_with(broken: Path) -> None:
    class Stop(Listener):
        def finished(self, result: object, *, certified: bool) -> None:
            raise KeyboardInterrupt

    call: Callable[..., rsonnx.runs.Breaks] = rsonnx.falsify
    arguments = ("tiny.onnx", "grey.npz", "run.jsonl")
    options: dict[str, Any] = {"effort": EFFORT, "output": "again.jsonl"}
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            call(*arguments, **options, seed=2, resume=True, listener=Stop())
    assert len(read_breaks("again.jsonl").rows) == 2
    with pytest.raises(UsageError, match="seed"):
        call(*arguments, **options, seed=3, resume=True)
    with pytest.raises(UsageError, match="again"):
        call(*arguments, **options, seed=2)
    call(*arguments, **options, resume=True)  # with the seed that the file has

    def untimed(path: str) -> list[dict[str, Any]]:
        return [line | {"seconds": 0, "created": ""} for line in lines_of(Path(path))]

    assert untimed("again.jsonl") == untimed("b.jsonl")
    assert Path("again.npz").exists()
    before = Path("again.jsonl").read_bytes()
    call(*arguments, **options, resume=True)
    assert Path("again.jsonl").read_bytes() == before


def test_noise_without_distances_and_too_few_samples_are_refused(made: Path) -> None:
    law = noise_of("splitting", lam=2.0)
    rsonnx.certify("tiny.onnx", "grey.npz", noise=law, output="s.jsonl", preprocess="none")
    with pytest.raises(UsageError, match="splitting"):
        rsonnx.falsify("tiny.onnx", "grey.npz", "s.jsonl")
    with pytest.raises(UsageError, match="10"):
        rsonnx.falsify("tiny.onnx", "grey.npz", "run.jsonl", effort=Effort(samples=10))
