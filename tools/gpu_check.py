"""Check rsonnx on a CUDA device: one call, a line a check, all figures as JSON lines.

    python tools/gpu_check.py [--output FILE] [--device 0] [--model M.onnx --preprocess TEXT]

Each check is a process of its own with two minutes, and its line is in FILE when it ends, however
it ends; all of them have ten minutes. Without --model a ResNet-50 at 224 with random weights is
made, whose labels vary. --provider cpu runs the checks that need no device. What could not be run
is said at the end.

FILE for docs/how-to/gpu.md is tools/results/gpu.jsonl; --page then writes what it says into it.

Exit codes: 0 no check failed, 1 one failed, 2 wrong usage, 4 CUDA does not work here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from gpu.checks import CHECKS
from gpu.page import write_page
from gpu.subjects import NotRunError, Outcome, Setup, write_resnet

from rsonnx.errors import RsonnxError

LIMIT, TOTAL = 120.0, 570.0
"""Seconds that a check may take, and all of them."""

_NO_CUDA = 4
_STATES = {True: "passed", False: "FAILED", None: "-"}

Record = dict[str, Any]


def main(
    arguments: Sequence[str] | None = None, command: Sequence[str] = (sys.executable, __file__)
) -> int:
    """Run the checks and return the exit code; ``command`` starts the process of a check."""
    end = time.monotonic() + TOTAL
    words = [*sys.argv[1:]] if arguments is None else [*arguments]
    parser = _parser()
    given = parser.parse_args(words)
    if given.page:
        write_page()
        return 0
    if given.model is not None and not given.model.is_file():
        parser.error(f"the model file {given.model} does not exist")
    with tempfile.TemporaryDirectory() as folder:
        output = given.output or Path(folder, "checks.jsonl")
        try:
            output.open("a" if given.only else "w").close()
        except OSError as error:
            parser.error(f"{output} cannot be written: {error.strerror}")
        if given.model is None:
            given.model, given.preprocess = Path(folder, "resnet50.onnx"), "imagenet"
            write_resnet(given.model)
            words += ["--model", str(given.model), "--preprocess", given.preprocess]
        if given.only:
            return int(_checked(given, output)["passed"] is False)
        records: list[Record] = []
        for name in CHECKS:
            if records and records[0]["passed"] is False:
                return _NO_CUDA
            child = [*command, *words, "--output", str(output), "--only", name]
            records.append(_apart(name, child, output, min(LIMIT, end - time.monotonic())))
    missing = [record["check"] for record in records if record["passed"] is None]
    print(f"Not run, or showing nothing: {', '.join(missing) or 'none'}.")
    return int(any(record["passed"] is False for record in records))


def _checked(given: argparse.Namespace, output: Path) -> Record:
    """Run a check in this process."""
    begin = time.monotonic()
    setup = Setup(**{each.name: getattr(given, each.name) for each in fields(Setup)})
    try:
        outcome = CHECKS[given.only](setup)
    except NotRunError as error:
        outcome = Outcome(None, f"not run: {error}")
    except Exception as error:
        if not isinstance(error, RsonnxError):
            traceback.print_exc()
        outcome = Outcome(False, f"{type(error).__name__}: {error}")
    return _noted(given.only, outcome, time.monotonic() - begin, output)


def _noted(name: str, outcome: Outcome, seconds: float, output: Path) -> Record:
    """Print a check's line, and have it in the file before anything else can go wrong."""
    record = {"check": name, "seconds": round(seconds, 1)} | vars(outcome)
    with output.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    print(f"{name:<13}{_STATES[outcome.passed]:<7}{seconds:6.1f} s  {outcome.note}", flush=True)
    return record


def _apart(name: str, command: Sequence[str], output: Path, limit: float) -> Record:
    """Run a check in a process of its own, and say so where that does not end well."""
    if limit <= 0:
        return _noted(name, Outcome(None, "not run: no time is left"), 0.0, output)
    begin, before = time.monotonic(), len(_lines(output))
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(command, stderr=errors, start_new_session=True)
        try:
            why = f"ended with exit code {process.wait(limit)}"
        except subprocess.TimeoutExpired:
            why = f"not done in {limit:.0f} s"
        finally:
            with contextlib.suppress(ProcessLookupError):  # and what it has started
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        errors.seek(0)
        said = errors.read().strip()
    lines = _lines(output)[before:]
    if lines and process.returncode in (0, 1):
        if said and json.loads(lines[-1])["passed"] is False:
            print(said, file=sys.stderr)
        return dict(json.loads(lines[-1]))
    last = said.splitlines()[-1:] or ["it said nothing"]
    return _noted(name, Outcome(False, f"{why}: {last[0]}"), time.monotonic() - begin, output)


def _lines(output: Path) -> list[str]:
    return output.read_text(encoding="utf-8").splitlines()


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=CHECKS, help="one check, in this process, added to FILE")
    parser.add_argument("--model", type=lambda text: Path(text).resolve())
    parser.add_argument("--preprocess", help="as for rsonnx certify")
    parser.add_argument("--provider", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--samples", type=_count, default=512, help="to compare [512]")
    parser.add_argument("--n", type=_count, default=100_000, help="of the certificate [100000]")
    parser.add_argument("--seconds", type=float, default=1.0, help="a round of the speed [1]")
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON lines")
    parser.add_argument("--page", action="store_true", help="write what docs/how-to/gpu.md says")
    return parser


if __name__ == "__main__":
    sys.exit(main())
