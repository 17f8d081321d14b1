"""``rsonnx merge``: put the parts of a run together."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click
from cloup import command

from rsonnx.cli.terminal import given_words
from rsonnx.report import printable


@command("merge")
@click.argument(
    "parts", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="PART..."
)
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    help="Run file to write; it must not exist yet.",
)
def merge_command(parts: tuple[Path, ...], output: Path) -> None:
    """Put the parts of a run together that --shard and --samples made: PART... become one file.

    Counts of the same input add, inputs stand side by side, and the file is the one that a single
    run would have written. Parts that overlap, leave a gap, are unfinished or are of different runs
    are refused.

    \b
    Example:
      rsonnx merge part1.jsonl part2.jsonl part3.jsonl -o run.jsonl
    """
    from rsonnx.runs import Part, RunWriter, check_output, merge

    check_output(output)
    merged = merge(parts, given_words())
    writer: RunWriter[Part] = RunWriter(output, merged.header.to_json())
    try:
        with writer:
            writer.write_all(merged.rows)
    except BaseException:
        with contextlib.suppress(OSError):
            output.unlink(missing_ok=True)  # the parts hold all of it
        raise
    click.echo(
        f"{printable(str(output))}: {len(merged.rows):,} inputs from {len(parts)} "
        f"part{'s' * (len(parts) > 1)}; "
        f"rsonnx report {printable(str(output))} prints their table",
        err=True,
    )
