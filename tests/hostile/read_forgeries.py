"""Forged run files that whoever reads them refuses, without the model or the data."""

from __future__ import annotations

import math

from hostile import honest_runs as of
from hostile.forging import (
    LABELLED,
    Edit,
    Forgery,
    Line,
    Lines,
    abstained,
    anew,
    both,
    by,
    certified,
    columns,
    divided,
    end,
    every,
    free,
    header,
    keep,
    last,
    moved,
    on,
    on_lines,
    other,
    replaced,
    row,
    setting,
    sigma,
    sigmas,
    swapped,
    targets,
    votes,
)


def _certify(line: Line) -> None:
    line |= {"prediction": line["top_class"], "abstained": False, "reason": None}
    line |= {"explanation": None, "radius": 0.1}


def _abstain(line: Line) -> None:
    line |= {"prediction": -1, "abstained": True, "reason": "low-probability", "radius": 0.0}
    line |= {"explanation": "the model answers otherwise"}


def _add_hits(line: Line) -> None:
    votes(line)[str(line["top_class"])] += 1000
    line["samples"]["estimation"] += 1000


def _vote_for_no_class_of_it(line: Line) -> None:
    votes(line)[str(line["top_class"])] -= 1
    votes(line)["99"] = 1


def _stop(samples: int, *, more: bool) -> Edit:
    """Have an adaptive row, all of one class, stop after so many samples, or after more."""

    def change(line: Line) -> None:
        hits = samples + more * votes(line)[str(line["top_class"])]
        votes(line)[str(line["top_class"])] = hits
        line["claim"] = {"hits": hits, "samples": hits}

    return anew(on(certified, change))


def _precise(share: float) -> Edit:
    return anew(both(header("precision", share), header("arguments.resolved.precision", share)))


def _select(most: int, others: int = 0) -> Edit:
    """Have the selection samples of a certified row be so many for the top class and another."""

    def change(line: Line) -> None:
        top = line["top_class"]
        counts = {str(top): most, str(other(top)): others}
        line["counts"]["selection"] = {k: count for k, count in counts.items() if count}

    return anew(on(certified, change))


def _count(key: str, value: int | None) -> Edit:
    return on(certified, lambda line: votes(line).update({key: value}))


def _drop(lines: Lines) -> None:
    del lines[2]
    lines[-1]["inputs"] -= 1


def _cut_and_call_complete(lines: Lines) -> None:
    del lines[2:-1]
    lines[-1]["inputs"] = 1


def _move_the_range(lines: Lines) -> None:
    for line in lines[:-1]:
        line["samples"] = {name: at + 50 for name, at in line["samples"].items()}


_SECONDS = '("seconds": )[0-9][^}]*'
_DROPPED = on_lines(_drop)
_TWICE = both(on_lines(lambda x: x.insert(2, dict(x[1]))), end("inputs", lambda inputs: inputs + 1))

