"""The same certification by others, side by side: a plain PyTorch loop, and IBM's ART.

The loop is SampleUnderNoise and CERTIFY of Cohen, Rosenfeld and Kolter (arXiv 1902.02918, section
3.2.2), as one writes them in PyTorch. ART is adversarial-robustness-toolbox's
PyTorchRandomizedSmoothing. Both run the same torch module in evaluation mode: the network that the
ONNX file was exported from, or for the MNIST model one with the file's weights, with the
normalisation in front. It is checked to give the same logits as the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri
from torch import Tensor, nn

from benching.subjects import Subject
from benching.turns import Record, need, rates, ratios, take_turns, usable_cores

ALPHA = 0.001
N0 = 100
ABSTAIN = -1
USUAL_BATCH = {"pytorch loop": 1_000, "art": 32}
"""The batch of the paper's published code, and ART's default for ``certify``."""

BATCHES = (16, 32, 64, 128, 256, 512, 1_000)
"""Tried for the best batch of a peer."""

REST = 0.1


class Answer(NamedTuple):
    """What is said of the input; the label is -1 for an abstention, the radius in pixels."""

    label: int
    radius: float


class Normalise(nn.Module):
    """Normalised pixels of pixels in [0, 1], [B, channels, H, W]."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return (x - mean) / std."""
        return (x - self.get_buffer("mean")) / self.get_buffer("std")


class Peers:
    """Both peers over one subject, on all usable cores."""

    def __init__(self, subject: Subject) -> None:
        torch.set_num_threads(usable_cores())
        kind = subject.kind
        self._shape, self._sigma = kind.shape, kind.sigma
        self._model = nn.Sequential(Normalise(kind.mean, kind.std), subject.twin()).eval()
        self._x = torch.from_numpy(subject.image.astype(np.float32) / 255)
        with torch.inference_mode():
            self._classes = self._model(self._x[None]).shape[1]

    def loop(self, n0: int, n: int, batch: int) -> Answer:
        """CERTIFY of the paper."""
        top = int(self._sample_under_noise(n0, batch).argmax())
        hits = int(self._sample_under_noise(n, batch)[top])
        p_lower = float(betaincinv(hits, n - hits + 1, ALPHA)) if hits else 0.0
        if p_lower <= 0.5:
            return Answer(ABSTAIN, 0.0)
        return Answer(top, self._sigma * float(ndtri(p_lower)))

    def _sample_under_noise(self, num: int, batch: int) -> NDArray[np.int64]:
        counts = np.zeros(self._classes, np.int64)
        with torch.inference_mode():
            for start in range(0, num, batch):
                rows = self._x.repeat((min(batch, num - start), 1, 1, 1))
                noisy = rows + torch.randn_like(rows) * self._sigma
                labels = self._model(noisy).argmax(1).numpy()
                counts += np.bincount(labels, minlength=self._classes)
        return counts

    def art(self, n0: int, n: int, batch: int) -> Answer:
        """ART's certify; its n0 is an attribute of the object."""
        self._art.sample_size = n0
        labels, radii = self._art.certify(self._x.numpy()[None], n=n, batch_size=batch)
        return Answer(int(labels[0]), float(radii[0]))

    @cached_property
    def _art(self) -> Any:
        need("art", "it is one of the peers")
        need("statsmodels", "ART computes its bound by it")
        from art.estimators.certification import randomized_smoothing  # noqa: PLC0415 - slow

        return randomized_smoothing.PyTorchRandomizedSmoothing(
            model=self._model,
            loss=nn.CrossEntropyLoss(),
            input_shape=self._shape,
            nb_classes=self._classes,
            device_type="cpu",
            sample_size=N0,
            scale=self._sigma,
            alpha=ALPHA,
        )


def measure_peers(subject: Subject, *, rounds: int) -> Iterator[Record]:
    """Certify the same input with the same n by everyone, in turns in one process.

    Yields:
        For rsonnx and each peer with a batch: ``rate`` of noisy, counted samples a second of a
        whole certification, and how many times faster rsonnx certifies, round by round.

    Raises:
        SystemExit: the answers differ by more than chance allows, so the speeds say nothing.
    """
    n = subject.samples
    peers = Peers(subject)
    smoothed = subject.smoothed("cpu")
    point = smoothed.point(subject.image)
    answers: dict[str, Answer] = {}

    def certify(name: str, way: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            answer = way()
            answers[name] = Answer(answer.label, answer.radius)

        return run

    ours = certify("rsonnx", lambda: smoothed.certify(point, n0=N0, n=n, alpha=ALPHA, seed=1))
    runs, batches = {"rsonnx": ours}, {"rsonnx": smoothed.batch_size}
    for peer, way in (("pytorch loop", peers.loop), ("art", peers.art)):
        for batch in sorted({USUAL_BATCH[peer], best_batch(way, n)}):
            name = f"{peer}, batch {batch}"
            runs[name] = certify(name, lambda way=way, batch=batch: way(N0, n, batch))
            batches[name] = batch
    seconds = take_turns(runs, rounds, REST)
    for name, answer in answers.items():
        check_agreement(subject, answers["rsonnx"], name, answer, n)
    for name, taken in seconds.items():
        yield {
            "model": subject.name,
            "who": name.split(",")[0],
            "n": n,
            "batch": batches[name],
            "rate": rates(taken, N0 + n),
            "rsonnx_is_faster": ratios(taken, seconds["rsonnx"]),
            **answers[name]._asdict(),
        }


def best_batch(certify: Callable[[int, int, int], object], n: int) -> int:
    """Return the batch of :data:`BATCHES` that certifies fastest, by the better of two runs."""
    tried = min(n, max(1_000, n // 16))
    sizes = [b for b in BATCHES if b <= max(tried, BATCHES[0])]
    seconds = take_turns({str(b): lambda b=b: certify(N0, tried, b) for b in sizes}, 2, REST)
    return min(sizes, key=lambda b: min(seconds[str(b)]))


def check_agreement(subject: Subject, ours: Answer, name: str, theirs: Answer, n: int) -> None:
    """Check that two answers are about the same smoothed classifier.

    Φ(radius/σ) is a bound on the probability of the class, and two such bounds from n samples each
    differ by more than 6 of their joint standard errors with odds below 1e-8.
    """
    sigma = subject.kind.sigma
    # An abstention has radius 0, for which 1/2 stands: it differs from the other by that at least.
    p, q = (0.5 * math.erfc(-a.radius / sigma / math.sqrt(2)) for a in (ours, theirs))
    other_class = ABSTAIN not in (ours.label, theirs.label) and ours.label != theirs.label
    least = min(p, q)  # never below 1/2, so the larger of the two standard errors
    if other_class or abs(p - q) > 6 * math.sqrt(2 * least * (1 - least) / n):
        raise SystemExit(
            f"{subject.name}: rsonnx answers {ours} but {name} {theirs}, so nothing is compared"
        )
