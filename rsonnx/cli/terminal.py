"""What a command says while it works: facts and progress on stderr."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from rsonnx.cli.progress import ProgressBar
from rsonnx.errors import UsageError
from rsonnx.report import printable

if TYPE_CHECKING:
    from rsonnx.report import Report

_ALWAYS = ("void", "stopped", "go on with", "kept")
"""Topics that belong to the result: how to go on with what was stopped, and where it is."""


class Terminal(ProgressBar):
    """Prints what a call of the library says, and how far it is.

    Args:
        given: the words of the command that goes on with what is interrupted; none for none.
    """

    def __init__(self, given: Sequence[str] = ()) -> None:
        super().__init__(quiet=quiet())
        self._given = given

    def said(self, topic: str, text: str) -> None:
        """Print a fact, unless the command was told to be quiet."""
        self.clear()
        say(topic, text)
        if topic == "stopped" and self._given:
            from rsonnx.runs import resume_command

            say("go on with", resume_command(self._given, _program()))


def quiet() -> bool:
    """Say whether the command was told to print nothing but its result and errors."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.params.get("quiet"))


def say(topic: str, text: str) -> None:
    """Print a line on stderr, unless the command was told to be quiet and it can be."""
    if topic in _ALWAYS or not quiet():
        click.echo(f"{topic:<11}{printable(text)}", err=True)


def show(report: Report, form: str = "table", *, details: bool = True) -> None:
    """Print a report on stdout: a table as wide as the terminal, in a pipe always the same."""
    from rsonnx.report import FORMATS, to_text

    shown = report if details else report.brief()
    if form == "table" and sys.stdout.isatty():
        click.echo(to_text(shown, shutil.get_terminal_size().columns))
    else:
        click.echo(FORMATS[form](shown))


def refuse_sampling(why: str, names: Sequence[str]) -> None:
    """Refuse options that the command line gave and that mean nothing where nothing is sampled."""
    context = click.get_current_context(silent=True)
    for name in names:
        source = None if context is None else context.get_parameter_source(name)
        if source is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"--{name.replace('_', '-')} was given, but {why}, without chance; leave it out"
            )


def given_words() -> list[str]:
    """Return the words of the command that runs, as :func:`rsonnx.cli.run` was given them."""
    words: list[str] = click.get_current_context().obj
    return words


def _program() -> Sequence[str]:
    """Return the words that start this program, as they were given."""
    if Path(sys.argv[0]).name == "__main__.py":
        return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    return ("rsonnx",)
