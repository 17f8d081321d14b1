"""How long a certification will take on this machine, from a second or two of trying it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from rsonnx.errors import UsageError
from rsonnx.procedures import (
    ABSTAIN,
    Adaptive,
    Cost,
    Covered,
    MachineTime,
    Plan,
    Precise,
    radius_text,
)
from rsonnx.procedures.planning import PILOT_SAMPLES, SELECTION_SAMPLES
from rsonnx.runs.job import Job
from rsonnx.runs.rules import Rules
from rsonnx.runs.telling import Tell
from rsonnx.runs.work import Work
from rsonnx.scalars import duration
from rsonnx.statistics import special
from rsonnx.statistics.sequential import LEAD

MEASURE_SECONDS = 1.0
PILOT_SECONDS = 2.0
_GLANCE_SECONDS = 0.1
"""How long a model is timed of which it is only told that a run takes long."""

LONG_SECONDS = 600.0
"""From here on a run is one for which other rules are worth a look."""

PRECISION = 0.05
"""Which is offered: the radii of published runs then take 4.6 to 28 times fewer samples."""

_PILOT_INPUTS = 16
_QUANTILES, _FEW_QUANTILES = 8, 4
"""Points at which the uncertainty about one input's p is represented, and where it is only told
what other rules would take."""


def time_on(job: Job, plan: Plan, *, seed: int = 0) -> MachineTime:
    """Measure the speed on the first input, and estimate what runs of the whole job take.

    Args:
        job: the model and its inputs; it counts in this process.
        plan: of the job's noise.
        seed: of the noise that is drawn for it.
    """
    rate = _samples_per_second(job, seed, MEASURE_SECONDS)
    inputs = len(job.indices)
    if plan.cover is not None:
        return _covered_time(job, plan.cover, rate)
    fixed = plan.n if plan.noise.enumerated else SELECTION_SAMPLES + plan.n
    return MachineTime(
        provider=job.model.facts["providers"]["used"][0],
        batch_size=job.smoothed.batch_size,
        samples_per_second=rate,
        inputs=inputs,
        fixed=Cost(fixed, fixed / rate, inputs * fixed / rate),
        adaptive=None
        if plan.adaptive is None
        else _adaptive_cost(plan.adaptive, _pilot(job, seed), rate, inputs),
    )


def tell_long(work: Work, rules: Rules, tell: Tell) -> None:
    """Tell what a run of more than ten minutes takes, and what by other rules, as a try shows it.

    Nothing that is tried counts in the run, whose noise is of other streams. What is sure to be
    shorter ends the try at once.
    """
    job, procedure, inputs = work.job, work.procedure, len(work.indices or ())
    if not procedure.fixed_n or procedure.certain:
        return
    total = inputs * procedure.samples
    rate = _samples_per_second(job, 0, _GLANCE_SECONDS, enough=total / LONG_SECONDS)
    if total < LONG_SECONDS * rate:
        return
    shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
    slow = rate * _GLANCE_SECONDS <= 2  # so that one sample was tried, without companions
    about = "at most" if slow else "about"
    tell("time", f"{about} {duration(total / rate)} for {total:,} samples at {shown} a second")
    radii = procedure.table_radii
    ways = {
        "--adaptive": (replace(rules, adaptive=True), "all radii of the table are decided"),
        f"--target-radius {(middle := radii[len(radii) // 2]):g}": (
            replace(rules, target_radii=middle),
            "that radius alone is decided",
        ),
        f"--precision {PRECISION:g}": (
            replace(rules, precision=PRECISION),
            f"about {100 * PRECISION:g} % of each radius is lost",
        ),
        f"--n {rules.n // 10}": (replace(rules, n=rules.n // 10), ""),
    }
    pilot = None if slow else _pilot(job, 0)
    for option, (other, decided) in ways.items():
        try:
            changed = other.made(
                procedure.noise,
                num_classes=procedure.num_classes,
                shape=job.shape,
                inputs=len(job.indices),
            )
        except UsageError:  # which these rules do not allow
            continue
        if isinstance(changed, Adaptive | Precise):
            if pilot is None:
                continue
            seconds = _adaptive_cost(changed, pilot, rate, inputs, _FEW_QUANTILES).seconds
            tried = f"{PILOT_SAMPLES} samples on each of {len(pilot[0])} inputs"
            what = f"{decided} (estimated from {tried})"
        else:
            seconds = inputs * changed.samples / rate
            reach, before = changed.largest_radius, procedure.largest_radius
            what = f"radii reach {radius_text(reach)} instead of {radius_text(before)}"
        tell("instead", f"{option}: {about} {duration(seconds)}; {what}")


def _covered_time(job: Job, procedure: Covered, rate: float) -> MachineTime:
    """Return what covers take: some inputs are certified, with noise of another seed."""
    begun = time.perf_counter()
    samples, images = [], []
    for index in _spread(job):
        certificate = job.smoothed.run(procedure, job.point(index))
        samples.append(certificate.n0 + certificate.n)
        images.append(len(certificate.cover.centres if certificate.cover else ()))
        if time.perf_counter() - begun >= PILOT_SECONDS:
            break
    tried = len(samples)
    each = (time.perf_counter() - begun) / tried
    inputs = len(job.indices)
    return MachineTime(
        provider=job.model.facts["providers"]["used"][0],
        batch_size=job.smoothed.batch_size,
        samples_per_second=rate,
        inputs=inputs,
        fixed=None,
        adaptive=Cost(sum(samples) / tried, each, each * inputs, inputs_tried=tried),
        images=sum(images) / tried,
    )


def _adaptive_cost(
    adaptive: Adaptive | Precise,
    pilot: tuple[list[int], float],
    rate: float,
    inputs: int,
    quantiles: int = _QUANTILES,
) -> Cost:
    hits, seconds = pilot
    # What a request costs beyond its samples: small ones do not fill batches and threads.
    overhead = max(0.0, seconds / len(hits) - PILOT_SAMPLES / rate)
    each = {k: _expected_samples(adaptive, k, quantiles) for k in set(hits)}
    samples = sum(each[k] for k in hits) / len(hits)
    requests = sum(1 + sum(look <= each[k] for look in adaptive.looks) for k in hits) / len(hits)
    seconds = samples / rate + requests * overhead
    return Cost(samples, seconds, seconds * inputs, inputs_tried=len(hits))


def _samples_per_second(job: Job, seed: int, seconds: float, enough: float = math.inf) -> float:
    """Count ever larger ranges until one takes about so long, or is fast enough; time that one.

    The first call may have waited for others, so that one sample is believed to take long only
    where it took twice as long.
    """
    point = job.point(job.indices[0])
    size, start = 1, 0
    while True:
        begun = time.perf_counter()
        job.smoothed.sample_counts(point, start, start + size, stage="prediction", seed=seed)
        elapsed = time.perf_counter() - begun
        if elapsed >= (seconds / 2 if size > 1 else 2 * seconds) or size > enough * elapsed:
            return size / elapsed
        start, size = start + size, 2 * size


def _pilot(job: Job, seed: int) -> tuple[list[int], float]:
    """Return the top class's hits on inputs spread over the job, and the time that it took.

    Several inputs unless the model is slow: no further one is begun after two seconds.
    """
    hits: list[int] = []
    seconds = 0.0
    for index in _spread(job):
        point = job.point(index)
        begun = time.perf_counter()
        counts = job.smoothed.sample_counts(point, 0, PILOT_SAMPLES, stage="prediction", seed=seed)
        seconds += time.perf_counter() - begun
        top = counts.top()[0] if counts.seen else ABSTAIN
        hits.append(0 if top == ABSTAIN else counts[top])
        if seconds >= PILOT_SECONDS:
            break
    return hits, seconds


def _spread(job: Job) -> Sequence[int]:
    """Return a few inputs, spread over the job."""
    return job.indices[:: -(-len(job.indices) // _PILOT_INPUTS)]


def _expected_samples(adaptive: Adaptive | Precise, hits: int, quantiles: int) -> float:
    """Average the samples of an adaptive run over what the pilot's hits leave open about p."""
    total = 0.0
    for level in ((i + 0.5) / quantiles for i in range(quantiles)):
        p = float(special.betaincinv(hits + 0.5, PILOT_SAMPLES - hits + 0.5, level))
        # The lead of the top class over a single rival is a random walk (Wald's identity).
        lead = 2.0 * p - 1.0
        selection = LEAD / lead if lead * SELECTION_SAMPLES > LEAD else SELECTION_SAMPLES
        total += selection + adaptive.expected_samples(p)
    return total / quantiles
