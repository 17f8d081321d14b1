"""The examples of tools/examples as a user runs them: each a process of its own, on real data."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest

import rsonnx
from rsonnx.runtime import OnnxClassifier

_EXAMPLES = Path(__file__).parents[2] / "tools" / "examples"
pytestmark = pytest.mark.skipif(
    not _EXAMPLES.is_dir(), reason="the tools are not part of an installation"
)

NEEDED = {
    "pytorch_digits": ("torch", "onnxscript", "sklearn"),
    "sklearn_pipeline_wine": ("sklearn", "skl2onnx"),
    "gradient_boosting_breast_cancer": ("sklearn", "skl2onnx"),
    "keras_digits": ("keras", "sklearn"),
    "jax_digits": ("jax", "jax2onnx", "sklearn"),
}
RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Dropout"}

DIGITS_FLOOR = 50
"""Certified accuracy at 0.5, %, between 60 with noise training and 31 of the same net without."""


def is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(_EXAMPLES / f"{name}.py"), *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=600,
    )


@dataclass(frozen=True)
class Line:
    """A line of the printed table; ``accuracy`` is certified accuracy at rising radii, %."""

    standard: float
    acr: float
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Printed:
    """What an example printed: its table by file name, and all of it."""

    table: dict[str, Line]
    out: str
    errors: str = field(compare=False)


def certified(name: str, folder: Path) -> Printed:
    """Run an example that must succeed, and check what holds for all of them."""
    for module in NEEDED[name]:
        if not is_installed(module):
            pytest.skip(f"{module} is not installed, which this example needs")
    done = run(name, "--out", str(folder))
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    columns = ["model", "sigma", "inputs", "standard", "ACR", "wrong", "abstained"]
    assert head.split()[: len(columns)] == columns
    rows = [line.replace("*", "").split() for line in lines]
    table = {}
    for cells in rows:
        if cells and cells[0].endswith(".onnx"):
            standard, acr, _, _, *accuracy = map(float, cells[3:])
            table[cells[0]] = Line(standard, acr, tuple(accuracy))
    assert table.keys() == {path.name for path in folder.glob("*")}
    for line in table.values():
        assert line.accuracy == tuple(sorted(line.accuracy, reverse=True))
        assert line.acr > 0
    for fact in ("1 - 0.001", "l2 norm", "sigma and radius in"):
        assert fact in done.stdout
    assert str(folder) not in done.stdout
    return Printed(table, done.stdout, done.stderr)


def loaded(path: Path) -> OnnxClassifier:
    """Load a file of an example with no word about it: all is in its metadata."""
    base = rsonnx.load(path, providers=["cpu"])
    for fact in ("preprocess", "bounds"):
        assert base.facts[fact]["source"] == "model metadata"
    return base


def operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("sklearn")
    monkeypatch.syspath_prepend(_EXAMPLES)
    return importlib.import_module("example_data")


def test_both_exporters_of_pytorch(tmp_path: Path, data: ModuleType) -> None:
    found = certified("pytorch_digits", tmp_path)
    free, fixed = (tmp_path / f"digits_dynamo_{word}.onnx" for word in ("true", "false"))
    assert found.table[free.name] == found.table[fixed.name]
    assert found.table[free.name].accuracy[-1] > DIGITS_FLOOR
    batches = [onnx.load(p).graph.input[0].type.tensor_type.shape.dim[0] for p in (free, fixed)]
    assert [one.dim_value for one in batches] == [0, 1]
    certificates = [
        [smoothed.certify(x[None], n=500, seed=5) for x in data.digits().test_x[:5]]
        for smoothed in (rsonnx.SmoothedClassifier(loaded(path), 0.25) for path in (free, fixed))
    ]
    assert certificates[0] == certificates[1]


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Printed]:
    folder = tmp_path_factory.mktemp("wine")
    return folder, certified("sklearn_pipeline_wine", folder)


@pytest.mark.slow
def test_a_pipeline_of_scikit_learn(wine: tuple[Path, Printed], data: ModuleType) -> None:
    folder, found = wine
    own, deviations = folder / "wine_own_units.onnx", folder / "wine_deviations.onnx"
    assert "ZipMap" in operators(own)
    assert "ZipMap" not in operators(deviations)
    assert operators(deviations)[0] == "Scaler"
    split = data.wine()
    mean, std = split.train_x.mean(axis=0), split.train_x.std(axis=0)
    for path, x in ((own, split.test_x), (deviations, (split.test_x - mean) / std)):
        assert found.table[path.name].accuracy[0] > 80
        # onnxruntime alone, on the file's own label, has the accuracy that the table prints.
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        labels = session.run(None, {name: x.astype(np.float32)})[0]
        share = 100 * (labels == split.test_y).mean()
        assert found.table[path.name].standard == pytest.approx(share, abs=0.1)  # rounded down
        assert loaded(path).bounds == (-np.inf, np.inf)


@pytest.mark.slow
def test_an_example_prints_and_writes_the_same_again(
    wine: tuple[Path, Printed], tmp_path: Path
) -> None:
    folder, first = wine
    second = certified("sklearn_pipeline_wine", tmp_path / "made" / "by the example")
    assert first == second
    for path in tmp_path.rglob("*.onnx"):
        assert path.read_bytes() == (folder / path.name).read_bytes()


@pytest.mark.slow
def test_gradient_boosting(tmp_path: Path) -> None:
    found = certified("gradient_boosting_breast_cancer", tmp_path)
    assert "cancer_scikit-learn.onnx" in found.table
    for name in ("lightgbm", "xgboost"):
        has_all = is_installed(name) and is_installed("onnxmltools")
        assert (f"cancer_{name}.onnx" in found.table) is has_all
        assert has_all or f"{name} is not installed, which this" in found.errors
    for name, line in found.table.items():
        assert line.accuracy[0] > 85
        assert operators(tmp_path / name).count("TreeEnsembleClassifier") == 1
        assert loaded(tmp_path / name).num_classes == 2


def test_keras(tmp_path: Path) -> None:
    if not (is_installed("torch") or is_installed("jax2onnx")):
        pytest.skip("neither torch nor jax2onnx is installed, one of which this example needs")
    found = certified("keras_digits", tmp_path)
    ((name, line),) = found.table.items()
    assert line.accuracy[-1] > DIGITS_FLOOR
    assert not RANDOM & set(operators(tmp_path / name))
    assert loaded(tmp_path / name).layout == "NHWC"


def test_jax(tmp_path: Path) -> None:
    found = certified("jax_digits", tmp_path)
    assert found.table["digits_jax.onnx"].accuracy[-1] > DIGITS_FLOOR
    base = loaded(tmp_path / "digits_jax.onnx")
    assert (base.shape, base.batch_size, base.num_classes) == ((64,), None, 10)


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_missing_is_said_in_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first package that an example needs is hidden from it, whether or not it is there."""
    hidden = NEEDED[name][0]
    for module in {hidden, *(m for m in sys.modules if m.startswith(f"{hidden}."))}:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.syspath_prepend(_EXAMPLES)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(_EXAMPLES / f"{name}.py"), run_name="__main__")
    sentence = str(ended.value.code)
    assert "is not installed, which this example needs; run: pip install 'rsonnx[gpu]'" in sentence
    assert "\n" not in sentence


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_found_out_first(tmp_path: Path) -> None:
    pytest.importorskip("skl2onnx")
    file = tmp_path / "file"
    file.touch()
    done = run("sklearn_pipeline_wine", "--out", str(file))
    assert done.returncode == 2
    assert "nothing can be written into it (File exists); name another" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_answers_otherwise_than_its_framework_is_not_certified(
    wine: tuple[Path, Printed], data: ModuleType
) -> None:
    steps, split = importlib.import_module("example_steps"), data.wine()
    others = (split.test_y + 1) % 3
    with pytest.raises(SystemExit, match=r"wine_own_units\.onnx answers as the framework does on"):
        steps.certify(
            *(wine[0] / "wine_own_units.onnx", split.test_x, split.test_y),
            sigma=0.5,
            expected=others,
        )
