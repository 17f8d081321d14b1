"""Exact smoothing in 60 digits and more, from the formula (arXiv 2205.13909).

Independent noise puts each value into one of the cells between its cuts; the mass of a box of cells
is the product of theirs, and onnxruntime answers for it at one point inside. Nothing of rsonnx is
used, and a label is never computed here: it is the file's own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import onnx
import onnxruntime
from mpmath import mpf
from numpy.typing import NDArray
from onnx import TensorProto, helper

BITS = 1400
"""Masses are whole numbers of 2^-1400, so that 1e-300 keeps 120 digits."""
ONE = 1 << BITS


@dataclass(frozen=True)
class Noise:
    """Independent noise on every value.

    Attributes:
        name: gaussian, laplace or uniform.
        scale: sigma, or lambda, exactly the float that is meant.
    """

    name: str
    scale: float

    def below(self, distance: Fraction) -> mpf:
        """Return P(noise <= distance), relatively precise where it is small."""
        z = mpf(distance.numerator) / distance.denominator / mpf(self.scale)
        if self.name == "gaussian":
            return mpmath.ncdf(z)
        if self.name == "laplace":
            return mpmath.exp(z) / 2 if z < 0 else 1 - mpmath.exp(-z) / 2
        return min(max((z + 1) / 2, mpf(0)), mpf(1))

    def between(self, low: Fraction | float, high: Fraction | float) -> mpf:
        """Return P(low < noise <= high); all are symmetric, so that no upper tail is 1 less one."""
        if low >= 0:
            low, high = -high, -low
        upper = mpf(1) if high == math.inf else self.below(Fraction(high))
        return upper - (mpf(0) if low == -math.inf else self.below(Fraction(low)))

    def radius(self, other: mpf) -> mpf:
        """Return the radius from the mass of all other classes: l2 of Gaussian noise, else l1."""
        scale = mpf(self.scale)
        if other >= 0.5:
            return mpf(0)
        if self.name == "gaussian":
            return scale * _minus_quantile(other)
        if self.name == "laplace":
            return -scale * mpmath.log(2 * other)
        return 2 * scale * (mpf(0.5) - other)


def _minus_quantile(p: mpf) -> mpf:
    """Return -Φ⁻¹(p) for p < 1/2, by Newton's method on ln Φ, which is concave."""
    if p == 0:
        return mpmath.inf
    z = -mpmath.sqrt(-2 * mpmath.log(p))  # below the root, from where every step stays below
    for _ in range(200):
        value = mpmath.ncdf(z)
        step = mpmath.log(p / value) * value / mpmath.npdf(z)
        z += step
        if abs(step) < mpf(10) ** -55:
            break
    return -z


@dataclass(frozen=True)
class Cut:
    """A float32 number with which the file compares a value.

    Attributes:
        at: the number.
        leq: whether a value equal to it lies below (BRANCH_LEQ) or above (BRANCH_LT).
    """

    at: float
    leq: bool = True

    def real(self) -> Fraction:
        """Return where a real number that is rounded to float32 comes to lie above."""
        at = np.float32(self.at)
        beyond = np.nextafter(at, np.float32(math.inf if self.leq else -math.inf))
        return (Fraction(float(at)) + Fraction(float(beyond))) / 2

    def last_level(self) -> Fraction:
        """Return the last level k whose float32 k/255 lies below, plus 1/2."""
        fed = np.arange(-2000, 2300).astype(np.float32) / np.float32(255)
        below = fed <= np.float32(self.at) if self.leq else fed < np.float32(self.at)
        return Fraction(int(below.sum()) - 2001) + Fraction(1, 2)


