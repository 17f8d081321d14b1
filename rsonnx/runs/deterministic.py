"""Verify the base classifier itself at the inputs of a data set, without noise or chance."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from rsonnx.data import DataSettings
from rsonnx.deterministic import Ball, Network, Question, Verifier, largest_radius, read_network
from rsonnx.errors import ModelError, RunFileError, UsageError
from rsonnx.listener import Extent, Listener
from rsonnx.model import INPUT, Batch, read_model
from rsonnx.runs.base_certificates import BaseCertificate, BaseCertificates
from rsonnx.runs.files import Run, as_path
from rsonnx.runs.job import Job
from rsonnx.runs.opening import Data, Model, listening, open_job
from rsonnx.runs.reading import read_run
from rsonnx.runs.reopening import check_model, reopen
from rsonnx.runs.writing import check_output
from rsonnx.runtime.watchdog import SECONDS_A_CALL
from rsonnx.smoothing import Plan, make_plan

_PROVIDERS = ("cpu",)
"""Where sums are of float32 in some order, which is what is bounded: a device may use other
algorithms."""

_ORDERS = {"l2": 2, "linf": math.inf, "l1": 1}

_FIRST = {"l2": 1 / 8, "linf": 1 / 128, "l1": 1 / 2}
"""The radius that is tried first, as a share of the width of the bounds."""

_PRECISION = 2.0**-10
"""How near the largest radius is searched, relative to it."""

_MANY_PRODUCTS = 10**11
"""A processor needs minutes for so many."""

_SIGMA = 1.0
"""Of noise that no one draws: what opens models and data opens them for smoothing."""


def deterministic(
    model: Model,
    data: Data,
    *,
    norm: str = "l2",
    epsilon: float | None = None,
    method: str = "crown",
    arithmetic: str = "float32",
    within_bounds: bool = False,
    run: Run | str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    listener: Listener | None = None,
    **opening: Any,
) -> BaseCertificates:
    """Certify what a model itself answers around the inputs of a data set.

    This speaks of the base classifier f, which is another one than f smoothed by noise.

    Args:
        model, data: as for :func:`rsonnx.certify`.
        norm, epsilon, method, arithmetic, within_bounds: see
            :class:`rsonnx.deterministic.question.Question`.
        run: a run of the same model and data, or its file, to stand beside: the inputs, and how
            they are read, are then the run's.
        output: file to write, which must not exist yet: a line for the header, then one an input
            as it is done, and one that says that these are all.
        listener: hears what is done, and of each
            :class:`rsonnx.runs.base_certificates.BaseCertificate` as it is there.
        opening: further arguments of :func:`rsonnx.certify` on the model and the data:
            ``preprocess``, ``sample``, ``classes`` ...; with a run only the data's files and
            ``time_limit_per_call``.

    Raises:
        ModelError: the graph holds an operator of which no bounds are known here.
        RunFileError: the model or the data are not the run's.
        RsonnxError: an argument, the model or an input is not as it must be.
    """
    question = Question(norm, epsilon, method, arithmetic, within_bounds)
    listener = listening(listener)
    path = None if output is None else as_path("the output", output)
    if path is not None:
        check_output(path)
    beside = read_run(run) if isinstance(run, str | os.PathLike) else run
    with ExitStack() as stack:
        if beside is None:
            opened: dict[str, Any] = {"sigma": _SIGMA, "providers": _PROVIDERS} | opening
            job = open_job(model, data, stack, **opened)
        else:
            job = _of_run(beside, model, data, stack, **opening)
        origin, facts = job.model.elsewhere, job.model.facts
        network = layers_of(make_plan(read_model(origin.model), origin.settings))
        made = BaseCertificates(
            facts["file"],
            facts["sha256"],
            job.model.bounds,
            tuple(job.labels.class_names),
            question,
            tuple(column.name for column in job.columns if column.fixed),
            run=beside,
        )
        rows = {} if beside is None else {row.index: row for row in beside.rows}
        indices = [index for index in job.indices if beside is None or index in rows]
        listener.said("model", f"{facts['file']}: {len(network.layers)} layers, {made.claim}")
        if method == "crown" and network.products > _MANY_PRODUCTS:
            listener.said(
                "warning",
                f"bounding every layer backwards takes some {network.products:.0e} products a "
                "radius that is tried; --method crown-ibp takes seconds, and proves less",
            )
        listener.begun(Extent(len(indices), 1, unit="inputs"))
        file = None if path is None else stack.enter_context(path.open("x", encoding="utf-8"))

        def write(line: dict[str, Any]) -> None:
            if file is not None:
                file.write(f"{json.dumps(line)}\n")
                file.flush()

        write(made.header())
        certificates = []
        for index in indices:
            certificate = _certificate(job, network, index, question)
            certificate = replace(certificate, smoothed=rows.get(index))
            write(certificate.to_json())
            certificates.append(certificate)
            listener.drawn(1)
            listener.finished(certificate, certified=not certificate.abstained)
        write({"kind": "end", "status": "complete"})
    return replace(made, certificates=tuple(certificates))


def layers_of(plan: Plan) -> Network:
    """Return the layers of a model as it is adapted to declared units, from inputs to scores.

    Raises:
        ModelError: it answers otherwise than by its largest score, or holds an operator of which no
            bounds are known here.
    """
    output, label = plan.output, plan.output.label
    own = label is None or (
        label.decision == "largest"
        and label.scores == output.tensor
        and not (label.values or label.table or label.first_column)
    )
    if output.kind == "label" or not own:
        raise ModelError(
            f"{plan.model} answers a label that is not plainly the position of its largest score, "
            "of which deterministic verification knows no bounds; name the scores with "
            "--output-name"
        )
    batch = Batch.AS_FILED if plan.data.batch in (None, 1) else plan.free_batches[-1]
    adapted = onnx.load_from_string(plan.adapted(batch).model)
    threshold = output.threshold if output.kind == "score" else None
    return read_network(adapted, INPUT, plan.data.shape, output.tensor, threshold)


def _of_run(
    run: Run,
    model: Model,
    data: Data,
    stack: ExitStack,
    time_limit_per_call: float = SECONDS_A_CALL,
    **files: Path | None,
) -> Job:
    for name in files.keys() - set(DataSettings.FILES):
        raise UsageError(f"{name} was given beside a run, which settles it; leave it out")
    if not isinstance(model, str | os.PathLike):
        raise UsageError("beside a run the model's file is needed; give its path")
    check_model(run, model)
    job = reopen(run, model, data, files, _PROVIDERS, time_limit_per_call, stack)
    if job.shape != job.model.shape:
        raise RunFileError(
            f"{run.path}: its noise ({run.header.noise.label}) gives the model other inputs than "
            "the data's, so there is nothing to stand beside"
        )
    return job


def _certificate(job: Job, network: Network, index: int, question: Question) -> BaseCertificate:
    begun = time.perf_counter()
    point = job.point(index)
    values = job.smoothed.noise.unchanged(point)
    prediction = job.smoothed.base_label(point)
    low, high = job.model.bounds
    around = Ball(
        values.ravel().astype(np.float64),
        question.norm,
        0.0,
        (low, high) if question.within_bounds else (-math.inf, math.inf),
        job.smoothed.noise.fixed,
    )
    # A ball around the float32 numbers that are asked about must hold the one around the input.
    moved = (values - point.data).ravel() if point.arithmetic == "float" else np.zeros(1)
    gap = float(np.linalg.norm(moved, _ORDERS[question.norm])) * (1 + 2.0**-40)
    margin = _margin(network, around, prediction, question, gap)
    if prediction >= 0:
        _check_read(job, network, around, values)
    reached: float | None = None
    radius = 0.0
    if question.epsilon is not None:
        reached = margin(question.epsilon)
        radius = question.epsilon if reached > 0 else 0.0
    elif margin(0.0) > 0:
        width = high - low if math.isfinite(high - low) else 1.0
        radius = largest_radius(margin, width * _FIRST[question.norm], _PRECISION)
    return BaseCertificate(
        index,
        job.dataset.name(index),
        point.digest,
        job.label(index),
        prediction,
        radius,
        reached,
        time.perf_counter() - begun,
    )


def _margin(
    network: Network, around: Ball, prediction: int, question: Question, gap: float
) -> Callable[[float], float]:
    """Return what bounds, for a radius, how far the prediction is above every other class.

    ``gap`` is how far the centre of the ball may be from that of the radius.
    """

    def margin(radius: float) -> float:
        if prediction < 0:
            return -math.inf
        ball = replace(around, radius=math.nextafter(radius + gap, math.inf) if gap else radius)
        verifier = Verifier(network, ball, method=question.method, arithmetic=question.arithmetic)
        return float(verifier.margins(prediction).min())

    return margin


def _check_read(job: Job, network: Network, around: Ball, values: NDArray[np.float32]) -> None:
    """Refuse a graph that was read otherwise than it runs, which scores out of bounds show."""
    scores = job.model.scores(values[None])[0].astype(np.float64)
    if not Verifier(network, around, method="ibp").allows(scores):
        raise ModelError(
            f"{job.model.session.name} answers scores that the layers read from it cannot give; "
            "please report it: rsonnx has read them wrongly"
        )
