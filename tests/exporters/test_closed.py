"""What scikit-learn, XGBoost, LightGBM and CatBoost export is read to forms with its labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from closed_models import read_form

from rsonnx.closed_form import UNDECIDED, Boxes, Linear, StumpSum
from rsonnx.errors import ModelError
from rsonnx.model.closed import check_form

sklearn = pytest.importorskip("sklearn")
skl2onnx = pytest.importorskip("skl2onnx")

from skl2onnx.common.data_types import FloatTensorType  # noqa: E402
from sklearn import (  # noqa: E402
    datasets,
    decomposition,
    discriminant_analysis,
    ensemble,
    linear_model,
    multiclass,
    pipeline,
    preprocessing,
    svm,
    tree,
)

pytestmark = pytest.mark.filterwarnings("ignore")

DATA = {
    "two": datasets.load_breast_cancer(return_X_y=True),
    "three": datasets.load_wine(return_X_y=True),
}
STUMPS = {"max_depth": 1, "n_estimators": 20, "random_state": 0}
STUMP = tree.DecisionTreeClassifier(max_depth=1)


def logistic() -> Any:
    return linear_model.LogisticRegression(max_iter=300)


def behind(*steps: Any) -> Any:
    return pipeline.make_pipeline(*steps)


MODELS: dict[str, tuple[Any, type]] = {
    "GradientBoosting": (ensemble.GradientBoostingClassifier(**STUMPS), StumpSum),
    "RandomForest": (ensemble.RandomForestClassifier(**STUMPS), StumpSum),
    "ExtraTrees": (ensemble.ExtraTreesClassifier(**STUMPS), StumpSum),
    "AdaBoost": (ensemble.AdaBoostClassifier(STUMP, n_estimators=40, random_state=0), StumpSum),
    "Bagging": (ensemble.BaggingClassifier(STUMP, n_estimators=9, random_state=0), StumpSum),
    "DecisionTree": (tree.DecisionTreeClassifier(random_state=0), Boxes),
    "LogisticRegression": (logistic(), Linear),
    "Ridge": (linear_model.RidgeClassifier(), Linear),
    "Perceptron": (linear_model.Perceptron(random_state=0), Linear),
    "SGD": (linear_model.SGDClassifier(random_state=0), Linear),
    "LinearSVC": (svm.LinearSVC(random_state=0), Linear),
    "LDA": (discriminant_analysis.LinearDiscriminantAnalysis(), Linear),
    "scaled boosting": (
        behind(preprocessing.StandardScaler(), ensemble.GradientBoostingClassifier(**STUMPS)),
        StumpSum,
    ),
    "scaled tree": (
        behind(preprocessing.RobustScaler(), tree.DecisionTreeClassifier(random_state=0)),
        Boxes,
    ),
    "scaled": (behind(preprocessing.StandardScaler(), logistic()), Linear),
    "between 0 and 1": (behind(preprocessing.MinMaxScaler(), logistic()), Linear),
    "components": (behind(decomposition.PCA(3), logistic()), Linear),
    "binarised": (
        behind(preprocessing.MaxAbsScaler(), preprocessing.Binarizer(threshold=0.4), logistic()),
        StumpSum,
    ),
}


def exported(model: Any, columns: int) -> onnx.ModelProto:
    return skl2onnx.convert_sklearn(
        model,
        initial_types=[("X", FloatTensorType([None, columns]))],
        target_opset={"": 17, "ai.onnx.ml": 3},
    )


def compare(proto: onnx.ModelProto, inputs: Any, classes: Any) -> Any:
    """Read a model, and hold the form against plain onnxruntime on noisy data and at its cuts."""
    form = read_form(proto, bounds=(0.0, 2000.0))
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    name, label = session.get_inputs()[0].name, session.get_outputs()[0].name
    numbers = {value: k for k, value in enumerate(np.asarray(classes).tolist())}

    def classify(rows: Any) -> Any:
        return np.array([numbers[v] for v in session.run([label], {name: rows})[0].tolist()])

    generator = np.random.default_rng(0)
    rows = inputs[generator.integers(len(inputs), size=500)]
    rows = (rows * generator.normal(1, 0.3, rows.shape)).astype(np.float32)
    check_form(form, classify, rows)
    labels = form.labels(rows)
    assert (labels == UNDECIDED).mean() < 0.01
    assert len(np.unique(labels)) > 1
    return form


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", MODELS)
def test_scikit_learn(name: str, data: str) -> None:
    inputs, targets = DATA[data]
    model, kind = MODELS[name]
    names = (
        np.array(["c", "a", "b"])[targets]
        if name in ("LogisticRegression", "AdaBoost")
        else targets
    )
    model.fit(inputs.astype(np.float32), names)
    assert isinstance(compare(exported(model, inputs.shape[1]), inputs, model.classes_), kind)


def xgboost(depth: int, count: int) -> Any:
    return pytest.importorskip("xgboost").XGBClassifier(max_depth=depth, n_estimators=count)


def lightgbm(depth: int, count: int) -> Any:
    made = pytest.importorskip("lightgbm").LGBMClassifier
    return made(max_depth=depth, num_leaves=2**depth, n_estimators=count, verbose=-1, n_jobs=1)


def catboost(depth: int, count: int) -> Any:
    made = pytest.importorskip("catboost").CatBoostClassifier
    return made(depth=depth, iterations=count, verbose=0, allow_writing_files=False, thread_count=1)


def boosted(make: Callable[[int, int], Any], depth: int, count: int, data: str) -> Any:
    """Train a model of boosted trees, and export it with its own exporter."""
    inputs, targets = DATA[data]
    model = make(depth, count).fit(inputs.astype(np.float32), targets)
    if make is catboost:
        return onnx.load_from_string(_saved(model)), inputs, model
    tools = pytest.importorskip("onnxmltools")
    from onnxmltools.convert.common.data_types import FloatTensorType as Floats

    convert = tools.convert_xgboost if make is xgboost else tools.convert_lightgbm
    given = {} if make is xgboost else {"zipmap": False}
    types = [("X", Floats([None, inputs.shape[1]]))]
    return convert(model, initial_types=types, **given), inputs, model


def _saved(model: Any) -> bytes:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.save_model(str(path), format="onnx")
        return path.read_bytes()


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("make", [xgboost, lightgbm, catboost])
def test_boosted_stumps(make: Callable[[int, int], Any], data: str) -> None:
    proto, inputs, model = boosted(make, 1, 20, data)
    assert isinstance(compare(proto, inputs, model.classes_), StumpSum)


@pytest.mark.parametrize("make", [xgboost, lightgbm, catboost])
def test_one_boosted_tree_is_boxes(make: Callable[[int, int], Any]) -> None:
    proto, inputs, model = boosted(make, 3, 1, "two")
    assert isinstance(compare(proto, inputs, model.classes_), Boxes)


@pytest.mark.parametrize("make", [xgboost, lightgbm, catboost])
def test_several_deeper_trees_are_refused(make: Callable[[int, int], Any]) -> None:
    proto, _, _ = boosted(make, 2, 5, "two")
    with pytest.raises(ModelError, match=r"several trees.*sample"):
        read_form(proto)


def test_separate_logistic_models_are_refused_by_what_they_compare() -> None:
    inputs, targets = DATA["three"]
    model = multiclass.OneVsRestClassifier(logistic()).fit(inputs, targets)
    with pytest.raises(ModelError, match=r"sigmoids.*sample"):
        read_form(exported(model, inputs.shape[1]))
