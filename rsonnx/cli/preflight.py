"""What a person should see before hours of work: the model, the units, and what can come of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click
from click.core import ParameterSource

from rsonnx.certificate import AdaptiveSamples, ExactCounts, FixedSamples, target_radii
from rsonnx.cli.suiting import mismatch
from rsonnx.errors import UsageError
from rsonnx.noise import SampledNoise, SmoothingDistribution, norm_named
from rsonnx.report import Selection, default_radii, printable, text_down
from rsonnx.runs import Job, Manifest, SeedUsed
from rsonnx.runs.sample import spread_over
from rsonnx.smoothing import CertifyProcedure, Trained, certify_procedure
from rsonnx.statistics import (
    check_alpha,
    check_samples,
    clopper_pearson_lower,
    fewest_samples_to_exceed_half,
    fewest_samples_to_predict,
)

_CLEAN_INPUTS = 100
"""Inputs on which the clean accuracy is measured, spread over those of the run."""

_CLEAN_ERROR = 0.001
"""Probability at most that a model that guesses passes as one that does not."""

_BRIGHT = 128
"""Level of 255 that some pixel of pictures reaches, unless their numbers are no levels."""

_MOST_UNITS = 16
"""Largest upper bound that is surely one of normalized inputs, and no count of levels."""

_MOST_ENDINGS = 8
"""Endings of files that are left out which are named."""


def check_certify(
    given: Mapping[str, Any],
    noise: SmoothingDistribution,
    *,
    num_classes: int | None,
    shape: tuple[int, ...] | None = None,
) -> CertifyProcedure:
    """Return the procedure that the options mean, or refuse one that can never certify anything.

    Args:
        given: the values of the options by name.
        noise: the smoothing distribution.
        num_classes: K, None where it is not known.
        shape: of an input, where it is known.

    Raises:
        UsageError: an argument is out of range, or n is too small for alpha.
    """
    n, alpha = given["n"], given["alpha"]
    if not isinstance(noise, SampledNoise):
        return _enumerating(given, noise, shape)
    fixed = FixedSamples(noise, n, alpha, given["bound"], given["radius"], num_classes)
    least = fewest_samples_to_exceed_half(alpha)
    if n < least:
        raise UsageError(
            f"n = {n} at alpha = {alpha:g} can never certify anything; the smallest n that can is "
            f"{least}"
        )
    if fixed.largest_radius <= 0.0:
        raise UsageError(
            f"n = {n} at alpha = {alpha:g} can never certify anything with the bound "
            f"{given['bound']} and the {given['radius']} radius; use a larger n"
        )
    return certify_procedure(
        noise,
        n0=given["n0"],
        n=n,
        alpha=alpha,
        bound=given["bound"],
        radius=given["radius"],
        target_radii=_targets(given, fixed),
        num_classes=num_classes,
    )


def _enumerating(
    given: Mapping[str, Any], noise: SmoothingDistribution, shape: tuple[int, ...] | None
) -> CertifyProcedure:
    """Return the procedure of noise that is counted in full, or refuse what it has no use for."""
    refuse_sampling(noise, ("n0", "n", "alpha"))
    if given["family_wise"]:
        raise UsageError(
            f"--family-wise was given, but {noise.name} noise is counted in full, so no "
            "certificate can be wrong by chance; leave it out"
        )
    return certify_procedure(
        noise,
        shape=shape,
        n0=given["n0"],
        n=given["n"],
        alpha=given["alpha"],
        bound=given["bound"],
        radius=given["radius"],
        target_radii=(0.0,) if given["adaptive"] or given["target_radius"] is not None else None,
    )


def refuse_sampling(noise: SmoothingDistribution, names: Sequence[str]) -> None:
    """Refuse options that the command line gave and that mean nothing where all is counted."""
    context = click.get_current_context(silent=True)
    for name in names:
        source = None if context is None else context.get_parameter_source(name)
        if source is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"--{name.replace('_', '-')} was given, but {noise.name} noise is counted in full, "
                "without chance; leave it out"
            )


def _targets(given: Mapping[str, Any], fixed: FixedSamples) -> tuple[float, ...] | None:
    """Return the target radii of an adaptive run: the one that was given, or the table's grid."""
    if given["target_radius"] is not None and given["adaptive"]:
        raise UsageError(
            "--target-radius decides one radius and --adaptive the whole grid; give one of them"
        )
    if given["target_radius"] is not None:
        return (given["target_radius"],)
    if not given["adaptive"]:
        return None
    if norm_named(fixed.noise.norm).whole:
        one = AdaptiveSamples(fixed.noise, fixed.n, fixed.alpha, target_radii=(1.0,))
        return target_radii(default_radii(one.largest_radius, whole=True))
    # The ceiling of an adaptive run is a little lower than that of a fixed one.
    return target_radii(default_radii(0.97 * fixed.largest_radius))


