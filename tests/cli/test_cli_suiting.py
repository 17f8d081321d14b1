"""Which noise suits a model, and what is said where it was trained for another one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from noise_cli_models import make_shelf

from rsonnx.cli import run
from rsonnx.cli.suiting import mismatch, suited
from rsonnx.noise import (
    NOISES,
    AnisotropicGaussian,
    Columns,
    Gaussian,
    InputSpace,
    Laplace,
    SmoothingDistribution,
    Splitting,
)
from rsonnx.smoothing import Trained, training_in

UNIT, LEVELS, ANY = (0.0, 1.0), (0.0, 255.0), (-math.inf, math.inf)

SUITED = [
    ((1, 28, 28), "NCHW", UNIT, "gaussian laplace uniform splitting"),
    ((32, 32, 3), "NHWC", UNIT, "gaussian laplace uniform splitting"),
    ((3, 32, 32), "NCHW", LEVELS, "gaussian laplace uniform"),
    ((1, 28, 28), "NCHW", (-1.0, 1.0), "gaussian laplace uniform"),
    ((3, 2, 2), "NCHW", UNIT, "gaussian laplace uniform splitting"),
    ((2, 28, 28), None, UNIT, "columns blocks ablation"),
    ((32, 32, 6), None, UNIT, "columns blocks ablation"),
    ((6, 32, 32), "NCHW", UNIT, "columns blocks ablation"),
    ((13,), None, ANY, "gaussian gaussian-per-feature"),
    ((13,), None, (0.0, math.inf), "gaussian gaussian-per-feature"),
    ((13,), None, UNIT, "sparse-flips gaussian gaussian-per-feature laplace"),
    ((13,), None, (0.0, 9.0), "flips gaussian gaussian-per-feature laplace"),
    ((13,), None, (-4.0, 4.0), "flips gaussian gaussian-per-feature laplace"),
    ((13,), None, (0.0, 2.5), "gaussian gaussian-per-feature laplace"),
    ((13,), None, (0.0, 1e6), "gaussian gaussian-per-feature laplace"),
    ((4, 5), None, ANY, "gaussian gaussian-per-feature"),
]


@pytest.mark.parametrize(("shape", "layout", "bounds", "names"), SUITED)
def test_which_noise_suits(
    shape: tuple[int, ...], layout: str | None, bounds: tuple[float, float], names: str
) -> None:
    found = suited(InputSpace(shape, bounds, layout))
    assert [one.noise for one in found] == names.split()
    for one in found:
        assert one.norms == NOISES[one.noise].norms
        assert one.noise in one.options or one.noise.startswith("gaussian")


@pytest.mark.parametrize("noise", ["splitting", "gaussian", "ball"])
def test_what_it_was_trained_for_comes_first(noise: str) -> None:
    found = suited(InputSpace((1, 28, 28), UNIT, "NCHW"), Trained(noise, {"lam": 2.0}))
    assert found[0].noise == noise
    assert "trained with" in found[0].why
    assert len({one.noise for one in found}) == len(found)


TRAINING = [
    ('{"method": "gaussian", "sigma": 0.5}', Trained("gaussian", {"sigma": 0.5})),
    ('{"method": "consistency", "sigma": 0.5, "seed": 3}', Trained("gaussian", {"sigma": 0.5})),
    ('{"method": "splitting", "lambda": 2, "seed": 9}', Trained("splitting", {"lam": 2.0})),
    ('{"noise": "laplace", "method": "x", "sigma": 1}', Trained("laplace", {"sigma": 1.0})),
    ('{"method": "columns", "width": 4}', Trained("columns", {"width": 4.0})),
    ('{"method": "ablation", "keep": 45, "size": 9}', Trained("ablation", {"keep": 45.0})),
    ('{"method": "gaussian"}', Trained("gaussian", {})),
    ('{"method": "gaussian", "sigma": NaN}', Trained("gaussian", {})),
    ('{"method": "gaussian", "sigma": true}', Trained("gaussian", {})),
    (f'{{"method": "gaussian", "sigma": {"9" * 400}}}', Trained("gaussian", {})),
    ('{"method": "smoothadv"}', None),
    ('{"method": ["gaussian"]}', None),
    ("[]", None),
    ("gaussian", None),
    ("[" * 100_000, None),
]


@pytest.mark.parametrize(("text", "found"), TRAINING)
def test_what_the_metadata_say(text: str, found: Trained | None) -> None:
    assert training_in({"rsonnx.training": text}) == found
    assert training_in({}) is None
    assert found is None or Trained(**json.loads(json.dumps(found.to_json()))) == found


QUARTER = Trained("gaussian", {"sigma": 0.25})


@pytest.mark.parametrize(
    ("trained", "noise"),
    [
        (None, Laplace(0.5)),
        (QUARTER, Gaussian(0.25)),
        (QUARTER, Gaussian(0.25, "l1")),
        (Trained("gaussian", {}), Gaussian(3.0)),
        (Trained("laplace", {"sigma": 0.5}), Laplace(Laplace.lam_for(0.5, None))),
        (Trained("splitting", {"lam": 2.0, "sigma": 1.15}), Splitting(2.0, seed=4)),
        (Trained("columns", {"width": 4.0}), Columns(4, "NHWC")),
    ],
)
def test_the_noise_of_the_training_is_nothing_to_tell(
    trained: Trained | None, noise: SmoothingDistribution
) -> None:
    assert mismatch(trained, noise) is None


@pytest.mark.parametrize(
    ("trained", "noise", "said"),
    [
        (QUARTER, Gaussian(0.5), "gaussian noise (sigma = 0.5)"),
        (QUARTER, Laplace(0.5 / math.sqrt(2)), "laplace noise (sigma = 0.5)"),
        (QUARTER, AnisotropicGaussian((0.25, 0.25)), "gaussian-per-feature noise:"),
        (Trained("splitting", {"lam": 2.0}), Splitting(1.0), "splitting noise (lambda = 1)"),
        (Trained("columns", {"width": 4.0}), Columns(3, "NCHW"), "columns noise (width 3)"),
    ],
)
def test_other_noise_is(trained: Trained, noise: SmoothingDistribution, said: str) -> None:
    found = mismatch(trained, noise)
    assert found is not None
    assert found.startswith(f"the model was trained with {trained.words}, but")
    assert said in found
    assert found.endswith("expect lower accuracy")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shelf(tmp_path_factory.mktemp("shelf"))


def test_inspect(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(shelf / "pair.onnx")]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("noises"))
    assert lines[start].split()[1:3] == ["--noise", "columns,width=W"]
    assert "patch: the model was trained with columns noise (width = 2)" in lines[start]
    assert [line.split()[1].split(",")[0] for line in lines[start + 1 :]] == ["blocks", "ablation"]
    assert run(["inspect", str(shelf / "codes.onnx"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["noises"]
    assert found[0] == {
        "noise": "flips",
        "norms": ["l0"],
        "options": "--noise flips,keep=P,values=V",
        "why": "if all values are whole numbers from 0 to 3",
    }


@pytest.mark.parametrize(("model", "data"), [("pair", "grey"), ("pair_last", "tall")])
def test_inspect_tries_what_is_shown_as_x_and_1_minus_x(
    model: str, data: str, shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", str(shelf / f"{model}.onnx"), str(shelf / f"{data}.npz")]) == 0
    assert "100.0 % of 4  --preprocess none" in capsys.readouterr().out


def test_inspect_of_what_is_refused(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(shelf / "image.onnx"), "--output-name", "nope", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"].startswith("refused")
    assert found["noises"] == []


@pytest.mark.parametrize("command", ["certify", "predict"])
def test_the_warning_before_the_work(
    command: str, shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shelf)
    for noise, warned in ((("--sigma", "0.25"), False), (("--sigma", "0.3"), True)):
        given = [command, "image.onnx", "grey.npz", *noise, "--n", "50", "--limit", "1"]
        assert run([*given, "--providers", "cpu"]) == 0
        out, err = capsys.readouterr()
        assert ("expect lower accuracy" in err) is warned
        assert "expect" not in out.splitlines()[0]
