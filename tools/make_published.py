"""Write into ``tools/results`` what published trainings of MNIST reach on the images here.

    python tools/make_published.py LOGS

LOGS is ``data/certify/mnist`` of github.com/jh-jeong/smoothmix, whose logs have all 10,000 test
images: 5 or 6 trainings a method and sigma, n = 100,000, alpha = 0.001. Test images differ in how
hard they are, so figures are comparable on the same images only: all, every 20th, every 100th.
Where we take fewer samples, theirs are thinned: from a logged radius follows how many of the
100,000 votes its class had, and of these as many as we take are drawn without replacement.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rsonnx.logs import read_log

RESULTS = Path(__file__).resolve().parent / "results" / "published.json"
N, ALPHA, SEED = 100_000, 0.001, 0
SUBSETS = ((1, N), (20, N), (20, 10_000), (100, N))
"""Every so many-th test image, and samples."""

RADII = {0.25: (0.0, 0.5), 0.5: (0.0, 0.5, 1.0, 1.5), 1.0: (0.0, 1.0, 2.0)}
LOGS = {
    "Gaussian": ("cohen/noise_{:.2f}_*",) * 3,
    "Consistency": (
        "consistency/cohen/num_2/lbd_10.0/eta_0.5/noise_{:.2f}_[1-5]",
        *("consistency/cohen/num_2/lbd_5.0/eta_0.5/noise_{:.2f}_[1-5]",) * 2,
    ),
    "SmoothAdv": ("salman/pgd_255.0_10_10/num_4/noise_{:.2f}_*",) * 3,
    # The best of each: with its one-step adversary at sigma 0.25 and 1.
    "SmoothMix": tuple(
        f"smoothmix/smix_1.0_{steps}/tau_5.0/num_4/*/noise_{{}}"
        for steps in ("2_m1", "4_m0", "8_m1")
    ),
}


def thinned(radii: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return radii, in units of sigma, as ``n`` of the ``N`` votes would have given them.

    An abstention stays 0.
    """
    hits = np.arange(N // 2, N + 1)
    bounds = special.betaincinv(hits, N - hits + 1, ALPHA)
    nearest = np.abs(bounds[:, None] - special.ndtr(radii)).argmin(0)
    kept = rng.hypergeometric(hits[nearest], N - hits[nearest], n)
    fewer = special.betaincinv(kept, n - kept + 1, ALPHA)
    return np.where(radii > 0, special.ndtri(fewer.clip(0.5)), 0.0)


def records(logs: Path) -> Iterator[dict[str, Any]]:
    """Yield the mean figures of each sigma, method and subset."""
    for place, sigma in enumerate(RADII):
        for method, patterns in LOGS.items():
            runs = [
                read_log(path).rows for path in sorted(logs.glob(patterns[place].format(sigma)))
            ]
            for every, n in SUBSETS:
                rng = np.random.default_rng(SEED)
                radii = np.array([[row.radius for row in rows[::every]] for rows in runs])
                right = np.array([[row.correct for row in rows[::every]] for rows in runs])
                if n < N:
                    radii = sigma * np.array([thinned(one / sigma, n, rng) for one in radii])
                shares = [float((right & (radii >= r)).mean()) for r in RADII[sigma]]
                yield {
                    **{"sigma": sigma, "method": method, "trainings": len(runs)},
                    **{"inputs": radii.shape[1], "n": n},
                    **{
                        "acr": float((radii * right).mean()),
                        "radii": RADII[sigma],
                        "share": shares,
                    },
                }


def main() -> None:
    """Read the logs and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("logs", type=Path)
    lines = [json.dumps(record) for record in records(parser.parse_args().logs)]
    RESULTS.write_text("[\n " + ",\n ".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
