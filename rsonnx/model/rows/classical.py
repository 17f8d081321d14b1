"""The models of ai.onnx.ml: trees, linear models and what stands in front of them.

They take tables, (rows, columns); a tensor of one axis they take for a single row.
"""

from __future__ import annotations

from collections.abc import Callable

from rsonnx.model.rows.call import Call, of_shape, spare
from rsonnx.model.rows.shapes import regroup
from rsonnx.model.rows.values import Dim, Multiple, Tensor, UnprovedError, Value, product


def _same_table(call: Call) -> list[Value]:
    return [Tensor(call.rows_first(rank=2).dims)]


def _classifier(columns: Callable[[Call], Dim]) -> Callable[[Call], list[Value]]:
    """Give a label a row, and a row of scores."""

    def rule(call: Call) -> list[Value]:
        rows = call.rows_first(rank=2).dims[0]
        return [of_shape(rows), of_shape(rows, columns(call))]

    return rule


def _regressor(columns: Callable[[Call], Dim]) -> Callable[[Call], list[Value]]:
    """Give a row of numbers."""

    def rule(call: Call) -> list[Value]:
        return [of_shape(call.rows_first(rank=2).dims[0], columns(call))]

    return rule


def _not_known(_: Call) -> Dim:
    return None


def _classes(call: Call) -> Dim:
    """Return how many classes are named; of fewer than two, runtimes make what they like."""
    labels = [a for name, a in call.attributes.items() if name.startswith("classlabels")]
    counts = {len(a.ints) + len(a.strings) for a in labels} - {0}
    return counts.pop() if len(counts) == len(labels) == 1 and counts != {1} else None


def _targets(call: Call) -> Dim:
    return call.attribute("n_targets", 0) or None


def _extract(call: Call) -> list[Value]:
    """Take places of the last axis, which all indices name one after the other."""
    tensor, indices = call.tensor(0), call.tensor(1)
    spare(tensor, tensor.rank - 1)
    places = regroup(indices.dims, (product(indices.dims),)).dims
    return [of_shape(*(tensor.dims[:-1] or (1,)), *places)]


def _one_hot(call: Call) -> list[Value]:
    labels = call.integers("cats_int64s") or call.attribute("cats_strings", [])
    return [of_shape(*call.tensor(0).dims, len(labels) or None)]


def _side_by_side(call: Call) -> list[Value]:
    tables = [call.rows_first(i, rank=2) for i in range(len(call.inputs))]
    rows = {table.dims[0] for table in tables}
    if len(rows) != 1 or not isinstance(rows.pop(), Multiple):
        raise UnprovedError("columns without rows")
    columns = call.integers("inputdimensions")
    return [of_shape(tables[0].dims[0], None if columns is None else sum(columns))]


RULES = {
    f"ai.onnx.ml.{name}": rule
    for name, rule in {
        "ArrayFeatureExtractor": _extract,
        "FeatureVectorizer": _side_by_side,
        "Imputer": _same_table,
        "LinearClassifier": _classifier(_not_known),
        "LinearRegressor": _regressor(lambda call: call.attribute("targets", 1)),
        "Normalizer": _same_table,
        "OneHotEncoder": _one_hot,
        "SVMClassifier": _classifier(_not_known),
        "SVMRegressor": _regressor(lambda _: 1),
        "Scaler": _same_table,
        "TreeEnsemble": _regressor(_targets),
        "TreeEnsembleClassifier": _classifier(_classes),
        "TreeEnsembleRegressor": _regressor(_targets),
    }.items()
}
