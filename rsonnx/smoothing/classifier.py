"""The smoothed classifier: certify and predict."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise import ExportedStream, Point, check_key, check_seed, fresh_seed
from rsonnx.procedures import (
    Asking,
    Certificate,
    Prediction,
    PredictMethod,
    certify_procedure,
    predict_procedure,
)
from rsonnx.runtime import Progress
from rsonnx.smoothing.noisy import NoisyClassifier
from rsonnx.smoothing.schedule import run_many

Drawn = TypeVar("Drawn", Certificate, Prediction)


class SmoothedClassifier(NoisyClassifier):
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

        Raises:
            UsageError: the procedure is for another noise than this classifier has.
            DataError, InferenceError: as for :meth:`certify`.

        >>> fixed = rsonnx.procedures.Fixed(g.noise, n0=10, n=100, alpha=0.01)
        >>> g.run(fixed, x, seed=1).label
        7
        """
        if procedure.noise != self.noise:  # whose radius would follow from these samples
            raise UsageError(
                f"the procedure is for {procedure.noise.label}, but the classifier is smoothed by "
                f"{self.noise.label}; make it with the classifier's noise"
            )
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
