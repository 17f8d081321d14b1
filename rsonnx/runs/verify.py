"""Check a run file against its own counts: every row derived again, and proved where it can be.

A row is derived again by the code that wrote it, to the last digit. Beyond that its bound and its
radius are proved by integer arithmetic (:mod:`rsonnx.statistics.rigorous`), which trusts neither
scipy nor a rounding margin. What no such proof covers (the e-process of an adaptive run, the
randomised bound, the radius of noise that is not Gaussian) is derived only, and counted as such.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import islice

from rsonnx.certificate import ALPHA_SPLITS, ExactCounts, FixedSamples, Rule, rival_shares
from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import WATCHED_SPAN, AnisotropicGaussian, Gaussian, SampledNoise, uniform
from rsonnx.runs.fields import shown, stream_field, whole_field
from rsonnx.runs.files import Run
from rsonnx.runs.header import claim_of, recorded_rows, recorded_seed
from rsonnx.runs.identity import is_first_version
from rsonnx.runs.parts import Shard, shard_field
from rsonnx.runs.restate import Made, derive_again, made_with
from rsonnx.runs.rows import Row
from rsonnx.runs.sample import sample_field
from rsonnx.statistics import (
    family_wise_alpha,
    proves_lower_bound,
    proves_radius,
    proves_two_sided_radius,
    proves_upper_bound,
)

_PROVABLE = (Gaussian, AnisotropicGaussian)
"""Noise whose radius is proved by integer arithmetic too."""


_MOST_DRAWN_FROM = 1 << 23
"""Inputs from which a random sample is drawn again without the data, which takes some seconds."""


@dataclass(frozen=True)
class Fault:
    """Something that does not hold: the position of the input (None: the whole run), and what."""

    index: int | None
    what: str


@dataclass(frozen=True)
class Verification:
    """What came of checking a run.

    Attributes:
        rows: how many rows there are.
        derived: rows that were derived again to the last digit.
        proved: rows whose bound and radius were proved by integer arithmetic as well; an exact
            run's follow from the counts by nothing else.
        bounded: rows whose bounds on probabilities were proved so, whether or not the radius was.
        faults: all that does not hold.
    """

    rows: int
    derived: int
    proved: int
    bounded: int
    faults: tuple[Fault, ...]


def verify(run: Run) -> Verification:
    """Derive every row of a run again, and prove its figures where that is possible.

    Raises:
        RunFileError: the header does not say how the run was made.
    """
    made = made_with(run)
    faults = _whole_run(run, made)
    derived = proved = bounded = 0
    for row in run.rows:
        found = [Fault(row.index, what) for what in _differences(run, made.rule, row)]
        if not found:
            derived += 1
            if isinstance(made.rule, ExactCounts):
                bounded += 1
                proved += 1  # derived by integer arithmetic as it is
            elif isinstance(made.rule, FixedSamples) and not made.rule.needs_uniform:
                found = [Fault(row.index, what) for what in _unproved(made.rule, row)]
                bounded += not found
                proved += not found and isinstance(made.rule.noise, _PROVABLE)
        faults += found
    return Verification(len(run.rows), derived, proved, bounded, tuple(faults))


def _whole_run(run: Run, made: Made) -> list[Fault]:
    faults = []
    if run.status == "complete" and len(run.rows) != made.inputs:
        what = f"it is complete with {len(run.rows)} rows, but announces {made.inputs}"
        faults.append(Fault(None, what))
    else:
        faults += [Fault(None, what) for what in _chosen(run, made)]
    claim = claim_of(made.rule.noise, _arithmetic(run), recorded_rows(run.header))
    if run.header.get("claim") != claim:
        faults.append(Fault(None, f"its claim is not that of its noise and rows: {claim}"))
    if made.family_wise is not None:
        share = family_wise_alpha(made.family_wise, made.selected)
        if made.rule.alpha != share:
            what = (
                f"alpha is {made.rule.alpha!r}, but the share of one of {made.selected} inputs in "
                f"{made.family_wise!r} for all is {share!r}"
            )
            faults.append(Fault(None, what))
    return faults


def _arithmetic(run: Run) -> str | None:
    noise = run.header.get("noise")
    return noise.get("arithmetic") if isinstance(noise, dict) else None


def _chosen(run: Run, made: Made) -> list[str]:
    """Return what contradicts how the inputs and their noise are said to be chosen."""
    try:
        stream_field(run.header)
        data = run.header["data"]
        if "sample" not in data and is_first_version(run.header):
            return []  # which its data show: what was taken are the first of them
        sample, size = sample_field(run.header), whole_field(data, "size", least=1)
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        return [f"the header does not say how its inputs and their noise were chosen: {error}"]
    if sample.count(size) != made.selected:
        return [f"it announces {made.selected} inputs, but its sample has {sample.count(size)}"]
    if sample.seed is not None and size > _MOST_DRAWN_FROM:
        return []
    shard = shard_field(run.header) or Shard(1, 1)
    part = islice(sample.indices(size), shard.index - 1, None, shard.of)
    for row, index in zip(run.rows, part, strict=False):
        if row.index != index:
            return [f"it has the input {row.index} where its sample has the input {index}"]
    return []


def _differences(run: Run, rule: Rule, row: Row) -> list[str]:
    """Return what is stored otherwise than it follows from the counts."""
    try:
        again = derive_again(run, rule, row)
    except RunFileError as error:
        return [str(error)]
    n0 = run.header.get("n0")
    found = [
        f"{field.name} is {shown(getattr(row, field.name))}, but the counts give "
        f"{shown(getattr(again, field.name))}"
        for field in fields(Row)
        if getattr(row, field.name) != getattr(again, field.name)
    ]
    found += _wrongly_watched(row, watched=recorded_rows(run.header) == "watched")
    if isinstance(rule, FixedSamples) and row.selection.total != n0:
        found.append(f"it has {row.selection.total} selection samples, but n0 = {shown(n0)}")
    # Drawn before the samples, from the seed: one that was chosen afterwards could be a better one.
    needed = isinstance(rule, FixedSamples) and rule.needs_uniform
    expected = uniform(recorded_seed(run.header), row.digest) if needed else None
    if row.uniform != expected:
        found.append(f"uniform is {row.uniform!r}, but the seed gives {expected!r}")
    return found


def _wrongly_watched(row: Row, *, watched: bool) -> Iterator[str]:
    """Yield what contradicts that one sample of each 1,024 was watched, if any was."""
    for stage, counts in (("selection", row.selection), ("estimation", row.estimation)):
        spans = counts.total / WATCHED_SPAN if watched else 0
        if not math.floor(spans) <= counts.watched_rows <= math.ceil(spans):
            yield f"{counts.watched_rows} of {counts.total} samples of {stage} are watched"
        if counts.near_ties > counts.watched_rows:
            yield f"{counts.near_ties} of {counts.watched_rows} watched samples are near ties"


def _unproved(rule: FixedSamples, row: Row) -> list[str]:
    """Return what integer arithmetic does not prove of a row that was derived again."""
    two_sided = rule.radius == "two-sided"
    alpha = rule.alpha / 2 if two_sided else rule.alpha
    hits = row.estimation[row.top_class] if row.top_class >= 0 else 0
    found = []
    if not proves_lower_bound(row.p_a_lower, hits, row.estimation.total, alpha):
        found.append(f"p_a_lower = {row.p_a_lower!r} is not proved for {hits} hits")
    if two_sided and not _proves_rivals(rule, row):
        found.append(f"p_b_upper = {row.p_b_upper!r} is not proved")
    if row.radius > 0 and not _proves_radius(rule.noise, two_sided, row):
        found.append(f"radius = {row.radius!r} is not proved")
    return found


def _proves_radius(noise: SampledNoise, two_sided: bool, row: Row) -> bool:
    """Prove the radius of Gaussian noise; the other laws' formulas are derived again only."""
    if not isinstance(noise, _PROVABLE):
        return True
    # In its own standard deviations the noise per feature is isotropic, and their unit is 1.
    sigma = noise.sigma if isinstance(noise, Gaussian) else 1.0
    # The linf ball of radius r lies in the l2 ball of radius r·√d, whose root is rounded up.
    values = (noise.size or 1) if noise.norm == "linf" else 1
    far = Fraction(row.radius) * Fraction(math.isqrt(values << 200) + 1, 1 << 100)
    radius = row.radius if values == 1 else math.nextafter(float(far), math.inf)
    if two_sided:
        return proves_two_sided_radius(radius, sigma, row.p_a_lower, row.p_b_upper or 1.0)
    return proves_radius(radius, sigma, row.p_a_lower)


def _proves_rivals(rule: FixedSamples, row: Row) -> bool:
    """Prove the bound on every other class: by what is left of 1, or by the rivals' own counts."""
    p_b_upper = 1.0 if row.p_b_upper is None else row.p_b_upper
    if row.top_class < 0 or Fraction(p_b_upper) >= 1 - Fraction(row.p_a_lower):
        return True
    shares = rival_shares(
        row.selection,
        row.estimation,
        row.top_class,
        rule.num_classes or max(len(row.selection), len(row.estimation)),
        rule.alpha,
        ALPHA_SPLITS[0],
    )
    n = row.estimation.total
    return all(proves_upper_bound(p_b_upper, hits, n, share) for hits, share in shares)
