"""``report --html``: a page from real runs, with pictures that are of what was certified."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path

import html_pages
import numpy as np
import pytest
from commands import done, lines_of, write_lines
from html_pages import Node
from onnx_models import linear, save
from PIL import Image

PAGE = Path("page.html")
CERTIFY = "certify tiny.onnx set --sigma 0.25 --n 100 --seed 1 --quiet --providers cpu -o run.jsonl"


def page_of(options: str = "") -> Node:
    PAGE.unlink(missing_ok=True)
    done(f"report run.jsonl --html {PAGE} {options}")
    return html_pages.tree(PAGE.read_text(encoding="utf-8"))


def images(page: Node) -> list[Image.Image]:
    found = []
    for node in page.all("img"):
        kind, _, data = (node.attributes["src"] or "").partition(",")
        assert kind == "data:image/png;base64"
        found.append(Image.open(io.BytesIO(base64.b64decode(data))))
    return found


def test_pictures_are_of_the_inputs_in_their_order(here: Path) -> None:
    table = done(CERTIFY).out
    assert done(f"report run.jsonl --html {PAGE} --data set").out == table
    shown = images(page_of("--data set"))
    # In the data set's order, "centre" before "edge": class k has the level k/9.
    levels = [np.asarray(image.convert("L")).max() for image in shown]
    assert len(levels) == 20
    assert levels[::2] == [round(k * 255 / 9) for k in range(10)]
    before = PAGE.read_bytes()
    page_of("--data set")
    assert PAGE.read_bytes() == before  # the same runs give the same page
    assert images(page_of()) == []


def test_a_picture_of_other_values_is_not_shown(here: Path) -> None:
    shutil.copytree("set", "copy")
    done(CERTIFY.replace(" set ", " copy "))
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save("copy/3/edge.png")
    Path("copy/4/edge.png").unlink()
    Path("copy/5/edge.png").write_bytes(b"no picture")
    page = page_of("--data copy")
    assert len(images(page)) == 17
    assert page.text.count("1 are left out") == 3


@pytest.mark.parametrize(
    "lie",
    [
        {"resize": "big"},
        {"crop": [10**9, 3, 4]},
        {"crop": [4, 4], "center": "odd"},
    ],
    ids=str,
)
def test_a_header_that_lies_has_no_pictures(lie: dict[str, object], here: Path) -> None:
    done(f"{CERTIFY} --limit 2")
    lines = lines_of(Path("run.jsonl"))
    for said in (lines[0]["model"], lines[0]["arguments"]["resolved"]):
        said["preprocess"] = {**lie, "source": "argument"}
    write_lines(Path("run.jsonl"), lines)
    assert images(page_of("--data set")) == []


def test_floats_are_shown_between_their_bounds(here: Path) -> None:
    done(CERTIFY.replace(" set ", " floats.npz "))
    page = page_of("--data floats.npz")
    assert len(images(page)) == 4
    assert "floating point" in page.text
    with np.load("floats.npz") as arrays:
        for image, values in zip(images(page), arrays["x"], strict=True):
            assert np.array_equal(np.asarray(image), np.rint(values[0] * 255))


@pytest.mark.parametrize("noise", ["columns,width=2", "ablation,keep=5"])
def test_pictures_of_what_is_shown_as_x_and_1_minus_x(noise: str, here: Path) -> None:
    n = "" if "columns" in noise else "--n 100"
    done(f"certify pair.onnx grey.npz --noise {noise} {n} --seed 1 --quiet -o run.jsonl")
    page = page_of("--data grey.npz")
    assert len(images(page)) == 4
    assert "left out" not in page.text


def test_large_colour_pictures_are_made_small(here: Path) -> None:
    (here / "large").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    Image.fromarray(pixels).save("large/a.png")
    save(linear(("n", 3, 200, 300), 2), here)
    words = CERTIFY.replace("tiny.onnx set", "model.onnx large").replace("--n 100", "--n 20")
    done(f"{words} --n0 5 --alpha 0.05 --preprocess none")
    (image,) = images(page_of("--data large"))
    assert image.size == (48, 32)
    assert PAGE.stat().st_size < 100_000


def test_an_interrupted_and_restated_run_says_so(here: Path) -> None:
    done(CERTIFY)
    write_lines(Path("run.jsonl"), lines_of(Path("run.jsonl"))[:6])
    text = page_of("--alpha 0.01").text
    assert "Incomplete" in text
    assert "5 of 20" in text
    assert "alpha = 0.01" in text
