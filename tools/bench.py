"""Measure rsonnx: against the bare model, against others, and as the samples grow.

    python tools/bench.py [--part eta noise stages linear memory peers] [--model mnist resnet20]
        [--rounds 10] [--provider cpu] [--workers K] [--batch-size B] [--samples N] [--json FILE]

Parts:
    eta     η = samples per second of rsonnx (noise drawn, labels counted) / those of a bare
            session.run on one ready batch: same session settings, batch and number of threads. The
            bare side has the file's own graph; beside it stands rsonnx's session, which also
            preprocesses and answers a label, so that the cost of those shows.
    noise   nanoseconds a value on one thread, beside numpy's standard_normal in float32.
    stages  shares of one worker's time: draw, place, session, rest.
    linear  seconds of a certification with 1e3, 1e4, ... samples.
    memory  peak resident memory of a fresh process that certifies with 1e3, 1e4, ... samples.
    peers   the same model, image and n certified by a plain PyTorch loop after Cohen et al., with
            its usual batch of 1,000 and its best one, and by IBM's adversarial-robustness-toolbox,
            with its default batch of 32 and its best one. On the processor.

What is compared takes turns in one process; figures are medians with quartiles. The models are the
committed MNIST net, and residual nets with random weights that torch builds and exports (resnet20
and resnet110 for 32x32 images, resnet50 for 224x224). Those and the peers need the extra `bench`.
Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench_eta import Eta, Stages, measure_eta, measure_stages
from bench_growth import Contender, Cost, Peak, measure_cost, measure_peaks
from bench_noise import NoiseCost, measure_noise
from bench_subjects import KINDS, Subject, need, prepare
from bench_timing import circumstances, usable_cores

from rsonnx.errors import RsonnxError

NOISE_VALUES = 1 << 24
"""Values a round in the part on noise: long enough to time, for every law."""

PARTS = ("eta", "noise", "stages", "linear", "memory", "peers")
Row = list[str]


def measure(part: str, subject: Subject, arguments: argparse.Namespace) -> list[Any]:
    """Return the results of one part for one model."""
    rounds, provider = arguments.rounds, arguments.provider
    batch_size = arguments.batch_size
    if part == "eta":
        return [
            measure_eta(
                subject,
                provider,
                arithmetic,
                rounds=rounds,
                workers=arguments.workers,
                batch_size=batch_size,
            )
            for arithmetic in ("exact", "float")
        ]
    if part == "stages":
        return [
            measure_stages(subject, provider, arithmetic, rounds=rounds, batch_size=batch_size)
            for arithmetic in ("exact", "float")
        ]
    most = arguments.samples or subject.kind.most
    if part == "linear":
        return list(measure_cost(subject, provider, rounds=rounds, most=most))
    if part == "memory":
        contenders: tuple[Contender, ...] = ("rsonnx", "pytorch loop", "art")
        return list(measure_peaks(subject, provider, contenders, most=min(most, 100_000)))
    import bench_peers  # noqa: PLC0415  # needs torch

    return list(bench_peers.measure_peers(subject, rounds=rounds))


def eta_table(results: Sequence[Eta]) -> Iterator[Row]:
    """Yield the lines of the part on η."""
    yield ["model", "noise", "provider", "workers", "batch", "samples/s", "bare/s", "eta",
           "vs own session", "own vs bare", "pooled vs bare"]  # fmt: skip
    for r in results:
        pooled = "-" if r.pooled is None else f"{r.pooled.median / r.bare.median:.2f}"
        yield [r.model, r.arithmetic, r.provider, str(r.workers), str(r.batch),
               f"{r.rsonnx.median:,.0f}", f"{r.bare.median:,.0f}", r.eta.text(),
               r.against_own.text(), r.own_against_bare.text(), pooled]  # fmt: skip


def noise_table(results: Sequence[NoiseCost]) -> Iterator[Row]:
    """Yield the lines of the part on noise."""
    yield ["noise", "ns a value"]
    for r in results:
        yield [r.what, r.written.text(".2f")]


def stages_table(results: Sequence[Stages]) -> Iterator[Row]:
    """Yield the lines of the part on stages."""
    yield ["model", "noise", "provider", "draw and add", "session", "rest"]
    for r in results:
        shares = (r.noise, r.session, r.rest)
        yield [r.model, r.arithmetic, r.provider, *(f"{s.median:.1%}" for s in shares)]


def linear_table(results: Sequence[Cost]) -> Iterator[Row]:
    """Yield the lines of the part on linear cost."""
    yield ["model", "n", "rounds", "seconds", "us a sample"]
    for r in results:
        each = r.microseconds_a_sample.text(".1f")
        yield [r.model, f"{r.n:,}", str(r.rounds), r.seconds.text(), each]


def memory_table(results: Sequence[Peak]) -> Iterator[Row]:
    """Yield the lines of the part on memory."""
    yield ["model", "who", "n", "peak MiB", "of it before"]
    for r in results:
        yield [r.model, r.who, f"{r.n:,}", f"{r.mebibytes:,.0f}", f"{r.loaded:,.0f}"]


def peers_table(results: Sequence[Any]) -> Iterator[Row]:
    """Yield the lines of the part on peers."""
    yield ["model", "who", "batch", "n", "samples/s", "rsonnx is faster by", "label", "radius"]
    for r in results:
        yield [r.model, r.who, str(r.batch), f"{r.n:,}", f"{r.rate.median:,.0f}",
               r.rsonnx_is_faster.text(".2f"), str(r.label), f"{r.radius:.3f}"]  # fmt: skip


TABLES: dict[str, Callable[[Sequence[Any]], Iterator[Row]]] = {
    "eta": eta_table,
    "noise": noise_table,
    "stages": stages_table,
    "linear": linear_table,
    "memory": memory_table,
    "peers": peers_table,
}


def show(title: str, rows: Iterator[Row]) -> None:
    """Print a table, its first column to the left and the others to the right."""
    lines = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    print(f"\n{title}")
    for first, *others in lines:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *cells]), flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--model", nargs="+", choices=list(KINDS), default=["mnist", "resnet20"])
    parser.add_argument("--rounds", type=_whole, default=10, help="default: %(default)s")
    parser.add_argument("--provider", default="cpu", help="default: %(default)s")
    parser.add_argument(
        "--workers", type=_whole, default=usable_cores(), help="threads on a processor, part eta"
    )
    parser.add_argument("--batch-size", type=_whole, help="rows a call; parts eta and stages")
    parser.add_argument(
        "--samples", type=_whole, help="of a round, and the most in linear and memory"
    )
    parser.add_argument("--json", type=Path, help="file to write all figures to")
    return parser.parse_args(arguments)


def _whole(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return value


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print tables, and write JSON."""
    arguments = parse(given)
    if {"memory", "peers"} & set(arguments.part):
        for module in ("torch", "art", "statsmodels"):
            need(module, "the parts memory and peers run the peers too")
    settings = {name: value for name, value in vars(arguments).items() if name != "json"}
    report: dict[str, Any] = circumstances() | {"settings": settings, "parts": {}}
    write(report, arguments.json)  # now, lest hours later it turns out that it cannot be written
    machine = report["machine"]
    print(f"{machine['processor']}, {machine['usable_cores']} cores, {report['date']}")
    print(", ".join(f"{name} {number}" for name, number in report["versions"].items()))
    with tempfile.TemporaryDirectory() as folder:
        subjects = [prepare(name, Path(folder), arguments.samples) for name in arguments.model]
        for part in arguments.part:
            if part == "noise":
                values = arguments.samples or NOISE_VALUES
                results: list[Any] = list(measure_noise(rounds=arguments.rounds, values=values))
            else:
                results = [r for s in subjects for r in measure(part, s, arguments)]
            show(part, TABLES[part](results))
            report["parts"][part] = [asdict(result) for result in results]
            # After every part, so that a long measurement that is stopped leaves what it has.
            write(report, arguments.json)


def write(report: dict[str, Any], path: Path | None) -> None:
    """Write the figures so far, if a file was named."""
    if path is None:
        return
    try:
        path.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise SystemExit(f"bench: {path} cannot be written: {error.strerror}") from None


if __name__ == "__main__":
    try:
        main()
    except RsonnxError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
