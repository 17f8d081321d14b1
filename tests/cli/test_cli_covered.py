"""``--angles``, ``--scales`` and ``--shifts``: a run, its parts, and its verification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import command, done, lines_of, refused, rows_of, same_run, write_lines

from rsonnx.runs import read_run

START = "certify tiny.onnx blots.npz --sigma 0.25 --n 300 --seed 7 --providers cpu"
TURNED = "--noise rotation --angles -2,3"
FEW = f"{START} {TURNED}"
RUN = Path("run.jsonl")


def cells(row: dict[str, Any]) -> tuple[bool, int]:
    """Order rows by whether all of the interval is certified, and by their cells."""
    return row["radius"] == 3, len(row["cover"]["centres"])


def forged(**change: Any) -> Path:
    """Write the run with other values in the last row in that order."""
    lines = lines_of(RUN)
    max((line for line in lines if line["kind"] == "input"), key=cells).update(change)
    return write_lines(Path("forged.jsonl"), lines)


@pytest.fixture
def blots(here: Path) -> Path:
    """Pictures whose middle turns, and whose mean, which the model classifies, does not change."""
    pictures = np.zeros((5, 1, 8, 8), np.uint8)
    pictures[:, :, 2:6, 2:6] = np.random.default_rng(1).integers(0, 3, (5, 1, 4, 4)) * 127
    np.savez(here / "blots.npz", x=pictures, y=np.ones(5, np.int64))
    return here


@pytest.fixture
def table(blots: Path) -> str:
    """What is printed of a run, which lies in this folder."""
    return done(f"{FEW} -o {RUN}").out


def test_a_run_is_told_verified_drawn_again_and_exported(table: str) -> None:
    assert "rotation sigma = 0.25, -2 to 3 degrees" in table
    run = read_run(RUN)
    assert run.header.noise.parameters["angles"] == [-2.0, 3.0]
    assert any(0 < row.radius <= 3 for row in run.rows)
    assert all(row.cover is not None for row in run.rows)
    assert "5 derived again" in done(f"verify {RUN}").out
    data = "--model tiny.onnx --data blots.npz"
    replay = done(f"verify {RUN} {data} --replay 5 --json").json()["replay"]
    assert replay["exact"]
    assert not any(row["differing"] for row in replay["rows"])
    assert done(f"report {RUN}").out == table
    done(f"report {RUN} --html page.html --data blots.npz")
    page = Path("page.html").read_text("utf-8")
    assert "every turn of the input" in page
    assert "at or beyond" not in page
    done(f"export {RUN} --csv -o run.csv")
    assert "cover_counted" in Path("run.csv").read_text()
    assert "turn" in done(f"report {RUN} --details").out
    refused(f"report {RUN} --top-k 2", named="rotation")
    refused(f"falsify tiny.onnx blots.npz --run {RUN} -o breaks.jsonl", named="rotation")


def test_shards_batches_and_a_stop_make_the_same_run(table: str) -> None:
    for part in (1, 2):
        done(f"{FEW} --shard {part}/2 --batch-size 7 --quiet -o part{part}")
    done("merge part1 part2 -o merged")
    assert rows_of(Path("merged")) == rows_of(RUN)
    lines = RUN.read_bytes().split(b"\n")
    cut = Path("cut.jsonl")
    cut.write_bytes(b"\n".join([*lines[:3], lines[3][:30]]))
    assert done(f"{FEW} -o {cut} --resume").out == table
    assert same_run(cut, RUN)


def test_the_interval_alone_means_its_noise(blots: Path) -> None:
    done(f"{START} --scales 0.9,1.05 -o {RUN}")
    assert read_run(RUN).header.noise.name == "scaling"
    done(f"verify {RUN} --model tiny.onnx --data blots.npz")


def test_shifts_are_told_verified_and_drawn_again_and_no_other_takes_their_place(
    blots: Path,
) -> None:
    table = done(f"{START} --shifts 2 -o {RUN}").out
    assert "padded-translation sigma = 0.25, up to 2 pixels" in table
    assert read_run(RUN).header.noise.parameters["shifts"] == 2
    data = "--model tiny.onnx --data blots.npz"
    replay = done(f"verify {RUN} {data} --replay 2 --json").json()["replay"]
    assert not any(row["differing"] for row in replay["rows"])
    assert done(f"report {RUN}").out == table
    header, row, *rest = lines_of(RUN)
    cover = row["cover"]
    assert cover["centres"][:2] == [[0, 0], [-1, 0]]
    for change in (
        {"radius": 2.5},
        {"cover": cover | {"centres": cover["centres"][::-1]}},
        {"cover": cover | {"centres": [0.0] * 13, "edges": [-1.0] * 14}},
        {"cover": cover | {"centres": [[10**15, 0], *cover["centres"][1:]]}},
        {"cover": cover | {"centres": [[0, 0, 0], *cover["centres"][1:]]}},
        {"cover": cover | {name: listed[:-1] for name, listed in cover.items()}},
        {"cover": cover | {"radii": [0.025] * 13}},
    ):
        write_lines(Path("forged.jsonl"), [header, row | change, *rest])
        assert command("verify forged.jsonl").code == 1, change


def test_a_cover_that_its_counts_contradict_is_found(table: str) -> None:
    cover = max(rows_of(RUN), key=cells)["cover"]
    for change in (
        {"cover": cover | {"radii": [0.0123] * len(cover["radii"])}},
        {"cover": cover | {"edges": cover["edges"][:-1]}},
        {"cover": cover | {"edges": [], "centres": [[0, at] for at in range(len(cover["hits"]))]}},
        {"radius": 2.75},
        {"cover": None},
        {"cover": cover | {"hits": [0] * len(cover["hits"])}},
    ):
        path = forged(**change)
        assert command(f"verify {path}").code == 1, change


def test_a_cover_that_is_none_of_the_image_is_found_by_the_data(table: str) -> None:
    cover = max(rows_of(RUN), key=cells)["cover"]
    path = forged(cover=cover | {"centres": cover["edges"][:-1]})
    done(f"verify {path}")
    outcome = command(f"verify {path} --model tiny.onnx --data blots.npz")
    assert outcome.code == 1
    assert f"from {cover['edges'][0]}" in outcome.err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--angles -2,3 --adaptive", "rotation"),
        ("--angles -2,3 --target-radius 1", "rotation"),
        ("--angles -2,3 --radius two-sided", "rotation"),
        ("--angles -2,3 --bound hoeffding", "rotation"),
        ("--angles -2,3 --norm l2", "rotation"),
        ("--angles -2,3 --samples 0:100 -o x.jsonl", "0:100"),
        ("--angles -2,3 --n 3", "n = 3"),
        ("--angles 2,3", "0,3"),
        ("--scales 0.5,0.9", "0.5,1"),
        ("--angles 3,-2", "(3.0, -2.0)"),
        ("--angles 3", "'3'"),
        ("--angles -2,x", "'-2,x'"),
        ("--angles -200,3", "-200"),
        ("--scales 0.9,1.1 --angles -2,3", "--angles"),
        ("--shifts 2 --angles -2,3", "shifts=2"),
        ("--shifts 2 --contrast 0.1", "shifts=2"),
        ("--shifts 0.5", "0.5"),
        ("--shifts x", "'x'"),
        ("--noise padded-translation", "shifts="),
        ("--noise laplace --angles -2,3", "--noise"),
        ("--noise rotation", "--angles"),
        ("--noise scaling,factors=2", "factors"),
    ],
)
def test_what_does_not_fit_is_one_sentence(options: str, named: str, blots: Path) -> None:
    refused(f"{START} {options}", named=named)


def test_a_model_of_no_images_is_refused(here: Path) -> None:
    refused("certify mixed.onnx mixed.csv --sigma 0.25 --angles -2,3", code=2)


def test_a_preview_shows_the_image_at_the_farther_end(blots: Path) -> None:
    """A model that answers by the mean sees less of an image that is made small."""
    np.savez("bright.npz", x=np.full((1, 1, 8, 8), 200, np.uint8))
    preview = "preview tiny.onnx bright.npz --sigma 0.1 --seed 1 --providers cpu --json"
    answers: list[int] = []
    for name, interval in (("small", "0.3,1"), ("large", "1,1.5")):
        (line,) = done(f"{preview} --scales {interval} -o {name}.svg").lines()
        answers += [seen["top_class"] for seen in line["noisy"]]
    assert answers[0] < 3 < answers[1]
