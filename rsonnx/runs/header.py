"""The first line of a run file: what was certified, with what, how, and by whom.

A header is the record as the file has it, with what it says read, checked and named. Files of
earlier versions lack fields that came later; what they meant is filled in here and nowhere else.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal

from rsonnx.errors import RunFileError
from rsonnx.noise import STREAM_VERSIONS, Law, law_from_json
from rsonnx.procedures import Procedure, procedure_recorded
from rsonnx.runs.commitment import CommittedSeed
from rsonnx.runs.differences import FREE, LATER, Difference, flat, flat_differences, in_words
from rsonnx.runs.fields import (
    DIGEST,
    FLAG,
    LIST,
    NAME,
    NAMES,
    NUMBER,
    OBJECT,
    SEED,
    TEXT,
    Kind,
    list_of,
    real,
    shown,
    whole,
)
from rsonnx.runs.parts import SampleRange, Shard
from rsonnx.runs.sample import Sample
from rsonnx.runs.variation import Variation, variation_of
from rsonnx.statistics import family_wise_alpha

FORMAT = 1
"""Version of the run file's format; a reader refuses one that it does not know."""

NO_CLAIM = "none yet: the rows hold counts of a range of samples; `rsonnx merge` adds the ranges"

_MOST_DRAWN_FROM = 1 << 23
"""Inputs from which a random sample is drawn again without the data, which takes some seconds."""


@dataclass(frozen=True)
class ModelRecord:
    """What a header says of the model.

    Attributes:
        file: its name.
        sha256: of the file and its external data; None where the header lacks it.
        several: whether it has external data, so that no single file has this digest.
        rows: why a row's answer does not depend on its batch: ``"proved"``, ``"alone"`` or
            ``"watched"``; None where the header is of a time that did not say.
        input_shape: of an input, without the batch axis; None where the header lacks it.
        variation: which of the classifiers that the file can be.
    """

    file: str
    sha256: str | None
    several: bool
    rows: str | None
    input_shape: tuple[int, ...] | None
    variation: Variation


@dataclass(frozen=True)
class DataRecord:
    """What a header says of the data.

    Attributes:
        size: inputs of the data set.
        inputs: how many of them the run takes.
        sample: by which rule; None where the header is of a time that did not say.
        manifest: SHA-256 over all of them; None where the header lacks it.
        exif: how the orientation of pictures was read.
        classes: how many classes the inputs have, and how many the data set; None if unlabelled.
    """

    size: int
    inputs: int
    sample: Sample | None
    manifest: str | None
    exif: Literal["apply", "ignore"]
    classes: tuple[int, int] | None


