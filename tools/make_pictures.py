"""Draw the pictures of ``docs/explanation``: what smoothing does, on a classifier of the plane.

    python tools/make_pictures.py

They are computed with the project's own bounds and radii, and come out the same every time. Needs
``pip install 'rsonnx[report]'``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from rsonnx.noise import Gaussian
from rsonnx.report.plotting import COLOURS, drawing, save
from rsonnx.statistics import clopper_pearson_lower

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HOME = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "pictures"
X = np.array([-0.35, 0.25])
"""The input that all pictures of the plane speak of."""
SIGMA, N, ALPHA = 0.5, 10_000, 0.001
HALF, STEPS = 2.5, 201
"""The plane is a square of twice that side, drawn in so many steps."""
CLASSES = ("A", "B", "C")

Floats = NDArray[np.float64]


def classify(x: Floats, y: Floats) -> NDArray[np.int64]:
    """Return the class 0, 1 or 2 of points of the plane: regions with bays, spikes and islands."""
    edge = 0.55 + 0.22 * np.sin(4.1 * y) + 0.1 * np.sin(13.0 * y)
    labels = np.where(x > edge, 1, 0)
    labels[y < -0.75 + 0.25 * np.sin(3.3 * x) + 0.08 * np.cos(17.0 * x)] = 2
    labels[np.hypot(x + 0.02, y - 0.4) < 0.14] = 1
    return labels


def plane() -> tuple[Floats, Floats]:
    """Return the points that are drawn."""
    side = np.linspace(-HALF, HALF, STEPS)
    x, y = np.meshgrid(side, side)
    return x, y


def probabilities(sigma: float) -> Floats:
    """Return the probability of each class under noise, (3, STEPS, STEPS)."""
    labels = classify(*plane())
    step = 2 * HALF / (STEPS - 1)
    return np.stack(
        [
            ndimage.gaussian_filter((labels == k).astype(float), sigma / step, mode="nearest")
            for k in range(len(CLASSES))
        ]
    )


def _at(image: Floats) -> float:
    """Return a value of the plane at the input."""
    row, column = np.rint((X[::-1] + HALF) / (2 * HALF) * (STEPS - 1)).astype(int)
    return float(image[row, column])


def _regions(axes: Axes, labels: NDArray[np.int64]) -> None:
    levels = np.arange(len(CLASSES) + 1) - 0.5
    axes.contourf(*plane(), labels, levels=levels, colors=COLOURS[:3], alpha=0.25)
    axes.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)


def _point(axes: Axes) -> None:
    axes.plot(*X, "o", color="black", markersize=4)
    axes.annotate("x", X, (3, 3), textcoords="offset points")


def _disc(axes: Axes, radius: float) -> None:
    turn = np.linspace(0, 2 * np.pi, 200)
    axes.plot(X[0] + radius * np.cos(turn), X[1] + radius * np.sin(turn), "--", color="black")


def level_sets(figure: Figure) -> None:
    """Draw the classifier with noise around an input, and the probability of its class."""
    left, right = figure.subplots(1, 2)
    _regions(left, classify(*plane()))
    for name, place in zip(CLASSES, ((-1.4, 1.3), (1.3, 1.3), (1.3, -1.4)), strict=True):
        left.annotate(name, place)
    noisy = X + SIGMA * np.random.default_rng(1).standard_normal((300, 2))
    votes = classify(*noisy.T)
    left.scatter(*noisy.T, s=4, c=[COLOURS[k] for k in votes])
    _point(left)
    left.set_title("f: noisy copies of x and their classes")
    p_a = probabilities(SIGMA)[0]
    _regions(right, probabilities(SIGMA).argmax(0))
    lines = right.contour(*plane(), p_a, levels=[0.1, 0.3, 0.5, 0.7, 0.9], colors="#444444")
    right.clabel(lines, fontsize=8)
    _disc(right, Gaussian(SIGMA).radius(_at(p_a)))
    _point(right)
    right.set_title("g: level sets of the probability of A")


def votes(figure: Figure) -> None:
    """Draw the counts at an input, and the bound on the largest share."""
    axes = figure.subplots()
    noisy = X + SIGMA * np.random.default_rng(2).standard_normal((N, 2))
    counts = np.bincount(classify(*noisy.T), minlength=3)
    axes.bar(CLASSES, counts / N, color=COLOURS[:3], width=0.5)
    bound = clopper_pearson_lower(int(counts[0]), N, ALPHA)
    axes.axhline(bound, color="black", linestyle="--")
    axes.axhline(0.5, color="#6b6b6b", linestyle=":")
    radius = Gaussian(SIGMA).radius(bound)
    axes.annotate(
        f"p_A is at least {bound:.4f}, so the radius is {radius:.4f}",
        (2.4, bound),
        (0, 4),
        textcoords="offset points",
        ha="right",
    )
    axes.annotate("1/2", (2.4, 0.5), (0, 4), textcoords="offset points", ha="right")
    for place, count in enumerate(counts):
        axes.annotate(
            f"{count:,}", (place, count / N), (0, 4), textcoords="offset points", ha="center"
        )
    axes.set(ylabel=f"share of {N:,} samples", ylim=(0, 1), xlim=(-0.5, 2.5))


def worst_case(figure: Figure) -> None:
    """Draw the half-space, which loses its probability fastest, and the radius that follows."""
    left, right = figure.subplots(1, 2)
    at = np.linspace(-3.5, 5.5, 400)
    p_a, shift = 0.9, 0.8
    edge = stats.norm.ppf(p_a)
    for centre, colour in ((0.0, COLOURS[0]), (shift, COLOURS[1])):
        density = stats.norm.pdf(at, centre)
        left.plot(at, density, color=colour)
        left.fill_between(at, density, where=at <= edge, color=colour, alpha=0.25)
    left.axvline(edge, color="black", linestyle="--")
    left.annotate("class A", (edge, 0.41), (-6, 0), textcoords="offset points", ha="right")
    left.annotate("others", (edge, 0.41), (6, 0), textcoords="offset points")
    left.set(xlabel="distance along the worst direction, in σ", ylabel="density", ylim=(0, 0.45))  # noqa: RUF001
    moved = stats.norm.cdf(edge - shift)
    left.set_title(f"p_A = {p_a} at x, {moved:.2f} at a distance of {shift} σ")  # noqa: RUF001
    p = np.linspace(0.5, 0.9995, 400)
    right.plot(p, [Gaussian(1.0).radius(share) for share in p], color=COLOURS[0])
    right.set(xlabel="bound on p_A", ylabel="radius, in σ", ylim=(0, None))  # noqa: RUF001
    right.set_title("the radius is σ times the inverse of Φ")  # noqa: RUF001


def clopper_pearson(figure: Figure) -> None:
    """Draw how a bound comes from counts, and what more samples buy."""
    left, right = figure.subplots(1, 2)
    n, hits = 1_000, 990
    p = np.linspace(0.965, 0.999, 300)
    left.semilogy(p, stats.binom.sf(hits - 1, n, p), color=COLOURS[0])
    bound = clopper_pearson_lower(hits, n, ALPHA)
    left.axhline(ALPHA, color="#6b6b6b", linestyle=":")
    left.axvline(bound, color="black", linestyle="--")
    left.annotate(f"{bound:.4f}", (bound, 0.2), (4, 0), textcoords="offset points")
    left.yaxis.set_major_formatter("{x:g}")
    left.annotate("α = 0.001", (0.999, ALPHA), (0, 4), textcoords="offset points", ha="right")  # noqa: RUF001
    left.set(xlabel="p_A", ylabel="chance of that many hits or more", ylim=(1e-6, 1))
    left.set_title(f"the bound of {hits} hits in {n:,}")
    samples = np.unique(np.geomspace(100, 1e6, 60).astype(int))
    for share, colour in zip((1.0, 0.999, 0.99, 0.9), COLOURS, strict=False):
        radii = [
            Gaussian(1.0).radius(clopper_pearson_lower(int(share * m), int(m), ALPHA))
            for m in samples
        ]
        right.semilogx(samples, radii, color=colour, label=f"{share:.1%} of them hits")
    right.set(xlabel="samples n", ylabel="radius, in σ", ylim=(0, 6))  # noqa: RUF001
    right.xaxis.set_major_formatter("{x:,.0f}")
    right.legend(fontsize=8)
    right.set_title("what more samples buy")


def sigmas(figure: Figure) -> None:
    """Draw the smoothed classifier for three sizes of the noise."""
    for axes, sigma in zip(figure.subplots(1, 3), (0.12, 0.5, 1.0), strict=True):
        smoothed = probabilities(sigma)
        _regions(axes, smoothed.argmax(0))
        radius = Gaussian(sigma).radius(min(_at(smoothed[0]), 1 - 1e-4))
        _disc(axes, radius)
        _point(axes)
        axes.set_title(f"σ = {sigma:g}, radius {radius:.2f}")  # noqa: RUF001


PICTURES: dict[str, tuple[float, Callable[[Figure], None]]] = {
    "level-sets": (4.0, level_sets),
    "votes": (3.2, votes),
    "worst-case": (3.4, worst_case),
    "clopper-pearson": (3.4, clopper_pearson),
    "sigma": (3.0, sigmas),
}
"""Height in inches, and what draws it."""


def main() -> None:
    """Draw all of them."""
    HOME.mkdir(parents=True, exist_ok=True)
    with drawing():
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

        for name, (height, draw) in PICTURES.items():
            figure = Figure(figsize=(7.6, height), layout="constrained")
            draw(figure)
            path = HOME / f"{name}.svg"
            path.unlink(missing_ok=True)
            save(figure, path)


if __name__ == "__main__":
    main()
