"""Help and completion are quick: they import none of the libraries that models and figures need."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rsonnx.cli import cli

HEAVY = {"numpy", "scipy", "onnx", "onnxruntime", "PIL", "mpmath", "matplotlib", "rich"}
SCRIPT = """
import atexit, sys
from rsonnx.cli import main
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
main()
"""
ONE_BEHIND_THE_OTHER = """
import sys
from rsonnx.cli import run
for words in sys.argv[1:]:
    code = run(words.split())
    print(words, code, *sys.modules, file=sys.stderr)
"""


def process(words: str, **environment: str) -> tuple[str, set[str]]:
    """Return what a command prints, and which modules its process has imported."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words.split()],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout, set(done.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    asked = ["--help", "--version", *(f"{name} -h" for name in cli.commands)]
    done = subprocess.run(
        [sys.executable, "-c", ONE_BEHIND_THE_OTHER, *asked],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = done.stderr.splitlines()
    for words, line in zip(asked, lines, strict=True):
        code, *modules = line.removeprefix(words).split()
        assert code == "0"
        assert "rsonnx.cli" in modules
        assert not HEAVY & {*modules}, words
    assert done.stdout.count("Usage: rsonnx") >= len(cli.commands)


@pytest.mark.parametrize(
    ("words", "completed"), [("rsonnx c", "certify"), ("rsonnx certify --no", "--noise")]
)
def test_completion_imports_nothing_heavy(words: str, completed: str) -> None:
    shown, modules = process(
        "", _RSONNX_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))
    )
    assert f"plain,{completed}" in shown.splitlines()
    assert not HEAVY & modules
