"""Where torch is missing, the trainer says so in a line."""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "train.py"
WITHOUT_TORCH = (
    "import runpy, sys; sys.modules['torch'] = None; sys.path.insert(0, sys.argv[1]); "
    "runpy.run_path(sys.argv[2], run_name='__main__')"
)


def test_a_line_says_what_is_missing() -> None:
    words = [sys.executable, "-c", WITHOUT_TORCH, str(TOOL.parent), str(TOOL)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("torch cannot be imported")
    assert done.stderr.count("\n") == 1
