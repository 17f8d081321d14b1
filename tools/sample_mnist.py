"""Write every 20th image of the MNIST test set as a small data set in the original format.

    python tools/sample_mnist.py --data DIR_WITH_MNIST_GZ --out sample_models/mnist_test_500

Both files are byte for byte the same on every run: the gzip header carries no time and no name.
"""

import argparse
import gzip
import struct
from pathlib import Path

import numpy as np

from rsonnx.data import open_dataset
from rsonnx.errors import DataError

STRIDE = 20
"""Indices 0, 20, 40, ..., 9980: the habit of the field, and 500 images of the 10,000."""


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write unsigned bytes of any shape as a gzip-compressed idx file (big-endian header)."""
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), compresslevel=9, mtime=0))


def main() -> None:
    """Read the arguments, then the test set, and write the sample."""
    parser = argparse.ArgumentParser(description="Write every 20th MNIST test image.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the MNIST .gz files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, made if absent")
    args = parser.parse_args()
    try:
        found = open_dataset(args.data / "t10k-images-idx3-ubyte.gz")
        chosen = range(0, len(found), STRIDE)
        images = np.stack([found[index].values[:, :, 0] for index in chosen])
        labels = np.array([found[index].label for index in chosen], np.uint8)
        args.out.mkdir(parents=True, exist_ok=True)
        write_idx(args.out / "images-idx3-ubyte.gz", images)
        write_idx(args.out / "labels-idx1-ubyte.gz", labels)
    except (OSError, ValueError, DataError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
