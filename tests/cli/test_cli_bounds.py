"""bounds: every figure against a formula written out here, the picture, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import mpmath
import pytest

from rsonnx.cli import run
from rsonnx.report import bounds_figure, compare_bounds
from rsonnx.statistics import BOUNDS

COUNTS = ("-k", "990", "-n", "1000")
UNSOUND = {"wald", "wilson", "jeffreys"}


def table(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["bounds", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return str(out)


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    found = json.loads(table(capsys, *arguments, "--json"))
    return {row["name"]: row for row in found["bounds"]}


def at_least(k: int, n: int, p: mpmath.mpf) -> mpmath.mpf:
    """P(Bin(n, p) >= k), term by term."""
    return sum(mpmath.binomial(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1))


def root(function: Callable[[mpmath.mpf], mpmath.mpf], low: float, high: float) -> mpmath.mpf:
    a, b = mpmath.mpf(low), mpmath.mpf(high)
    sign = mpmath.sign(function(a))
    assert sign == -mpmath.sign(function(b))
    for _ in range(60):
        middle = (a + b) / 2
        a, b = (middle, b) if mpmath.sign(function(middle)) == sign else (a, middle)
    return a


def references(k: int, n: int, alpha: float, u: float) -> dict[str, mpmath.mpf]:
    share, a = mpmath.mpf(k) / n, mpmath.mpf(alpha)
    z = mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * a)
    spread = z * mpmath.sqrt(share * (1 - share) / n + z**2 / (4 * mpmath.mpf(n) ** 2))

    def divergence(p: mpmath.mpf) -> mpmath.mpf:
        return share * mpmath.log(share / p) + (1 - share) * mpmath.log((1 - share) / (1 - p))

    variance = share * (1 - share) * n / (n - 1)
    return {
        "clopper-pearson": root(lambda p: at_least(k, n, p) - a, 0.9, float(share)),
        "randomized-clopper-pearson": root(
            lambda p: u * at_least(k, n, p) + (1 - u) * at_least(k + 1, n, p) - a, 0.9, float(share)
        ),
        "chernoff-kl": root(lambda p: n * divergence(p) + mpmath.log(a), 0.9, 0.985),
        "hoeffding": share - mpmath.sqrt(mpmath.log(1 / a) / (2 * n)),
        "empirical-bernstein": share
        - mpmath.sqrt(2 * variance * mpmath.log(2 / a) / n)
        - 7 * mpmath.log(2 / a) / (3 * (n - 1)),
        "chebyshev": share - mpmath.sqrt(1 / (4 * n * a)),
        "cantelli": root(lambda p: (share - p) ** 2 - (1 - a) / a * p * (1 - p) / n, 0.1, 0.9),
        "wald": share - z * mpmath.sqrt(share * (1 - share) / n),
        "wilson": (share + z**2 / (2 * n) - spread) / (1 + z**2 / n),
        "jeffreys": root(
            lambda p: mpmath.betainc(k + 0.5, n - k + 0.5, 0, p, regularized=True) - a, 0.95, 0.985
        ),
    }


def test_every_bound_and_radius_against_its_formula(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, *COUNTS, "--sigma", "0.5", "--uniform", "0.3")
    with mpmath.workdps(40):
        exact = references(990, 1000, 0.001, 0.3)
        assert set(found) == set(exact) == set(BOUNDS)
        for name, row in found.items():
            assert row["lower"] == pytest.approx(float(exact[name]), abs=1e-9), name
            radius = mpmath.sqrt(2) * mpmath.erfinv(2 * exact[name] - 1) / 2
            assert row["radius"] == pytest.approx(max(0.0, float(radius)), abs=1e-9), name
            if row["sound"]:
                assert row["lower"] <= exact[name]
                assert row["radius"] <= max(0, radius)
    assert {name for name, row in found.items() if not row["sound"]} == UNSOUND
    assert all(bool(row["note"]) is (name in UNSOUND) for name, row in found.items())


def test_the_table_is_the_json_rounded_down(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (*COUNTS, "--sigma", "0.25", "--uniform", "1")
    found, text = rows(capsys, *arguments), table(capsys, *arguments)
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line and line[0] != " "}
    assert "radius at sigma 0.25" in text
    for name, row in found.items():
        _, lower, radius, *mark = lines[name]
        assert 0 <= row["lower"] - float(lower) < 1e-8
        assert Decimal(lower) <= Decimal(row["lower"])
        assert Decimal(radius) <= Decimal(row["radius"])
        assert row["radius"] - float(radius) < 1e-4
        assert mark == ([] if row["sound"] else ["comparison", "only"])
        if not row["sound"]:
            assert f"  {name}: " in text
    assert all(len(line) <= 100 for line in text.splitlines())
    clopper, randomized = found["clopper-pearson"], found["randomized-clopper-pearson"]
    assert randomized["lower"] == pytest.approx(clopper["lower"], abs=1e-9)


def test_without_a_uniform_the_randomised_bound_says_what_it_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = rows(capsys, *COUNTS)["randomized-clopper-pearson"]
    assert (row["lower"], row["radius"]) == (None, None)
    assert "--uniform" in row["note"]
    assert "randomized-clopper-pearson: needs --uniform" in table(capsys, *COUNTS)


def test_an_unsound_bound_of_one_has_an_infinite_radius(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("-k", "10", "-n", "10")
    found = rows(capsys, *arguments)
    assert (found["wald"]["lower"], found["wald"]["radius"]) == (1.0, None)
    assert "infinite  comparison only" in table(capsys, *arguments)
    assert all(row["lower"] < 1 for row in found.values() if row["sound"] and row["lower"])


@pytest.mark.parametrize(("k", "n"), [("0", "1"), ("1", "1"), ("999999999999", "1000000000000")])
def test_counts_at_the_ends(capsys: pytest.CaptureFixture[str], k: str, n: str) -> None:
    found = rows(capsys, "-k", k, "-n", n, "--uniform", "0.5")
    assert set(found) == set(BOUNDS)
    assert all(0 <= row["lower"] <= 1 for row in found.values())


@pytest.mark.parametrize(
    "words",
    [
        "-k 3 -n 2",
        "-k -1 -n 2",
        "-k 0 -n 0",
        "-n 5",
        "-k x -n 5",
        *(
            f"-k 990 -n 1000 --{option}"
            for option in ("alpha 0", "alpha nan", "sigma 0", "sigma inf", "uniform 0", "uniform 2")
        ),
        "-k 990 -n 1000 --plot x.gif",
        "-k 990 -n 1000 --plot none/b.svg",
    ],
)
def test_bad_input_is_one_sentence(
    words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["bounds", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("Error: ")
    option, value = words.split()[-2:]
    assert (value if option == "--plot" else option.strip("-")) in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "magic"), [("b.png", b"\x89PNG"), ("b.svg", b"<?xml"), ("b.PDF", b"%PDF")]
)
def test_the_picture_has_every_bound(
    name: str, magic: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    assert run(["bounds", *COUNTS, "--plot", str(tmp_path / name), "--uniform", "0.3"]) == 0
    out, err = capsys.readouterr()
    assert name in err
    assert "clopper-pearson" in out
    content = (tmp_path / name).read_bytes()
    assert content.startswith(magic)
    figure = bounds_figure(compare_bounds(990, 1000, uniform=0.3))
    lower, radius = figure.axes
    for axes in (lower, radius):
        drawn = {str(line.get_label()).split(" ")[0] for line in axes.lines} & set(BOUNDS)
        assert drawn == set(BOUNDS)
    clopper = next(line for line in lower.lines if line.get_label() == "clopper-pearson")
    heights = dict(zip(*clopper.get_data(), strict=True))
    assert heights[0.99] == compare_bounds(990, 1000).bounds[0].lower


def test_the_examples_of_the_help_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert run(["bounds", "-h"]) == 0
    text = capsys.readouterr().out
    examples = [line.split()[1:] for line in text.splitlines() if line.startswith("    rsonnx ")]
    assert len(examples) == 2
    for example in examples:
        assert run(example) == 0
        assert "clopper-pearson" in capsys.readouterr().out
