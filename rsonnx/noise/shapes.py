"""Points of a cube and of a sphere, from which noise is made that depends on a norm alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def in_cubes(
    generator: np.random.Generator, sides: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Return a uniform point of each cube [-s, s]^size, (len(sides), size)."""
    points = generator.random((len(sides), size))
    points -= 0.5
    points *= 2.0 * sides[:, None]
    return points


def on_spheres(
    generator: np.random.Generator, radii: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Return a uniform point of each sphere of R^size, (len(radii), size)."""
    points = generator.standard_normal((len(radii), size))
    length = np.sqrt(np.einsum("ij,ij->i", points, points))
    points *= (radii / length)[:, None]
    return points
