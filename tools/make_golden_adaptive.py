"""Make the golden values of tests/golden/adaptive.json in high precision.

    python tools/make_golden_adaptive.py

Nothing of rsonnx or scipy is used: the e-process is integrated numerically with mpmath, its
confidence sequence inverted by bisection on that, and bounds solved from their defining equations.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mpmath
from mpmath import mpf

mpmath.mp.prec = 200
DIGITS = 22
TARGET = Path(__file__).resolve().parents[1] / "tests" / "golden" / "adaptive.json"

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


def tail(k: int, n: int, p: mpf) -> mpf:
    """Return P(Bin(n, p) >= k) for k at or above the mean."""
    term = mpmath.binomial(n, k) * p**k * (1 - p) ** (n - k)
    total, odds = mpf(0), p / (1 - p)
    for j in range(k, n + 1):
        total += term
        term *= odds * (n - j) / (j + 1)
        if term < total * mpf(2) ** -190:
            break
    return total


def randomized(k: int, n: int, alpha: float, u: float) -> mpf:
    """Return the p with P(K > k) + u·P(K = k) = alpha."""
    if k == n:
        return (mpf(alpha) / u) ** (mpf(1) / n)

    def excess(p: mpf) -> mpf:
        return mpf(alpha) - tail(k + 1, n, p) * (1 - mpf(u)) - tail(k, n, p) * mpf(u)

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


def text(value: mpf, digits: int = DIGITS) -> str:
    """Return a number with ``digits`` significant digits."""
    return str(mpmath.nstr(value, digits, strip_zeros=False))


def main() -> None:
    """Write the golden values."""
    tables = {
        "source": "tools/make_golden_adaptive.py: 200-bit quadrature and bisection (mpmath)",
        "log_e": [{"k": k, "n": n, "p0": p, "value": text(log_e(k, n, p))} for k, n, p in LOG_E],
        "cs_lower": [
            {"k": k, "n": n, "alpha": a, "value": text(cs_lower(k, n, a), 15)}
            for k, n, a in CS_LOWER
        ],
        "fewest_all_hits": [
            {"z": z, "alpha": a, "value": fewest_all_hits(z, a)} for z, a in ALL_HITS
        ],
        "bounds": [
            {"name": name, "k": k, "n": n, "alpha": a, "value": text(value)}
            for k, n in COUNTS
            for a in (0.001, 0.05)
            for name, value in bounds(k, n, a).items()
        ]
        + [
            {
                "name": "randomized-clopper-pearson",
                "k": k,
                "n": n,
                "alpha": a,
                "uniform": u,
                "value": text(randomized(k, n, a, u)),
            }
            for k, n, a, u in RANDOMIZED
        ],
    }
    TARGET.write_text(json.dumps(tables, indent=1) + "\n")


if __name__ == "__main__":
    main()
