"""The committed sample models are those of the manifest, and do what it says of them."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import build

import rsonnx
from rsonnx.cli.noises import asked_noise
from rsonnx.compose import denoise, diffuse
from rsonnx.data import arrange, open_dataset
from rsonnx.noise import Splitting, noise_of
from rsonnx.runs.sample import Sample
from rsonnx.smoothing import SmoothedClassifier
from rsonnx.statistics import clopper_pearson_lower

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "sample_models"
CIFAR = ROOT.parent / "shared" / "data" / "cifar10_test.zip"
MANIFEST: dict[str, Any] = json.loads((HOME / "manifest.json").read_text())


sys.path.insert(0, str(ROOT / "tools"))
import make_progress  # noqa: E402
import make_published  # noqa: E402
import make_samples  # noqa: E402
import sample_tables  # noqa: E402
from samples import FRONTS as _FRONTS  # noqa: E402
from samples import MODELS as _MODELS  # noqa: E402
from samples import STUMPS as _STUMPS  # noqa: E402
from training import tables  # noqa: E402

MODELS = {model.name: model for model in _MODELS}
FRONTS = {front.name: front for front in _FRONTS}
STUMPS = [stumps.name for stumps in _STUMPS]


def test_all_models_are_there_and_no_others() -> None:
    assert (
        {path.stem for path in HOME.glob("*.onnx")} == {*MODELS, *FRONTS, *STUMPS} == set(MANIFEST)
    )


@pytest.mark.parametrize("name", [*MODELS, *FRONTS, *STUMPS])
def test_digest_and_size_are_those_of_the_manifest(name: str) -> None:
    content = (HOME / f"{name}.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == MANIFEST[name]["sha256"]
    assert len(content) == MANIFEST[name]["bytes"]
    assert len(content) < 1_500_000


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in HOME.rglob("*") if path.is_file()) < 24_000_000


@pytest.mark.parametrize("name", MODELS)
def test_a_file_says_how_it_was_trained(name: str) -> None:
    model = MODELS[name]
    properties = {p.key: p.value for p in onnx.load(HOME / f"{name}.onnx").metadata_props}
    facts = json.loads(properties["rsonnx.training"])
    words = model.training.replace("=-", " -").split()
    options = dict(zip(words[::2], words[1::2], strict=False))
    assert facts["method"] == options["--method"]
    if "--sigma" in options:
        assert facts["sigma"] == float(options["--sigma"])
    assert facts["script"].startswith("tools/train")


@pytest.mark.parametrize("name", MODELS)
def test_figures_are_of_the_runs_that_stand_there(name: str) -> None:
    """A run with more samples certifies more, of the same inputs and the same classifier."""
    noted = {run: MANIFEST[name][run] for run in MODELS[name].runs}
    for run, (_, options) in MODELS[name].runs.items():
        assert noted[run]["options"] == f"{options} --seed {make_samples.SEED}"
    full = noted.get("in_full", noted["certified"])
    assert full["right_without_noise"] == noted["certified"]["right_without_noise"]
    assert full["acr"] >= noted["certified"]["acr"]


@pytest.mark.parametrize("name", MODELS)
def test_accuracy_without_noise_is_that_of_the_manifest(name: str) -> None:
    """The labels of a network do not hang on the last digit of its scores but at a tie: 1 of slack.

    Another processor sums in another order, which moves scores by about 1e-5 of themselves.
    """
    model, certified = MODELS[name], MANIFEST[name]["certified"]
    options = _options(model.certifying.split())
    path = HOME / "mnist_test_500"
    if model.data == "cifar10":
        path = CIFAR
        if not CIFAR.exists():
            pytest.skip("the CIFAR-10 pictures are not passed on with the project")
    dataset = open_dataset(path)
    base = rsonnx.load(HOME / f"{name}.onnx", providers=["cpu"])
    noise = asked_noise(options).for_model(base.shape, base.layout)
    smoothed = SmoothedClassifier(base, noise=noise)
    shape = noise.input_shape(base.shape)
    indices = range(0, len(dataset), int(options.get("skip_every", 1)))
    right = sum(
        smoothed.base_label(arrange(dataset[i].values, shape, base.layout)) == dataset[i].label
        for i in indices
    )
    assert len(indices) == certified["inputs"]
    assert abs(right - certified["right_without_noise"]) <= 1


@pytest.mark.parametrize("name", FRONTS)
def test_what_stands_before_a_classifier_takes_noise_away(name: str) -> None:
    """Of noisy digits, once composed: the classifier shows the image that it is given."""
    data, kind = name.split("_")[:2]
    shape = (1, 28, 28) if data == "mnist" else (3, 32, 32)
    size = int(np.prod(shape))
    flat = [onnx.helper.make_node("Flatten", ["x"], ["scores"])]
    shows = build(flat, ("n", *shape), ("n", size))
    declared = {"preprocess": "none"}
    sigma = 0.5 if kind == "unet" else float(name.split("_")[2])
    path = HOME / f"{name}.onnx"
    if kind == "unet":
        schedule = FRONTS[name].training.split()[1]
        model = diffuse(path, shows, sigma=sigma, schedule=schedule, declared=declared)
    else:
        model = denoise(path, shows, declared=declared)
    loaded = rsonnx.load(model, providers=["cpu"])
    assert loaded.rows == "proved"
    if data == "mnist":
        dataset = open_dataset(HOME / "mnist_test_500")
        digits = np.stack([dataset[i].values for i in range(20)]).reshape(20, *shape) / 255
        noise = sigma * np.random.default_rng(1).standard_normal(digits.shape)
        given = loaded.scores((digits + noise).astype(np.float32)).reshape(digits.shape)
        assert np.square(given - digits).mean() < 0.1 * sigma**2


def test_an_exact_radius_is_never_below_what_sampling_says() -> None:
    """Of 12 images; a bound at alpha = 1e-6 each is wrong with odds of about 1 in 80,000 in all."""
    base = rsonnx.load(HOME / "mnist_splitting_2.onnx", providers=["cpu"])
    smoothed = SmoothedClassifier(base, noise=Splitting(2.0))
    dataset = open_dataset(HOME / "mnist_test_500")
    rng = np.random.default_rng(1)
    sampled = []
    for index in range(12):
        x = arrange(dataset[index].values, base.shape, base.layout)
        exact = smoothed.certify(x)
        votes = exact.counts.estimation
        assert (exact.method, exact.alpha, votes.total) == ("exact", 0.0, 1_020)
        hits = rng.binomial(5_000, votes[exact.label] / 1_020)
        bound = clopper_pearson_lower(hits, 5_000, 1e-6)
        sampled.append(2 * 2.0 * max(0.0, bound - 0.5))
        assert exact.radius >= sampled[-1]
    assert max(sampled) > 1.5


def test_stumps_have_the_figures_of_the_table_on_rows_held_out() -> None:
    pytest.importorskip("sklearn", reason="the rows are scikit-learn's")
    results = json.loads((ROOT / "tools" / "results" / "exact.json").read_text())
    record = next(
        one
        for one in results["parts"]["exact"]
        if one["data"] == "breast-cancer" and one["model"].endswith("boosted")
    )
    base = rsonnx.load(HOME / "breast_cancer_stumps_0.25.onnx", providers=["cpu"])
    smoothed = SmoothedClassifier(base, sigma=0.25)
    _, held_out = tables.table("breast-cancer")
    certificates = [smoothed.certify(x, procedure="exact") for x in held_out.x]
    right = [
        certificate.radius if certificate.label == y else -1.0
        for certificate, y in zip(certificates, held_out.y, strict=True)
    ]
    assert [sum(radius >= r for radius in right) for r in record["radii"]] == record["right"]
    assert len(right) == record["inputs"]


def _options(words: list[str]) -> dict[str, Any]:
    """Return options of ``certify`` by name, as far as they say which noise and inputs."""
    found: dict[str, Any] = {"noise": "gaussian"}
    pairs = [word for word in words if word != "--adaptive"]
    for option, value in zip(pairs[::2], pairs[1::2], strict=True):
        found[option.removeprefix("--").replace("-", "_")] = value
    for key in ("sigma", "lambda"):
        if key in found:
            found["lam" if key == "lambda" else key] = float(found.pop(key))
    for key in ("angles", "scales"):
        if key in found:
            found[key] = tuple(map(float, found[key].split(",")))
    return found


def test_the_tables_of_the_readme_are_those_of_the_figures() -> None:
    said = (HOME / "README.md").read_text(encoding="utf-8").splitlines()
    lines = list(sample_tables.tables())
    assert len(lines) > 50
    assert [line for line in lines if line and line not in said] == []


def test_thinned_votes_are_all_right_where_all_were() -> None:
    surest = NormalDist().inv_cdf(0.001 ** (1 / 100_000))
    radii = make_published.thinned(np.array([surest, 0.0]), 10_000, np.random.default_rng(1))
    assert radii == pytest.approx([NormalDist().inv_cdf(0.001 ** (1 / 10_000)), 0.0])


def test_what_training_kept_is_certified_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("HELD_OUT", 4), ("EVERY", 2), ("N", 100)):
        monkeypatch.setattr(make_progress, name, value)
    for part in ("images-idx3", "labels-idx1"):
        shutil.copy(HOME / f"mnist_test_500/{part}-ubyte.gz", tmp_path / f"train-{part}-ubyte.gz")
    for epochs in (10, 2):
        shutil.copy(HOME / "mnist_gaussian_0.25.onnx", tmp_path / f"m_epoch_{epochs}.onnx")
    made = list(make_progress.records(tmp_path, tmp_path))
    assert [(record["epochs"], record["inputs"]) for record in made] == [(2, 2), (10, 2)]
    assert 0 < made[0]["acr"] == made[1]["acr"]


@pytest.mark.usefixtures("children")
def test_a_run_s_figures_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_samples, "MANIFEST", tmp_path / "manifest.json")
    for name, options in (
        ("mnist_gaussian_0.25", {"sigma": 0.25, "target_radii": [0.1, 0.2]}),
        ("mnist_columns_4", {"noise": noise_of("columns", width=4, layout="NCHW")}),
    ):
        run = rsonnx.certify(
            *(HOME / f"{name}.onnx", HOME / "mnist_test_500"),
            n=100,
            seed=1,
            sample=Sample(limit=3),
            output=tmp_path / f"{name}.jsonl",
            providers=["cpu"],
            **options,
        )
        make_samples.figures(MODELS[name], tmp_path)
        noted = json.loads((tmp_path / "manifest.json").read_text())[name]
        assert noted["sha256"] == MANIFEST[name]["sha256"]
        assert noted["certified"].keys() == MANIFEST[name]["certified"].keys()
        assert noted["certified"]["norm"] == MANIFEST[name]["certified"]["norm"]
        assert noted["certified"]["right"][0] == sum(row.correct for row in run.rows)
