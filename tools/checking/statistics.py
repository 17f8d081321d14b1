"""Bounds and radii against 200-bit arithmetic, and the adaptive rule's exact error."""

from __future__ import annotations

import argparse
import math
import time

import mpmath
import numpy as np
from mpmath import mpf

from rsonnx.procedures.adaptive import PROCESS_SHARE
from rsonnx.procedures.procedure import LOOK
from rsonnx.statistics import clopper_pearson_lower, normal_quantile_down
from rsonnx.statistics.adaptive import AdaptiveRule, align_looks
from rsonnx.statistics.operating import operating_point
from rsonnx.statistics.rigorous import normal_cdf_at_most, proves_lower_bound
from rsonnx.statistics.rounding import normal_cdf_up

ADAPTIVE = [(0.5, 0.001), (1.0, 0.001), (2.0, 0.001), (1.0, 0.01), (3.0, 0.0001)]
"""Radius over sigma, and alpha."""


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


def rounding(given: argparse.Namespace) -> int:
    """Check the rounding of bounds and radii on random (k, n, alpha); 1 where any is wrong.

    For every case the tail probability at the claimed bound is summed term by term and must not
    exceed alpha, the claimed quantile's normal probability must not exceed the bound, and the
    library's own proof in integer arithmetic must accept both. A bound moved up by 2^-30 of itself
    must be refused by it.
    """
    mpmath.mp.prec = 200
    generator = np.random.Generator(np.random.Philox(given.seed))
    wrong = unproved = radii = wrong_radii = unproved_radii = accepted = 0
    widest, proof_seconds = mpf(0), 0.0
    for _ in range(given.cases):
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
    print(f"{given.cases} bounds: {wrong} above the true one, {unproved} without a proof,")
    print(f"  {accepted} accepted after a move up by 2^-30; at most {mpmath.nstr(widest, 3)} below")
    print(f"  the true one, relative; {1e3 * proof_seconds / given.cases:.2f} ms a proof")
    print(f"{radii} radii: {wrong_radii} above the true one, {unproved_radii} without a proof")
    return int(wrong + unproved + accepted + wrong_radii + unproved_radii > 0)


def adaptive(given: argparse.Namespace) -> int:
    """Print the exact probability of a false certificate at the worst p, p0; 1 if above alpha.

    Dynamic programming over (hits, samples), with looks as ``rsonnx certify`` takes them and after
    every single sample.
    """
    share, worst = PROCESS_SHARE if given.share is None else given.share, 0.0
    print("r/sigma   alpha   error/alpha by schedule   after every sample   expected samples")
    for r, alpha in ADAPTIVE:
        p0 = normal_cdf_up(r)
        rule = AdaptiveRule((p0,), given.n, alpha, share, futility=given.futility)
        scheduled = operating_point(rule, p0, align_looks(rule.looks, LOOK))
        every = operating_point(rule, p0, tuple(range(1, given.n + 1)))
        errors = [point.certified[0] / alpha for point in (scheduled, every)]
        print(f"{r:7.2f} {alpha:7g} {errors[0]:25.4f} {errors[1]:20.4f} {scheduled.samples:18.0f}")
        worst = max(worst, *errors)
    return int(worst >= 1.0)
