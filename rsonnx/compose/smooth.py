"""The smoothed classifier as one file: from an input and a key to a class, or -1 to abstain.

PREDICT (Cohen et al., arXiv 1902.02918) in plain operators: noise from a key, the base classifier
on every noisy input, counts of its classes, and a table of the least top counts that answer. The
noise is exact, on the 8-bit grid alone: the input is levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper

from rsonnx import model as adapted
from rsonnx.compose.deciding import COUNTS, LABEL, decide
from rsonnx.compose.graph import INPUT, Builder, composed
from rsonnx.compose.noise_graph import NoiseGraph
from rsonnx.compose.parts import (
    Declared,
    Part,
    check_together,
    declared_parts,
    metadata_of,
    open_parts,
)
from rsonnx.compose.philox import OLDEST_OPSET
from rsonnx.errors import ModelError, UsageError
from rsonnx.model import ModelFile, ModelSettings, ModelSource
from rsonnx.noise import Gaussian, InputSpace, block_samples
from rsonnx.noise.exported import KEY_WORDS
from rsonnx.smoothing.adapting import make_plan
from rsonnx.smoothing.composition import Composition
from rsonnx.statistics import (
    check_alpha,
    check_samples,
    fewest_samples_to_predict,
    least_top_counts,
)

KEY = "key"
"""Name of a smoothed classifier's second input, uint32 (4,); the first is ``INPUT``, levels."""

_MOST_SAMPLES = 100_000
"""Of which the table takes seconds to compute, and 800 kB of the file."""


def smooth(
    model: ModelSource,
    *,
    sigma: float,
    n: int = 1_000,
    alpha: float = 0.001,
    declared: Declared = (),
) -> onnx.ModelProto:
    """Compose the smoothed classifier of a model, which answers as PREDICT does.

    Args:
        model: the base classifier.
        sigma: standard deviation of the Gaussian noise, > 0, in the units of the bounds.
        n: samples a query, >= 1.
        alpha: probability of an answer that is not the smoothed classifier's, in (0, 1).
        declared: what the model's file does not say, as :func:`rsonnx.load` takes it.

    Returns:
        A model of ``input``, uint8 (\\*shape), levels of the 8-bit grid, and ``key``, uint32 (4,),
        which must be drawn anew for each query when its input is fixed, uniformly and in secret.
        It gives ``label``, the class or -1, and ``counts`` of each class and, last, of no class.

    Raises:
        UsageError: an argument is out of range, or something is to be declared of the model.
        ModelError: the model cannot be certified, or its inputs are not on the 8-bit grid.
    """
    parts = declared_parts([model], declared, least=1)
    return smoothing(*parts, sigma=sigma, n=n, alpha=alpha)


def smoothing(
    files: Sequence[ModelFile],
    settings: Sequence[ModelSettings],
    *,
    sigma: float,
    n: int,
    alpha: float,
) -> onnx.ModelProto:
    """Compose a file that was read, the only part, as :func:`smooth` does."""
    law, n, alpha = Gaussian(sigma), check_samples("n", n), check_alpha(alpha)
    least = fewest_samples_to_predict(alpha, two_sided=True)
    if not least <= n <= _MOST_SAMPLES:
        raise UsageError(
            f"n is {n}, but {least} to {_MOST_SAMPLES:,} was expected: fewer samples never answer "
            f"at alpha = {alpha:g}, and the file holds a number for each"
        )
    # Whether an option or the file says it, the same is recorded: what a run's header has.
    plans = [make_plan(file, own) for file, own in zip(files, settings, strict=True)]
    settled = [
        replace(own, bounds=plan.bounds, preprocess=plan.preprocessing)
        for plan, own in zip(plans, settings, strict=True)
    ]
    (part,) = open_parts(files, settled, OLDEST_OPSET)
    names, bounds = check_together([part]), part.plan.bounds
    if not math.isfinite(bounds[1] - bounds[0]):
        raise ModelError(
            f"{part} takes values without bounds, but noise in a file is exact on 256 levels "
            "between two; declare --bounds, or leave it to rsonnx predict"
        )
    space = InputSpace(part.plan.data.shape, bounds, part.plan.data.layout)
    builder = Builder()
    noise = NoiseGraph(builder, law.table(space.step), KEY, space.size)
    counts = _counts(builder, part, space, noise, n)
    classes = part.classifier.num_classes or 0
    decide(builder, counts, classes, least_top_counts(n, alpha))
    info = helper.make_tensor_value_info
    options = {"sigma": law.sigma, "n": n, "alpha": alpha}
    composition = Composition("smooth", (part.record("classifier"),), options)
    return composed(
        builder,
        [
            info(INPUT, TensorProto.UINT8, space.shape),
            info(KEY, TensorProto.UINT32, [KEY_WORDS]),
        ],
        [info(LABEL, TensorProto.INT64, []), info(COUNTS, TensorProto.INT64, [classes + 1])],
        [part.model],
        metadata_of(part, names, composition),
    )


def _counts(builder: Builder, part: Part, space: InputSpace, noise: NoiseGraph, n: int) -> str:
    """Count the classes of ``n`` noisy inputs, a chunk at a time; return int64 (classes,)."""
    # Rows that are not proved to be independent of each other run alone.
    together = part.classifier.rows == "proved" and part.batch is None
    rows = block_samples(space.size) if together else 1
    levels = builder.add("Cast", [INPUT], to=TensorProto.INT32)
    levels = builder.add("Reshape", [levels, builder.constant([1, -1], "int64")])
    classes = part.classifier.num_classes or 0
    none = builder.constant(np.zeros(classes), "int64")
    body = builder.body()
    add, whole = body.add, body.constant
    start = add("Mul", ["chunk", whole(rows, "int64")])
    stop = add("Min", [add("Add", [start, whole(rows, "int64")]), whole(n, "int64")])
    samples = add("Range", [start, stop, whole(1, "int64")])
    noisy = add("Cast", [add("Add", [noise.draw(body, samples), levels])], to=TensorProto.FLOAT)
    scaling = space.scaling
    for operator, number in (
        ("Div", scaling.divisor),
        ("Mul", scaling.factor),
        ("Add", scaling.offset),
    ):
        if number is not None:
            noisy = add(operator, [noisy, whole([number], "float32")])
    noisy = add("Reshape", [noisy, whole([-1, *space.shape], "int64")])
    outputs = body.embed(part.model, "base_", {adapted.INPUT: noisy})
    label = add("Reshape", [outputs[adapted.LABEL], whole([-1, 1], "int64")])
    votes = add("Equal", [label, whole(np.arange(classes)[None], "int64")])
    votes = add("Cast", [votes], to=TensorProto.INT64)
    more = add("ReduceSum", [votes, whole([0], "int64")], keepdims=0)
    add("Add", ["counted", more], "counted_then")
    add("Identity", ["goes_on"], "goes_on_then")
    info = helper.make_tensor_value_info
    chunk = body.graph(
        "chunk_of_samples",
        [
            info("chunk", TensorProto.INT64, []),
            info("goes_on", TensorProto.BOOL, []),
            info("counted", TensorProto.INT64, [classes]),
        ],
        [
            info("goes_on_then", TensorProto.BOOL, []),
            info("counted_then", TensorProto.INT64, [classes]),
        ],
    )
    chunks = builder.constant(-(-n // rows), "int64")
    return builder.add("Loop", [chunks, "", none], body=chunk)
