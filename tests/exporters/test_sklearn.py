"""Every kind of scikit-learn classifier: the class that is counted is the exported file's label.

skl2onnx writes some ten kinds of graphs for them; the label is that of plain onnxruntime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import rsonnx
from rsonnx.errors import ModelError
from rsonnx.model.rows import prove_rows

sklearn = pytest.importorskip("sklearn")
skl2onnx = pytest.importorskip("skl2onnx")

from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType  # noqa: E402
from sklearn import (  # noqa: E402
    calibration,
    cluster,
    datasets,
    discriminant_analysis,
    ensemble,
    impute,
    linear_model,
    mixture,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

pytestmark = pytest.mark.filterwarnings("ignore")

X, Y = datasets.load_iris(return_X_y=True)
X = X.astype(np.float32)
LABELS = {
    "1..3": Y + 1,
    "text": np.array(["setosa", "versicolor", "virginica"])[Y],
    "2 and 5": np.where(Y > 0, 5, 2),
    "no and yes": np.where(Y > 0, "yes", "no"),
}
TWO = [("a", linear_model.LogisticRegression(max_iter=300)), ("b", naive_bayes.GaussianNB())]
CLASSIFIERS: dict[str, Any] = {
    "LogisticRegression": linear_model.LogisticRegression(max_iter=300),
    "SGD": linear_model.SGDClassifier(random_state=0),
    "Perceptron": linear_model.Perceptron(random_state=0),
    "Ridge": linear_model.RidgeClassifier(),
    "SVC": svm.SVC(random_state=0),
    "SVC with probabilities": svm.SVC(probability=True, random_state=0),
    "LinearSVC": svm.LinearSVC(random_state=0),
    "KNeighbors": neighbors.KNeighborsClassifier(3),
    "GaussianNB": naive_bayes.GaussianNB(),
    "MLP": neural_network.MLPClassifier((6,), max_iter=300, random_state=0),
    "DecisionTree": tree.DecisionTreeClassifier(random_state=0),
    "RandomForest": ensemble.RandomForestClassifier(5, random_state=0),
    "ExtraTrees": ensemble.ExtraTreesClassifier(5, random_state=0),
    "GradientBoosting": ensemble.GradientBoostingClassifier(n_estimators=3, random_state=0),
    "AdaBoost": ensemble.AdaBoostClassifier(n_estimators=3, random_state=0),
    "Bagging": ensemble.BaggingClassifier(n_estimators=3, random_state=0),
    "hard votes": ensemble.VotingClassifier(TWO, voting="hard", flatten_transform=False),
    "soft votes": ensemble.VotingClassifier(TWO, voting="soft", flatten_transform=False),
    "Stacking": ensemble.StackingClassifier(TWO, cv=2),
    "Calibrated": calibration.CalibratedClassifierCV(linear_model.LogisticRegression(), cv=2),
    "OneVsRest": multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
    "LDA": discriminant_analysis.LinearDiscriminantAnalysis(),
    "QDA": discriminant_analysis.QuadraticDiscriminantAnalysis(),
    "pipeline": pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC()),
}
DETECTORS: dict[str, Any] = {
    "KMeans": cluster.KMeans(3, random_state=0, n_init=1),
    "MiniBatchKMeans": cluster.MiniBatchKMeans(3, random_state=0, n_init=1),
    "GaussianMixture": mixture.GaussianMixture(3, random_state=0),
    "IsolationForest": ensemble.IsolationForest(n_estimators=5, random_state=0),
    "OneClassSVM": svm.OneClassSVM(),
    "LocalOutlierFactor": neighbors.LocalOutlierFactor(novelty=True),
}


def exported(
    estimator: Any, folder: Path, inputs: Any = X, kind: Any = FloatTensorType, **options: Any
) -> Path:
    """Export a fitted estimator, with a batch axis of any size."""
    proto = skl2onnx.convert_sklearn(
        estimator,
        initial_types=[("X", kind([None, inputs.shape[1]]))],
        options={id(estimator): options} if options else None,
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def loaded(path: Path, bounds: tuple[float, float] = (0.0, 8.0), **options: Any) -> Any:
    return rsonnx.load(path, preprocess="none", bounds=bounds, providers=["cpu"], **options)


def answer(path: Path, output: int, inputs: Any) -> Any:
    """What onnxruntime gives itself; skl2onnx writes the label first."""
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return session.run([session.get_outputs()[output].name], {"X": inputs})[0]


def check(path: Path) -> Any:
    base = loaded(path)
    generator = np.random.default_rng(0)
    inputs = (X + generator.standard_normal(X.shape)).astype(np.float32)
    own = [str(v) for v in np.ravel(answer(path, 0, inputs)).tolist()]
    counted = base.classify(inputs)
    names = base.class_names or [str(k) for k in range(3)]
    assert [names[k] for k in counted] == own
    assert len(set(own)) > 1
    assert counted.min() >= 0  # -1 for an outlier is a class
    return base


def fitted(name: str, labels: Any = Y) -> Any:
    return sklearn.base.clone(CLASSIFIERS[name]).fit(X, labels)


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_s_own_label_is_counted(tmp_path: Path, name: str, labels: str) -> None:
    estimator = fitted(name, LABELS[labels])
    options = {"zipmap": False} if hasattr(estimator, "predict_proba") else {}
    base = check(exported(estimator, tmp_path, **options))
    assert base.class_names == tuple(map(str, estimator.classes_))
    assert base.num_classes == len(estimator.classes_)


@pytest.mark.parametrize("zipmap", [True, False, "columns"])
@pytest.mark.parametrize("labels", [Y, Y + 5, LABELS["text"]], ids=["0..2", "5..7", "text"])
@pytest.mark.parametrize("name", ["LogisticRegression", "RandomForest"])
def test_every_form_of_probabilities_leaves_the_label(
    name: str, labels: Any, zipmap: Any, tmp_path: Path
) -> None:
    estimator = fitted(name, labels)
    base = loaded(exported(estimator, tmp_path, zipmap=zipmap))
    expected = np.searchsorted(estimator.classes_, estimator.predict(X))
    np.testing.assert_array_equal(base.classify(X), expected)
    assert base.class_names == tuple(map(str, estimator.classes_))


SEVEN = ["LogisticRegression", "RandomForest", "GradientBoosting", "DecisionTree", "MLP", "SVC"]


@pytest.mark.parametrize("name", [*SEVEN, "pipeline"])
def test_rows_are_proved_and_what_scikit_learn_answers_is_certified(
    name: str, tmp_path: Path
) -> None:
    estimator = fitted(name)
    path = exported(estimator, tmp_path)
    proto = onnx.load(path)
    label, scores = (value.name for value in proto.graph.output)
    # A ZipMap's maps are no tensor; what it makes them of is.
    maps = [node.input[0] for node in proto.graph.node if node.op_type == "ZipMap"]
    proof = prove_rows(proto, input_name="X", outputs=[label, *(maps or [scores])])
    assert proof.stopped_by is None
    base = loaded(path)
    # float32 kernels may tell two nearly equal scores apart otherwise than scikit-learn's float64.
    assert (base.classify(X) == estimator.predict(X)).mean() >= 149 / 150
    certificate = rsonnx.SmoothedClassifier(base, sigma=0.2).certify(X[0], n=1000, seed=1)
    assert (certificate.label, certificate.arithmetic) == (Y[0], "float")


@pytest.mark.parametrize("kind", [FloatTensorType, DoubleTensorType])
def test_two_classes_and_doubles(kind: Any, tmp_path: Path) -> None:
    x, y = datasets.load_breast_cancer(return_X_y=True)
    x = preprocessing.StandardScaler().fit_transform(x).astype(np.float32)
    estimator = linear_model.LogisticRegression().fit(x, y)
    base = loaded(exported(estimator, tmp_path, x, kind), (-20.0, 20.0))
    assert base.num_classes == 2
    np.testing.assert_array_equal(base.classify(x), estimator.predict(x))


@pytest.mark.parametrize("name", DETECTORS)
def test_clusters_and_outliers_are_classes(tmp_path: Path, name: str) -> None:
    check(exported(sklearn.base.clone(DETECTORS[name]).fit(X), tmp_path))


@pytest.mark.parametrize(
    "estimator",
    [impute.SimpleImputer(), preprocessing.StandardScaler(), linear_model.LinearRegression()],
    ids=lambda e: type(e).__name__,
)
def test_what_answers_numbers_is_refused_until_it_is_insisted_on(
    tmp_path: Path, estimator: Any
) -> None:
    target = np.stack([Y, -Y, 0.1 * Y], axis=1).astype(np.float32)
    path = exported(sklearn.base.clone(estimator).fit(X, target), tmp_path)
    with pytest.raises(ModelError, match="--output-name variable"):
        loaded(path)
    assert loaded(path, output_name="variable").facts["insisted"]


def test_a_regressor_of_one_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="regressor"):
        loaded(exported(linear_model.LinearRegression().fit(X, Y), tmp_path))


@pytest.mark.parametrize("labels", LABELS)
def test_the_probabilities_that_were_named_are_counted_by_name(tmp_path: Path, labels: str) -> None:
    estimator = fitted("SVC with probabilities", LABELS[labels])
    path = exported(estimator, tmp_path, zipmap=False)
    base = loaded(path, output_name=onnx.load(path).graph.output[1].name)
    assert base.classify(X).tolist() == answer(path, 1, X).argmax(axis=1).tolist()
    assert base.class_names == tuple(map(str, estimator.classes_))
