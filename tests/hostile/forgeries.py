"""Forged run files: ways to change an honest one, each with the check that finds it first."""

from __future__ import annotations

import hashlib

from hostile import honest_runs as of
from hostile.forging import (
    LABELLED,
    Edit,
    Forgery,
    Line,
    Lines,
    anew,
    both,
    by,
    columns,
    every,
    free,
    header,
    keep,
    last,
    moved,
    on_lines,
    other,
    row,
    setting,
    sigma,
    sigmas,
    swapped,
    targets,
)
from hostile.read_forgeries import READ

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.procedures import Adaptive, Evidence
from rsonnx.runs import Commitment, Header
from rsonnx.runs.commitment import CommittedSeed


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


def _unsaid(lines: Lines) -> None:
    del lines[0]["data"]["columns"]


def _bounds(low: float, high: float) -> Edit:
    return both(
        header("model.bounds", lambda bounds: bounds | {"low": low, "high": high}),
        header("arguments.resolved.bounds", [low, high]),
        header("noise.units", lambda units: units.replace("0 and 1", f"{low:g} and {high:g}")),
    )


def _commit_anew(lines: Lines) -> None:
    """Settle on another round than was committed to, and derive the seed of that."""
    committed = CommittedSeed(Commitment.of(lines[0], "drand quicknet", "30000001"), of.BEACON)
    lines[0]["seed"] = committed.to_json()


def _digest_of_the_named_model(_: str) -> str:
    return hashlib.sha256((of.INPUTS / "image.onnx").read_bytes()).hexdigest()


_ELSEWHERE = header("versions", lambda now: dict.fromkeys(now, "0"))
_CONVERTED = header("data.converted", {"CMYK": 1})
_ALL_VOTES = 1_000_000

