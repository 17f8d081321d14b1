"""A plan as a table: radii and chances rounded down, samples and times up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict

from rsonnx.noise import Law
from rsonnx.procedures import Cost, MachineTime, Plan
from rsonnx.procedures.planning import PILOT_SAMPLES
from rsonnx.report.rounding import percent, percent_down, text_down, text_up
from rsonnx.report.table import (
    Column,
    Form,
    Note,
    Report,
    Table,
    Value,
    decimals,
    grouped,
)
from rsonnx.scalars import duration, in_full


def plan_report(plan: Plan, machine: MachineTime | None = None) -> Report:
    """Return what is planned, and how long it takes where that was measured."""
    law = plan.noise
    surety = f"alpha = {plan.alpha:g} an input"
    if law.enumerated:
        surety = "counted in full and without chance"
    title = f"{law.title}, {surety}; {_units(law)}"
    tables = [Table((Column(""), Column("", left=True)), list(_facts(plan)), title)]
    if plan.table:
        tables.append(_chances(plan))
    notes = [] if machine is None else list(_time(plan, machine))
    if machine is None and plan.cover is not None and plan.cover.fewest is None:
        notes = ["How many images cover an input: give --model with --data, and some are covered."]
    value = plan.to_json() | {"machine": None if machine is None else asdict(machine)}
    return Report(tables, notes, value=value)


def _facts(plan: Plan) -> Iterator[tuple[str, Value]]:
    largest = _radius(plan.noise)(plan.largest_radius)
    if plan.noise.enumerated:
        yield "changes of an input", f"{plan.n:,}, the samples that it takes"
        yield "largest radius", f"{largest} (all answers agree)"
        return
    if plan.cover is not None:
        yield "largest radius", f"{largest} (every image is certified)"
        images = plan.cover.noise.centres
        yield (
            "images of an input",
            "as many as cover it" if images is None else f"{images:,}",
        )
        yield "most samples of an image", f"{plan.n:,}"
        if plan.cover.fewest is not None:
            yield "fewest samples of an input", f"{plan.cover.fewest:,} (all samples agree)"
        return
    yield f"largest radius of n = {plan.n:,}", f"{largest} (all samples agree)"
    if plan.target is None:
        return
    target = plan.target
    yield (
        f"probability for radius {in_full(target.radius)}",
        f"above {text_down(target.probability, 12)}",
    )
    yield "smallest n for it", f"{target.smallest_n:,} (all samples agree)"
    yield "smallest ceiling, adaptive", f"{target.smallest_ceiling:,}"
    if plan.adaptive is None:
        yield "adaptive sampling", f"n = {plan.n:,} is too low a ceiling for it"


def _chances(plan: Plan) -> Table:
    radius = _radius(plan.noise)
    columns = [Column("p", form=in_full), Column("true radius", form=radius)]
    precise = plan.adaptive is not None and plan.adaptive.precision is not None
    notes = [
        Note(f"fixed: by n = {plan.n:,} samples; n for 90 %: the fixed n for that chance"),
        Note("adaptive: by at most n samples; samples: how many are then expected"),
    ]
    notes = notes[: (plan.target is not None) + (plan.adaptive is not None)]
    if precise:
        notes = [
            Note("samples: how many are expected of a run that stops for precision; lost: which"),
            Note(f"share of the radius that n = {plan.n:,} would give, in %"),
        ]
    rows: list[tuple[Value, ...]]
    if plan.target is None:
        title = f"Chance in % that {plan.n:,} fixed samples certify radius r"
        columns += [Column(f"r={in_full(r)}", form=percent_down) for r in plan.radii]
        rows = [(line.p, line.true_radius, *line.chances) for line in plan.table]
    else:
        title = f"Chance in % to certify radius {in_full(plan.target.radius)}"
        columns += [
            Column("fixed %", form=percent_down),
            Column("n for 90 %", form=grouped, unknown="-"),
        ]
        rows = [
            (line.p, line.true_radius, *line.chances, line.samples_for_chance)
            for line in plan.table
        ]
    if precise:
        columns += [Column("samples", form=_up), Column("lost %", form=percent, unknown="-")]
        rows = [
            (*row, line.adaptive_samples, line.lost)
            for row, line in zip(rows, plan.table, strict=True)
        ]
    elif plan.adaptive is not None:
        columns += [Column("adaptive %", form=percent_down), Column("samples", form=_up)]
        rows = [
            (*row, line.adaptive_chance, line.adaptive_samples)
            for row, line in zip(rows, plan.table, strict=True)
        ]
    return Table(columns, rows, f"{title} where the class has probability p:", notes)


def _time(plan: Plan, machine: MachineTime) -> Iterator[str]:
    rate, inputs = machine.samples_per_second, machine.inputs
    speed = f"{math.floor(rate):,}" if rate >= 10 else text_down(rate, 2)
    yield (
        f"This machine: {speed} samples/s on the first input ({machine.provider}, batches of "
        f"{machine.batch_size or '?'})"
    )
    if machine.fixed is not None:
        yield f"fixed, {machine.fixed.samples_per_input:,} samples: {_cost(machine.fixed, inputs)}"
    if machine.adaptive is not None:
        samples = math.ceil(machine.adaptive.samples_per_input)
        tried = _inputs(machine.adaptive.inputs_tried or 0)
        cost = f"about {samples:,} samples: {_cost(machine.adaptive, inputs)}"
        if machine.images is not None:
            yield f"about {math.ceil(machine.images):,} images and {cost}"
            yield f"(as {tried} took)"
            return
        yield f"{'adaptive' if plan.target else 'for precision'}, {cost}"
        yield f"(a rough estimate from {PILOT_SAMPLES} samples on each of {tried})"
    elif plan.target is None and not plan.noise.enumerated:
        yield "adaptive: give --target-radius or --precision for an estimate"


def _cost(cost: Cost, inputs: int) -> str:
    each, together = (
        f"{text_up(seconds, 2)} s" if seconds < 10 else duration(math.ceil(seconds))
        for seconds in (cost.seconds_per_input, cost.seconds)
    )
    return f"{each} an input, {together} for {_inputs(inputs)}"


def _inputs(count: int) -> str:
    return "1 input" if count == 1 else f"{count:,} inputs"


def _units(law: Law) -> str:
    """Say in which norm and units radii are."""
    if law.measure.unit is not None:
        return f"a radius is the {law.measure.measure.rstrip(',')}"
    return f"{law.norm} radii in the units of an input"


def _radius(law: Law) -> Form:
    return decimals(0 if law.measure.whole else 4)


def _up(samples: float) -> str:
    return f"{math.ceil(samples):,}"
