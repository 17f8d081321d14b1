"""Make the golden values of tests/golden/statistics.json in 220-bit arithmetic.

    python tools/make_golden.py

Nothing of rsonnx or scipy is used: tail probabilities are summed term by term, quantiles found by
Newton's method on those sums, and every number is printed with 25 digits. tests/statistics compares
the package with these values, and, where the project's shared reference is at hand, the values with
it.
"""

from __future__ import annotations

import json
from pathlib import Path

import mpmath
from mpmath import mpf

mpmath.mp.prec = 220
DIGITS = 25
TARGET = Path(__file__).resolve().parents[1] / "tests" / "golden" / "statistics.json"

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


def upper_tail(k: int, n: int, p: mpf) -> mpf:
    """Return P(Bin(n, p) >= k) for k at or above the mean, where the terms decrease."""
    term = mpmath.binomial(n, k) * p**k * (1 - p) ** (n - k)
    total, odds = mpf(0), p / (1 - p)
    for j in range(k, n + 1):
        total += term
        term *= odds * (n - j) / (j + 1)
        if term < total * mpf(2) ** -215:
            break
    return total


def lower_bound(k: int, n: int, alpha: float) -> mpf:
    """Return the p with P(Bin(n, p) >= k) = alpha."""
    if k == 0:
        return mpf(0)
    if k == n:
        return mpf(alpha) ** (mpf(1) / n)
    # From below, on a logarithmic scale, where the tail is nearly a straight line in the log-odds.
    share = mpf(k) / n
    z = mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * mpf(alpha))
    p = max(share - (z + 1) * mpmath.sqrt(share * (1 - share) / n), share / 10)
    for _ in range(60):
        tail = upper_tail(k, n, p)
        slope = k * mpmath.binomial(n, k) * p ** (k - 1) * (1 - p) ** (n - k) / tail
        step = (mpmath.log(tail) - mpmath.log(mpf(alpha))) / slope
        p -= step
        if abs(step) < p * mpf(2) ** -200:
            return p
    raise ArithmeticError(f"no convergence at {(k, n, alpha)}")


def phi_inv(p: float) -> mpf:
    """Return the standard normal quantile."""
    return mpmath.sqrt(2) * mpmath.erfinv(2 * mpf(p) - 1)


def text(value: mpf) -> str:
    """Return a number with 25 significant digits."""
    return str(mpmath.nstr(value, DIGITS, strip_zeros=False))


def main() -> None:
    """Write the golden values."""
    tables = {
        "source": "tools/make_golden.py: 220-bit term sums and Newton's method (mpmath)",
        "clopper_pearson_lower": [
            {"k": k, "n": n, "alpha": a, "value": text(lower_bound(k, n, a))} for k, n, a in LOWER
        ],
        "clopper_pearson_upper": [
            {"k": k, "n": n, "alpha": a, "value": text(1 - lower_bound(n - k, n, a))}
            for k, n, a in UPPER
        ],
        "phi_inv": [{"p": p, "value": text(phi_inv(p))} for p in PHI_INV],
        "two_sided": [
            {
                "n_a": a,
                "n_b": b,
                "value": text(min(mpf(1), 2 * upper_tail(max(a, b), a + b, mpf("0.5")))),
            }
            for a, b in TWO_SIDED
        ],
        "one_sided": [
            {"k": k, "n": n, "value": text(upper_tail(k, n, mpf("0.5")) if k else mpf(1))}
            for k, n in ONE_SIDED
        ],
    }
    TARGET.write_text(json.dumps(tables, indent=1) + "\n")


if __name__ == "__main__":
    main()
