"""What an audit says of idx, correct and radii, and which noise it takes a log to have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rsonnx.errors import UsageError
from rsonnx.logs import SIGMAS, audit_log, read_log
from rsonnx.logs.audit import Gap

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


@pytest.mark.parametrize(
    ("indices", "step", "gaps", "repeated", "ascending"),
    [
        ([0, 20, 40, 60], 20, (), (), True),
        ([0, 20, 60, 80, 100], 20, (Gap(20, 60),), (), True),
        ([0, 1, 1, 2], 1, (), (1,), False),
        ([3, 2, 1], 1, (), (), False),
        ([0, 10, 20, 25, 30], 5, (Gap(0, 10), Gap(10, 20)), (), True),
        ([7], None, (), (), True),
        ([7, 7], None, (), (7,), False),
    ],
)
def test_idx(
    log_file: Callable[..., Path],
    indices: list[int],
    step: int | None,
    gaps: tuple[Gap, ...],
    repeated: tuple[int, ...],
    ascending: bool,
) -> None:
    path = log_file(HEADER + "".join(f"{index}\t3\t3\t0.25\t1\t1.0\n" for index in indices))
    idx = audit_log(read_log(path), sigma=0.5).indices
    assert idx is not None
    assert (idx.first, idx.last) == (min(indices), max(indices))
    assert (idx.step, idx.gaps, idx.repeated, idx.ascending) == (step, gaps, repeated, ascending)


def test_radii_that_do_not_count_are_left_out_of_the_fit(log_file: Callable[..., Path]) -> None:
    path = log_file(
        HEADER + "0\t3\t3\tinf\t1\t1.0\n1\t3\t-1\t0.3\t0\t1.0\n2\t3\t3\t0.0\t1\t1.0\n"
        "3\t3\t3\t0.25\t1\t1.0\n"
    )
    audit = audit_log(read_log(path), sigma=0.5)
    assert (audit.radii, audit.abstentions, audit.not_finite) == (1, 1, (2,))
    assert audit.grid is not None
    assert audit.grid.distinct_radii == 1


@pytest.mark.parametrize("content", [HEADER, HEADER + "0\t3\t-1\t0.0\t0\t1.0\n"])
def test_without_radii_no_grid_is_sought(log_file: Callable[..., Path], content: str) -> None:
    audit = audit_log(read_log(log_file(content)), alpha=0.001)
    assert (audit.grid, audit.restated) == (None, None)
    assert (audit.indices is None) == (content == HEADER)


@pytest.mark.parametrize(
    ("path", "sigma"),
    [
        ("a/noise_0.25/test/sigma_0.50", 0.5),
        ("sigma_0.25.tsv", 0.25),
        ("sigma_0.25/run.tsv", 0.25),
        ("sigma_0.25/sigma_1.00_n100000", 1.0),
        ("Sigma=0.5,alpha=0.001", 0.5),
        ("certify_sigma0.12", 0.12),
        ("noise_0.25/log", None),
        ("sigma_025", None),
        ("sigma_0.00", None),
        ("sigma_/x", None),
        ("sigma_0.2500000001", None),
        ("insigma_0.25x", None),
    ],
)
def test_sigma_is_read_from_the_path(
    log_file: Callable[..., Path], path: str, sigma: float | None
) -> None:
    log = read_log(log_file(HEADER + "0\t3\t3\t0.123456\t1\t1\n", path))
    for given, source, tried in [
        (None, *(("fitted", SIGMAS) if sigma is None else ("path", (sigma,)))),
        (0.7, "given", (0.7,)),
    ]:
        grid = audit_log(log, sigma=given).grid
        assert grid is not None
        assert (grid.sigma_source, grid.sigmas_tried) == (source, tried)


def test_a_sigma_that_is_wrong_fits_nothing(made_log: Callable[..., Path]) -> None:
    audit = audit_log(read_log(made_log(sigma=0.5, name="sigma_0.25/log")), alpha=0.5)
    assert audit.grid is not None
    assert (audit.grid.fits, audit.grid.misfits, audit.grid.overstated) == ((), (), None)
    assert audit.restated is None


@pytest.mark.parametrize(
    "settings",
    [{"alpha": value} for value in (0.0, 1.0, -1.0, float("nan"))]
    + [{"sigma": value} for value in (0.0, -1.0, float("inf"), float("nan"))],
)
def test_bad_parameters_are_refused(
    log_file: Callable[..., Path], settings: dict[str, float]
) -> None:
    with pytest.raises(UsageError, match=next(iter(settings))):
        audit_log(read_log(log_file(HEADER)), **settings)
