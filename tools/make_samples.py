"""Rebuild all that stands in ``sample_models/``: images, models, certified figures, curves, tables.

    python tools/make_samples.py images --folder DATA_SETS
    python tools/make_samples.py models --folder DATA_SETS --only mnist_gaussian_0.50
    python tools/make_samples.py denoisers --folder DATA_SETS
    python tools/make_samples.py stumps --folder DATA_SETS
    python tools/make_samples.py runs --folder DATA_SETS --runs runs/
    python tools/make_samples.py figures --runs runs/
    python tools/make_samples.py curves
    python tools/make_samples.py tables

The folder holds MNIST's four ``.gz`` files in ``mnist/``, and ``cifar10_train.zip`` and
``cifar10_test.zip``. The parts follow on each other; each says how long it took. A part that is
interrupted goes on where it was. Models need ``pip install 'rsonnx[train,gpu]'``. Tables are
printed: those of ``sample_models/README.md``, from the manifest and ``tools/results``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from sample_tables import HOME, MANIFEST, ROOT, tables
from samples import (
    CIFAR_TEST,
    FRONTS,
    METHODS,
    MNIST_TEST,
    MODELS,
    SIGMAS,
    STUMPS,
    Front,
    Model,
    Stumps,
)

from rsonnx.data import open_dataset
from rsonnx.errors import DataError
from rsonnx.procedures import default_radii
from rsonnx.report import summarize
from rsonnx.runs import read_run

SEED = "1"
STRIDE = 20
"""Indices 0, 20, 40, ..., 9980: the habit of the field, and 500 images of the 10,000."""


def call(*words: str | Path) -> None:
    """Run one of the project's programs from its top folder."""
    print("+ python", *words, file=sys.stderr)
    done = subprocess.run([sys.executable, *words], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"{words[0]} ended with exit code {done.returncode}; see above")


def draw(picture: str, runs: Iterable[Path]) -> None:
    """Draw certified accuracy of runs against the radius."""
    (HOME / picture).unlink(missing_ok=True)
    call("-m", "rsonnx", "report", *runs, "--plot", HOME / picture)


def images(mnist: Path, out: Path) -> None:
    """Write every 20th image of the MNIST test set as a small data set in the original format.

    The bytes are the same on every run: the gzip header carries no time and no name.
    """
    dataset = open_dataset(mnist / "t10k-images-idx3-ubyte.gz")
    chosen = [dataset[index] for index in range(0, len(dataset), STRIDE)]
    pixels = np.stack([example.values[:, :, 0] for example in chosen])
    labels = np.array([example.label for example in chosen], np.uint8)
    out.mkdir(parents=True, exist_ok=True)
    for name, values in (("images-idx3", pixels), ("labels-idx1", labels)):
        header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
        content = gzip.compress(header + values.tobytes(), compresslevel=9, mtime=0)
        (out / f"{name}-ubyte.gz").write_bytes(content)


def train(model: Model, folder: Path) -> None:
    """Train a model, and note how long it took."""
    begun = time.monotonic()
    data = folder / "mnist" if model.data == "mnist" else folder
    start = ("--start", HOME / f"{model.start}.onnx") if model.start else ()
    words = ("--data", model.data, "--folder", data, *model.training.split(), *start)
    call("tools/train.py", *words, "--out", HOME / model.file, "--resume")
    note(model, training_seconds=round(time.monotonic() - begun))


def train_front(front: Front, folder: Path) -> None:
    """Train what stands before a classifier, and note its file and how long it took."""
    begun, file = time.monotonic(), HOME / f"{front.name}.onnx"
    images = folder / front.images
    call("tools/train_denoiser.py", images, *front.training.split(), "--out", file, "--resume")
    note_file(front, round(time.monotonic() - begun))


def train_stumps(stumps: Stumps, folder: Path) -> None:
    """Train an ensemble of stumps, and note its file and how long it took."""
    begun, file = time.monotonic(), HOME / f"{stumps.name}.onnx"
    words = (word.replace("FOLDER", str(folder)) for word in stumps.training.split())
    call("tools/train_stumps.py", *words, "--out", file)
    note_file(stumps, round(time.monotonic() - begun))


def note_file(made: Front | Stumps, seconds: int) -> None:
    """Note the file of what is not certified here."""
    content = (HOME / f"{made.name}.onnx").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    note(made, training_seconds=seconds, sha256=digest, bytes=len(content))


def certify(model: Model, folder: Path, runs: Path) -> None:
    """Certify a model's inputs into its run files."""
    runs.mkdir(parents=True, exist_ok=True)
    inputs = MNIST_TEST if model.data == "mnist" else folder / CIFAR_TEST
    for file, options in model.runs.values():
        words = ("-m", "rsonnx", "certify", HOME / model.file, inputs, *options.split())
        call(*words, "--seed", SEED, "-o", runs / file, "--resume")


