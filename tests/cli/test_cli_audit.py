"""``rsonnx audit``: findings in words and in JSON, bad logs refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rsonnx.cli import run

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs: sigma_0.25 made at n = 1e5 and alpha 0.01, and some that are odd."""
    here = tmp_path_factory.mktemp("logs")
    source = np.random.default_rng(11)
    lines = [HEADER]
    for index in range(200):
        hits = int(source.binomial(100_000, 1 - 0.4 * source.random() ** 4))
        radius = 0.25 * stats.norm.ppf(stats.beta.ppf(0.01, hits, 100_001 - hits))
        lines.append(f"{2 * index}\t3\t{3 + index % 2}\t{radius:.3}\t{1 - index % 2}\t0:00:01\n")
    lines.append("400\t3\t-1\t0.0\t0\t0:00:01\n")
    (here / "sigma_0.25").write_text("".join(lines))
    (here / "header\x1b[31monly").write_text(HEADER)
    (here / "predict").write_text(
        "idx\tlabel\tpredict\tcorrect\ttime\n0\t3\t3\t1\t1\n1\t3\t-1\t0\t1\n"
    )
    (here / "odd").write_text(
        HEADER + "0\t3\t3\tinf\t0\t1\n1\t3\t3\t0.123456\t1\t1\n1\t3\t-1\t0.5\t1\t1\n"
        "3\t\t3\t0.333333\t0\n4\t3\t3\t9.5\t1\t1\n\n"
    )
    (here / "bad").write_text(HEADER + "0\t3\tcat\x1b[31m\t0.5\t1\t1\n")
    return here


