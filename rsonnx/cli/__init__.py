"""The command line: parse, one library call, render."""

from __future__ import annotations

import errno
import os
import sys

import click
from cloup import Section, group

from rsonnx._version import __version__
from rsonnx.cli.attest import attest
from rsonnx.cli.audit import audit
from rsonnx.cli.bounds import bounds
from rsonnx.cli.certify import certify
from rsonnx.cli.compose import compose
from rsonnx.cli.declare import declare
from rsonnx.cli.deterministic import deterministic
from rsonnx.cli.doctor import doctor
from rsonnx.cli.export import export
from rsonnx.cli.falsify import falsify
from rsonnx.cli.inspect import inspect
from rsonnx.cli.merge import merge_command
from rsonnx.cli.plan import plan
from rsonnx.cli.predict import predict
from rsonnx.cli.preview import preview
from rsonnx.cli.report import report
from rsonnx.cli.stopping import stoppable
from rsonnx.cli.verify import verify_command
from rsonnx.errors import INTERRUPTED, MissingError, RsonnxError
from rsonnx.installation import damage
from rsonnx.report import printable
from rsonnx.runtime.watchdog import end_process_if_stuck

_UNWRITTEN = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What is wrong where the disk behind stdout is full or gone; other files have own sentences."""


@group(
    sections=(
        Section("Certify", [certify, predict, preview, deterministic]),
        Section("Before a run", [inspect, declare, compose, plan, bounds, doctor]),
        Section("Run files", [report, verify_command, falsify, attest, merge_command, export]),
        Section("Other projects' logs", [audit]),
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Certify ONNX classifiers by randomized smoothing.

    \b
    Exit codes: 0 done, 1 failure, 2 wrong usage, 3 a gate such as --fail-under not met, 4 model or
    provider refused, 5 a radius not reached by verify --replay, 130 interrupted.
    Results go to stdout, everything else to stderr. Abstaining is a result, not an error.
    """


def main() -> None:
    """Run the command line and exit with its code. Errors are one sentence on stderr."""
    _open_streams()
    end_process_if_stuck()
    sys.exit(run(sys.argv[1:]))


def _open_streams() -> None:
    """Give closed standard streams a sink, and let none refuse a letter that it cannot show."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - kept open
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def run(arguments: list[str]) -> int:  # noqa: PLR0911 - one return an exit code
    """Run one command and return its exit code."""
    try:
        with stoppable():
            cli.main(arguments, prog_name="rsonnx", standalone_mode=False, obj=arguments)
    except click.exceptions.Abort as aborted:
        if isinstance(aborted.__cause__, EOFError):  # nobody was asked anything
            return _unexpected(aborted.__cause__)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MissingError as error:  # a line a thing, of which a stranger's text has none
        return _fail(*str(error).split("\n"), code=error.exit_code)
    except RsonnxError as error:
        return _fail(str(error), code=error.exit_code)
    except MemoryError:
        return _fail(
            "there is not enough memory; use another machine or, where a model runs, a smaller "
            "--batch-size",
            code=1,
        )
    except BrokenPipeError:  # the reader of stdout has gone: nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in _UNWRITTEN:
            return _unexpected(error)
        return _fail(f"the result cannot be written ({error.strerror}); make room there", code=1)
    except Exception as error:
        return _unexpected(error)
    return 0


def _unexpected(error: Exception) -> int:
    if os.environ.get("RSONNX_TRACEBACK") or damage(error):  # which the caller says
        raise error
    return _fail(
        f"rsonnx has a bug: {type(error).__name__}: {error}; please report it, with what "
        "RSONNX_TRACEBACK=1 in the environment prints",
        code=1,
    )


def _fail(*messages: str, code: int) -> int:
    # A message may quote what a stranger wrote: the name of a file, a class, an operator.
    for at, message in enumerate(messages):
        click.echo(f"{'      ' if at else 'Error:'} {printable(message)}", err=True)
    return code
