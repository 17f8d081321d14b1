"""Logs of the field in the table: the figures that their projects published."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from rsonnx.logs import read_log
from rsonnx.report import LogFigures, accuracy_report, log_figures, to_text
from rsonnx.report.summary import mean_radius
from rsonnx.statistics import accuracy_interval

LOGS = Path(__file__).resolve().parents[3] / "shared/logs/locuslab_smoothing/data/certify/imagenet"

# Cohen et al., arXiv 1902.02918, table 1 (ImageNet, ResNet-50), as recomputed from the logs that
# https://github.com/locuslab/smoothing publishes: ACR, then certified accuracy in per mille at
# r = 0, .5, 1, ... The log at .25 holds 427 of the 500 images, so its shares are rounded down.
PUBLISHED = {
    0.25: ("0.4765", (667, 494, 0)),
    0.5: ("0.7325", (572, 458, 372, 286, 0)),
    1.0: ("0.8752", (436, 378, 326, 260, 194, 148, 122, 90)),
}


def published(sigma: float, radii: tuple[float, ...]) -> LogFigures:
    path = LOGS / f"resnet50/noise_{sigma:.2f}/test/sigma_{sigma:.2f}"
    if not path.is_file():
        pytest.skip("the published logs of the reference project are not here")
    log = read_log(path)
    return log_figures("log", log.rows, radii, [str(note) for note in log.notes])


@pytest.mark.parametrize("sigma", PUBLISHED)
def test_the_published_figures(sigma: float) -> None:
    acr, shares = PUBLISHED[sigma]
    radii = tuple(0.5 * i for i in range(len(shares)))
    found = published(sigma, radii)
    summary = found.summary
    assert summary.certified_accuracy is not None
    if summary.inputs == 500:
        assert summary.certified_accuracy == tuple(Fraction(k, 1000) for k in shares)
    printed = to_text(accuracy_report([found])).splitlines()[1].split()
    assert printed[5:] == [f"{k // 10}.{k % 10}" for k in shares]
    # Published to nearest; ours is rounded down, from the exact mean.
    assert f"{float(mean_radius(found.rows)):.4f}" == acr
    assert summary.acr is not None
    assert Fraction(summary.acr) <= mean_radius(found.rows)
    assert printed[1:4] == ["?", str(summary.inputs), "?"]


def test_intervals_are_those_of_a_run_with_the_same_outcomes() -> None:
    found = published(0.5, (0.0, 0.5))
    assert found.population is not None
    for k, at in zip((286, 229), found.population.accuracy, strict=True):
        one = accuracy_interval(k, 500, 0.001)
        assert (at.low, at.high) == (one.low, one.high)