@dataclass(frozen=True)
class Settings:
    """How counts became certificates: what a restated run records of the settings before.

    Attributes:
        alpha: probability of error an input; 0 where every change was counted.
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
    def exact(self) -> bool:
        """Whether every change that the noise can make was counted, which leaves nothing open."""
        return self.alpha == 0


@dataclass(frozen=True)
class Header:
    """The header of a run.

    Attributes:
        record: the object as the file has it.
        model, data: what they are.
        procedure: how counts become certificates; it holds the law of the noise.
        units: those of sigma and of the radius.
        arithmetic: ``"exact"`` or ``"float"``; for noise that is not added, how values were given.
        shared: whether all inputs have the same noise.
        stream: by which rule noise is derived from an input.
        seed: of the noise.
        committed: what the seed follows from, where the run was committed to before; else None.
        family_wise: the probability of any error among all inputs, where that was asked for.
        shard: which share of the inputs the file holds; None for all.
        samples: which of their estimation samples; None for all.
        largest_radius: the most that the settings can give.
        restated_from: the settings that the run was made with, if its rows were derived anew.
        given: the words of the command that made it; empty where there were none.
        resolved: every option of that command, as it was resolved.
    """

    record: Mapping[str, Any]
    model: ModelRecord
    data: DataRecord
    procedure: Procedure
    units: str
    arithmetic: str
    shared: bool
    stream: int
    seed: int
    committed: CommittedSeed | None
    family_wise: float | None
    shard: Shard | None
    samples: SampleRange | None
    largest_radius: float
    restated_from: Settings | None
    given: Sequence[str]
    resolved: Mapping[str, Any]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Header:
        """Read a header, of which a stranger may have written anything.

        Raises:
            RunFileError: a field is missing, of another kind, or contradicts another.
        """
        try:
            return _read(record)
        except KeyError as error:
            raise RunFileError(f"the header lacks the field {error}") from None
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise RunFileError(f"the header is wrong: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """Return the header as it is written."""
        return dict(self.record)

    def changed(self, **fields: Any) -> Header:
        """Return the header with other fields in its record, read anew."""
        return Header.from_json({**self.record, **fields})

    @property
    def noise(self) -> Law:
        """The smoothing distribution."""
        return self.procedure.noise

    @property
    def settings(self) -> Settings:
        """How counts became certificates."""
        own = self.procedure
        return Settings(own.alpha, own.bound, own.radius_rule, self.family_wise)

    @property
    def inputs(self) -> int:
        """How many inputs the file has, or will have."""
        return self.data.inputs if self.shard is None else self.shard.size(self.data.inputs)

    @property
    def part(self) -> str:
        """Which part of a run the file holds, in words."""
        shard = [] if self.shard is None else [f"shard {self.shard}"]
        samples = [] if self.samples is None else [f"samples {self.samples}"]
        return ", ".join([*shard, *samples]) or "the whole run"

    @property
    def first_version(self) -> bool:
        """Whether it is of the first version, which names none of its noise's derivation."""
        return "stream" not in self.record["noise"]

    @property
    def claim(self) -> str:
        """What the run says of its inputs."""
        if self.samples is not None:
            return NO_CLAIM
        return self.procedure.claim(self.arithmetic, self.model.rows)

    def contradictions(self, indices: Sequence[int]) -> list[str]:
        """Return what it says of its inputs and of all of them together that does not hold.

        Args:
            indices: of the rows, in their order.
        """
        found = []
        sample, size, selected = self.data.sample, self.data.size, self.data.inputs
        claims = {self.claim}
        if self.first_version:  # which said nothing of the rounding
            claims.add(self.procedure.claim(None, self.model.rows))
        if self.record.get("claim") not in claims:
            found.append(f"its claim is not that of its noise and rows: {self.claim}")
        share = self.procedure.alpha
        if self.family_wise is not None:
            share = family_wise_alpha(self.family_wise, selected)
        if self.procedure.alpha != share:
            found.append(
                f"alpha is {self.procedure.alpha!r}, but the share of one of {selected} inputs in "
                f"{self.family_wise!r} for all is {share!r}"
            )
        if sample is None:
            return found  # which its data show: what was taken are the first of them
        if sample.count(size) != selected:
            found.append(f"it announces {selected} inputs, but its sample has {sample.count(size)}")
        elif sample.seed is None or size <= _MOST_DRAWN_FROM:
            shard = self.shard or Shard(1, 1)
            part = islice(sample.indices(size), shard.index - 1, None, shard.of)
            wrong = [pair for pair in zip(indices, part, strict=False) if pair[0] != pair[1]]
            if wrong:
                has, expected = wrong[0]
                found.append(f"it has the input {has} where its sample has the input {expected}")
        return found

    def differences(self, other: Header, *, but: frozenset[str] = frozenset()) -> list[Difference]:
        """Return where two headers are of different runs, in the order of their fields.

        Args:
            other: beside a newer header one of the first version is taken for what it meant.
            but: fields that may differ beyond those that always may.
        """
        free = FREE | but
        if self.first_version == other.first_version:
            return flat_differences(flat(self.record), flat(other.record), free)
        return flat_differences(self._meant(), other._meant(), free | LATER)

    def _meant(self) -> dict[str, Any]:
        """Return the fields by their paths, with what a header of the first version meant."""
        fields = flat(self.record)
        if self.first_version:
            sample = {} if self.data.sample is None else self.data.sample.to_json()
            fields |= flat(
                {
                    "noise": {"stream": STREAM_VERSIONS[0]},
                    "data": {"sample": sample},
                    "model": {"rows": "proved"},  # it ran in batches, as only these may now
                }
            )
        return fields


_PROCEDURE: dict[str, Kind[Any]] = {
    "n0": whole(0),
    "n": whole(1),
    "alpha": NUMBER,
    "bound": TEXT,
    "radius_rule": TEXT,
    "num_classes": whole(1).or_null(),
    "target_radii": list_of(NUMBER, "numbers").or_null(),
}
"""What :meth:`Procedure.to_json` writes."""

_PROBABILITY = real(1.0)
_SHARE: Kind[float] = Kind(
    "a number between 0 and 1",
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    lambda value: NUMBER.accepts(value) and 0 < value < 1,
    float,
)


def resume_command(given: Sequence[str], program: Sequence[str] = ("rsonnx",)) -> str:
    """Return the command that goes on with a run.

    Args:
        given: the words of the command that started it, from ``certify`` on.
        program: the words before them.
    """
    words = [word for word in given if word != "--resume"]
    return shlex.join([*program, *words[:1], "--resume", *words[1:]])


