"""Pictures as people have them, from the file to the class that is certified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import done, refused
from onnx_models import build, node, save
from PIL import Image

from rsonnx.runs import read_run

FEW = "--preprocess none --sigma 0.1 --n 100 --n0 10 --seed 1 --providers cpu -o run"
RED, GREEN, BRIGHT, DARK = (230, 25, 25), (25, 230, 25), 230, 50
Image8 = Image.Image
Saver = Callable[[Image8, str], None]


@pytest.fixture
def models(here: Path) -> None:
    """`rgb.onnx` tells red (a) from green (b), `grey.onnx` bright (a) from dark (b)."""
    rgb = np.repeat(np.eye(3)[:, :2], 64, axis=0) / 64
    grey = np.full((64, 2), [1, 0]) / 64
    for name, weights, bias, channels in (("rgb", rgb, (0, 0), 3), ("grey", grey, (0, 0.55), 1)):
        stored = {"w": weights.astype(np.float32), "b": np.array(bias, np.float32)}
        made = [node("Flatten", ["x"], "flat"), node("Gemm", ["flat", "w", "b"], "scores")]
        save(build(made, ("N", channels, 8, 8), ("N", 2), stored), Path(), f"{name}.onnx")


def pictures(saved: Saver, *, grey: bool) -> None:
    """A folder of two classes, each with one picture that `saved` writes."""
    rng = np.random.default_rng(1)
    for name, colour in zip("ab", (BRIGHT, DARK) if grey else (RED, GREEN), strict=True):
        noisy = np.array(colour) + rng.integers(-9, 10, (8, 8) if grey else (8, 8, 3))
        Path("data", name).mkdir(parents=True)
        saved(Image.fromarray(noisy.astype(np.uint8)), f"data/{name}/0")


def _translucent(image: Image8) -> Image8:
    alpha = np.full((8, 8), 255, np.uint8)
    alpha[0] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


def _deep(image: Image8) -> Image8:
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257 - 3)


COLOUR: dict[str, tuple[Saver, str]] = {
    "cmyk": (lambda image, at: image.convert("CMYK").save(f"{at}.jpg", quality=100), ""),
    "cmyk-tiff": (lambda image, at: image.convert("CMYK").save(f"{at}.tif"), ""),
    "opaque": (lambda image, at: image.convert("RGBA").save(f"{at}.png"), ""),
    "palette": (lambda image, at: image.quantize(16).save(f"{at}.png"), ""),
    "gif": (lambda image, at: image.save(f"{at}.gif"), ""),
    "jfif": (lambda image, at: image.save(f"{at}.jfif", "JPEG"), ""),
    "avif": (lambda image, at: image.save(f"{at}.avif", quality=100), ""),
    "jp2": (lambda image, at: image.save(f"{at}.jp2"), ""),
    "white": (lambda image, at: _translucent(image).save(f"{at}.png"), "--background white"),
    "stored": (lambda image, at: _translucent(image).save(f"{at}.png"), "--background ignore"),
}
GREY: dict[str, tuple[Saver, str]] = {
    "grey": (lambda image, at: image.save(f"{at}.png"), ""),
    "as rgb": (lambda image, at: image.convert("RGB").save(f"{at}.png"), ""),
    "as rgb jpeg": (lambda image, at: image.convert("RGB").save(f"{at}.jpg"), ""),
    "as palette": (lambda image, at: image.convert("P").save(f"{at}.png"), ""),
    "as gif": (lambda image, at: image.save(f"{at}.gif"), ""),
    "with alpha": (lambda image, at: image.convert("LA").save(f"{at}.png"), ""),
    "bilevel": (lambda image, at: image.convert("1", dither=0).save(f"{at}.png"), ""),
    "deep": (lambda image, at: _deep(image).save(f"{at}.png"), "--bounds 0 1"),
    "floats": (
        lambda image, at: Image.fromarray(np.asarray(image, np.float32) / 300).save(f"{at}.tif"),
        "",
    ),
}


@pytest.mark.parametrize("kind", [*COLOUR, *GREY])
def test_pictures_of_every_mode_are_certified_for_what_they_show(models: None, kind: str) -> None:
    grey = kind in GREY
    saved, options = (GREY if grey else COLOUR)[kind]
    pictures(saved, grey=grey)
    said = done(f"certify {'grey' if grey else 'rgb'}.onnx data {FEW} {options}").err
    run = read_run("run")
    assert [(row.label, row.prediction) for row in run.rows] == [(0, 0), (1, 1)]
    converted = {"cmyk": "CMYK", "cmyk-tiff": "CMYK", "deep": "16-bit", "floats": "float"}.get(kind)
    assert run.header.record["data"].get("converted") == (converted and {converted: 2})
    assert (f"2 of 2 are {converted}" in said) is (converted is not None)
    assert run.header.arithmetic == ("float" if kind in ("deep", "floats") else "exact")
    done(f"verify run --model {'grey' if grey else 'rgb'}.onnx --data data --replay 1")
    done("report run --html page.html --data data")
    assert Path("page.html").read_text().count("data:image/png") >= 2


@pytest.mark.parametrize(
    ("model", "saved", "named"),
    [
        ("rgb", lambda image, at: _translucent(image).save(f"{at}.png"), "--background"),
        ("rgb", lambda image, at: image.quantize(16).save(f"{at}.png", transparency=0), "--backgr"),
        (
            "rgb",
            lambda image, at: image.save(
                f"{at}.gif", save_all=True, append_images=[image.rotate(9)]
            ),
            "frames",
        ),
        ("rgb", lambda image, at: image.convert("LAB").save(f"{at}.tif"), "LAB"),
        ("grey", lambda image, at: _deep(image).save(f"{at}.png"), "--bounds"),
    ],
)
def test_what_would_need_a_guess_is_refused(
    models: None, model: str, saved: Saver, named: str
) -> None:
    pictures(saved, grey=model == "grey")
    refused(f"certify {model}.onnx data {FEW}", code=1, named=named)


def test_a_colour_picture_is_no_grey_one(models: None) -> None:
    pictures(lambda image, at: image.save(f"{at}.png"), grey=False)
    refused(f"certify grey.onnx data {FEW}", code=1, named="grey")


def test_one_picture_is_predicted(models: None) -> None:
    pictures(lambda image, at: image.save(f"{at}.png"), grey=False)
    done(f"certify rgb.onnx data/b/0.png {FEW}")
    (row,) = read_run("run").rows
    assert (row.name, row.label, row.prediction) == ("0.png", None, 1)