def check_predict(n: int, alpha: float, method: str) -> None:
    """Refuse a prediction that can never answer."""
    check_samples("n", n)
    check_alpha(alpha)
    least = fewest_samples_to_predict(alpha, two_sided=method == "two-class")
    if n < least:
        raise UsageError(
            f"n = {n} at alpha = {alpha:g} can never answer by the {method} test; the smallest n "
            f"that can is {least}"
        )


def say_job(job: Job, seed: SeedUsed) -> None:
    """Tell on stderr what will run on what, in which units."""
    facts = job.model.facts
    low, high = job.model.bounds
    sigma = job.smoothed.sigma
    say(
        "model",
        f"{printable(facts['file'])} (sha256 {facts['sha256'][:16]}...), "
        f"{job.model.num_classes or '?'} classes, input {_shape(job.model.shape)}, "
        f"batch: {facts['batch']}",
    )
    if facts["insisted"]:
        say("answer", f"the output {printable(facts['output']['name'])} is {facts['insisted']}")
    probes = facts["probes"]
    if probes["no_class"]:
        say(
            "no class",
            f"{probes['no_class']} of {probes['rows']} probe inputs got NaN, or an infinite "
            "largest score, which is no class and is never certified; look at the --preprocess and "
            "--bounds",
        )
    for note in facts["class_names_notes"]:
        say("names", printable(note))
    rule = job.labels.rule
    how = "" if len(job.indices) == len(job.dataset) else f", {job.sample}"
    say(
        "inputs",
        f"{len(job.indices):,} of {len(job.dataset):,} in "
        f"{printable(str(job.dataset.path))}{how}, labels: {printable(rule)}",
    )
    _say_data(job)
    asked = ", ".join(facts["providers"]["requested"]) or "none, so the best that works"
    say("provider", f"{facts['providers']['used'][0]} (asked for: {printable(asked)})")
    preprocess = {k: v for k, v in facts["preprocess"].items() if k != "source"}
    say("preprocess", f"{preprocess} (from: {facts['preprocess']['source']})")
    law = job.smoothed.noise
    levels = ""
    if sigma is not None and high - low < float("inf"):
        levels = f", {sigma / (high - low) * 255:g} of 255 levels"
    say(
        "noise",
        f"{law.label} where inputs lie in [{low:g}, {high:g}]{levels}, radii in {law.norm}; "
        f"{job.smoothed.arithmetic} arithmetic",
    )
    if sigma is not None and sigma > high - low:
        say(
            "warning",
            f"sigma is {sigma / (high - low):.3g} times the whole range of an input; "
            "if it is meant in other units, declare them with --bounds",
        )
    if job.model.rows == "watched":
        say(
            "warning",
            "every certificate will rest on the assumption that inputs of a batch leave each "
            "other's answers alone, which the graph does not prove; one answer of 1,024 is "
            "computed again alone",
        )
    _say_monotony(job)
    other = mismatch(_trained(facts.get("trained")), law)
    if other is not None:
        say("warning", other)
    say("seed", f"{seed.value} (from: {seed.source})")


def _say_monotony(job: Job) -> None:
    """Warn of a model whose answers cannot tell inputs apart, as far as probes and noise show."""
    probes = job.model.facts["probes"]
    if probes["ties"] == probes["rows"]:
        say(
            "warning",
            "the two largest scores tie on every probe input, so ties decide the class: the "
            "lowest; look for scores that are no scores of classes",
        )
    elif probes["classes"] == 1 and (label := job.one_answer()) is not None:
        name = printable(job.class_name(label) or str(label))
        say(
            "warning",
            f"the model answers class {name} to every probe input, to noise alone and to every "
            "input of the run that was tried; check --preprocess, --bounds and the output before "
            "you trust a certificate",
        )


def _say_data(job: Job) -> None:
    """Tell on stderr what is no plain reading of the data."""
    reading = job.dataset.reading
    if job.labels.tried is not None:
        say("labels", job.labels.tried)
    if job.turned:
        say(
            "pictures",
            f"{job.turned:,} of {len(job.indices):,} are turned as their EXIF orientation says; "
            "--exif ignore reads them as they are stored",
        )
    if reading.left_out:
        endings = list(reading.endings.items())
        counts = ", ".join(
            f"{count:,} {printable(ending) or 'without an ending'}"
            for ending, count in endings[:_MOST_ENDINGS]
        )
        more = len(endings) - _MOST_ENDINGS
        say(
            "left out",
            f"{_files(reading.left_out)} not read as pictures: {counts}"
            f"{f' and {more} more endings' if more > 0 else ''}, such as "
            f"{printable(reading.left_out[0])}",
        )
    if reading.hidden:
        say(
            "left out",
            f"{_files(reading.hidden)} hidden or a system's own, such as "
            f"{printable(reading.hidden[0])}",
        )
    if reading.largest is not None and job.model.bounds != (0, 255):
        _say_levels(reading.largest, job.model.bounds, "save them as float32")


