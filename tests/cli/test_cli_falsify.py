"""``rsonnx falsify``: what it prints of a run, and with which code it ends."""

from __future__ import annotations

from pathlib import Path

import html_pages
import pytest
from commands import Outcome, command, done, lines_of, refused, write_lines

from rsonnx.counts import Counts
from rsonnx.procedures import Evidence
from rsonnx.report.rounding import decimals_up
from rsonnx.runs import Row, read_breaks, read_run

EFFORT = "--draws 600 --rounds 2 --n 1500 --seed 2"
BREAK = f"falsify tiny.onnx set --run run.jsonl {EFFORT}"


@pytest.fixture
def run(here: Path) -> Path:
    done("certify tiny.onnx set --sigma 0.25 --n 2000 --limit 6 --seed 1 -o run.jsonl --quiet")
    return Path("run.jsonl")


def overstate(path: Path) -> None:
    """Forge that every sample of the run was of the class, at radii that follow from it."""
    run, lines = read_run(path), lines_of(path)
    for at, row in enumerate(run.rows, start=1):
        classes = [0] * 10
        classes[row.top_class] = row.estimation.total
        forged = run.header.procedure.derive(Evidence(row.selection, Counts(classes)))
        lines[at] = Row.of(forged, row).to_json()
    write_lines(path, lines)


def test_an_honest_run_is_broken_outside_its_radii_and_checked(run: Path) -> None:
    printed = done(f"{BREAK} -o broken.jsonl --details")
    assert "broken at R'" in printed.out
    assert Path("broken.npz").exists()
    checked = done("falsify tiny.onnx set --run run.jsonl --check broken.jsonl --json")
    figures = checked.json()
    assert figures["holds"]
    certified = [row for row in read_run(run).rows if not row.abstained]
    assert figures["broken"] == len(certified)
    assert figures["ratio"]["least"] > 1
    refused(f"{BREAK} -o broken.jsonl", named="broken.jsonl")
    refused("verify broken.jsonl", code=1, named="falsify --check")


def test_a_run_of_overstated_radii_ends_with_1(run: Path) -> None:
    overstate(run)
    outcome = command(f"{BREAK} -o broken.jsonl --json")
    assert outcome.code == 1
    assert "run.jsonl does not hold" in outcome.said
    figures = outcome.json()
    assert len(figures["false"]) > figures["false_expected_at_most"]
    again: Outcome = command("falsify tiny.onnx set --run run.jsonl --check broken.jsonl --quiet")
    assert again.code == 1


def test_a_changed_file_does_not_hold(run: Path) -> None:
    done(f"{BREAK} -o broken.jsonl --quiet")
    lines = lines_of(Path("broken.jsonl"))
    lines[1]["distance"] += 0.01
    write_lines(Path("changed.jsonl"), lines)
    outcome = command("falsify tiny.onnx set --run run.jsonl --check changed.jsonl")
    assert outcome.code == 1
    assert "distance" in outcome.err


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        ("", 2, "--check"),
        ("-o broken.jsonl --check b.jsonl", 2, "--check"),
        ("--check none.jsonl", 2, "none.jsonl"),
        ("--check run.jsonl", 1, "run.jsonl"),
        ("-o no/broken.jsonl", 2, "no"),
        ("-o broken.jsonl --draws 0", 2, "draws"),
    ],
)
def test_what_cannot_be_done_is_refused(words: str, code: int, named: str, run: Path) -> None:
    refused(f"falsify tiny.onnx set --run run.jsonl {words}", code=code, named=named)


def test_another_model_and_noise_without_distances_are_refused(run: Path) -> None:
    refused("falsify fragile.onnx set --run run.jsonl -o broken.jsonl", code=1, named="run.jsonl")
    done("certify tiny.onnx set --noise splitting --lambda 2 --limit 2 -o exact.jsonl --quiet")
    refused("falsify tiny.onnx set --run exact.jsonl -o broken.jsonl", named="splitting")


def test_a_report_says_it_beside_the_radii(run: Path) -> None:
    table = done("report run.jsonl").out
    done(f"{BREAK} -o broken.jsonl --quiet")
    words = "report run.jsonl --broken broken.jsonl"
    told = done(f"{words} --html page.html").out
    assert told.startswith(table.split("\n\n")[0])
    assert "broken at R'" in " ".join(told.split())
    assert done(f"{words} --json").json()[0]["broken"]["holds"] is True
    page = html_pages.tree(Path("page.html").read_text(encoding="utf-8"))
    broken = [row for row in read_breaks("broken.jsonl").rows if row.distance is not None]
    assert len(list(page.all("img"))) == len(broken)
    assert "Broken at" in page.text
    for row in broken:
        assert decimals_up(row.distance or 0, 4) in page.text
    refused(f"{words} --alpha 0.01", named="--broken")
    write_lines(Path("part.jsonl"), lines_of(Path("broken.jsonl"))[:3])
    part = done("report run.jsonl --broken part.jsonl").out
    assert "incomplete: it has come to 2 of 6" in " ".join(part.split())
    done("certify tiny.onnx set --sigma 0.25 --n 100 --limit 2 -o other.jsonl --quiet")
    refused("report other.jsonl --broken broken.jsonl", code=1, named="broken.jsonl")
