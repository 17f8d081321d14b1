"""Certify what a training kept on its way (``tools/train.py --keep-every``): ACR by epochs.

    python tools/make_progress.py KEPT --folder FOLDER_OF_MNIST_GZ_FILES

It certifies each file NAME_epoch_K.onnx of the folder KEPT on training images that were held out,
at the sigma that the file was trained with, and writes ``tools/results/progress.json``, where the
figures of other models stay.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import rsonnx
from rsonnx.data import open_dataset
from rsonnx.report import summarize

RESULTS = Path(__file__).resolve().parent / "results" / "progress.json"
HELD_OUT, EVERY, N, SEED = 500, 5, 1_000, 1


def records(kept: Path, mnist: Path) -> Iterator[dict[str, Any]]:
    """Yield the ACR of each kept file."""
    dataset = open_dataset(mnist / "train-images-idx3-ubyte.gz")
    taken = [dataset[i] for i in range(len(dataset) - HELD_OUT, len(dataset), EVERY)]
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "held_out.npz")
        np.savez(images, x=np.stack([e.values for e in taken]), y=[e.label for e in taken])
        named = {path: re.fullmatch(r"(.+)_epoch_(\d+)", path.stem) for path in kept.glob("*.onnx")}
        for path, (name, epochs) in ((p, match.groups()) for p, match in named.items() if match):
            said = {pair.key: pair.value for pair in onnx.load(path).metadata_props}
            training = json.loads(said["rsonnx.training"])
            out = Path(folder, f"{path.stem}.jsonl")
            run = rsonnx.certify(
                *(path, images), sigma=training["sigma"], n=N, seed=SEED, output=out
            )
            acr = summarize(run.rows, (0.0,)).acr
            yield {
                **{"model": name, "method": training["method"]},
                **{"sigma": training["sigma"], "epochs": int(epochs), "acr": float(acr)},
                **{"inputs": len(run.rows), "n": N},
            }


def main() -> None:
    """Certify the files and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kept", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    fresh = list(records(args.kept, args.folder))
    names = {record["model"] for record in fresh}
    held = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    others = [record for record in held if record["model"] not in names]
    ordered = sorted([*others, *fresh], key=lambda record: (record["model"], record["epochs"]))
    lines = list(map(json.dumps, ordered))
    RESULTS.write_text("[\n " + ",\n ".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
