"""Make the golden values of tests/golden/statistics.json and adaptive.json in 220-bit arithmetic.

    python tools/make_golden.py [statistics] [adaptive]

Nothing of rsonnx or scipy is used: tail probabilities are summed term by term, the e-process is
integrated numerically with mpmath, and bounds are solved by bisection from their defining
equations. tests/statistics compares the package with these values, and, where the project's shared
reference is at hand, the values with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
from mpmath import mpf

mpmath.mp.prec = 220
GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"

LOWER = [
    (0, 100, 0.001),
    (1, 1, 0.001),
    (1, 1, 0.5),
    (5, 10, 0.05),
    (99, 100, 0.001),
    (51, 100, 0.001),
    (750, 1000, 0.001),
    (50_500, 100_000, 0.001),
    (50_488, 100_000, 0.001),
    (84_134, 100_000, 0.001),
    (99_000, 100_000, 1e-12),
    (100_000, 100_000, 0.001),
    (999_999, 1_000_000, 1e-5),
    (9_999_000, 10_000_000, 0.001),
    (10_000_000, 10_000_000, 1e-12),
]
UPPER = [(0, 100, 0.001), (1, 100_000, 0.0005), (500, 1000, 0.001), (10, 10_000_000, 1e-12)]
PHI_INV = [0.5000000000000009, 0.501, 0.75, 0.9, 0.99, 0.9999, 0.999999, 0.999999999999]
TWO_SIDED = [(1, 0), (10, 0), (60, 40), (67, 33), (50, 50), (520, 480), (550, 450), (12, 5)]
ONE_SIDED = [(60, 100), (51, 100), (0, 100), (1, 1), (5234, 10_000), (50_488, 100_000)]

LOG_E = [
    (1, 1, 0.5),
    (14, 14, 0.5),
    (46, 46, 0.84),
    (60, 60, 0.84134474606854),
    (900, 1000, 0.84134474606854),
    (700, 1000, 0.84134474606854),
    (99_000, 100_000, 0.988),
    (50_600, 100_000, 0.5),
    (0, 30, 0.7),
    (9_990_000, 10_000_000, 0.9989),
]
CS_LOWER = [
    (100, 100, 0.001),
    (990, 1000, 0.001),
    (99_000, 100_000, 0.001),
    (100_000, 100_000, 0.0002),
    (620, 1000, 0.01),
]
ALL_HITS = [(z, alpha) for z in (0, 1, 2, 3) for alpha in (0.0002, 0.001)]
RANDOMIZED = [
    (100, 100, 0.001, 0.5),
    (99, 100, 0.001, 1.0),
    (990, 1000, 0.001, 0.25),
    (100_000, 100_000, 0.001, 0.5),
]
COUNTS = [
    (60, 100), (84, 100), (99, 100), (100, 100), (600, 1000), (990, 1000), (1000, 1000),
    (8400, 10_000), (60_000, 100_000), (99_900, 100_000), (100_000, 100_000),
]  # fmt: skip


def upper_tail(k: int, n: int, p: mpf) -> mpf:
    """Return P(Bin(n, p) >= k) for k at or above the mean."""
    term = mpmath.binomial(n, k) * p**k * (1 - p) ** (n - k)
    total, odds = mpf(0), p / (1 - p)
    for j in range(k, n + 1):
        total += term
        term *= odds * (n - j) / (j + 1)
        if term < total * mpf(2) ** -215:
            break
    return total


def log_incomplete(a: mpf, b: mpf, p0: mpf) -> mpf:
    """Return the log of the integral of x^(a-1) (1-x)^(b-1) over (p0, 1).

    With x = 1 - (1-p0)·u², whose square removes the singularity of the prior at 1, and the
    integrand scaled by its peak.
    """
    q0 = 1 - p0

    def log_f(u: mpf) -> mpf:
        x = 1 - q0 * u * u
        return (a - 1) * mpmath.log(x) + (2 * b - 1) * mpmath.log(u)

    # The peak in u of x^(a-1) u^(2b-1).
    odd = 2 * b - 1
    peak = mpmath.sqrt(min(mpf(1), odd / (q0 * (2 * (a - 1) + odd)))) if odd > 0 else mpf(0)
    top = log_f(peak) if peak > 0 else (a - 1) * mpmath.log(mpf(1))
    width = 1 / mpmath.sqrt(2 * q0 * (2 * a + odd + 1))
    edges = {mpf(0), mpf(1)}
    for step in range(-30, 31):
        edges.add(min(mpf(1), max(mpf(0), peak + step * width)))
    points = sorted(edges)

    def f(u: mpf) -> mpf:
        if u == 0:
            return mpmath.exp(-top) if odd == 0 else mpf(0)
        return mpmath.exp(log_f(u) - top)

    total = mpmath.quad(f, points, maxdegree=7)
    return top + mpmath.log(total) + mpmath.log(2) + b * mpmath.log(q0)


def log_e(k: int, n: int, p0: float | mpf) -> mpf:
    """Return the log of the e-process of k hits in n samples against p <= p0."""
    p0, half = mpf(p0), mpf(1) / 2
    return (
        log_incomplete(k + half, n - k + half, p0)
        - log_incomplete(half, half, p0)
        - k * mpmath.log(p0)
        - (n - k) * mpmath.log(1 - p0)
    )


def root(f: Callable[[mpf], mpf], low: mpf, high: mpf, bits: int) -> mpf:
    """Return where f, positive at ``low`` and not at ``high``, changes its sign."""
    for _ in range(bits):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return (low + high) / 2


def cs_lower(k: int, n: int, alpha: float) -> mpf:
    """Return the p at which the e-process falls to 1/alpha."""
    return root(
        lambda p: log_e(k, n, p) + mpmath.log(mpf(alpha)),
        mpf(k) / n / 2,
        mpf(k) / n if k < n else mpf(1) - mpf(10) ** -12,
        52,
    )


def lower_bound(k: int, n: int, alpha: float) -> mpf:
    """Return the p with P(Bin(n, p) >= k) = alpha."""
    if k in (0, n):
        return mpf(0) if k == 0 else mpf(alpha) ** (mpf(1) / n)
    share = mpf(k) / n
    spread = 20 * mpmath.sqrt(share * (1 - share) / n)
    low = max(share - spread, share / mpf(10) ** 9)
    return root(lambda p: mpf(alpha) - upper_tail(k, n, p), low, share, 110)


def fewest_all_hits(z: int, alpha: float) -> int:
    """Return the least n at which n hits of n reject p <= Φ(z)."""
    p0 = mpmath.ncdf(z)
    low, high = 1, 1
    while log_e(high, high, p0) < -mpmath.log(mpf(alpha)):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if log_e(middle, middle, p0) < -mpmath.log(mpf(alpha)):
            low = middle
        else:
            high = middle
    return high


def randomized(k: int, n: int, alpha: float, u: float) -> mpf:
    """Return the p with P(K > k) + u·P(K = k) = alpha."""
    if k == n:
        return (mpf(alpha) / u) ** (mpf(1) / n)

    def excess(p: mpf) -> mpf:
        return mpf(alpha) - upper_tail(k + 1, n, p) * (1 - mpf(u)) - upper_tail(k, n, p) * mpf(u)

    return root(excess, mpf(k) / n / 2, mpf(k + 1) / (n + 1), 90)


def bounds(k: int, n: int, alpha: float) -> dict[str, mpf]:
    """Return every closed or simply defined bound."""
    share, a = mpf(k) / n, mpf(alpha)
    z = mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * a)

    def score(z2: mpf) -> mpf:
        spread = mpmath.sqrt(z2 * (z2 / (4 * n * n) + share * (1 - share) / n))
        return (share + z2 / (2 * n) - spread) / (1 + z2 / n)

    def divergence(p: mpf) -> mpf:
        rest = (1 - share) * mpmath.log((1 - share) / (1 - p)) if k < n else mpf(0)
        return n * (share * mpmath.log(share / p) + rest)

    log2 = mpmath.log(2 / a)
    variance = share * (1 - share) * n / (n - 1)
    values = {
        "chernoff-kl": root(lambda p: divergence(p) + mpmath.log(a), share / 100, share, 100),
        "hoeffding": share - mpmath.sqrt(-mpmath.log(a) / (2 * n)),
        "empirical-bernstein": share
        - mpmath.sqrt(2 * variance * log2 / n)
        - 7 * log2 / (3 * (n - 1)),
        "chebyshev": share - mpmath.sqrt(1 / (4 * n * a)),
        "cantelli": score((1 - a) / a),
        "wald": share - z * mpmath.sqrt(share * (1 - share) / n),
        "wilson": score(z * z),
    }
    if n <= 1000:  # the integral is slow, and scipy's own function is what the library calls
        inner = root(
            lambda p: a - mpmath.betainc(k + 0.5, n - k + 0.5, 0, p, regularized=True),
            share / 10,
            mpf(1),
            60,
        )
        values["jeffreys"] = inner
    return {name: max(mpf(0), value) for name, value in values.items()}


def phi_inv(p: float) -> mpf:
    """Return the standard normal quantile."""
    return mpmath.sqrt(2) * mpmath.erfinv(2 * mpf(p) - 1)


def text(value: mpf, digits: int) -> str:
    """Return a number with ``digits`` significant digits."""
    return str(mpmath.nstr(value, digits, strip_zeros=False))


def table(
    names: str, cases: list[tuple[Any, ...]], value: Callable[..., mpf], digits: int
) -> list[dict[str, Any]]:
    """Return the cases by the names of their numbers, each with its value."""
    return [
        dict(zip(names.split(), case, strict=True)) | {"value": text(value(*case), digits)}
        for case in cases
    ]


def statistics() -> dict[str, Any]:
    """Return the values of bounds, quantiles and tests."""
    half = mpf("0.5")

    def two_sided(a: int, b: int) -> mpf:
        return min(mpf(1), 2 * upper_tail(max(a, b), a + b, half))

    def one_sided(k: int, n: int) -> mpf:
        return upper_tail(k, n, half) if k else mpf(1)

    return {
        "clopper_pearson_lower": table("k n alpha", LOWER, lower_bound, 25),
        "clopper_pearson_upper": table(
            "k n alpha", UPPER, lambda k, n, alpha: 1 - lower_bound(n - k, n, alpha), 25
        ),
        "phi_inv": table("p", [(p,) for p in PHI_INV], phi_inv, 25),
        "two_sided": table("n_a n_b", TWO_SIDED, two_sided, 25),
        "one_sided": table("k n", ONE_SIDED, one_sided, 25),
    }


def adaptive() -> dict[str, Any]:
    """Return the values of the e-process and of every other bound."""
    return {
        "log_e": table("k n p0", LOG_E, log_e, 22),
        "cs_lower": table("k n alpha", CS_LOWER, cs_lower, 15),
        "fewest_all_hits": [
            {"z": z, "alpha": a, "value": fewest_all_hits(z, a)} for z, a in ALL_HITS
        ],
        "bounds": [
            {"name": name, "k": k, "n": n, "alpha": a, "value": text(value, 22)}
            for k, n in COUNTS
            for a in (0.001, 0.05)
            for name, value in bounds(k, n, a).items()
        ]
        + [
            {"name": "randomized-clopper-pearson"} | entry
            for entry in table("k n alpha uniform", RANDOMIZED, randomized, 22)
        ],
    }


def main(names: list[str]) -> None:
    """Write the golden values."""
    for name, values in (("statistics", statistics), ("adaptive", adaptive)):
        if not names or name in names:
            source = {"source": "tools/make_golden.py: 220-bit sums and bisection (mpmath)"}
            text = json.dumps(source | values(), indent=1)
            (GOLDEN / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
