"""The same certification by others, side by side: a plain PyTorch loop, IBM's ART, and rules.

The loop is SampleUnderNoise and CERTIFY of Cohen, Rosenfeld and Kolter (arXiv 1902.02918, section
3.2.2), as one writes them in PyTorch. ART is adversarial-robustness-toolbox's
PyTorchRandomizedSmoothing. The published rules that draw fewer samples (:mod:`benching.rules`,
:mod:`benching.designs`) draw them by that loop. All run the same torch module in evaluation mode:
the network that the ONNX file was exported from, or one with the file's weights, with the
normalisation in front. It is checked to give the same logits as the file.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri
from torch import Tensor, nn

from benching.designs import InputSpecific
from benching.rules import Boundary, Stages, betting, union_bound
from benching.subjects import TRAINED, Subject, prepare
from benching.turns import Record, Spread, need, ratios, take_turns, usable_cores
from rsonnx.data import open_dataset, resize_and_crop
from rsonnx.noise import Gaussian
from rsonnx.procedures import Adaptive, Precise, Procedure
from rsonnx.smoothing.schedule import run_many
from rsonnx.statistics import PrecisionRule
from rsonnx.statistics.rounding import normal_cdf_up

ALPHA = 0.001
ABSTAIN = -1
USUAL_BATCH = {"pytorch loop": 1_000, "art": 32}
"""The batch of the paper's published code, and ART's default for ``certify``."""

BATCHES = (16, 32, 64, 128, 256, 512, 1_000)
"""Tried for the best batch of a peer."""

PILOT_SHARE = 50
"""Input-specific sampling selects by one sample in so many of the most, as published (2,000)."""

REST = 0.1


class Answer(NamedTuple):
    """What is said of an input, from so many samples; -1 is an abstention; radius in pixels."""

    label: int
    radius: float
    samples: int


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
    """All peers over one subject, on all usable cores; inputs are uint8 pixels of its shape."""

    def __init__(self, subject: Subject) -> None:
        torch.set_num_threads(usable_cores())
        kind = subject.kind
        self._shape, self._sigma = kind.shape, kind.sigma
        self._model = nn.Sequential(Normalise(kind.mean, kind.std), subject.twin()).eval()
        self._classes = int(self._scores(_pixels(subject.image[None])).shape[1])

    def _scores(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            scores: Tensor = self._model(x)
        return scores

    def _labels(self, rows: Tensor) -> NDArray[np.int64]:
        """Return the class of each row behind noise."""
        noisy = rows + torch.randn_like(rows) * self._sigma
        return np.asarray(self._scores(noisy).argmax(1).numpy(), np.int64)

    def sample(self, image: NDArray[np.uint8], num: int, batch: int) -> NDArray[np.int64]:
        """SampleUnderNoise of the paper: counts of the classes."""
        x, counts = _pixels(image), np.zeros(self._classes, np.int64)
        for start in range(0, num, batch):
            labels = self._labels(x.repeat((min(batch, num - start), 1, 1, 1)))
            counts += np.bincount(labels, minlength=self._classes)
        return counts

    def loop(self, image: NDArray[np.uint8], n0: int, n: int, batch: int) -> Answer:
        """CERTIFY of the paper."""
        top = int(self.sample(image, n0, batch).argmax())
        return self._bounded(top, int(self.sample(image, n, batch)[top]), n, n0 + n)

    def _bounded(self, top: int, hits: int, n: int, samples: int) -> Answer:
        p_lower = float(betaincinv(hits, n - hits + 1, ALPHA)) if hits else 0.0
        if p_lower <= 0.5:
            return Answer(ABSTAIN, 0.0, samples)
        return Answer(top, self._sigma * float(ndtri(p_lower)), samples)

    def art(self, image: NDArray[np.uint8], n0: int, n: int, batch: int) -> Answer:
        """ART's certify; its n0 is an attribute of the object."""
        self._art.sample_size = n0
        labels, radii = self._art.certify(_pixels(image[None]).numpy(), n=n, batch_size=batch)
        return Answer(int(labels[0]), float(radii[0]), n0 + n)

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
            scale=self._sigma,
            alpha=ALPHA,
        )

    def stages(self, image: NDArray[np.uint8], rule: Stages, n0: int, batch: int) -> Answer:
        """CertifyAdp at the rule's target; each stage selects a class anew, as published."""
        samples = 0
        for n, give_up, certify in zip(rule.sizes, rule.give_up, rule.certify, strict=True):
            top = int(self.sample(image, n0, batch).argmax())
            hits = int(self.sample(image, n, batch)[top])
            samples += n0 + n
            if hits >= certify:
                return Answer(top, self._sigma * float(ndtri(rule.p0)), samples)
            if hits <= give_up:
                break
        return Answer(ABSTAIN, 0.0, samples)

    def input_specific(self, image: NDArray[np.uint8], design: InputSpecific, batch: int) -> Answer:
        """Sample as many as the selection samples ask for."""
        selection = self.sample(image, design.n0, batch)
        top = int(selection.argmax())
        n = design.size(int(selection[top]))
        hits = int(self.sample(image, n, batch)[top])
        return self._bounded(top, hits, n, design.n0 + n)

    def sequential(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64], rule: Boundary, batch: int
    ) -> list[Answer]:
        """Decide whether each label is certified at the rule's target, all inputs together.

        A batch is shared by the inputs that are undecided, as in the published code, and as there
        the class is told, so that there is no selection.
        """
        x, most = _pixels(images), rule.certify.size
        answers: dict[int, Answer] = {}
        hits, drawn = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
        while waiting := [index for index in range(len(x)) if index not in answers]:
            owners = np.resize(waiting[:batch], batch)
            agrees = self._labels(x[owners]) == labels[owners]
            for index in waiting[:batch]:
                k = hits[index] + np.cumsum(agrees[owners == index])[: most - drawn[index]]
                n = drawn[index] + np.arange(1, k.size + 1)
                certified = k >= rule.certify[n - 1]
                over = np.flatnonzero(certified | (k <= rule.give_up[n - 1]) | (n == most))
                if over.size:
                    label, radius = ABSTAIN, 0.0
                    if certified[over[0]]:
                        label, radius = int(labels[index]), self._sigma * float(ndtri(rule.p0))
                    answers[index] = Answer(label, radius, int(n[over[0]]))
                hits[index], drawn[index] = k[-1], n[-1]
        return [answers[index] for index in range(len(x))]


