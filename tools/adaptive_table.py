"""Expected samples of the adaptive rule on the radii of published logs, by exact computation.

    python tools/adaptive_table.py LOGS [--growth 1.05] [--alpha 0.001] [--n 100000] [--share 0.3]
        [--batch 32]

LOGS is the data/certify folder of the locuslab/smoothing project. Each row's radius gives the lower
bound Φ(radius/sigma), and the share of hits of 1e5 samples that has this Clopper-Pearson bound at
the log's alpha (0.001) is taken as the true p of the class; an abstention as p = 1/2, the costliest
value below any target. Wrong answers stay in: the procedure does not know that they are wrong. The
chance to certify and the expected samples follow exactly (rsonnx.statistics.operating) and are
averaged over all rows. Compared is a fixed run of n samples of the same true p, at full alpha.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special

from rsonnx.certificate.adaptive import PROCESS_SHARE
from rsonnx.smoothing.procedures import LOOK
from rsonnx.statistics.adaptive import AdaptiveRule, align_looks
from rsonnx.statistics.operating import operating_point
from rsonnx.statistics.rounding import normal_cdf_up

LOG_N = 100_000
LOG_ALPHA = 0.001


@dataclass(frozen=True)
class Setting:
    """One line of the table; ``field`` is the factor that the literature's best rule reached."""

    path: str
    sigma: float
    radius: float
    field: float


SETTINGS = [
    Setting("cifar10/resnet110/noise_0.25/test/sigma_0.25", 0.25, 0.25, 86),
    Setting("cifar10/resnet110/noise_0.25/test/sigma_0.25", 0.25, 0.5, 70),
    Setting("cifar10/resnet110/noise_0.50/test/sigma_0.50", 0.5, 0.5, 78),
    Setting("cifar10/resnet110/noise_0.50/test/sigma_0.50", 0.5, 1.0, 56),
    Setting("cifar10/resnet110/noise_1.00/test/sigma_1.00", 1.0, 1.0, 47),
    Setting("imagenet/resnet50/noise_0.50/test/sigma_0.50", 0.5, 0.5, 103),
    Setting("imagenet/resnet50/noise_0.50/test/sigma_0.50", 0.5, 1.0, 64),
    Setting("imagenet/resnet50/noise_1.00/test/sigma_1.00", 1.0, 1.0, 119),
]


def read(path: Path) -> list[tuple[float, bool]]:
    """Return (radius, correct) of every row; an abstention has radius 0."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [
        (0.0 if row["predict"] == "-1" else float(row["radius"]), row["correct"] in ("1", "True"))
        for row in rows
    ]


def share_of_hits(bound: float) -> float:
    """Return k/n for the k of LOG_N whose Clopper-Pearson bound is ``bound``."""
    low, high = int(bound * LOG_N), LOG_N
    while high - low > 1:
        k = (low + high) // 2
        below = special.betaincinv(k, LOG_N - k + 1, LOG_ALPHA) < bound
        low, high = (k, high) if below else (low, k)
    nearer = min(
        (low, high), key=lambda k: abs(special.betaincinv(k, LOG_N - k + 1, LOG_ALPHA) - bound)
    )
    return nearer / LOG_N


def line(
    root: Path, setting: Setting, arguments: argparse.Namespace
) -> tuple[float, float, float, float]:
    """Return the factor, the mean of samples, and the differences in percentage points."""
    rows = read(root / setting.path)
    p0 = normal_cdf_up(setting.radius / setting.sigma)
    rule = AdaptiveRule(
        (p0,),
        n_max=arguments.n,
        alpha=arguments.alpha,
        share=arguments.share,
        growth=arguments.growth,
    )
    looks = align_looks(rule.looks, arguments.batch)
    fixed_hits = AdaptiveRule(
        (p0,), n_max=arguments.n, alpha=arguments.alpha, share=1e-9
    ).final_hits[0]
    samples, adaptive, fixed, right = [], [], [], []
    for radius, correct in rows:
        bound = special.ndtr(radius / setting.sigma)
        p = share_of_hits(bound) if radius > 0 else 0.5
        if arguments.p_is_bound:
            p = bound
        point = operating_point(rule, float(p), looks)
        samples.append(point.samples)
        adaptive.append(point.certified[0])
        fixed.append(special.betainc(fixed_hits, arguments.n - fixed_hits + 1, p))
        right.append(correct)
    mean = float(np.mean(samples))
    difference = np.subtract(adaptive, fixed)
    return (
        arguments.n / mean,
        mean,
        100.0 * float(np.mean(difference * np.array(right))),
        100.0 * float(np.mean(np.abs(difference))),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("logs", type=Path)
    parser.add_argument("--growth", type=float, default=1.05)
    parser.add_argument("--alpha", type=float, default=0.001)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument(
        "--share", type=float, default=PROCESS_SHARE, help="of alpha for the e-process"
    )
    parser.add_argument(
        "--batch", type=int, default=LOOK, help="looks are at multiples of this many samples"
    )
    parser.add_argument(
        "--p-is-bound", action="store_true", help="take Φ(radius/sigma) itself as the true p"
    )
    arguments = parser.parse_args()
    print("setting                      factor  (field)  samples  accuracy, pp  decisions, pp")
    for setting in SETTINGS:
        factor, mean, accuracy, decisions = line(arguments.logs, setting, arguments)
        name = f"{setting.path.split('/')[0]} sigma {setting.sigma} r {setting.radius}"
        print(
            f"{name:28} {factor:6.1f}  ({setting.field:5.0f})  {mean:7.0f}  {accuracy:+12.4f}"
            f"  {decisions:13.4f}"
        )


if __name__ == "__main__":
    main()
