"""The examples for Node and a browser: they answer what ``rsonnx predict`` counts by their keys."""

from __future__ import annotations

import base64
import functools
import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import headless_chromium
import numpy as np
import onnxruntime
import pytest
from headless_chromium import Page
from onnx_models import build, node
from PIL import Image

import rsonnx
from rsonnx.compose import serialized, smooth

EXAMPLES = Path(__file__).parents[2] / "tools" / "examples"
pytestmark = pytest.mark.skipif(
    not EXAMPLES.is_dir(), reason="the tools are not part of an installation"
)
COLOURS, GREY = (4, 5, 3), (4, 5)
# The shape of a picture, and the order of axes in the model's input.
INPUTS = {
    "chw": (COLOURS, (2, 0, 1)),
    "hwc": (COLOURS, (0, 1, 2)),
    "1hw": ((*GREY, 1), (2, 0, 1)),
    "hw": (GREY, (0, 1)),
}
KEY = "00112233445566778899aabbccddeeff"

CHOOSE = """new Promise((answered, failed) => {
  const chosen = new DataTransfer(), control = document.querySelector("input");
  if (!control.onchange) failed("the page's script has not run");
  const bytes = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0));
  chosen.items.add(new File([bytes], "picture.png", { type: "image/png" }));
  control.files = chosen.files;
  const said = document.querySelector("output");
  new MutationObserver(() => said.value && answered(
    [said.value, document.querySelector("pre").textContent]
  )).observe(said, { childList: true });
  control.dispatchEvent(new Event("change"));
})"""


def installed(package: str) -> Path:
    """The folder of a package, beside the examples or in NODE_PATH; else the test is skipped."""
    elsewhere = filter(None, os.environ.get("NODE_PATH", "").split(os.pathsep))
    for folder in (EXAMPLES / "node_modules", *map(Path, elsewhere)):
        if (folder / package).is_dir():
            return folder
    pytest.skip(f"the package {package} is not installed")


def composed(folder: Path, shape: tuple[int, ...]) -> rsonnx.SmoothedClassifier:
    """Write ``smoothed.onnx`` there; return what it is composed of."""
    size = int(np.prod(shape))
    weights = {"w": np.random.default_rng(3).normal(size=(size, 3)).astype(np.float32)}
    nodes = [node("Flatten", ["x"], "flat"), node("MatMul", ["flat", "w"], "scores")]
    model = build(nodes, ("n", *shape), ("n", 3), weights)
    declared: dict[str, Any] = {"preprocess": "none"}
    made = serialized(smooth(model, sigma=0.5, n=300, declared=declared))
    (folder / "smoothed.onnx").write_bytes(made)
    return rsonnx.SmoothedClassifier(rsonnx.load(model, providers=["cpu"], **declared), 0.5)


def drawn(shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


def png(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_node_answers_what_predict_counts(tmp_path: Path) -> None:
    program = shutil.which("node")
    if program is None:
        pytest.skip("Node is not installed")
    installed("onnxruntime-node")
    x = drawn((12,))
    smoothed, levels = composed(tmp_path, x.shape), tmp_path / "levels.bin"
    levels.write_bytes(x.tobytes())
    words = [program, str(EXAMPLES / "smoothed.js"), str(tmp_path / "smoothed.onnx"), str(levels)]
    keys = set()
    for _ in range(2):
        said = subprocess.run(words, capture_output=True, check=True, timeout=120)
        answer = json.loads(said.stdout)
        expected = smoothed.exported(answer["key"]).predict(x, n=300)
        assert answer["counts"] == [*expected.counts, expected.counts.no_class]
        assert answer["label"] == expected.label
        keys.add(answer["key"])
    assert len(keys) == 2


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Say nothing of a request."""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    chromium = headless_chromium.find_chromium()
    if chromium is None:
        pytest.skip(f"none of {', '.join(headless_chromium.NAMES)} is on the PATH")
    with headless_chromium.browser(chromium) as opened:
        yield opened


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of the page, in a folder that has all it needs but ``smoothed.onnx``."""
    (tmp_path / "node_modules").symlink_to(installed("onnxruntime-web").resolve())
    for name in ("smoothed.html", "ask_smoothed.mjs"):
        shutil.copy(EXAMPLES / name, tmp_path)
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/smoothed.html"
        server.shutdown()


@pytest.mark.parametrize(("shape", "axes"), INPUTS.values(), ids=INPUTS)
def test_a_browser_answers_what_onnxruntime_counts(
    shape: tuple[int, ...], axes: tuple[int, ...], served: str, page: Page, tmp_path: Path
) -> None:
    picture = drawn(shape)
    x = picture.transpose(axes)
    composed(tmp_path, x.shape)
    page.open(f"{served}?key={KEY}")
    sentence, answer = page(CHOOSE % png(picture))
    session = onnxruntime.InferenceSession(tmp_path / "smoothed.onnx")
    words = np.array([int(KEY[k : k + 8], 16) for k in range(0, 32, 8)], np.uint32)
    label, counts = session.run(["label", "counts"], {"input": x, "key": words})
    assert json.loads(answer) == {"label": label, "counts": counts.tolist(), "key": KEY}
    assert (str(label) in sentence) == (label >= 0)
    origin = served.removesuffix("smoothed.html")
    assert all(address.startswith((origin, "blob:", "data:")) for address in page.requests)


def test_a_browser_draws_a_key_for_each_query(served: str, page: Page, tmp_path: Path) -> None:
    x = drawn(COLOURS)
    smoothed = composed(tmp_path, x.shape)
    page.open(served)
    keys = set()
    for _ in range(2):
        answer = json.loads(page(CHOOSE % png(x))[1])
        expected = smoothed.exported(answer["key"]).predict(x, n=300)
        assert answer["counts"] == [*expected.counts, expected.counts.no_class]
        keys.add(answer["key"])
    assert len(keys) == 2


@pytest.mark.parametrize("shape", [(5, 4), COLOURS], ids=["size", "colours"])
def test_a_browser_refuses_another_picture(
    shape: tuple[int, ...], served: str, page: Page, tmp_path: Path
) -> None:
    composed(tmp_path, GREY)
    page.open(served)
    sentence, answer = page(CHOOSE % png(drawn(shape)))
    assert "picture" in sentence
    assert answer == ""
