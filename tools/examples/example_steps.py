"""What the examples share: what a file declares of itself, certificates and their table."""

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

import rsonnx

N = 10_000
SEED = 1
"""Of the noise in the certificates; what is trained has seeds of its own."""

LEAST_AGREEMENT = 0.99


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
) -> rsonnx.Run:
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
    run = rsonnx.certify(
        *(path, (inputs, labels)),
        sigma=sigma,
        n=N,
        target_radii=target_radii,
        seed=SEED,
        providers=["cpu"],
        workers=1,
    )
    agreement = float(np.mean([row.base_prediction for row in run.rows] == expected))
    if agreement < LEAST_AGREEMENT:
        raise SystemExit(
            f"{path.name} answers as the framework does on {agreement:.1%} of the inputs only, so "
            "it is another classifier; look at its preprocessing"
        )
    return run


def show(runs: Sequence[rsonnx.Run], radii: Sequence[float], units: str) -> None:
    """Print certified accuracy at the radii, what was certified, and in which units."""
    print(rsonnx.report(*runs, radii=(0.0, *radii)))
    print(f"Certified: sigma and radius in {units}.")
