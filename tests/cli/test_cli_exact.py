"""``certify --procedure exact``: rows without counts in all that is done with a run."""

from __future__ import annotations

import json
from pathlib import Path

import mpmath
import numpy as np
import onnx
import pytest
from commands import TIMES, command, done, refused
from exact_oracle import Cut, Noise, Oracle, Stump, answer, cuts_of, file_of

from rsonnx.counts import Counts
from rsonnx.noise import Gaussian
from rsonnx.procedures import Bracket, Evidence, Exact
from rsonnx.runs import read_run

STUMPS = [
    Stump(0, Cut(0.3), (-1.0,), (1.0,)),
    Stump(0, Cut(0.7, leq=False), (-0.5,), (0.75,)),
    Stump(1, Cut(0.5), (-1.0,), (0.5,)),
    Stump(2, Cut(0.4), (0.25,), (-0.75,)),
]
CUTS = cuts_of(STUMPS)
INPUTS = np.random.default_rng(5).random((9, 3))
LEVELS = (INPUTS * 255).round().astype(np.uint8)
EXACT = "--preprocess none --bounds 0 1 --providers cpu --procedure exact"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    onnx.save(file_of(STUMPS, 3), "stumps.onnx")
    labels = np.arange(9) % 2
    np.savez("real.npz", x=INPUTS, y=labels)
    np.savez("levels.npz", x=LEVELS, y=labels)
    return tmp_path


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        (Noise("gaussian", 0.25), "--sigma 0.25"),
        (Noise("laplace", 0.2), "--noise laplace --lambda 0.2"),
        (Noise("uniform", 0.3), "--noise uniform --lambda 0.3"),
    ],
)
def test_every_row_is_what_enumeration_gives(noise: Noise, words: str, here: Path) -> None:
    oracle = Oracle.of(file_of(STUMPS, 3), CUTS, 3)
    done(f"certify stumps.onnx real.npz {words} {EXACT} -o real.jsonl")
    for row in read_run(here / "real.jsonl").rows:
        label, radius = answer(oracle.masses(INPUTS[row.index].tolist(), noise), noise)
        assert row.prediction == label
        assert radius - 1e-9 <= row.radius <= radius
    if noise.name == "gaussian":
        done(f"certify stumps.onnx levels.npz {words} {EXACT} -o levels.jsonl")
        for row in read_run(here / "levels.jsonl").rows:
            masses = oracle.masses_on_grid(LEVELS[row.index].tolist(), noise.scale)
            assert (row.prediction, row.arithmetic) == (answer(masses, noise)[0], "exact")
            assert 0 <= answer(masses, noise)[1] - row.radius <= mpmath.mpf(1e-9)


def test_a_run_of_it_goes_where_every_run_goes(here: Path) -> None:
    words = f"certify stumps.onnx real.npz --sigma 0.25 {EXACT} --seed 1"
    table = done(f"{words} -o run.jsonl").said
    assert "nothing is sampled" in table
    whole = Path("run.jsonl").read_bytes()
    assert "nothing sampled" in json.loads(whole.splitlines()[0])["claim"]
    # Killed and resumed, and in parts.
    Path("cut.jsonl").write_bytes(b"\n".join(whole.splitlines()[:5]) + b'\n{"kind": "in')
    done(f"{words} -o cut.jsonl --resume")
    for part in (1, 2):
        done(f"{words} --shard {part}/2 -o part{part}.jsonl")
    done("merge part1.jsonl part2.jsonl -o merged.jsonl")
    for name in ("cut", "merged"):
        rows = [TIMES.sub(b"", line) for line in Path(f"{name}.jsonl").read_bytes().splitlines()]
        assert rows[1:10] == [TIMES.sub(b"", line) for line in whole.splitlines()[1:10]]
    assert "p_a_upper" in json.loads(whole.splitlines()[1])
    for said in ("", "--json", "--details", "--format latex", "--format csv", "--format markdown"):
        done(f"report run.jsonl cut.jsonl {said}")
    assert "class probabilities: known to" in done("report run.jsonl --details").said
    for form in ("csv", "tsv"):
        done(f"export run.jsonl --{form} -o run.{form}")
    assert "p_a_upper" in Path("run.csv").read_text().splitlines()[0]
    done("attest run.jsonl -o statement.json")
    done("verify run.jsonl --attestation statement.json")
    done("verify merged.jsonl")


@pytest.mark.parametrize("field", ["radius", "p_b_upper", "p_a_lower", "top_class", "both"])
def test_a_row_that_was_changed_is_found(field: str, here: Path) -> None:
    done(f"certify stumps.onnx real.npz --sigma 0.25 {EXACT} -o run.jsonl")
    lines = Path("run.jsonl").read_text().splitlines()
    row = json.loads(lines[1])
    if field == "both":  # which no count shows
        row |= {"top_class": 2, "prediction": 2}
    else:
        row[field] = 1 - row[field] if field == "top_class" else row[field] * 1.0001
    lines[1] = json.dumps(row)
    Path("run.jsonl").write_text("\n".join(lines) + "\n")
    outcome = command("verify run.jsonl")
    assert (outcome.code, "input 0" in outcome.said) == (1, True)


