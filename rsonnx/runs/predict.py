"""Predict on a data set: the smoothed classifier's answer to each input, or an abstention."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from rsonnx.arguments import check_choice
from rsonnx.errors import UsageError
from rsonnx.listener import Extent, Listener
from rsonnx.noise import check_seed, fresh_seed
from rsonnx.procedures import GENERATORS, Prediction, check_method, predict_procedure
from rsonnx.runs.new_header import SeedUsed
from rsonnx.runs.opening import Data, Model, listening, open_job
from rsonnx.runs.telling import tell_clean_accuracy, tell_job
from rsonnx.runs.unreadable import all_named
from rsonnx.smoothing import run_many
from rsonnx.statistics import check_alpha, check_samples, fewest_samples_to_predict


@dataclass(frozen=True)
class Predicted:
    """The prediction of one input of a data set.

    Attributes:
        index, name: which input.
        label, label_name: its true class and what that is called; None where it is not known.
        prediction: the smoothed classifier's answer.
        prediction_name: what the class is called; None for an abstention, and where it has no name.
        rows: why the model's answers do not depend on the batch, see :func:`rsonnx.load`.
    """

    index: int
    name: str
    label: int | None
    label_name: str | None
    prediction: Prediction
    prediction_name: str | None
    rows: str

    def to_json(self) -> dict[str, Any]:
        """Return it for a program."""
        prediction = self.prediction
        return {
            "index": self.index,
            "name": self.name,
            "digest": prediction.digest,
            "label": self.label,
            "label_name": self.label_name,
            "prediction": prediction.label,
            "prediction_name": self.prediction_name,
            "top_class": prediction.top_class,
            "p_value": prediction.p_value,
            "abstained": prediction.abstained,
            "method": prediction.method,
            "sequential": prediction.sequential,
            "samples": prediction.n,
            "counts": prediction.counts.to_json(),
            "sigma": prediction.sigma,
            "alpha": prediction.alpha,
            "arithmetic": prediction.arithmetic,
            "seed": None if prediction.seed is None else str(prediction.seed),
            "generator": GENERATORS[prediction.key is not None],
            "key": prediction.key,
            "rows": self.rows,
        }


def predict(
    model: Model,
    data: Data,
    *,
    n: int = 1_000,
    alpha: float = 0.001,
    method: str = "two-class",
    sequential: bool = False,
    seed: int | None = None,
    generator: str = GENERATORS[0],
    key: str | None = None,
    listener: Listener | None = None,
    **opening: Any,
) -> list[Predicted]:
    """Answer for the inputs of a data set: PREDICT, arXiv 1902.02918.

    Args:
        model, data: as for :func:`rsonnx.certify`.
        n: samples an input, >= 1.
        alpha: probability of an answer that is not the smoothed classifier's, in (0, 1).
        method: ``"two-class"`` or ``"majority"``.
        sequential: stop as soon as the answer is sure; n is then a ceiling.
        seed: of the noise, >= 0; None draws 128 bits from the operating system.
        generator: ``"numpy"``, or ``"exported"``: the noise that a file of
            :func:`rsonnx.compose.smooth` draws, word for word.
        key: of that file, 32 hexadecimal digits, in place of the seed, for all inputs; None derives
            one for each from the seed.
        listener: hears what is done, and of each :class:`rsonnx.runs.predict.Predicted` as it is
            there.
        opening: further arguments of :func:`rsonnx.runs.opening.open_job`: ``sigma``, ``noise``,
            ``sample`` ...

    Raises:
        RsonnxError: an argument, the model or an input is not as it must be.
    """
    check_samples("n", n)
    check_alpha(alpha)
    check_method(method)
    check_choice("generator", generator, GENERATORS)
    if key is not None and (generator != "exported" or seed is not None):
        raise UsageError(
            "a key was given, but it is of the exported generator and in place of a seed; give "
            "generator exported and no seed"
        )
    least = fewest_samples_to_predict(alpha, two_sided=method == "two-class")
    if n < least:
        raise UsageError(
            f"n = {n} at alpha = {alpha:g} can never answer by the {method} test; the smallest n "
            f"that can is {least}"
        )
    listener = listening(listener)
    used = SeedUsed(fresh_seed(), "operating system")
    if seed is not None:
        used = SeedUsed(check_seed(seed), "argument")
    answered = []
    with ExitStack() as stack:
        job = open_job(model, data, stack, listener=listener, **opening)
        if generator == "exported":
            job = replace(job, smoothed=job.smoothed.exported(key))
        procedure = predict_procedure(
            job.smoothed.noise,
            n=n,
            alpha=alpha,
            method=method,
            sequential=sequential,
            num_classes=job.model.num_classes,
        )
        tell_job(job, used if key is None else None, listener.said)
        if generator == "exported":
            of = "derived for each input from the seed"
            if key is not None:
                of = f"{key} for all inputs, whose answers then depend on each other"
            listener.said("generator", f"that of exported files, key: {of}")
        tell_clean_accuracy(job, listener.said)
        listener.begun(Extent(len(job.indices), n, adaptive=sequential, outcome="answered"))
        points = ((index, job.point(index)) for index in job.indices)
        stack.enter_context(all_named(job.dataset, job.indices))
        for done in run_many(
            job.smoothed, procedure, points, seed=used.value, progress=listener.drawn
        ):
            prediction = replace(
                done.result,
                arithmetic=done.point.arithmetic,
                digest=done.point.digest,
                **job.smoothed.stream(done.point, "prediction", used.value).drawn_by,
            )
            predicted = Predicted(
                done.index,
                job.dataset.name(done.index),
                job.label(done.index),
                job.label_name(done.index),
                prediction,
                job.class_name(prediction.label),
                job.model.rows,
            )
            answered.append(predicted)
            listener.finished(predicted, certified=not prediction.abstained)
    return answered
