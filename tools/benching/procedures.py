"""What adaptive certification saves, exactly and in wall time, and every noise on one model."""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import cache, partial

import numpy as np
from scipy import special

import rsonnx
from benching.subjects import SAMPLES
from benching.turns import Record
from rsonnx.data import open_dataset
from rsonnx.logs import read_log
from rsonnx.noise import NOISES, Gaussian, IndependentNoise, JointNoise, noise_of
from rsonnx.procedures import Evidence, Precise
from rsonnx.procedures.procedure import LOOK
from rsonnx.report import fraction_down
from rsonnx.statistics.adaptive import AdaptiveRule
from rsonnx.statistics.operating import ends, expected_end, expected_radius, operating_point
from rsonnx.statistics.precision import PrecisionRule
from rsonnx.statistics.rounding import normal_cdf_up
from rsonnx.statistics.spending import SpendingRule

LOG_N, LOG_ALPHA = 100_000, 0.001
LOGS = (
    ("cifar10/resnet110", 0.25, 0.25, 86), ("cifar10/resnet110", 0.25, 0.5, 70),
    ("cifar10/resnet110", 0.5, 0.5, 78), ("cifar10/resnet110", 0.5, 1.0, 56),
    ("cifar10/resnet110", 1.0, 1.0, 47), ("imagenet/resnet50", 0.5, 0.5, 103),
    ("imagenet/resnet50", 0.5, 1.0, 64), ("imagenet/resnet50", 1.0, 1.0, 119),
)  # fmt: skip
"""Log, sigma, target radius, and the factor that the literature's best rule reached."""

CURVES = (
    *(("cifar10/resnet110", sigma) for sigma in (0.12, 0.25, 0.5, 1.0)),
    *(("imagenet/resnet50", sigma) for sigma in (0.25, 0.5, 1.0)),
)
_NONE = 1e-9

PARAMETERS = {"power-linf": {"a": 1_000}, "pareto": {"a": 3}}