FORGERIES: list[Forgery] = [
    *READ,
    *by("merging", of.SHARDS, {
        "a label in a shard": row("label", 0, every),
        "a name in a shard": row("name", "a.png", every),
        "a digest in a shard": row("digest", "0" * 64, every),
        "the manifest of a shard": header("data.manifest", "0" * 64),
        "the settings of one shard": anew(setting("alpha", 0.01)),
    }),
    *by("merging", (*of.SHARDS, *of.RANGES), {
        "the model of one part": header("model.sha256", "a" * 64),
        "the seed of one part": header("seed.value", "4"),
    }),
    *by("merging", of.RANGES, {
        "the model's own answer in one range": row("base_prediction", other, every),
    }),
    # What agrees with itself, and not with the model and the data.
    *by("model and data", of.SOME, {
        "labels, and all that follows": anew(LABELLED),
        "names, and all that follows": anew(row("name", "a.png", every)),
        "digests, and all that follows": anew(row("digest", "0" * 64, every)),
        "inputs change their names, and all that follows": anew(swapped("name", "label", "digest")),
        "the digest of another model": header("model.sha256", "a" * 64),
        "the length of another model": header("model.bytes", 9),
        "the classes have other names": header("model.class_names", ["cat", "dog", "emu"]),
        "an answer is read otherwise": header("model.label", "the second largest score"),
        "labels come from elsewhere": header("data.labels", "folders"),
    }),
    *by("model and data", of.WHOLE, {
        "inputs are left out, and all that follows": anew(on_lines(lambda x: keep(x, x[1:-2]))),
        "only what is certified, and all that follows": anew(
            on_lines(lambda x: keep(x, [r for r in every(x) if r["radius"] > 0]))
        ),
    }),
    *by("model and data", ("threshold",), {
        "another threshold": both(
            header("model.threshold", 0.5), header("arguments.resolved.threshold", 0.5)
        ),
    }),
    *by("model and data", of.TABLES, {
        "columns have other names": columns(lambda c: [x.update(name=f"{x['name']}2") for x in c]),
        "two columns change their names": columns(
            lambda c: [x.update(name=name) for x, name in zip(c[1:3], "bc", strict=True)]
        ),
        "texts stand for each other": columns(lambda columns: columns[0]["texts"].reverse()),
        "what the columns are is not said": on_lines(_unsaid),
        "it is not said, as if by other versions": both(on_lines(_unsaid), _ELSEWHERE),
        "a column of text gets a sigma": both(free(0), sigmas(lambda s: s.__setitem__(0, 0.5))),
        "no columns were to be fixed": header("arguments.resolved.fixed_columns", []),
        "another column is the label's": header("arguments.resolved.label_column", "none"),
    }),
    *by("model and data", ("fixed", "table"), {
        "inputs are pictures of other kinds": _CONVERTED,
        "inputs are so, as if by other versions": both(_CONVERTED, _ELSEWHERE),
    }),
    # What agrees with the model and the data too, and not with the votes.
    *by("replay", (*of.FIXED_N, *of.COUNTED), {
        "one vote, and all that follows": anew(moved(1)),
        "every vote of an input, and all that follows": anew(moved(_ALL_VOTES)),
    }, rows=1),
    *by("replay", of.REPLAYED, {
        "votes of an input, as if by other versions": anew(
            moved(_ALL_VOTES), _ELSEWHERE
        ),
    }, rows=1),
    *by("replay", of.SOME, {"the model's own answer": row("base_prediction", other)}, rows=1),
    *by("replay", of.TABLE, {
        "another claim that the votes allow": anew(on_lines(_claim_otherwise)),
    }, rows=1),
    *by("replay", of.RANGES, {"votes in a range": moved(9, last)}, rows=1),
    *by("replay", ("shard1",), {"votes in a shard": anew(moved(_ALL_VOTES))}, rows=1),
    *by("replay", of.SOME, {
        "two inputs change their votes, and all that follows": anew(swapped("counts", "claim")),
    }, rows=2),
    *by("replay", of.REPLAYED, {
        "every vote of every input, and all that follows": anew(moved(_ALL_VOTES, every)),
        "another seed, and all that follows": anew(header("seed.value", "4")),
    }),
    *by("replay", of.GAUSSIAN, {"sigma is raised, and all that follows": anew(sigma(0.3))}),
    *by("replay", of.TABLES, {
        "sigmas are raised": sigmas(lambda s: s.__setitem__(slice(None), [2 * x for x in s])),
        "a fixed column gets a sigma, and is called free": both(
            free(2),
            _bounds(-9.0, 9.0),
            sigmas(lambda sigmas: sigmas.__setitem__(2, 5.0)),
            header("arguments.resolved.fixed_columns", []),
        ),
    }),
    *by("replay", of.COMMITTED, {
        "another commitment, its seed, and all that follows": anew(on_lines(_commit_anew)),
    }),
    *by("replay", ("other-model",), {
        "another model under this one's digest": both(
            header("model.sha256", _digest_of_the_named_model), header("model.file", "image.onnx")
        ),
    }),
    # What is no claim, or shows in no file.
    *by("nothing", of.SOME, {
        "another time": header("created", "2020-01-01T00:00:00+00:00"),
        "a quicker machine": row("seconds", 9.5, every),
        "another folder of the data": header("data.path", "elsewhere"),
        "another name": header("name", "the best of all"),
        "other words of the command": header("arguments.given", ["certify"]),
    }),
    *by("nothing", ("fixed", "laplace-l1"), {
        "rows that are proved are said to have run alone": header("model.rows", "alone"),
    }),
    *by("nothing", ("float", "table"), {"the bounds are wider": _bounds(-9.0, 9.0)}),
    *by("nothing", of.TABLE, {
        "the targets are lowered by 1e-9, and the options that say them are left out": anew(
            both(targets(1 - 1e-9), header("arguments.resolved", _without_targets))
        ),
    }),
    *by("nothing", ("float16",), {
        "a float16 run is called float32, where both have the same votes": both(
            header("model.float16", None), header("arguments.resolved.float16", False)
        ),
    }),
]  # fmt: skip
