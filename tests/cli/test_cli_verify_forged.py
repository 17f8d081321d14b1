"""Run files that agree with themselves and are untrue: only model, data and seed can tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rsonnx.cli import run as run_command
from rsonnx.runs import read_run, restate

Lines = list[dict[str, Any]]

WAYS: dict[str, list[str]] = {
    "fixed": ["--n", "400"],
    "two-sided": ["--n", "400", "--radius", "two-sided"],
    "randomised": ["--n", "400", "--bound", "randomized-clopper-pearson"],
    "adaptive": ["--n", "4000", "--target-radius", "0.05"],
    "family-wise": ["--n", "2000", "--family-wise"],
    "shard": ["--n", "400", "--shard", "2/3"],
    "named": ["--n", "400", "--classes", "names.txt"],
}


@pytest.fixture(scope="module")
def files(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("forged")
    (folder / "names.txt").write_text("".join(f"{k}\n" for k in range(10)))
    for name, options in WAYS.items():
        words = ["certify", workshop / "tiny.onnx", workshop / "set", "--sigma", "0.25", "--n0"]
        words += ["30", "--seed", "3", *options, "--quiet", "-o", folder / f"{name}.jsonl"]
        words = [folder / "names.txt" if word == "names.txt" else word for word in words]
        assert run_command([*map(str, words)]) == 0
    return {name: folder / f"{name}.jsonl" for name in WAYS}


def lines_of(path: Path) -> Lines:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, lines: Lines) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def check(run: Path, workshop: Path, *words: object) -> int:
    paths = ["--model", workshop / "tiny.onnx", "--data", workshop / "set"]
    return run_command(["verify", *map(str, [run, *paths, *words])])


@pytest.mark.parametrize("name", [name for name in WAYS if name != "named"])
def test_what_is_true_holds(name: str, files: dict[str, Path], workshop: Path) -> None:
    assert check(files[name], workshop, "--replay", 99) == 0


def _without_wrong_rows(lines: Lines) -> None:
    """The denominator shrinks to the inputs that were classified rightly."""
    lines[1:-1] = [line for line in lines[1:-1] if line["prediction"] == line["label"]]
    lines[0]["data"]["inputs"] = lines[-1]["inputs"] = len(lines) - 2


def _half_of_it(lines: Lines) -> None:
    lines[1:-1] = lines[1:11]
    lines[0]["shard"] = {"index": 1, "of": 2}
    lines[-1]["inputs"] = 10


def _other_order(lines: Lines) -> None:
    lines[1:-1] = lines[-2:0:-1]


def _lucky_uniform(lines: Lines) -> None:
    for line in lines[1:-1]:
        line["uniform"] = 1e-9


def _other_share(lines: Lines) -> None:
    lines[0]["alpha"] = 0.2


def _other_rivals(lines: Lines) -> None:
    lines[0]["num_classes"] = 11


def _all_votes_elsewhere(lines: Lines) -> None:
    """A forger may claim another processor or version, where votes may differ."""
    lines[0]["versions"]["numpy"] = "1.0"
    for line in lines[1:-1]:
        if not line["abstained"]:
            line["counts"]["estimation"] = {str(line["top_class"]): 400}


def _float_arithmetic(lines: Lines) -> None:
    for line in lines[1:-1]:
        line["arithmetic"] = "float"


def _in_header(*path: str, value: Any) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        fields = lines[0]
        for name in path[:-1]:
            fields = fields[name]
        fields[path[-1]] = value

    return change


FORGED: dict[str, tuple[str, Callable[[Lines], None], str]] = {
    "rows left out": ("fixed", _without_wrong_rows, "not those of the 20 inputs"),
    "called a shard": ("fixed", _half_of_it, "not those of the 10 inputs"),
    "order": ("fixed", _other_order, "not those of the 20 inputs"),
    "uniform": ("randomised", _lucky_uniform, "uniform is 1e-09, but the seed gives"),
    "share of alpha": ("family-wise", _other_share, "alpha is 0.2, but the share of one of 20"),
    "rivals": ("two-sided", _other_rivals, "num_classes is 11 in the file and 10 by them"),
    "elsewhere": ("fixed", _all_votes_elsewhere, "more than another rounding explains"),
    "arithmetic": ("fixed", _float_arithmetic, "but that of its values is exact"),
    "norm": (
        "fixed",
        _in_header("noise", "norm", value="linf"),
        "norm is 'linf', but this noise has 'l2'",
    ),
    "units": ("fixed", _in_header("noise", "units", value="pixels"), "noise.units is 'pixels'"),
    "size": ("fixed", _in_header("data", "size", value=10_000), "data.size is 10000"),
    "preprocess": (
        "fixed",
        _in_header("model", "preprocess", value={"mean": [0.5]}),
        "model.preprocess.mean is [0.5] in the file and absent by them",
    ),
    "claim": ("fixed", _in_header("claim", value="with certainty"), "claim is 'with certainty'"),
    "largest radius": ("fixed", _in_header("largest_radius", value=9.0), "largest_radius is 9.0"),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_agrees_with_itself_and_is_untrue_is_found(
    name: str,
    files: dict[str, Path],
    workshop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    way, change, said = FORGED[name]
    lines = lines_of(files[way])
    change(lines)
    for line in lines[1:-1]:
        line["samples"] = {k: sum(votes.values()) for k, votes in line["counts"].items()}
    forged = write(tmp_path / "forged.jsonl", lines)
    if name not in {"rows left out", "called a shard", "norm"}:  # everything that follows, anew
        rows = [row.to_json() for row in restate(read_run(forged)).rows]
        write(forged, [lines[0], *rows, lines[-1]])
    capsys.readouterr()
    assert check(forged, workshop, "--replay", 99) == 1
    output = capsys.readouterr()
    assert said in output.out + output.err
    assert "bug" not in output.err


def test_an_adaptive_run_that_chose_its_stop_is_found(
    files: dict[str, Path], workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The counts of another look are those of this seed, but the run would not have ended there."""
    lines = lines_of(files["adaptive"])
    row = next(line for line in lines[1:-1] if not line["abstained"])
    samples = row["claim"]["samples"]
    row["claim"] = {"hits": row["claim"]["hits"] - 1, "samples": samples - 1}
    forged = write(tmp_path / "forged.jsonl", lines)
    rows = [one.to_json() for one in restate(read_run(forged)).rows]
    write(forged, [lines[0], *rows, lines[-1]])
    assert run_command(["verify", str(forged)]) == 0
    assert check(forged, workshop, "--replay", 99) == 1
    assert "it claims its bound from" in capsys.readouterr().out