def adaptive_samples(arguments: argparse.Namespace) -> Iterator[Record]:
    """Compute the expected samples of the adaptive rule on the radii of published logs.

    Each row's radius gives the lower bound Φ(radius/sigma), and the share of hits of 1e5 samples
    that has this Clopper-Pearson bound at the log's alpha (0.001) is taken as the true p of the
    class; an abstention as p = 1/2, the costliest value below any target. Wrong answers stay in:
    the procedure does not know that they are wrong. The chance to certify and the expected samples
    follow exactly (rsonnx.statistics.operating) and are averaged over all rows. Compared is a fixed
    run of n samples of the same true p, at full alpha; differences are in percentage points.
    """
    n = arguments.n
    hits = np.arange(LOG_N // 2, LOG_N + 1)
    bounds = special.betaincinv(hits, LOG_N - hits + 1, LOG_ALPHA)
    for name, sigma, radius, field in LOGS:
        path = arguments.logs / f"{name}/noise_{sigma:.2f}/test/sigma_{sigma:.2f}"
        p0 = normal_cdf_up(radius / sigma)
        rule = SpendingRule((p0,), n, arguments.alpha, batch=LOOK)
        fixed = AdaptiveRule((p0,), n_max=n, alpha=arguments.alpha, share=1e-9).final_hits[0]
        rows = read_log(path).rows
        samples, differences = [], []
        for row in rows:
            nearest = np.abs(bounds - special.ndtr(row.radius / sigma)).argmin()
            p = 0.5 if row.abstained else hits[nearest] / LOG_N
            point = operating_point(rule, float(p))
            samples.append(point.samples)
            differences.append(
                100 * float(point.certified[0] - special.betainc(fixed, n - fixed + 1, p))
            )
        yield {
            "log": f"{name.split('/')[0]}, sigma {sigma}, r {radius}",
            "factor": n / float(np.mean(samples)),
            "field": field,
            "samples": float(np.mean(samples)),
            "accuracy": float(np.mean(np.multiply(differences, [row.correct for row in rows]))),
            "decisions": float(np.mean(np.abs(differences))),
        }


def precision_samples(arguments: argparse.Namespace) -> Iterator[Record]:
    """Compute the expected samples and ACR of runs that stop for precision, on published radii.

    The true p of a row is taken from its radius as in :func:`adaptive_samples`; rows are drawn
    with their true p, right or wrong, and the ACR counts those that are right. All is exact.

    Yields:
        ``factor``: ``n`` over the mean of estimation samples; ``lost``: of the ACR of n samples;
        ``estimated``: what a report would have said of that on average.
    """
    n, alpha = arguments.n, arguments.alpha
    hits = np.arange(LOG_N // 2, LOG_N + 1)
    bounds = special.betaincinv(hits, LOG_N - hits + 1, LOG_ALPHA)
    radius = Gaussian(1.0).radius
    rules = [PrecisionRule(share, n, alpha, radius, LOOK) for share in arguments.share]

    @cache
    def expected(rule: PrecisionRule, p: float) -> tuple[float, float, float]:
        aimed = sum(
            chance * rule.expected(k, m)
            for m, least, chances in ends(rule, p)
            for k, chance in enumerate(chances.tolist(), least)
            if chance > _NONE
        )
        return (*expected_end(rule, p), aimed)

    at_n = cache(partial(expected_radius, rules[0]))
    for name, sigma in CURVES:
        path = arguments.logs / f"{name}/noise_{sigma:.2f}/test/sigma_{sigma:.2f}"
        rows = read_log(path).rows
        nearest = [np.abs(bounds - special.ndtr(row.radius / sigma)).argmin() for row in rows]
        shares = [
            0.5 if row.abstained else float(hits[at] / LOG_N)
            for row, at in zip(rows, nearest, strict=True)
        ]
        right = np.array([row.correct for row in rows])
        full = np.array([at_n(p) for p in shares])
        for rule in rules:
            samples, reached, aimed = np.array([expected(rule, p) for p in shares]).T
            acr, there, guess = (float(np.mean(radii * right)) for radii in (reached, full, aimed))
            yield {
                "log": f"{name.split('/')[0]}, sigma {sigma}",
                "precision": rule.share,
                "factor": n / float(samples.mean()),
                "samples": float(samples.mean()),
                "lost": 1 - acr / there,
                "estimated": 1 - acr / guess,
            }


def precision_time(arguments: argparse.Namespace) -> Iterator[Record]:
    """Certify inputs with n samples and at several precisions, in turn, in one process.

    Yields:
        The processor's ``seconds``, all threads together, the ``samples`` of an input, both
        stages, and the ACR; how many times fewer that is than of the fixed run, and which share of
        its ACR was ``lost``, and ``estimated`` to be lost.
    """
    model, data = rsonnx.load(arguments.model), open_dataset(arguments.data)
    smoothed = rsonnx.SmoothedClassifier(model, arguments.sigma)
    ways = (None, *arguments.share)
    inputs = range(0, len(data), max(1, len(data) // arguments.limit))
    seconds, samples, radii, aimed = (np.zeros((len(ways), len(inputs))) for _ in range(4))
    for at, index in enumerate(inputs):
        point, label = smoothed.point(data[index].values.reshape(model.shape)), data[index].label
        for way, share in enumerate(ways):
            begun = time.process_time()
            made = smoothed.certify(point, n=arguments.n, precision=share, seed=1)
            seconds[way, at] = time.process_time() - begun
            samples[way, at] = made.n0 + made.n
            if made.label == label:
                radii[way, at] = aimed[way, at] = made.radius
                if share is not None:
                    rule = Precise(smoothed.noise, made.n0, arguments.n, made.alpha, share)
                    evidence = Evidence(
                        made.counts.selection, made.counts.estimation, claim=made.claim
                    )
                    aimed[way, at] += rule.left(evidence)
    for way, share in enumerate(ways):
        yield {
            "precision": share,
            "inputs": len(inputs),
            "seconds": seconds[way].sum(),
            "samples": samples[way].mean(),
            "acr": radii[way].mean(),
            "times_fewer_samples": samples[0].sum() / samples[way].sum(),
            "times_fewer_seconds": seconds[0].sum() / seconds[way].sum(),
            "lost": 1 - radii[way].sum() / radii[0].sum(),
            "estimated": 1 - radii[way].sum() / aimed[way].sum(),
        }


def adaptive_time(arguments: argparse.Namespace) -> Iterator[Record]:
    """Certify each input with n samples and then adaptively, in turn, in one process.

    So the load of the machine touches both alike. The last line has the ratios, and on how many
    inputs the decision at the target differs.
    """
    model, data = rsonnx.load(arguments.model), open_dataset(arguments.data)
    smoothed = rsonnx.SmoothedClassifier(model, arguments.sigma)
    seconds, samples = np.zeros(2), np.zeros(2)
    differ, count = 0, min(arguments.limit, len(data))
    for index in range(count):
        point = smoothed.point(data[index].values.reshape(model.shape))
        reached = []
        for way, targets in enumerate((None, [arguments.target_radius])):
            start = time.perf_counter()
            answer = smoothed.certify(point, n=arguments.n, target_radii=targets, seed=1)
            seconds[way] += time.perf_counter() - start
            samples[way] += (answer.n0 + answer.n) / count
            reached.append(answer.radius >= arguments.target_radius)
        differ += reached[0] != reached[1]
    for way, name in enumerate(("fixed", "adaptive")):
        yield {"way": name, "seconds": seconds[way], "samples": samples[way], "differ": None}
    ratio, saved = (float(pair[0] / pair[1]) for pair in (seconds, samples))
    yield {"way": "ratio", "seconds": ratio, "samples": saved, "differ": differ}


def noises(arguments: argparse.Namespace) -> Iterator[Record]:
    """Certify the Gaussian MNIST models under every additive noise and norm, at equal sigma.

    The same images, n and alpha for all; sigma is the standard deviation of one value, that of the
    model's training. A network knows the noise that it was trained with, so other noises show what
    it makes of them, not what a network of their own would.

    Yields:
        The mean radius, 0 where wrong, rounded down, how many are right, and the seconds.
    """
    data = open_dataset(SAMPLES / "mnist_test_500")
    for name, law in NOISES.items():
        # Noise that has a scale a feature needs a file of its own.
        added = issubclass(law, IndependentNoise | JointNoise) and not law.covered
        if not added or name == "gaussian-per-feature":
            continue
        for norm, sigma in itertools.product(law.norms, (0.25, 0.5, 1.0)):
            noise = noise_of(name, size=784, sigma=sigma, norm=norm, **PARAMETERS.get(name, {}))
            model = rsonnx.load(SAMPLES / f"mnist_gaussian_{sigma:.2f}.onnx", providers=["cpu"])
            smoothed = rsonnx.SmoothedClassifier(model, noise=noise)
            begun, right = time.perf_counter(), []
            for image in (data[index] for index in range(arguments.limit)):
                point = smoothed.point(image.values.reshape(model.shape))
                certificate = smoothed.certify(point, n=arguments.n, seed=1)
                if certificate.label == image.label:
                    right.append(Fraction(certificate.radius))
            yield {
                "sigma": sigma,
                "noise": name,
                "norm": norm,
                "acr": fraction_down(sum(right, Fraction(0)) / arguments.limit),
                "right": len(right),
                "inputs": arguments.limit,
                "seconds": round(time.perf_counter() - begun, 1),
            }
