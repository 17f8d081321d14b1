"""What the examples share: what a file declares of itself, certificates and their table."""

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

import rsonnx
from rsonnx.report import certified, percent_down, text_down

N0, N, ALPHA = 100, 10_000, 0.001
SEED = 1
"""Of the noise in the certificates; what is trained has seeds of its own."""

LEAST_AGREEMENT = 0.99


@dataclass(frozen=True)
class Judged:
    """A certificate beside the true class ``label``, as a table wants it."""

    label: int
    certificate: rsonnx.Certificate

    @property
    def radius(self) -> float:
        """Certified radius; 0 where it abstains."""
        return self.certificate.radius

    @property
    def abstained(self) -> bool:
        """Whether no radius was certified."""
        return self.certificate.abstained

    @property
    def correct(self) -> bool:
        """Whether the certified class is the true one; an abstention never is."""
        return self.certificate.label == self.label


@dataclass(frozen=True)
class Certified:
    """All held-out inputs of one model; ``standard`` is its accuracy without noise."""

    name: str
    sigma: float
    standard: Fraction
    rows: tuple[Judged, ...]
    seconds: float


def missing(error: ModuleNotFoundError, install: str) -> str:
    """Return the sentence with which an example ends where a package is not installed."""
    return f"{error.name} is not installed, which this example needs; run: {install}"


@contextlib.contextmanager
def output_folder(what: str, arguments: Sequence[str] | None = None) -> Iterator[Path]:
    """Yield the folder that ``--out`` names, made where it is missing, else a temporary one."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for the ONNX files, which replace earlier ones (default: a temporary folder)",
    )
    given = parser.parse_args(arguments).out
    if given is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    try:
        given.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=given).close()
    except OSError as error:
        reason = f"nothing can be written into it ({error.strerror})"
        parser.error(f"--out names {str(given)!r}, but {reason}; name another folder")
    yield given


def declare(
    path: Path,
    *,
    preprocess: str | Mapping[str, Any],
    bounds: tuple[float, float],
    training: Mapping[str, Any],
    layout: str | None = None,
) -> None:
    """Write into an ONNX file what rsonnx wants to know, so that nobody has to say it again.

    Args:
        path: the file that an exporter wrote.
        preprocess: what the model expects done to an input that is within the bounds; ``"none"``
            where it takes it as it is.
        bounds: lowest and highest value of an input: the units of sigma and of the radius.
        training: facts for a reader; rsonnx computes nothing from them.
        layout: ``"NCHW"`` or ``"NHWC"`` for images.
    """
    model = onnx.load(path)
    properties = {one.key: one.value for one in model.metadata_props} | {
        "rsonnx.preprocess": json.dumps(preprocess),
        "rsonnx.bounds": json.dumps(bounds),
        "rsonnx.training": json.dumps(training),
    }
    if layout is not None:
        properties["rsonnx.layout"] = layout
    onnx.helper.set_model_props(model, properties)
    # skl2onnx writes them in the order of a set, which differs from run to run.
    model.opset_import.sort(key=lambda one: one.domain)
    onnx.save(model, path)


def certify(
    path: Path,
    inputs: NDArray[Any],
    labels: NDArray[np.int64],
    *,
    sigma: float,
    expected: NDArray[np.int64],
    target_radii: Sequence[float] | None = None,
) -> Certified:
    """Certify inputs with an exported file that declares itself.

    Args:
        path: the file.
        inputs: uint8 levels, or floats within the file's bounds, [N, ...].
        labels: true classes, [N].
        sigma: of the noise, in the units of the bounds.
        expected: what the framework itself answers without noise, [N].
        target_radii: stop sampling as soon as these are decided; None always draws n samples.

    Raises:
        SystemExit: the file does not answer as the framework does.
    """
    base = rsonnx.load(path, providers=["cpu"])
    smoothed = rsonnx.SmoothedClassifier(base, sigma, workers=1)
    answers = np.array([smoothed.base_label(x) for x in inputs])
    agreement = float((answers == expected).mean())
    if agreement < LEAST_AGREEMENT:
        raise SystemExit(
            f"{path.name} answers as the framework does on {agreement:.1%} of the inputs only, so "
            "it is another classifier; look at its preprocessing"
        )
    begun = time.perf_counter()
    rows = tuple(
        Judged(
            int(y),
            smoothed.certify(x, n0=N0, n=N, alpha=ALPHA, target_radii=target_radii, seed=SEED),
        )
        for x, y in zip(inputs, labels, strict=True)
    )
    seconds = time.perf_counter() - begun
    standard = Fraction(int((answers == labels).sum()), len(labels))
    return Certified(path.name, sigma, standard, rows, seconds)


def show(found: Sequence[Certified], radii: Sequence[float], units: str) -> None:
    """Print certified accuracy at the radii, and a sentence that says what was certified."""
    width = max(len(one.name) for one in found)
    head = ["sigma", "inputs", "standard", "ACR", "r=0", *(f"r={r:g}" for r in radii)]
    print("  ".join(["model".ljust(width), *(cell.rjust(8) for cell in [*head, "samples"])]))
    for one in found:
        figures = certified(one.rows, [0.0, *radii])
        assert figures.acr is not None
        assert figures.certified_accuracy is not None
        samples = sum(row.certificate.n0 + row.certificate.n for row in one.rows)
        cells = [f"{one.sigma:g}", str(len(one.rows)), percent_down(one.standard)]
        cells += [text_down(figures.acr, 4), *map(percent_down, figures.certified_accuracy)]
        cells += [f"{samples / len(one.rows):,.0f}"]
        print("  ".join([one.name.ljust(width), *(cell.rjust(8) for cell in cells)]))
    arithmetic = sorted({str(row.certificate.arithmetic) for one in found for row in one.rows})
    is_adaptive = any(row.certificate.claim for one in found for row in one.rows)
    samples_in_words = f"{'at most ' if is_adaptive else ''}n = {N:,} samples"
    print(
        f"Certified: for each input, with probability {1 - ALPHA:g} (alpha = {ALPHA:g}, "
        f"{samples_in_words}, {' and '.join(arithmetic)} noise), the smoothed classifier gives one "
        f"answer everywhere within its radius in the l2 norm; sigma and radius in {units}."
    )
