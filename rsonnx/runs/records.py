"""What a header says of the model, the data and the settings, once its fields are checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from rsonnx.columns import Column
from rsonnx.noise import Law
from rsonnx.noise.options import INTERVALS
from rsonnx.procedures import PROCEDURES, Procedure
from rsonnx.runs.fields import shown
from rsonnx.runs.sample import Sample
from rsonnx.runs.strict_json import portable
from rsonnx.runs.variation import Variation, variation_of
from rsonnx.statistics import DEFAULT_BOUND


@dataclass(frozen=True)
class ModelRecord:
    """What a header says of the model.

    Attributes:
        file: its name.
        sha256: of the file and its external data.
        several: whether it has external data, so that no single file has this digest.
        classes: how many it has; None where that is not known.
        bounds: lowest and highest value of an input.
        rows: why a row's answer does not depend on its batch: ``"proved"``, ``"alone"`` or
            ``"watched"``; None where the header is of a time that did not say.
        input_shape: of an input, without the batch axis.
        variation: which of the classifiers that the file can be.
        composition: of which parts the file says that it was made, in words; None for none.
    """

    file: str
    sha256: str
    several: bool
    classes: int | None
    bounds: tuple[float, float]
    rows: str | None
    input_shape: tuple[int, ...]
    variation: Variation
    composition: str | None

    @classmethod
    def of(cls, fields: Mapping[str, Any], resolved: Mapping[str, Any]) -> Self:
        """Return what the fields say; ``resolved`` are the options of the run.

        Raises:
            TypeError: they contradict each other.
        """
        low, high = (float(fields["bounds"][end]) for end in ("low", "high"))
        if not low < high:
            raise TypeError(f"the bounds of an input are {low} and {high}")
        classes, names = fields["classes"], fields["class_names"]
        if names and len(names) != classes:
            raise TypeError(f"it has {len(names)} names of {shown(classes)} classes")
        return cls(
            file=fields["file"],
            sha256=fields["sha256"],
            several=bool(fields["external_data"]),
            classes=classes,
            bounds=(low, high),
            rows=fields.get("rows"),
            input_shape=tuple(fields["input_shape"]),
            variation=variation_of(fields, resolved),
            composition=fields.get("composition", {}).get("words"),
        )


@dataclass(frozen=True)
class DataRecord:
    """What a header says of the data.

    Attributes:
        size: inputs of the data set.
        inputs: how many of them the run takes.
        unreadable: the indices of pictures that its sample takes and that were left out.
        sample: by which rule; None where the header is of a time that did not say.
        manifest: SHA-256 over all of them.
        exif: how the orientation of pictures was read.
        classes: how many classes the inputs have, and how many the data set; None if unlabelled.
        columns: what the values of an input are, where they are columns of a table; else empty.
    """

    size: int
    inputs: int
    unreadable: frozenset[int]
    sample: Sample | None
    manifest: str
    exif: Literal["apply", "ignore"]
    classes: tuple[int, int] | None
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, fields: Mapping[str, Any], resolved: Mapping[str, Any]) -> Self:
        """Return what the fields say; ``resolved`` are the options of the run.

        Raises:
            KeyError, TypeError, UsageError: they contradict each other.
        """
        sample = None
        if "sample" in fields:
            sample = Sample.from_json(fields["sample"])
        elif "skip_every" in resolved:  # of a limited run the first version took the first inputs
            limit = resolved["limit"]
            sample = Sample(limit, resolved["skip_every"], first=limit is not None)
        size, inputs = fields["size"], fields["inputs"]
        here, there = (fields.get(name) for name in ("classes_in_sample", "classes_in_data"))
        if (here or 0) > min(inputs, there or 0) or (there or 0) > (size if here else 0):
            raise TypeError(f"{inputs} of {size} inputs have {here} of {there} classes")
        if fields.get("turned", 0) > inputs:
            raise TypeError(f"{fields['turned']} of {inputs} inputs are turned")
        return cls(
            size=size,
            inputs=inputs,
            unreadable=frozenset(fields.get("unreadable", {}).values()),
            sample=sample,
            manifest=fields["manifest"],
            # A header without it is of a time when all pictures were read as they are stored.
            exif="apply" if fields.get("exif") == "apply" else "ignore",
            classes=None if here is None or there is None else (here, there),
            columns=tuple(map(Column.from_json, fields.get("columns", ()))),
        )


@dataclass(frozen=True)
class Settings:
    """How counts became certificates: what a restated run records of the settings before.

    Attributes:
        alpha: probability of error an input; 0 where nothing is left to chance.
        bound: the confidence bound on a probability.
        radius_rule: which radius follows.
        family_wise: the probability of any error among all inputs, of which ``alpha`` is the share
            of one; else None.
    """

    alpha: float
    bound: str
    radius_rule: str
    family_wise: float | None = None

    @property
    def in_short(self) -> str:
        """How class probabilities became known."""
        return PROCEDURES.get(self.bound, Procedure).in_short

    @property
    def exact(self) -> bool:
        """Whether every change was counted, or calculated, which leaves nothing to chance."""
        return self.alpha == 0


def options_of(
    record: Mapping[str, Any], law: Law, sample: Sample | None, made: Settings
) -> Iterator[tuple[str, Any]]:
    """Yield the options that follow from other fields of a header, each with its value.

    Args:
        record: the header.
        law: its noise.
        sample: by which rule inputs were taken, where it says so.
        made: the settings that the run was made with.
    """
    model, data = record["model"], record["data"]
    given = record["arguments"]["resolved"]
    yield "bounds", [model["bounds"][end] for end in ("low", "high")]
    yield "preprocess", model["preprocess"]
    yield "providers", model["providers"]["used"]
    yield "float16", model["float16"] is not None
    yield "share_noise", record["noise"]["shared"]
    yield "family_wise", made.family_wise is not None
    yield from ((name, model[name]) for name in ("threshold", "output_name") if name in model)
    if "tf32" in model["session"]:
        yield "tf32", model["session"]["tf32"]
    if model.get("rows") == "watched":  # which is never done without being asked for
        yield "rows", "watched"
    yield from _options_of_noise(given, law)
    if data.get("exif") is not None:
        yield "exif", data["exif"]
    if sample is not None:
        yield from (("limit", sample.limit), ("skip_every", sample.skip_every))
        yield from (("first", sample.first), ("sample", portable(sample.seed)))
    if made.exact:  # which leaves nothing to choose
        return
    yield from ((name, record[name]) for name in ("n0", "n"))
    yield "alpha", made.alpha if made.family_wise is None else made.family_wise
    targets = record["target_radii"]
    if targets is None:
        bound = DEFAULT_BOUND if made.bound in PROCEDURES else made.bound  # which none chooses
        yield from (("bound", bound), ("radius", made.radius_rule))
        yield from (("adaptive", False), ("target_radius", None))
    elif given.get("target_radius") is None:
        yield "adaptive", True
    else:
        yield from (("adaptive", False), ("target_radius", targets[0]))


def _options_of_noise(given: Mapping[str, Any], law: Law) -> Iterator[tuple[str, Any]]:
    """Yield the options that say which noise is meant."""
    interval = law.covered and given.get("noise") == "gaussian"  # which alone means its law
    implied = interval or given.get("sigma_per_feature") is not None
    if not implied and given.get("noise") is not None:
        if given["noise"] == law.unfixed.name:  # one sigma was said, and columns are fixed
            law = law.unfixed
        # The law's name, with what else was said of it behind it.
        yield "noise", law.name + "".join(given["noise"].partition(",")[1:])
    own = law.parameters
    yield from ((name, own.get(name)) for name in ("norm", "lam") if given.get(name) is not None)
    for name, said in INTERVALS.items():
        option = str(said["option"]).strip("-")
        if given.get(option) is not None:
            yield option, own.get(name)
    if given.get("sigma") is not None:
        sigma, asked = law.deviation, given["sigma"]
        # Of a law with another scale it is computed from that scale, which rounds.
        is_close = sigma is not None and math.isclose(sigma, asked, rel_tol=1e-9)
        yield "sigma", asked if is_close else sigma
