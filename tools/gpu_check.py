"""Check rsonnx on a CUDA device: one call, a table on stdout, all figures as JSON.

    python tools/gpu_check.py [--model M.onnx --preprocess TEXT] [--device 0] [--output FILE]

It compares the device's noise with numpy's bit for bit, counts with the processor's, measures how
near rsonnx comes to the bare session (eta, in turns within one process), lets a batch run out of
memory, kills a run and goes on with it, certifies one input with 1e5 samples, and looks at every
device. Without --model it makes a ResNet-50 at 224 with random weights.

Exit codes: 0 all checks passed, 1 one failed, 2 wrong usage, 4 CUDA does not work here. With
--provider cpu the checks that need no device are run, with fewer samples (--n).
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpu_checks import (
    Check,
    check_certificate,
    check_counts,
    check_devices,
    check_memory,
    check_noise,
    check_speed,
    check_ties,
    not_run,
)
from gpu_restart import check_restart
from gpu_subjects import Where, open_subject, resnet50

from rsonnx.errors import RsonnxError, UsageError
from rsonnx.runs import versions
from rsonnx.runtime import choose_provider, provider_problem
from rsonnx.runtime.cuda import DeviceEngine, cupy_problem
from rsonnx.runtime.device_options import CPU, CUDA
from rsonnx.runtime.machine import packages_named, this_machine

_NO_CUDA = 4


def main(arguments: list[str] | None = None) -> int:
    """Run the checks and return the exit code."""
    given = _parser().parse_args(arguments)
    if given.provider != "cpu" and (problem := provider_problem(CUDA)) is not None:
        print(f"CUDA does not work here: {problem}; run `rsonnx doctor`.")
        return _NO_CUDA
    code = 0
    checks: list[Check] = []
    try:
        _check_output(given.output)
        where = Where(choose_provider([given.provider]), given.device, cuda_graph=given.cuda_graph)
        found = _circumstances(given, where)
        print(_heading(found))
        with tempfile.TemporaryDirectory() as folder:
            for check in _checks(given, where, Path(folder)):
                checks.append(check)
                state = {True: "passed", False: "FAILED", None: "-"}[check.passed]
                print(f"{check.name:<20}{state:<8}{check.note}", flush=True)
    except RsonnxError as error:
        print(f"Error: {error}", file=sys.stderr)
        code = error.exit_code
    if checks and given.output is not None:
        found["checks"] = [asdict(check) for check in checks]
        given.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return code or int(any(check.passed is False for check in checks))


def _check_output(path: Path | None) -> None:
    """Refuse a file that cannot be written now, not after an hour."""
    if path is None:
        return
    try:
        path.touch()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _checks(given: argparse.Namespace, where: Where, folder: Path) -> Iterator[Check]:
    model, preprocess = given.model, given.preprocess
    if model is None:
        model, preprocess = folder / "resnet50.onnx", "imagenet"
        resnet50(model)
    model = model.resolve()
    on_cpu = where.provider.name == CPU
    no_noise = "it needs CUDA" if on_cpu else cupy_problem()
    yield _tried("noise, bit for bit", no_noise, lambda: check_noise(where.device))
    yield _tried("ties and NaN", None, lambda: check_ties(where))
    subject, engine = open_subject(model, preprocess, where, given.batch_size)
    yield _tried(
        "counts",
        None,
        lambda: check_counts(model, preprocess, subject, engine, given.samples),
    )
    yield _tried("speed", None, lambda: check_speed(subject, engine, given.rounds, given.seconds))
    yield _tried("out of memory", no_noise, lambda: check_memory(model, preprocess, where))
    yield _tried(
        "killed and resumed",
        None,
        lambda: check_restart(model, preprocess, given.provider, subject.shape, given.samples),
    )
    yield _tried("certificate", None, lambda: check_certificate(subject, engine, given.n))
    devices = 0 if on_cpu else _devices()
    yield _tried(
        "all devices",
        None if devices > 1 else "it needs several devices",
        lambda: check_devices(model, preprocess, where, devices, engine),
    )
    if isinstance(engine, DeviceEngine):
        yield Check("at the end", None, f"noise {engine.facts['noise']}, batch {engine.size}")


def _tried(name: str, missing: str | None, check: Callable[[], Check]) -> Check:
    """Run one check; whatever goes wrong with it must not keep the others from being run."""
    if missing is not None:
        return not_run(name, missing)
    try:
        return check()
    except Exception as error:
        if not isinstance(error, RsonnxError):
            traceback.print_exc()
        return Check(name, False, f"{type(error).__name__}: {error}")


def _devices() -> int:
    driver = this_machine().driver
    return 0 if driver is None else driver.devices


def _circumstances(given: argparse.Namespace, where: Where) -> dict[str, Any]:
    machine = this_machine()
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "provider": where.provider.name,
        "device": given.device,
        "cards": [asdict(card) for card in machine.cards],
        "driver": None if machine.driver is None else asdict(machine.driver),
        "processor": platform.processor() or platform.machine(),
        "model": "ResNet-50, random weights" if given.model is None else given.model.name,
        "versions": versions() | packages_named("nvidia-", "cupy"),
    }


def _heading(found: dict[str, Any]) -> str:
    cards = ", ".join(f"{c['name']}, driver {c['driver']}" for c in found["cards"]) or "no card"
    return f"{found['model']} on {found['provider']}; {cards}; {found['date']}"


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="with a free batch axis")
    parser.add_argument("--preprocess", help="as for rsonnx certify")
    parser.add_argument("--provider", choices=("cuda", "tensorrt", "cpu"), default="cuda")
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--batch-size", type=_count, help="inputs a run [by memory]")
    parser.add_argument("--cuda-graph", action="store_true")
    parser.add_argument("--samples", type=_count, default=4_096, help="to compare counts [4096]")
    parser.add_argument("--n", type=_count, default=100_000, help="of the certificate [100000]")
    parser.add_argument("--rounds", type=_count, default=10, help="of the speed [10]")
    parser.add_argument("--seconds", type=float, default=1.0, help="a round [1]")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    return parser


if __name__ == "__main__":
    sys.exit(main())
