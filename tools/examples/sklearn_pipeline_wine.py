"""scikit-learn: a pipeline of a scaler and a small net, exported by skl2onnx and certified twice.

    pip install 'rsonnx[gpu]' scikit-learn skl2onnx
    python tools/examples/sklearn_pipeline_wine.py --out wine

The data are 13 measurements of 178 wines, each in its own unit: per cent of alcohol, milligrams of
magnesium, a hue. The pipeline takes them as they are, since its StandardScaler is exported with it.
rsonnx adds noise of one sigma to all of them, and the radius has that unit too, so what one unit is
worth decides what a certificate says:

- own_units: the file as skl2onnx writes it. One unit is one per cent of alcohol (much) and one
  milligram of proline (nothing). The radii are sound, but won where a unit means little: they say
  almost nothing of alcohol.
- deviations: one node in front of a pipeline of the same kind turns standard deviations into own
  units, so that noise and radius mean the same in each measurement. Do this with tables.

There is no lowest and highest measurement, so the bounds are infinite, and noise is floating-point
noise. skl2onnx answers with a label and a ZipMap (a list of dicts) unless it is told otherwise; the
first file keeps it, the second does not. rsonnx takes the scores, and cuts a ZipMap off.
"""

import math
import sys
from pathlib import Path

import numpy as np
import onnx
from example_steps import certify, declare, missing, output_folder, show
from numpy.typing import NDArray
from onnx import TensorProto, helper

INSTALL = "pip install 'rsonnx[gpu]' scikit-learn skl2onnx"
try:
    from example_data import Split, noisy_copies, wine
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import StandardScaler
except ModuleNotFoundError as error:
    sys.exit(missing(error, INSTALL))

SIGMA = 0.5
RADII = (0.25, 0.5, 0.75, 1.0)
COPIES, SEED = 50, 0


def train(split: Split, noise: NDArray[np.float64] | float) -> Pipeline:
    """Return a pipeline for measurements in their own units, trained with noise of this sigma."""
    net = MLPClassifier((32,), tol=1e-3, n_iter_no_change=5, random_state=SEED)
    return make_pipeline(StandardScaler(), net).fit(
        *noisy_copies(split.train_x, split.train_y, noise, COPIES)
    )


def export(pipeline: Pipeline, path: Path, *, zipmap: bool) -> None:
    """Write the pipeline to a file that takes float32 measurements in their own units, [N, 13]."""
    example = np.zeros((1, 13), np.float32)
    options = {id(pipeline): {"zipmap": zipmap}}
    model = to_onnx(pipeline, example, options=options, target_opset={"": 17, "ai.onnx.ml": 3})
    onnx.save(model, path)


def measure_in_deviations(path: Path, mean: NDArray[np.float64], std: NDArray[np.float64]) -> None:
    """Put x * std + mean in front of the model in a file, by a Scaler, (x - offset) * scale."""
    model = onnx.load(path)
    (own,) = model.graph.input
    node = helper.make_node(
        "Scaler",
        ["deviations"],
        ["own_units"],
        domain="ai.onnx.ml",
        offset=(-mean / std).tolist(),
        scale=std.tolist(),
    )
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, len(mean)])
        for name in ("deviations", "own_units")
    ]
    front = helper.make_model(
        helper.make_graph([node], "units", values[:1], values[1:]),
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
    )
    onnx.save(onnx.compose.merge_models(front, model, io_map=[("own_units", own.name)]), path)


def main() -> None:
    """Train, export and certify in either unit."""
    split = wine()
    mean, std = split.train_x.mean(axis=0), split.train_x.std(axis=0)
    facts = {"method": "gaussian", "sigma": SIGMA, "dataset": "scikit-learn wine"}
    unlimited = (-math.inf, math.inf)
    found = []
    with output_folder("A scikit-learn pipeline to certificates.") as folder:
        for name, noise in (("own_units", SIGMA), ("deviations", SIGMA * std)):
            pipeline = train(split, noise)
            path = folder / f"wine_{name}.onnx"
            inputs = split.test_x
            export(pipeline, path, zipmap=name == "own_units")
            if name == "deviations":
                measure_in_deviations(path, mean, std)
                inputs = (inputs - mean) / std
            training = facts | {"units": name}
            declare(path, preprocess="none", bounds=unlimited, training=training)
            expected = pipeline.predict(split.test_x)
            found.append(certify(path, inputs, split.test_y, sigma=SIGMA, expected=expected))
    show(found, RADII, "each measurement's own unit, or (deviations) in its standard deviations")


if __name__ == "__main__":
    main()
