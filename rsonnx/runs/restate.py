"""Derive a run's certificates anew from its counts, at another alpha, bound or radius rule.

Nothing is sampled. What the counts of a fixed n can support is any sound bound that needs nothing
but counts; an adaptive run stopped where its own settings were decided, so it keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rsonnx.certificate import (
    RADIUS_RULES,
    AdaptiveSamples,
    Certificate,
    ExactCounts,
    FixedSamples,
    Rule,
)
from rsonnx.counts import MOST_CLASSES
from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import EnumeratedNoise, SampledNoise, SmoothingDistribution
from rsonnx.runs.fields import noise_field, shown, text_field, whole_field
from rsonnx.runs.files import Part, Run
from rsonnx.runs.parts import shard_field
from rsonnx.runs.rows import Row
from rsonnx.statistics import BOUNDS, certifying_bound, check_alpha, family_wise_alpha


@dataclass(frozen=True)
class Made:
    """What a header says of how its run was made.

    Attributes:
        rule: how counts become a certificate.
        bound, radius: names of the bound and of the radius rule.
        family_wise: probability of any error among all inputs, where that was asked for.
        inputs: how many inputs the file has, or will have.
        selected: how many the whole run has; more, where the file holds a shard of it.
    """

    rule: Rule
    bound: str
    radius: str
    family_wise: float | None
    inputs: int
    selected: int


def restate(
    run: Run,
    *,
    alpha: float | None = None,
    bound: str | None = None,
    radius: str | None = None,
) -> Run:
    """Return ``run`` with every row derived again from its counts; nothing is sampled.

    A certificate holds at the new settings if they were chosen without looking at the counts.

    Args:
        run: as :func:`read_run` gives it.
        alpha: probability of error an input, in (0, 1), or in a family-wise run of any error among
            all its inputs; None keeps the run's.
        bound: name of a sound bound; None keeps the run's.
        radius: ``"one-sided"`` or ``"two-sided"``; None keeps the run's.

    Returns:
        A run with the restated rows, and a header that has the new settings and, as
        ``restated_from``, those before. With the run's own settings the rows are identical.

    Raises:
        UsageError: an argument is outside its range, or the counts cannot support it.
        RunFileError: the run file contradicts itself.
    """
    made = made_with(run)
    family_wise = made.family_wise
    each = made.rule.alpha
    if alpha is not None and alpha != (each if family_wise is None else family_wise):
        each = check_alpha(alpha)
        if family_wise is not None:
            family_wise, each = alpha, family_wise_alpha(alpha, made.selected)
    bound = made.bound if bound is None else bound
    radius = made.radius if radius is None else radius
    rule = _rule(run, made, each, bound, radius)
    header = run.header
    before = {"alpha": made.rule.alpha, "bound": made.bound, "radius_rule": made.radius}
    return replace(
        run,
        header=header
        | rule.to_json()
        | {
            "family_wise": family_wise,
            "largest_radius": rule.largest_radius,
            "restated_from": header.get("restated_from")
            or before | {"family_wise": made.family_wise},
        },
        rows=tuple(derive_again(run, rule, row) for row in run.rows),
    )


def _rule(run: Run, made: Made, alpha: float, bound: str, radius: str) -> Rule:
    """Return the rule that was asked for, or refuse it."""
    own = made.rule
    if isinstance(own, ExactCounts):
        if (alpha, bound, radius) != (own.alpha, made.bound, made.radius):
            raise UsageError(
                f"the run {run.path} counted every change that its noise can make, so there is no "
                "alpha, bound or radius rule to restate it by; leave them out"
            )
        return own
    if isinstance(own, AdaptiveSamples):
        for name, asked, kept in (
            ("alpha", alpha, own.alpha),
            ("bound", bound, made.bound),
            ("radius rule", radius, made.radius),
        ):
            if asked != kept:
                raise UsageError(
                    f"the run {run.path} is adaptive: its sampling stopped where {name} = {kept} "
                    f"had decided the target radii, so it cannot be restated at {name} = {asked}; "
                    "certify again with a fixed n"
                )
        return own
    if bound != made.bound and certifying_bound(bound).needs_uniform:
        raise UsageError(
            f"the run {run.path} was made with the bound {made.bound}, which records no uniform "
            f"number drawn before the samples, so it cannot be restated by {bound}; certify again "
            f"with --bound {bound}"
        )
    if radius == "two-sided" != made.radius and own.num_classes is None:
        raise UsageError(
            f"the run {run.path} does not say how many classes its model has, and the two-sided "
            "radius shares alpha among them, so it cannot be restated; use the one-sided radius"
        )
    return replace(own, alpha=alpha, bound=bound, radius=radius)


def derive_again(run: Run, rule: Rule, row: Row) -> Row:
    """Return a row with everything that follows from its counts derived anew.

    Raises:
        RunFileError: the row contradicts the rule or itself; the message names its input.
    """
    try:
        certificate = _certificate(rule, row)
    except (UsageError, RunFileError) as error:
        raise RunFileError(f"{run.path}, input {row.index}: {error}") from None
    return Row.again(certificate, row, row.seconds)


def _certificate(rule: Rule, row: Row) -> Certificate:
    drawn = row.estimation.total
    if isinstance(rule, AdaptiveSamples):
        if drawn > rule.n:
            raise RunFileError(f"it has {drawn:,} estimation samples, more than n = {rule.n:,}")
        if row.claim is None:
            raise RunFileError("it has no claim, which every input of an adaptive run has")
        return rule.certify(row.selection, row.estimation, row.claim)
    if drawn != rule.n:
        raise RunFileError(f"it has {drawn:,} estimation samples, but n = {rule.n:,}")
    if isinstance(rule, ExactCounts) and row.selection.total:
        raise RunFileError("it has selection samples, of which counting in full needs none")
    return rule.certify(row.selection, row.estimation, row.uniform)


def made_with(run: Run | Part) -> Made:
    """Return the rule and settings that a run's header states.

    Raises:
        RunFileError: the header lacks a field, or states something impossible.
    """
    header = run.header
    try:
        noise = _noise(header)
        n, alpha = whole_field(header, "n", least=1), _real(header, "alpha")
        bound, radius = text_field(header, "bound"), text_field(header, "radius_rule")
        family_wise = _or_none(_real, header, "family_wise")
        selected = whole_field(header["data"], "inputs", least=1)
        shard = shard_field(header)
        inputs = selected if shard is None else shard.size(selected)
        rule: Rule
        if isinstance(noise, EnumeratedNoise):
            rule = _exact(noise, header, n)
        elif not isinstance(noise, SampledNoise):
            raise TypeError(f"{noise.name} noise is neither sampled nor enumerated")
        elif header["target_radii"] is None:
            classes = header["num_classes"]
            if classes is not None and whole_field(header, "num_classes", least=1) > MOST_CLASSES:
                raise TypeError(f"num_classes is {shown(classes)}")
            if bound not in BOUNDS or radius not in RADIUS_RULES:
                raise TypeError(f"the bound is {shown(bound)}, the radius rule {shown(radius)}")
            rule = FixedSamples(noise, n, alpha, bound, radius, classes)
        else:
            targets = {str(k): r for k, r in enumerate(header["target_radii"])}
            rule = AdaptiveSamples(noise, n, alpha, tuple(_real(targets, k) for k in targets))
        if isinstance(rule, AdaptiveSamples | ExactCounts):
            own = rule.to_json()
            if (bound, radius) != (own["bound"], own["radius_rule"]):
                raise TypeError(f"the bound is {shown(bound)}, the radius rule {shown(radius)}")
    except KeyError as error:
        raise RunFileError(f"{run.path}, line 1: the header lacks the field {error}") from None
    except (TypeError, UsageError) as error:
        raise RunFileError(f"{run.path}, line 1: the header is wrong: {error}") from None
    if inputs < len(run.rows):
        raise RunFileError(
            f"{run.path}, line 1: the header says {inputs} inputs, but there are {len(run.rows)}"
        )
    return Made(rule, bound, radius, family_wise, inputs, selected)


def _noise(header: dict[str, Any]) -> SmoothingDistribution:
    """Return the smoothing distribution, for inputs that the model takes."""
    noise = noise_field(header)
    size = noise.parameters.get("size")
    if size is not None and size != math.prod(noise.input_shape(_shape(header))):
        raise TypeError(f"the noise is for inputs of {size} values, which the model does not take")
    return noise


def _shape(header: dict[str, Any]) -> tuple[int, ...]:
    """Return the shape that the model takes."""
    shape = header["model"]["input_shape"]
    if not isinstance(shape, list) or not all(type(axis) is int and axis > 0 for axis in shape):
        raise TypeError(f"input_shape is {shown(shape)}")
    return tuple(shape)


def _exact(noise: EnumeratedNoise, header: dict[str, Any], n: int) -> ExactCounts:
    """Return the rule of a run that was counted in full."""
    rule = ExactCounts(noise, noise.input_shape(_shape(header)))
    if n != rule.n:
        raise TypeError(f"n is {n}, which is not how many changes {noise.name} noise can make")
    if header["alpha"] != 0 or header["family_wise"] is not None:
        raise TypeError("a run that was counted in full has an alpha")
    return rule


def _real(fields: Any, name: str) -> float:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {shown(value)}, not a number")
    return float(value)


def _or_none(read: Callable[[Any, str], float], fields: Any, name: str) -> float | None:
    return None if fields[name] is None else read(fields, name)
