"""The smoothed classifier: certify, predict, and sample counts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

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
    ExportedStream,
    Gaussian,
    Law,
    NoisyStream,
    Point,
    UnchangedStream,
    check_key,
    check_law,
    check_seed,
    fresh_seed,
)
from rsonnx.procedures import (
    Asking,
    Certificate,
    Prediction,
    PredictMethod,
    certify_procedure,
    predict_procedure,
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
from rsonnx.smoothing.schedule import run_many

STAGES = ("selection", "estimation", "prediction", "probe")

Drawn = TypeVar("Drawn", Certificate, Prediction)


class SmoothedClassifier:
    """g(x): the class that the base classifier f answers most often when x is changed by noise.

    Args:
        base: the base classifier: what :func:`rsonnx.load` returns, any object with
            ``classify(batch) -> int64 labels`` (float32 batch in; -1 means no class), or such a
            function, of PyTorch ``lambda x: net(torch.from_numpy(x)).argmax(1)``, of JAX ``lambda
            x: net(x).argmax(1)``. One net gives the same counts as a file and as a function, but
            for near ties of scores, which rounding may decide either way.
        sigma: standard deviation of Gaussian noise, > 0, in the units of ``bounds``.
        noise: another smoothing distribution, in place of ``sigma``; see :mod:`rsonnx.noise`.
        bounds: lowest and highest value of an input; None takes those of ``base``, else (0, 1).
            uint8 inputs, and floats on the grid of 256 levels between the bounds, are smoothed with
            exact noise; all others with floating-point noise, and their certificates say so.
        arithmetic: ``"exact"`` or ``"float"`` to insist on one of the two; None chooses as above.
        batch_size: inputs a call of the base classifier; None chooses by the size of an input.
        workers: threads; None takes all cores where the base classifier allows it.
        engine: what counts, in place of the embedded threads; then batch_size and workers are its.
        share_noise: give all inputs the same noise. Each certificate keeps its 1 - alpha, but they
            are no longer independent of each other.
        stream_version: how noise is derived from an input, 1 or 2; 1 draws what older run files
            hold.

    Raises:
        UsageError: an argument is outside its range, or ``base`` has no ``classify``.
        ModelError: ``base`` takes codes, and the noise is not for codes.

    >>> g = rsonnx.SmoothedClassifier(rsonnx.load("model.onnx"), sigma=0.5)
    >>> g.certify(x, n=1_000, seed=1).label
    7
    >>> bright = lambda batch: (batch.mean((1, 2, 3)) > 0.5).astype(int)
    >>> rsonnx.SmoothedClassifier(bright, sigma=0.5).certify(x, n=1_000, seed=1).label
    0
    """

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

    def exported(self, key: str | None = None) -> SmoothedClassifier:
        """Return the same, with the noise that a file of :func:`rsonnx.compose.smooth` draws.

        Args:
            key: the file's key for all inputs, 32 hexadecimal digits, which draws a prediction;
                None derives one for each input from the seed.

        >>> g.exported(key="0f" * 16).predict(x, n=100).key
        '0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f'
        """
        made = copy.copy(self)
        file_key = None if key is None else check_key(key)
        made._open_stream = partial(ExportedStream, file_key=file_key)
        return made

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

    def certify(
        self,
        x: NDArray[Any] | Point,
        *,
        n0: int = 100,
        n: int = 100_000,
        alpha: float = 0.001,
        bound: str = "clopper-pearson",
        radius: str = "one-sided",
        target_radii: float | Iterable[float] | None = None,
        precision: float | None = None,
        procedure: str = "sampled",
        changed: int = 0,
        seed: int | None = None,
        progress: Progress | None = None,
    ) -> Certificate:
        """Certify one input, or abstain: CERTIFY of Cohen et al., arXiv 1902.02918.

        Args:
            x: one input, as for :meth:`point`.
            n0: selection samples, >= 1.
            n: estimation samples, >= 1.
            alpha: probability of error, in (0, 1).
            bound: name of a sound bound on a probability; ``rsonnx bounds`` lists them.
            radius: ``"one-sided"``, from p_A alone, or ``"two-sided"``, from p_A and every other
                class.
            target_radii: radii to decide adaptively, rising, each > 0, or one; sampling stops as
                soon as they are decided, and n0 and n are ceilings. None draws n0 and n samples.
            precision: or the share of the radius of n samples, in (0, 1), that may be lost for
                fewer; n0 and n are ceilings then, too.
            procedure: ``"exact"`` calculates the class probabilities of a stump sum, one tree or
                linear scores, and draws nothing.
            changed: at how many changed fixed values its certificate of a stump sum still holds.
            seed: of the noise, >= 0; None draws 128 bits from the operating system. The same seed
                and input give the same counts on every machine, whatever the batch size and
                workers, as far as the base classifier does.
            progress: called with the number of samples counted since its last call.

        Raises:
            UsageError: an argument is outside its range.
            DataError: the input does not fit.
            InferenceError: the base classifier failed; a failure is never a vote.

        >>> cert = g.certify(x, n=1_000, seed=1)
        >>> cert.label, cert.n, cert.arithmetic
        (7, 1000, 'exact')
        >>> g.certify(x, target_radii=0.5, n=10_000, seed=1).n < 1_000
        True
        """
        chosen = certify_procedure(
            self.noise,
            shape=self.input_shape,
            n0=n0,
            n=n,
            alpha=alpha,
            bound=bound,
            radius=radius,
            target_radii=target_radii,
            precision=precision,
            num_classes=getattr(self.base, "num_classes", None),
            procedure=procedure,
            changed=changed,
        )
        return self.run(chosen, x, seed=seed, progress=progress)

    def run(
        self,
        procedure: Asking[Drawn],
        x: NDArray[Any] | Point,
        *,
        seed: int | None = None,
        progress: Progress | None = None,
    ) -> Drawn:
        """Certify or predict one input by a procedure made before; arguments as for certify.

        >>> fixed = rsonnx.procedures.Fixed(g.noise, n0=10, n=100, alpha=0.01)
        >>> g.run(fixed, x, seed=1).label
        7
        """
        point = self.point(x)
        seed = fresh_seed() if seed is None else check_seed(seed)
        (done,) = run_many(self, procedure, [(0, point)], seed=seed, progress=progress)
        return replace(done.result, arithmetic=point.arithmetic, seed=seed, digest=point.digest)

    def predict(
        self,
        x: NDArray[Any] | Point,
        *,
        n: int = 1_000,
        alpha: float = 0.001,
        method: PredictMethod = "two-class",
        sequential: bool = False,
        seed: int | None = None,
        progress: Progress | None = None,
    ) -> Prediction:
        """Answer for one input, or abstain: PREDICT of Cohen et al., arXiv 1902.02918.

        Args:
            x: one input, as for :meth:`point`.
            n: samples, >= 1.
            alpha: probability of an answer that is not the smoothed classifier's, in (0, 1).
            method: ``"two-class"`` tests the top two classes against each other, ``"majority"`` the
                top class against one half.
            sequential: stop as soon as the answer is sure; n is then a ceiling. Needs a base
                classifier that says how many classes it has.
            seed, progress: as for :meth:`certify`.

        Raises:
            UsageError, DataError, InferenceError: as for :meth:`certify`.

        >>> g.predict(x, n=100, seed=1).label
        7
        """
        procedure = predict_procedure(
            self.noise,
            n=n,
            alpha=alpha,
            method=method,
            sequential=sequential,
            num_classes=getattr(self.base, "num_classes", None),
        )
        point, seed = self.point(x), fresh_seed() if seed is None else seed
        prediction = self.run(procedure, point, seed=seed, progress=progress)
        return replace(prediction, **self.stream(point, "prediction", seed).drawn_by)

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
