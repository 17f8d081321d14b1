"""A classifier under noise: the noisy samples of an input, and counts of its answers to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.arguments import MOST_WHOLE, check_choice, check_flag
from rsonnx.closed_form import Form
from rsonnx.counts import Counts
from rsonnx.errors import ModelError, UsageError
from rsonnx.noise import (
    NOISES,
    STREAM_VERSION,
    STREAM_VERSIONS,
    UNCHANGED,
    Arithmetic,
    Gaussian,
    Law,
    NoisyStream,
    Point,
    UnchangedStream,
    check_law,
    check_seed,
)
from rsonnx.runtime import (
    BaseClassifier,
    Call,
    CountRequest,
    Engine,
    Progress,
    base_classifier,
    check_engine,
    checked_labels,
)
from rsonnx.runtime.cuda import engine_for
from rsonnx.runtime.engine import checked_counts, start
from rsonnx.scalars import as_whole, shown
from rsonnx.smoothing.domain import Domain

STAGES = ("selection", "estimation", "prediction", "probe")


class NoisyClassifier:
    """A base classifier f, the noise, and what counts; see :class:`rsonnx.SmoothedClassifier`."""

    def __init__(
        self,
        base: BaseClassifier | Callable[[NDArray[np.float32]], NDArray[np.int64]],
        sigma: float | None = None,
        *,
        noise: Law | None = None,
        bounds: tuple[float, float] | None = None,
        arithmetic: Arithmetic | None = None,
        batch_size: int | None = None,
        workers: int | None = None,
        engine: Engine | None = None,
        share_noise: bool = False,
        stream_version: int = STREAM_VERSION,
    ) -> None:
        if arithmetic is not None:
            check_choice("arithmetic", arithmetic, ("exact", "float"))
        version = as_whole(stream_version)
        if version not in STREAM_VERSIONS:
            raise UsageError(
                f"the stream's version is {shown(stream_version)}, but 1 or 2 was expected"
            )
        share_noise = check_flag("share_noise", share_noise)
        self.base = base_classifier(base)
        if (sigma is None) == (noise is None):
            raise UsageError(
                "a smoothed classifier needs one smoothing distribution; give either sigma, for "
                "Gaussian noise, or noise"
            )
        # Gaussian checks what it is given, None included.
        self.noise = Gaussian(sigma) if noise is None else check_law(noise)  # type: ignore[arg-type]
        if getattr(self.base, "codes", False) and not self.noise.codes:
            names = " or ".join(name for name, law in NOISES.items() if law.codes)
            raise ModelError(
                "the model takes integers, whole numbers that are codes, but "
                f"{self.noise.name} noise gives others; use noise made for codes, {names}"
            )
        if arithmetic == "exact" and not self.noise.exact:
            raise UsageError(
                f"{self.noise.name} noise has no exact arithmetic; use float, or another noise"
            )
        if share_noise and self.noise.enumerated:
            raise UsageError(f"{self.noise.name} noise is not random, so there is none to share")
        self._domain = Domain.of(self.base, self.noise, bounds, arithmetic)
        self.share_noise = share_noise
        self.stream_version = version
        self._open_stream: Callable[..., NoisyStream] = NoisyStream
        self._engine = (
            engine_for(self.base, batch_size, workers) if engine is None else check_engine(engine)
        )

    @property
    def sigma(self) -> float | None:
        """Standard deviation of the noise on one value, in the units of ``bounds``, if any."""
        return self.noise.deviation

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Shape of an input, where the base classifier says what it takes."""
        return self._domain.shape

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value of an input."""
        return self._domain.bounds

    @property
    def arithmetic(self) -> Arithmetic | None:
        """The arithmetic of noise that is insisted on, if any."""
        return self._domain.arithmetic

    def form(self) -> Form:
        """Return the base classifier as one whose class probabilities follow by calculation.

        Raises:
            ModelError: its file is none.
            UsageError: it is no file, and has no ``form()`` of its own.

        >>> halves = rsonnx.load("halves.onnx", preprocess="none")
        >>> rsonnx.SmoothedClassifier(halves, sigma=0.5).form().weights.shape
        (1, 784)
        """
        own: Callable[[], Form] | None = getattr(self.base, "form", None)
        if own is None:
            raise UsageError(
                "the base classifier is a function, whose class probabilities cannot be "
                "calculated; give an ONNX file, or use samples"
            )
        return own()

    @property
    def layout(self) -> str | None:
        """Where the channels of an input are, as the base classifier says, or else its noise."""
        return self._domain.layout

    @property
    def batch_size(self) -> int | None:
        """Inputs a call of the base classifier, where it is known before the first call."""
        shape = getattr(self.base, "shape", None)
        size = getattr(self._engine, "batch_size", None)
        return None if shape is None or size is None else int(size(shape))

    @property
    def engine_facts(self) -> dict[str, Any]:
        """What a run's header says of what counts; nothing of it changes a count."""
        return self._engine.facts

    def point(self, x: NDArray[Any] | Point) -> Point:
        """Bring an input into the declared space.

        Args:
            x: uint8 levels, or floats in the units of ``bounds``, in the shape that the base
                classifier takes (without the batch axis).

        Raises:
            DataError: wrong shape or type, NaN or infinite, or outside the bounds.

        >>> g.point(x).arithmetic, g.point(x / 255 * 0.999).arithmetic
        ('exact', 'float')
        """
        return self._domain.point(x)

    def sample_counts(
        self, x: NDArray[Any] | Point, start: int, stop: int, *, stage: str, seed: int
    ) -> Counts:
        """Count the answers to samples ``start`` .. ``stop - 1`` of one stage of one input.

        Args:
            x: one input, as for :meth:`point`.
            start, stop: the range.
            stage: ``"selection"``, ``"estimation"``, ``"prediction"``, or ``"probe"`` for samples
                of which nothing is claimed.
            seed: of the noise, >= 0.


        Counts of disjoint ranges add up to the counts of their union.

        >>> first = g.sample_counts(x, 0, 40, stage="probe", seed=1)
        >>> rest = g.sample_counts(x, 40, 100, stage="probe", seed=1)
        >>> first + rest == g.sample_counts(x, 0, 100, stage="probe", seed=1)
        True
        """
        check_choice("the stage", stage, STAGES)
        first, end = as_whole(start), as_whole(stop)
        if first is None or end is None or not 0 <= first < end <= MOST_WHOLE:
            raise UsageError(
                f"the range is {shown(start)}..{shown(stop)}, but 0 <= start < stop was expected"
            )
        stream = self.stream(self.point(x), stage, check_seed(seed))
        return self.count([CountRequest(stream, first, end)])[0]

    def stream(self, point: Point, stream: str, seed: int) -> NoisyStream:
        """Return the noisy samples of one stream of one input; of ``UNCHANGED``, the input.

        >>> stream = g.stream(g.point(x), "probe", seed=1)
        >>> stream.sample_shape
        (1, 28, 28)
        """
        open_stream = UnchangedStream if stream == UNCHANGED else self._open_stream
        version = self.stream_version
        return open_stream(point, self.noise, seed, stream, self.share_noise, version)

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> Sequence[Counts]:
        """Count what streams of :meth:`stream` ask for, one vector a request.

        Raises:
            InferenceError: the base classifier failed, or the engine lost or doubled an answer.

        >>> stream = g.stream(g.point(x), "probe", seed=1)
        >>> [counts.total for counts in g.count([rsonnx.runtime.CountRequest(stream, 0, 50)])]
        [50]
        """
        return checked_counts(requests, self._engine.count(requests, progress))

    def start(self, requests: Sequence[CountRequest], progress: Progress | None = None) -> Call:
        """Begin to count, where the engine can do so while its caller goes on; else count.

        >>> stream = g.stream(g.point(x), "probe", seed=1)
        >>> call = g.start([rsonnx.runtime.CountRequest(stream, 0, 50)])
        >>> [counts.total for counts in call.result()]
        [50]
        """
        if progress is not None and not callable(progress):
            raise UsageError(f"progress is {shown(progress)}, but a function was expected")
        return start(self._engine, requests, progress)

    def appetite(self, point: Point) -> int:
        """Return how many samples should be asked for at a time, so that the engine is busy.

        >>> g.appetite(g.point(x)) >= 1
        True
        """
        return self._engine.appetite(point.space.shape)

    def base_label(self, x: NDArray[Any] | Point) -> int:
        """Return what the base classifier answers without noise; -1 for no class.

        >>> g.base_label(x)
        7
        """
        batch = self.noise.unchanged(self.point(x))[None]
        return int(checked_labels(self.base, batch)[0])