def test_a_file_that_a_header_names_is_not_opened(
    files: dict[str, Path], workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(files["named"], workshop, "--replay", 2) == 2
    assert "give that file with --classes" in capsys.readouterr().err
    names = files["named"].parent / "names.txt"
    assert check(files["named"], workshop, "--replay", 2, "--classes", names) == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("threshold", "x"),
        ("output_name", 5),
        ("classes", 5),
        ("feed", [3]),
        ("input_shape", 7),
        ("bounds", [0]),
        ("preprocess", "imagenet"),
    ],
)
def test_strange_options_in_a_header_are_one_sentence(
    option: str,
    value: Any,
    files: dict[str, Path],
    workshop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = lines_of(files["fixed"])
    lines[0]["arguments"]["resolved"][option] = value
    strange = write(tmp_path / "strange.jsonl", lines)
    assert check(strange, workshop, "--replay", 2) in (1, 2)
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("Error: ")
    assert "bug" not in error


@pytest.mark.parametrize("older", [False, True], ids=["sample", "options"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit", "x"),
        ("limit", 2.5),
        ("limit", -1),
        ("skip_every", 0),
        ("skip_every", [1]),
        ("seed", "x"),
        ("seed", 7),
        ("rule", "random"),
        ("rule", 3),
    ],
)
def test_a_strange_sample_is_one_sentence(
    older: bool,
    field: str,
    value: Any,
    files: dict[str, Path],
    workshop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = lines_of(files["fixed"])
    if older:  # a file of the first version has it among the options
        del lines[0]["data"]["sample"], lines[0]["noise"]["stream"]
        lines[0]["arguments"]["resolved"][field] = value
    else:
        lines[0]["data"]["sample"][field] = value
    strange = write(tmp_path / "strange.jsonl", lines)
    code = check(strange, workshop, "--replay", 2)
    if older and field in ("seed", "rule"):
        return  # no options of that version
    assert code in (1, 2)
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("Error: ")
    assert "bug" not in error


@pytest.mark.parametrize(
    "change",
    [_in_header("versions", "numpy", value=[]), lambda lines: lines[0]["noise"].pop("arithmetic")],
)
def test_a_damaged_header_is_no_bug(
    change: Callable[[Lines], None],
    files: dict[str, Path],
    workshop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = lines_of(files["fixed"])
    change(lines)
    check(write(tmp_path / "damaged.jsonl", lines), workshop, "--replay", 2)
    assert "bug" not in capsys.readouterr().err


def test_a_run_without_rows_is_not_replayed(
    files: dict[str, Path], workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = write(tmp_path / "empty.jsonl", lines_of(files["fixed"])[:1])
    assert check(empty, workshop, "--replay", 2) == 1
    assert "there is nothing to replay" in capsys.readouterr().err
