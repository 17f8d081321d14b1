"""Answers to noisy samples of a point, and the directions that their noise tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_NORMAL = NormalDist()


@dataclass
class Votes:
    """Answers to samples of one point, and the noise of each class summed.

    Attributes:
        counts: by class, -1 for none.
        sums: of the noise, float64, by class.
    """

    counts: Counter[int] = field(default_factory=Counter)
    sums: dict[int, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, other: Votes) -> None:
        """Take in the votes of other samples."""
        self.counts += other.counts
        for k, noise in other.sums.items():
            self.sums[k] = self.sums[k] + noise if k in self.sums else noise

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean of all noise."""
        return _sum(self.sums.values()) / self.counts.total()

    def away(self, label: int) -> NDArray[np.float64] | None:
        """Return the mean noise where the answer left a class, less that of all; None if it is 0.

        The mean where it stayed would do as well in the limit, but its sampling error is that of
        all samples, among which those that left are few.
        """
        left = self.counts.total() - self.counts[label]
        if not left:
            return None
        noise = _sum(noise for k, noise in self.sums.items() if k != label)
        return _usable(noise / left - self.mean)

    def towards(self, rival: int, label: int) -> NDArray[np.float64] | None:
        """Return along which noise the votes of a class gain on those of another; None if 0."""
        if not (self.counts[rival] and self.counts[label]):
            return None
        gain = self.counts[rival] - self.counts[label]
        noise = self.sums[rival] - self.sums[label] - gain * self.mean
        return _usable(noise / self.counts.total())

    def rival(self, label: int) -> int:
        """Return the most frequent other class; of equals the lowest."""
        others = {k: n for k, n in self.counts.items() if k not in (label, -1)}
        return min(others, key=lambda k: (-others[k], k), default=label)

    def margin(self, label: int) -> float:
        """Return Φ⁻¹ of the rival's share of its own votes and the label's: above 0 it leads.

        Half a vote is added to both, so that it is finite.
        """
        second = self.rival(label)
        votes = self.counts[second] if second != label else 0
        return _NORMAL.inv_cdf((votes + 0.5) / (votes + self.counts[label] + 1))


def _sum(noise: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.add.reduce(list(noise))
    return total


def _usable(direction: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return a direction, unless it is none: of noise with heavy tails a mean may be infinite."""
    return direction if np.isfinite(direction).all() and direction.any() else None
