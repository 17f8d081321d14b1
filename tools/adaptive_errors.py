"""Exact probability of a false certificate of the adaptive rule, at the worst p: p = p0.

    python tools/adaptive_errors.py [--n 100000] [--share 0.3]

Dynamic programming over (hits, samples), with looks as `rsonnx certify` takes them and after every
single sample. Every figure must lie below alpha.
"""

from __future__ import annotations

import argparse

from rsonnx.certificate.adaptive import PROCESS_SHARE
from rsonnx.smoothing.procedures import LOOK
from rsonnx.statistics.adaptive import AdaptiveRule, align_looks
from rsonnx.statistics.operating import operating_point
from rsonnx.statistics.rounding import normal_cdf_up

SETTINGS = [(0.5, 0.001), (1.0, 0.001), (2.0, 0.001), (1.0, 0.01), (3.0, 0.0001)]


def main() -> None:
    """Print the errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--share", type=float, default=PROCESS_SHARE)
    parser.add_argument("--futility", type=float, default=0.001)
    arguments = parser.parse_args()
    print("r/sigma   alpha   error/alpha by schedule   after every sample   expected samples")
    for r, alpha in SETTINGS:
        p0 = normal_cdf_up(r)
        rule = AdaptiveRule((p0,), arguments.n, alpha, arguments.share, futility=arguments.futility)
        scheduled = operating_point(rule, p0, align_looks(rule.looks, LOOK))
        every = operating_point(rule, p0, tuple(range(1, arguments.n + 1)))
        errors = [point.certified[0] / alpha for point in (scheduled, every)]
        print(f"{r:7.2f} {alpha:7g} {errors[0]:25.4f} {errors[1]:20.4f} {scheduled.samples:18.0f}")
        assert max(errors) < 1.0


if __name__ == "__main__":
    main()
