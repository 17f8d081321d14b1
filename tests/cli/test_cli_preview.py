"""preview: the samples and answers that it shows are those of certify; hostile arguments."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from rsonnx import SmoothedClassifier, load
from rsonnx.cli import run
from rsonnx.cli.preview import _sigmas, _Unarranged
from rsonnx.data import arrange
from rsonnx.errors import DataError, UsageError
from rsonnx.report.preview import Preview
from rsonnx.runs import read_run
from rsonnx.runtime import Geometry

pytest.importorskip("matplotlib", reason="pictures are an extra")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Preview]:
    """What the command draws, beside the picture."""
    module = importlib.import_module("rsonnx.cli.preview")  # the package's name is the command
    found: list[Preview] = []
    draw = module.preview_figure

    def record(preview: Preview) -> Any:
        found.append(preview)
        return draw(preview)

    monkeypatch.setattr(module, "preview_figure", record)
    return found


def _preview(workshop: Path, output: Path, *more: str, model: str = "tiny.onnx") -> int:
    given = ["preview", str(workshop / model), str(workshop / "set"), "-o", str(output)]
    return run([*given, "--providers", "cpu", "--seed", "3", *more])


def test_it_shows_what_certify_draws_and_counts(
    workshop: Path,
    tmp_path: Path,
    drawn: list[Preview],
    capsys: pytest.CaptureFixture[str],
) -> None:
    picture = tmp_path / "picture.png"
    more = ("--sigma", "0.25,0.5", "--n0", "64", "--limit", "3", "--skip-every", "5")
    assert _preview(workshop, picture, *more) == 0
    with Image.open(picture) as image:
        assert image.format == "PNG"
    out, err = capsys.readouterr()
    assert str(picture) in err
    (preview,) = drawn
    base = load(workshop / "tiny.onnx", providers="cpu")
    for column, sigma in enumerate((0.25, 0.5)):
        kept = tmp_path / f"{sigma}.jsonl"
        certify = ("certify", str(workshop / "tiny.onnx"), str(workshop / "set"))
        more = ("--n0", "64", "--n", "100", "--limit", "3", "--skip-every", "5", "--seed", "3")
        given = ("--sigma", str(sigma), "--providers", "cpu", "-o", str(kept))
        assert run([*certify, *more, *given]) == 0
        smoothed = SmoothedClassifier(base, sigma)
        for row, certified in zip(preview.rows, read_run(kept).rows, strict=True):
            noisy = row.noisy[column]
            assert row.name == certified.name
            assert row.label == certified.label
            assert row.clean.answer == certified.base_prediction
            assert noisy.top == certified.top_class
            assert noisy.count == certified.selection[noisy.top]
            x = np.rint(row.clean.picture * 255).astype(np.uint8)[None]
            first = smoothed.sample_counts(x, 0, 1, stage="selection", seed=3)
            assert first[noisy.seen.answer] == 1
            said = f"{row.name}\t{row.label}\t{row.clean.answer}\t{sigma:g}\t{noisy.seen.answer}"
            assert f"{said}\t{noisy.top}\t{noisy.count} of 64\n" in out
    assert len(out.splitlines()) == 6


def test_the_noisy_picture_is_the_one_that_was_answered(
    workshop: Path, tmp_path: Path, drawn: list[Preview]
) -> None:
    more = ("--sigma", "0.5", "--limit", "20", "--n0", "1")
    assert _preview(workshop, tmp_path / "a.png", *more) == 0
    for row in drawn[0].rows:
        noisy = row.noisy[0].seen
        # The model answers the class whose mean is nearest: 64 values tell it apart by far.
        assert noisy.answer == np.clip(np.rint(noisy.picture.mean() * 9), 0, 9)
        assert (row.noisy[0].top, row.noisy[0].count) == (noisy.answer, 1)
        assert noisy.picture.min() < 0
    rows = drawn[0].rows
    spread = np.stack([row.noisy[0].seen.picture - row.clean.picture for row in rows])
    # 1,280 draws: five standard errors of their standard deviation are 0.05.
    assert spread.std() == pytest.approx(0.5, abs=0.05)


def test_batch_size_and_the_other_sigmas_change_nothing(
    workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _preview(workshop, tmp_path / "a.svg", "--sigma", "0.1,0.5", "--batch-size", "7") == 0
    one = capsys.readouterr().out.splitlines()
    assert _preview(workshop, tmp_path / "b.svg", "--sigma", "0.5", "--sigma", "0.5") == 0
    assert capsys.readouterr().out.splitlines() == one[1::2]


def test_json(workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _preview(workshop, tmp_path / "a.pdf", "--sigma", "0.1", "--first", "--json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["name"] for one in found][:2] == ["0/centre.png", "0/edge.png"]
    assert len(found) == 4
    assert found[0]["seed"] == "3"
    assert found[0]["noisy"][0]["top_class"] == found[0]["label"] == 0
    assert 0 <= found[0]["noisy"][0]["count"] <= found[0]["samples"] == 100
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_bounds(workshop: Path, tmp_path: Path, drawn: list[Preview]) -> None:
    sigma = ("--sigma", "0.5", "--bounds", "-1", "1")
    assert _preview(workshop, tmp_path / "a.png", *sigma, "--limit", "20", "--skip-every", "2") == 0
    found = [row.clean.picture[0, 0] for row in drawn[0].rows]
    np.testing.assert_allclose(found, np.arange(10) / 9, atol=1 / 255)
    noise = [row.noisy[0].seen.picture - row.clean.picture for row in drawn[0].rows]
    # 0.5 of a range of 2 is a quarter of it; 640 draws, five standard errors.
    assert np.std(noise) == pytest.approx(0.25, abs=0.035)


def test_no_class(workshop: Path, tmp_path: Path, drawn: list[Preview]) -> None:
    more = ("--sigma", "0.5", "--limit", "1")
    assert _preview(workshop, tmp_path / "a.png", *more, model="fragile.onnx") == 0
    for row in drawn[0].rows:
        assert row.clean.answer == -1
        assert row.noisy[0].count <= 100


PICTURES = [
    ((5, 4, 1), (1, 5, 4), None),
    ((5, 4, 1), (5, 4, 1), None),
    ((5, 4, 1), (5, 4), None),
    ((5, 4, 1), (20,), None),
    ((5, 4, 1), (1, 20, 1), None),
    ((5, 4, 1), (3, 5, 4), "NCHW"),
    ((5, 4, 1), (5, 4, 3), "NHWC"),
    ((5, 4, 3), (3, 5, 4), "NCHW"),
    ((5, 4, 3), (3, 5, 4), None),
    ((5, 4, 3), (5, 4, 3), "NHWC"),
    ((5, 4, 3), (60,), "NCHW"),
    ((5, 4, 3), (60,), "NHWC"),
    ((3, 5, 4), (3, 5, 4), "NCHW"),
    ((3, 5, 4), (5, 4, 3), "NHWC"),
    ((3, 5, 4), (3, 5, 4), None),
    ((3, 5, 3), (3, 5, 3), "NCHW"),
    ((3, 5, 3), (3, 5, 3), "NHWC"),
    ((5, 4), (1, 5, 4), "NCHW"),
]


def _job(stored: tuple[int, ...], taken: tuple[int, ...], layout: str | None) -> Any:
    model = SimpleNamespace(shape=taken, layout=layout, bounds=(-1.0, 3.0), geometry=Geometry())
    dataset = SimpleNamespace(shape=lambda _: stored, path=Path("data.npz"))
    return SimpleNamespace(model=model, dataset=dataset)


@pytest.mark.parametrize(("stored", "taken", "layout"), PICTURES)
def test_the_way_back_to_a_picture(
    stored: tuple[int, ...], taken: tuple[int, ...], layout: str | None
) -> None:
    values = np.random.default_rng(1).uniform(-1, 3, stored).astype(np.float32)
    found = _Unarranged(_job(stored, taken, layout), 0).of(arrange(values, taken, layout))
    expected: NDArray[Any] = (values + 1) / 4
    if expected.ndim == 3 and expected.shape[2] == 1:
        expected = expected[:, :, 0]
    elif (stored[0] == 3 and layout != "NHWC") or stored == (3, 5, 4):
        expected = np.moveaxis(expected, 0, -1)
    if np.prod(taken) > values.size:  # grey on a model of three channels
        expected = np.repeat(expected[:, :, None], 3, axis=2)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("stored", "taken"),
    [((4,), (4,)), ((784,), (1, 28, 28)), ((2, 5, 4), (2, 5, 4)), ((2, 3, 4, 5), (2, 3, 4, 5))],
)
def test_what_is_no_picture(stored: tuple[int, ...], taken: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"preview shows images .*data\.npz"):
        _Unarranged(_job(stored, taken, None), 0)


def test_a_model_of_a_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "table",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(np.eye(4, 3, dtype=np.float32), "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "t.onnx")
    np.savez(tmp_path / "t.npz", x=np.full((5, 4), 0.3), y=np.zeros(5, np.int64))
    given = ["preview", str(tmp_path / "t.onnx"), str(tmp_path / "t.npz"), "--sigma", "1"]
    more = ["--preprocess", "none", "--providers", "cpu", "-o", str(tmp_path / "t.png")]
    assert run([*given, *more]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "preview shows images of one or three channels" in err
    assert not (tmp_path / "t.png").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "give --sigma S,S,..."),
        (("--noise", "columns,width=2"), "columns noise has none; `rsonnx certify` takes it"),
        (("--sigma", "0.25,x"), "numbers separated by commas"),
        (("--sigma", ""), "numbers separated by commas"),
        (("--sigma", "0.25,,1"), "numbers separated by commas"),
        (("--sigma", "0.25,-1"), "sigma is -1.0"),
        (("--sigma", "nan"), "sigma is nan"),
        (("--sigma", "1e9"), "too wide"),
        (("--sigma", "1,2,3,4,5,6,7,8,9,10,11"), "at most 10 sigmas"),
        (("--sigma", "1", "--limit", "51"), "at most 50 inputs"),
        (("--sigma", "1", "--limit", "0"), "limit is 0"),
        (("--sigma", "1", "--skip-every", "0"), "skip-every is 0"),
        (("--sigma", "1", "--n0", "0"), "n0"),
        (("--sigma", "1", "--seed", "-1"), "seed"),
        (("--sigma", ".25", ".5"), "unexpected extra argument"),
        (("--sigma", "1", "--bounds", "-inf", "inf"), "bounds"),
    ],
)
def test_wrong_arguments(
    more: tuple[str, ...],
    said: str,
    workshop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "a.png"
    assert _preview(workshop, output, *more) in (1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "has a bug" not in err
    assert not output.exists()


@pytest.mark.parametrize(
    "name", ["a.jpg", "a", "nowhere/a.png", "there.png", ".png", f"{'a' * 300}.png"]
)
def test_outputs_that_cannot_be(
    name: str, workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.png").write_text("precious")
    assert _preview(workshop, tmp_path / name, "--sigma", "1") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert name in err
    assert "model " not in err  # refused before the model was opened
    assert (tmp_path / "there.png").read_text() == "precious"


def test_without_matplotlib(
    workshop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    assert _preview(workshop, tmp_path / "a.png", "--sigma", "1") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "pip install 'rsonnx[report]'" in err


def test_sigmas_in_their_order_and_once() -> None:
    assert _sigmas(["1,.25", " 0.5", "1"]) == (1.0, 0.25, 0.5)
    with pytest.raises(UsageError, match=r"--sigma is '1,a,2'"):
        _sigmas(["1", "a,2"])


def test_strange_names_on_the_terminal(
    tmp_path: Path, workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(data / "a\x1b[31m$x$.png")
    given = [
        "preview",
        str(workshop / "tiny.onnx"),
        str(data),
        "--sigma",
        "1",
        "--providers",
        "cpu",
    ]
    assert run([*given, "-o", str(tmp_path / "b\x1b.png")]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert out.startswith("a\\x1b[31m$x$.png\t?\t0\t1\t")
    assert run([*given, "--json", "-o", str(tmp_path / "c.svg")]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "a\x1b[31m$x$.png"


@pytest.mark.parametrize("noise", ["laplace", "uniform", "ball", "power-linf,a=100", "pareto"])
def test_other_noise_is_what_certify_draws(
    noise: str, workshop: Path, tmp_path: Path, drawn: list[Preview]
) -> None:
    asked = ("--noise", noise, "--sigma", "0.25", "--n0", "64", "--limit", "1")
    assert _preview(workshop, tmp_path / "a.png", *asked) == 0
    kept = tmp_path / "run.jsonl"
    model, data = str(workshop / "tiny.onnx"), str(workshop / "set")
    more = ("--n", "100", "--seed", "3", "--providers", "cpu", "-o", str(kept))
    assert run(["certify", model, data, *asked, *more]) == 0
    (preview,), row = drawn, read_run(kept).rows[0]
    assert preview.noise == noise.partition(",")[0]
    noisy = preview.rows[0].noisy[0]
    assert (noisy.top, noisy.count) == (row.top_class, row.selection[row.top_class])


@pytest.mark.parametrize(
    "noise", ["splitting", "columns,width=2", "ablation,keep=3", "flips,keep=0.5,values=2"]
)
def test_noise_that_is_not_added_is_refused(
    noise: str, workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _preview(workshop, tmp_path / "a.png", "--noise", noise, "--sigma", "1") == 2
    assert "preview shows noise that is added to an image" in capsys.readouterr().err
