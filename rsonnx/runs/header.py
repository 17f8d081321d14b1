"""The first line of a run file: what was certified, with what, how, and by whom.

A header is the record as the file has it, with what it says read, checked and named. Files of
earlier versions lack fields that came later; what they meant is filled in here and nowhere else.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsonnx.errors import RunFileError
from rsonnx.noise import STREAM_VERSIONS, InputSpace, Law, law_from_json
from rsonnx.procedures import Adaptive, Procedure, procedure_recorded
from rsonnx.runs.commitment import CommittedSeed
from rsonnx.runs.differences import FREE, LATER, Difference, flat, flat_differences, in_words
from rsonnx.runs.fields import shown
from rsonnx.runs.header_fields import KINDS
from rsonnx.runs.header_schema import check_fields
from rsonnx.runs.parts import SampleRange, Shard
from rsonnx.runs.records import DataRecord, ModelRecord, Settings, options_of
from rsonnx.runs.strict_json import same
from rsonnx.statistics import family_wise_alpha

NO_CLAIM = "none yet: the rows hold counts of a range of samples; `rsonnx merge` adds the ranges"

_SAME_LARGEST = 2.0**-36
"""How far the largest radius, of which nothing is claimed, may be from ours, relatively."""

_MOST_DRAWN_FROM = 1 << 20
"""Inputs from which a random sample is drawn again without the data, which takes some seconds."""


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
    def name(self) -> str | None:
        """What somebody called the run; None where nobody did."""
        name: str | None = self.record.get("name")
        return name

    @property
    def noise(self) -> Law:
        """The smoothing distribution."""
        return self.procedure.noise

    @property
    def reading(self) -> dict[str, Any]:
        """How its data were read, as :meth:`rsonnx.data.DataSettings.from_json` takes it."""
        return {**self.resolved, "exif": self.data.exif}

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
        return [*self._otherwise_derived(), *self._wrong_inputs(indices)]

    def _otherwise_derived(self) -> Iterator[str]:
        """Yield which fields are not what follows from the others."""
        claims = {self.claim}
        if self.first_version:  # which said nothing of the rounding
            claims.add(self.procedure.claim(None, self.model.rows))
        if self.record["claim"] not in claims:
            yield f"its claim is not that of its noise and rows: {self.claim}"
        for path, stated, expected in self._derived():
            if not same(stated, expected):
                yield f"{path} is {shown(stated)}, but {shown(expected)} follows from the others"

    def _derived(self) -> Iterator[tuple[str, Any, Any]]:
        """Yield the fields that follow from others: the path, what is stated, and what follows."""
        noise, procedure, model = self.noise, self.procedure, self.model
        largest = procedure.largest_radius
        if not math.isclose(self.largest_radius, largest, rel_tol=_SAME_LARGEST):
            yield "largest_radius", self.largest_radius, largest
        yield "noise.units", self.units, noise.units(*model.bounds)
        on_grid = InputSpace(model.input_shape, model.bounds).step < math.inf
        if not (on_grid and noise.exact):
            yield "noise.arithmetic", self.arithmetic, "float"
        how = generator(procedure, self.stream, shared=self.shared)
        yield "noise.generator", self.record["noise"]["generator"], how
        classes = procedure.of_classes(model.classes).num_classes
        yield "num_classes", procedure.num_classes, classes
        for settings in (self.settings, self.restated_from):
            if settings is not None and settings.family_wise is not None:
                share = family_wise_alpha(settings.family_wise, self.data.inputs)
                yield "alpha", settings.alpha, share
        made = self.restated_from or self.settings
        for name, expected in options_of(self.record, noise, self.data.sample, made):
            yield f"arguments.resolved.{name}", self.resolved.get(name, expected), expected
        way = procedure.way
        yield "arguments.resolved.procedure", self.resolved.get("procedure", way), way
        precision = procedure.precision
        yield "arguments.resolved.precision", self.resolved.get("precision", precision), precision
        changed = self.record.get("changed", 0)
        yield "arguments.resolved.changed", self.resolved.get("changed", changed), changed
        if self.resolved.get("adaptive") and not noise.covered:
            bound = procedure.bound if isinstance(procedure, Adaptive) else ""
            table = Adaptive.of_table(noise, procedure.n0, procedure.n, procedure.alpha, bound)
            yield "target_radii", procedure.target_radii, table.target_radii
        elif self.resolved.get("target_radius") is not None:
            yield "target_radii", procedure.target_radii, (self.resolved["target_radius"],)

    def _wrong_inputs(self, indices: Sequence[int]) -> Iterator[str]:
        """Yield what the inputs are not that its sample takes; ``indices`` are of the rows."""
        sample, size, selected = self.data.sample, self.data.size, self.data.inputs
        if sample is None:
            return  # which its data show: what was taken are the first of them
        unreadable, taken = self.data.unreadable, sample.count(size)
        drawn_from = max(0 if sample.seed is None else size, taken if unreadable else 0)
        if taken - len(unreadable) != selected:
            yield f"it announces {selected} inputs, but its sample has {taken}" + (
                f", of which {len(unreadable)} were left out" if unreadable else ""
            )
        elif drawn_from <= _MOST_DRAWN_FROM:
            shard = self.shard or Shard(1, 1)
            part: Iterable[int] = sample.indices(size, shard.index - 1, shard.of)
            if unreadable:
                drawn = tuple(sample.indices(size))
                for index in unreadable.difference(drawn):
                    yield f"it leaves out the input {index}, which its sample does not take"
                part = shard.take([index for index in drawn if index not in unreadable])
            for has, expected in zip(indices, part, strict=False):
                if has != expected:
                    yield f"it has the input {has} where its sample has the input {expected}"
                    return

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


def generator(procedure: Procedure, stream: int, *, shared: bool) -> str:
    """Return how noise is drawn, in words.

    Args:
        procedure: how inputs are certified.
        stream: the rule by which it follows from an input.
        shared: whether all inputs have the same.
    """
    if procedure.certain:
        return f"none: {procedure.certain}"
    own = "input digest" if stream == 1 else "input values"
    keyed = "stage" if shared else f"{own} and stage"
    return f"numpy Philox4x64-10, keyed by SHA-256 of seed, {keyed}"


def resume_command(given: Sequence[str], program: Sequence[str] = ("rsonnx",)) -> str:
    """Return the command that goes on with a run.

    Args:
        given: the words of the command that started it, from ``certify`` on.
        program: the words before them.
    """
    words = [word for word in given if word != "--resume"]
    return shlex.join([*program, *words[:1], "--resume", *words[1:]])


def _read(record: Mapping[str, Any]) -> Header:
    check_fields(record)
    noise_record, arguments = record["noise"], record["arguments"]
    stream = noise_record.get("stream", STREAM_VERSIONS[0])
    if stream not in STREAM_VERSIONS:
        raise TypeError(f"the stream of the noise is {stream}, which is none that is known")
    model = ModelRecord.of(record["model"], arguments["resolved"])
    noise = _noise(noise_record, model.input_shape)
    procedure = _procedure(record, noise, model.input_shape)
    if procedure.alpha == 0 and record["family_wise"] is not None:
        raise TypeError("a run that was counted in full has an alpha")
    if (restated := record.get("restated_from")) is not None:
        made = _procedure({**record, **restated}, noise, model.input_shape)
        made.restated(procedure.alpha, procedure.bound, procedure.radius_rule)
    data = DataRecord.of(record["data"], arguments["resolved"])
    fixed = tuple(at for at, column in enumerate(data.columns) if column.fixed)
    if data.columns and (len(data.columns), fixed) != (math.prod(model.input_shape), noise.fixed):
        raise TypeError("the columns of its data are not those that its noise leaves as they are")
    return Header(
        record,
        model,
        data,
        procedure,
        noise_record["units"],
        noise_record["arithmetic"],
        noise_record["shared"],
        stream,
        KINDS["seed.value"].read(record["seed"]["value"]),
        _committed(record, restated),
        record["family_wise"],
        KINDS["shard"].read(record["shard"]),
        KINDS["samples"].read(record["samples"]),
        float(record["largest_radius"]),
        None if restated is None else Settings(**restated),
        arguments["given"],
        arguments["resolved"],
    )


def _noise(recorded: Mapping[str, Any], shape: tuple[int, ...]) -> Law:
    """Return the law, for inputs that the model takes."""
    noise = law_from_json(recorded)
    parameters = noise.parameters
    if not same(recorded.get("parameters", parameters), parameters):
        raise TypeError("the parameters of the noise are not written as rsonnx writes them")
    size = getattr(noise, "size", None)
    if size is not None and size != math.prod(noise.input_shape(shape)):
        raise TypeError(f"the noise is for inputs of {size} values, which the model does not take")
    return noise


_PROCEDURE = ("n0", "n", "alpha", "bound", "radius_rule", "num_classes", "target_radii")
"""What :meth:`Procedure.to_json` writes."""


def _procedure(record: Mapping[str, Any], noise: Law, shape: tuple[int, ...]) -> Procedure:
    fields = {name: KINDS[name].read(record[name]) for name in _PROCEDURE}
    fields |= {name: record[name] for name in ("precision", "changed") if name in record}
    return procedure_recorded(fields, noise, shape)


def _committed(
    record: Mapping[str, Any], restated: Mapping[str, Any] | None
) -> CommittedSeed | None:
    """Return what the seed follows from, which is to be of this run, as it was made."""
    committed = CommittedSeed.from_json(record["seed"])
    if committed is None:
        return None
    if differences := committed.commitment.differences({**record, **(restated or {})}):
        raise TypeError(
            "it is not the run that its seed was committed for: "
            f"{in_words(differences, 'in the commitment', 'in the header')}"
        )
    return committed
