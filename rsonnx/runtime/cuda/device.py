"""What the engine needs of a device, of a stream's noise and of a model; nothing here is CUDA."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rsonnx.runtime.session import Buffer, Session


class Device(Protocol):
    """A device: memory of its own, and the kernels of ``kernels.cu``, in one order of work.

    What is asked of it is done in the order in which it was asked, also when a call returns before
    the work is done.
    """

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """Return new memory of the device, filled with zeros.

        Raises:
            DeviceMemoryError: there is not so much.
        """

    def copy_in(self, memory: Any, host: NDArray[Any]) -> None:
        """Copy a host array into memory of the same shape and type; it is read before returning."""

    def copy_out(self, memory: Any) -> NDArray[Any]:
        """Return a host copy, after all work asked for so far."""

    def clear(self, memory: Any) -> None:
        """Fill memory with zeros."""

    def buffer(self, memory: Any) -> Buffer:
        """Return what onnxruntime must know to read or write the memory."""

    def launch(self, kernel: str, threads: int, *arguments: Any) -> None:
        """Run a kernel with at least so many threads.

        Args:
            kernel: its name.
            threads: >= 1; those beyond it do nothing, which the kernels see to.
            arguments: memory of the device, or numpy scalars of exactly the kernel's types.
        """

    def free_memory(self) -> int:
        """Return how many bytes are free."""

    def release(self) -> None:
        """Give back memory that nothing uses any more."""


class Cells(Protocol):
    """The law of exact noise: see :class:`rsonnx.noise.lattice.LatticeTable`."""

    @property
    def outcome(self) -> NDArray[np.int16]:
        """The outcome of each of the 65,536 cells, or -32768 where it is open."""

    @property
    def lowest(self) -> NDArray[np.int16]:
        """The outcome at the lower end of each cell."""

    @property
    def first(self) -> NDArray[np.int64]:
        """Number of the first threshold inside each cell."""

    @property
    def inside(self) -> NDArray[np.int64]:
        """How many thresholds lie inside each cell."""

    @property
    def high(self) -> NDArray[np.uint64]:
        """Upper 64 bits of the thresholds, ascending."""

    @property
    def low(self) -> NDArray[np.uint16]:
        """Lower 16 bits of the thresholds."""


class Steps(Protocol):
    """From a noisy level to a value, each step in float32; None leaves one out."""

    @property
    def divisor(self) -> float | None:
        """First it is divided by this,"""

    @property
    def factor(self) -> float | None:
        """then multiplied by this,"""

    @property
    def offset(self) -> float | None:
        """then this is added."""


class NoiseOnDevice(Protocol):
    """What a device must know to draw a stream: see :class:`rsonnx.noise.device.GridNoise`."""

    @property
    def key(self) -> tuple[int, int]:
        """The Philox key, lower and upper 64 bits."""

    @property
    def block(self) -> int:
        """Samples in a block."""

    @property
    def size(self) -> int:
        """Values in a sample."""

    @property
    def levels(self) -> NDArray[np.uint8]:
        """The input without noise, uint8 (size,)."""

    @property
    def table(self) -> Cells:
        """The law of the noise."""

    @property
    def scaling(self) -> Steps:
        """From a noisy level to a value of the input."""


class DeviceClassifier(Protocol):
    """A model that a device can be bound to: what :class:`OnnxClassifier` has."""

    @property
    def session(self) -> Session:
        """The session that runs it."""

    @property
    def input_name(self) -> str:
        """The input, float32 (batch, \\*shape)."""

    @property
    def label_name(self) -> str:
        """The output, int64 (batch,): a class, or -1."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""

    @property
    def num_classes(self) -> int | None:
        """How many classes it tells apart."""

    @property
    def batch_size(self) -> int | None:
        """The only batch size at which it runs, None where any will do."""
