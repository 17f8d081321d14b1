"""Keras 3: train a small convolutional net with noise on torch or jax, export it, certify it.

    pip install 'rsonnx[gpu]' keras torch scikit-learn   (Keras on PyTorch, the default here)
    pip install 'rsonnx[gpu]' keras jax jax2onnx scikit-learn (Keras on JAX)
    KERAS_BACKEND=jax python tools/examples/keras_digits.py --out digits

The data are scikit-learn's digits, 8x8 pixels. ``keras.layers.GaussianNoise`` is noise training in
one line: Keras draws it afresh in every step and leaves it out of what it exports, where rsonnx
would refuse it as a random operator. The normalisation is a layer too, so it lies in the file and
the file takes pixels in [0, 1] as they are. Keras counts channels last, which rsonnx sees in the
shape [batch, 8, 8, 1]. On torch the file casts tensors to the type that they have and computes
sizes from the batch, which rsonnx proves harmless by running it; on JAX it comes from jax2onnx,
whose version 0.17 writes a MaxPooling2D that onnxruntime refuses ("Unsupported pooling size"), so
strides take its place here.
"""

import importlib.util
import os
import sys
import warnings
from pathlib import Path

import numpy as np
from example_steps import certify, declare, missing, output_folder, show

IS_INSTALLED = {name: importlib.util.find_spec(name) is not None for name in ("torch", "jax2onnx")}
ONLY_JAX = IS_INSTALLED["jax2onnx"] and not IS_INSTALLED["torch"]
# Keras reads it once, when it is imported.
BACKEND = os.environ.setdefault("KERAS_BACKEND", "jax" if ONLY_JAX else "torch")
EXPORTING = {"jax": "jax jax2onnx", "tensorflow": "tensorflow tf2onnx"}.get(BACKEND, "torch")
INSTALL = f"pip install 'rsonnx[gpu]' keras {EXPORTING} scikit-learn"
try:
    import keras
    from example_data import Split, digits

    if BACKEND == "jax":
        import jax2onnx  # noqa: F401  what Keras exports with on JAX
    elif BACKEND == "torch":
        import torch

        torch.set_num_threads(1)  # sums depend on the number of threads
except ModuleNotFoundError as error:
    sys.exit(missing(error, INSTALL))

SIGMA = 0.25
RADII = (0.1, 0.2, 0.3, 0.5)
EPOCHS, BATCH, SEED = 30, 64, 0
MEAN, STD = 0.305, 0.376
"""Of the training pixels."""


def train(split: Split) -> keras.Model:
    """Return a net for pixels [N, 8, 8, 1] in [0, 1], trained with fresh noise in every step."""
    keras.utils.set_random_seed(SEED)
    net = keras.Sequential(
        [
            keras.layers.Input((8, 8, 1), name="image"),
            keras.layers.GaussianNoise(SIGMA),  # while training only
            keras.layers.Rescaling(1 / STD, offset=-MEAN / STD),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    net.compile(keras.optimizers.AdamW(2e-3), "sparse_categorical_crossentropy")
    pixels = split.train_x[..., None].astype(np.float32) / 255
    net.fit(pixels, split.train_y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return net


def export(net: keras.Model, path: Path) -> None:
    """Write the net, as it predicts, to a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's tracer: sizes become constants
        net.export(path, format="onnx", verbose=False)
    declare(
        path,
        preprocess="none",
        bounds=(0, 1),
        layout="NHWC",
        training={"method": "gaussian", "sigma": SIGMA, "dataset": "scikit-learn digits"},
    )


def main() -> None:
    """Train, export, certify."""
    with output_folder("Keras to certificates.") as folder:
        split = digits()
        net = train(split)
        path = folder / f"digits_keras_{BACKEND}.onnx"
        export(net, path)
        images = split.test_x[..., None]
        found = certify(
            *(path, images, split.test_y),
            sigma=SIGMA,
            expected=net.predict(images.astype(np.float32) / 255, verbose=0).argmax(1),
            target_radii=RADII,
        )
    show([found], RADII, "grey values between 0 and 1")


if __name__ == "__main__":
    main()
