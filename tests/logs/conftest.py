"""Logs as the field writes them: from text, and as its certify.py would have printed them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
PREDICT_HEADER = "idx\tlabel\tpredict\tcorrect\ttime\n"
THREE = HEADER + "0\t3\t3\t0.378\t1\t15.4\n20\t7\t-1\t0.0\t0\t15.6\n40\t4\t5\t0.341\t0\t15.7\n"


@pytest.fixture
def log_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a log and return its path."""

    def write(content: str | bytes, name: str = "log.tsv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def field_radius(hits: int, n: int, sigma: float, alpha: float) -> float:
    """The field's own formula: proportion_confint(hits, n, 2·alpha, "beta")[0] of statsmodels."""
    return float(sigma * stats.norm.ppf(stats.beta.ppf(alpha, hits, n - hits + 1)))


@pytest.fixture
def made_log(log_file: Callable[..., Path]) -> Callable[..., Path]:
    """Write a log of ``rows`` inputs that was really certified with (sigma, n, alpha)."""

    def make(
        *,
        n: int = 100_000,
        alpha: float = 0.001,
        sigma: float = 0.5,
        rows: int = 300,
        show: Callable[[float], str] = "{:.3}".format,
        name: str = "made_log",
    ) -> Path:
        source = np.random.default_rng(7)
        lines = [HEADER]
        for index in range(rows):
            label = int(source.integers(10))
            p = 1.0 - 0.6 * source.random() ** 3
            hits = int(source.binomial(n, p)) if source.random() < 0.9 else n
            radius = field_radius(hits, n, sigma, alpha)
            answer = label if source.random() < 0.8 else (label + 1) % 10
            if radius > 0:
                right = int(answer == label)
                lines.append(f"{index}\t{label}\t{answer}\t{show(radius)}\t{right}\t0:00:01.5\n")
            else:
                lines.append(f"{index}\t{label}\t-1\t0.0\t0\t0:00:01.5\n")
        return log_file("".join(lines), name)

    return make
