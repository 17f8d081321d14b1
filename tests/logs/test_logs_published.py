"""The logs that the field's reference project publishes, where they are at hand.

https://github.com/locuslab/smoothing, folder data (arXiv 1902.02918). The expected figures were
counted from the same files by other code.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rsonnx.logs import Audit, audit_log, read_log
from rsonnx.report import certified

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parents[2].parent / "shared/logs/locuslab_smoothing/data"
IMAGENET = "certify/imagenet/resnet50/noise_{0}/test/sigma_{0}"


@pytest.fixture(scope="module")
def audits() -> dict[str, Audit]:
    if not FOLDER.exists():
        pytest.skip("the logs of locuslab/smoothing are not beside this checkout")
    paths = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    return {str(path.relative_to(FOLDER)): audit_log(read_log(path)) for path in paths}


def test_all_are_read_without_a_note(audits: dict[str, Audit]) -> None:
    kinds = Counter(audit.log.kind for audit in audits.values())
    assert kinds == {"certify": 13, "predict": 4}
    for audit in audits.values():
        assert audit.log.notes == ()
        assert audit.log.correctness.standing == "agrees"
        assert audit.indices is not None
        assert (audit.indices.gaps, audit.indices.repeated) == ((), ())
        assert audit.indices.ascending
    sizes = Counter(len(audit.log.rows) for audit in audits.values())
    assert sizes == {500: 15, 427: 1, 513: 1}


@pytest.mark.parametrize(
    ("sigma", "acr", "accuracy"),
    [
        ("0.25", 0.4765, None),
        ("0.50", 0.7325, "57.2 45.8 37.2 28.6"),
        ("1.00", 0.8752, "43.6 37.8 32.6 26.0 19.4 14.8 12.2 9.0"),
    ],
)
def test_the_published_figures_are_reproduced(
    audits: dict[str, Audit], sigma: str, acr: float, accuracy: str | None
) -> None:
    shares = [] if accuracy is None else accuracy.split()
    radii = [0.5 * step for step in range(max(1, len(shares)))]
    found = certified(audits[IMAGENET.format(sigma)].log.rows, radii)
    assert found.acr is not None
    assert found.certified_accuracy is not None
    assert round(float(found.acr), 4) == acr  # published with four decimals, rounded to nearest
    if shares:
        assert [f"{100 * float(share):.1f}" for share in found.certified_accuracy] == shares


def test_nine_logs_were_certified_at_alpha_01(audits: dict[str, Audit]) -> None:
    """Their README says 0.001 of all of them."""
    usual = {}
    for name, audit in audits.items():
        if audit.grid is not None:
            assert audit.grid.sigma_source == "path"
            fits = {(fit.n, fit.alpha) for fit in audit.grid.fits}
            usual[name] = ((100_000, 0.01) in fits, (100_000, 0.001) in fits)
            assert audit.grid.fits[0].rounding == "nearest"
            assert audit.grid.fits[0].n == 100_000
    assert Counter(usual.values()) == {(True, False): 9, (False, True): 3, (True, True): 1}
    assert all(found == (True, False) for name, found in usual.items() if "imagenet" in name)


def test_rounding_overstates(audits: dict[str, Audit]) -> None:
    """How many radii are above what their hits give: surely 641 of 5,376, about half likely."""
    grids = [audit.grid for audit in audits.values() if audit.grid is not None]
    found = [grid.overstated for grid in grids if grid.overstated is not None]
    assert sum(audit.radii for audit in audits.values()) == 5376
    assert sum(over.surely for over in found) == 641
    assert sum(over.expected for over in found) == pytest.approx(2815, abs=1)
