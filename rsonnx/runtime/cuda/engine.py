"""The device engine: batches of one shape, drawn, run and counted on the device.

For each batch the noise is drawn straight into the buffer that the session is bound to, the session
runs, and the labels are counted; one vector of counts a request comes back at the end. The last
batch of a call is padded with what lies in the buffer, and padding is never counted: an input's
label does not depend on its batch companions, which was proved when the model was loaded.

One shape for all batches is what makes the model one function: cuDNN chooses its algorithms, and so
its roundings, by the shape. The last rows of the first batch of that shape, and of any that is
filled further than those before, are confirmed in a small batch before anything of it is counted.

All this is asked of one stream, which does it in order. The host is some batches ahead, so that the
device never waits for it; progress tells of samples that were asked for. Before it copies, or is
further ahead, it waits for each batch, no longer than a call may take.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rsonnx.counts import NO_CLASS, Counts
from rsonnx.errors import InferenceError, UsageError
from rsonnx.grid import GridNoise
from rsonnx.runtime.cuda.cupy_device import CupyDevice
from rsonnx.runtime.cuda.drawing import Drawing
from rsonnx.runtime.onnx_classifier import CONFIRMED_ROWS, OnnxClassifier
from rsonnx.runtime.ranges import CountRequest, Ranges, Span, places
from rsonnx.runtime.session import DeviceMemoryError
from rsonnx.runtime.tally import Progress
from rsonnx.runtime.watchdog import limited

_BATCHES_A_CALL = 16
"""Batches that a call should hold: its last one is half empty on average."""

_MOST_BATCH = 1024
_MOST_VALUES = 1 << 26
"""Float32 values in a batch: a quarter of a gigabyte, which is beyond what fills any card."""

_MEMORY_A_VALUE = 4 * 64
"""Bytes that a model is taken to need a value of its input: 64 float32 values. A ResNet-50 at 224
keeps fewer, a small net on small images more; what does not fit is halved when it is run."""


_AHEAD = 4
"""Batches that are under way at a time."""

_UNWRITTEN = 0x80
"""All bytes of a label before a run: one that is no label, should the run leave it."""


@dataclass(eq=False)
class _Buffers:
    """Memory of one batch, the session bound to it, and up to which row it was confirmed."""

    inputs: Any
    labels: Any
    run: Callable[[], None]
    confirmed: int = 0


@dataclass(frozen=True, eq=False)
class _Source:
    """Where the samples of a request come from: of noise that is None, from the host alone."""

    request: CountRequest
    noise: GridNoise | None
    levels: Any


class DeviceEngine:
    """Counts on one device, from one thread.

    Args:
        classifier: the model, open on the device.
        device: where noise is drawn and labels are counted; the same that the session runs on, and
            on the same stream.
        batch_size: inputs a run, at most; None chooses by the free memory.

    Raises:
        UsageError: batch_size is below 1, or the model does not say how many classes it has.

    Attributes:
        size: inputs a run; it is halved where the device has no memory for them.
    """

    def __init__(
        self, classifier: OnnxClassifier, device: CupyDevice, batch_size: int | None = None
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
        size = batch_size or _first_batch(classifier.shape, device.free_memory())
        self.size = min(size, classifier.most_rows or size)
        self._buffers: _Buffers | None = None
        self._noise_on_host = False
        self._under_way: deque[Any] = deque()

    def batch_size(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many inputs make a batch."""
        del sample_shape  # the model's own, which the session is bound to
        return self.size

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many samples a call should ask for, so that few of its batches are padded."""
        return self.batch_size(sample_shape) * _BATCHES_A_CALL

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header or its end says: where the noise was drawn, in batches of what."""
        return {"noise": "host" if self._noise_on_host else "device", "batch_size": self.size}

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        """Return one vector of counts a request; see Engine."""
        for request in requests:
            if tuple(request.stream.sample_shape) != self._classifier.shape:
                raise UsageError(
                    f"a sample has shape {list(request.stream.sample_shape)}, but the model takes "
                    f"{list(self._classifier.shape)}"
                )
        ranges = Ranges.of(requests)
        if not ranges.left:
            return [Counts([0] * self._classes) for _ in requests]
        self._wait()
        sources: list[_Source] = []
        tally = None
        while ranges.left:
            part: list[Span] = []
            problem = None
            try:
                if tally is None:
                    sources = self._sources(requests)
                    tally = self._device.zeros((len(requests), self._classes + 2), np.uint64)
                part = ranges.take(self.size)
                self._count_part(part, sources, tally)
            except DeviceMemoryError as error:
                problem = str(error)
            if problem is not None:  # the error is gone here, and with it what holds the buffers
                ranges.give_back(part)
                self._halve(problem)
            elif progress is not None:
                progress(sum(map(len, part)))
            self._wait(_AHEAD)
        self._wait()
        return [self._counts(bins) for bins in self._device.copy_out(tally).tolist()]

    def _sources(self, requests: Sequence[CountRequest]) -> list[_Source]:
        """Send inputs without noise and laws to the device, once where streams share one."""
        sent: dict[int, Any] = {}
        sources = []
        for request in requests:
            noise: GridNoise | None = getattr(request.stream, "grid", None)
            levels = None
            if noise is not None:  # the levels of one input lie at one place in the host's memory
                self._drawing.law(noise.table)
                address = noise.levels.ctypes.data
                if address not in sent:
                    sent[address] = self._drawing.upload(noise)
                levels = sent[address]
            self._noise_on_host |= noise is None
            sources.append(_Source(request, noise, levels))
        return sources

    def _count_part(self, part: Sequence[Span], sources: Sequence[_Source], tally: Any) -> None:
        """Draw a batch, run it and count its labels: all of them, or none where it fails."""
        buffers = self._ready()
        rows = places(part)
        for span, place in zip(part, rows, strict=True):
            self._draw(sources[span.request], span.start, buffers.inputs[place])
        self._device.fill(buffers.labels, _UNWRITTEN)
        buffers.run()
        self._under_way.append(self._device.mark())
        filled = rows[-1].stop
        if filled > buffers.confirmed:
            self._wait()
            last = slice(max(0, filled - CONFIRMED_ROWS), filled)
            inputs, labels = buffers.inputs[last], buffers.labels[last]
            self._classifier.confirm(
                self.size, self._device.copy_out(inputs), self._device.copy_out(labels)
            )
            buffers.confirmed = filled
        for span, place in zip(part, rows, strict=True):
            self._device.launch(
                "rsonnx_count",
                len(span),
                np.int64(len(span)),
                buffers.labels[place],
                np.int64(self._classes),
                tally[span.request],
            )

    def _ready(self) -> _Buffers:
        """Return the buffers, made where there are none."""
        if self._buffers is None:
            inputs = self._device.zeros((self.size, *self._classifier.shape), np.float32)
            labels = self._device.zeros((self.size,), np.int64)
            run = self._classifier.session.bind(
                self._classifier.input_name,
                self._device.buffer(inputs),
                self._classifier.label_name,
                self._device.buffer(labels),
            )
            self._buffers = _Buffers(inputs, labels, run)
        return self._buffers

    def _draw(self, source: _Source, start: int, rows: Any) -> None:
        if source.noise is not None:
            self._drawing.write(source.noise, source.levels, start, rows)
            return
        self._wait()
        host = np.empty(rows.shape, np.float32)
        source.request.stream.write(start, host)
        self._device.copy_in(rows, host)

    def _wait(self, most: int = 0) -> None:
        """Wait until no more than so many batches are under way."""
        session, shape = self._classifier.session, (self.size, *self._classifier.shape)
        while len(self._under_way) > most:
            done = partial(self._device.has_reached, self._under_way[0])
            with limited(session.name, shape, session.device.time_limit_per_call) as call:
                call.wait(done)
            self._under_way.popleft()

    def _halve(self, problem: str) -> None:
        """Make the batch smaller, or give up where it cannot be."""
        if self.size == 1:
            raise DeviceMemoryError(
                f"the device has too little memory for the model, one input at a time ({problem}); "
                "free some, or use another device or the CPU"
            )
        self._wait()  # memory is given back when the device is done
        self._buffers = None  # first, so that its memory can be given back
        self._device.release()
        self._classifier.session.shrink(
            self._classifier.label_name,
            self._classifier.input_name,
            np.zeros((1, *self._classifier.shape), np.float32),
        )
        self.size = -(-self.size // 2)

    def _counts(self, bins: Sequence[int]) -> Counts:
        *classes, no_class, wrong = bins
        if wrong:
            raise InferenceError(
                f"the model answered {wrong} labels that are none of its {self._classes} classes, "
                f"numbered from 0, nor {NO_CLASS} for none"
            )
        return Counts(classes, no_class)


def _first_batch(shape: tuple[int, ...], free_memory: int) -> int:
    """Return the batch size to begin with: a power of two, at least 1, that should fit."""
    values = max(1, math.prod(shape))
    fits = free_memory // (2 * values * _MEMORY_A_VALUE)
    most = max(1, min(_MOST_BATCH, _MOST_VALUES // values, fits))
    return 1 << (most.bit_length() - 1)
