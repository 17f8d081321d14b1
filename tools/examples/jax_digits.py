"""JAX: train a small net with noise in plain JAX, export it with jax2onnx, certify it.

    pip install 'rsonnx[gpu]' jax jax2onnx scikit-learn
    python tools/examples/jax_digits.py --out digits

The data are scikit-learn's digits, 8x8 pixels as 64 numbers. jax2onnx exports a function: weights
that the function closes over become constants of the graph, a dimension that is named rather than
numbered (here "batch") stays free, and input and output get names of the exporter's own (``in_0``),
which rsonnx does not mind, since there is one of each. It writes operator set 23, a recent one:
rsonnx writes its own nodes in the operator set of the file.
"""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from example_steps import certify, declare, missing, output_folder, show
from numpy.typing import NDArray

INSTALL = "pip install 'rsonnx[gpu]' jax jax2onnx scikit-learn"
try:
    import jax
    import jax.numpy as jnp
    from example_data import Split, digits
    from jax2onnx import to_onnx
except ModuleNotFoundError as error:
    sys.exit(missing(error, INSTALL))

SIGMA = 0.25
RADII = (0.1, 0.2, 0.3, 0.5)
EPOCHS, BATCH, SEED = 100, 64, 0
LEARNING_RATE, MOMENTUM = 0.05, 0.9
MEAN, STD = 0.305, 0.376
"""Of the training pixels; part of the function that is exported."""

Weights = dict[str, jax.Array]
Array = jax.Array | NDArray[np.float32]


def scores(weights: Weights, pixels: Array) -> jax.Array:
    """Return the scores [B, 10] of pixels [B, 64] in [0, 1]."""
    hidden = jax.nn.relu((pixels - MEAN) / STD @ weights["w1"] + weights["b1"])
    return hidden @ weights["w2"] + weights["b2"]


def loss(weights: Weights, pixels: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the mean cross-entropy."""
    chances = jax.nn.log_softmax(scores(weights, pixels))
    return -chances[jnp.arange(len(labels)), labels].mean()


@jax.jit
def step(
    weights: Weights, speed: Weights, key: jax.Array, pixels: jax.Array, labels: jax.Array
) -> tuple[Weights, Weights]:
    """Return the weights and their speed after a step of gradient descent on noisy pixels."""
    noisy = pixels + SIGMA * jax.random.normal(key, pixels.shape)
    slope = jax.grad(loss)(weights, noisy, labels)
    speed = jax.tree.map(lambda v, g: MOMENTUM * v - LEARNING_RATE * g, speed, slope)
    return jax.tree.map(jnp.add, weights, speed), speed


def train(split: Split) -> Callable[[Array], jax.Array]:
    """Return a trained function from pixels [B, 64] in [0, 1] to scores [B, 10]."""
    first, second, key = jax.random.split(jax.random.key(SEED), 3)
    weights = {
        "w1": jax.random.normal(first, (64, 256)) / 8,
        "b1": jnp.zeros(256),
        "w2": jax.random.normal(second, (256, 10)) / 16,
        "b2": jnp.zeros(10),
    }
    speed = jax.tree.map(jnp.zeros_like, weights)
    pixels, labels = flat(split.train_x), split.train_y
    order = np.random.default_rng(SEED)
    for _ in range(EPOCHS):
        for chosen in order.permutation(len(pixels))[: -(len(pixels) % BATCH)].reshape(-1, BATCH):
            key, drawn = jax.random.split(key)
            weights, speed = step(weights, speed, drawn, pixels[chosen], labels[chosen])
    return lambda x: scores(weights, x)


def flat(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return 8-bit images [N, 8, 8] as pixels [N, 64] in [0, 1]."""
    return levels.reshape(len(levels), -1).astype(np.float32) / np.float32(255)


def export(net: Callable[[Array], jax.Array], path: Path) -> None:
    """Write the function to a file with a free batch axis."""
    onnx.save(to_onnx(net, [("batch", 64)], model_name="digits"), path)
    declare(
        path,
        preprocess="none",
        bounds=(0, 1),
        training={"method": "gaussian", "sigma": SIGMA, "dataset": "scikit-learn digits"},
    )


def main() -> None:
    """Train, export, certify."""
    logging.disable(logging.WARNING)
    with output_folder("JAX to certificates.") as folder:
        split = digits()
        net = train(split)
        path = folder / "digits_jax.onnx"
        export(net, path)
        found = certify(
            *(path, split.test_x.reshape(-1, 64), split.test_y),
            sigma=SIGMA,
            expected=np.asarray(net(flat(split.test_x))).argmax(1),
            target_radii=RADII,
        )
    show([found], RADII, "grey values between 0 and 1")


if __name__ == "__main__":
    main()
