"""What adaptive certification saves, exactly and in wall time, and every noise on one model."""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

import rsonnx
from benching import designs, rules
from benching.subjects import SAMPLES
from benching.turns import Record
from rsonnx.data import open_dataset
from rsonnx.logs import read_log
from rsonnx.noise import NOISES, Gaussian, IndependentNoise, JointNoise, noise_of
from rsonnx.procedures import Evidence, Precise
from rsonnx.procedures.adaptive import E_PROCESS, SPENDING, Adaptive
from rsonnx.procedures.procedure import LOOK
from rsonnx.report import fraction_down
from rsonnx.statistics.operating import ends, expected_end, expected_radius, operating_point
from rsonnx.statistics.precision import PrecisionRule
from rsonnx.statistics.rounding import normal_cdf_up

LOG_N, LOG_ALPHA = 100_000, 0.001
LOGS = {
    ("cifar10/resnet110", 0.25): (0.25, 0.5),
    ("cifar10/resnet110", 0.5): (0.5, 1.0),
    ("cifar10/resnet110", 1.0): (1.0,),
    ("imagenet/resnet50", 0.5): (0.5, 1.0),
    ("imagenet/resnet50", 1.0): (1.0,),
}
"""Log and sigma, and the target radii; each has the grid of a table of its sigma as well."""

CURVES = (
    *(("cifar10/resnet110", sigma) for sigma in (0.12, 0.25, 0.5, 1.0)),
    *(("imagenet/resnet50", sigma) for sigma in (0.25, 0.5, 1.0)),
)
PILOTS, WIDER = (500, 1_000, 2_000), 1.4
"""Selection samples that n is chosen from; 2,000 are those of the published experiments. They lose
less than the share that is asked for, so a share that is wider by this factor is tried as well."""

_NONE = 1e-9

PARAMETERS = {"power-linf": {"a": 1_000}, "pareto": {"a": 3}}


def adaptive_samples(arguments: argparse.Namespace) -> Iterator[Record]:
    """Compute the expected samples of the adaptive rules on the radii of published logs.

    The chances to certify and the expected samples follow exactly (rsonnx.statistics.operating),
    and are averaged over all rows: wrong ones too, as the procedure does not know that they are.

    Yields:
        For each target radius, and for the grid of radii of a table: ``factor``, how many times
        fewer samples that is than a fixed run's of n; the same of the ``e_process`` that decided in
        earlier runs, and of the published rules (:mod:`benching.rules`), which decide one radius.
        ``accuracy`` is by how many percentage points more are certified and right than by the
        fixed run at full alpha, ``decisions`` the mean difference of either sign, and so of each.
    """
    n, alpha = arguments.n, arguments.alpha
    for (name, sigma), targets in LOGS.items():
        shares, right = _published(arguments.logs, name, sigma)
        noise = Gaussian(sigma)
        for radius in targets:
            p0 = normal_cdf_up(radius / sigma)
            fixed = int(rules.fewest_hits(n, p0, alpha))
            at_n = {p: float(special.betainc(fixed, n - fixed + 1, p)) for p in shares}
            record: Record = {"log": f"{name.split('/')[0]}, sigma {sigma}", "radii": f"{radius}"}
            ways = {
                "": _ours(noise, (radius,), n, alpha, SPENDING),
                "e_process": _ours(noise, (radius,), n, alpha, E_PROCESS),
                "certify_adp": rules.Stages(p0, alpha).operating_point,
                "union_bound": rules.union_bound(p0, n, alpha).operating_point,
                "betting": rules.betting(p0, n, alpha).operating_point,
            }
            for way, operating in ways.items():
                points = {p: operating(p) for p in set(shares)}
                samples = float(np.mean([points[p][1] for p in shares]))
                more = 100 * np.array([points[p][0] - at_n[p] for p in shares])
                ahead = f"{way}_" if way else ""
                record |= {
                    way or "factor": n / samples,
                    f"{ahead}samples": samples,
                    f"{ahead}accuracy": float(np.mean(more * right)),
                    f"{ahead}decisions": float(np.mean(np.abs(more))),
                }
            yield record
        grid = Adaptive.of_table(noise, 1, n, alpha).target_radii
        record = {"log": f"{name.split('/')[0]}, sigma {sigma}", "radii": f"{len(grid)}"}
        record |= dict.fromkeys(("certify_adp", "union_bound", "betting", "accuracy", "decisions"))
        for way, bound in (("", SPENDING), ("e_process", E_PROCESS)):
            operating = cache(_ours(noise, grid, n, alpha, bound))
            samples = float(np.mean([operating(p)[1] for p in shares]))
            record |= {way or "factor": n / samples, f"{way}_samples".lstrip("_"): samples}
        yield record | {"grid": grid}