@pytest.mark.parametrize("data", ["real", "levels"])
def test_the_model_confirms_every_bracket_and_refutes_a_better_one(data: str, here: Path) -> None:
    done(f"certify stumps.onnx {data}.npz --sigma 0.25 {EXACT} -o run.jsonl")
    again = f"verify run.jsonl --model stumps.onnx --data {data}.npz"
    assert "9 inputs calculated again" in done(again).said
    assert done(f"{again} --replay 2 --json").json()["replay"]["calculated"] == 2
    lines = Path("run.jsonl").read_text().splitlines()
    row = json.loads(lines[3])
    for p_b_upper, replay in ((row["p_b_upper"] * (1 - 1e-10), ""), (2.0**-1022, "--replay 9")):
        bracket = Bracket.of(row["top_class"], p_b_upper, row["p_a_upper"])
        forged = Exact(Gaussian(0.25)).derive(Evidence(Counts([]), Counts([]), bracket=bracket))
        own = {name: getattr(forged, name) for name in ("p_a_lower", "p_a_upper", "p_b_upper")}
        assert forged.radius > row["radius"]
        lines[3] = json.dumps(row | own | {"radius": forged.radius})
        Path("run.jsonl").write_text("\n".join(lines) + "\n")
        done("verify run.jsonl")
        outcome = command(f"{again} {replay}")
        assert outcome.code == 1
        assert "input 2: p_b_upper" in outcome.said


def test_what_is_certified_is_not_broken_and_what_is_overstated_is(here: Path) -> None:
    done(f"certify stumps.onnx real.npz --sigma 0.25 {EXACT} -o run.jsonl")
    words = "falsify stumps.onnx real.npz --draws 500 --rounds 2 --n 2000 --seed 1"
    outcome = done(f"{words} --run run.jsonl -o broken.jsonl --json")
    figures = outcome.json()
    assert figures["holds"]
    assert figures["ratio"]["least"] >= 1
    assert "1 - 0.001" in done("report run.jsonl --broken broken.jsonl").said
    lines = Path("run.jsonl").read_text().splitlines()
    for at, row in enumerate(map(json.loads, lines[1:-1]), start=1):
        bracket = Bracket.of(row["top_class"], 1e-9, 1.0)
        forged = Exact(Gaussian(0.25)).derive(Evidence(Counts([]), Counts([]), bracket=bracket))
        names = ("p_a_lower", "p_a_upper", "p_b_upper", "radius")
        lines[at] = json.dumps(row | {name: getattr(forged, name) for name in names})
    Path("run.jsonl").write_text("\n".join(lines) + "\n")
    outcome = command(f"{words} --run run.jsonl -o false.jsonl")
    assert outcome.code == 1
    assert "run.jsonl does not hold" in outcome.said


def test_what_has_no_exact_certificate_is_told_in_a_sentence(here: Path) -> None:
    for option in ("--n 5", "--alpha 0.1", "--n0 5"):
        refused(f"certify stumps.onnx real.npz --sigma 0.25 {EXACT} {option}", named="calculated")
    refused(f"certify stumps.onnx real.npz --noise exp-l2 --sigma 0.25 {EXACT}", named="exp-l2")
    refused(f"certify stumps.onnx real.npz --sigma 0.25 {EXACT} --adaptive", named="radius")
    refused(f"certify stumps.onnx real.npz --sigma 0.25 {EXACT} --family-wise", named="family")
    refused(
        f"certify stumps.onnx real.npz --sigma 0.25 {EXACT} --samples 0:5 --seed 1 -o p.jsonl",
        named="0:5",
    )


def test_columns_without_noise_may_change(here: Path) -> None:
    rows = "".join(f"{x:.4f},{y:.4f},{z:.4f},{k % 2}\n" for k, (x, y, z) in enumerate(INPUTS))
    Path("table.csv").write_text("a,b,c,label\n" + rows)
    words = "certify stumps.onnx table.csv --sigma 0.25 --procedure exact --bounds -5 5"
    words += " --label-column label --fixed-columns b,c"
    radii = []
    for changed in (0, 1, 2):
        done(f"{words} --changed {changed} -o run{changed}.jsonl")
        run = read_run(here / f"run{changed}.jsonl")
        radii.append([row.radius if row.prediction == row.top_class else 0.0 for row in run.rows])
        further = run.header.claim.partition("also where")[2]
        assert (f"up to {changed} " in further) == (changed > 0)
        assert ("2^24" in further) == (changed > 0)  # a cut beyond is none of such a column's form
        done(f"verify run{changed}.jsonl --model stumps.onnx --data table.csv")
    assert np.all(np.diff(radii, axis=0) <= 0)
    assert np.any(np.diff(radii, axis=0) < 0)
    assert "also where" in done("report run1.jsonl").said
    refused(f"{words} --changed 3 -o no.jsonl", named="changed")
    refused(words.replace("--procedure exact", "--n 100 --changed 1"), named="exact")


def test_inspect_names_a_command_that_works(here: Path) -> None:
    exact = done("inspect stumps.onnx --json").json()["exact"]
    assert exact in " ".join(done("inspect stumps.onnx").out.split())
    done(f"{exact.removeprefix('rsonnx ').replace('DATA', 'real.npz')} --bounds 0 1")
