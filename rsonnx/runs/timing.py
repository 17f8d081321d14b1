"""How long a certification will take on this machine, from a second or two of trying it."""

from __future__ import annotations

import time

from scipy import special

from rsonnx.procedures import ABSTAIN, Adaptive, Cost, MachineTime, Plan
from rsonnx.procedures.planning import PILOT_SAMPLES, SELECTION_SAMPLES
from rsonnx.runs.job import Job
from rsonnx.statistics import operating_point
from rsonnx.statistics.sequential import LEAD

MEASURE_SECONDS = 1.0
PILOT_SECONDS = 2.0
_PILOT_INPUTS = 16
_QUANTILES = 8
"""Points at which the uncertainty about one input's p is represented."""


def time_on(job: Job, plan: Plan, *, seed: int = 0) -> MachineTime:
    """Measure the speed on the first input, and estimate what runs of the whole job take.

    Args:
        job: the model and its inputs; it counts in this process.
        plan: of the job's noise.
        seed: of the noise that is drawn for it.
    """
    rate = _samples_per_second(job, seed)
    inputs = len(job.indices)
    fixed = plan.n if plan.noise.enumerated else SELECTION_SAMPLES + plan.n
    return MachineTime(
        provider=job.model.facts["providers"]["used"][0],
        batch_size=job.smoothed.batch_size,
        samples_per_second=rate,
        inputs=inputs,
        fixed=Cost(fixed, fixed / rate, inputs * fixed / rate),
        adaptive=None if plan.adaptive is None else _adaptive_cost(job, plan.adaptive, rate, seed),
    )


def _adaptive_cost(job: Job, adaptive: Adaptive, rate: float, seed: int) -> Cost:
    hits, seconds = _pilot(job, seed)
    # What a request costs beyond its samples: small ones do not fill batches and threads.
    overhead = max(0.0, seconds / len(hits) - PILOT_SAMPLES / rate)
    each = {k: _expected_samples(adaptive, k) for k in set(hits)}
    samples = sum(each[k] for k in hits) / len(hits)
    requests = sum(1 + sum(look <= each[k] for look in adaptive.looks) for k in hits) / len(hits)
    seconds = samples / rate + requests * overhead
    return Cost(samples, seconds, seconds * len(job.indices), inputs_tried=len(hits))


def _samples_per_second(job: Job, seed: int) -> float:
    """Count ever larger ranges until one takes about a second, and time that one."""
    point = job.point(job.indices[0])
    size, start = 1, 0
    while True:
        begun = time.perf_counter()
        job.smoothed.sample_counts(point, start, start + size, stage="prediction", seed=seed)
        elapsed = time.perf_counter() - begun
        if elapsed >= MEASURE_SECONDS / 2:
            return size / elapsed
        start, size = start + size, 2 * size


def _pilot(job: Job, seed: int) -> tuple[list[int], float]:
    """Return the top class's hits on inputs spread over the job, and the time that it took.

    Several inputs unless the model is slow: no further one is begun after two seconds.
    """
    hits: list[int] = []
    seconds = 0.0
    for index in job.indices[:: -(-len(job.indices) // _PILOT_INPUTS)]:
        point = job.point(index)
        begun = time.perf_counter()
        counts = job.smoothed.sample_counts(point, 0, PILOT_SAMPLES, stage="prediction", seed=seed)
        seconds += time.perf_counter() - begun
        top = counts.top()[0] if counts.seen else ABSTAIN
        hits.append(0 if top == ABSTAIN else counts[top])
        if seconds >= PILOT_SECONDS:
            break
    return hits, seconds


def _expected_samples(adaptive: Adaptive, hits: int) -> float:
    """Average the samples of an adaptive run over what the pilot's hits leave open about p."""
    total = 0.0
    for level in ((i + 0.5) / _QUANTILES for i in range(_QUANTILES)):
        p = float(special.betaincinv(hits + 0.5, PILOT_SAMPLES - hits + 0.5, level))
        # The lead of the top class over a single rival is a random walk (Wald's identity).
        lead = 2.0 * p - 1.0
        selection = LEAD / lead if lead * SELECTION_SAMPLES > LEAD else SELECTION_SAMPLES
        total += selection + operating_point(adaptive.rule, p, adaptive.looks).samples
    return total / _QUANTILES
