"""Compare the class that is counted with the label that plain onnxruntime gives, input by input.

    python tools/check_labels.py DIR_OR_FILE... [--inputs 1000] [--bounds LOW HIGH]

Every ``*.onnx`` file that loads and has an output of labels (whole numbers, truth values or texts,
one an input or the best few first) is run on noisy inputs twice: as ``rsonnx`` counts it, and as the
file is, by onnxruntime, row by row where the file fixes a batch of one. A line a file says how many
answers differ; answers of no class (NaN) are listed apart. The exit code is 1 where any differs.
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
_SEED = 1
_SHAPES: dict[str, tuple[int, ...]] = {"treecl.onnx": (20,), "treecl2.onnx": (20,)} | {
    "treecl3.onnx": (10,)
}
"""What the end of a file's name says of a shape that the file leaves open."""

_WHOLE = {"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"}


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


def label_output(session: Any) -> str | None:
    """Return the output of a file that holds its labels, by what a user would see of it."""
    whole = [o.name for o in session.get_outputs() if o.type[7:-1] in _WHOLE | {"string"}]
    likely = [n for n in whole if not n.startswith("Label")]  # ML.NET gives that input back
    return (likely or whole or [None])[-1]


def own_labels(path: Path, inputs: NDArray[np.float32]) -> tuple[str, list[str]] | None:
    """Return a file's label output and its labels as text; None where it has none."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    output = label_output(session)
    if output is None:
        return None
    data = next(i for i in session.get_inputs() if "float" in i.type or "double" in i.type)
    fed = inputs.astype(np.float64 if "double" in data.type else np.float32)
    feeds = {
        i.name: np.array([[""]]) for i in session.get_inputs() if i is not data
    }  # ML.NET's column of labels
    fixed = isinstance(data.shape[0], int) and data.shape[0] > 0
    size = data.shape[0] if fixed else len(fed)
    labels: list[str] = []
    for start in range(0, len(fed), size):
        part = np.resize(fed[start : start + size], (size, *fed.shape[1:]))
        found = np.asarray(session.run([output], {data.name: part, **feeds})[0])
        first = found.reshape(size, -1)[:, 0].tolist()
        labels += [str(v) for v in first[: len(fed) - start]]
    return output, [str(int(v == "True")) if v in ("True", "False") else v for v in labels]


def compare(path: Path, count: int, bounds: Sequence[float]) -> Compared | str | None:
    """Compare one file; a sentence where it is refused, None where it has no label."""
    shape = next((s for end, s in _SHAPES.items() if path.name.endswith(end)), None)
    low, high = bounds
    try:
        model = load(
            path, preprocess="none", bounds=(low, high), providers=["cpu"], input_shape=shape
        )
    except RsonnxError as error:
        return str(error)
    inputs = noisy_inputs(model, count)
    own = own_labels(path, inputs)
    if own is None:
        return None
    by_graph = model.facts["class_names_source"] == "graph"
    counted = model.classify(inputs)
    names = [model.class_names[k] if by_graph else str(k) for k in counted]
    some = counted >= 0
    wrong = sum(a != b for a, b, is_class in zip(names, own[1], some, strict=True) if is_class)
    return Compared(path.name, own[0], count, len(set(own[1])), int((~some).sum()), wrong)


def files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the model files that were named, and those of folders."""
    for path in paths:
        yield from sorted(path.glob("*.onnx")) if path.is_dir() else [path]


def main() -> int:
    """Compare every file and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--bounds", type=float, nargs=2, default=(0.0, 1.0))
    arguments = parser.parse_args()
    print(
        "| file | label | inputs | labels seen | no class | differences |\n|---|---|---|---|---|---|"
    )
    differences, refused = 0, []
    for path in files(arguments.paths):
        found = compare(path, arguments.inputs, arguments.bounds)
        if isinstance(found, Compared):
            differences += found.differences
            print(found.row(), flush=True)
        elif found is not None:
            refused.append(f"refused: {path.name}: {found}")
    print(f"\ndifferences: {differences}", *refused, sep="\n")
    return int(differences > 0)


if __name__ == "__main__":
    sys.exit(main())
