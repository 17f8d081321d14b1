"""Functions of arrays with the same digits on every generation of processors.

numpy compiles its own exponentials and logarithms once for each generation, with other last digits
on some, and products of matrices are BLAS's, with as many. Here the C library computes value by
value, called by scipy, and sums are those of :func:`numpy.sum`, whose order no processor changes.
Other releases of both have other last digits, which :func:`rsonnx.statistics.as_recorded` and
:meth:`rsonnx.noise.Law.same_radius` allow for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsonnx.statistics import special

Values = NDArray[np.float64]


def exp(x: ArrayLike) -> Values:
    """Return e^x, elementwise: the Box-Cox transform of parameter 0, turned round."""
    return np.asarray(special.inv_boxcox(x, 0.0), np.float64)


def log(x: ArrayLike) -> Values:
    """Return ln x, elementwise: -inf at 0 and NaN below it, without a warning."""
    return np.asarray(special.xlogy(1.0, x), np.float64)


def log1p(x: ArrayLike) -> Values:
    """Return ln(1 + x), elementwise, for x >= -1."""
    return np.asarray(special.xlog1py(1.0, x), np.float64)


def expm1(x: ArrayLike) -> Values:
    """Return e^x - 1, elementwise."""
    return np.asarray(special.inv_boxcox1p(x, 0.0), np.float64)


def dot(a: Values, b: Values) -> Values:
    """Return the sums of products along the last axis, of arrays that broadcast."""
    return np.asarray((a * b).sum(axis=-1), np.float64)
