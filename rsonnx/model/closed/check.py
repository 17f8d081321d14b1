"""Hold a closed form against the model that it was read from: the labels of chosen inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from rsonnx.closed_form import UNDECIDED, Form
from rsonnx.errors import ModelError

_ROWS = 4096


def check_form(
    form: Form,
    classify: Callable[[NDArray[np.float32]], NDArray[np.int64]],
    rows: NDArray[np.float32],
    fixed: Collection[int] = (),
) -> None:
    """Refuse a form whose label of an input is not the model's.

    The inputs are the given ones, these with values at cuts and one float32 number beside them, or
    brought near to where a linear score decides. An input that the form leaves undecided is passed
    over. What is not found here cannot be excluded: probes refute, and never prove.

    Args:
        form: as it was read.
        classify: gives the model's label of each input of a batch.
        rows: inputs of the model, (rows, \\*shape).
        fixed: places of the flat input that stay as they are.

    Raises:
        ModelError: a label differs.
    """
    flat = rows.reshape(len(rows), -1)
    generator = np.random.default_rng(20220588)  # any fixed seed: these are no samples of a run
    chosen = flat[generator.integers(len(flat), size=_ROWS)]
    moved = form.near(chosen, generator)
    kept = list(fixed)
    moved[:, kept] = chosen[:, kept]
    probes = np.concatenate([flat, moved])
    labels = form.labels(probes)
    answers = classify(probes.reshape(-1, *rows.shape[1:]))
    wrong = (labels != UNDECIDED) & (labels != answers)
    if wrong.any():
        first = int(wrong.argmax())
        raise ModelError(
            f"the model answers {answers[first]} where its closed form gives {labels[first]}, on "
            f"{wrong.sum()} of {len(probes)} probes; leave out --procedure exact to sample instead"
        )