def figures(model: Model, runs: Path) -> None:
    """Note a model's digest, size and certified figures."""
    content = (HOME / model.file).read_bytes()
    note(
        model,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        epochs=_epochs(HOME / model.file),
        **{
            name: _figures_of(model, runs / file, options)
            for name, (file, options) in model.runs.items()
        },
    )


def _figures_of(model: Model, path: Path, options: str) -> dict[str, Any]:
    """Return the certified figures of a run of a model."""
    run = read_run(path)
    header, noise = run.header, run.header.noise
    targets = header.procedure.target_radii
    usual = default_radii(header.largest_radius, whole=noise.measure.whole)
    radii = (0.0, *(targets or model.radii)) if targets or model.radii else usual
    summary = summarize(run.rows, radii)
    if not summary.labelled:
        sys.exit(f"{run.path} has an input without a label, so it has no figures")
    told = summary.to_json()
    return {
        "options": f"{options} --seed {SEED}",
        "norm": noise.norm,
        "n": header.procedure.n,
        "alpha": header.procedure.alpha,
        "adaptive": targets is not None,
        "inputs": summary.inputs,
        "right_without_noise": sum(row.base_prediction == row.label for row in run.rows),
        "abstained": summary.abstained,
        "acr": told["acr"],
        "radii": list(radii),
        "right": told["certified_accuracy_count"],
        "samples": sum(row.samples for row in run.rows),
        "seconds": round(sum(row.seconds for row in run.rows)),
    }


def _epochs(path: Path) -> int:
    """Return how many epochs a model's file says that it was trained for."""
    said = {pair.key: pair.value for pair in onnx.load(path).metadata_props}
    return int(json.loads(said["rsonnx.training"])["epochs"])


def pictures(runs: Path) -> None:
    """Draw the curves of the four methods of training, of all samples that there are."""
    trained = {model.name: model for model in MODELS}
    for sigma in SIGMAS[1:]:
        lenets = (trained[f"mnist_lenet_{method}_{sigma}"] for method in METHODS)
        drawn = [runs / [*lenet.runs.values()][-1][0] for lenet in lenets]
        draw(f"methods_{sigma}.svg", drawn)


def curves() -> None:
    """Certify all images with the Gaussian models, n = 10,000, and draw their curves."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder, f"{sigma}.jsonl") for sigma in SIGMAS]
        for sigma, run in zip(SIGMAS, runs, strict=True):
            model = HOME / f"mnist_gaussian_{sigma}.onnx"
            words = ("--sigma", sigma, "--n", "10000", "--seed", SEED, "-o", run)
            call("-m", "rsonnx", "certify", model, MNIST_TEST, *words)
        draw("certified_accuracy.svg", runs)


def note(model: Model | Front | Stumps, **facts: Any) -> None:
    """Add facts of a model to the manifest."""
    held = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    held[model.name] = held.get(model.name, {}) | facts
    held = {one.name: held[one.name] for one in (*MODELS, *FRONTS, *STUMPS) if one.name in held}
    MANIFEST.write_text(json.dumps(held, indent=1) + "\n")


def main() -> None:
    """Read the arguments and make the part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("images", "models", "denoisers", "stumps", "runs", "figures", "curves", "tables")
    parser.add_argument("part", choices=parts)
    parser.add_argument("--folder", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="*", help="names of models; default: all")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run files")
    args = parser.parse_args()
    names = [one.name for one in (*MODELS, *FRONTS, *STUMPS)]
    unknown = sorted(set(args.only or ()) - set(names))
    if unknown:
        parser.error(f"--only names {unknown[0]}, which is none of {', '.join(names)}")
    if args.folder is None and args.part in ("images", "models", "denoisers", "stumps", "runs"):
        parser.error(f"{args.part} needs --folder, where the data sets are")
    begun = time.monotonic()
    if args.part == "images":
        try:
            images(args.folder / "mnist", ROOT / MNIST_TEST)
        except (OSError, ValueError, DataError) as error:
            parser.error(str(error))
    chosen = set(args.only or names)
    for model in (model for model in MODELS if model.name in chosen):
        if args.part == "models":
            train(model, args.folder)
        elif args.part == "runs":
            certify(model, args.folder, args.runs)
        elif args.part == "figures":
            figures(model, args.runs)
    others: dict[str, tuple[Any, Any]] = {
        "denoisers": (train_front, FRONTS),
        "stumps": (train_stumps, STUMPS),
    }
    train_one, made = others.get(args.part, (None, ()))
    for one in (one for one in made if one.name in chosen):
        train_one(one, args.folder)
    if args.part == "figures":
        pictures(args.runs)
    elif args.part == "curves":
        curves()
    elif args.part == "tables":
        print("\n".join(tables()))
    print(f"{args.part}: {time.monotonic() - begun:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
