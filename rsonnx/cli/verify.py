"""``rsonnx verify``: check a run file against its own counts, its model and its data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from cloup import command, option_group

from rsonnx.cli.options import data_file_options, deployed_option, json_option, time_limit_option
from rsonnx.cli.settings import provider_names
from rsonnx.cli.terminal import Terminal
from rsonnx.data import DataSettings
from rsonnx.errors import ReplayError, RunFileError, UsageError
from rsonnx.report import printable, text_down

if TYPE_CHECKING:
    from rsonnx.runs import Fault, Replay, Run, Verification

_MOST_SHOWN = 20


@command("verify")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--model", type=click.Path(path_type=Path), help="The model: its digest must be the run's."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="The data: every input and label must be the run's. Needs --model.",
)
@click.option(
    "--replay",
    "count",
    type=int,
    metavar="INT",
    help="Draw the noise of so many random inputs again and compare the counts; calculate so many "
    "again, and not all, of a run that was calculated. Needs --model and --data.",
)
@click.option(
    "--providers",
    metavar="NAME",
    help="Execution provider of the replay. [default: the one that the run was made on]",
)
@time_limit_option
@option_group("Inputs", *data_file_options)
@click.option(
    "--attestation",
    type=click.Path(path_type=Path),
    help="An in-toto Statement, bare or in a DSSE envelope, that must be true of the run. Its "
    "signature is not checked.",
)
@deployed_option
@json_option
def verify_command(run: Path, as_json: bool, **given: Any) -> None:
    """Derive every row of the run file RUN again from its counts, and prove its figures.

    Bounds, and radii of Gaussian noise, are proved by integer arithmetic, apart from the code that
    wrote them; certificates that count every change are integer arithmetic as they are. Radii of
    other noise are derived again only. A row that was changed afterwards is named, and the exit
    code is 1. Of a run that was calculated, the model and the data give every bound again, by other
    arithmetic. With the model and the data, the counts themselves can be drawn again: on another
    provider or version, only near ties of scores may be other votes. The exit code is 5 where the
    votes drawn now do not reach a recorded radius and nothing else is wrong, which near ties may
    explain.

    \b
    Example:
      rsonnx verify mnist.jsonl
      rsonnx verify mnist.jsonl --model mnist.onnx --data images/ --replay 5
    """
    from rsonnx.cli.attest import deployed_of, summary_of
    from rsonnx.runs import Fault, check_against, check_statement, read_run, read_statement, verify

    _check(given)
    read = read_run(run, checked=False)
    statement = None if given["attestation"] is None else read_statement(given["attestation"])
    verification = verify(read)
    faults = list(verification.faults)
    deployed = deployed_of(read, given["deployed"], given["model"])
    if statement is not None and not faults:
        found = check_statement(read, summary_of(read), statement, deployed)
        faults += [Fault(None, what) for what in found]
    if not as_json:  # before the model and the data, which may be refused
        click.echo(_words(verification, read))
        if verification.manifest is None:
            click.echo("not all inputs are here, so the rows do not give the manifest")
        if read.header.committed is not None:
            click.echo(printable(str(read.header.committed)))
        _print_faults(faults)
    again = check_against(
        read,
        given["model"],
        given["data"],
        files={name: given[name] for name in DataSettings.FILES},
        providers=provider_names(given["providers"]),
        count=0 if faults else given["count"] or 0,
        time_limit_per_call=given["time_limit_per_call"],
        listener=Terminal(),
    )
    faults += () if again is None else again.faults
    if as_json:
        fields = asdict(verification) | {
            "status": read.status,
            "faults": [asdict(fault) for fault in faults],
            "model": "not checked" if given["model"] is None else "the run's",
            "data": "not checked" if given["data"] is None else "the run's",
            "commitment": _commitment(read),
            "deployed": None if deployed is None else deployed.sha256,
            "attestation": None if statement is None else str(given["attestation"]),
            "replay": None if again is None else _fields(again),
        }
        click.echo(json.dumps(fields, indent=2))
    else:
        for line in (*_checked(given), *_replayed(again)):
            click.echo(line)
        if given["count"] is not None and again is None:
            click.echo("not replayed, since it does not hold as it is")
        _print_faults([] if again is None else again.faults)
    if again is not None and faults and tuple(faults) == again.unreached:
        explained = sum(not (row.stands or row.unexplained) for row in again.rows)
        raise ReplayError(
            f"{run}: the votes drawn now do not reach what it records of {len(faults)} of "
            f"{len(again.rows)} inputs; near ties of scores explain {explained} of these"
        )
    if faults:
        count = len(faults)
        raise RunFileError(f"{run} does not hold: {count} fault{'s' * (count > 1)} found")


def _check(given: dict[str, Any]) -> None:
    if given["data"] is not None and given["model"] is None:
        raise UsageError(
            "--data was given without --model, but how an input is read depends on the model; "
            "give both"
        )
    if given["count"] is None:
        return
    if given["data"] is None:
        raise UsageError("--replay needs the model and the data; give --model and --data")
    if given["count"] < 1:
        raise UsageError(f"--replay is {given['count']}, but at least 1 input was expected")


def _words(checked: Verification, run: Run) -> str:
    derived = f"{checked.rows:,} rows ({run.status}): {checked.derived:,} derived again"
    if checked.bounded > checked.proved:
        return (
            f"{derived}, of {checked.bounded:,} the bounds on probabilities proved by integer "
            f"arithmetic; radii of {run.header.noise.name} noise are derived again "
            "only"
        )
    if not run.header.procedure.samples:
        return (
            f"{derived} from its bounds on probabilities, which --model and --data calculate again;"
            f" {checked.proved:,} radii proved by integer arithmetic"
        )
    proved = f"{derived}, {checked.proved:,} of them proved by integer arithmetic"
    exact = run.header.noise.enumerated
    return proved + (" (all changes were counted: nothing else is needed)" if exact else "")


def _commitment(run: Run) -> dict[str, str] | None:
    """Return what the seed follows from, for a program."""
    committed = run.header.committed
    if committed is None:
        return None
    made = committed.commitment
    return {
        "sha256": made.sha256,
        "source": made.source,
        "round": made.round,
        "value": committed.beacon,
        "published_before": "not checked",
    }


def _checked(given: dict[str, Any]) -> list[str]:
    lines = []
    if given["model"] is not None:
        lines.append("the model is the run's, by its SHA-256")
    if given["deployed"] is not None:
        lines.append("the deployed file is the run's smoothed classifier, byte for byte")
    if given["data"] is not None:
        lines.append("the data are the run's, every input and label by SHA-256")
    return lines


def _replayed(again: Replay | None) -> list[str]:
    if again is None:
        return []
    if again.calculated:
        return [f"{again.calculated:,} inputs calculated again from the model by other arithmetic"]
    lines = [
        "replayed with all that computes as it was: every vote must be the same"
        if again.exact
        else f"replayed elsewhere ({printable('; '.join(again.changed))}): votes may differ where "
        "scores are near ties"
    ]
    for row in again.rows:
        near = "" if row.near_ties is None else f", {row.near_ties:,} near ties"
        near += f", {row.unexplained:,} unexplained" if row.differing else ""
        stands = "stands" if row.stands else "is not reached"
        lines.append(
            f"  input {row.index}: {row.differing:,} of {row.samples:,} votes differ{near}; radius "
            f"{text_down(row.radius, 6)}, recorded {text_down(row.recorded_radius, 6)}: {stands}"
        )
    return lines


def _fields(again: Replay) -> dict[str, Any]:
    rows = [
        asdict(row) | {"unexplained": row.unexplained, "stands": row.stands} for row in again.rows
    ]
    fields = {"exact": again.exact, "changed": list(again.changed), "rows": rows}
    return fields | ({"calculated": again.calculated} if again.calculated else {})


def _print_faults(faults: Sequence[Fault]) -> None:
    for fault in faults[:_MOST_SHOWN]:
        where = "the run" if fault.index is None else f"input {fault.index}"
        click.echo(f"  {where}: {printable(fault.what)}")
    if len(faults) > _MOST_SHOWN:
        click.echo(f"  and {len(faults) - _MOST_SHOWN:,} more; --json lists them all")
