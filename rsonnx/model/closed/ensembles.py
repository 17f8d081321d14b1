"""What onnxruntime makes of trees' leaves: sums, and the label of a classifier of trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsonnx.model.closed.choices import difference
from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.closed.trees import Ensemble
from rsonnx.model.closed.values import Choice, Sums, Terms, unit_of


def ensemble_sums(
    ensemble: Ensemble, terms: Terms, places: NDArray[np.intp], rows: NDArray[np.float64]
) -> Sums:
    """Return the sums of an ensemble's leaves by the cells of the values that its trees ask for.

    A tree of any depth may ask for one value alone.

    Args:
        ensemble: the trees.
        terms: the cells.
        places: (features,), of the values that the operator's input is made of.
        rows: (cells, features), that input for an input in each cell.
    """
    variables = {cuts.at: i for i, cuts in enumerate(terms.cuts)}
    starts, targets = terms.starts, ensemble.targets
    coefficients, sizes = np.zeros((len(terms), targets)), np.zeros((len(terms), targets))
    weights, additions = [], np.zeros(targets, np.int_)
    for tree in ensemble.trees:
        asked = {int(places[feature]) for feature in tree.features} & set(variables)
        if len(asked) > 1:
            raise NotClosedError("its trees ask for several values each")
        cells = slice(0, 1)  # of a tree that always goes one way
        if asked:
            variable = variables[asked.pop()]
            cells = slice(int(starts[variable]), int(starts[variable + 1]))
        held = rows[max(cells.start - 1, 0) : max(cells.stop - 1, 1)]
        added = np.zeros((len(held), targets))
        for leaf, here in tree.reached(held):
            for target, weight in leaf if here.any() else ():
                added[here, target] = weight
                weights.append(weight)
        coefficients[cells] += added
        sizes[cells] += np.abs(added)
        additions[sorted({target for leaf in tree.leaves for target, _ in leaf})] += 1
    unit = unit_of(np.array(weights))
    # Each score is a sum of its own trees' leaves, in any order; what has none adds 0, exactly.
    total = Sums(coefficients, sizes, 0, 0, unit).rounded(int(additions.max()), unit, terms)
    if ensemble.divisor == 1:
        return total
    divided = Sums(
        total.coefficients / ensemble.divisor, total.sizes / ensemble.divisor, 0, total.roundings
    )
    return divided.rounded(1, 0.0, terms)


def with_base(sums: Sums, base: NDArray[np.float64], terms: Terms) -> Sums:
    """Return sums to which constants were added."""
    if not base.any():
        return sums
    coefficients, sizes = sums.coefficients.copy(), sums.sizes.copy()
    coefficients[0] += base
    sizes[0] += np.abs(base)
    made = Sums(coefficients, sizes, 0, sums.roundings, sums.unit)
    return made.rounded(1, min(sums.unit, unit_of(base)), terms)


def label_choice(
    ensemble: Ensemble, sums: Sums, terms: Terms
) -> tuple[Choice, NDArray[np.generic]]:
    """Return how onnxruntime finds the label of an ensemble of trees, and each outcome's label.

    With more than two classes the largest score wins. With two it is the score of the second, or
    the only one that leaves have weights for, held against 0; against .5 where there is but one and
    no weight is negative. Where leaves have weights for both, numbers are 0 and 1 whatever the file
    lists.

    Raises:
        NotClosedError: leaves have weights for some of the classes each, of which onnxruntime
            leaves those out that none was added to.
    """
    count, base, labels = ensemble.targets, ensemble.base, ensemble.labels
    weights = [pair for tree in ensemble.trees for leaf in tree.leaves for pair in leaf]
    classes = {target for target, _ in weights}
    everywhere = {
        target
        for target in classes
        if any(all(target in dict(leaf) for leaf in tree.leaves) for tree in ensemble.trees)
    }
    if classes != everywhere and not (count > 2 and len(base)):
        raise NotClosedError("some leaves have no weight for a class")
    if count > 2:
        if len(base) not in (0, count) or (len(base) == 0 and len(classes) < count):
            raise NotClosedError("some classes have no score")
        return Choice(with_base(sums, base, terms)), np.array(labels)
    if count < 2 or len(base) > 1 or (1 in classes and len(base)):
        raise NotClosedError("its trees have base values, or classes, that do not go together")
    score = sums.column(int(1 in classes))
    positive = len(classes) == 1 and all(weight >= 0 for _, weight in weights)
    choice = Choice(with_base(score, base, terms), 0.5 if positive else 0.0)
    listed = len(classes) == 1 or isinstance(labels[0], str)
    return choice, np.array(labels if listed else (0, 1))


def linear_choice(
    classes: tuple[int, ...] | tuple[str, ...], sums: Sums
) -> tuple[Choice, NDArray[np.generic]]:
    """Return how onnxruntime finds the label of a linear classifier, and each outcome's label."""
    count = sums.coefficients.shape[1]
    if len(classes) < count:
        raise NotClosedError("it lists fewer classes than scores")
    if count == 1:
        named = len(classes) == 2
        return Choice(sums), np.array(classes if named else (0, 1))
    choice = Choice(difference(sums) if count == 2 else sums)
    return choice, np.array(classes[:count])
