"""What a listener does, and what somebody did to the counts that were kept, costs no row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rsonnx
from rsonnx.listener import Extent, Listener
from rsonnx.runs import RunWriter
from rsonnx.runtime import OnnxClassifier

X = np.linspace(0.2, 0.8, 3 * 64, dtype=np.float32).reshape(3, 1, 8, 8)
RULES: dict[str, dict[str, Any]] = {
    "fixed": {"n": 5_000},
    "two-sided": {"n": 5_000, "radius": "two-sided"},
    "adaptive": {"n": 20_000, "target_radii": (0.05, 0.1)},
}
AFTER = {"fixed": 2_500, "two-sided": 2_500, "adaptive": 300}
"""Samples behind the first calls of the engine, whose counts are kept."""


class Stopping(Listener):
    """Hears warnings, and may raise when it hears something else."""

    def __init__(
        self,
        at: str = "",
        error: type[BaseException] = KeyboardInterrupt,
        after: int = AFTER["fixed"],
    ) -> None:
        self._at, self._error, self._after = at, error, after
        self.warnings: list[str] = []
        self.samples = 0

    def _heard(self, what: str) -> None:
        if what == self._at:
            raise self._error

    def said(self, topic: str, text: str) -> None:
        self._heard(topic)
        if topic == "warning":
            self.warnings.append(text)

    def begun(self, extent: Extent) -> None:
        self._heard("begun")

    def drawn(self, samples: int) -> None:
        self.samples += samples
        if self.samples > self._after:
            self._heard("drawn")

    def finished(self, result: object, *, certified: bool) -> None:
        self._heard("finished")


@pytest.fixture
def certify(classifier: OnnxClassifier) -> Callable[..., Any]:
    def run(**options: Any) -> list[dict[str, Any]]:
        made = rsonnx.certify(
            classifier, X, sigma=0.25, n0=100, seed=3, batch_size=64, workers=1, **options
        )
        return [{**row.to_json(), "seconds": 0} for row in made.rows]

    return run


@pytest.mark.parametrize("at", ["begun", "drawn", "finished"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_listener_that_raises_leaves_a_file_that_goes_on(
    at: str, error: type[BaseException], certify: Callable[..., Any], tmp_path: Path
) -> None:
    output = tmp_path / "run.jsonl"
    for resume in (False, True):
        with pytest.raises(error) as kept:  # and with it the frames, in which the file is open
            certify(n=5_000, output=output, resume=resume, listener=Stopping(at, error))
        end = json.loads(output.read_bytes().splitlines()[-1])
        assert end["status"] == ("interrupted" if error is KeyboardInterrupt else "failed")
        RunWriter.reopen(output).__exit__(None, None, None)
        assert kept
    assert certify(n=5_000, output=output, resume=True) == certify(n=5_000)


def test_a_listener_that_raises_before_anything_is_counted(
    certify: Callable[..., Any], tmp_path: Path
) -> None:
    output = tmp_path / "run.jsonl"
    certify(n=5_000, output=output)
    output.write_bytes(b"".join(output.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(KeyboardInterrupt) as kept:
        certify(n=5_000, output=output, resume=True, listener=Stopping("resume"))
    assert certify(n=5_000, output=output, resume=True) == certify(n=5_000)
    assert kept


def _add(**fields: Any) -> Callable[[list[dict[str, Any]]], None]:
    answer = {"stage": "estimation", "start": 0, "stop": 2, "counts": {"1": 2}}
    return lambda answers: answers.append(answer | fields)


def _change(**fields: Any) -> Callable[[list[dict[str, Any]]], None]:
    return lambda answers: answers[-1].update(fields)


FORGERIES = {
    "a stage": _add(stage="bound"),
    "a point": _add(point="c" * 64),
    "a stage in place of another": _change(stage="bound"),
    "samples beyond all that are asked for": _add(stage="selection", start=100, stop=102),
    "more samples than are asked for": _change(stop=9_000_000, counts={"1": 9_000_000}, start=0),
    "a class that the model has not": _change(stop=5, counts={"77": 5}, start=0),
    "watched rows of a run that watches none": _change(
        stop=5, counts={"1": 5, "watched_rows": 1}, start=0
    ),
    "a gap before them": _change(start=7, stop=9, counts={"1": 2}),
}


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("name", FORGERIES)
def test_kept_counts_that_are_not_asked_for_are_drawn_again(
    name: str, rules: str, certify: Callable[..., Any], tmp_path: Path
) -> None:
    output, kept = tmp_path / "run.jsonl", tmp_path / "run.jsonl.partial"
    options = RULES[rules] | {"output": output}
    with pytest.raises(KeyboardInterrupt):
        certify(**options, listener=Stopping("drawn", after=AFTER[rules]))
    value = json.loads(kept.read_bytes().splitlines()[0])
    FORGERIES[name](value["inputs"][0]["answers"])
    body = json.dumps(value).encode() + b"\n"
    signature = json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode()
    kept.write_bytes(body + signature + b"\n")
    heard = Stopping()
    rows = certify(**options, resume=True, listener=heard)
    assert rows == certify(**RULES[rules])
    assert any(str(kept) in text for text in heard.warnings)
    assert not kept.exists()
