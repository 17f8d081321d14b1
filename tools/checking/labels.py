"""Compare the class that is counted with the label that plain onnxruntime gives, input by input."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from rsonnx.errors import RsonnxError
from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import load

_SIGMA, _SEED = 0.25, 1
"""Sigma of the noise, as a share of the range of the bounds."""
_LABELS = {
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool", "string")
}


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
        answer = session.run([output], {data.name: part, **others})[0]
        labels += np.reshape(answer, (fixed, -1))[:, 0].tolist()
    return output, [v if isinstance(v, str) else str(int(v)) for v in labels[: len(fed)]]


def compare(path: Path, count: int, **options: Any) -> tuple[int, str] | None:
    """Return how many of ``count`` inputs are counted as another class, and the table's line.

    Args:
        path: the file; None is returned where it has no label.
        count: how many inputs. Those that are counted as of no class are no differences.
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
    wrong = sum(a != b for a, b, k in zip(names, labels, counted, strict=True) if k >= 0)
    no_class = sum(k < 0 for k in counted)
    cells = (path.name, output, count, len(set(labels)), no_class, wrong)
    return wrong, f"| {' | '.join(map(str, cells))} |"


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.glob("*.onnx")) if path.is_dir() else [path]


def main(given: argparse.Namespace) -> int:
    """Compare every file and print the table; 1 where any answer differs."""
    shapes = dict(text.split("=") for text in given.input_shape)
    print("| file | label | inputs | labels seen | no class | differences |")
    print("|---|---|---|---|---|---|")
    differences, refused = 0, []
    for path in _files(given.paths):
        shape = next((s.split(",") for name, s in shapes.items() if path.name.endswith(name)), None)
        sizes = None if shape is None else [int(d) for d in shape]
        try:
            line = compare(path, given.inputs, bounds=tuple(given.bounds), input_shape=sizes)
        except RsonnxError as error:
            refused.append(f"refused: {path.name}: {error}")
            continue
        if line is not None:
            differences += line[0]
            print(line[1], flush=True)
    print(f"\ndifferences: {differences}", *refused, sep="\n")
    return int(differences > 0)