def lines_of(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, with wrapped lines put together."""
    return " ".join(capsys.readouterr().out.split())


def test_findings_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", str(folder / "sigma_0.25")]) == 0
    out = lines_of(capsys)
    for words in (
        "certify log, 201 rows, 1 abstentions",
        "idx: 0 to 400 in steps of 2; no gaps; none repeated",
        "correct: agrees with label and predict",
        "printed with 3 significant digits; all finite",
        "sigma: 0.25, from the path",
        "grid: n = 100,000, alpha = 0.01, radii rounded to nearest: all",
        "would by chance; the chance of all is 1 in",
        "and 156 grids were tried",
        "not at this n: alpha 1e-06 (",
        "of the 200 radii are printed above the grid's value",
        "as printed",
        "all figures rounded down",
    ):
        assert words in out
    assert "restated" not in out


def test_a_fit_that_chance_explains_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # One of 156 grids fits two radii of three digits by chance, though each of them seldom does.
    (folder / "few").write_text(HEADER + "0\t3\t3\t0.3781\t1\t1\n1\t3\t3\t0.5123\t1\t1\n")
    assert run(["audit", str(folder / "few"), "--sigma", "0.5"]) == 0
    assert "grids were tried: among so many one may well fit by chance" in lines_of(capsys)
    assert run(["audit", str(folder / "sigma_0.25")]) == 0
    assert "by chance:" not in lines_of(capsys).replace("likelier by chance:", "")


def test_findings_in_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", str(folder / "sigma_0.25"), "--alpha", "0.001", "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["rows"], found["abstentions"]) == ("certify", 201, 1)
    assert found["indices"]["step"] == 2
    assert found["correct"] == {"standing": "agrees", "lines": []}
    best = found["grid"]["fits"][0]
    assert (best["sigma"], best["n"], best["alpha"]) == (0.25, 100_000, 0.01)
    assert best["rounding"] == "nearest"
    assert best["by_chance"] < found["grid"]["distinct_radii"]
    assert best["alike"] is True
    misfits = {entry["alpha"]: entry["radii"] for entry in found["grid"]["misfits"]}
    assert misfits[0.01] == 0
    assert misfits[0.001] > 0
    over = found["grid"]["overstated"]
    assert 0 < over["surely"] <= over["expected"] <= over["possibly"] <= 200
    restated = found["restated"]
    assert restated["alpha"] == 0.001
    assert [fit["alpha"] for fit in restated["assumed"]] == [0.01]
    assert restated["figures"]["acr"] < found["figures"]["acr"]
    assert all(
        a <= b
        for a, b in zip(
            restated["figures"]["certified_accuracy"],
            found["figures"]["certified_accuracy"],
            strict=True,
        )
    )


def test_a_restated_table_stands_below_the_printed_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", str(folder / "sigma_0.25"), "--alpha", "0.001"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("restated at alpha = 0.001: if the grid is right" in line for line in lines)
    head, printed, restated = (line.split() for line in lines[-4:-1])
    assert head[:2] == ["ACR", "r=0"]
    assert (printed[:2], restated[:3]) == (["as", "printed"], ["alpha", "=", "0.001"])
    assert float(restated[3]) < float(printed[2])


def test_odd_logs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(folder / name) for name in ("odd", "header\x1b[31monly", "predict")]
    assert run(["audit", *paths, "--sigma", "0.5", "--alpha", "0.001"]) == 0
    out = lines_of(capsys)
    for words in (
        "odd: certify log, 5 rows, 1 abstentions",
        "gaps between 1 and 3",
        "repeated: 1;",
        "correct: contradicts label and predict, which are believed, on line 2, 4",
        "1 not finite, counted as 0",
        "no usual n and alpha gives these radii with sigma 0.5 (as given)",
        "notes more; --json lists them all",
        "not every row has a label",
        "header\\x1b[31monly: certify log, 0 rows",
        "predict: predict log, 2 rows, 1 abstentions",
        "right: 50.0 % of all rows",
    ):
        assert words in out, words
    assert "\x1b" not in out
    assert run(["audit", *paths, "--sigma", "0.5", "--alpha", "0.001", "--json"]) == 0
    odd, empty, predict = json.loads(capsys.readouterr().out)
    assert odd["figures"] == {"acr": None, "certified_accuracy": None} | {
        "radii": odd["figures"]["radii"]
    }
    assert (odd["restated"], odd["grid"]["fits"], odd["not_finite"]) == (None, [], [2])
    assert [note["line"] for note in odd["notes"]] == [2, 2, 4, 4, 4, 5, 5, 7]
    assert (empty["indices"], empty["figures"], empty["grid"]) == (None, None, None)
    assert predict["figures"]["certified_accuracy"] == [0.5]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "LOG..."),
        (["none"], 2, "does not exist"),
        (["."], 2, "is not a file"),
        (["bad"], 1, "line 2: predict is 'cat\\x1b[31m'"),
        (["sigma_0.25", "bad"], 1, "line 2"),
        (["sigma_0.25", "--sigma", "0"], 2, "sigma"),
        (["sigma_0.25", "--sigma", "nan"], 2, "sigma"),
        (["sigma_0.25", "--sigma", "x"], 2, "sigma"),
        (["sigma_0.25", "--alpha", "1"], 2, "alpha"),
        (["sigma_0.25", "--alpha", "-0.1"], 2, "alpha"),
    ],
)
def test_bad_requests_get_a_sentence(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(folder)
    assert run(["audit", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "bug" not in err
    assert "\x1b" not in err


@pytest.mark.parametrize("sigma", ["1e-300", "1e300", "1e-5"])
def test_an_absurd_sigma_fits_nothing_or_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str], sigma: str
) -> None:
    arguments: list[Any] = ["audit", str(folder / "sigma_0.25"), "--sigma", sigma]
    assert run([*arguments, "--alpha", "0.5"]) == 0
    assert "grid:" in capsys.readouterr().out


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "--help"]) == 0
    assert "Example:" in capsys.readouterr().out


def test_a_log_rounded_down_is_praised_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [HEADER]
    for hits in range(600, 1001, 4):
        radius = 0.5 * stats.norm.ppf(stats.beta.ppf(0.001, hits, 1001 - hits))
        lines.append(f"{hits}\t3\t3\t{int(radius * 1e6) / 1e6:.6f}\t1\t1\n")
    (tmp_path / "sigma_0.5").write_text("".join(lines))
    assert run(["audit", str(tmp_path / "sigma_0.5"), "--alpha", "0.0001"]) == 0
    out = lines_of(capsys)
    assert "n = 1,000, alpha = 0.001, radii rounded down: all 101 distinct radii" in out
    assert "rounding: no radius is printed above the grid's value" in out
    assert "if the grid is right; every radius has one number of hits behind it" in out
