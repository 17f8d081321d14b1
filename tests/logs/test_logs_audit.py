"""What an audit says of idx, correct and radii, and which noise it takes a log to have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rsonnx.logs import SIGMAS, Gap, Grid, audit_log, read_log
from rsonnx.logs.sigma import sigma_of

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
ROW = "{}\t3\t3\t0.25\t1\t1.0\n"


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
    path = log_file(HEADER + "".join(ROW.format(index) for index in indices))
    found = audit_log(read_log(path), sigma=0.5).indices
    assert found is not None
    assert (found.first, found.last) == (min(indices), max(indices))
    assert (found.step, found.gaps, found.repeated) == (step, gaps, repeated)
    assert found.ascending is ascending


@pytest.mark.parametrize(
    ("stated", "standing", "lines"),
    [
        ("1 0 1", "agrees", ()),
        ("1 1 2", "cumulative", ()),
        ("1 1 1", "contradicts", (3,)),
        ("2 2 2", None, ()),
        ("0 1 0", "contradicts", (2, 3, 4)),
    ],
)
def test_correct(
    log_file: Callable[..., Path], stated: str, standing: str | None, lines: tuple[int, ...]
) -> None:
    a, b, c = stated.split()
    path = log_file(
        HEADER + f"0\t3\t3\t0.25\t{a}\t1.0\n1\t3\t4\t0.2\t{b}\t1.0\n2\t3\t3\t0.1\t{c}\t1.0\n"
    )
    if standing is None:
        with pytest.raises(Exception, match="line 2: correct is 2"):
            read_log(path)
        return
    found = audit_log(read_log(path), sigma=0.5).correctness
    assert (found.standing, found.lines) == (standing, lines)


def test_without_the_column_nothing_is_said(log_file: Callable[..., Path]) -> None:
    path = log_file("idx\tlabel\tpredict\tradius\n0\t3\t3\t0.25\n")
    assert audit_log(read_log(path), sigma=0.5).correctness.standing == "absent"


def test_radii_that_do_not_count_are_left_out_of_the_fit(log_file: Callable[..., Path]) -> None:
    path = log_file(
        HEADER + "0\t3\t3\tinf\t1\t1.0\n1\t3\t-1\t0.3\t0\t1.0\n2\t3\t3\t0.0\t1\t1.0\n"
        "3\t3\t3\t0.25\t1\t1.0\n"
    )
    found = audit_log(read_log(path), sigma=0.5)
    assert (found.radii, found.abstentions, found.not_finite) == (1, 1, (2,))
    assert found.grid is not None
    assert found.grid.printed.values.tolist() == [0.25]


@pytest.mark.parametrize("content", [HEADER, HEADER + "0\t3\t-1\t0.0\t0\t1.0\n"])
def test_without_radii_no_grid_is_sought(log_file: Callable[..., Path], content: str) -> None:
    found = audit_log(read_log(log_file(content)), alpha=0.001)
    assert found.grid is None
    assert (found.indices is None) == (content == HEADER)


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
def test_sigma_is_read_from_the_path(path: str, sigma: float | None) -> None:
    found = sigma_of(Path(path), None)
    if sigma is None:
        assert (found.source, found.sigmas) == ("fitted", SIGMAS)
    else:
        assert (found.source, found.sigmas) == ("path", (sigma,))


def test_a_given_sigma_comes_first(made_log: Callable[..., Path]) -> None:
    path = made_log(sigma=0.5, name="sigma_0.25/log")
    by_path = audit_log(read_log(path)).grid
    given = audit_log(read_log(path), sigma=0.5).grid
    assert by_path is not None
    assert given is not None
    assert (by_path.sigma.source, by_path.fits.best) == ("path", None)
    assert (given.sigma.source, given.sigma.sigmas) == ("given", (0.5,))
    assert given.fits.best is not None
    assert given.fits.best.grid == Grid(0.5, 100_000, 0.001)
    assert (by_path.misfits, by_path.overstated, by_path.restated) == ({}, None, None)
