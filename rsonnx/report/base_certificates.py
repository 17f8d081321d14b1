"""What is certified of a base classifier, and beside it what a run says of the smoothed one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rsonnx.procedures import default_radii
from rsonnx.report.escape import printable
from rsonnx.report.rounding import percent
from rsonnx.report.summary import Outcome, accuracy_at
from rsonnx.report.table import Column, Note, Report, Table, Value, decimals
from rsonnx.runs.base_certificates import BaseCertificate, BaseCertificates
from rsonnx.scalars import in_full

_RADIUS, _SMALL = decimals(4), decimals(5)
"""Radii of linf are small."""


def base_certificates_report(made: BaseCertificates) -> Report:
    """Return a table of the inputs, one of certified accuracy where all have labels, and JSON."""
    tables = [_inputs(made)]
    if made.certificates and all(each.label is not None for each in made.certificates):
        tables.append(_accuracy(made))
    return Report(tables, value=made.to_json())


def _inputs(made: BaseCertificates) -> Table:
    question = made.question
    columns = [
        Column("input"),
        Column("label", left=True),
        Column("f", left=True),
        Column(f"f: {question.norm}", form=_SMALL),
    ]
    if question.epsilon is not None:
        columns[-1:] = [
            Column(f"f: {question.norm} {in_full(question.epsilon)}"),
            Column("margin", form=_SMALL),
        ]
    if made.run is not None:
        norm = made.run.header.noise.norm
        columns += [Column("g", left=True), Column(f"g: {norm}", form=_RADIUS, unknown="abstains")]
    rows = [list(_row(certificate, made)) for certificate in made.certificates]
    return Table(columns, rows, _title(made), [Note(text) for text in _notes(made)])


def _title(made: BaseCertificates) -> str:
    itself = f"{printable(made.file)} itself, without noise and without chance"
    if made.run is None:
        return f"The base classifier f: {itself}"
    noise = printable(made.run.header.noise.label)
    return f"Two classifiers. f: {itself}; g: the same smoothed by {noise}"


def _notes(made: BaseCertificates) -> Iterator[str]:
    low, high = made.bounds
    yield f"f: {printable(made.claim)} (bounds by {made.question.method.upper()})"
    if made.run is not None:
        yield f"g: {made.run.header.claim}"
        yield "a radius of f says nothing of g, and none of g anything of f"
    yield f"radii are in the units of input values between {low:g} and {high:g}, rounded down"


def _row(certificate: BaseCertificate, made: BaseCertificates) -> Iterator[Value]:
    def named(number: int | None) -> Value:
        if number is None or not 0 <= number < len(made.class_names):
            return None if number is None else str(number)
        return made.class_names[number]

    yield from (certificate.name, named(certificate.label), named(certificate.prediction))
    if made.question.epsilon is None:
        yield certificate.radius
    else:
        yield from ("open" if certificate.abstained else "proved", certificate.margin)
    if certificate.smoothed is not None:
        row = certificate.smoothed
        yield from (named(row.prediction), None if row.abstained else row.radius)


def _accuracy(made: BaseCertificates) -> Table:
    """Return certified accuracy of both, at radii that suit the largest."""
    outcomes: dict[str, Sequence[Outcome]] = {"f": made.certificates}
    smoothed = [each.smoothed for each in made.certificates if each.smoothed is not None]
    if smoothed:
        outcomes["g"] = smoothed
    radii = default_radii(max(each.radius for several in outcomes.values() for each in several))
    if made.question.epsilon is not None:
        radii = (made.question.epsilon,)
    columns = [Column(""), *(Column(f"r={in_full(radius)}", form=percent) for radius in radii)]
    rows: list[list[Value]] = [
        [name, *(accuracy_at(several, radius) for radius in radii)]
        for name, several in outcomes.items()
    ]
    right = sum(each.prediction == each.label for each in made.certificates)
    notes = [
        f"certified accuracy in % of all {len(made.certificates):,} inputs, of which f gets "
        f"{right:,} right"
    ]
    if made.run is not None and made.run.header.noise.norm != made.question.norm:
        notes.append(f"f: {made.question.norm}, g: {made.run.header.noise.norm}")
    return Table(columns, rows, "Certified accuracy", [Note(text) for text in notes])
