"""What is said of a run that was falsified: certified to R, broken at R'."""

from __future__ import annotations

from collections.abc import Iterator

from rsonnx.procedures import ABSTAIN
from rsonnx.report.rounding import decimals_up, error_up
from rsonnx.report.table import Column, Form, Note, Report, Table, decimals, grouped
from rsonnx.runs.breaks import ALPHA_INSIDE, NO_CERTIFICATE, Attempt, Breaks


def broken_report(breaks: Breaks, *, details: bool = True) -> Report:
    """Return the figures of a file of breaks, and with ``details`` a line an input."""
    figures = breaks.to_json()
    ratio = figures["ratio"]
    table = Table(
        [
            Column("run"),
            Column("inputs", form=grouped),
            Column("certified", form=grouped),
            Column("broken", form=grouped),
            *(Column(f"R'/R {name}", form=_up(2), unknown="-") for name in ratio),
            Column("inside R", form=grouped),
            Column("false", form=grouped),
        ],
        [
            [
                breaks.header["run"]["file"],
                *(len(breaks.rows), certified(breaks), len(breaks.broken)),
                *ratio.values(),
                *(len(figures["inside"]), len(breaks.false)),
            ]
        ],
        notes=[Note(text) for text in said_of_breaks(breaks)],
    )
    tables = [table, _inputs(breaks)] if details else [table]
    rows = [{k: v for k, v in row.to_json().items() if k != "input"} for row in breaks.rows]
    return Report(tables, value=figures | {"rows": rows})


def certified(breaks: Breaks) -> int:
    """Return how many inputs have a certificate that a break could be held against."""
    return sum(row.reason != NO_CERTIFICATE for row in breaks.rows)


def said_of_breaks(breaks: Breaks) -> Iterator[str]:
    """Yield what breaks say of their run, a sentence each."""
    run, figures = breaks.header["run"], breaks.to_json()
    if breaks.broken:
        median, least, most = (decimals_up(value, 2) for value in figures["ratio"].values())
        yield (
            f"Certified to R, broken at R': near {len(breaks.broken):,} of {certified(breaks):,} "
            f"certified inputs one of another answer was found, at R' = {median} R in the median "
            f"({least} to {most}); that all of them are answers of the smoothed classifier has "
            f"probability at least 1 - {error_up(breaks.header['alpha'] * run['inputs'])}."
        )
    if breaks.status != "complete":
        yield (
            f"The search is {breaks.status}: it has come to {len(breaks.rows):,} of "
            f"{run['inputs']:,} inputs."
        )
    missing = {why: n for why, n in breaks.reasons().items() if why != NO_CERTIFICATE}
    if missing:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in missing.items())
        yield f"Not broken, which shows nothing of them: {reasons}."
    yield _inside(breaks)
    open_ = len(figures["inside"]) - sum(row.false for row in breaks.rows)
    if open_:
        yield (
            f"{open_:,} more lie inside, but were not confirmed again at {ALPHA_INSIDE:g}, so they "
            "are not counted as false."
        )


def _inside(breaks: Breaks) -> str:
    false = len(breaks.false)
    if not false:
        return "No certificate is shown to be false: none is broken inside its radius."
    certificates = "1 certificate is" if false == 1 else f"{false:,} certificates are"
    most = (
        f"at alpha = {error_up(breaks.header['run']['alpha'])} at most {breaks.expected:,} of "
        f"{len(breaks.rows):,} are to be expected (with probability 1 - 1e-06)"
    )
    if breaks.holds:
        return f"{certificates} broken inside the radius, and false, as chance explains: {most}."
    return f"{certificates} broken inside the radius, which chance does not explain: {most}."


def _inputs(breaks: Breaks) -> Table:
    columns = [
        Column("input"),
        Column("class", unknown="-"),
        Column("certified to R", form=decimals(4)),
        Column("broken at R'", form=_up(4), unknown="-"),
        Column("R'/R", form=_up(2), unknown="-"),
        Column("answer there", unknown="-"),
        Column("samples", form=grouped),
        Column("", left=True, unknown=""),
    ]
    return Table(columns, [list(_cells(row)) for row in breaks.rows])


def _cells(row: Attempt) -> Iterator[str | int | float | None]:
    yield row.name
    yield None if row.certified == ABSTAIN else str(row.certified)
    yield row.radius
    yield row.distance
    yield row.ratio
    yield None if row.answer is None else str(row.answer)
    yield row.samples
    yield row.reason or ("inside R, false" if row.false else "inside R" if row.inside else None)


def _up(digits: int) -> Form:
    return lambda value: decimals_up(value, digits)
