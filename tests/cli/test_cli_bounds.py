"""bounds: every figure against a formula written out here, the picture, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import mpmath
import pytest
from commands import done

from rsonnx.report import bounds_figure, compare_bounds
from rsonnx.statistics import BOUNDS

COUNTS = "-k 990 -n 1000"
UNSOUND = {"wald", "wilson", "jeffreys"}


def table(words: str = COUNTS) -> str:
    outcome = done(f"bounds {words}")
    assert outcome.err == ""
    return outcome.out


def rows(words: str = COUNTS) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in done(f"bounds {words} --json").json()["bounds"]}


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


def test_every_bound_and_radius_against_its_formula() -> None:
    found = rows(f"{COUNTS} --sigma 0.5 --uniform 0.3")
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


def test_the_table_is_the_json_rounded_down() -> None:
    words = f"{COUNTS} --sigma 0.25 --uniform 1"
    found, text = rows(words), table(words)
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


def test_without_a_uniform_the_randomised_bound_says_what_it_needs() -> None:
    row = rows()["randomized-clopper-pearson"]
    assert (row["lower"], row["radius"]) == (None, None)
    assert "--uniform" in row["note"]
    assert "--uniform" in table()


def test_an_unsound_bound_of_one_has_an_infinite_radius() -> None:
    found = rows("-k 10 -n 10")
    assert (found["wald"]["lower"], found["wald"]["radius"]) == (1.0, None)
    assert "infinite" in table("-k 10 -n 10")
    assert all(row["lower"] < 1 for row in found.values() if row["sound"] and row["lower"])


@pytest.mark.parametrize(("k", "n"), [("0", "1"), ("1", "1"), ("999999999999", "1000000000000")])
def test_counts_at_the_ends(k: str, n: str) -> None:
    found = rows(f"-k {k} -n {n} --uniform 0.5")
    assert set(found) == set(BOUNDS)
    assert all(0 <= row["lower"] <= 1 for row in found.values())


@pytest.mark.parametrize(
    ("name", "magic"), [("b.png", b"\x89PNG"), ("b.svg", b"<?xml"), ("b.PDF", b"%PDF")]
)
def test_the_picture_has_every_bound(name: str, magic: bytes, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    said = done(f"bounds {COUNTS} --uniform 0.3 --plot", tmp_path / name)
    assert name in said.err
    assert "clopper-pearson" in said.out
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
