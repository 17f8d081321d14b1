"""Certify the inputs of a job one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rsonnx.runs.job import Job
from rsonnx.runs.rows import Row
from rsonnx.runtime import Progress
from rsonnx.smoothing import CertifyProcedure


def certify_inputs(
    job: Job, procedure: CertifyProcedure, *, seed: int, progress: Progress | None = None
) -> Iterator[Row]:
    """Yield a row an input, in the job's order.

    Args:
        job: the smoothed model and the inputs.
        procedure: how one input is certified.
        seed: of the run, >= 0.
        progress: called with the number of samples counted since its last call.

    Raises:
        DataError: an input does not fit the model.
        InferenceError: the model failed.
    """
    for index in job.indices:
        start = time.perf_counter()
        point = job.point(index)
        base_prediction = job.smoothed.base_label(point)
        certificate = job.smoothed.run(procedure, point, seed=seed, progress=progress)
        yield Row.of(
            certificate,
            index=index,
            name=job.dataset.name(index),
            label=job.label(index),
            base_prediction=base_prediction,
            seconds=time.perf_counter() - start,
        )
