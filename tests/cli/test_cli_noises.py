"""Every noise and norm through certify, verify, merge and resume; and what cannot be asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from noise_cli_models import make_shelf

from rsonnx.cli import run
from rsonnx.noise import NOISES
from rsonnx.runs import read_run

Command = Callable[..., "Outcome"]


@dataclass(frozen=True)
class Asked:
    """A noise on the command line, and the model and the data that it suits."""

    options: tuple[str, ...]
    model: str = "image.onnx"
    data: str = "grey.npz"

    @property
    def exact(self) -> bool:
        return any(name in self.options[1] for name in ("splitting", "columns", "blocks"))

    @property
    def words(self) -> tuple[str, ...]:
        sampled = () if self.exact else ("--n", "200")
        return (self.model, self.data, *self.options, *sampled, "--seed", "3")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


ASKED = {
    "gaussian": Asked(("--sigma", "0.25")),
    "laplace": Asked(("--noise", "laplace", "--sigma", "0.25")),
    "uniform": Asked(("--noise", "uniform", "--lambda", "0.5")),
    "exp-linf": Asked(("--noise", "exp-linf", "--sigma", "0.25")),
    "exp-l2": Asked(("--noise", "exp-l2", "--sigma", "0.25")),
    "power-linf": Asked(("--noise", "power-linf,a=100", "--sigma", "0.25")),
    "ball": Asked(("--noise", "ball", "--lambda", "1")),
    "pareto": Asked(("--noise", "pareto,a=4", "--sigma", "0.25")),
    "gaussian-per-feature": Asked(("--sigma-per-feature", "sigmas.txt")),
    "splitting": Asked(("--noise", "splitting,seed=3", "--lambda", "0.1")),
    "columns": Asked(("--noise", "columns,width=2"), "pair.onnx"),
    "blocks": Asked(("--noise", "blocks,width=2"), "pair_last.onnx", "tall.npz"),
    "ablation": Asked(("--noise", "ablation,keep=5"), "pair.onnx"),
    "flips": Asked(("--noise", "flips,keep=0.8,values=4"), "codes.onnx", "codes.npz"),
    "sparse-flips": Asked(
        ("--noise", "sparse-flips,p_plus=0.1,p_minus=0.1"), "bits.onnx", "bits.npz"
    ),
}
FLAT = Asked(("--noise", "ablation,keep=5"), "flatpair.onnx", "bits.npz")
PAIRS = [(name, norm) for name, law in NOISES.items() for norm in law.norms]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def call(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.chdir(shelf)
    # A child process tries the model of every command first; that has tests of its own.
    for module in ("opening", "replaying"):
        monkeypatch.setattr(f"rsonnx.cli.{module}.try_in_child", lambda *_: None)

    def run_here(*words: object) -> Outcome:
        capsys.readouterr()
        code = run([*map(str, words)])
        out, err = capsys.readouterr()
        assert "has a bug" not in err, err
        return Outcome(code, out, err)

    return run_here


def _certify(call: Command, asked: Asked, *more: object) -> Outcome:
    return call("certify", *asked.words, "--providers", "cpu", *more)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [row.to_json() | {"seconds": 0} for row in read_run(path).rows]


def test_every_noise_is_asked_for_here() -> None:
    assert set(ASKED) == set(NOISES)


@pytest.mark.parametrize(("name", "norm"), PAIRS)
def test_it_certifies_verifies_and_replays(
    name: str, norm: str, call: Command, tmp_path: Path
) -> None:
    asked, out = ASKED[name], tmp_path / "run.jsonl"
    done = _certify(call, asked, "--norm", norm, "-o", out, "--limit", 2, "--first")
    assert done.code == 0, done.err
    assert "counting" in done.err or not asked.exact
    found = read_run(out)
    assert (found.header["noise"]["distribution"], found.header["noise"]["norm"]) == (name, norm)
    assert found.header["alpha"] == (0 if asked.exact else 0.001)
    # A sum over many values is far from what would change the class, but for few codes at 0.8.
    assert [row.prediction for row in found.rows] == [row.label for row in found.rows] == [0, 1]
    assert all(row.radius > 0 for row in found.rows) or "flips" in name
    again = call("verify", out, "--model", asked.model, "--data", asked.data, "--replay", "1")
    assert again.code == 0, again.err
    assert "0 of" in again.out


PARTS = ("laplace", "exp-linf", "ablation", "columns")


@pytest.mark.parametrize("name", PARTS)
def test_parts_batches_and_a_stop_make_the_same_run(
    name: str, call: Command, tmp_path: Path
) -> None:
    asked = ASKED[name]
    whole = tmp_path / "whole.jsonl"
    assert _certify(call, asked, "-o", whole).code == 0
    expected = _rows(whole)
    assert len(expected) == 4
    n = read_run(whole).header["n"]
    cuts = [("--shard", "1/2"), ("--shard", "2/2")]
    ranges = [("--samples", f"0:{n // 3}"), ("--samples", f"{n // 3}:{n}")]
    for kind, parts in (("shards", cuts), ("ranges", ranges)):
        files = [tmp_path / f"{kind}{i}.jsonl" for i in range(2)]
        for part, file in zip(parts, files, strict=True):
            done = _certify(call, asked, *part, "-o", file)
            assert done.code == 0, done.err
        merged = tmp_path / f"{kind}.jsonl"
        done = call("merge", *files, "-o", merged)
        assert done.code == 0, done.err
        assert _rows(merged) == expected
        assert call("verify", merged).code == 0
    other = tmp_path / "other.jsonl"
    assert _certify(call, asked, "-o", other, "--batch-size", 7, "--workers", 1).code == 0
    assert _rows(other) == expected
    lines = whole.read_bytes().splitlines(keepends=True)
    stopped = tmp_path / "stopped.jsonl"
    stopped.write_bytes(b"".join(lines[:3]) + lines[3][:50])
    assert _certify(call, asked, "-o", stopped, "--resume").code == 0
    assert _rows(stopped) == expected


def test_ablation_of_inputs_of_one_axis(call: Command, tmp_path: Path) -> None:
    out = tmp_path / "run.jsonl"
    assert _certify(call, FLAT, "-o", out).code == 0
    assert read_run(out).header["noise"]["parameters"] == {
        "keep": 5, "channels": 1, "layout": None, "norm": "l0", "size": 12,
    }  # fmt: skip


def test_layout_and_channels_come_from_the_model(call: Command, tmp_path: Path) -> None:
    for name, layout in (("columns", "NCHW"), ("blocks", "NHWC"), ("ablation", "NCHW")):
        out = tmp_path / f"{name}.jsonl"
        assert _certify(call, ASKED[name], "-o", out, "--limit", 1).code == 0
        parameters = read_run(out).header["noise"]["parameters"]
        assert parameters["layout"] == layout
        assert parameters.get("channels", 1) == 1


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("ablation", ("--adaptive",), "decide the radii 1, 2, 3, 4, 5, 6, 7"),
        ("ablation", ("--target-radius", "3"), "decide the radii 3"),
        ("ablation", ("--radius", "two-sided"), "two-sided"),
        ("laplace", ("--radius", "two-sided", "--norm", "linf"), "two-sided"),
        ("exp-l2", ("--share-noise", "--target-radius", "0.1"), "decide the radii 0.1"),
        ("uniform", ("--family-wise",), "alpha = 0.00025"),
    ],
)
def test_the_ways_to_certify(
    name: str, more: tuple[str, ...], said: str, call: Command, tmp_path: Path
) -> None:
    out = tmp_path / "run.jsonl"
    done = _certify(call, ASKED[name], *more, "-o", out)
    assert done.code == 0, done.err
    assert said in done.err
    assert all(row.label == row.prediction for row in read_run(out).rows)
    again = call("verify", out)
    assert again.code == 0, again.err


def test_predict(call: Command) -> None:
    for name in ("laplace", "ball", "ablation", "flips"):
        asked = ASKED[name]
        done = call("predict", *asked.words, "--n", "1000", "--json", "--providers", "cpu")
        assert done.code == 0, done.err
        found = [json.loads(line) for line in done.out.splitlines()]
        assert [one["prediction"] for one in found] == [0, 1, 2, 3]
    done = call("predict", *ASKED["columns"].words, "--providers", "cpu")
    assert done.code == 2
    assert "counted in full" in done.err


IMAGE, PAIR = ("image.onnx", "grey.npz"), ("pair.onnx", "grey.npz")
CODES, BITS = ("codes.onnx", "codes.npz"), ("bits.onnx", "bits.npz")
L = ("--noise", "laplace", "--sigma", "1")
COLUMNS = (*PAIR, "--noise", "columns,width=2")
WRONG = {
    "name": ((*IMAGE, "--noise", "cauchy"), 2, "'cauchy'"),
    "long name": ((*IMAGE, "--noise", "x" * 999), 2, "'xxx"),
    "no key": ((*IMAGE, "--noise", "laplace,3"), 2, "'3'"),
    "reserved": ((*IMAGE, "--noise", "laplace,name=3"), 2, "name=3"),
    "layout": ((*PAIR, "--noise", "columns,layout=3"), 2, "width=W"),
    "with option": ((*IMAGE, "--noise", "laplace,sigma=1"), 2, "sigma=1"),
    "lambda behind": ((*IMAGE, "--noise", "laplace,lambda=1"), 2, "lambda=1"),
    "twice": ((*PAIR, "--noise", "ablation,keep=2,keep=3"), 2, "keep=3"),
    "nan": ((*CODES, "--noise", "flips,keep=nan,values=4"), 2, "keep='nan'"),
    "inf": ((*IMAGE, "--noise", "pareto,a=inf", "--sigma", "1"), 2, "a='inf'"),
    "1e400": ((*IMAGE, "--noise", "pareto,a=1e400", "--sigma", "1"), 2, "a='1e400'"),
    "underscore": ((*PAIR, "--noise", "columns,width=1_0"), 2, "width='1_0'"),
    "digits": ((*PAIR, "--noise", f"columns,width={'9' * 5000}"), 2, "width='999"),
    "no integer": ((*PAIR, "--noise", "columns,width=1.5"), 2, "width is 1.5"),
    "missing": ((*IMAGE, "--noise", "power-linf", "--sigma", "1"), 2, "power-linf,a=A"),
    "no scale": ((*IMAGE, "--noise", "laplace"), 2, "sigma or lambda"),
    "no sigma": (IMAGE, 2, "sigma"),
    "two scales": ((*IMAGE, *L, "--lambda", "1"), 2, "both sigma and lambda"),
    "no lambda": ((*IMAGE, "--lambda", "1"), 2, "no lambda"),
    "sigma nan": ((*IMAGE, "--noise", "ball", "--sigma", "nan"), 2, "sigma is nan"),
    "sigma wide": ((*IMAGE, "--noise", "exp-l2", "--sigma", "1e300"), 2, "1e+30"),
    "sigma below 0": ((*IMAGE, "--noise", "ball", "--lambda", "-1"), 2, "lambda is -1.0"),
    "exponent": ((*IMAGE, "--noise", "power-linf,a=64", "--sigma", "1"), 2, "above 64"),
    "low exponent": ((*IMAGE, "--noise", "power-linf,a=1", "--sigma", "1"), 2, "a is 1"),
    "probability": ((*CODES, "--noise", "flips,keep=1,values=4"), 2, "keep is 1"),
    "keep all": ((*PAIR, "--noise", "ablation,keep=64"), 2, "keep is 64"),
    "lambda off": ((*IMAGE, "--noise", "splitting", "--lambda", "0.301"), 2, "0.301"),
    "lambda for sigma": ((*IMAGE, "--noise", "splitting", "--sigma", "0.3"), 2, "no sigma"),
    "off the grid": (
        ("image.onnx", "grey_off.npz", "--noise", "splitting", "--lambda", "0.5"), 1, "grid"
    ),
    "no codes": ((*CODES[:1], "bits.npz", "--noise", "flips,keep=0.5,values=9"), 2, "8 apart"),
    "levels": ((*IMAGE, "--noise", "flips,keep=0.5,values=2"), 1, "uint8"),
    "sigmas": ((*BITS, "--sigma-per-feature", "sigmas.txt"), 1, "sigmas.txt has 64"),
    "sigmas and": ((*IMAGE, *L, "--sigma-per-feature", "sigmas.txt"), 2, "--sigma-per-feature"),
    "no sigmas": ((*IMAGE, "--noise", "gaussian-per-feature"), 2, "--sigma-per-feature"),
    "one channel": ((*IMAGE, "--noise", "columns,width=2"), 2, "1 channels"),
    "no image": ((*CODES, "--noise", "columns,width=2"), 2, "12"),
    "too wide": ((*PAIR, "--noise", "columns,width=9"), 2, "width is 9"),
    "exact n": ((*COLUMNS, "--n", "100"), 2, "--n"),
    "exact n0": ((*COLUMNS, "--n0", "100"), 2, "--n0"),
    "exact alpha": ((*COLUMNS, "--alpha", "0.01"), 2, "--alpha"),
    "exact family": ((*COLUMNS, "--family-wise"), 2, "--family-wise"),
    "exact adaptive": ((*COLUMNS, "--adaptive"), 2, "columns"),
    "exact target": ((*COLUMNS, "--target-radius", "1"), 2, "columns"),
    "exact bound": ((*COLUMNS, "--radius", "two-sided"), 2, "columns"),
    "exact shared": ((*COLUMNS, "--share-noise"), 2, "columns"),
    "far target": ((*PAIR, "--noise", "ablation,keep=5", "--target-radius", "99"), 2, "99"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_asked_for_is_one_sentence(name: str, call: Command) -> None:
    words, code, named = WRONG[name]
    done = call("certify", *words, "--providers", "cpu")
    assert (done.code, done.out) == (code, "")
    last = done.err.splitlines()[-1]
    assert last.startswith("Error: ")
    assert named in last
    assert len(last) < 500


@pytest.mark.parametrize("name", ["gaussian", "laplace", "ball", "splitting", "columns", "flips"])
def test_a_norm_that_it_cannot_give_lists_those_that_it_can(name: str, call: Command) -> None:
    done = _certify(call, ASKED[name], "--norm", "l7")
    assert done.code == 2
    assert f"certifies in {' or '.join(NOISES[name].norms)}" in done.err


def test_what_can_certify_nothing_is_said(call: Command) -> None:
    for noise, model, data in (
        ("columns,width=5", *PAIR),  # 2·5 > 8
        ("blocks,width=4", "pair_last.onnx", "tall.npz"),  # 2·4² = 8·4, and one more
    ):
        done = call("certify", model, data, "--noise", noise, "--providers", "cpu")
        assert done.code == 0
        nothing = "can certify no radius above 0" in done.err
        assert nothing is ("columns" in noise)


def test_the_help_lists_every_noise(call: Command) -> None:
    text = call("certify", "--help").out.replace(",", " ")
    assert set(NOISES) - {"gaussian-per-feature"} <= set(text.split())
    assert "--sigma-per-feature" in text
