"""Compare the class that is counted with the label that plain onnxruntime gives, input by input.

    python tools/check_labels.py DIR_OR_FILE... [--inputs 1000] [--bounds LOW HIGH]
        [--input-shape NAME=20]

Every ``*.onnx`` file that loads and has an output of labels (whole numbers, truth values or texts,
one an input or the best few first) is run on noisy inputs twice: as rsonnx counts it, and as the
file is, by onnxruntime, in batches of the size that the file fixes. A line a file says how many
answers differ; answers of no class (NaN) are counted apart. The exit code is 1 where any differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from rsonnx.errors import RsonnxError
from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import load

_SIGMA = 0.25
"""Of the noise, as a share of the range of the bounds."""

_SEED = 1
_LABELS = {
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool", "string")
}


@dataclass(frozen=True)
class Compared:
    """What became of one file.

    Attributes:
        file: its name.
        output: the output that holds its label.
        inputs: how many were run.
        labels: how many different labels its own answers have.
        no_class: how many inputs were counted as of no class.
        differences: how many of the others were counted as another class.
    """

    file: str
    output: str
    inputs: int
    labels: int
    no_class: int
    differences: int

    def row(self) -> str:
        """Return the line, in Markdown."""
        cells = (self.file, self.output, self.inputs, self.labels, self.no_class, self.differences)
        return "| " + " | ".join(map(str, cells)) + " |"


def noisy_inputs(model: OnnxClassifier, count: int) -> NDArray[np.float32]:
    """Return uniform inputs within the bounds with Gaussian noise on them, (count, \\*shape)."""
    generator = np.random.default_rng(_SEED)
    low, high = model.bounds
    clean = low + (high - low) * generator.random((count, *model.shape))
    noise = _SIGMA * (high - low) * generator.standard_normal(clean.shape)
    return np.asarray(clean + noise, np.float32)


def own_labels(path: Path, inputs: NDArray[np.float32]) -> tuple[str, list[str]] | None:
    """Return a file's label output and its labels as text; None where it has none."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs() if o.type[7:-1] in _LABELS]
    # ML.NET gives its column of labels back, under the name of that input.
    given = {f"{i.name}.onnx" for i in session.get_inputs()}
    output = next((name for name in reversed(names) if name not in given), None)
    if output is None:
        return None
    data = next(i for i in session.get_inputs() if i.type in ("tensor(float)", "tensor(double)"))
    fed = inputs.astype(np.float64 if "double" in data.type else np.float32)
    others: dict[str, Any] = {
        i.name: np.array([[""]], object) for i in session.get_inputs() if i is not data
    }
    fixed = data.shape[0] if isinstance(data.shape[0], int) else len(fed)
    labels: list[Any] = []
    for start in range(0, len(fed), fixed):
        part = np.resize(fed[start : start + fixed], (fixed, *fed.shape[1:]))
        found = session.run([output], {data.name: part, **others})[0]
        labels += np.reshape(found, (fixed, -1))[:, 0].tolist()
    return output, [v if isinstance(v, str) else str(int(v)) for v in labels[: len(fed)]]


def compare(path: Path, count: int, **options: Any) -> Compared | None:
    """Compare one file; None where it has no label.

    Args:
        path: the file.
        count: how many inputs.
        options: of :func:`rsonnx.load`, beside preprocessing and provider.

    Raises:
        RsonnxError: the file is refused.
    """
    model = load(path, preprocess="none", providers=["cpu"], **options)
    inputs = noisy_inputs(model, count)
    own = own_labels(path, inputs)
    if own is None:
        return None
    output, labels = own
    by_name = model.facts["class_names_source"] == "graph"
    counted = model.classify(inputs).tolist()
    names = [model.class_names[k] if by_name and k >= 0 else str(k) for k in counted]
    some = [k >= 0 for k in counted]
    wrong = sum(a != b for a, b, is_class in zip(names, labels, some, strict=True) if is_class)
    return Compared(path.name, output, count, len(set(labels)), count - sum(some), wrong)


def files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the model files that were named, and those of folders."""
    for path in paths:
        yield from sorted(path.glob("*.onnx")) if path.is_dir() else [path]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare every file and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--bounds", type=float, nargs=2, default=(0.0, 1.0))
    parser.add_argument("--input-shape", action="append", default=[], metavar="NAME=SHAPE")
    given = parser.parse_args(arguments)
    shapes = dict(text.split("=") for text in given.input_shape)
    print("| file | label | inputs | labels seen | no class | differences |")
    print("|---|---|---|---|---|---|")
    differences, refused = 0, []
    for path in files(given.paths):
        shape = next((s.split(",") for name, s in shapes.items() if path.name.endswith(name)), None)
        try:
            found = compare(
                path,
                given.inputs,
                bounds=tuple(given.bounds),
                input_shape=None if shape is None else [int(d) for d in shape],
            )
        except RsonnxError as error:
            refused.append(f"refused: {path.name}: {error}")
            continue
        if found is not None:
            differences += found.differences
            print(found.row(), flush=True)
    print(f"\ndifferences: {differences}", *refused, sep="\n")
    return int(differences > 0)


if __name__ == "__main__":
    sys.exit(main())
