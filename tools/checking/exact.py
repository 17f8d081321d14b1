"""A hunt for exact radii that are too large: random trees, noises, scales and inputs."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import onnx
from onnx import TensorProto, helper

import rsonnx
from rsonnx.noise import noise_of

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))
from exact_oracle import Cut, Noise, Oracle, Stump, cuts_of, file_of

ROWS_A_FILE = 25
SIZE = 5
"""Values of an input."""
MOST_BOXES = 2048
LEAST = 2.0**-1000
"""What is less likely is given about 2^-1022, the smallest normal double."""

KINDS = ("lattice", "float", "classes", "tree")
"""Stumps with leaves of a common unit, with any float32 leaves, with three scores; one tree."""


@dataclass
class Tally:
    """Rows of one kind: how many have a radius that is too large, and what the others lack."""

    rows: int = 0
    certified: int = 0
    above: int = 0
    shortfall: float = 0.0


def exact(given: argparse.Namespace) -> int:
    """Certify random rows and compare each radius with 60 digits; 1 where one is too large.

    Half of the values of an input lie on a cut or one float32 number beside it, and some inputs on
    the 8-bit grid. Two classes and leaves of a common unit, or a tree, must come within 1e-9.
    """
    generator = np.random.Generator(np.random.Philox(given.seed))
    tallies = {kind: Tally() for kind in KINDS}
    begun, rows = time.process_time(), 0
    while rows < given.rows:
        kind = KINDS[int(generator.integers(len(KINDS)))]
        for above, lacks in _rows(generator, kind):
            tally = tallies[kind]
            tally.rows += 1
            tally.certified += lacks is not None
            tally.above += above
            tally.shortfall = max(tally.shortfall, lacks or 0.0)
            rows += 1
    for kind, tally in tallies.items():
        print(
            f"{kind}: {tally.rows} rows, {tally.certified} certified, {tally.above} above the true "
            f"radius, at most {tally.shortfall:.2g} below it"
        )
    print(f"{1000 * (time.process_time() - begun) / rows:.1f} ms a row, the oracle's included")
    tight = max(tallies[kind].shortfall for kind in ("lattice", "tree"))
    return int(any(tally.above for tally in tallies.values()) or tight > 1e-9)


def _rows(generator: np.random.Generator, kind: str) -> Iterator[tuple[bool, float | None]]:
    """Yield of each row of a file whether its radius is too large, and by what it is too small."""
    model, cuts = _tree(generator) if kind == "tree" else _stumps(generator, kind)
    if math.prod(len(own) + 1 for own in cuts.values()) > MOST_BOXES:
        return
    oracle = Oracle.of(model, cuts, SIZE)
    base = rsonnx.load(model, preprocess="none", bounds=(0, 1), providers=["cpu"])
    name = ("gaussian", "laplace", "uniform")[int(generator.integers(3))]
    on_grid = name == "gaussian" and generator.random() < 0.5
    scale = float(10 ** generator.uniform(-2, -0.5 if on_grid else 0.7))
    law = noise_of(name, size=SIZE, **{"sigma" if name == "gaussian" else "lam": scale})
    smoothed, noise = rsonnx.SmoothedClassifier(base, noise=law), Noise(name, scale)
    for _ in range(ROWS_A_FILE):
        x = generator.uniform(0, 1, SIZE)
        for at, own in cuts.items():
            if generator.random() < 0.5:
                near = np.float32(own[int(generator.integers(len(own)))].at)
                toward = np.float32((-np.inf, near, np.inf)[int(generator.integers(3))])
                x[at] = np.nextafter(near, toward)
        levels = np.rint(255 * x).astype(np.uint8)
        point = smoothed.point(levels if on_grid else x)
        if (point.arithmetic == "exact") != on_grid:
            continue  # all values lie on the grid by chance
        answer = smoothed.certify(point, procedure="exact")
        if answer.radius == 0:
            yield False, None
            continue
        with mpmath.workprec(300):
            masses = (
                oracle.masses_on_grid(levels.tolist(), scale)
                if on_grid
                else oracle.masses(x.tolist(), noise)
            )
            other = mpmath.fsum(mass for c, mass in masses.items() if c != answer.label)
            gap = noise.radius(other) - mpmath.mpf(answer.radius)
        yield bool(gap < 0), float(gap) if other > LEAST else 0.0


def _number(generator: np.random.Generator) -> float:
    """Return a cut in [0, 1]: any float32 number, one of few decimals, or a level of 255."""
    value = generator.uniform(0, 1)
    level = np.rint(255 * value).astype(np.float32) / np.float32(255)
    return float(np.float32((value, round(value, 1), level)[int(generator.integers(3))]))


def _stumps(
    generator: np.random.Generator, kind: str
) -> tuple[onnx.ModelProto, dict[int, list[Cut]]]:
    scores = 3 if kind == "classes" else 1

    def leaf() -> tuple[float, ...]:
        whole = generator.integers(-50, 51, scores) / 4
        return tuple(
            (
                generator.standard_normal(scores).astype(np.float32) if kind == "float" else whole
            ).tolist()
        )

    stumps = [
        Stump(
            int(generator.integers(SIZE)),
            Cut(_number(generator), bool(generator.integers(2))),
            leaf(),
            leaf(),
        )
        for _ in range(int(generator.integers(1, 10)))
    ]
    base = leaf() if generator.random() < 0.5 else ()
    return file_of(stumps, SIZE, base), cuts_of(stumps)


def _tree(generator: np.random.Generator) -> tuple[onnx.ModelProto, dict[int, list[Cut]]]:
    """Return a tree of random shape whose leaves vote for one of three classes."""
    rows: list[dict[str, Any]] = []

    def grow(depth: int) -> int:
        place = len(rows)
        rows.append({})
        splits = depth < 2 or (depth < 5 and generator.random() < 0.5)
        cut = Cut(_number(generator), bool(generator.integers(2)))
        rows[place] = {
            "feature": int(generator.integers(SIZE)) if splits else 0,
            "cut": cut if splits else None,
            "true": grow(depth + 1) if splits else 0,
            "false": grow(depth + 1) if splits else 0,
        }
        return place

    grow(0)
    leaves = [place for place, row in enumerate(rows) if row["cut"] is None]
    modes = {None: "LEAF", True: "BRANCH_LEQ", False: "BRANCH_LT"}
    cuts: dict[int, set[Cut]] = {}
    for row in rows:
        if row["cut"]:
            cuts.setdefault(row["feature"], set()).add(row["cut"])
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        nodes_treeids=[0] * len(rows),
        nodes_nodeids=list(range(len(rows))),
        nodes_featureids=[row["feature"] for row in rows],
        nodes_values=[row["cut"].at if row["cut"] else 0.0 for row in rows],
        nodes_modes=[modes[row["cut"] and row["cut"].leq] for row in rows],
        nodes_truenodeids=[row["true"] for row in rows],
        nodes_falsenodeids=[row["false"] for row in rows],
        class_treeids=[0] * len(leaves),
        class_nodeids=leaves,
        class_ids=generator.integers(3, size=len(leaves)).tolist(),
        class_weights=[1.0] * len(leaves),
        classlabels_int64s=[0, 1, 2],
    )
    graph = helper.make_graph(
        [node],
        "tree",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", SIZE])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3]),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return model, {at: sorted(own, key=Cut.real) for at, own in sorted(cuts.items())}
