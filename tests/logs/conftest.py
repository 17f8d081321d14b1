"""Logs as the field writes them: from text, and as its certify.py would have printed them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats


@pytest.fixture
def log_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a log and return its path."""

    def write(content: str | bytes, name: str = "log.tsv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def certify_log(log_file: Callable[..., Path]) -> Callable[..., Path]:
    """Write what the field's certify.py prints of known hits."""

    def write(
        hits: list[int],
        n: int,
        sigma: float,
        alpha: float,
        *,
        show: Callable[[float], str] = "{:.3}".format,
        name: str = "log.tsv",
    ) -> Path:
        lines = ["idx\tlabel\tpredict\tradius\tcorrect\ttime\n"]
        for index, count in enumerate(hits):
            # The field's own formula: proportion_confint(hits, n, 2·alpha, "beta") of statsmodels.
            radius = sigma * stats.norm.ppf(stats.beta.ppf(alpha, count, n - count + 1))
            cells = f"3\t{show(radius)}\t1" if radius > 0 else "-1\t0.0\t0"
            lines.append(f"{index}\t3\t{cells}\t0:00:01.5\n")
        return log_file("".join(lines), name)

    return write


@pytest.fixture
def made_log(certify_log: Callable[..., Path]) -> Callable[..., Path]:
    """Write a log of 300 inputs, a tenth of them at n hits."""

    def make(*, n: int = 100_000, alpha: float = 0.01, sigma: float = 0.5, **how: object) -> Path:
        source = np.random.default_rng(7)
        p = 1.0 - 0.6 * source.random(300) ** 3
        hits = np.where(source.random(300) < 0.9, source.binomial(n, p), n)
        return certify_log(hits.tolist(), n, sigma, alpha, **how)

    return make
