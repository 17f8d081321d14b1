"""What a procedure returns: small frozen objects with everything that a row of a run needs."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any

from rsonnx.counts import Counts
from rsonnx.noise.covers import Cover
from rsonnx.procedures.radii import radius_text

ABSTAIN = -1
"""The label where a procedure gives no answer (Cohen et al., arXiv 1902.02918).

>>> rsonnx.certify_from_counts([60, 40], [510, 490], sigma=0.5).label == rsonnx.ABSTAIN
True
"""


class AbstainReason(StrEnum):
    """Why no certificate was given: the one reason that fits best.

    >>> rsonnx.certify_from_counts([100, 0], [60, 40], sigma=0.5).reason
    <AbstainReason.LOOSE_BOUND: 'loose-bound'>
    """

    WRONG_GUESS = "wrong-guess"
    """The selection samples chose a class, but the estimation samples favour another."""

    LOW_PROBABILITY = "low-probability"
    """No class was seen in more than half of the estimation samples, or has that probability."""

    NO_CLASS = "no-class"
    """No class was seen as often as answers of no class, which NaN and
    an infinite largest score are."""

    LOOSE_BOUND = "loose-bound"
    """The class was seen in more than half, but in too few samples to be sure of it; where its
    probability was calculated, rounding leaves open whether it is above one half."""


@dataclass(frozen=True)
class CertificateCounts:
    """Counts of the two stages, from samples that are independent of each other.

    >>> cert = rsonnx.certify_from_counts([99, 1], [99_000, 1_000], sigma=0.5)
    >>> cert.counts.totals, cert.counts.estimation[0]
    ({'selection': 100, 'estimation': 100000}, 99000)
    """

    selection: Counts
    estimation: Counts

    @property
    def totals(self) -> dict[str, int]:
        """How many samples were drawn, by stage."""
        return {"selection": self.selection.total, "estimation": self.estimation.total}


@dataclass(frozen=True, repr=False)
class Certificate:
    """A certified radius around one input, or an abstention.

    With probability at least 1 - ``alpha`` over the noise that was drawn, the smoothed classifier
    answers ``label`` at every point closer than ``radius`` in ``norm``, or this is an abstention.

    Attributes:
        label: the certified class, or ``ABSTAIN``.
        radius: in the units of the declared input space, rounded down; 0 for an abstention,
            and where the answer is certified for the input itself only.
        p_a_lower: lower confidence bound on the probability of ``top_class``, rounded down.
        top_class: the class that the selection samples chose; ``ABSTAIN`` if none had a class.
        counts: what the base classifier answered.
        reason: why it abstained, else None.
        explanation: a sentence with the reason and a remedy, else None.
        noise: name of the smoothing distribution.
        sigma: its standard deviation, in the units of the declared input space; None for a law that
            has none.
        alpha: probability of error.
        norm: the norm of the radius.
        bound: the confidence bound that gave ``p_a_lower``.
        radius_rule: ``"one-sided"`` (from p_A alone) or ``"two-sided"`` (from p_A and p_B).
        p_b_upper: upper bound on the probability of every other class, rounded up; None where the
            radius is one-sided.
        p_a_upper: upper bound on the probability of ``top_class``, where it was calculated; then
            ``p_b_upper`` is one of all other classes together.
        one_sided_radius: what the one-sided rule would have given at the same alpha; None where it
            was the rule.
        uniform: the number that a randomised bound was given, drawn before the samples, else None.
        claim: (hits, samples) of the look from which an adaptive run claims its bound, else None.
        cover: the images that stand for all that a transformation makes, else None; the radius is
            then how far its parameters may be from that which changes nothing.
        method: ``"sampled"``: the certificate holds with probability 1 - alpha; ``"exact"``: it is
            certain, since every change of the input that the noise can make was counted, or the
            class probabilities were calculated.
        arithmetic: ``"exact"`` for noise on the grid of 8-bit values, ``"float"`` for
            floating-point noise, None where the counts came from elsewhere.
        seed: the seed of the noise, None where the counts came from elsewhere.
        digest: SHA-256 of the input, None where the counts came from elsewhere.

    >>> rsonnx.certify_from_counts([99, 1], [99_000, 1_000], sigma=0.5)
    Certificate(label=0, radius=1.1449 in l2, gaussian noise, n=100,000, alpha=0.001)
    """

    label: int
    radius: float
    p_a_lower: float
    top_class: int
    counts: CertificateCounts
    reason: AbstainReason | None
    explanation: str | None
    noise: str
    sigma: float | None
    alpha: float
    norm: str
    bound: str
    radius_rule: str = "one-sided"
    p_b_upper: float | None = None
    p_a_upper: float | None = None
    one_sided_radius: float | None = None
    uniform: float | None = None
    claim: tuple[int, int] | None = None
    cover: Cover | None = None
    method: str = "sampled"
    arithmetic: str | None = None
    seed: int | None = None
    digest: str | None = None

    @property
    def abstained(self) -> bool:
        """Whether no answer was certified."""
        return self.label == ABSTAIN

    def __repr__(self) -> str:
        what = f"abstained: {self.reason}" if self.abstained else f"label={self.label}"
        return (
            f"Certificate({what}, radius={radius_text(self.radius)} in {self.norm}, "
            f"{self.noise} noise, n={self.n:,}, alpha={self.alpha:g})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, which JSON can hold.

        >>> cert = rsonnx.certify_from_counts([99, 1], [99_000, 1_000], sigma=0.5)
        >>> cert.to_dict()["counts"]
        {'selection': {'0': 99, '1': 1}, 'estimation': {'0': 99000, '1': 1000}}
        """
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @property
    def n0(self) -> int:
        """Selection samples."""
        return self.counts.selection.total

    @property
    def n(self) -> int:
        """Estimation samples."""
        return self.counts.estimation.total


