"""`rsonnx report --html`: a page from real runs, with pictures that are of what was certified."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import html_pages
import numpy as np
import pytest
from html_pages import Node
from PIL import Image

from rsonnx.cli import run
from rsonnx.cli.pictures import pictures_of
from rsonnx.data import open_dataset
from rsonnx.runs import read_run

Certify = Callable[..., Path]


@pytest.fixture
def certify(workshop: Path, tmp_path: Path) -> Certify:
    """Certify a data set of the workshop with few samples and return the run file."""

    def make(data: Path | str, *options: str, model: str = "tiny.onnx") -> Path:
        path = tmp_path / "run.jsonl"
        words = ["certify", str(workshop / model), str(workshop / data), "--sigma", "0.25"]
        assert run([*words, "--n", "100", "--seed", "1", "-o", str(path), *options]) == 0
        return path

    return make


def report(*words: Path | str) -> int:
    return run(["report", *map(str, words)])


def read_page(path: Path) -> Node:
    return html_pages.tree(path.read_text(encoding="utf-8"))


def images(page: Node) -> list[Image.Image]:
    found = []
    for node in page.all("img"):
        kind, _, data = (node.attributes["src"] or "").partition(",")
        assert kind == "data:image/png;base64"
        found.append(Image.open(io.BytesIO(base64.b64decode(data))))
    return found


def changed(path: Path, change: Callable[[list[Any]], None]) -> Path:
    """Change the lines of a run file."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_page_of_a_run_with_pictures(
    certify: Certify, workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = certify("set"), tmp_path / "out.html"
    capsys.readouterr()
    assert report(file, "--html", out, "--data", workshop / "set") == 0
    assert "tiny.onnx" in capsys.readouterr().out  # the table is printed all the same
    page = read_page(out)
    assert "20 of them have the digest of the input that was certified" in page.text
    shown = images(page)
    assert len(shown) == 20
    # In the data set's order, "centre" before "edge": class k has the level k/9.
    levels = [np.asarray(image.convert("L")).max() for image in shown]
    assert levels[::2] == [round(k * 255 / 9) for k in range(10)]


