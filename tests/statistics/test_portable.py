"""Digits are those of no processor: what certificates follow from is computed alike on all."""

from __future__ import annotations

import ast
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf
from numpy._core import _multiarray_umath as compiled

import rsonnx
from rsonnx.statistics import portable

ROOT = Path(rsonnx.__file__).parent
ROOMS = ("statistics", "noise", "procedures")
OF_THE_PROCESSOR = {
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "logaddexp2"),
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh"),
    *("arcsinh", "arccosh", "arctanh", "power", "float_power", "cbrt", "hypot", "geomspace"),
    *("logspace", "dot", "vdot", "inner", "outer", "matmul", "tensordot", "einsum", "linalg"),
    *("convolve", "correlate", "polynomial", "@"),
}
"""Of numpy: compiled for several kinds of processors, or handed to a library that is."""
ALLOWED = {
    "noise/laws/blur.py": {"cos", "exp"},  # draw: a sample may differ in a last bit, as is said
    "noise/spheres.py": {"einsum"},  # draws
    "statistics/eprocess.py": {"polynomial"},  # predicts when sampling is in vain
    "statistics/paths.py": {"convolve"},  # of chances that give whole numbers of hits, with room
}


def used(path: Path) -> Iterator[str]:
    """Yield which of these functions a file uses."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult):
            yield "@"
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np":
            yield from {node.attr} & OF_THE_PROCESSOR


def test_reasoning_uses_nothing_that_depends_on_the_processor() -> None:
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix(): {*used(path)} for path in files}
    assert {name: names for name, names in found.items() if names} == ALLOWED


FUNCTIONS: list[
    tuple[Callable[..., np.ndarray], Callable[[mpf], mpf], st.SearchStrategy[float]]
] = [
    (portable.exp, mp.exp, st.floats(-700, 700)),
    (portable.log, mp.log, st.floats(1e-300, 1e300)),
    (portable.log1p, mp.log1p, st.floats(-1 + 1e-15, 1e300)),
    (portable.expm1, mp.expm1, st.floats(-700, 700)),
]


@pytest.mark.parametrize(
    ("function", "true", "values"), FUNCTIONS, ids=lambda f: f.__name__ if callable(f) else ""
)
def test_functions(
    function: Callable[..., np.ndarray],
    true: Callable[[mpf], mpf],
    values: st.SearchStrategy[float],
) -> None:
    @given(values)
    def is_near(x: float) -> None:
        with mp.workprec(120):
            expected = true(mpf(x))
            # Twice the error of 1 unit in the last place that C libraries state.
            assert abs(mpf(float(function(x))) - expected) <= abs(expected) * mpf(2) ** -51

    is_near()


def test_ends_and_shapes() -> None:
    assert portable.log(0.0) == -math.inf
    assert math.isnan(portable.log(-1.0))
    a, b = np.arange(6.0).reshape(2, 3), np.array([1.0, 2.0, 0.5])
    assert portable.dot(a, b).tolist() == [3.0, 13.5]
    assert portable.exp(a).shape == a.shape


COMPUTED = """
import json, random
from rsonnx.noise import BrightnessContrast, Gaussian, Laplace, PowerLinf
from rsonnx.statistics import SpendingRule, clopper_pearson_lower
from rsonnx.statistics.eprocess import anytime_lower

draws = random.Random(1)
rests = [10 ** draws.uniform(-9, -0.31) for _ in range(24)]
counts = [(int(n * (1 - rest)), n) for rest in rests for n in (300, 100_000)]
laws = [Gaussian(0.5), Laplace(0.3, "linf", 784), BrightnessContrast(0.3, 0.2)]
laws += [PowerLinf(0.5, 4000, norm, 784) for norm in ("l1", "linf")]
rule = SpendingRule((0.7, 0.9), 10_000, 0.001)
print(json.dumps([
    *([law.radius(1 - rest) for rest in rests] for law in laws),
    *([law.radius_between(1 - rest, rest / 2) for rest in rests] for law in laws),
    *(law.probability_for(0.3) for law in laws),
    *([bound(*pair, 0.001) for pair in counts] for bound in (anytime_lower, clopper_pearson_lower)),
    [[rule.reaches(hits, n) for hits in range(0, n, 3)] for n in rule.looks],
]))
"""


def computed(**environment: str) -> object:
    """Return bounds and radii as a process of this environment computes them."""
    done = subprocess.run(
        [sys.executable, "-c", COMPUTED],
        capture_output=True,
        check=True,
        text=True,
        env=os.environ | environment,
    )
    return json.loads(done.stdout)


@pytest.mark.slow
def test_bounds_and_radii_are_those_of_a_processor_of_fifteen_years_ago() -> None:
    """As far as numpy and BLAS can be told to be on one; the C library is the same."""
    features = compiled.__cpu_dispatch__
    here = [name for name in features if compiled.__cpu_features__[name]]
    if not here:
        pytest.skip("numpy has no other code for this processor")
    old = {"NPY_DISABLE_CPU_FEATURES": " ".join(here), "OPENBLAS_CORETYPE": "Nehalem"}
    assert computed(**old) == computed()
