"""Certify a picture that the server which runs the model never sees: smoothing under encryption.

    pip install 'rsonnx[examples,gpu]'
    python tools/examples/private_mnist.py sample_models/mnist_squares_0.50.onnx \
        sample_models/mnist_test_500 --sigma 0.5 --limit 3

A client has a picture, a server has a model. The client encrypts the picture once, by CKKS (Cheon
et al., Homomorphic encryption for arithmetic of approximate numbers, 2017), with a key of its own.
The model's first layer is linear, W(x + noise) = Wx + W·noise, so the server adds W·noise behind
it, to 4,096 copies of Wx side by side in one ciphertext. What follows, squares and one more linear
layer, it computes on encrypted numbers (after Phoenix, CCS 2022). The client decrypts the scores of
all samples, counts classes, and derives the certificate.

What each side sees:

- the server: the encrypted picture, which tells it nothing without the client's key, and the noise,
  which it draws itself and which does not hang on the picture; neither scores nor classes.
- the client: its picture, and the scores of each noisy sample, to about 0.002. They tell a curious
  client much of the model; weights and noise are not sent to it.

The certificate rests on the server: that it ran this model, on noise of this size. Nothing here
proves that to the client.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

import rsonnx
from rsonnx.data import arrange, open_dataset
from rsonnx.noise import InputSpace
from rsonnx.noise.drawing import Place

try:
    import tenseal
except ModuleNotFoundError:
    sys.exit("tenseal is not installed, which this example needs; run: pip install tenseal")

DEGREE, PRIMES, SCALE = 8192, (40, 35, 35, 35, 35, 38), 2**35
"""Of the ring, bits of the moduli and of the fraction: four multiplications at 128 bits of security
(218 bits of moduli at most: HomomorphicEncryption.org, standard of 2018)."""

GROWN, SHRUNK = 16.0, 4.0
"""Hidden numbers are computed so many times as large, that rounding errors weigh less; scores are
sent so many times smaller, for the last modulus has room for no more."""

SAMPLES = DEGREE // 2
"""As many numbers as one ciphertext holds."""
SELECTION = 96
"""Of these, those that choose the class; the others bound its probability."""


class Client:
    """Holds the picture and the secret key."""

    def __init__(self) -> None:
        self._secret = tenseal.context(
            tenseal.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=list(PRIMES)
        )
        self._secret.global_scale = SCALE
        self._secret.generate_galois_keys()

    def public_key(self) -> bytes:
        """Return what the server needs to compute with, without the secret key."""
        return self._secret.serialize(save_secret_key=False)

    def encrypted(self, picture: NDArray[np.float64]) -> bytes:
        """Return a picture, (values,), as a ciphertext."""
        return tenseal.ckks_vector(self._secret, picture.tolist()).serialize()

    def scores(self, answer: list[bytes]) -> NDArray[np.float64]:
        """Return the scores of all samples, (samples, classes)."""
        vectors = [tenseal.ckks_vector_from(self._secret, each) for each in answer]
        return SHRUNK * np.array([vector.decrypt() for vector in vectors]).T


@dataclass(frozen=True)
class Squares:
    """A model of one hidden layer, ``second @ (first @ x + shifts)**2 + last``, x in [0, 1].

    Attributes:
        first, shifts: (hidden, values) and (hidden,).
        second, last: (classes, hidden) and (classes,).
    """

    first: NDArray[np.float64]
    shifts: NDArray[np.float64]
    second: NDArray[np.float64]
    last: NDArray[np.float64]

    @classmethod
    def of(cls, path: Path) -> Squares:
        """Read the weights of a file that ``tools/train.py --network squares`` wrote."""
        model = onnx.load(path)
        nodes = [node for node in model.graph.node if node.op_type in ("Gemm", "Mul")]
        if [node.op_type for node in nodes] != ["Gemm", "Mul", "Gemm"]:
            sys.exit(f"{path} is no network of squares; train one with --network squares")
        held = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        first, shifts, second, last = (
            held[name].astype(np.float64) for node in nodes[::2] for name in node.input[1:]
        )
        said = {pair.key: pair.value for pair in model.metadata_props}
        declared = json.loads(said["rsonnx.preprocess"])
        (mean,), (std,) = declared["mean"], declared["std"]
        return cls(first / std, shifts - first.sum(axis=1) * (mean / std), second, last)


class Server:
    """Holds the model, and sees ciphertexts."""

    def __init__(self, model: Squares, public_key: bytes) -> None:
        self._first, self._shifts = model.first * GROWN, model.shifts * GROWN
        self._second, self._last = model.second / (GROWN**2 * SHRUNK), model.last / SHRUNK
        self._public = tenseal.context_from(public_key)

    def answer(self, picture: bytes, noise: NDArray[np.float64]) -> list[bytes]:
        """Return the encrypted scores of a picture under noise, (samples, values): one a class."""
        encrypted = tenseal.ckks_vector_from(self._public, picture)
        added = self._first @ noise.T + self._shifts[:, np.newaxis]
        squares = []
        for weights, numbers in zip(self._first, added, strict=True):
            # One number beside a longer vector is repeated in all of its places.
            noisy = tenseal.ckks_vector(self._public, numbers.tolist())
            squares.append((noisy + encrypted.dot(weights.tolist())).square_())
        answer = []
        for weights, shift in zip(self._second, self._last, strict=True):
            scores = squares[0] * float(weights[0]) + [float(shift)] * SAMPLES
            for square, weight in zip(squares[1:], weights[1:], strict=True):
                scores += square * float(weight)
            answer.append(scores.serialize())
        return answer


def drawn(sigma: float, space: InputSpace, key: int) -> NDArray[np.float64]:
    """Return exact noise, (samples, values), as a run of rsonnx draws it: whole levels of 255."""
    law = rsonnx.noise.Gaussian(sigma)
    block = law.open(Place(key, 0, 0, space, exact=True))
    return block.draw(SAMPLES * space.size).reshape(SAMPLES, space.size) / 255.0


def main() -> None:
    """Certify some pictures both ways, and compare."""
    parser = argparse.ArgumentParser(description="Certify encrypted pictures of digits.")
    parser.add_argument("model", type=Path, help="of tools/train.py --network squares")
    parser.add_argument("data", type=Path, help="pictures of 28 x 28")
    parser.add_argument("--sigma", type=float, default=0.5, help="default: %(default)s")
    parser.add_argument("--alpha", type=float, default=0.001, help="default: %(default)s")
    parser.add_argument("--limit", type=int, default=3, help="pictures; default: %(default)s")
    parser.add_argument("--seed", type=int, help="of the noise; default: from the system")
    args = parser.parse_args()
    plain = rsonnx.load(args.model, providers=["cpu"])
    dataset = open_dataset(args.data)
    space = InputSpace(plain.shape, layout=plain.layout)
    client = Client()
    server = Server(Squares.of(args.model), client.public_key())
    different = 0
    for index in range(min(args.limit, len(dataset))):
        example = dataset[index]
        picture = arrange(example.values, plain.shape, plain.layout).ravel() / 255.0
        key = secrets.randbits(63) if args.seed is None else args.seed + index
        noise = drawn(args.sigma, space, key)
        begun = time.perf_counter()
        request = client.encrypted(picture)
        answer = server.answer(request, noise)
        scores = client.scores(answer)
        seconds = time.perf_counter() - begun
        labels = scores.argmax(axis=1)
        parts = (labels[:SELECTION], labels[SELECTION:])
        selection, estimation = (np.bincount(part, minlength=scores.shape[1]) for part in parts)
        certificate = rsonnx.certify_from_counts(
            selection, estimation, sigma=args.sigma, alpha=args.alpha
        )
        batch = (picture + noise).reshape(SAMPLES, *plain.shape).astype(np.float32)
        error = float(np.abs(plain.scores(batch) - scores).max())
        different += int((plain.classify(batch) != labels).sum())
        print(
            f"picture {index}, label {example.label}: class {certificate.label}, radius "
            f"{certificate.radius:.4f}, {seconds:.1f} s, {len(request) / 1e6:.1f} MB sent, "
            f"{sum(map(len, answer)) / 1e6:.1f} MB received, largest error of a score {error:.1e}"
        )
    print(f"{different} of {SAMPLES * min(args.limit, len(dataset)):,} answers differ from plain")


if __name__ == "__main__":
    main()
