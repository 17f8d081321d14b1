"""The gates of ``rsonnx report``: what is asked of the runs, and who is told what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from cloup import option_group

from rsonnx.errors import GateError, UsageError

if TYPE_CHECKING:
    from rsonnx.report import Gate, GateResult

gate_options = option_group(
    "Gates",
    click.option(
        "--fail-under",
        multiple=True,
        metavar="FIGURE=LEAST",
        help="Exit with 3 unless every run is complete, labelled, decided the figure and reaches "
        "it: acc@0.5=0.60, acr=1.2 or standard=0.9. acc@0.5:lower is the lower end of its 95 % "
        "interval for the population, from which inputs are taken to be drawn independently; "
        "baseline-0.02 for LEAST is so much below the run of --baseline, on the inputs of both. "
        "May be given several times.",
    ),
    click.option(
        "--fail-over",
        multiple=True,
        metavar="abstain=MOST",
        help="Exit with 3 unless every run is complete and abstains on at most this share of its "
        "inputs, such as abstain=0.10.",
    ),
    click.option(
        "--baseline",
        type=click.Path(path_type=Path),
        metavar="RUN",
        help="The run that gates with baseline compare with, input by input.",
    ),
    click.option(
        "--github",
        is_flag=True,
        help="Annotate a workflow of GitHub Actions, on stderr, with each gate that is not met.",
    ),
    click.option(
        "--junit",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write what came of the gates as JUnit's XML, a test case a gate and run.",
    ),
)


@dataclass(frozen=True)
class Gating:
    """The options above, as they were given."""

    fail_under: tuple[str, ...]
    fail_over: tuple[str, ...]
    baseline: Path | None
    github: bool
    junit: Path | None

    @property
    def options(self) -> list[str]:
        """The options that were given, by name."""
        return [f"--{name.replace('_', '-')}" for name, value in vars(self).items() if value]

    def gates(self) -> list[Gate]:
        """Return the gates.

        Raises:
            UsageError: a text is none, or an option is for gates, and there are none.
        """
        from rsonnx.report import OVER, UNDER, parse_gate

        gates = [parse_gate(text, UNDER) for text in self.fail_under]
        gates += [parse_gate(text, OVER) for text in self.fail_over]
        if self.options and not gates:
            raise UsageError(f"{self.options[0]} is for gates; give {UNDER} or {OVER} too")
        return gates

    def enforce(self, results: Sequence[GateResult]) -> None:
        """Refuse runs that do not meet every gate, and annotate the workflow that asked."""
        from rsonnx.report import failures, github_annotations

        failed = failures(results)
        if failed is None:
            return
        if self.github:
            click.echo(github_annotations(results), err=True)
        raise GateError(failed)
