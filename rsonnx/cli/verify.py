"""``rsonnx verify``: check a run file against its own counts."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from rsonnx.cli.options import json_option
from rsonnx.errors import RunFileError
from rsonnx.report import printable
from rsonnx.runs import Verification, read_run, verify

_MOST_SHOWN = 20


@click.command("verify")
@click.argument("run", type=click.Path(path_type=Path))
@json_option
def verify_command(run: Path, as_json: bool) -> None:
    """Derive every row of the run file RUN again from its counts, and prove its figures.

    Bounds and radii are proved by integer arithmetic, apart from the code that wrote them. A row
    that was changed afterwards is named, and the exit code is 1.

    \b
    Example:
      rsonnx verify mnist.jsonl
    """
    read = read_run(run)
    found = verify(read)
    if as_json:
        click.echo(json.dumps(asdict(found) | {"status": read.status}, indent=2))
    else:
        click.echo(_words(found, read.status))
    if found.faults:
        count = len(found.faults)
        raise RunFileError(f"{run} does not hold: {count} fault{'s' * (count > 1)} found")


def _words(found: Verification, status: str) -> str:
    lines = [
        f"{found.rows:,} rows ({status}): {found.derived:,} derived again to the last digit, "
        f"{found.proved:,} of them proved by integer arithmetic"
    ]
    for fault in found.faults[:_MOST_SHOWN]:
        where = "the run" if fault.index is None else f"input {fault.index}"
        lines.append(f"  {where}: {printable(fault.what)}")
    if len(found.faults) > _MOST_SHOWN:
        lines.append(f"  and {len(found.faults) - _MOST_SHOWN:,} more; --json lists them all")
    return "\n".join(lines)
