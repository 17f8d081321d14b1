"""The models of ai.onnx.ml: trees, linear models and what stands in front of them.

They take tables, (rows, columns); a tensor of one axis they take for a single row.
"""

from __future__ import annotations

from collections.abc import Callable

from rsonnx.model.rows.call import Call, of_shape, spare
from rsonnx.model.rows.values import Multiple, Tensor, UnprovedError, Value


def _same_table(call: Call) -> list[Value]:
    return [Tensor(call.rows_first(rank=2).dims)]


def _model(*columns: int | None) -> Callable[[Call], list[Value]]:
    """Give outputs of one row each, with so many columns; 0 stands for a list of labels."""

    def rule(call: Call) -> list[Value]:
        rows = call.rows_first(rank=2).dims[0]
        return [of_shape(rows) if c == 0 else of_shape(rows, c) for c in columns]

    return rule


def _extract(call: Call) -> list[Value]:
    """Take columns, that is places of the last axis."""
    tensor, indices = call.tensor(0), call.tensor(1)
    call.fixed(1)
    spare(tensor, tensor.rank - 1)
    sizes = set(indices.dims) - {1}
    count = sizes.pop() if len(sizes) == 1 else None if sizes else 1
    return [of_shape(*tensor.dims[:-1], count)]


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


_CLASSIFIER, _REGRESSOR = _model(0, None), _model(None)

RULES = {
    f"ai.onnx.ml.{name}": rule
    for name, rule in {
        "ArrayFeatureExtractor": _extract,
        "FeatureVectorizer": _side_by_side,
        "Imputer": _same_table,
        "LinearClassifier": _CLASSIFIER,
        "LinearRegressor": _REGRESSOR,
        "Normalizer": _same_table,
        "OneHotEncoder": _one_hot,
        "SVMClassifier": _CLASSIFIER,
        "SVMRegressor": _REGRESSOR,
        "Scaler": _same_table,
        "TreeEnsemble": _REGRESSOR,
        "TreeEnsembleClassifier": _CLASSIFIER,
        "TreeEnsembleRegressor": _REGRESSOR,
    }.items()
}
