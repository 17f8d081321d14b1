"""Rebuild all that stands in ``sample_models/``: images, models, certified figures, curves.

    python tools/make_samples.py --folder DATA_SETS --part images
    python tools/make_samples.py --folder DATA_SETS --part models --only mnist_gaussian_0.50
    python tools/make_samples.py --folder DATA_SETS --part runs --runs runs/
    python tools/make_samples.py --folder DATA_SETS --part figures --runs runs/
    python tools/make_samples.py --folder DATA_SETS --part curves

The folder holds MNIST's four ``.gz`` files in ``mnist/``, and ``cifar10_train.zip`` and
``cifar10_test.zip``. The parts follow on each other; each says how long it took, and ``--part
list`` how long the committed ones took. A part that is interrupted goes on where it was. Models
need ``pip install 'rsonnx[train]'``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from samples import CIFAR_TEST, MNIST_TEST, MODELS, Model

from rsonnx.report import default_radii, summarize
from rsonnx.runs import read_run

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "sample_models"
MANIFEST = HOME / "manifest.json"
PICTURE = HOME / "methods.svg"
SEED = "1"


def main() -> None:
    """Read the arguments and make the part."""
    parser = argparse.ArgumentParser(description="Rebuild the sample models.")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the data sets")
    parser.add_argument(
        "--part", choices=("list", "images", "models", "runs", "figures", "curves"), required=True
    )
    parser.add_argument("--only", nargs="*", help="names of models; default: all")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run files")
    args = parser.parse_args()
    names = [model.name for model in MODELS]
    unknown = sorted(set(args.only or ()) - set(names))
    if unknown:
        parser.error(f"--only names {unknown[0]}, which is none of {', '.join(names)}")
    chosen = [model for model in MODELS if not args.only or model.name in args.only]
    begun = time.monotonic()
    if args.part == "list":
        _list()
        return
    if args.part == "images":
        mnist = args.folder / "mnist"
        _call("tools/sample_mnist.py", "--data", str(mnist), "--out", MNIST_TEST)
    elif args.part == "models":
        for model in chosen:
            _train(model, args.folder)
    elif args.part == "runs":
        args.runs.mkdir(parents=True, exist_ok=True)
        for model in chosen:
            _certify(model, args.folder, args.runs)
    elif args.part == "curves":
        _call("tools/make_curves.py")
    else:
        _write_figures(args.runs, chosen)
        _draw_methods(args.runs)
    print(f"{args.part}: {time.monotonic() - begun:.0f} s", file=sys.stderr)


def _call(*words: str) -> None:
    """Run one of the project's programs from its top folder."""
    print("+ python " + " ".join(words), file=sys.stderr)
    done = subprocess.run([sys.executable, *words], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"{words[0]} ended with exit code {done.returncode}; see above")


def _train(model: Model, folder: Path) -> None:
    begun = time.monotonic()
    data = folder / "mnist" if model.data == "mnist" else folder
    start = ("--start", str(HOME / f"{model.start}.onnx")) if model.start else ()
    out = ("--out", str(HOME / model.file))
    words = ("--data", model.data, "--folder", str(data), *model.training, *start, *out)
    _call("tools/train.py", *words, "--resume")
    _note(model, training_seconds=round(time.monotonic() - begun))


def _certify(model: Model, folder: Path, runs: Path) -> None:
    inputs = MNIST_TEST if model.data == "mnist" else str(folder / CIFAR_TEST)
    run = str(runs / f"{model.name}.jsonl")
    words = ("-m", "rsonnx", "certify", str(HOME / model.file), inputs, *model.certifying)
    _call(*words, "--seed", SEED, "-o", run, "--resume")


def _write_figures(runs: Path, chosen: list[Model]) -> None:
    """Note each model's digest, size and certified figures, and draw the curves."""
    for model in chosen:
        content = (HOME / model.file).read_bytes()
        run = read_run(runs / f"{model.name}.jsonl")
        targets = run.header["target_radii"]
        largest = run.header["largest_radius"]
        whole = run.header["noise"]["norm"] in ("l0", "patch")
        radii = default_radii(largest, whole=whole) if targets is None else (0.0, *targets)
        found = summarize(run.rows, radii)
        if found.certified_accuracy is None or found.acr is None:
            sys.exit(f"{run.path} has an input without a label, so it has no figures")
        _note(
            model,
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            certified={
                "options": " ".join([*model.certifying, "--seed", SEED]),
                "norm": run.header["noise"]["norm"],
                "n": run.header["n"],
                "alpha": run.header["alpha"],
                "adaptive": targets is not None,
                "inputs": found.inputs,
                "right_without_noise": sum(row.base_prediction == row.label for row in run.rows),
                "abstained": found.abstained,
                "acr": found.acr,
                "radii": list(radii),
                "right": [int(share * found.inputs) for share in found.certified_accuracy],
                "samples": sum(row.samples for row in run.rows),
                "seconds": round(sum(row.seconds for row in run.rows)),
            },
        )


def _draw_methods(runs: Path) -> None:
    """Draw the curves of the four methods at sigma 0.5 into one picture."""
    methods = ("gaussian", "consistency", "smoothadv", "smoothmix")
    files = [str(runs / f"mnist_{method}_0.50.jsonl") for method in methods]
    PICTURE.unlink(missing_ok=True)
    _call("-m", "rsonnx", "report", *files, "--plot", str(PICTURE))


def _note(model: Model, **facts: Any) -> None:
    """Add facts of a model to the manifest."""
    held = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    held[model.name] = held.get(model.name, {}) | facts
    order = [one.name for one in MODELS]
    held = dict(sorted(held.items(), key=lambda item: order.index(item[0])))
    MANIFEST.write_text(json.dumps(held, indent=1) + "\n")


def _list() -> None:
    """Print what the manifest says of every model: size, training, certification."""
    held = json.loads(MANIFEST.read_text())
    for model in MODELS:
        facts = held[model.name]
        certified = facts["certified"]
        print(
            f"{model.file:30} {facts['bytes']:>9,} bytes  trained in "
            f"{facts['training_seconds']:>5} s  certified {certified['inputs']} inputs in "
            f"{certified['seconds']:>4} s: ACR {certified['acr']:.4f}"
        )


if __name__ == "__main__":
    main()
