"""``rsonnx export``: a run for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from cloup import command

from rsonnx.errors import UsageError

if TYPE_CHECKING:
    from rsonnx.runs.export import Format


@command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--tsv",
    "file_format",
    flag_value="tsv",
    help="The log that most projects of the field write and read.",
)
@click.option("--csv", "file_format", flag_value="csv", help="All fields.")
@click.option("--parquet", "file_format", flag_value="parquet", help="All fields, typed.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write; it must not exist yet.",
)
def export(run: Path, file_format: Format | None, output: Path) -> None:
    """Write the rows of the run file RUN for other programs.

    --tsv has the columns idx, label, predict, radius, correct and time; radii are rounded down to
    six decimals, an abstention has the prediction -1 and the radius 0.0. The others have all
    fields, radii to the last digit and counts as JSON text; --parquet needs rsonnx[tables]. In CSV
    a text that a spreadsheet could take for a formula gets an apostrophe in front; it is read back
    by dropping one. Before pandas 3, float_precision="round_trip" keeps the last digit.

    \b
    In pandas:
      pandas.read_csv("run.tsv", sep="\\t")
      pandas.read_csv("run.csv")
      pandas.read_parquet("run.parquet")

    \b
    Example:
      rsonnx export mnist.jsonl --tsv -o mnist.tsv
    """
    from rsonnx.runs import read_run
    from rsonnx.runs.export import export_run

    if file_format is None:
        raise UsageError("no format was given; choose --tsv, --csv or --parquet")
    read = read_run(run)
    export_run(read, output, file_format)
    shard = read.header.shard
    if read.status != "complete" or shard is not None:
        part = "" if shard is None else " and holds one shard of its inputs"
        kept = "its metadata say so" if file_format == "parquet" else f"{file_format} cannot say so"
        click.echo(
            f"note: the run is {read.status}{part}: {len(read.rows):,} rows are exported; {kept}",
            err=True,
        )