def _read(record: Mapping[str, Any]) -> Header:
    noise_record, arguments = OBJECT.of(record, "noise"), OBJECT.maybe(record, "arguments") or {}
    resolved = OBJECT.maybe(arguments, "resolved") or {}
    model = _model(OBJECT.of(record, "model"), resolved)
    noise = _noise(noise_record, model.input_shape)
    family_wise = _SHARE.or_null().of(record, "family_wise")
    procedure = procedure_recorded(
        {name: kind.of(record, name) for name, kind in _PROCEDURE.items()}, noise, model.input_shape
    )
    if procedure.alpha == 0 and family_wise is not None:
        raise TypeError("a run that was counted in full has an alpha")
    stream = noise_record.get("stream", STREAM_VERSIONS[0])
    if type(stream) is not int or stream not in STREAM_VERSIONS:
        raise TypeError(f"the stream of the noise is {shown(stream)}, which is none that is known")
    shard, samples = OBJECT.maybe(record, "shard"), OBJECT.maybe(record, "samples")
    restated = OBJECT.maybe(record, "restated_from")
    seed = OBJECT.of(record, "seed")
    data = _data(OBJECT.of(record, "data"), resolved, first_version="stream" not in noise_record)
    return Header(
        record,
        model,
        data,
        procedure,
        TEXT.of(noise_record, "units"),
        TEXT.of(noise_record, "arithmetic"),
        "shared" in noise_record and FLAG.of(noise_record, "shared"),
        stream,
        SEED.of(seed, "value"),
        _committed(seed, record, restated),
        family_wise,
        None if shard is None else Shard.from_json(shard),
        None if samples is None else SampleRange.from_json(samples),
        real().of(record, "largest_radius"),
        None if restated is None else _settings(restated),
        NAMES.maybe(arguments, "given") or (),
        resolved,
    )


def _committed(
    seed: Mapping[str, Any], record: Mapping[str, Any], restated: Mapping[str, Any] | None
) -> CommittedSeed | None:
    """Return what the seed follows from, which is to be of this run, as it was made."""
    committed = CommittedSeed.from_json(seed)
    if committed is None:
        return None
    if restated is not None:
        record = {**record, **{name: restated[name] for name in asdict(_settings(restated))}}
    if differences := committed.commitment.differences(record):
        raise TypeError(
            "it is not the run that its seed was committed for: "
            f"{in_words(differences, 'in the commitment', 'in the header')}"
        )
    return committed


def _model(fields: Mapping[str, Any], resolved: Mapping[str, Any]) -> ModelRecord:
    shape = _SHAPE.maybe(fields, "input_shape")
    return ModelRecord(
        file=NAME.of(fields, "file"),
        sha256=DIGEST.maybe(fields, "sha256"),
        several=bool(LIST.maybe(fields, "external_data")),
        rows=TEXT.maybe(fields, "rows"),
        input_shape=None if shape is None else tuple(shape),
        variation=variation_of(fields, resolved),
    )


_SHAPE = list_of(whole(1), "lengths")


def _data(
    fields: Mapping[str, Any], resolved: Mapping[str, Any], *, first_version: bool
) -> DataRecord:
    sample = None
    if not first_version or fields.get("sample") is not None:
        sample = Sample.from_json(OBJECT.of(fields, "sample"))
    elif "skip_every" in resolved:  # of a limited run it took the first inputs
        limit = whole(1).maybe(resolved, "limit")
        skip_every = whole(1).of(resolved, "skip_every")
        sample = Sample(limit, skip_every, first=limit is not None)
    there = whole(1).maybe(fields, "classes_in_data")
    return DataRecord(
        size=whole(1).of(fields, "size"),
        inputs=whole(1).of(fields, "inputs"),
        sample=sample,
        manifest=DIGEST.maybe(fields, "manifest"),
        # A header without it is of a time when all pictures were read as they are stored.
        exif="apply" if fields.get("exif") == "apply" else "ignore",
        classes=None if there is None else (whole(1).of(fields, "classes_in_sample"), there),
    )


def _noise(recorded: Mapping[str, Any], shape: tuple[int, ...] | None) -> Law:
    """Return the law, for inputs that the model takes."""
    noise = law_from_json(recorded)
    size = noise.parameters.get("size")
    if size is not None and (shape is None or size != math.prod(noise.input_shape(shape))):
        raise TypeError(f"the noise is for inputs of {size} values, which the model does not take")
    return noise


def _settings(fields: Mapping[str, Any]) -> Settings:
    return Settings(
        _PROBABILITY.of(fields, "alpha"),
        TEXT.of(fields, "bound"),
        TEXT.of(fields, "radius_rule"),
        _SHARE.or_null().of(fields, "family_wise"),
    )