def _pixels(images: NDArray[np.uint8]) -> Tensor:
    """Return pixels in [0, 1], of the same shape."""
    return torch.from_numpy(images.astype(np.float32) / 255)


Way = Callable[[], list[Answer]]


def measure_peers(given: argparse.Namespace) -> Iterator[Record]:
    """Let everyone certify the same images at the same alpha, in turns in one process.

    Yields:
        For the question ``fixed`` (a certificate of n samples), ``radius`` (is it certified at the
        target, with at most ``ceiling`` samples) and ``curve`` (a radius that loses about a share
        of that of ``ceiling`` samples), for rsonnx and each peer with its batch: the mean of
        ``samples`` of an image, ``seconds`` an image, how many times faster rsonnx is, round by
        round, the share that is right and ``certified``, and the ACR. In ``fixed`` an image is a
        round. An untrained model is asked no other question.

    Raises:
        SystemExit: the answers differ by more than chance allows, so the speeds say nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        subject = prepare(given.model, Path(folder), given.n)
        peers, race = Peers(subject), _Race(subject, given)
        best = {
            peer: best_batch(lambda n, b, way=way: way(race.images[0], given.n0, n, b), race.n)
            for peer, way in (("pytorch loop", peers.loop), ("art", peers.art))
        }
        yield from race.fixed(peers, best)
        if given.model in TRAINED:
            yield from race.radius(peers, best["pytorch loop"])
            yield from race.curve(peers, best["pytorch loop"])


class _Race:
    """The images of a subject, and rsonnx that certifies them."""

    def __init__(self, subject: Subject, given: argparse.Namespace) -> None:
        self.subject, self.given, self.n = subject, given, subject.samples
        self.images, self.labels = pictures(subject, given.data, given.limit)
        self._smoothed = subject.smoothed("cpu")
        self._points = [self._smoothed.point(image) for image in self.images]
        self._noise = Gaussian(subject.kind.sigma)

    def _ours(self, procedure: Procedure) -> list[Answer]:
        made = run_many(self._smoothed, procedure, enumerate(self._points), seed=1)
        return [Answer(c.label, c.radius, c.n0 + c.n) for c in (done.result for done in made)]

    def fixed(self, peers: Peers, best: Mapping[str, int]) -> Iterator[Record]:
        """Certify with n samples, image by image."""
        n0, n = self.given.n0, self.n
        answers: dict[str, list[Answer]] = {}

        def each(name: str, way: Callable[[int], Answer]) -> Callable[[], None]:
            order, said = iter([0, *range(len(self.images))]), answers.setdefault(name, [])
            return lambda: said.append(way(next(order)))

        def ours(index: int) -> Answer:
            made = self._smoothed.certify(self._points[index], n0=n0, n=n, alpha=ALPHA, seed=1)
            return Answer(made.label, made.radius, made.n0 + made.n)

        runs = {"rsonnx": each("rsonnx", ours)}
        for peer, way in (("pytorch loop", peers.loop), ("art", peers.art)):
            for batch in sorted({min(n, USUAL_BATCH[peer]), best[peer]}):
                name = f"{peer}, batch {batch}"
                runs[name] = each(
                    name, lambda at, way=way, batch=batch: way(self.images[at], n0, n, batch)
                )
        seconds = take_turns(runs, len(self.images), REST)
        for name, said in answers.items():
            for mine, theirs in zip(answers["rsonnx"], said, strict=True):
                check_agreement(self.subject, mine, name, theirs, n)
        of_images = {name: said[1:] for name, said in answers.items()}
        yield from self._records("fixed", seconds, of_images, 1)

    def radius(self, peers: Peers, batch: int) -> Iterator[Record]:
        """Decide a target radius."""
        given = self.given
        p0 = normal_cdf_up(given.target_radius / self.subject.kind.sigma)
        ours = Adaptive(self._noise, given.n0, given.ceiling, ALPHA, (given.target_radius,))
        share = given.ceiling // 100
        stages = Stages(p0, ALPHA, (share, 10 * share, 125 * share))
        bound, bets = (rule(p0, given.ceiling, ALPHA) for rule in (union_bound, betting))
        yield from self._together(
            "radius",
            {
                "rsonnx": lambda: self._ours(ours),
                f"CertifyAdp, batch {batch}": lambda: [
                    peers.stages(image, stages, given.n0, batch) for image in self.images
                ],
                f"union bound, batch {batch}": lambda: peers.sequential(
                    self.images, self.labels, bound, batch
                ),
                f"betting, batch {batch}": lambda: peers.sequential(
                    self.images, self.labels, bets, batch
                ),
            },
        )

    def curve(self, peers: Peers, batch: int) -> Iterator[Record]:
        """Lose a share of each radius."""
        given = self.given
        ours = Precise(self._noise, given.n0, given.ceiling, ALPHA, given.precision)
        rule = PrecisionRule(given.precision, given.ceiling, ALPHA, self._noise.radius)
        design = InputSpecific(rule, given.ceiling // PILOT_SHARE)
        yield from self._together(
            "curve",
            {
                "rsonnx": lambda: self._ours(ours),
                f"input-specific, batch {batch}": lambda: [
                    peers.input_specific(image, design, batch) for image in self.images
                ],
            },
        )

    def _together(self, question: str, ways: Mapping[str, Way]) -> Iterator[Record]:
        answers: dict[str, list[Answer]] = {}
        runs = {
            name: lambda name=name, way=way: answers.update({name: way()})
            for name, way in ways.items()
        }
        seconds = take_turns(runs, self.given.rounds, REST)
        yield from self._records(question, seconds, answers, len(self.images))

    def _records(
        self,
        question: str,
        seconds: Mapping[str, list[float]],
        answers: Mapping[str, list[Answer]],
        images: int,
    ) -> Iterator[Record]:
        """Yield the records of a question; the seconds are those of so many images."""
        trained = self.subject.name in TRAINED  # else no answer is right but by chance
        target = self.given.target_radius * (1 - 1e-9) if question == "radius" else 0.0
        for name, taken in seconds.items():
            who, _, batch = name.partition(", batch ")
            right = np.array([answer.label for answer in answers[name]]) == self.labels
            radii = np.array([answer.radius for answer in answers[name]])
            yield {
                "model": self.subject.name,
                "question": question,
                "who": who,
                "batch": int(batch) if batch else self._smoothed.batch_size,
                "inputs": len(self.images),
                "samples": float(np.mean([answer.samples for answer in answers[name]])),
                "seconds": Spread.of([s / images for s in taken]),
                "rsonnx_is_faster": ratios(taken, seconds["rsonnx"]),
                "certified": float(np.mean(right & (radii >= target))) if trained else None,
                "acr": float(np.mean(radii * right)) if trained and not target else None,
            }


def pictures(
    subject: Subject, data: Path, limit: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images of the subject's shape and their labels, evenly over all of ``data``.

    Larger ones are made smaller, to 8/7 of the shape, and cropped, as for ImageNet; grey ones get
    as many equal channels.
    """
    channels, height, width = subject.kind.shape
    dataset = open_dataset(data)
    images, labels = [], []
    for index in range(0, len(dataset), max(1, len(dataset) // limit))[:limit]:
        example = dataset[index]
        size = example.values.shape[:2]
        values = np.broadcast_to(example.values.reshape(*size, -1), (*size, channels))
        if values.shape != (height, width, channels):
            values = resize_and_crop(values, resize=height * 8 // 7, crop=(height, width))
        images.append(values.transpose(2, 0, 1))
        labels.append(example.label)
    return np.stack(images), np.array(labels, np.int64)


def best_batch(certify: Callable[[int, int], object], n: int) -> int:
    """Return the batch of :data:`BATCHES` that certifies fastest, by the better of two runs."""
    tried = min(n, max(1_000, n // 16))
    sizes = [b for b in BATCHES if b <= max(tried, BATCHES[0])]
    seconds = take_turns({str(b): lambda b=b: certify(tried, b) for b in sizes}, 2, REST)
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
