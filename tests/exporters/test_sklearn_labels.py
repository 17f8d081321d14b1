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

sklearn = pytest.importorskip("sklearn")
skl2onnx = pytest.importorskip("skl2onnx")

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
BOUNDS = (0.0, 8.0)
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


def exported(estimator: Any, path: Path, **options: Any) -> Path:
    proto = skl2onnx.to_onnx(
        estimator,
        X[:1],
        target_opset={"": 17, "ai.onnx.ml": 3},
        options={id(estimator): options} if options else None,
    )
    path.write_bytes(proto.SerializeToString())
    return path


def noisy() -> Any:
    generator = np.random.default_rng(0)
    return (X + generator.standard_normal(X.shape)).astype(np.float32)


def own_labels(path: Path, inputs: Any) -> list[str]:
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    name = session.get_outputs()[0].name  # skl2onnx writes the label first
    return [str(v) for v in np.ravel(session.run([name], {"X": inputs})[0]).tolist()]


def check(path: Path) -> Any:
    found = rsonnx.load(path, preprocess="none", bounds=BOUNDS, providers=["cpu"])
    inputs = noisy()
    own = own_labels(path, inputs)
    counted = found.classify(inputs)
    names = found.class_names or [str(k) for k in range(3)]
    assert [names[k] for k in counted] == own
    assert len(set(own)) > 1
    return found


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_s_own_label_is_counted(tmp_path: Path, name: str, labels: str) -> None:
    estimator = sklearn.base.clone(CLASSIFIERS[name]).fit(X, LABELS[labels])
    options = {"zipmap": False} if hasattr(estimator, "predict_proba") else {}
    found = check(exported(estimator, tmp_path / "model.onnx", **options))
    assert found.class_names == tuple(map(str, estimator.classes_))
    assert found.num_classes == len(estimator.classes_)


@pytest.mark.parametrize("name", DETECTORS)
def test_clusters_and_outliers_are_classes(tmp_path: Path, name: str) -> None:
    estimator = sklearn.base.clone(DETECTORS[name]).fit(X)
    found = check(exported(estimator, tmp_path / "model.onnx"))
    assert found.classify(noisy()).min() >= 0  # -1 for an outlier is a class


@pytest.mark.parametrize(
    "estimator",
    [
        impute.SimpleImputer(),
        preprocessing.StandardScaler(),
        linear_model.LinearRegression(),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_answers_numbers_is_refused_until_it_is_insisted_on(
    tmp_path: Path, estimator: Any
) -> None:
    target = np.stack([Y, -Y, 0.1 * Y], axis=1).astype(np.float32)
    path = exported(sklearn.base.clone(estimator).fit(X, target), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="--output-name variable"):
        rsonnx.load(path, preprocess="none", bounds=BOUNDS, providers=["cpu"])
    found = rsonnx.load(
        path, preprocess="none", bounds=BOUNDS, providers=["cpu"], output_name="variable"
    )
    assert found.facts["insisted"].endswith("the largest is counted")


@pytest.mark.parametrize("labels", LABELS)
def test_the_probabilities_that_were_named_are_counted_by_name(tmp_path: Path, labels: str) -> None:
    estimator = sklearn.base.clone(CLASSIFIERS["SVC with probabilities"]).fit(X, LABELS[labels])
    path = exported(estimator, tmp_path / "model.onnx", zipmap=False)
    scores = onnx.load(path).graph.output[1].name
    found = rsonnx.load(
        path, preprocess="none", bounds=BOUNDS, providers=["cpu"], output_name=scores
    )
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    expected = session.run([scores], {"X": X})[0].argmax(axis=1)
    assert found.classify(X).tolist() == expected.tolist()
    assert found.class_names == tuple(map(str, estimator.classes_))