def say_dark_pictures(job: Job, manifest: Manifest) -> None:
    """Warn of pictures whose numbers may be no levels, as those of masks, digits and indices."""
    low, high = job.model.bounds
    levels = job.dataset.reading.exif is not None and math.isfinite(high - low)
    if levels and manifest.largest is not None and (low, high) != (0, 255):
        level = round((manifest.largest - low) / (high - low) * 255)
        if 0 < level < _BRIGHT:
            _say_levels(level, (low, high), "save them as float32 in an .npz file")


def _say_levels(largest: int, bounds: tuple[float, float], remedy: str) -> None:
    """Warn of values of uint8 that may be meant as numbers, being small or near the bounds."""
    low, high = bounds
    if largest < _BRIGHT:
        say(
            "warning",
            f"the largest value of all inputs is {largest} of 255 levels; if the numbers are "
            f"meant, {remedy}",
        )
    elif _MOST_UNITS < high < largest:
        say(
            "warning",
            f"the largest value of all inputs is {largest} of 255 levels, which are read as values "
            f"between the bounds {low:g} and {high:g}; if the numbers are meant, {remedy} and "
            f"declare --bounds {min(low, 0):g} {largest}",
        )


def _files(names: Sequence[str]) -> str:
    return "1 file, which is" if len(names) == 1 else f"{len(names):,} files, which are"


def say_samples(procedure: CertifyProcedure) -> None:
    """Tell on stderr how many samples are drawn and what they can give at most."""
    rule = procedure.rule
    if isinstance(rule, ExactCounts):
        say(
            "counting",
            f"all {rule.n:,} changes of an input that the noise can make; the largest radius that "
            f"they can give is {text_down(rule.largest_radius, 4)}",
        )
        if not rule.largest_radius > 0:
            say(
                "warning",
                f"{rule.noise.label} can certify no radius above 0 here, since the least change of "
                "an input may alter half of what is counted",
            )
        return
    most = f"the largest radius that they can give is {text_down(rule.largest_radius, 4)}"
    if isinstance(rule, AdaptiveSamples):
        targets = ", ".join(f"{r:g}" for r in rule.target_radii)
        say(
            "samples",
            f"as many as decide the radii {targets}, at most n0 = {procedure.n0:,} and n = "
            f"{rule.n:,} an input, alpha = {rule.alpha:g}; {most}",
        )
        return
    say(
        "samples",
        f"n0 = {procedure.n0:,}, n = {rule.n:,} an input, alpha = {rule.alpha:g}, {rule.bound}, "
        f"{rule.radius}; {most}",
    )


def say_classes(job: Job) -> None:
    """Tell on stderr which classes the figures will not be of, where the sample lacks some."""
    lacking = Selection(classes=job.classes).note
    if lacking is not None:
        say("warning", f"{lacking}, and figures are of these alone")


def say_clean_accuracy(job: Job) -> None:
    """Tell on stderr how the model does without noise, where labels show it."""
    if quiet():
        return
    labels = {i: label for i in job.indices if (label := job.label(i)) is not None}
    if not labels:
        say("clean", "unknown: the inputs have no labels")
        return
    labelled = tuple(labels)
    tried = [labelled[j] for j in spread_over(tuple(labels.values()), _CLEAN_INPUTS)]
    right = sum(job.smoothed.base_label(job.point(i)) == labels[i] for i in tried)
    where = "run" if job.sample.first else "data"
    say(
        "clean",
        f"{right} of {len(tried)} labelled inputs spread over the {where} are classified correctly "
        "without noise",
    )
    by_class = Counter(labels[i] for i in tried)
    guessing, how = 1 / (job.model.num_classes or 2), "guessing"
    share = max(by_class.values()) / len(tried)
    if len(by_class) > 1 and share > guessing:  # of inputs of one class a share of 1 says nothing
        guessing, how = share, "always answering the most frequent class"
    # The exact binomial test; what closes half of the gap is no bad sign, however few the inputs.
    surely = clopper_pearson_lower(right, len(tried), _CLEAN_ERROR)
    if surely <= guessing and 2 * right < (1 + guessing) * len(tried):
        say(
            "warning",
            f"that is hardly better than {how} ({100 * guessing:.1f} %); check --preprocess, "
            "--bounds, the order of the classes and the labels before you trust a low certified "
            "accuracy",
        )


def quiet() -> bool:
    """Say whether the command was told to print nothing but its result and errors."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.params.get("quiet"))


def say(topic: str, text: str) -> None:
    """Print a line on stderr, unless the command was told to be quiet."""
    if not quiet():
        say_always(topic, text)


def say_always(topic: str, text: str) -> None:
    """Print a line on stderr that belongs to the result: how to go on with what was stopped."""
    click.echo(f"{topic:<11}{text}", err=True)


def _trained(facts: Mapping[str, Any] | None) -> Trained | None:
    return None if facts is None else Trained(**facts)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
