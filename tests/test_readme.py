"""The README does what stands there, in the order in which it stands there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from pages import ROOT, Reader, blocks, reader
from tried_models import models_are_tried_once

__all__ = ["models_are_tried_once", "reader"]


def test_the_blocks_of_the_readme_do_what_stands_there(reader: Reader) -> None:
    reader.read("README.md", slow=False)


def test_the_line_that_runs_the_tests_is_what_ci_looks_for() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^python3 -m venv .*pytest.*$", text, re.MULTILINE)) == 1


def test_the_front_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1000


@pytest.mark.slow
def test_a_newcomer_gets_from_a_clone_to_a_checked_attestation(tmp_path: Path) -> None:
    """The first block as it stands, with what it installs; ``--durations 1`` says how long."""
    if not (ROOT / ".git").exists():
        pytest.skip("the path begins with a clone")
    first = next(block.text for block in blocks("README.md") if "rsonnx certify" in block.text)
    model, data = "sample_models/mnist_gaussian_0.50.onnx", "sample_models/mnist_test_500"
    lines = f"""git clone --quiet {ROOT} clone && cd clone
{first}
. .venv/bin/activate
rsonnx attest mnist.jsonl -o mnist.intoto.json
rsonnx verify mnist.jsonl --attestation mnist.intoto.json --model {model} --data {data} --replay 3
"""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(["/bin/bash", "-euc", lines], cwd=tmp_path, env=env, check=True, timeout=900)
