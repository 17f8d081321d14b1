"""How long a command takes to begin: help, an import, a first row, the first line of a large model.

Each is a fresh process. Its wall time depends on what else runs, so the processor's seconds stand
beside it, user and system together, of the child that tries a model too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, cast

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benching.inputs import write_images
from benching.subjects import SAMPLES
from benching.turns import Record, Spread

_MODEL, _DATA = SAMPLES / "mnist_gaussian_0.50.onnx", SAMPLES / "mnist_test_500"
_PYTHON = (sys.executable, "-m", "rsonnx")
_BARE = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
print("loaded", file=sys.stderr, flush=True)
"""
_LAYERS, _WIDTH = 4, 8192
_LOOK = 0.01
"""Seconds between two looks at a process, at least: to add up its pages takes longer the more there
are, and looks are to take a tenth of a core."""


def measure_start(given: argparse.Namespace) -> Iterator[Record]:
    """Measure what users wait for.

    Yields:
        ``what``, the ``wall`` seconds and those of the processor, ``cpu``, and the ``mebibytes`` of
        all its processes together at the peak, each shared page counted once.
    """
    certify = (*_PYTHON, "certify", str(_MODEL))
    settings = ("--sigma", "0.5", "--n", "1000")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, many = folder / "run.jsonl", folder / "images.npz"
        write_images(many, given.inputs)
        completing = {"_RSONNX_COMPLETE": "bash_complete", "COMP_CWORD": "2"}
        completing |= {"COMP_WORDS": "rsonnx certify --no"}
        row = (*settings, "-o", str(run))
        commands: dict[str, tuple[Sequence[str], Callable[[_Watched], bool], dict[str, str]]] = {
            "rsonnx --help": ((*_PYTHON, "--help"), _ended, {}),
            "completion": (_PYTHON, _ended, completing),
            "import rsonnx": ((sys.executable, "-c", "import rsonnx"), _ended, {}),
            "certify, first row": ((*certify, str(_DATA), *row), _has_row(run), {}),
            # As behind an installer that leaves compiling to Python, with no place to keep it.
            "certify, first row, no bytecode": (
                (*certify, str(_DATA), *row),
                _has_row(run),
                {"PYTHONPYCACHEPREFIX": os.devnull},
            ),
            f"certify, first row of {given.inputs:,}": (
                (*certify, str(many), *row),
                _has_row(run),
                {},
            ),
        }
        for form in ("embedded", "external"):
            large = save_large(folder, external=form == "external")
            bare = (sys.executable, "-c", _BARE, str(large))
            words = (*_PYTHON, "certify", str(large), str(_DATA), "--preprocess", "none", *row)
            commands[f"1.1 GB, {form}: onnxruntime"] = (bare, says("loaded"), {})
            commands[f"1.1 GB, {form}: certify"] = (words, says("model"), {})
        for what, (words, done, environment) in commands.items():
            taken = [measured(words, done, environment, run) for _ in range(given.rounds + 1)][1:]
            wall, cpu, peak = (Spread.of(figures) for figures in zip(*taken, strict=True))
            yield {"what": what, "wall": wall, "cpu": cpu, "mebibytes": peak}


def save_large(folder: Path, *, external: bool) -> Path:
    """Save a classifier of 28x28 pictures with 1.1 GB of weights; return its file."""
    chance = np.random.default_rng(0)
    sizes = [784, *[_WIDTH] * (_LAYERS + 1), 10]
    nodes, weights, last = [helper.make_node("Flatten", ["x"], ["flat"])], [], "flat"
    for layer, (taken, given) in enumerate(pairwise(sizes)):
        values = chance.standard_normal((taken, given), np.float32) / np.float32(np.sqrt(taken))
        weights.append(numpy_helper.from_array(values, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{layer}"], [f"m{layer}"]))
        last = f"m{layer}"
        if given != sizes[-1]:
            nodes.append(helper.make_node("Relu", [last], [f"r{layer}"]))
            last = f"r{layer}"
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 28, 28])
    y = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", 10])
    graph = helper.make_graph(nodes, "large", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / f"{'external' if external else 'embedded'}.onnx"
    onnx.save_model(model, path, save_as_external_data=external, location=f"{path.name}.data")
    return path


class _Watched:
    """A process, what it said on stderr, and the most memory that it had with its children."""

    def __init__(self, words: Sequence[str], environment: dict[str, str]) -> None:
        self.said: list[str] = []
        self.peak = 0
        # Bytecode is kept, as it is where a package was installed.
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.process = subprocess.Popen(
            words,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=kept | environment,
            text=True,
        )
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        for line in cast(IO[str], self.process.stderr):
            self.said.append(line)

    @property
    def over(self) -> bool:
        """Whether it has ended, and all is read that it said; it stays to be waited for."""
        ended = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is not None:
            self._listening.join()
        return ended is not None

    def look(self) -> None:
        """Take note of the memory."""
        pids = [self.process.pid, *_children(self.process.pid)]
        self.peak = max(self.peak, sum(map(_memory, pids)))

    def end(self) -> float:
        """End the process; return the seconds of the processor that it had with its children."""
        os.kill(self.process.pid, signal.SIGKILL)  # Popen's own would wait for one that has ended
        _, _, used = os.wait4(self.process.pid, 0)
        self.process.returncode = 0
        return used.ru_utime + used.ru_stime


def measured(
    words: Sequence[str],
    done: Callable[[_Watched], bool],
    environment: dict[str, str],
    run: Path,
) -> tuple[float, float, float]:
    """Return the wall seconds until a process is so far, its processor's seconds, and mebibytes.

    Args:
        words: its command.
        done: says whether it is so far; it is then ended.
        environment: what it has beyond this process's.
        run: file that it may write, which is removed.
    """
    begun = time.perf_counter()
    watched = _Watched(words, environment)
    while not done(watched):
        if watched.over and not done(watched):
            raise SystemExit(f"{' '.join(words)} ended: {''.join(watched.said)}")
        looked = time.perf_counter()
        watched.look()
        time.sleep(max(_LOOK, 9 * (time.perf_counter() - looked)))
    wall = time.perf_counter() - begun
    cpu = watched.end()
    for left in run.parent.glob(f"{run.name}*"):
        left.unlink()
    return wall, cpu, watched.peak / 1024


def _ended(watched: _Watched) -> bool:
    return watched.over


def _has_row(run: Path) -> Callable[[_Watched], bool]:
    def has(watched: _Watched) -> bool:
        del watched
        with contextlib.suppress(OSError):
            return run.read_bytes().count(b"\n") > 1
        return False

    return has


def says(word: str) -> Callable[[_Watched], bool]:
    """Return whether a process has said a line that begins so."""
    return lambda watched: any(line.startswith(word) for line in watched.said)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return list(map(int, listed.split()))
    return []


def _memory(pid: int) -> int:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        if (line := re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)) is not None:
            return int(line[1])
    return 0
