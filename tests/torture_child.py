"""What a process of the torture tests does: certify, and die by its own hand where asked to.

Its parent has imported this module, so that a process starts with all that takes long to make.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from io import FileIO
from types import SimpleNamespace
from typing import Any

import numpy as np

from rsonnx.cli import run
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runs import disk
from rsonnx.runtime import installed_wheels
from rsonnx.smoothing import isolation, schedule

SIGMA = 0.1
_POINT = InputSpace((1, 4, 4)).point(np.zeros((1, 4, 4), np.uint8))
NoisyStream(_POINT, Gaussian(SIGMA), 0, "selection").write(0, np.empty((1, 1, 4, 4), np.float32))
installed_wheels()  # known from here on to every process that is forked


def certify(arguments: Sequence[str], dies_at: int | None = None) -> None:
    """Run the command line; kill this process in the middle of a disk operation, by its number."""
    isolation.Child = _FindsNothing  # no second process is tested
    schedule._SLICE_SECONDS = 0.0
    schedule._FIRST_SLICE = 1
    if dies_at is not None:
        _die_at(dies_at)
    with open(os.devnull, "w", encoding="utf-8") as sink:
        sys.stdout = sys.stderr = sink
        code = run(list(arguments))
    os._exit(code)


class _FindsNothing:
    def ask(self, *_: object) -> object:
        return SimpleNamespace(stdout='{"error": null, "message": ""}\n')

    def end(self) -> None: ...


def _die_at(step: int) -> None:
    left = step

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                _half_done(function.__name__, arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            function(*arguments)

        return counted

    disk.os.replace = counting(os.replace)
    disk.append = counting(disk.append)
    disk.cut = counting(disk.cut)
    disk.remove = counting(disk.remove)


def _half_done(name: str, arguments: tuple[Any, ...]) -> None:
    if name == "append":
        file, data = arguments
        assert isinstance(file, FileIO)
        file.write(data[: len(data) // 2])
