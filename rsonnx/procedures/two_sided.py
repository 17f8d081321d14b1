"""The two-sided radius: bounds on every class at once, from the same counts.

A radius from p_A and p_B, such as sigma/2·(Φ⁻¹(p_A) - Φ⁻¹(p_B)) of Gaussian noise (Cohen et al.,
arXiv 1902.02918, Theorem 1), needs an upper bound on every other class, not only on the one that
looks like the runner-up: which class that is, is itself a finding from the sample. All bounds hold
at once with probability 1 - alpha by the union bound: alpha/2 is spent on the top class and alpha/2
on its rivals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

from numpy.typing import ArrayLike

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Law
from rsonnx.procedures.result import ABSTAIN
from rsonnx.statistics import check_alpha, proved_lower, proved_upper


@dataclass(frozen=True)
class TwoSidedBounds:
    """Bounds on the top class and on all others, and the radius between them.

    Attributes:
        top_class: the class that the selection samples chose; ``ABSTAIN`` if none had a class.
        p_a_lower: lower bound on its probability, rounded down.
        p_b_upper: upper bound on the probability of every other class, rounded up.
        radius: in the units of the noise, rounded down; 0 unless p_a_lower > p_b_upper.
    """

    top_class: int
    p_a_lower: float
    p_b_upper: float
    radius: float


def two_sided_bounds(
    selection: Counts | ArrayLike,
    estimation: Counts | ArrayLike,
    *,
    noise: Law,
    alpha: float = 0.001,
    num_classes: int | None = None,
) -> TwoSidedBounds:
    """Bound the top class and every rival at once, and derive the two-sided radius.

    Of alpha the runner-up of the selection samples has a quarter, and all other rivals share one.

    Args:
        selection: counts per class of the samples that choose the class and weight the rivals.
        estimation: counts per class of further, independent samples.
        noise: a smoothing distribution that has a two-sided radius.
        alpha: probability that any of the bounds is wrong, in (0, 1).
        num_classes: K, if the counts may not list every class; None takes the longer of the two.

    Answers that are no class are a rival too. They are counted together with the rival that has the
    fewest selection samples, so that they cost nothing where there are none.

    Raises:
        UsageError: an argument is outside its range, or there are no samples.
    """
    selection, estimation = Counts.of(selection), Counts.of(estimation)
    alpha = check_alpha(alpha)
    if selection.total < 1 or estimation.total < 1:
        raise UsageError(
            f"there are {selection.total} selection and {estimation.total} estimation samples, "
            "but each stage needs at least 1"
        )
    listed = max(len(selection), len(estimation))
    classes = listed if num_classes is None else num_classes
    if classes < listed:
        raise UsageError(f"num_classes is {num_classes}, but the counts list {listed} classes")
    if not selection.seen:
        return TwoSidedBounds(ABSTAIN, 0.0, 1.0, 0.0)
    top = selection.top()[0]
    n = estimation.total
    p_a_lower = proved_lower(estimation[top], n, alpha / 2.0)
    # Rounded up: 1 - p may not be a double.
    p_b_upper = math.nextafter(1.0 - p_a_lower, math.inf)
    shares = rival_shares(selection, estimation, top, classes, alpha)
    if shares:
        # A bound rises with the hits, so these are the largest of all rivals.
        p_b_upper = min(p_b_upper, max(proved_upper(k, n, share) for k, share in shares))
    radius = 0.0
    if p_a_lower > p_b_upper:
        radius = noise.radius_between(p_a_lower, p_b_upper)
    return TwoSidedBounds(top, p_a_lower, p_b_upper, radius)


def rival_shares(
    selection: Counts, estimation: Counts, top: int, classes: int, alpha: float
) -> list[tuple[int, float]]:
    """Return the (hits, alpha) of the upper bounds that cover every rival of ``top``.

    They spend alpha/2: half of it on the runner-up of the selection samples, and each of the others
    has the same share of the rest, so that the one with most hits has the largest bound.
    """
    if classes < 2:
        return []
    # The first and the last class that nobody saw stand for all such: order alone tells them apart.
    seen = {top, *selection.seen, *estimation.seen}
    ends = (range(classes), range(classes - 1, -1, -1))
    unseen = {c for end in ends for c in islice((c for c in end if c not in seen), 1)}
    rivals = sorted(seen - {top} | unseen, key=lambda c: (-selection[c], c))
    hits = [estimation[c] for c in rivals]
    hits[-1] += estimation.no_class  # a bound on either together bounds each
    rest = classes - 2
    if rest == 0:
        return [(hits[0], alpha / 2.0)]
    return [(hits[0], alpha / 4.0), (max(hits[1:]), alpha / (4.0 * rest))]