@dataclass(frozen=True, repr=False)
class Prediction:
    """The answer of the smoothed classifier at one input, or an abstention.

    If it is a class, it is the smoothed classifier's with probability at least 1 - ``alpha``.

    Attributes:
        label: the class, or ``ABSTAIN``.
        p_value: of the test that ``method`` names, rounded up.
        top_class: the class with most votes; ``ABSTAIN`` if no answer had a class.
        counts: what the base classifier answered.
        method: ``"two-class"`` (the top two against each other, PREDICT) or ``"majority"`` (the top
            class against one half).
        alpha: probability of error.
        sequential: whether sampling stopped as soon as the answer was sure; the p-value is then
            that of the fixed test on the same counts, for comparison, and did not decide.
        sigma, arithmetic, seed, digest: as in :class:`Certificate`.
        key: of the noise as a file of ``rsonnx compose smooth`` draws it; None where the seed drew
            it otherwise.

    >>> rsonnx.predict_from_counts([990, 10])
    Prediction(label=0, p_value=4.97e-278, n=1,000, alpha=0.001)
    """

    label: int
    p_value: float
    top_class: int
    counts: Counts
    method: str
    alpha: float
    sequential: bool = False
    sigma: float | None = None
    arithmetic: str | None = None
    seed: int | None = None
    digest: str | None = None
    key: str | None = None

    @property
    def abstained(self) -> bool:
        """Whether no class was given."""
        return self.label == ABSTAIN

    def __repr__(self) -> str:
        what = "abstained" if self.abstained else f"label={self.label}"
        return f"Prediction({what}, p_value={self.p_value:.3g}, n={self.n:,}, alpha={self.alpha:g})"

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, which JSON can hold.

        >>> rsonnx.predict_from_counts([550, 450]).to_dict()["label"]
        -1
        """
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @property
    def n(self) -> int:
        """Samples drawn."""
        return self.counts.total


def _plain(value: Any) -> Any:
    if isinstance(value, Counts):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value