def _ours(
    noise: Gaussian, radii: tuple[float, ...], n: int, alpha: float, bound: str
) -> Callable[[float], tuple[float, float]]:
    """Return what gives the chance to certify the first radius, and the samples, at a p."""
    procedure = Adaptive(noise, 1, n, alpha, radii, bound)

    def operating(p: float) -> tuple[float, float]:
        point = operating_point(procedure.rule, p, procedure.looks)
        return point.certified[0], point.samples

    return operating


def _published(logs: Path, name: str, sigma: float) -> tuple[list[float], NDArray[np.bool_]]:
    """Return the true probability of each row of a log, and which rows are right.

    A row's radius gives the lower bound Φ(radius/sigma), and the share of hits of 1e5 samples that
    has this Clopper-Pearson bound at the log's alpha (0.001) is taken for the true p of the class;
    an abstention for p = 1/2, the costliest value below any target.
    """
    hits = np.arange(LOG_N // 2, LOG_N + 1)
    bounds = special.betaincinv(hits, LOG_N - hits + 1, LOG_ALPHA)
    rows = read_log(logs / f"{name}/noise_{sigma:.2f}/test/sigma_{sigma:.2f}").rows
    nearest = [np.abs(bounds - special.ndtr(row.radius / sigma)).argmin() for row in rows]
    shares = [
        0.5 if row.abstained else float(hits[at] / LOG_N)
        for row, at in zip(rows, nearest, strict=True)
    ]
    return shares, np.array([row.correct for row in rows])


def precision_samples(arguments: argparse.Namespace) -> Iterator[Record]:
    """Compute the expected samples and ACR of runs that stop for precision, on published radii.

    The rows are those of :func:`adaptive_samples`, drawn with their true p, right or wrong; the ACR
    counts those that are right. All is exact.

    Yields:
        ``factor``: ``n`` over the mean of estimation samples; ``lost``: of the ACR of n samples;
        ``estimated``: what a report would have said of that on average; ``limit``: the factor of a
        run that is told p and fixes n by it. Then the factors of the designs that were not chosen
        (:mod:`benching.designs`): ``pilot`` has n from ``n0`` selection samples, which count; its
        factor is that at the same loss, between those of two shares, with the n0 of :data:`PILOTS`
        that saves most. ``anytime`` stops by an e-process.
    """
    n, alpha = arguments.n, arguments.alpha
    radius = Gaussian(1.0).radius
    chosen = [PrecisionRule(share, n, alpha, radius, LOOK) for share in arguments.share]

    @cache
    def aimed(rule: PrecisionRule, p: float) -> float:
        return sum(
            chance * rule.expected(k, m)
            for m, least, chances in ends(rule, p)
            for k, chance in enumerate(chances.tolist(), least)
            if chance > _NONE
        )

    at_n, ours = cache(partial(expected_radius, chosen[0])), cache(expected_end)

    @cache
    def pilot(n0: int, share: float) -> Callable[[float], tuple[float, float]]:
        rule = PrecisionRule(share, n, alpha, radius, LOOK)
        return cache(designs.InputSpecific(rule, n0).expected_end)

    fewest = cache(partial(designs.needed, sizes=range(n + 1)))
    for name, sigma in CURVES:
        shares, right = _published(arguments.logs, name, sigma)
        acr = float(np.mean([at_n(p) for p in shares] * right))

        def gains(
            end: Callable[[float], tuple[float, float]],
            shares: list[float] = shares,
            right: NDArray[np.bool_] = right,
            acr: float = acr,
        ) -> tuple[float, float]:
            samples, reached = np.array([end(p) for p in shares]).T
            return n / float(samples.mean()), 1 - float(np.mean(reached * right)) / acr

        for rule in chosen:
            factor, lost = gains(partial(ours, rule))
            guess = float(np.mean([aimed(rule, p) for p in shares] * right))
            at_loss = {}
            for n0 in PILOTS:
                ends_at = [gains(pilot(n0, rule.share * wider)) for wider in (1.0, WIDER)]
                factors, losses = np.array(ends_at).T
                at_loss[n0] = float(np.exp(np.interp(lost, losses, np.log(factors))))
            best = max(PILOTS, key=at_loss.__getitem__)
            anytime = gains(partial(ours, designs.Anytime(rule.share, n, alpha, radius, LOOK)))
            yield {
                "log": f"{name.split('/')[0]}, sigma {sigma}",
                "precision": rule.share,
                "factor": factor,
                "samples": n / factor,
                "lost": lost,
                "estimated": 1 - acr * (1 - lost) / guess,
                "limit": n / float(np.mean([fewest(rule, p) for p in shares])),
                "pilot": at_loss[best],
                "n0": best,
                "anytime": anytime[0],
                "anytime_lost": anytime[1],
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
