"""The library, a call a command: what the command line gives, a notebook has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import linear, save

import rsonnx
from rsonnx import cli
from rsonnx.listener import Extent, Listener

pytestmark = pytest.mark.usefixtures("no_children")

SHAPE = (1, 4, 4)
DRAW = {"sigma": 0.25, "n": 400, "seed": 3}
LOAD = {"preprocess": "none", "providers": "cpu"}


MODEL = linear(("N", *SHAPE), 3)
X = np.random.default_rng(1).random((6, *SHAPE), dtype=np.float32)
Y = [0, 1, 2, 0, 1, 2]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    save(MODEL, tmp_path, "m.onnx")
    np.savez("data.npz", x=X, y=Y)
    return tmp_path


class Hearing(Listener):
    def __init__(self) -> None:
        self.topics: list[str] = []
        self.samples = self.inputs = 0
        self.extent: Extent | None = None

    def said(self, topic: str, text: str) -> None:
        self.topics.append(topic)

    def begun(self, extent: Extent) -> None:
        self.extent = extent

    def drawn(self, samples: int) -> None:
        self.samples += samples

    def finished(self, result: object, *, certified: bool) -> None:
        self.inputs += 1


def _rows(run: rsonnx.Run) -> list[dict[str, object]]:
    return [{**row.to_json(), "seconds": 0} for row in run.rows]


def test_a_call_gives_the_rows_of_the_command(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "certify m.onnx data.npz --preprocess none --providers cpu --sigma 0.25 --n 400 --seed 3"
    )
    asked = [*words.split(), "--quiet", "-o", "cli.jsonl"]
    assert cli.run(asked) == 0
    assert rsonnx.read_run("cli.jsonl").header.record["arguments"]["given"] == asked
    printed = capsys.readouterr().out
    heard = Hearing()
    run = rsonnx.certify("m.onnx", "data.npz", output="lib.jsonl", listener=heard, **DRAW, **LOAD)
    assert _rows(run) == _rows(rsonnx.read_run("cli.jsonl")) == _rows(rsonnx.read_run("lib.jsonl"))
    assert run.table().strip() == printed.strip()
    assert heard.extent is not None
    assert (heard.inputs, heard.samples, heard.extent.inputs) == (6, 6 * 501, 6)
    assert {"model", "noise", "seed", "manifest"} <= set(heard.topics)
    # What a call recorded is enough to draw its noise again, with either.
    checked = rsonnx.verify("lib.jsonl", model="m.onnx", data="data.npz", replay=2)
    assert not checked.faults
    assert checked.replay is not None
    assert len(checked.replay.rows) == 2
    more = ["--model", "m.onnx", "--data", "data.npz", "--replay", "1"]
    assert cli.run(["verify", "lib.jsonl", *more]) == 0


def test_arrays_lists_bytes_and_models_are_the_same_input(here: Path) -> None:
    run = rsonnx.certify("m.onnx", (X, Y), **DRAW, **LOAD)
    loaded = rsonnx.load("m.onnx", **LOAD)
    for model, data in (
        (MODEL, list(X)),
        (Path("m.onnx").read_bytes(), (list(X), np.array(Y))),
        (loaded, X),
    ):
        again = rsonnx.certify(model, data, **DRAW, **({} if model is loaded else LOAD))
        assert [r.radius for r in again.rows] == [r.radius for r in run.rows]
        assert [r.counts for r in again.rows] == [r.counts for r in run.rows]
    answers = rsonnx.predict(loaded, (X, Y), sigma=0.25, n=400, seed=3)
    assert [one.index for one in answers] == list(range(6))
    json.dumps([one.to_json() for one in answers])


def test_a_run_goes_on_where_it_was_stopped(here: Path) -> None:
    whole = rsonnx.certify("m.onnx", (X, Y), output="whole.jsonl", **DRAW, **LOAD)
    lines = Path("whole.jsonl").read_bytes().splitlines(keepends=True)
    Path("cut.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:9])
    kept = {"output": "cut.jsonl", "resume": True}
    run = rsonnx.certify("m.onnx", (X, Y), **kept, **DRAW, **LOAD)
    assert _rows(run) == _rows(whole) == _rows(rsonnx.read_run("cut.jsonl"))


def test_what_is_returned_is_short_and_plain(here: Path) -> None:
    run = rsonnx.certify("m.onnx", (X, Y), **DRAW, **LOAD)
    certificate = rsonnx.certify_from_counts([99, 1], [990, 10], sigma=0.5)
    for shown in (repr(run), repr(certificate), repr(rsonnx.predict_from_counts([900, 100]))):
        assert len(shown) < 160
        assert "\n" not in shown
    for value in (run, certificate, rsonnx.predict_from_counts([900, 100])):
        json.dumps(value.to_dict())
    frame = pytest.importorskip("pandas") and run.to_pandas()
    assert list(frame["radius"]) == [row.radius for row in run.rows]
    assert len(run) == len(frame) == 6


def test_a_plain_function_is_a_base_classifier() -> None:
    def bright(rows: NDArray[np.float32]) -> NDArray[np.int64]:
        return (rows.reshape(len(rows), -1).mean(axis=1) > 0.5).astype(np.int64)

    certificate = rsonnx.SmoothedClassifier(bright, 0.25).certify(X[0], n=400, seed=3)
    assert certificate.n == 400


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"sigma": 0.25, "colour": 3}, "colour"),
        ({}, "sigma"),
        ({"sigma": 0.25, "noise": "cubic"}, "cubic"),
        ({"sigma": 0.25, "resume": True}, "-o"),
        ({"sigma": 0.25, "n": 3}, "n = 3"),
        ({"sigma": 0.25, "adaptive": True, "target_radii": (0.1,)}, "target"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    options: dict[str, object], named: str, here: Path
) -> None:
    with pytest.raises(rsonnx.UsageError, match=named):
        rsonnx.certify("m.onnx", (X, Y), **options, **LOAD)
