"""Models that skl2onnx exports, against scikit-learn's own predictions on real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import rsonnx
from rsonnx.errors import ModelError
from rsonnx.model.rows import prove_rows

sklearn = pytest.importorskip("sklearn")
skl2onnx = pytest.importorskip("skl2onnx")

from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType  # noqa: E402
from sklearn import (  # noqa: E402
    datasets,
    ensemble,
    linear_model,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

X, Y = datasets.load_iris(return_X_y=True)
X = X.astype(np.float32)
NAMES = np.array(["setosa", "versicolor", "virginica"])
BOUNDS = (0.0, 8.0)

ESTIMATORS = {
    "logistic regression": linear_model.LogisticRegression(max_iter=500),
    "random forest": ensemble.RandomForestClassifier(10, random_state=0),
    "gradient boosting": ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0),
    "tree": tree.DecisionTreeClassifier(random_state=0),
    "neural net": neural_network.MLPClassifier((8,), max_iter=300, random_state=0),
    "pipeline": pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=500)
    ),
    "support vectors": svm.SVC(probability=False, random_state=0),
}


def exported(path: Path, estimator: Any, **options: Any) -> Path:
    """Export a fitted estimator, with a batch axis of any size."""
    kind = options.pop("kind", FloatTensorType)
    proto = skl2onnx.convert_sklearn(
        estimator,
        initial_types=[("X", kind([None, options.pop("width", 4)]))],
        options={id(estimator): options} if options else None,
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    path.write_bytes(proto.SerializeToString())
    return path


def fitted(name: str, labels: Any) -> Any:
    return sklearn.base.clone(ESTIMATORS[name]).fit(X, labels)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("zipmap", [True, False, "columns"])
@pytest.mark.parametrize("labels", [Y, Y + 5, NAMES[Y]], ids=["0..2", "5..7", "text"])
@pytest.mark.parametrize("name", ["logistic regression", "random forest"])
def test_labels_are_positions_among_the_classes(
    name: str, labels: Any, zipmap: Any, tmp_path: Path
) -> None:
    estimator = fitted(name, labels)
    path = exported(tmp_path / "model.onnx", estimator, zipmap=zipmap)
    found = rsonnx.load(path, preprocess="none", bounds=BOUNDS, providers=["cpu"])
    expected = np.searchsorted(estimator.classes_, estimator.predict(X))
    np.testing.assert_array_equal(found.classify(X), expected)
    assert found.class_names == tuple(map(str, estimator.classes_))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_answers_as_it_does_itself(name: str, tmp_path: Path) -> None:
    estimator = fitted(name, Y)
    path = exported(tmp_path / "model.onnx", estimator)
    found = rsonnx.load(path, preprocess="none", bounds=BOUNDS, providers=["cpu"])
    # float32 kernels may tell two nearly equal scores apart otherwise than scikit-learn's float64.
    assert (found.classify(X) == estimator.predict(X)).mean() >= 149 / 150
    cert = rsonnx.SmoothedClassifier(found, sigma=0.2).certify(X[0], n=1000, seed=1)
    assert cert.label == Y[0]
    assert cert.arithmetic == "float"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_rows_of_every_estimator_are_proved(name: str, tmp_path: Path) -> None:
    path = exported(tmp_path / "model.onnx", fitted(name, Y))
    proto = onnx.load(path)
    label, scores = (value.name for value in proto.graph.output)
    # A ZipMap's maps are no tensor; what it makes them of is.
    maps = [node.input[0] for node in proto.graph.node if node.op_type == "ZipMap"]
    outputs = [label, *(maps or [scores])]
    assert prove_rows(proto, input_name="X", outputs=outputs).stopped_by is None


@pytest.mark.filterwarnings("ignore")
def test_two_classes_and_doubles(tmp_path: Path) -> None:
    x, y = datasets.load_breast_cancer(return_X_y=True)
    x = preprocessing.StandardScaler().fit_transform(x).astype(np.float32)
    estimator = linear_model.LogisticRegression().fit(x, y)
    for kind in (FloatTensorType, DoubleTensorType):
        path = exported(tmp_path / "model.onnx", estimator, kind=kind, width=30)
        found = rsonnx.load(path, preprocess="none", bounds=(-20, 20), providers=["cpu"])
        assert found.num_classes == 2
        np.testing.assert_array_equal(found.classify(x), estimator.predict(x))


@pytest.mark.filterwarnings("ignore")
def test_a_regressor_is_refused(tmp_path: Path) -> None:
    estimator = linear_model.LinearRegression().fit(X, Y)
    path = exported(tmp_path / "model.onnx", estimator)
    with pytest.raises(ModelError, match="a regressor cannot be certified"):
        rsonnx.load(path, preprocess="none", bounds=BOUNDS)
