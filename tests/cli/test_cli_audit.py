"""``rsonnx audit``: findings in words and in JSON, bad logs refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import done, refused
from scipy import stats

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
LOGS = {
    "header\x1b[31monly": HEADER,
    "predict": "idx\tlabel\tpredict\tcorrect\ttime\n0\t3\t3\t1\t1\n1\t3\t-1\t0\t1\n",
    "odd": HEADER + "0\t3\t3\tinf\t0\t1\n1\t3\t3\t0.123456\t1\t1\n1\t3\t-1\t0.5\t1\t1\n"
    "3\t\t3\t0.333333\t0\n4\t3\t3\t9.5\t1\t1\n\n",
    "few": HEADER + "0\t3\t3\t0.3781\t1\t1\n1\t3\t3\t0.5123\t1\t1\n",
    "bad": HEADER + "0\t3\tcat\x1b[31m\t0.5\t1\t1\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs: sigma_0.25 made at n = 1e5 and alpha 0.01, one rounded down, and some that are odd."""
    here = tmp_path_factory.mktemp("logs")
    source = np.random.default_rng(11)
    lines = [HEADER]
    for index in range(200):
        hits = int(source.binomial(100_000, 1 - 0.4 * source.random() ** 4))
        radius = 0.25 * stats.norm.ppf(stats.beta.ppf(0.01, hits, 100_001 - hits))
        lines.append(f"{2 * index}\t3\t{3 + index % 2}\t{radius:.3}\t{1 - index % 2}\t0:00:01\n")
    lines.append("400\t3\t-1\t0.0\t0\t0:00:01\n")
    (here / "sigma_0.25").write_text("".join(lines))
    lines = [HEADER]
    for hits in range(600, 1001, 4):
        radius = 0.5 * stats.norm.ppf(stats.beta.ppf(0.001, hits, 1001 - hits))
        lines.append(f"{hits}\t3\t3\t{int(radius * 1e6) / 1e6:.6f}\t1\t1\n")
    (here / "down_sigma_0.5").write_text("".join(lines))
    for name, content in LOGS.items():
        (here / name).write_text(content)
    return here


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def words(arguments: str) -> str:
    """What an audit prints, with wrapped lines put together."""
    out = done(f"audit {arguments}").out
    assert "\x1b" not in out
    return " ".join(out.split())


def values(arguments: str) -> list[dict[str, Any]]:
    audits: list[dict[str, Any]] = done(f"audit {arguments} --json").json()
    return audits


def test_findings() -> None:
    [audit] = values("sigma_0.25 --alpha 0.001")
    assert (audit["kind"], audit["rows"], audit["abstentions"]) == ("certify", 201, 1)
    assert audit["indices"]["step"] == 2
    assert audit["correct"] == {"standing": "agrees", "lines": []}
    grid, restated = audit["grid"], audit["restated"]
    best, over = grid["fits"][0], grid["overstated"]
    assert (best["sigma"], best["n"], best["alpha"]) == (0.25, 100_000, 0.01)
    assert (best["rounding"], best["alike"], grid["sigma_source"]) == ("nearest", True, "path")
    assert best["by_chance"] < grid["distinct_radii"]
    misfits = {entry["alpha"]: entry["radii"] for entry in grid["misfits"]}
    assert misfits[0.01] == 0 < misfits[0.001]
    assert 0 < over["surely"] <= over["expected"] <= over["possibly"] <= 200
    assert restated["alpha"] == 0.001
    assert [fit["alpha"] for fit in restated["assumed"]] == [0.01]
    assert restated["figures"]["acr"] < audit["figures"]["acr"]
    shares = [figures["certified_accuracy"] for figures in (restated["figures"], audit["figures"])]
    assert all(low <= high for low, high in zip(*shares, strict=True))
    said = words("sigma_0.25 --alpha 0.001")
    for figure in ("201", "0 to 400", "0.25", "100,000", "0.01", "156", f"{over['surely']:,}"):
        assert f" {figure}" in said
    lines = said.split("alpha = 0.001 ")
    assert float(lines[-1].split()[0]) < float(lines[-2].split("as printed ")[1].split()[0])


def test_a_log_rounded_down_overstates_nothing() -> None:
    [audit] = values("down_sigma_0.5 --alpha 0.0001")
    best = audit["grid"]["fits"][0]
    assert (best["n"], best["alpha"], best["rounding"]) == (1000, 0.001, "down")
    assert (audit["grid"]["overstated"]["possibly"], audit["restated"]["ambiguous"]) == (0, 0)
    assert " rounded down: " in words("down_sigma_0.5 --alpha 0.0001")


def test_a_fit_that_chance_explains_says_so() -> None:
    # One of 156 grids fits two radii of three digits by chance, though each of them seldom does.
    assert "may well fit by chance" in words("few --sigma 0.5")
    assert "may well fit by chance" not in words("sigma_0.25")


def test_every_grid_that_fits_is_named_by_its_n() -> None:
    [audit] = values("few --sigma 0.5")
    said = words("few --sigma 0.5")
    assert len(audit["grid"]["fits"]) > 5
    assert all(f"n = {fit['n']:,} with" in said for fit in audit["grid"]["fits"][1:])
    assert " more" not in said


def test_odd_logs() -> None:
    arguments = "odd header\x1b[31monly predict --sigma 0.5 --alpha 0.001"
    said = words(arguments)
    for figure in ("5 rows", "1 and 3", "line 2, 4", "1 not finite", "header\\x1b[31monly", "50.0"):
        assert figure in said
    odd, empty, predict = values(arguments)
    assert (odd["figures"]["acr"], odd["figures"]["certified_accuracy"]) == (None, None)
    assert (odd["restated"], odd["grid"]["fits"], odd["not_finite"]) == (None, [], [2])
    assert [note["line"] for note in odd["notes"]] == [2, 2, 4, 4, 4, 5, 5, 7]
    assert (empty["indices"], empty["figures"], empty["grid"]) == (None, None, None)
    assert predict["figures"]["certified_accuracy"] == [0.5]


def test_bad_logs_get_a_sentence() -> None:
    refused("audit bad", code=1, named="line 2: predict is 'cat\\x1b[31m'")
    refused("audit sigma_0.25 bad", code=1, named="line 2")


@pytest.mark.parametrize("sigma", ["1e-300", "1e300", "1e-5"])
def test_an_absurd_sigma_fits_nothing_or_says_so(sigma: str) -> None:
    assert "grid:" in words(f"sigma_0.25 --sigma {sigma} --alpha 0.5")
