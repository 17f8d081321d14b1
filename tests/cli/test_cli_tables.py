"""Tables from the command line: from a CSV file to the table, the page and the card."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import command, lines_of
from onnx_models import save
from table_models import answers, column_model, table, write_table

RUN = "--sigma-per-feature 0.25std --bounds auto --n 200 --n0 20 --limit 8 --seed 1 --providers cpu"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder to work in, with a model and a table as CSV and as TSV."""
    monkeypatch.chdir(tmp_path)
    save(column_model(), tmp_path)
    columns = table()
    labelled = {**columns, "grade": [int(at) for at in answers(column_model(), columns)]}
    for name in ("data.csv", "data.tsv"):
        write_table(tmp_path / name, labelled)
    return tmp_path


def test_from_the_file_to_table_page_and_card(folder: Path) -> None:
    """They name the columns, what a radius is for each alone, and which are fixed."""
    done = command(f"certify model.onnx data.csv --label-column grade {RUN} -o run.jsonl")
    assert done.code == 0
    header = lines_of(folder / "run.jsonl")[0]
    sigmas = dict(zip("nakb", header["noise"]["parameters"]["sigmas"], strict=True))
    assert header["arguments"]["resolved"]["label_column"] == "grade"
    assert header["arguments"]["resolved"]["bounds"] == [
        header["model"]["bounds"][end] for end in ("low", "high")
    ]
    reported = command("report run.jsonl --html page.html --card card.md")
    assert reported.code == 0
    page, card = (folder / name for name in ("page.html", "card.md"))
    for text in (reported.out, page.read_text(), card.read_text()):
        for name in ("a", "b"):
            assert f"{sigmas[name]:.3g}"[:4] in text
        assert "fixed" in text
    assert page.read_text().count("leaves fixed values as they are") == 1
    assert command("report run.jsonl --html other.html --data data.csv").code == 0
    assert "other values under this name" not in (folder / "other.html").read_text()
    checked = command("verify run.jsonl --model model.onnx --data data.csv --replay 2")
    assert (checked.code, "0 of 220 votes" in checked.out) == (0, True)


@pytest.mark.parametrize("norm", ["", "--norm l2"])
def test_one_sigma_beside_fixed_columns_is_verified(norm: str, folder: Path) -> None:
    """The noise is another than was said, for the columns that it leaves as they are."""
    words = f"certify model.onnx data.csv --label-column grade --sigma 0.1 {norm} --bounds auto"
    words += " --n 200 --n0 20 --limit 3 --seed 1 --providers cpu -o run.jsonl"
    assert command(words).code == 0
    assert command(f"{words} --resume").code == 0
    assert command("report run.jsonl").code == 0
    assert command("verify run.jsonl --model model.onnx --data data.csv --replay 1").code == 0
    lines = lines_of(folder / "run.jsonl")
    lines[0]["arguments"]["resolved"]["sigma"] = 0.2
    (folder / "run.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert command("verify run.jsonl").code == 1


def test_a_table_between_tabs_is_the_same_run(folder: Path) -> None:
    for form in ("csv", "tsv"):
        command(f"certify model.onnx data.{form} --label-column grade {RUN} -o {form}.jsonl")
    csv, tsv = (lines_of(folder / f"{form}.jsonl") for form in ("csv", "tsv"))
    assert csv[0]["data"]["manifest"] == tsv[0]["data"]["manifest"]
    assert [row["counts"] for row in csv[1:-1]] == [row["counts"] for row in tsv[1:-1]]


@pytest.mark.parametrize("bounds", ["--bounds -5 8", "--bounds auto", "--bounds=auto"])
def test_bounds_are_two_numbers_or_a_word(bounds: str, folder: Path) -> None:
    words = (
        f"predict model.onnx data.csv --sigma 0.1 --label-column grade --limit 3 --n 50 {bounds}"
    )
    done = command(f"{words} --quiet")
    assert (done.code, len(done.out.splitlines())) == (0, 3)


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        ("certify model.onnx data.csv", 2, "grade"),  # none of the usual names
        ("certify model.onnx data.csv --label-column y", 2, "'y'"),
        ("certify model.onnx data.csv --label-column grade --fixed-columns z", 2, "'z'"),
        ("certify model.onnx data.csv --label-column none", 1, "grade"),
        ("inspect model.onnx --bounds auto", 2, "auto"),
    ],
)
def test_refusals_name_the_column(words: str, code: int, named: str, folder: Path) -> None:
    done = command(words if "inspect" in words else f"{words} {RUN} -o run.jsonl")
    assert (done.code, "Traceback" in done.said) == (code, False)
    assert named in done.err
    assert not (folder / "run.jsonl").exists()


def test_columns_are_of_tables_alone(folder: Path) -> None:
    """Nothing that was asked for is left out in silence."""
    np.savez(folder / "x.npz", x=np.zeros((2, 4)), y=[0, 1])
    for option in ("--label-column y", "--fixed-columns a"):
        done = command(f"predict model.onnx x.npz --sigma 0.1 {option}")
        assert (done.code, option.split()[0] in done.err) == (2, True)


def test_columns_that_are_taken_in_their_order_are_named(folder: Path) -> None:
    """What no name says is said before the run; what names say is not."""
    columns = table()
    columns = {name: columns[name] for name in "abkn"}  # in the order of the model's inputs
    for names, said in (("abkn", False), ("uvwx", True), ("ABKN", False)):
        renamed = dict(zip(names, columns.values(), strict=True))
        write_table(folder / "t.csv", renamed | {"y": [0] * 60})
        done = command("predict model.onnx t.csv --sigma 0.1 --bounds auto --limit 1 --n 20")
        assert (done.code, f"{', '.join(names)}: " in done.err) == (0, said)


def test_bounds_take_two_words_or_auto(folder: Path) -> None:
    for bounds in ("--bounds 1", "--bounds 1 x", "--bounds automatic", "--bounds auto 3"):
        assert command(f"predict model.onnx data.csv --sigma 0.1 {bounds}").code == 2


def test_inspect_says_what_is_joined_and_how_often_it_is_right(folder: Path) -> None:
    done = command("inspect model.onnx data.csv --label-column grade --json")
    described = done.json()
    assert "a, b, k, n" in " ".join(described["edits"])
    assert [tried["accuracy"] for tried in described["preprocessings"]] == [1]
    done = command("inspect model.onnx data.csv")
    assert (done.code, "OneHotEncoder" in done.out, "grade" in done.err) == (2, True, True)


def test_preview_shows_pictures_alone(folder: Path) -> None:
    done = command(
        "preview model.onnx data.csv --sigma 0.1 --label-column grade --bounds auto -o p.png"
    )
    assert (done.code, (folder / "p.png").exists()) == (1, False)
    assert "images" in done.err