READ: list[Forgery] = [
    # Figures of rows, which follow from their counts.
    *by("reading", of.ALL, {
        "a radius is raised": row("radius", lambda r: r * 1.5),
        "a radius is raised by a billionth": row("radius", lambda r: r * (1 + 1e-9)),
        "a radius is lowered": row("radius", lambda r: r / 2),
        "a bound is raised": row("p_a_lower", lambda p: p / 2 + 0.5, divided),
        "a bound is lowered": row("p_a_lower", lambda p: p / 2),
        "a prediction is changed": row("prediction", other),
        "the top class is changed": row("top_class", other),
        "a certificate becomes an abstention": on(certified, _abstain),
        "a bound on rivals is there, or another": row("p_b_upper", 0.001),
        "a one-sided radius is there, or another": row("one_sided_radius", 0.01),
        "a uniform number is chosen": row("uniform", 1e-9),
        "more samples are stated than counted": row("samples.estimation", 9000),
        "hits are added": on(certified, _add_hits),
        "a claim is there, or another": row("claim", {"hits": 9, "samples": 9}),
    }),
    *by("reading", of.UNCERTAIN, {
        "an abstention is certified": on(abstained, _certify),
        "an abstention has another reason": row("reason", "no-class", abstained),
        "an abstention is explained otherwise": row("explanation", "use more samples", abstained),
    }),
    *by("reading", of.SAMPLED, {
        "votes are moved to the top class": moved(30),
        "a vote is for a class that the model has not": on(certified, _vote_for_no_class_of_it),
        "there are more near ties than watched samples": _count("near_ties", 9),
        "every sample was watched": _count("watched_rows", 300),
        "one row has the other arithmetic": row("arithmetic", "none"),
    }),
    *by("reading", ("watched",), {
        "no sample was watched": on(certified, lambda line: votes(line).pop("watched_rows")),
    }),
    *by("reading", of.ADAPTIVE, {
        "nothing is claimed": anew(row("claim", {"hits": 0, "samples": 0})),
        "the stop is behind the stop": _stop(320, more=True),
        "the stop is before anything is decided": _stop(16, more=False),
        "selection stops at no look": _select(15),
        "selection settles nothing": _select(9, 7),
        "the targets are lowered": targets(1 - 1e-9),
    }),
    *by("reading", of.PRECISE, {
        "nothing is claimed": anew(row("claim", {"hits": 0, "samples": 0})),
        "sampling stops where it goes on": _stop(288, more=False),
        "sampling stops at no look": _stop(300, more=False),
        "another precision": _precise(0.2),
        "a better precision": _precise(0.01),
        "the precision is left out": on_lines(lambda lines: lines[0].pop("precision")),
        "the precision is of another bound": header("bound", "clopper-pearson"),
    }),
    # Which inputs there are, and what they are.
    *by("reading", of.ALL, {
        "labels are the predictions": LABELLED,
        "a label is unknown": row("label", None),
        "a name is changed": row("name", "better.png"),
        "a digest is changed": row("digest", "0" * 64),
        "a row is left out": _DROPPED,
        "a row is left out and not announced": both(_DROPPED, header("data.inputs", 1)),
        "the last row is left out, and not in the data": on_lines(lambda x: keep(x, x[1:-2])),
        "a row stands under another index": on_lines(lambda x: x[2].update(x[1] | {"index": 1})),
        "a row is there twice": _TWICE,
        "rows are in another order": swapped(),
        "there is a hole in the indices": row("index", 99, last),
        "the manifest is zeros": header("data.manifest", "0" * 64),
        "the data are more": header("data.size", 1000),
        "a run is cut and called complete": on_lines(_cut_and_call_complete),
        "a run is called a shard": header("shard", {"index": 1, "of": 2}),
        "a run is called its only shard, of other labels": both(
            header("shard", {"index": 1, "of": 1}), LABELLED
        ),
        "the inputs have another number of classes": header(
            "data.classes_in_sample", lambda classes: classes - 1
        ),
        "the model's own answer is no class of its": row("base_prediction", 99),
    }),
    *by("reading", ("limited",), {
        "another rule of the sample": header("data.sample.rule", "first"),
        "another seed of the sample": header("data.sample.seed", "8"),
        "the sample is called all": header(
            "data.sample", {"rule": "all", "limit": None, "skip_every": 1, "seed": None}
        ),
    }),
    # Settings, from which the rows follow, or which follow from each other.
    *by("reading", of.SAMPLED, {
        "alpha is lowered": setting("alpha", lambda alpha: alpha / 1000),
        "n is raised": setting("n", 100_000),
        "n is lowered": setting("n", 10),
        "n0 is lowered": setting("n0", 1),
        "sigma and its parameter differ": header("noise.sigma", 1.5),
        "another law": header("noise.distribution", "uniform"),
        "an error of all inputs together": header("family_wise", 0.3),
    }),
    *by("reading", of.ALL, {
        "another bound": setting(
            "bound", lambda b: "hoeffding" if b == "clopper-pearson" else "clopper-pearson"
        ),
        "another radius rule": header(
            "radius_rule", lambda rule: {"one-sided": "two-sided"}.get(rule, "one-sided")
        ),
        "another norm": header("noise.norm", "linf, and all others"),
        "other targets": header("target_radii", [0.001]),
        "another number of classes": header("num_classes", 77),
        "the largest radius is raised": header("largest_radius", 9.0),
        "the claim is certain": header("claim", "every prediction holds with certainty"),
        "other units": header("noise.units", "values from 0 to 255"),
        "the other arithmetic": header(
            "noise.arithmetic", lambda kind: {"exact": "float"}.get(kind, "exact")
        ),
        "another generator": header("noise.generator", "a better one"),
        "shared noise is called each input's own": header("noise.shared", lambda s: not s),
        "an unknown stream of the noise": header("noise.stream", 3),
        "another format version": header("format_version", 2),
        "another procedure": header("procedure", "proved"),
    }),
    *by("reading", of.GAUSSIAN, {"sigma is raised": sigma(1.0)}),
    *by("reading", ("family-wise", "adaptive-family-wise"), {
        "the error of all inputs together is forgotten": header("family_wise", None),
    }),
    *by("reading", of.TABLES, {
        "a fixed column is called free": free(2),
        "a column of noise is called fixed": columns(lambda c: c[1].update(fixed=True)),
        "a column is left out": columns(lambda columns: columns.pop()),
        "a fixed column gets a sigma": sigmas(lambda sigmas: sigmas.__setitem__(2, 0.5)),
        "a sigma is 0": sigmas(lambda sigmas: sigmas.__setitem__(1, 0)),
        "sigmas are raised, and not their digest": header(
            "noise.parameters.sigmas", lambda sigmas: [2 * sigma for sigma in sigmas]
        ),
        "fixed values are not in the claim": header(
            "claim", lambda claim: claim.partition(", where fixed")[0]
        ),
    }),
    *by("reading", ("watched",), {
        "the claim assumes nothing": header("claim", lambda c: c.partition(", assuming")[0]),
        "watched rows are called proved": header("model.rows", "proved"),
    }),
    *by("reading", ("float16",), {
        "float16 was not asked for": header("arguments.resolved.float16", False),
    }),
    *by("reading", ("threshold",), {
        "a threshold was not asked for": header("arguments.resolved.threshold", None),
    }),
    # A seed that follows from a commitment and a beacon.
    *by("reading", of.COMMITTED, {
        "another seed than the beacon's": header("seed.value", "4"),
        "another value of the beacon": header("seed.beacon", "ab" * 32),
        "another source of the beacon": header("seed.commitment.beacon.source", "mine"),
        "another round of the beacon": header("seed.commitment.beacon.round", "9"),
        "the commitment is to another n": header("seed.commitment.run.n", 9),
        "the commitment has a field more": header("seed.commitment.certified", True),
        "the commitment is left out": header("seed", lambda s: s | {"commitment": None}),
        "other labels than were committed to": anew(swapped("label")),
        "another model than was committed to": header("model.sha256", "a" * 64),
    }),
    # How it is written: what two readers would read as two things.
    *by("reading", of.ALL, {
        "a row has a field more": row("certified", True),
        "a row lacks a field": on(certified, lambda line: line.pop("seconds")),
        "the header has a field more": header("certified", True),
        "the noise has a field more": header("noise.certified", True),
        "a field of a row is there twice": replaced('("radius": )(?=[0-9])', r"\g<1>9.0, \1"),
        "a field of the header is there twice": replaced('"n": ', '"n": 9, "n": '),
        "a radius is Infinity": row("radius", math.inf),
        "a bound is NaN": row("p_a_lower", math.nan),
        "a number is beyond the doubles": replaced(_SECONDS, r"\g<1>1e999"),
        "a number has more digits than a double": replaced(_SECONDS, r"\g<1>0." + "1" * 20),
        "an index is 0.0": on_lines(lambda lines: lines[1].update(index=0.0)),
        "a count is null": _count("0", None),
        "a count is 0": _count("99", 0),
        "the seed is a number": header("seed.value", 4),
        "a line stands behind the end": lambda text: text + text.splitlines()[1] + "\n",
        "the end counts other inputs": end("inputs", 9),
        "the end has another status": end("status", "proved"),
    }),
    # Parts of a run, of which a manifest says nothing before all inputs are there.
    *by("reading", (*of.SHARDS, *of.RANGES), {
        "a part is called the whole": both(header("shard", None), header("samples", None)),
        "a row of a part is there twice": _TWICE,
    }),
    *by("reading", of.SHARDS, {
        "a shard is called another": header("shard", lambda s: s | {"index": 3 - s["index"]}),
        "a shard is called all": header("shard", {"index": 1, "of": 1}),
        "a radius in a shard": row("radius", 0.6, last),
    }),
    *by("reading", ("shard1",), {"a row of a shard is left out": _DROPPED}),
    *by("reading", of.RANGES, {
        "a row of a range is left out": _DROPPED,
        "a label in a range": row("label", 0, every),
        "a digest in a range": row("digest", "0" * 64, every),
        "a range and its counts differ": row("counts.estimation.9", 1, last),
        "a range goes beyond n": setting("n", 50),
        "one row has another range": row("samples", {"start": 7, "stop": 107}, last),
        "a range is called another": on_lines(_move_the_range),
        "the other selection samples": row(
            "counts.selection", lambda counts: {} if counts else {"0": 30}, every
        ),
    }),
]  # fmt: skip
