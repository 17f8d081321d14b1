"""Measure rsonnx: against the bare model, against others, and as the samples grow.

    python tools/bench.py speed [PART ...] [--model mnist resnet20] [--rounds 10] [--provider cpu]
        [--workers K] [--batch-size B] [--samples N]
    python tools/bench.py peers MODEL DATA [--limit 20] [--n N] [--n0 100] [--ceiling 100000]
        [--target-radius 0.5] [--precision 0.05] [--rounds 3]
    python tools/bench.py rows DIR [--rounds 5] [--seconds 0.3] [--only TEXT]
    python tools/bench.py adaptive-samples LOGS [--alpha 0.001] [--n 100000]
    python tools/bench.py adaptive-time [MODEL DATA] [--sigma 0.5] [--target-radius 0.5]
    python tools/bench.py precision-samples LOGS [--alpha 0.001] [--n 100000] [--share 0.02 ...]
    python tools/bench.py precision-time [MODEL DATA] [--sigma 0.5] [--share 0.02 ...] [--limit 40]
    python tools/bench.py noises [--n 10000] [--limit 50]
    python tools/bench.py inputs [--most 50000]
    python tools/bench.py few [--inputs 10000] [--n 100] [--rounds 5] [--workers K]
    python tools/bench.py start [--rounds 5] [--inputs 50000]
    python tools/bench.py exact --runs RUNS --mnist FOLDER [--n 10000] [--limit 40] [--only TEXT]
    python tools/bench.py denoisers DIR --pictures ZIP --runs RUNS [--n 1000] [--every 1]
    python tools/bench.py ensembles A B C ... --runs RUNS [--sigma 1] [--n 10000] [--every 1]
    python tools/bench.py beside --runs RUNS --pictures ZIP --models DIR [--n 10000] [--limit 10]
        [--only TEXT]

Each takes --json FILE, for all figures in full.

speed has the parts
    eta     η = samples per second of rsonnx (noise drawn, labels counted) / those of a bare
            session.run on one ready batch: same session settings, batch and number of threads. The
            bare side has the file's own graph; beside it stands rsonnx's session, which also
            preprocesses and answers a label, so that the cost of those shows.
    noise   nanoseconds a value on one thread, beside numpy's standard_normal in float32.
    stages  shares of one worker's time: draw, place, session, rest.
    linear  seconds of a certification with 1e3, 1e4, ... samples.
    memory  peak resident memory of a fresh process that certifies with 1e3, 1e4, ... samples.
peers certifies the same images with rsonnx and others at the same alpha: a certificate of n samples
by a plain PyTorch loop after Cohen et al. and by IBM's adversarial-robustness-toolbox, with their
usual batches of 1,000 and 32 and their best ones; and of the sample models, one target radius by
CertifyAdp, a union bound and betting, and a whole curve by input-specific sampling. MODEL is mnist,
cifar10, resnet20, resnet110 or resnet50, DATA pictures for it. On the processor.
rows has η of third-party models (DIR with their catalogue.json, or ONNX files alone) as they run,
one row at a time, and watched. adaptive-samples has the expected samples of the adaptive rule, and
of published ones, on published logs (LOGS is data/certify of locuslab/smoothing), adaptive-time the
wall time on a model, precision-samples and precision-time the same, and the loss of ACR, of runs
that stop for precision, and of two designs that were not chosen, noises the sample models under
every additive noise and norm, denoisers models of a folder behind the sample denoisers and without
(every Kth input), ensembles members alone, their soft vote and their consensuses, few the speed of
predict, certify and adaptive runs of few samples an input as shares of bare inference, inputs the
processor's seconds and the memory of report, verify and merge, and of certify up to its first
certificate, for runs of a quarter, half and all of so many inputs.
exact has certificates of trees and linear models by calculation, beside sampled ones of so many of
the same inputs. start has what a user waits for: help, completion, an import, first rows, and a
model of 1.1 GB beside the bare onnxruntime. beside has the smoothed classifier, sampled and exact,
beside what is proved of the model itself; docs/explanation/beside.md is made of its figures.

What is compared takes turns in one process; figures are medians with quartiles. The models are the
committed MNIST net and ResNet-20 (cifar10), and residual nets with random weights that torch builds
and exports (resnet20 and resnet110 for 32x32 images, resnet50 for 224x224). Those and the peers
need the extra `bench`. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benching import efficiency, growth
from benching.subjects import KINDS, SAMPLES, Subject, prepare
from benching.turns import Record, circumstances, need, table, usable_cores

from rsonnx.errors import RsonnxError

NOISE_VALUES = 1 << 24
"""Values a round in the part on noise: long enough to time, for every law."""

PARTS = {
    "eta": "model arithmetic provider workers batch rsonnx:~,.0f bare:~,.0f eta "
    "eta_of_processor against_own own_against_bare pooled:~,.0f",
    "noise": "what written:.2f",
    "stages": "model arithmetic provider noise:~.1% session:~.1% rest:~.1%",
    "linear": "model n:, rounds seconds microseconds_a_sample:.1f",
    "memory": "model who n:, mebibytes:,.0f loaded:,.0f",
}
"""The parts of speed, each with the columns that are printed."""

COLUMNS = {
    "rows": "model rows eta alone watched batch",
    "adaptive-samples": "log radii factor:.1f e_process:.1f certify_adp:.1f union_bound:.1f "
    "betting:.1f samples:,.0f accuracy:+.4f decisions:.4f",
    "precision-samples": "log precision factor:.2f samples:,.0f lost:.2% estimated:.2% limit:.2f "
    "pilot:.2f n0:, anytime:.2f anytime_lost:.2%",
    "precision-time": "precision inputs seconds:.1f samples:,.0f acr:v4 times_fewer_samples:.2f "
    "times_fewer_seconds:.2f lost:.2% estimated:.2%",
    "peers": "model question who batch inputs samples:,.0f seconds:.3f rsonnx_is_faster:.2f "
    "certified:.0% acr:v4",
    "adaptive-time": "way seconds:.2f samples:,.1f differ",
    "noises": "noise norm sigma acr:v4 right seconds",
    "denoisers": "model denoiser sigma n:, inputs acr:v4 right seconds",
    "ensembles": "what sigma n:, inputs acr:v4 right saved:.1% seconds",
    "inputs": "what inputs:, seconds:.1f mebibytes:,.0f",
    "few": "what n inputs:, samples:, seconds:~.1f wall processor",
    "start": "what wall:.2f cpu:.2f mebibytes:~,.0f",
    "beside": "model way norm n inputs certified radius:v4 seconds:.2f",
    "exact": "data model inputs right acr:v4 milliseconds:.1f sampled_inputs exact_acr_there:v4 "
    "sampled_acr:v4 sampled_milliseconds:,.0f above allowed",
}


def measure(part: str, subject: Subject, given: argparse.Namespace) -> Iterable[Record]:
    """Return the results of one part for one model."""
    rounds, provider = given.rounds, given.provider
    most = given.samples or subject.kind.most
    if part in ("eta", "stages"):
        measured, options = efficiency.measure_stages, {"batch_size": given.batch_size}
        if part == "eta":
            measured, options["workers"] = efficiency.measure_eta, given.workers
        return (
            measured(subject, provider, arithmetic, rounds=rounds, **options)
            for arithmetic in efficiency.ARITHMETICS
        )
    if part == "linear":
        return growth.measure_cost(subject, provider, rounds=rounds, most=most)
    most = min(most, 100_000)
    return growth.measure_peaks(subject, provider, growth.CONTENDERS, most=most)


def speed(given: argparse.Namespace) -> Iterator[tuple[str, Iterable[Record]]]:
    """Yield the parts that were asked for, each with its results."""
    parts = given.part or list(PARTS)
    if "memory" in parts:
        for module in ("torch", "art", "statsmodels"):
            need(module, "the part memory runs the peers too")
    with tempfile.TemporaryDirectory() as folder:
        subjects = [prepare(name, Path(folder), given.samples) for name in given.model]
        for part in parts:
            if part == "noise":
                values = given.samples or NOISE_VALUES
                yield part, efficiency.measure_noise(rounds=given.rounds, values=values)
            else:
                yield part, (record for s in subjects for record in measure(part, s, given))


def whole(module: str, function: str) -> Callable[[argparse.Namespace], Iterator[Any]]:
    """Return a command that is one part; its module is imported when it is run."""

    def run(given: argparse.Namespace) -> Iterator[tuple[str, Iterable[Record]]]:
        yield given.command, getattr(importlib.import_module(module), function)(given)

    return run


def peers(given: argparse.Namespace) -> Iterator[tuple[str, Iterable[Record]]]:
    """Yield the one part in which rsonnx and its peers certify the same images."""
    for module in ("torch", "art", "statsmodels"):
        need(module, "the peers run on it")
    yield from whole("benching.peers", "measure_peers")(given)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], Iterator[Any]], **options: Any
    ) -> Any:
        added = commands.add_parser(name)
        added.add_argument("--json", type=Path, help="file to write all figures to")
        added.set_defaults(run=run)
        for option, default in options.items():
            kind = _whole if isinstance(default, int) else type(default)
            text = "--" + option.replace("_", "-")
            added.add_argument(text, type=kind, default=default, help="default: %(default)s")
        return added

    parts = command("speed", speed, rounds=10, provider="cpu", workers=usable_cores())
    # Not choices, which argparse would also hold against there being none.
    parts.add_argument("part", nargs="*", type=_part, metavar=f"PART: {', '.join(PARTS)}")
    parts.add_argument("--model", nargs="+", choices=list(KINDS), default=["mnist", "resnet20"])
    parts.add_argument("--batch-size", type=_whole, help="rows a call; parts eta and stages")
    parts.add_argument("--samples", type=_whole, help="of a round, and the most in linear, memory")
    contest = command(
        "peers",
        peers,
        **{"limit": 20, "n0": 100, "ceiling": 100_000, "rounds": 3},
        **{"target_radius": 0.5, "precision": 0.05},
    )
    contest.add_argument("model", choices=list(KINDS))
    contest.add_argument("data", type=Path)
    contest.add_argument("--n", type=_whole, help="samples of a fixed run; default: the model's")
    rows = command("rows", whole("benching.rows", "measure_rows"), rounds=5, seconds=0.3, only="")
    rows.add_argument("folder", type=Path)
    procedures = "benching.procedures"
    samples = command(
        "adaptive-samples", whole(procedures, "adaptive_samples"), n=100_000, alpha=0.001
    )
    samples.add_argument("logs", type=Path)
    seconds = command(
        "adaptive-time",
        whole(procedures, "adaptive_time"),
        **{"sigma": 0.5, "target_radius": 0.5, "n": 100_000, "limit": 40},
    )
    curves = command(
        "precision-samples", whole(procedures, "precision_samples"), n=100_000, alpha=0.001
    )
    curves.add_argument("logs", type=Path)
    wholly = command(
        "precision-time",
        whole(procedures, "precision_time"),
        **{"sigma": 0.5, "n": 100_000, "limit": 40},
    )
    for on_model in (seconds, wholly):
        on_model.add_argument("model", nargs="?", default=SAMPLES / "mnist_gaussian_0.50.onnx")
        on_model.add_argument("data", nargs="?", default=SAMPLES / "mnist_test_500")
    for stopping in (curves, wholly):
        stopping.add_argument("--share", type=float, nargs="+", default=[0.02, 0.05, 0.1])
    command("noises", whole(procedures, "noises"), n=10_000, limit=50)
    pairs = command(
        "denoisers", whole("benching.denoisers", "measure_denoisers"), n=1_000, every=1, only=""
    )
    pairs.add_argument("folder", type=Path)
    pairs.add_argument("--pictures", type=Path, required=True, help="CIFAR-10's test set")
    pairs.add_argument("--runs", type=Path, required=True, help="folder of the run files")
    groups = command(
        "ensembles", whole("benching.ensembles", "measure_ensembles"), sigma=1.0, n=10_000, every=1
    )
    groups.add_argument("members", type=Path, nargs="+", help="models for MNIST of one recipe")
    groups.add_argument("--runs", type=Path, required=True, help="folder of the run files")
    exact = command("exact", whole("benching.exact", "measure_exact"), n=10_000, limit=40, only="")
    exact.add_argument("--runs", type=Path, required=True, help="folder of models and runs")
    exact.add_argument("--mnist", type=Path, required=True, help="folder of MNIST's .gz files")
    beside = command(
        "beside", whole("benching.beside", "measure_beside"), n=10_000, limit=10, only=""
    )
    beside.add_argument("--runs", type=Path, required=True, help="folder of what is made")
    beside.add_argument("--pictures", type=Path, required=True, help="CIFAR-10's test set")
    beside.add_argument("--models", type=Path, required=True, help="folder of others' models")
    command("inputs", whole("benching.inputs", "measure_inputs"), most=50_000)
    few = {"inputs": 10_000, "n": 100, "rounds": 5, "workers": usable_cores()}
    command("few", whole("benching.few", "measure_few"), **few)
    command("start", whole("benching.start", "measure_start"), rounds=5, inputs=50_000)
    return parser.parse_args(arguments)


def _part(text: str) -> str:
    if text not in PARTS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(PARTS)}")
    return text


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print tables, and write JSON."""
    given = parse(arguments)
    settings = {k: v for k, v in vars(given).items() if k not in ("json", "run")}
    report: Record = circumstances() | {"settings": settings, "parts": {}}
    write(report, given.json)  # now, lest hours later it turns out that it cannot be written
    machine = report["machine"]
    print(f"{machine['processor']}, {machine['usable_cores']} cores, {report['date']}")
    print(", ".join(f"{name} {number}" for name, number in report["versions"].items()))
    for part, results in given.run(given):
        report["parts"][part] = records = []
        for record in results:
            records.append(record)
            # So that a long measurement that is stopped leaves what it has.
            write(report, given.json)
        columns = PARTS.get(part) or COLUMNS[part]
        print(f"\n{part}\n{table(records, columns)}", flush=True)


def write(report: Record, path: Path | None) -> None:
    """Write the figures so far, if a file was named."""
    if path is None:
        return
    text = json.dumps(report, indent=1, allow_nan=False, default=_plain)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SystemExit(f"bench: {path} cannot be written: {error.strerror}") from None


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else asdict(value)


if __name__ == "__main__":
    try:
        main()
    except RsonnxError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
