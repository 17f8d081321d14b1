"""Published rules that decide a target radius with fewer samples, written from their formulas.

CertifyAdp (Horváth, Müller, Fischer & Vechev, arXiv 2106.06946, adaptive sampling) has stages of
fresh samples, each with a Clopper-Pearson bound at its share of alpha. The union bound and the
betting of Voráček (arXiv 2406.17830) look after every sample. The constants are those of the
published experiments. Each rule has ``alpha`` for false certificates; what makes it give up costs
power alone. Its probability is that of one class that was fixed before, and p0 = Φ(r/σ).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

GROWTH, FIRST_POWER = 1.1, 11
BETA = 1e-4
"""Chance that a stage of CertifyAdp gives up on what it should certify."""

Hits = NDArray[np.int64]


def fewest_hits(n: ArrayLike, p0: float, alpha: ArrayLike) -> Hits:
    """Return the least k with P(Bin(n, p0) >= k) <= alpha; n + 1 where no k has it."""
    return np.asarray(stats.binom.isf(np.asarray(alpha), np.asarray(n), p0), np.int64) + 1


@dataclass(frozen=True)
class Stages:
    """CertifyAdp: stages of fresh samples, each larger than the one before.

    Args:
        p0: the probability to exceed, in (0, 1).
        alpha: probability of a false certificate, in (0, 1), a share for each stage.
        sizes: samples of the stages, rising.
    """

    p0: float
    alpha: float
    sizes: tuple[int, ...] = (1_000, 10_000, 125_000)

    @cached_property
    def certify(self) -> tuple[int, ...]:
        """For each stage, the fewest hits that certify: whose lower bound reaches p0."""
        return tuple(fewest_hits(self.sizes, self.p0, self.alpha / len(self.sizes)).tolist())

    @cached_property
    def give_up(self) -> tuple[int, ...]:
        """For each stage, the most hits that give up: whose upper bound is below p0."""
        each = BETA / max(1, len(self.sizes) - 1)
        misses = fewest_hits(self.sizes[:-1], 1.0 - self.p0, each)
        return (*(np.array(self.sizes[:-1]) - misses).tolist(), self.sizes[-1])

    def operating_point(self, p: float) -> tuple[float, float]:
        """Return the exact chance to certify, and the expected samples, at a probability ``p``."""
        reached, certified, samples = 1.0, 0.0, 0.0
        for n, most, least in zip(self.sizes, self.give_up, self.certify, strict=True):
            samples += reached * n
            chance = float(stats.binom.sf(least - 1, n, p))
            certified += reached * chance
            reached *= 1.0 - chance - float(stats.binom.cdf(min(most, least - 1), n, p))
        return certified, samples


@dataclass(frozen=True)
class Boundary:
    """A rule that looks after every sample, up to as many as its arrays are long.

    Args:
        p0: the probability to exceed, in (0, 1).
        certify: the fewest hits that certify after 1, 2, ... samples, not falling.
        give_up: the most hits that give up, not falling; -1 for none.
    """

    p0: float
    certify: Hits
    give_up: Hits

    @cached_property
    def _ends(self) -> tuple[Hits, Hits, NDArray[np.float64]]:
        """Samples and hits at which sampling can end, and the chance of each under p0.

        There is one count a look at either edge, as the edges do not fall; then those of the end.
        """
        most = self.certify.size
        alive, low = np.ones(1), 0
        samples, hits, chances = [], [], []
        edges = zip(self.certify.tolist(), self.give_up.tolist(), strict=True)
        for n, (certify, give_up) in enumerate(edges, 1):
            grown = np.zeros(alive.size + 1)
            grown[:-1] = alive * (1.0 - self.p0)
            grown[1:] += alive * self.p0
            if low + grown.size - 1 >= certify:
                samples.append(n)
                hits.append(low + grown.size - 1)
                chances.append(grown[-1])
                grown = grown[:-1]
            if grown.size and low <= give_up:
                samples.append(n)
                hits.append(low)
                chances.append(grown[0])
                grown, low = grown[1:], low + 1
            alive = grown
            if not alive.size:
                break
        samples += [most] * alive.size
        hits += range(low, low + alive.size)
        return np.array(samples), np.array(hits), np.concatenate([chances, alive])

    def operating_point(self, p: float) -> tuple[float, float]:
        """Return the chance to certify, and the expected samples, at a probability ``p``.

        Exact: each end has as many ways under p as under p0, so its chance differs by a factor.
        """
        n, k, chances = self._ends
        odds = special.xlogy(k, p) + special.xlog1py(n - k, -p)
        odds -= special.xlogy(k, self.p0) + special.xlog1py(n - k, -self.p0)
        with np.errstate(divide="ignore"):
            weights = np.exp(np.log(chances) + odds)
        return float(weights[k >= self.certify[n - 1]].sum()), float(weights @ n)


def union_bound(p0: float, n_max: int, alpha: float) -> Boundary:
    """Return the rule that looks after about 1.1^k samples, the t-th time at 5α/((t+4)(t+5))."""
    looks, power = [], FIRST_POWER
    for n in range(1, n_max + 1):
        if n > GROWTH**power:
            looks.append(n)
            power += 1
    times = np.arange(1, len(looks) + 1)
    levels = 5.0 * alpha / ((times + 4) * (times + 5))

    def edge(p: float) -> Hits:
        fewest = np.full(n_max, n_max + 1)
        fewest[np.array(looks) - 1] = fewest_hits(looks, p, levels)
        return fewest

    return _both_ways(edge, p0)


def betting(p0: float, n_max: int, alpha: float) -> Boundary:
    """Return the rule that certifies where bets on the class win more than 1/α times.

    The bets are those of Krichevsky and Trofimov, so that k hits in n samples multiply by
    B(k+½, n-k+½) / B(½, ½) / (p0^k (1-p0)^(n-k)). The published code asks for a win of 1/(2α),
    which allows false certificates up to 2α.
    """

    def edge(p: float) -> Hits:
        n = np.arange(1, n_max + 1)
        low, high = np.floor(n * p).astype(np.int64), n + 1
        while np.any(high - low > 1):
            k = (low + high) // 2
            won = special.betaln(k + 0.5, n - k + 0.5) - math.log(math.pi)
            won -= special.xlogy(k, p) + special.xlog1py(n - k, -p)
            enough = won > -math.log(alpha)
            low, high = np.where(enough, low, k), np.where(enough, k, high)
        return np.where(high > n, n_max + 1, high)

    return _both_ways(edge, p0)


def _both_ways(edge: Callable[[float], Hits], p0: float) -> Boundary:
    """Return a rule that certifies at an edge against p0, and gives up at that of the misses.

    Hits that suffice for a later look suffice at once, as they can only grow.
    """
    certify, misses = (np.minimum.accumulate(edge(p)[::-1])[::-1] for p in (p0, 1.0 - p0))
    give_up = np.arange(1, certify.size + 1) - misses
    return Boundary(p0, certify, np.maximum.accumulate(np.maximum(give_up, -1)))
