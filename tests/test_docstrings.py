"""Every public name has an example in its docstring, which does what stands there."""

from __future__ import annotations

import ast
import doctest
import inspect
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser
from pages import make_place

import rsonnx

pytestmark = pytest.mark.usefixtures("no_children")
INPUTS = 4
HALVES = """<ir_version: 8, opset_import: ["": 17]>
halves (float[N, 1, 28, 28] x) => (float[N, 2] scores) {
  flat = Flatten(x)
  scores = MatMul(flat, w)
}"""
"""Says which half of an image is brighter."""
CONSTANTS = {"ABSTAIN": "procedures/result.py", "__version__": "_version.py"}
"""The public names that are no functions and no classes, and the files that give them a value."""


def _said_below(constant: str) -> str:
    """Return the text below the line that gives a constant its value."""
    source = (Path(rsonnx.__file__).parent / CONSTANTS[constant]).read_text(encoding="utf-8")
    for line, below in pairwise(ast.parse(source).body):
        match line, below:
            case ast.Assign([ast.Name(name)]), ast.Expr(ast.Constant(str(text))):
                if name == constant:
                    return text
    return ""


def _documented() -> Iterator[tuple[str, str]]:
    """Yield the package, every public name, and method of one, with its docstring."""
    yield "rsonnx", rsonnx.__doc__ or ""
    for name in rsonnx.__all__:
        value = getattr(rsonnx, name)
        yield name, value.__doc__ or "" if callable(value) else _said_below(name)
        if inspect.isclass(value):
            for method, function in inspect.getmembers(value, inspect.isroutine):
                home = getattr(function, "__module__", None) or ""
                if not method.startswith("_") and home.startswith("rsonnx"):
                    yield f"{name}.{method}", function.__doc__ or ""


DOCUMENTED = dict(_documented())


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory, no_children: None) -> Iterator[dict[str, Any]]:
    """What the examples know, in a folder with what they name."""
    place = tmp_path_factory.mktemp("examples")
    make_place(place, INPUTS)
    halves = parser.parse_model(HALVES)
    weights = np.repeat(np.eye(2, dtype=np.float32), 28 * 14, axis=0)
    halves.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    onnx.save(halves, place / "halves.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        rsonnx.certify("model.onnx", "images", sigma=0.5, n=1_000, seed=1, output="run.jsonl")
        pixels = np.fromfile("images/images-idx3-ubyte", np.uint8, 28 * 28, offset=16)
        g = rsonnx.SmoothedClassifier(rsonnx.load("model.onnx"), sigma=0.5)
        x = pixels.reshape(1, 28, 28)
        yield {"rsonnx": rsonnx, "np": np, "sys": sys, "Path": Path, "g": g, "x": x}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_public_name_has_an_example_that_does_what_stands_there(
    name: str, names: dict[str, Any]
) -> None:
    test = doctest.DocTestParser().get_doctest(DOCUMENTED[name], names, name, None, 0)
    said: list[str] = []
    assert test.examples
    assert not doctest.DocTestRunner().run(test, out=said.append).failed, "".join(said)
