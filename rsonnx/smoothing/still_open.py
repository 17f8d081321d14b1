"""What a model must still be told, so that a refusal can ask for all that is missing at once."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from rsonnx.errors import RsonnxError, error_named
from rsonnx.model import AUTO, ModelSettings, read_model
from rsonnx.smoothing.adapting import make_plan
from rsonnx.smoothing.isolation import in_child
from rsonnx.smoothing.training import Trained, training_in


def still_open(
    path: str | os.PathLike[str], settings: ModelSettings
) -> tuple[list[RsonnxError], Trained | None]:
    """Return why a model would be refused as it is declared, without running it.

    Args:
        path: the model file, which a child process reads.
        settings: what is declared; bounds that data have still to say are left open.

    Returns:
        The refusal, if there is one, and the noise that the model was trained with, if it says so.
    """
    if settings.bounds == AUTO:
        settings = replace(settings, bounds=None)
    try:
        refusal, trained = in_child(look, path, settings=settings.to_json())
    except RsonnxError as error:
        return [error], None
    refusals = [] if refusal is None else [error_named(*refusal)]
    return refusals, None if trained is None else Trained(**trained)


def look(
    path: str, settings: dict[str, Any]
) -> tuple[tuple[str, str] | None, dict[str, Any] | None]:
    """Return both as JSON has them: the name of an error's class and its sentences, and a record.

    Raises:
        RsonnxError: it is no model.
    """
    model = read_model(path)
    trained = training_in(model.metadata)
    said = None if trained is None else trained.to_json()
    try:
        make_plan(model, ModelSettings.from_json(settings))
    except RsonnxError as error:
        return (type(error).__name__, str(error)), said
    return None, said
