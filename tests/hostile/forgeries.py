"""Forged run files: ways to change an honest one, each with the check that finds it first."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from hostile import honest_runs as of
from hostile.forging import (
    Edit,
    Line,
    Lines,
    abstained,
    anew,
    both,
    certified,
    divided,
    end,
    every,
    header,
    last,
    moved,
    on,
    on_lines,
    replaced,
    row,
    setting,
    swapped,
    votes,
)

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import law_from_json
from rsonnx.procedures import Adaptive, Evidence
from rsonnx.runs import Commitment, Header
from rsonnx.runs.commitment import CommittedSeed

Check = Literal["reading", "merging", "model and data", "replay", "nothing"]
"""Each looks at what those before it do, and at more."""


@dataclass(frozen=True)
class Forgery:
    """A forged run file.

    Attributes:
        name: what is changed, in words.
        found: by which check first.
        runs: of which runs it is made, by the names of :mod:`hostile.honest_runs`.
        edit: from the text of such a file to that of the forged one.
        rows: how many rows a replay finds to be forged; None for all whose votes are others.
    """

    name: str
    found: Check
    runs: tuple[str, ...]
    edit: Edit
    rows: int | None = None


def _by(
    found: Check, runs: tuple[str, ...], edits: Mapping[str, Edit], rows: int | None = None
) -> Iterator[Forgery]:
    for name, edit in edits.items():
        yield Forgery(name, found, runs, edit, rows)


def _other(k: int) -> int:
    return 1 - min(k, 1)


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


def _call_true(line: Line) -> None:
    line["label"] = line["top_class"] if line["label"] != line["top_class"] else 9


def _stop(samples: int, *, more: bool) -> Edit:
    """Have an adaptive row, all of one class, stop after so many samples, or after more."""

    def change(line: Line) -> None:
        hits = samples + more * votes(line)[str(line["top_class"])]
        votes(line)[str(line["top_class"])] = hits
        line["claim"] = {"hits": hits, "samples": hits}

    return anew(on(certified, change))


def _select(most: int, others: int = 0) -> Edit:
    """Have the selection samples of a certified row be so many for the top class and another."""

    def change(line: Line) -> None:
        top = line["top_class"]
        counts = {str(top): most, str(_other(top)): others}
        line["counts"]["selection"] = {k: count for k, count in counts.items() if count}

    return anew(on(certified, change))


def _claim_otherwise(lines: Lines) -> None:
    """Claim the bound of a row from hits that another order of the same votes would have given."""
    procedure = Header.from_json(lines[0]).procedure
    assert isinstance(procedure, Adaptive)
    for line in every(lines):
        selection, estimation = map(Counts.from_json, line["counts"].values())
        for samples in procedure.looks:
            for hits in range(samples, samples // 2, -1):
                claim = {"hits": hits, "samples": samples}
                evidence = Evidence(selection, estimation, None, (hits, samples))
                try:
                    procedure.derive(evidence)
                except UsageError:
                    continue
                if claim != line["claim"] and not [*procedure.check(evidence, None)]:
                    line["claim"] = claim
                    return
    raise AssertionError("no other claim can be made")


def _without_targets(options: Line) -> Line:
    return {k: v for k, v in options.items() if k not in ("adaptive", "target_radius")}


def _targets(factor: float) -> Edit:
    return header("target_radii", lambda radii: [factor * radius for radius in radii])


def _count(key: str, value: int | None) -> Edit:
    return on(certified, lambda line: votes(line).update({key: value}))


def _sigma(value: float) -> Edit:
    return both(
        header("noise.parameters.sigma", value),
        header("noise.sigma", value),
        header("arguments.resolved.sigma", value),
    )


def _columns(change: Callable[[Lines], object]) -> Edit:
    """Change the columns of a table in place."""
    return on_lines(lambda lines: change(lines[0]["data"]["columns"]))


def _sigmas(change: Callable[[list[float]], object]) -> Edit:
    """Change the sigmas of columns in place, and their digest."""

    def edit(lines: Lines) -> None:
        noise = lines[0]["noise"]
        change(noise["parameters"]["sigmas"])
        noise["units"] = law_from_json(noise).units(0, 1)

    return on_lines(edit)


def _unsaid(lines: Lines) -> None:
    del lines[0]["data"]["columns"]


def _free(at: int) -> Edit:
    """Call a fixed column one that gets noise."""
    return _columns(lambda columns: columns[at].update(fixed=False))


def _bounds(low: float, high: float) -> Edit:
    return both(
        header("model.bounds", lambda bounds: bounds | {"low": low, "high": high}),
        header("arguments.resolved.bounds", [low, high]),
        header("noise.units", lambda units: units.replace("0 and 1", f"{low:g} and {high:g}")),
    )


def _drop(lines: Lines) -> None:
    del lines[2]
    lines[-1]["inputs"] -= 1


def _keep(lines: Lines, kept: Lines) -> None:
    """Keep some rows, as if there were no other inputs."""
    lines[1:-1] = [line | {"index": index} for index, line in enumerate(kept)]
    lines[-1]["inputs"] = lines[0]["data"]["inputs"] = lines[0]["data"]["size"] = len(kept)


def _cut_and_call_complete(lines: Lines) -> None:
    del lines[2:-1]
    lines[-1]["inputs"] = 1


def _move_the_range(lines: Lines) -> None:
    for line in lines[:-1]:
        line["samples"] = {name: at + 50 for name, at in line["samples"].items()}


def _commit_anew(lines: Lines) -> None:
    """Settle on another round than was committed to, and derive the seed of that."""
    committed = CommittedSeed(Commitment.of(lines[0], "drand quicknet", "30000001"), of.BEACON)
    lines[0]["seed"] = committed.to_json()


def _digest_of_the_named_model(_: str) -> str:
    return hashlib.sha256((of.INPUTS / "image.onnx").read_bytes()).hexdigest()


_ELSEWHERE = header("versions", lambda now: dict.fromkeys(now, "0"))
_CONVERTED = header("data.converted", {"CMYK": 1})
_ALL_VOTES, _SECONDS = 1_000_000, '("seconds": )[0-9][^}]*'
_DROPPED, _LABELLED = on_lines(_drop), on(every, _call_true)
_TWICE = both(on_lines(lambda x: x.insert(2, dict(x[1]))), end("inputs", lambda inputs: inputs + 1))

FORGERIES: list[Forgery] = [
    # Figures of rows, which follow from their counts.
    *_by("reading", of.ALL, {
        "a radius is raised": row("radius", lambda r: r * 1.5),
        "a radius is raised in its last digit": row("radius", lambda r: math.nextafter(r, 9)),
        "a radius is lowered": row("radius", lambda r: r / 2),
        "a bound is raised": row("p_a_lower", lambda p: p / 2 + 0.5, divided),
        "a bound is lowered": row("p_a_lower", lambda p: p / 2),
        "a prediction is changed": row("prediction", _other),
        "the top class is changed": row("top_class", _other),
        "a certificate becomes an abstention": on(certified, _abstain),
        "a bound on rivals is there, or another": row("p_b_upper", 0.001),
        "a one-sided radius is there, or another": row("one_sided_radius", 0.01),
        "a uniform number is chosen": row("uniform", 1e-9),
        "more samples are stated than counted": row("samples.estimation", 9000),
        "hits are added": on(certified, _add_hits),
        "a claim is there, or another": row("claim", {"hits": 9, "samples": 9}),
    }),
    *_by("reading", of.UNCERTAIN, {
        "an abstention is certified": on(abstained, _certify),
        "an abstention has another reason": row("reason", "no-class", abstained),
        "an abstention is explained otherwise": row("explanation", "use more samples", abstained),
    }),
    *_by("reading", of.SAMPLED, {
        "votes are moved to the top class": moved(30),
        "a vote is for a class that the model has not": on(certified, _vote_for_no_class_of_it),
        "there are more near ties than watched samples": _count("near_ties", 9),
        "every sample was watched": _count("watched_rows", 300),
        "one row has the other arithmetic": row("arithmetic", "none"),
    }),
    *_by("reading", ("watched",), {
        "no sample was watched": on(certified, lambda line: votes(line).pop("watched_rows")),
    }),
    *_by("reading", of.ADAPTIVE, {
        "nothing is claimed": anew(row("claim", {"hits": 0, "samples": 0})),
        "the stop is behind the stop": _stop(320, more=True),
        "the stop is before anything is decided": _stop(16, more=False),
        "selection stops at no look": _select(15),
        "selection settles nothing": _select(9, 7),
        "the targets are lowered": _targets(1 - 1e-9),
    }),
    # Which inputs there are, and what they are.
    *_by("reading", of.ALL, {
        "labels are the predictions": _LABELLED,
        "a label is unknown": row("label", None),
        "a name is changed": row("name", "better.png"),
        "a digest is changed": row("digest", "0" * 64),
        "a row is left out": _DROPPED,
        "a row is left out and not announced": both(_DROPPED, header("data.inputs", 1)),
        "the last row is left out, and not in the data": on_lines(lambda x: _keep(x, x[1:-2])),
        "a row stands under another index": on_lines(lambda x: x[2].update(x[1] | {"index": 1})),
        "a row is there twice": _TWICE,
        "rows are in another order": swapped(),
        "there is a hole in the indices": row("index", 99, last),
        "the manifest is zeros": header("data.manifest", "0" * 64),
        "the data are more": header("data.size", 1000),
        "a run is cut and called complete": on_lines(_cut_and_call_complete),
        "a run is called a shard": header("shard", {"index": 1, "of": 2}),
        "a run is called its only shard, of other labels": both(
            header("shard", {"index": 1, "of": 1}), _LABELLED
        ),
        "the inputs have another number of classes": header(
            "data.classes_in_sample", lambda classes: classes - 1
        ),
        "the model's own answer is no class of its": row("base_prediction", 99),
    }),
    *_by("reading", ("limited",), {
        "another rule of the sample": header("data.sample.rule", "first"),
        "another seed of the sample": header("data.sample.seed", "8"),
        "the sample is called all": header(
            "data.sample", {"rule": "all", "limit": None, "skip_every": 1, "seed": None}
        ),
    }),
    # Settings, from which the rows follow, or which follow from each other.
    *_by("reading", of.SAMPLED, {
        "alpha is lowered": setting("alpha", lambda alpha: alpha / 1000),
        "n is raised": setting("n", 100_000),
        "n is lowered": setting("n", 10),
        "n0 is lowered": setting("n0", 1),
        "sigma and its parameter differ": header("noise.sigma", 1.5),
        "another law": header("noise.distribution", "uniform"),
        "an error of all inputs together": header("family_wise", 0.3),
    }),
    *_by("reading", of.ALL, {
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
    *_by("reading", of.GAUSSIAN, {"sigma is raised": _sigma(1.0)}),
    *_by("reading", ("family-wise", "adaptive-family-wise"), {
        "the error of all inputs together is forgotten": header("family_wise", None),
    }),
    *_by("reading", of.TABLES, {
        "a fixed column is called free": _free(2),
        "a column of noise is called fixed": _columns(lambda c: c[1].update(fixed=True)),
        "a column is left out": _columns(lambda columns: columns.pop()),
        "a fixed column gets a sigma": _sigmas(lambda sigmas: sigmas.__setitem__(2, 0.5)),
        "a sigma is 0": _sigmas(lambda sigmas: sigmas.__setitem__(1, 0)),
        "sigmas are raised, and not their digest": header(
            "noise.parameters.sigmas", lambda sigmas: [2 * sigma for sigma in sigmas]
        ),
        "fixed values are not in the claim": header(
            "claim", lambda claim: claim.partition(", where fixed")[0]
        ),
    }),
    *_by("reading", ("watched",), {
        "the claim assumes nothing": header("claim", lambda c: c.partition(", assuming")[0]),
        "watched rows are called proved": header("model.rows", "proved"),
    }),
    *_by("reading", ("float16",), {
        "float16 was not asked for": header("arguments.resolved.float16", False),
    }),
    *_by("reading", ("threshold",), {
        "a threshold was not asked for": header("arguments.resolved.threshold", None),
    }),
    # A seed that follows from a commitment and a beacon.
    *_by("reading", of.COMMITTED, {
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
    *_by("reading", of.ALL, {
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
    *_by("reading", (*of.SHARDS, *of.RANGES), {
        "a part is called the whole": both(header("shard", None), header("samples", None)),
        "a row of a part is there twice": _TWICE,
    }),
    *_by("reading", of.SHARDS, {
        "a shard is called another": header("shard", lambda s: s | {"index": 3 - s["index"]}),
        "a shard is called all": header("shard", {"index": 1, "of": 1}),
        "a radius in a shard": row("radius", 0.6, last),
    }),
    *_by("reading", ("shard1",), {"a row of a shard is left out": _DROPPED}),
    *_by("reading", of.RANGES, {
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
    *_by("merging", of.SHARDS, {
        "a label in a shard": row("label", 0, every),
        "a name in a shard": row("name", "a.png", every),
        "a digest in a shard": row("digest", "0" * 64, every),
        "the manifest of a shard": header("data.manifest", "0" * 64),
        "the settings of one shard": anew(setting("alpha", 0.01)),
    }),
    *_by("merging", (*of.SHARDS, *of.RANGES), {
        "the model of one part": header("model.sha256", "a" * 64),
        "the seed of one part": header("seed.value", "4"),
    }),
    *_by("merging", of.RANGES, {
        "the model's own answer in one range": row("base_prediction", _other, every),
    }),
    # What agrees with itself, and not with the model and the data.
    *_by("model and data", of.SOME, {
        "labels, and all that follows": anew(_LABELLED),
        "names, and all that follows": anew(row("name", "a.png", every)),
        "digests, and all that follows": anew(row("digest", "0" * 64, every)),
        "inputs change their names, and all that follows": anew(swapped("name", "label", "digest")),
        "the digest of another model": header("model.sha256", "a" * 64),
        "the length of another model": header("model.bytes", 9),
        "the classes have other names": header("model.class_names", ["cat", "dog", "emu"]),
        "an answer is read otherwise": header("model.label", "the second largest score"),
        "labels come from elsewhere": header("data.labels", "folders"),
    }),
    *_by("model and data", of.WHOLE, {
        "inputs are left out, and all that follows": anew(on_lines(lambda x: _keep(x, x[1:-2]))),
        "only what is certified, and all that follows": anew(
            on_lines(lambda x: _keep(x, [r for r in every(x) if r["radius"] > 0]))
        ),
    }),
    *_by("model and data", ("threshold",), {
        "another threshold": both(
            header("model.threshold", 0.5), header("arguments.resolved.threshold", 0.5)
        ),
    }),
    *_by("model and data", of.TABLES, {
        "columns have other names": _columns(lambda c: [x.update(name=f"{x['name']}2") for x in c]),
        "two columns change their names": _columns(
            lambda c: [x.update(name=name) for x, name in zip(c[1:3], "bc", strict=True)]
        ),
        "texts stand for each other": _columns(lambda columns: columns[0]["texts"].reverse()),
        "what the columns are is not said": on_lines(_unsaid),
        "it is not said, as if by other versions": both(on_lines(_unsaid), _ELSEWHERE),
        "a column of text gets a sigma": both(_free(0), _sigmas(lambda s: s.__setitem__(0, 0.5))),
        "no columns were to be fixed": header("arguments.resolved.fixed_columns", []),
        "another column is the label's": header("arguments.resolved.label_column", "none"),
    }),
    *_by("model and data", ("fixed", "table"), {
        "inputs are pictures of other kinds": _CONVERTED,
        "inputs are so, as if by other versions": both(_CONVERTED, _ELSEWHERE),
    }),
    # What agrees with the model and the data too, and not with the votes.
    *_by("replay", (*of.FIXED_N, *of.COUNTED), {
        "one vote, and all that follows": anew(moved(1)),
        "every vote of an input, and all that follows": anew(moved(_ALL_VOTES)),
    }, rows=1),
    *_by("replay", of.REPLAYED, {
        "votes of an input, as if by other versions": anew(
            moved(_ALL_VOTES), _ELSEWHERE
        ),
    }, rows=1),
    *_by("replay", of.SOME, {"the model's own answer": row("base_prediction", _other)}, rows=1),
    *_by("replay", of.TABLE, {
        "another claim that the votes allow": anew(on_lines(_claim_otherwise)),
    }, rows=1),
    *_by("replay", of.RANGES, {"votes in a range": moved(9, last)}, rows=1),
    *_by("replay", ("shard1",), {"votes in a shard": anew(moved(_ALL_VOTES))}, rows=1),
    *_by("replay", of.SOME, {
        "two inputs change their votes, and all that follows": anew(swapped("counts", "claim")),
    }, rows=2),
    *_by("replay", of.REPLAYED, {
        "every vote of every input, and all that follows": anew(moved(_ALL_VOTES, every)),
        "another seed, and all that follows": anew(header("seed.value", "4")),
    }),
    *_by("replay", of.GAUSSIAN, {"sigma is raised, and all that follows": anew(_sigma(0.3))}),
    *_by("replay", of.TABLES, {
        "sigmas are raised": _sigmas(lambda s: s.__setitem__(slice(None), [2 * x for x in s])),
        "a fixed column gets a sigma, and is called free": both(
            _free(2),
            _bounds(-9.0, 9.0),
            _sigmas(lambda sigmas: sigmas.__setitem__(2, 5.0)),
            header("arguments.resolved.fixed_columns", []),
        ),
    }),
    *_by("replay", of.COMMITTED, {
        "another commitment, its seed, and all that follows": anew(on_lines(_commit_anew)),
    }),
    *_by("replay", ("other-model",), {
        "another model under this one's digest": both(
            header("model.sha256", _digest_of_the_named_model), header("model.file", "image.onnx")
        ),
    }),
    # What is no claim, or shows in no file.
    *_by("nothing", of.SOME, {
        "another time": header("created", "2020-01-01T00:00:00+00:00"),
        "a quicker machine": row("seconds", 9.5, every),
        "another folder of the data": header("data.path", "elsewhere"),
        "another name": header("name", "the best of all"),
        "other words of the command": header("arguments.given", ["certify"]),
    }),
    *_by("nothing", ("fixed", "laplace-l1"), {
        "rows that are proved are said to have run alone": header("model.rows", "alone"),
    }),
    *_by("nothing", ("float", "table"), {"the bounds are wider": _bounds(-9.0, 9.0)}),
    *_by("nothing", of.TABLE, {
        "the targets are lowered by 1e-9, and the options that say them are left out": both(
            _targets(1 - 1e-9), header("arguments.resolved", _without_targets)
        ),
    }),
    *_by("nothing", ("float16",), {
        "a float16 run is called float32, where both have the same votes": both(
            header("model.float16", None), header("arguments.resolved.float16", False)
        ),
    }),
]  # fmt: skip
