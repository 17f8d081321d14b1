"""Check the rounding of bounds and radii on random (k, n, alpha) against 200-bit arithmetic.

    python tools/check_rounding.py [--cases 10000] [--seed 4]

For every case the tail probability at the claimed bound is summed term by term with mpmath and
must not exceed alpha, the claimed quantile's normal probability must not exceed the bound, and the
library's own proof in integer arithmetic must accept both. A bound moved up by 2^-30 of itself must
be refused by both. Prints the violations and the largest distance to the true bound.
"""

from __future__ import annotations

import argparse
import math
import time

import mpmath
import numpy as np
from mpmath import mpf

from rsonnx.statistics import clopper_pearson_lower, normal_quantile_down
from rsonnx.statistics.rigorous import normal_cdf_at_most, proves_lower_bound


def upper_tail(k: int, n: int, p: float) -> tuple[mpf, mpf]:
    """Return P(Bin(n, p) >= k) and its derivative with respect to ln p, by summing terms."""
    p_, odds = mpf(p), mpf(p) / (1 - mpf(p))
    log_term = mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1)
    term = mpmath.exp(log_term + k * mpmath.log(p_) + (n - k) * mpmath.log1p(-p_))
    total, slope = mpf(0), k * term
    for j in range(k, n + 1):
        total += term
        term *= odds * (n - j) / (j + 1)
        if term < total * mpf(2) ** -120:
            break
    return total, slope


def draw(generator: np.random.Generator) -> tuple[int, int, float]:
    """Return a random case: n up to 1e7, hits of every order of magnitude, alpha to 1e-12."""
    n = int(10 ** generator.uniform(0, 7))
    share = (
        generator.uniform(), 10 ** -generator.uniform(0, 7), 1 - 10 ** -generator.uniform(0, 7)
    )[generator.integers(3)]  # fmt: skip
    k = min(n, max(1, round(share * n)))
    return k, n, float(10 ** generator.uniform(-12, math.log10(0.4)))


def main() -> None:
    """Run the check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=4)
    arguments = parser.parse_args()
    mpmath.mp.prec = 200
    generator = np.random.Generator(np.random.Philox(arguments.seed))
    wrong = unproved = radii = wrong_radii = unproved_radii = accepted = 0
    widest, proof_seconds = mpf(0), 0.0
    for _ in range(arguments.cases):
        k, n, alpha = draw(generator)
        bound = clopper_pearson_lower(k, n, alpha)
        tail, slope = upper_tail(k, n, bound)
        wrong += tail > mpf(alpha)
        # One Newton step on the logarithm gives the distance to the true bound.
        widest = max(widest, mpmath.log(mpf(alpha) / tail) * tail / slope)
        start = time.perf_counter()
        unproved += not proves_lower_bound(bound, k, n, alpha)
        proof_seconds += time.perf_counter() - start
        above = bound * (1 + 2.0**-30)
        accepted += above < 1 and proves_lower_bound(above, k, n, alpha)
        if bound > 0.5:
            radii += 1
            z = normal_quantile_down(bound)
            wrong_radii += mpmath.ncdf(z) > mpf(bound)
            unproved_radii += not normal_cdf_at_most(z, bound)
    print(f"{arguments.cases} bounds: {wrong} above the true one, {unproved} without a proof,")
    print(f"  {accepted} accepted after a move up by 2^-30; at most {mpmath.nstr(widest, 3)} below")
    print(f"  the true one, relative; {1e3 * proof_seconds / arguments.cases:.2f} ms a proof")
    print(f"{radii} radii: {wrong_radii} above the true one, {unproved_radii} without a proof")
    assert wrong + unproved + accepted + wrong_radii + unproved_radii == 0


if __name__ == "__main__":
    main()