def test_without_data_there_are_no_pictures(certify: Certify, tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    assert report(certify("set"), "--html", out) == 0
    page = read_page(out)
    assert images(page) == []
    assert "Picture" not in page.text


def test_a_picture_of_other_values_is_not_shown(
    certify: Certify, workshop: Path, tmp_path: Path
) -> None:
    data, out = tmp_path / "set", tmp_path / "out.html"
    shutil.copytree(workshop / "set", data)
    file = certify(data)
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save(data / "3" / "edge.png")
    (data / "4" / "edge.png").unlink()
    (data / "5" / "edge.png").write_bytes(b"no picture")
    assert report(file, "--html", out, "--data", data) == 0
    page = read_page(out)
    assert len(images(page)) == 17
    assert "1 are left out: the data has other values under this name." in page.text
    assert "1 are left out: the data has no input of this name." in page.text
    assert "1 are left out: the data cannot be read there." in page.text


def test_a_header_without_geometry_gives_pictures_that_are_not_checked(
    certify: Certify, workshop: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.html"
    file = changed(certify("set"), lambda lines: lines[0]["model"].pop("preprocess"))
    assert report(file, "--html", out, "--data", workshop / "set") == 0
    page = read_page(out)
    assert len(images(page)) == 20
    assert "20 are not checked, since the run file does not say" in page.text


@pytest.mark.parametrize(
    "change",
    [
        {"input_shape": [1, 8]},
        {"input_shape": ["a"]},
        {"input_shape": 10**400},
        {"bounds": {"low": 1, "high": 0}},
        {"bounds": {"low": 10**400, "high": 0}},
        {"layout": "odd"},
        {"preprocess": []},
        {"preprocess": {"resize": "big"}},
        {"preprocess": {"crop": [0, -1]}},
        {"preprocess": {"crop": [10**9, 3, 4]}},
        {"preprocess": {"resize": 4, "interpolation": "odd"}},
        {"preprocess": {"crop": [4, 4], "center": "odd"}},
    ],
    ids=str,
)
def test_a_header_that_lies_makes_no_bug(
    certify: Certify,
    workshop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
) -> None:
    file = changed(certify("set", "--limit", "2"), lambda lines: lines[0]["model"].update(change))
    capsys.readouterr()
    assert report(file, "--html", tmp_path / "o.html", "--data", workshop / "set") == 0
    assert "bug" not in capsys.readouterr().err
    assert "0 of them have the digest" in read_page(tmp_path / "o.html").text


def test_floats_are_shown_between_their_bounds(
    certify: Certify, workshop: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.html"
    assert report(certify("floats.npz"), "--html", out, "--data", workshop / "floats.npz") == 0
    page = read_page(out)
    assert "4 of them have the digest" in page.text
    assert "drawn in floating point" in page.text
    with np.load(workshop / "floats.npz") as arrays:
        for image, values in zip(images(page), arrays["x"], strict=True):
            assert np.array_equal(np.asarray(image), np.rint(values[0] * 255))


def test_large_colour_pictures_are_made_small(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    folder = tmp_path / "set"
    folder.mkdir()
    Image.fromarray(draw.integers(0, 256, (200, 300, 3), np.uint8)).save(folder / "a.png")
    header = html_pages.header()
    file = tmp_path / "run.jsonl"
    lines = [header | {"format": "rsonnx-run", "format_version": 1}]
    lines[0]["model"].pop("bounds")
    lines.append(html_pages.row(name="a.png").to_json())
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = pictures_of(open_dataset(folder), read_run(file))
    (png,) = found.png.values()
    assert Image.open(io.BytesIO(png)).size == (48, 32)
    assert len(png) < 3_000
    assert found.checked == 0


def test_an_interrupted_and_restated_run_says_so(certify: Certify, tmp_path: Path) -> None:
    file = certify("set")
    file.write_text("".join(line + "\n" for line in file.read_text().splitlines()[:6]))
    assert report(file, "--html", tmp_path / "out.html", "--alpha", "0.01") == 0
    text = read_page(tmp_path / "out.html").text
    assert "Incomplete. The run" in text
    assert "holds 5 of 20 inputs" in text
    assert "Restated at alpha = 0.01 an input" in text


def test_refusals(certify: Certify, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = certify("set", "--limit", "2")
    capsys.readouterr()
    before = file.read_bytes()
    for words, expected in (
        (["--html", file], "exists already and is never overwritten"),
        (["--html", tmp_path / "no" / "out.html"], "does not exist"),
        (["--html", tmp_path / "a.html", "--data", tmp_path / "no"], "does not exist"),
        (["--html", tmp_path / "b.html", "--data", file], "is a file that begins with"),
        (["--data", tmp_path], "--html"),
    ):
        assert report(file, *words) in (1, 2)
        error = capsys.readouterr().err
        assert expected in error
        assert error.startswith("Error: ")
        assert error.count("\n") == 1
    assert file.read_bytes() == before
    assert not list(tmp_path.glob("*.html"))


def test_the_same_runs_give_the_same_page(certify: Certify, tmp_path: Path) -> None:
    file = certify("set", "--limit", "4")
    for name in ("a.html", "b.html"):
        assert report(file, "--html", tmp_path / name) == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def _paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = range(len(value)) if isinstance(value, list) else value
    for key in keys if isinstance(value, list | dict) else ():
        yield (*prefix, key)
        yield from _paths(value[key], (*prefix, key))


@pytest.mark.parametrize("path", list(_paths(html_pages.HEADER)), ids=str)
def test_no_value_of_a_header_makes_a_bug(
    path: tuple[Any, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, data = tmp_path / "run.jsonl", tmp_path / "x.npz"
    np.savez(data, x=np.zeros((1, 1, 8, 8), np.uint8))
    for number, hostile in enumerate((None, 10**400, -1e308, "<script>\udc80", [], {"a": [3]})):
        header = html_pages.header() | {"format": "rsonnx-run", "format_version": 1}
        inner: Any = header
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = hostile
        lines = [header, html_pages.row(name="0").to_json()]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        out = tmp_path / f"{number}.html"
        code = report(file, "--html", out, "--data", data)
        assert (code == 0) == out.exists()
        assert code in (0, 1), hostile
        assert "has a bug" not in capsys.readouterr().err
        if code == 0:
            assert "<script>\\" not in out.read_text(encoding="utf-8")
            read_page(out)


def test_a_page_that_cannot_be_written_leaves_none(
    certify: Certify,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = certify("set", "--limit", "2")
    long = tmp_path / ("x" * 300 + ".html")
    capsys.readouterr()
    assert report(file, "--html", long) == 2
    assert "cannot be created: File name too long" in capsys.readouterr().err
    if Path("/dev/full").exists():
        (tmp_path / "full").mkdir()
        full = tmp_path / "full" / "out.html"
        real = Path.open
        monkeypatch.setattr(
            Path,
            "open",
            lambda self, *a, **k: (
                (real(self, "x").close() or real(Path("/dev/full"), "wb"))
                if self == full
                else real(self, *a, **k)
            ),
        )
        assert report(file, "--html", full) == 2
        assert "cannot be written: No space left" in capsys.readouterr().err
        assert not full.exists()
