"""Where ``rsonnx certify`` keeps its runs: one a sigma, and under ``runs/`` where nothing says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Outcome, assert_sentence, command, done, refused, rows_of

from rsonnx.runs import RunWriter, read_run

FEW = "certify tiny.onnx set --n 200 --providers cpu --limit 6 --seed 7 --sigma"


def kept(outcome: Outcome) -> list[str]:
    """Return the files that the last lines name, in the first command that they offer."""
    assert any(line.startswith("kept") for line in outcome.err.splitlines())
    report = next(line for line in outcome.err.splitlines() if "rsonnx report" in line)
    words = shlex.split(report, comments=True)
    return words[words.index("report") + 1 : words.index("--html")]


def test_several_sigmas_make_a_run_each_and_one_table(here: Path) -> None:
    outcome = done(f"{FEW} 0.12,0.25,1 -o run.jsonl")
    files = ["run_0.12.jsonl", "run_0.25.jsonl", "run_1.jsonl"]
    assert kept(outcome) == files
    assert not (here / "run.jsonl").exists()
    assert outcome.out == done("report", *files).out
    for sigma, file in zip((0.12, 0.25, 1.0), files, strict=True):
        done(f"{FEW} {sigma} -o alone.jsonl")
        assert rows_of(here / file) == rows_of(here / "alone.jsonl")
        resolved = read_run(file).header.resolved
        assert (resolved["sigma"], read_run(file).status) == (sigma, "complete")
        (here / "alone.jsonl").unlink()
    # The files of all are looked at before the first is begun.
    Path(files[0]).unlink()
    refused(f"{FEW} 0.12,0.25 -o run.jsonl", named="run_0.25.jsonl")
    again = done(f"{FEW} 0.12,0.25,1 -o run.jsonl --resume")
    assert again.out == outcome.out
    assert len(json.loads(done(f"{FEW} 0.5,1 -o json.jsonl --json").out)) == 2


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("0.25,nope -o x.jsonl", "nope"),
        ("0.25, -o x.jsonl", "0.25,"),
        ("0.25,-1 -o x.jsonl", "-1"),
        ("0.25,0.5 --commit x.json --beacon 00", "--commit"),
        ("0.25,0.5 --resume", "-o"),
    ],
)
def test_what_makes_no_runs_is_refused(words: str, named: str, here: Path) -> None:
    del here
    seeded = "--seed 7 " if "--commit" in words else ""
    refused(f"{FEW.replace(seeded, '')} {words}", named=named)


@pytest.mark.parametrize("sigmas", ["0.25", "0.25,0.5"])
def test_a_run_without_an_output_is_kept_and_told_where(sigmas: str, here: Path) -> None:
    first, second = (done(f"{FEW} {sigmas}") for _ in range(2))
    files = [*kept(first), *kept(second)]
    assert sorted(files) == sorted(str(p.relative_to(here)) for p in (here / "runs").iterdir())
    assert len(files) == 2 * len(sigmas.split(","))
    for file in files:
        assert re.fullmatch(r"runs/tiny-set-\d{8}T\d{6}Z(-2)?_0\.(25|5)\.jsonl", file)
    for name in kept(first):
        done("verify", name)
    assert first.out == done(f"{FEW} {sigmas} -o run.jsonl").out
    # Whoever wants quiet is told where the runs are, and nothing else.
    there = set((here / "runs").iterdir())
    said = done(f"{FEW} {sigmas} --quiet").err.splitlines()
    new = sorted(str(p.relative_to(here)) for p in set((here / "runs").iterdir()) - there)
    assert [line.split()[-1] for line in said] == new


def test_no_command_is_offered_that_refuses_counts(here: Path) -> None:
    del here
    said = done(f"{FEW} 0.25,0.5 --samples 0:100 -o part.jsonl").err
    assert "kept       in part_0.25.jsonl" in said
    assert "rsonnx merge" in said
    assert not re.search("rsonnx (report|verify)", said)


def test_nothing_is_left_where_nothing_was_begun(here: Path) -> None:
    refused("certify tiny.onnx nowhere --sigma 0.5", named="nowhere")
    assert not (here / "runs").exists()
    (here / "runs").write_text("a file")
    refused("certify tiny.onnx set --sigma 0.5", named="runs")


@pytest.mark.parametrize("sigmas", ["0.25", "0.25,0.5"])
def test_an_interrupted_run_without_an_output_says_how_to_go_on(
    sigmas: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = RunWriter.write, []

    def interrupted(self: RunWriter, row: Any) -> None:
        if len(written) == (2 if sigmas == "0.25" else 8):
            raise KeyboardInterrupt
        written.append(row)
        write(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "write", interrupted)
        outcome = command(f"{FEW} {sigmas}")
    assert outcome.code == 130
    (go_on,) = (line for line in outcome.err.splitlines() if line.startswith("go on with"))
    words = shlex.split(go_on.removeprefix("go on with"))
    done(*words[words.index("certify") :])
    done(f"{FEW} {sigmas} -o whole.jsonl")
    runs, whole = sorted((here / "runs").iterdir()), sorted(here.glob("whole*.jsonl"))
    assert len(runs) == len(whole) == len(sigmas.split(","))
    for one, other in zip(runs, whole, strict=True):
        assert rows_of(one) == rows_of(other)
        assert read_run(one).status == "complete"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk here is always full")
def test_a_table_that_cannot_be_written_loses_no_run(
    here: Path, rsonnx: Callable[..., Outcome]
) -> None:
    """Nor is a full disk behind stdout a bug."""
    with open("/dev/full", "w") as full:
        outcome = rsonnx(*f"{FEW} 0.25".split(), cwd=here, stdout=full)
    assert_sentence(outcome, "No space left")
    assert outcome.code == 1
    assert "bug" not in outcome.err
    done("verify", *kept(outcome))
