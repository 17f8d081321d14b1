"""What the workers of the tests are made of, importable in another process."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.errors import InferenceError, ProviderError
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runtime import BaseClassifier, CountRequest, OnnxClassifier, Progress, watchdog
from rsonnx.smoothing import load

Batch = NDArray[np.float32]


def noisy(seed: int = 7, shape: tuple[int, ...] = (1, 4, 4)) -> NoisyStream:
    levels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return NoisyStream(InputSpace(shape).point(levels), Gaussian(0.5), seed, "estimation")


def from_file(path: Path) -> OnnxClassifier:
    return load(path, preprocess="none", providers="cpu")


def on_device(device: object, *, path: Path) -> OnnxClassifier:
    """Load a model, on the processor, whatever the device is called."""
    return from_file(path)


def one_model_each(device: str, *, folder: Path) -> OnnxClassifier:
    return from_file(folder / device)


class Slow:
    """Three classes by a function of an input; keeps a list of its calls, takes its time.

    Args:
        folder: where each process has a file named by its number, with a byte a call.
    """

    num_classes = 3

    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        self.folder = folder
        self.seconds = seconds
        (folder / f"{os.getpid()}.pid").touch()

    def classify(self, batch: Batch) -> NDArray[np.int64]:
        time.sleep(self.seconds)
        with open(self.folder / f"{os.getpid()}.pid", "a", encoding="ascii") as calls:
            calls.write(".")
        return np.asarray(np.floor(batch.reshape(len(batch), -1).sum(axis=1)) % 3, np.int64)


def slow(device: object, *, folder: Path, seconds: float = 0.0) -> Slow:
    return Slow(folder, seconds)


def pids(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.pid")]


def calls(folder: Path) -> list[int]:
    """Return how often each process was called."""
    return [path.stat().st_size for path in folder.glob("*.pid")]


def alive(pid: int) -> bool:
    """Return whether a process runs; one that waits to be buried does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def all_gone(processes: Sequence[int], seconds: float = 10.0) -> bool:
    """Wait until none of these processes runs."""
    end = time.monotonic() + seconds
    while any(map(alive, processes)):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class OwnError(ProviderError):
    """An error of a caller's own, of a class that rsonnx does not know."""


class Failing:
    """A classifier that fails on its first batch, unless it is told not to."""

    num_classes = 3

    def __init__(self, *, ok: bool = False) -> None:
        self.ok = ok

    def classify(self, batch: Batch) -> NDArray[np.int64]:
        if not self.ok:
            raise InferenceError("the model gave up on a batch")
        return np.zeros(len(batch), np.int64)


class Stuck:
    """A classifier that is inside one operator for a minute, but may be for a moment only."""

    num_classes = 3

    def __init__(self) -> None:
        watchdog._PATIENCE = 0.1

    def classify(self, batch: Batch) -> NDArray[np.int64]:
        with watchdog.limited("m.onnx", batch.shape, 0.1, SimpleNamespace()):
            time.sleep(60)
        return np.zeros(len(batch), np.int64)


def stuck(device: object) -> Stuck:
    return Stuck()


def failing(device: object) -> Failing:
    return Failing(ok=device != "bad")


def refusing(device: object) -> BaseClassifier:
    if device == "bad":
        raise OwnError("there is no such device")
    return Failing(ok=True)


def broken(device: object) -> BaseClassifier:
    raise KeyError("weights")


def exhausted(device: object) -> BaseClassifier:
    raise MemoryError


def exiting(device: object) -> BaseClassifier:
    os._exit(7)


class Lying:
    """An engine that forgets a sample."""

    def __init__(self, classifier: BaseClassifier) -> None:
        pass

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        return [Counts([r.stop - r.start - 1]) for r in requests]


class Ramp:
    """A stream whose sample i is filled with i, so that every sample can be told apart."""

    def __init__(self, block: int = 16, shape: tuple[int, ...] = (2,)) -> None:
        self.block = block
        self.sample_shape = shape

    def write(self, start: int, out: Batch) -> None:
        index = np.arange(start, start + len(out), dtype=np.float32)
        out[...] = index.reshape(-1, *[1] * len(self.sample_shape))


class Unsendable(Ramp):
    """A stream that cannot be sent to another process."""

    def __init__(self) -> None:
        super().__init__()
        self.hook = lambda: None


class Unreadable(Ramp):
    """A stream that can be sent and not be read."""

    def __reduce__(self) -> Any:
        return _raise, ()


def _raise() -> None:
    raise KeyError("a class of another version")


class Deadly:
    """A classifier whose process dies of one sample of a ramp."""

    num_classes = 3

    def classify(self, batch: Batch) -> NDArray[np.int64]:
        if (batch == 700).any():
            os._exit(1)
        return (batch[:, 0] % 3).astype(np.int64)


def seeing(folder: Path) -> Failing:
    """Leave a file that names the devices which this process sees."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
    (folder / f"{os.getpid()}.sees").write_text(seen, encoding="ascii")
    return Failing(ok=True)


def on_the_processor(model: Any, *_: object) -> OnnxClassifier:
    """Load a model for the processor whatever the number of the device."""
    return load(model, preprocess="none", providers="cpu")
