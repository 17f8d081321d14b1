"""The models of ai.onnx.ml: trees, linear models and what stands in front of them.

They take tables, (rows, columns); a tensor of one axis they take for a single row.
"""

from __future__ import annotations

from rsonnx.model.rows.call import ML, Call, of_shape, rule, spare
from rsonnx.model.rows.shapes import regroup
from rsonnx.model.rows.values import Dim, Multiple, Tensor, UnprovedError, product

rule("Imputer", "Normalizer", "Scaler", domain=ML)(
    lambda call: Tensor(call.rows_first(rank=2).dims)
)


@rule("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier", domain=ML)
def _classifier(call: Call) -> list[Tensor]:
    """Give a label a row, and a row of scores; linear models of two classes may give one score."""
    rows, columns = call.rows_first(rank=2).dims[0], None
    if call.operator.endswith("TreeEnsembleClassifier"):
        labels = [a for name, a in call.attributes.items() if name.startswith("classlabels")]
        counts = {len(a.ints) + len(a.strings) for a in labels} - {0}
        # Of fewer than two classes, runtimes make what they like.
        if len(counts) == len(labels) == 1 and counts != {1}:
            columns = counts.pop()
    return [of_shape(rows), of_shape(rows, columns)]


@rule("LinearRegressor", "SVMRegressor", "TreeEnsemble", "TreeEnsembleRegressor", domain=ML)
def _regressor(call: Call) -> Tensor:
    """Give a row of numbers."""
    columns: Dim = call.attribute("n_targets", 0) or None
    if call.operator.endswith("LinearRegressor"):
        columns = call.attribute("targets", 1)
    elif call.operator.endswith("SVMRegressor"):
        columns = 1
    return of_shape(call.rows_first(rank=2).dims[0], columns)


@rule("ArrayFeatureExtractor", domain=ML)
def _extract(call: Call) -> Tensor:
    """Take places of the last axis, which all indices name one after the other."""
    tensor, indices = call.tensor(), call.tensor(1)
    spare(tensor, tensor.rank - 1)
    places = regroup(indices.dims, (product(indices.dims),)).dims
    return of_shape(*(tensor.dims[:-1] or (1,)), *places)


@rule("OneHotEncoder", domain=ML)
def _one_hot(call: Call) -> Tensor:
    labels = call.integers("cats_int64s") or call.attribute("cats_strings", [])
    return of_shape(*call.tensor().dims, len(labels) or None)


@rule("FeatureVectorizer", domain=ML)
def _side_by_side(call: Call) -> Tensor:
    rows = {call.rows_first(i, rank=2).dims[0] for i in range(len(call.inputs))}
    if len(rows) != 1 or not isinstance(first := rows.pop(), Multiple):
        raise UnprovedError("columns without rows")
    columns = call.integers("inputdimensions")
    return of_shape(first, None if columns is None else sum(columns))
