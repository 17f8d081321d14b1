"""Models written as text, whose scores s = (x - 1/2) @ w are followed by other nodes."""

from __future__ import annotations

import re

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, parser

W = np.random.default_rng(1).standard_normal((4, 5)).astype(np.float32)
"""Weights of the scores."""

CONSTANTS = {
    **{f"k{k}": f"int64[1] k{k} = {{{k}}}" for k in (1, 2, 3, 5)},
    **{name: f"int64 {name} = {{{k}}}" for name, k in (("first", 0), ("second", 1))},
    **{name: f"int64[1] {name} = {{{k}}}" for name, k in (("one", 1), ("two", 2), ("minus", -1))},
    **{f"f{k}": f"float[1] f{k} = {{{k}}}" for k in (0, 10, 60, 100)},
    "half": "float[1] half = {0.5}",
    "negative_one": "float[1] negative_one = {-1}",
    "very_low": "float[1] very_low = {-1e9}",
    "mask": "float[3] mask = {0, 1, 1}",
    "texts": 'string[5] texts = {"e", "d", "c", "é", "a"}',
    "alike": 'string[5] alike = {"crane", "d", "crane", "b", "a"}',
    "no": 'string[1] no = {"no"}',
    "yes": 'string[1] yes = {"yes"}',
    "unknown": 'string[1] unknown = {"unknown"}',
}
"""Those that a text names stand in its model."""


def scored(outputs: str, nodes: str, constants: str = "", *, scores: int = 5) -> onnx.ModelProto:
    """Make a model of an input x, float (n, 4).

    Args:
        outputs: with their types, such as ``int64[n] label``.
        nodes: behind the scores s.
        constants: beyond those of :data:`CONSTANTS`.
        scores: how many there are, 1..5.
    """
    used = set(re.findall(r"\w+", nodes))
    known = [line for name, line in CONSTANTS.items() if name in used]
    proto: onnx.ModelProto = parser.parse_model(
        f"""<ir_version: 8, opset_import: ["ai.onnx.ml" : 3, "" : 13]>
        g (float[n, 4] x) => ({outputs})
        <{", ".join(["float[1] centre = {0.5}", *known, *filter(None, [constants])])}>
        {{ c = Sub (x, centre) s = MatMul (c, w) {nodes} }}"""
    )
    proto.graph.initializer.append(numpy_helper.from_array(W[:, :scores], "w"))
    return proto


def best(batch: NDArray[np.float32]) -> list[int]:
    """Return the class of the largest score of each row."""
    return [int(k) for k in ((batch - 0.5) @ W).argmax(axis=1)]