@dataclass(frozen=True)
class Oracle:
    """The boxes of a file and their labels.

    Attributes:
        cuts: of each value of the input that the file asks for, ascending and distinct.
        labels: (cells of the first, cells of the second, ...): the file's own.
    """

    cuts: Mapping[int, Sequence[Cut]]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, model: onnx.ModelProto, cuts: Mapping[int, Sequence[Cut]], size: int) -> Oracle:
        """Ask onnxruntime, alone, for the label of a point inside each box; () where none fits."""
        inside = [_points(chosen) for chosen in cuts.values()]
        rows = np.zeros((math.prod(map(len, inside)), size), np.float32)
        rows[:, list(cuts)] = list(itertools.product(*inside))
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        labels = [session.run(["label"], {name: row[None]})[0][0] for row in rows]
        return cls(cuts, np.array(labels, np.int64).reshape([len(x) for x in inside]))

    def masses(self, x: Sequence[float], noise: Noise) -> dict[int, mpf]:
        """Return the mass of each label around a point of real numbers."""
        edges = {
            at: [Fraction(cut.real()) - Fraction(float(x[at])) for cut in chosen]
            for at, chosen in self.cuts.items()
        }
        return self._summed(edges, noise)

    def masses_on_grid(self, levels: Sequence[int], sigma: float) -> dict[int, mpf]:
        """Return the mass of each label around levels of 255 under rounded Gaussian noise."""
        edges = {
            at: [(cut.last_level() - levels[at]) / 255 for cut in chosen]
            for at, chosen in self.cuts.items()
        }
        return self._summed(edges, Noise("gaussian", sigma))

    def _summed(self, edges: Mapping[int, Sequence[Fraction]], noise: Noise) -> dict[int, mpf]:
        with mpmath.workprec(300):
            whole = np.array([ONE], object)
            for inner in edges.values():
                ends = [-math.inf, *inner, math.inf]
                cells = [_integer(noise.between(a, b)) for a, b in itertools.pairwise(ends)]
                whole = np.multiply.outer(whole, np.array(cells, object)).reshape(-1) >> BITS
            flat = self.labels.reshape(-1)
            return {int(c): mpf(int(whole[flat == c].sum())) / ONE for c in np.unique(flat)}


def answer(masses: Mapping[int, mpf], noise: Noise) -> tuple[int, mpf]:
    """Return the class with the most mass and its radius, from the mass of all the others."""
    with mpmath.workprec(300):
        top = max(masses, key=lambda c: masses[c])
        other = mpmath.fsum(mass for c, mass in masses.items() if c != top)
        return top, noise.radius(other)


def _integer(value: mpf) -> int:
    return int(mpmath.floor(mpmath.ldexp(value, BITS)))


def _points(cuts: Sequence[Cut]) -> list[float]:
    """Return a float32 number inside each cell: next to a cut, the hardest for the file."""
    low = np.float32(-math.inf)
    points = []
    for cut in cuts:
        at = np.float32(cut.at)
        points.append(float(at if cut.leq else np.nextafter(at, low)))
    return [*points, float(np.nextafter(np.float32(cuts[-1].at), -low))]


@dataclass(frozen=True)
class Stump:
    """One comparison: a value at or below the cut adds ``below`` to the scores, else ``above``."""

    feature: int
    cut: Cut
    below: tuple[float, ...]
    above: tuple[float, ...]


def cuts_of(stumps: Sequence[Stump]) -> dict[int, list[Cut]]:
    """Return the cuts of each feature, ascending; a number just below one comes before it."""
    by_feature: dict[int, set[Cut]] = {}
    for stump in stumps:
        by_feature.setdefault(stump.feature, set()).add(stump.cut)
    return {at: sorted(found, key=lambda c: c.real()) for at, found in sorted(by_feature.items())}


def file_of(stumps: Sequence[Stump], size: int, base: Sequence[float] = ()) -> onnx.ModelProto:
    """Return the stumps as one TreeEnsembleClassifier.

    A single score gives class 1 above 0, where a weight is negative (onnxruntime compares with 0.5
    where all are positive); with more, the label is the argmax.
    """
    scores = len(stumps[0].below)
    nodes: dict[str, list[Any]] = {key: [] for key in _NODES}
    leaves: dict[str, list[Any]] = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    for tree, stump in enumerate(stumps):
        mode = "BRANCH_LEQ" if stump.cut.leq else "BRANCH_LT"
        rows = (
            (tree, 0, stump.feature, stump.cut.at, mode, 1, 2),
            (tree, 1, 0, 0.0, "LEAF", 0, 0),
            (tree, 2, 0, 0.0, "LEAF", 0, 0),
        )
        for row in rows:
            for key, value in zip(_NODES, row, strict=True):
                nodes[key].append(value)
        for node, weights in ((1, stump.below), (2, stump.above)):
            for score, weight in enumerate(weights):
                for key, value in zip(leaves, (tree, node, score, weight), strict=True):
                    leaves[key].append(value)
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        classlabels_int64s=list(range(max(2, scores))),
        post_transform="NONE",
        **{f"nodes_{key}": values for key, values in nodes.items()},
        **{f"class_{key}": values for key, values in leaves.items()},
        **({"base_values": list(base)} if base else {}),
    )
    graph = helper.make_graph(
        [node],
        "stumps",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", size])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", max(2, scores)]),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


_NODES = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
