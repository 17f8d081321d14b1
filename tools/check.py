"""Check rsonnx against what others compute: plain onnxruntime, a catalogue, exact arithmetic.

    python tools/check.py labels DIR_OR_FILE... [--inputs 1000] [--bounds LOW HIGH]
        [--input-shape NAME=20]
    python tools/check.py models DIR [--mnist IDX] [--cifar10 ZIP] [--imagenet DIR WNIDS]
        [--images 1000] [--n 1000] [--only TEXT]
    python tools/check.py rounding [--cases 10000] [--seed 4]
    python tools/check.py adaptive [--n 100000] [--share 0.3]
    python tools/check.py exact [--rows 10000] [--seed 4]

labels runs every file that loads and has an output of labels (whole numbers, truth values or texts,
one an input or the best few first) on noisy inputs twice: as rsonnx counts it, and as the file is,
by onnxruntime, in batches of the size that the file fixes. A line a file says how many answers
differ; answers of no class (NaN) are counted apart.
models loads every model of a folder with a catalogue.json the way ``rsonnx certify`` does,
certifies one input and scores test images. What the catalogue calls no classifier must be refused.
rounding compares bounds and radii on random (k, n, alpha) with 200-bit arithmetic and the library's
own proof.
adaptive computes the exact probability of a false certificate of the adaptive rule at its worst.
exact compares exact radii of random trees with 60-digit arithmetic, whose labels are onnxruntime's.

The exit code is 1 where anything is not as it must be.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

COMMANDS = {
    "labels": ("checking.labels", "main"),
    "models": ("checking.models", "main"),
    "rounding": ("checking.statistics", "rounding"),
    "adaptive": ("checking.statistics", "adaptive"),
    "exact": ("checking.exact", "exact"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one check, print what it finds and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    labels, models, rounding, adaptive, exact = (commands.add_parser(name) for name in COMMANDS)
    labels.add_argument("paths", type=Path, nargs="+")
    labels.add_argument("--inputs", type=int, default=1000)
    labels.add_argument("--bounds", type=float, nargs=2, default=(0.0, 1.0))
    labels.add_argument("--input-shape", action="append", default=[], metavar="NAME=SHAPE")
    models.add_argument("folder", type=Path)
    models.add_argument("--mnist", type=Path, help="idx file of the MNIST test images")
    models.add_argument("--cifar10", type=Path, help="zip of the CIFAR-10 test images")
    models.add_argument("--imagenet", type=Path, nargs=2, metavar=("DIR", "WNIDS"))
    models.add_argument("--images", type=int, default=1000)
    models.add_argument("--n", type=int, default=1000)
    models.add_argument("--only", default="", help="models whose name holds this text")
    rounding.add_argument("--cases", type=int, default=10_000)
    rounding.add_argument("--seed", type=int, default=4)
    adaptive.add_argument("--n", type=int, default=100_000)
    adaptive.add_argument("--share", type=float, help="of alpha for the e-process")
    adaptive.add_argument("--futility", type=float, default=0.001)
    exact.add_argument("--rows", type=int, default=10_000)
    exact.add_argument("--seed", type=int, default=4)
    given = parser.parse_args(arguments)
    module, function = COMMANDS[given.command]
    return int(getattr(importlib.import_module(module), function)(given))


if __name__ == "__main__":
    sys.exit(main())
