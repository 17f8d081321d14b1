"""The device engine: batches of one shape, drawn, run and counted on the device.

For each batch the noise is drawn straight into the buffer that the session is bound to, the session
runs, and the labels are counted; one vector of counts a request comes back at the end. The last
batch of a call is padded with what lies in the buffer, and padding is never counted: an input's
label does not depend on its batch companions, which was proved when the model was loaded.

One shape for all batches is what makes the model one function: cuDNN chooses its algorithms, and so
its roundings, by the shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import NO_CLASS, Counts
from rsonnx.errors import InferenceError, UsageError
from rsonnx.grid import GridNoise
from rsonnx.runtime.classifier import OnnxClassifier
from rsonnx.runtime.cuda.cupy_device import CupyDevice
from rsonnx.runtime.cuda.drawing import Drawing
from rsonnx.runtime.cuda.pieces import Piece, Queue, first_batch
from rsonnx.runtime.engine import CountRequest, Progress, SampleStream
from rsonnx.runtime.session import BoundRun, DeviceMemoryError

_BATCHES_A_CALL = 16
"""Batches that a call should hold: its last one is half empty on average."""


@dataclass(frozen=True, eq=False)
class _Batch:
    """Buffers of one batch, and the session bound to them."""

    size: int
    inputs: Any
    labels: Any
    bound: BoundRun


class DeviceEngine:
    """Counts on one device, from one thread.

    Args:
        classifier: the model, open on the device.
        device: where noise is drawn and labels are counted; the same that the session runs on, and
            on the same stream.
        batch_size: inputs a run, at most; None chooses by the free memory.

    Raises:
        UsageError: batch_size is below 1 or not the model's own, or the model does not say how many
            classes it has.
    """

    def __init__(
        self,
        classifier: OnnxClassifier,
        device: CupyDevice,
        batch_size: int | None = None,
    ) -> None:
        if classifier.num_classes is None:
            raise UsageError(
                "labels are counted on the device, but the model does not say how many classes it "
                "has (num_classes); count on the host"
            )
        if batch_size is not None and batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}, but it must be at least 1")
        self._classifier = classifier
        self._classes = classifier.num_classes
        self._device = device
        self._drawing = Drawing(device)
        self._size = (
            classifier.batch_size
            or batch_size
            or first_batch(classifier.shape, device.free_memory())
        )
        self._batch: _Batch | None = None
        self._noise_on_host = False

    @property
    def size(self) -> int:
        """Inputs a run; it is halved where the device has no memory for them."""
        return self._size

    def batch_size(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many inputs make a batch."""
        del sample_shape  # the model's own, which the session is bound to
        return self._size

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many samples a call should ask for, so that few of its batches are padded."""
        return self.batch_size(sample_shape) * _BATCHES_A_CALL

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header or its end says: where the noise was drawn, in batches of what."""
        return {"noise": "host" if self._noise_on_host else "device", "batch_size": self._size}

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        """Return one vector of counts a request.

        Raises:
            InferenceError: the model failed, or gave something that is no label; nothing is
                counted then.
            DeviceMemoryError: not even the smallest batch fits the memory.
        """
        for request in requests:
            if tuple(request.stream.sample_shape) != self._classifier.shape:
                raise UsageError(
                    f"a sample has shape {list(request.stream.sample_shape)}, but the model takes "
                    f"{list(self._classifier.shape)}"
                )
        if not any(request.stop > request.start for request in requests):
            return [Counts([0] * self._classes) for _ in requests]
        noises = [getattr(request.stream, "grid", None) for request in requests]
        self._noise_on_host |= any(noise is None for noise in noises)
        levels = self._levels(noises)
        tally = self._device.zeros((len(requests), self._classes + 2), np.uint64)
        queue = Queue(requests)
        while pieces := queue.next(self._size):
            problem = None
            try:
                self._count_batch(pieces, requests, noises, levels, tally)
            except DeviceMemoryError as error:
                problem = str(error)
            if problem is not None:  # the error is gone here, and with it what holds the buffers
                self._halve(problem)
                continue
            queue.done(pieces)
            if progress is not None:
                progress(sum(piece.rows for piece in pieces))
        return [self._counts(row) for row in self._device.copy_out(tally)]

    def _count_batch(
        self,
        pieces: Sequence[Piece],
        requests: Sequence[CountRequest],
        noises: Sequence[GridNoise | None],
        levels: Sequence[Any],
        tally: Any,
    ) -> None:
        """Draw a batch, run it and count its labels: all of them, or none where it fails."""
        batch = self._ready()
        for piece in pieces:
            stream = requests[piece.request].stream
            self._draw(piece, stream, noises[piece.request], levels[piece.request], batch)
        batch.bound.run()
        for piece in pieces:
            self._count(piece, batch, tally)

    def _levels(self, noises: Sequence[GridNoise | None]) -> list[Any]:
        """Return the inputs without noise on the device, sent once where streams share one."""
        sent: dict[int, Any] = {}
        for noise in noises:
            if noise is not None and _address(noise) not in sent:
                sent[_address(noise)] = self._drawing.upload(noise)
        return [None if noise is None else sent[_address(noise)] for noise in noises]

    def _ready(self) -> _Batch:
        """Return the buffers, made where there are none."""
        if self._batch is None:
            shape = (self._size, *self._classifier.shape)
            inputs = self._device.zeros(shape, np.float32)
            labels = self._device.zeros((self._size,), np.int64)
            bound = self._classifier.session.bind(
                self._classifier.input_name,
                self._device.buffer(inputs),
                self._classifier.label_name,
                self._device.buffer(labels),
            )
            self._batch = _Batch(self._size, inputs, labels, bound)
        return self._batch

    def _halve(self, problem: str) -> None:
        """Make the batch smaller, or give up where it cannot be."""
        fixed = self._classifier.batch_size
        if fixed is not None or self._size == 1:
            size = "the only size it runs at" if fixed is not None else "the smallest there is"
            raise DeviceMemoryError(
                f"the model does not fit the memory of the device at a batch of {self._size}, "
                f"{size} ({problem}); free the device's memory, or use another device or the CPU"
            )
        self._batch = None  # first, so that its memory can be given back
        self._device.release()
        self._size = -(-self._size // 2)

    def _draw(
        self,
        piece: Piece,
        stream: SampleStream,
        noise: GridNoise | None,
        levels: Any,
        batch: _Batch,
    ) -> None:
        rows = batch.inputs[piece.row : piece.row + piece.rows]
        if noise is not None:
            self._drawing.write(noise, levels, piece.start, rows)
            return
        host = np.empty((piece.rows, *self._classifier.shape), np.float32)
        stream.write(piece.start, host)
        self._device.copy_in(rows, host)

    def _count(self, piece: Piece, batch: _Batch, tally: Any) -> None:
        self._device.launch(
            "rsonnx_count",
            piece.rows,
            np.int64(piece.rows),
            batch.labels[piece.row : piece.row + piece.rows],
            np.int64(self._classes),
            tally[piece.request],
        )

    def _counts(self, bins: NDArray[np.uint64]) -> Counts:
        *classes, no_class, wrong = (int(count) for count in bins)
        if wrong:
            raise InferenceError(
                f"the model answered {wrong} labels that are none of its {self._classes} classes, "
                f"numbered from 0, nor {NO_CLASS} for none"
            )
        return Counts(classes, no_class)


def _address(noise: GridNoise) -> int:
    """Return where the levels lie in the host's memory: the same for all streams of one input."""
    return int(noise.levels.__array_interface__["data"][0])
