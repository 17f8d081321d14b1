"""``preview``: the samples and answers that it shows are those of certify, the right way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import done, refused
from numpy.typing import NDArray
from onnx_models import linear, save
from PIL import Image

from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runs import read_run

axes = pytest.importorskip("matplotlib.axes", reason="pictures are an extra")

PREVIEW = "preview tiny.onnx set --providers cpu --seed 3 --sigma"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[Any]]:
    """The pictures in their order: a row an input, the input itself and then one a sigma."""
    found: list[NDArray[Any]] = []
    real = axes.Axes.imshow

    def imshow(self: Any, picture: NDArray[Any], *args: Any, **given: Any) -> Any:
        found.append(np.asarray(picture))
        return real(self, picture, *args, **given)

    monkeypatch.setattr(axes.Axes, "imshow", imshow)
    return found


@pytest.mark.parametrize(
    "noise",
    ["gaussian", "laplace", "uniform", "ball", "power-linf,a=100", "pareto", "contrast", "blur"],
)
def test_it_counts_what_certify_counts(noise: str, here: Path) -> None:
    taken = "--n0 64 --limit 3 --skip-every 5"
    sigmas = (0.25, 0.5) if noise == "gaussian" else (0.25,)
    asked = f"{PREVIEW} {','.join(map(str, sigmas))} --noise {noise} {taken} -o"
    found = done(asked, "a.png", "--json").lines()
    text = done(asked, "b.svg").out if noise == "gaussian" else ""
    with Image.open("a.png") as image:
        assert image.format == "PNG"
    for column, sigma in enumerate(sigmas):
        certify = f"certify tiny.onnx set {taken} --n 100 --seed 3 --providers cpu --noise {noise}"
        done(f"{certify} --sigma {sigma} -o {sigma}.jsonl")
        for row, certified in zip(found, read_run(f"{sigma}.jsonl").rows, strict=True):
            noisy = row["noisy"][column]
            assert (row["name"], row["label"]) == (certified.name, certified.label)
            assert row["answer"] == certified.base_prediction
            assert noisy["top_class"] == certified.top_class
            assert noisy["count"] == certified.selection[certified.top_class]
            told = (row["name"], row["label"], row["answer"], f"{sigma:g}", noisy["answer"])
            assert not text or "\t".join(map(str, (*told, noisy["top_class"]))) in text
    assert found[0]["seed"] == "3"


def test_the_noisy_picture_is_the_one_that_was_answered(
    here: Path, drawn: list[NDArray[Any]]
) -> None:
    found = done(f"{PREVIEW} 0.5 --limit 20 --n0 1 -o a.png --json").lines()
    space = InputSpace((1, 8, 8))
    for row, clean, noisy in zip(found, drawn[::2], drawn[1::2], strict=True):
        with Image.open(Path("set") / row["name"]) as image:
            levels = np.asarray(image)
        np.testing.assert_allclose(clean, levels / 255, atol=1e-6)
        sample = np.empty((1, 1, 8, 8), np.float32)
        point = space.point(space.values_of(levels[None]))
        NoisyStream(point, Gaussian(0.5), 3, "selection").write(0, sample)
        np.testing.assert_allclose(noisy, np.clip(sample[0, 0], noisy.min(), noisy.max()), 1e-5)
        # The model answers the class whose mean is nearest: 64 values tell it apart by far.
        assert row["noisy"][0]["answer"] == np.clip(np.rint(sample.mean() * 9), 0, 9)
        assert row["noisy"][0]["count"] == 1


def test_batch_size_the_other_sigmas_and_bounds(here: Path, drawn: list[NDArray[Any]]) -> None:
    both = done(f"{PREVIEW} 0.1,0.5 --batch-size 7 -o a.svg").out.splitlines()
    assert done(f"{PREVIEW} 0.5 --sigma 0.5 -o b.svg").out.splitlines() == both[1::2]
    drawn.clear()
    done(f"{PREVIEW} 0.5 --bounds -1 1 --limit 20 --skip-every 2 -o c.pdf")
    np.testing.assert_allclose([x[0, 0] for x in drawn[::2]], np.arange(10) / 9, atol=1 / 255)
    assert Path("c.pdf").read_bytes().startswith(b"%PDF")
    row = done(
        "preview fragile.onnx set --providers cpu --sigma 0.5 --limit 1 -o d.png --json"
    ).json()
    assert row["answer"] == -1


PICTURES = [
    # Shapes as they are stored and as the model takes them.
    ((5, 4, 1), (1, 5, 4), None),
    ((5, 4, 1), (5, 4), None),
    ((5, 4, 1), (20,), None),
    ((5, 4, 1), (3, 5, 4), "NCHW"),
    ((5, 4, 3), (3, 5, 4), None),
    ((5, 4, 3), (5, 4, 3), "NHWC"),
    ((5, 4, 3), (60,), "NCHW"),
    ((5, 4, 3), (60,), "NHWC"),
    ((3, 5, 4), (3, 5, 4), "NCHW"),
    ((3, 5, 4), (5, 4, 3), "NHWC"),
    ((3, 5, 3), (3, 5, 3), "NCHW"),
    ((3, 5, 3), (3, 5, 3), "NHWC"),
    ((5, 4), (1, 5, 4), "NCHW"),
]


@pytest.mark.parametrize(("stored", "taken", "layout"), PICTURES)
def test_every_input_is_shown_as_the_picture_that_it_was(
    stored: tuple[int, ...],
    taken: tuple[int, ...],
    layout: str | None,
    here: Path,
    drawn: list[NDArray[Any]],
) -> None:
    values = np.random.default_rng(1).uniform(-1, 3, stored)
    np.savez("x.npz", x=values[None])
    save(linear(("n", *taken), 3), here)
    preprocess = f"none,layout={layout}" if layout else "none"
    words = "preview model.onnx x.npz --sigma 0.1 --n0 2 --bounds -1 3 --providers cpu -o a.png"
    done(words, "--preprocess", preprocess)
    expected = (values.astype(np.float32) + 1) / 4
    if expected.ndim == 3 and expected.shape[2] == 1:
        expected = expected[:, :, 0]
    elif (stored[0] == 3 and layout != "NHWC") or stored == (3, 5, 4):
        expected = np.moveaxis(expected, 0, -1)
    if np.prod(taken) > values.size:  # grey on a model of three channels
        expected = np.repeat(expected[:, :, None], 3, axis=2)
    np.testing.assert_allclose(np.squeeze(drawn[0]), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("stored", "taken"),
    [((4,), (4,)), ((2, 5, 4), (2, 5, 4)), ((2, 3, 4, 5), (2, 3, 4, 5))],
)
def test_what_is_no_picture_is_refused(
    stored: tuple[int, ...], taken: tuple[int, ...], here: Path
) -> None:
    np.savez("x.npz", x=np.full((2, *stored), 0.3))
    save(linear(("n", *taken), 3), here)
    words = "preview model.onnx x.npz --sigma 0.1 --preprocess none --providers cpu -o a.png"
    assert "rsonnx predict" in refused(words, code=1, named="x.npz").err


def test_strange_names_on_the_terminal(here: Path) -> None:
    (here / "strange").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("strange/a\x1b[31m$x$.png")
    words = "preview tiny.onnx strange --sigma 1 --providers cpu -o"
    said = done(words, "b\x1b.png")
    assert "\x1b" not in said.out + said.err
    assert said.out.startswith("a\\x1b[31m$x$.png\t?\t0\t1\t")
    assert done(words, "c.svg", "--json").json()["name"] == "a\x1b[31m$x$.png"
