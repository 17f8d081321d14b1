"""A model under one treatment of its batch axis: opened when it is first run, or read to a form."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from rsonnx.closed_form import Form
from rsonnx.errors import ModelError, RsonnxError
from rsonnx.model import INPUT, LABEL, SCORES, Batch, Batched, most_rows
from rsonnx.model.closed import Runner, check_form, form_of
from rsonnx.runtime import (
    DeviceOptions,
    OnnxClassifier,
    ProviderChoice,
    Session,
    choose_provider,
)
from rsonnx.smoothing.adapting import Adapted, Plan


class Candidate:
    """The model under one treatment of its batch axis, opened when it is first run.

    Attributes:
        seconds: that the first run took, 0 before.
        timed: hears them.
    """

    def __init__(
        self, plan: Plan, provider: ProviderChoice, device: DeviceOptions, batch: Batch
    ) -> None:
        self._plan, self._provider, self._device, self._batch = plan, provider, device, batch
        self.seconds = 0.0
        self.timed: Callable[[float], None] | None = None

    @cached_property
    def adapted(self) -> Adapted:
        """The model as it runs."""
        return self._plan.adapted(self._batch)

    @cached_property
    def session(self) -> Session:
        """The session that runs it."""
        name = str(self._plan.model)
        return Session(self.adapted.model, self._provider, name, self._device, self.adapted.weights)

    @property
    def tf32(self) -> bool:
        """Whether products may be rounded to 10 bits."""
        return self._device.tf32

    def runner(self, model: bytes) -> Runner:
        """Open another model as this one is."""
        session = Session(model, self._provider, str(self._plan.model), self._device)
        return lambda names, rows: session.run_all(names, INPUT, rows)

    def scores(self, rows: NDArray[np.float32]) -> NDArray[Any]:
        """Return its scores of some rows, (rows, classes); of a label output, the label alone."""
        is_label = self._plan.output.kind == "label"
        session, begun = self.session, time.perf_counter()
        answers = session.run(LABEL if is_label else SCORES, INPUT, rows)
        if not self.seconds:
            self.seconds = time.perf_counter() - begun
            if self.timed is not None:
                self.timed(self.seconds)
        # A label as it is: a float may not tell two of them apart.
        return answers[:, None] if is_label else answers

    def most_rows(self) -> int:
        """Return how many rows a call may have."""
        model, data = onnx.load_from_string(self.adapted.model), self._plan.data
        return most_rows(model, data.shape, str(self._plan.model))

    def batched(self) -> Batched:
        """Return what is asked whether rows may share a batch."""
        return Batched(self.scores, self.adapted.coupled_by)


def closed_form(plan: Plan) -> Form | None:
    """Return the form that a model is read to; None where it is none.

    Nothing of a model is run whose operators are those of no form; without an onnxruntime that
    runs, nothing is read to one.
    """
    batch = plan.free_batches[0] if plan.free_batches else Batch.AS_FILED
    try:
        candidate = Candidate(plan, choose_provider("cpu"), DeviceOptions(), batch)
        return form_of(candidate.adapted.whole, candidate.runner)
    except RsonnxError:
        return None


def read_form(candidate: Candidate, classifier: OnnxClassifier, rows: NDArray[np.float32]) -> Form:
    """Read an adapted model to a form, and hold that against its labels."""
    if candidate.tf32:
        raise ModelError(
            "TF32 rounds products to 10 bits, but exact certificates rest on float32; leave it out"
        )
    columns = enumerate(classifier.columns)
    fixed = [at for at, column in columns if column.fixed and (column.whole or column.texts)]
    form = form_of(candidate.adapted.whole, candidate.runner, fixed)
    check_form(form, classifier.classify, rows, fixed)
    return form
