"""Draw expected samples against the true probability, for the adaptive rule and for fixed n.

    python tools/plot_samples.py samples.svg [--targets 0.5 1 2] [--alpha 0.001] [--n 100000]

Targets are radii in units of sigma; the horizontal axis is Φ⁻¹(p), the radius that the smoothed
classifier truly has, in the same units. Values are exact (rsonnx.statistics.operating). Written as
SVG without any further package.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from scipy import special

from rsonnx.statistics.adaptive import AdaptiveRule
from rsonnx.statistics.operating import operating_point
from rsonnx.statistics.rounding import normal_cdf_up

WIDTH, HEIGHT, LEFT, BOTTOM, RIGHT, TOP = 720, 440, 70, 50, 20, 20
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")


def main() -> None:
    """Write the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--targets", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    parser.add_argument("--alpha", type=float, default=0.001)
    parser.add_argument("--n", type=int, default=100_000)
    arguments = parser.parse_args()
    z = np.linspace(-0.5, max(arguments.targets) + 1.0, 176)
    top = math.log10(arguments.n)

    def x_of(value: float) -> float:
        return LEFT + (value - z[0]) / (z[-1] - z[0]) * (WIDTH - LEFT - RIGHT)

    def y_of(samples: float) -> float:
        return HEIGHT - BOTTOM - math.log10(samples) / (top + 0.1) * (HEIGHT - BOTTOM - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in range(math.floor(top) + 1):
        y = y_of(10**power)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10**power:,}</text>'
        )
    parts.extend(
        f'<text x="{x_of(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick}</text>'
        for tick in range(math.ceil(z[0]), math.floor(z[-1]) + 1)
    )
    parts.append(
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">true radius / sigma</text>'
        f'<path d="M{LEFT} {y_of(arguments.n):.1f}H{WIDTH - RIGHT}" stroke="black" '
        'stroke-dasharray="6 4"/>'
        f'<text x="{LEFT + 8}" y="{y_of(arguments.n) + 16:.1f}">fixed n</text>'
    )
    for i, target in enumerate(arguments.targets):
        rule = AdaptiveRule((normal_cdf_up(target),), n_max=arguments.n, alpha=arguments.alpha)
        samples = [operating_point(rule, float(special.ndtr(v))).samples for v in z]
        line = " ".join(
            f"{x_of(v):.1f},{y_of(n):.1f}" for v, n in zip(z.tolist(), samples, strict=True)
        )
        colour = COLOURS[i % len(COLOURS)]
        peak = int(np.argmax(samples))
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{x_of(z[peak]):.1f}" y="{y_of(samples[peak]) - 8:.1f}" fill="{colour}" '
            f'text-anchor="middle">target {target:g} sigma</text>'
        )
    arguments.output.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
