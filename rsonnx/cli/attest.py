"""``rsonnx attest``: a statement on a run, for others to sign."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from cloup import command

from rsonnx.cli.options import deployed_option
from rsonnx.errors import RunFileError, UsageError
from rsonnx.report.output import write_new

if TYPE_CHECKING:
    from rsonnx.runs import Deployed, Run


@command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="File to write; it must not exist yet. [default: stdout]",
)
@deployed_option
@click.option(
    "--model", type=click.Path(path_type=Path), help="The run's model, which --deployed needs."
)
def attest(run: Path, output: Path | None, deployed: Path | None, model: Path | None) -> None:
    """Write an in-toto Statement on the complete run file RUN.

    It names the model, the data, the run file and the file that is --deployed by their SHA-256 and
    holds the run's header and figures. Sign it with cosign, sigstore or any tool for DSSE
    envelopes; rsonnx signs nothing. The run is verified first. `rsonnx verify RUN --attestation
    FILE` checks the statement.

    \b
    Example:
      rsonnx attest mnist.jsonl -o mnist.intoto.json
      rsonnx attest mnist.jsonl --deployed smoothed.onnx --model mnist.onnx -o mnist.intoto.json
    """
    from rsonnx.runs import check_output, read_run, statement, verify

    read = read_run(run, checked=False)
    faults = verify(read).faults
    if faults:
        raise RunFileError(
            f"{run} does not hold ({len(faults)} faults), so it is not attested; `rsonnx verify` "
            "names them"
        )
    answering = deployed_of(read, deployed, model)
    text = json.dumps(statement(read, summary_of(read), answering), indent=2, allow_nan=False)
    if output is None:
        click.echo(text)
        return
    check_output(output)
    write_new(output, f"{text}\n".encode())


def deployed_of(run: Run, deployed: Path | None, model: Path | None) -> Deployed | None:
    """Return what the options say of a deployed file, once it is composed again."""
    from rsonnx.runs import check_deployed

    if deployed is None:
        return None
    if model is None:
        raise UsageError("--deployed is composed again from the run's model; give --model too")
    return check_deployed(run, deployed, model)


def summary_of(run: Run) -> dict[str, Any]:
    """Return the figures of a run at the radii that its own settings give, without intervals.

    Raises:
        RunFileError: the run has no inputs, or its header lacks a field.
    """
    from rsonnx.report import figures_of

    if not run.rows:
        raise RunFileError(f"the run {run.path} has no inputs, so there is nothing to attest")
    summary = figures_of(run, run.header.procedure.table_radii).to_json()
    # Resampled: another version of numpy may draw another interval from the same rows.
    del summary["statements"]
    # Statements of before variations were told stay true of runs that have none.
    del summary["preprocess"]
    if not summary["variation"]:
        del summary["variation"]
    return summary
