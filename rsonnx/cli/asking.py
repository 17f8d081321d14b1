"""All that a run still has to be told, asked for at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rsonnx.cli.settings import data_settings, model_settings
from rsonnx.data import open_dataset
from rsonnx.errors import RsonnxError, UsageError, all_at_once, error_named
from rsonnx.model import ModelSettings, read_model
from rsonnx.noise import Law
from rsonnx.noise.asked import USUAL_SIGMAS
from rsonnx.runs.opening import settled
from rsonnx.smoothing import Trained, in_child, make_plan, training_in


def missing_scale(
    law: type[Law], given: Mapping[str, Any], model: Path | None, data: Path | None
) -> RsonnxError:
    """Return the refusal of a noise without its scale, with all else that is left open.

    Args:
        law: the noise.
        given: the options, as far as the command has them.
        model, data: what would be opened; None where there is none.
    """
    refusals: list[RsonnxError] = []
    trained = None
    if model is not None and data is not None:
        settings = model_settings(given)
        try:  # a table decides some of what a model leaves open
            settings = settled(settings, open_dataset(data, data_settings(given)))
        except RsonnxError as error:
            refusals.append(error)
            settings = replace(settings, bounds=None)
        try:
            refusal, said = in_child(still_open, model, settings=settings.to_json())
            trained = None if said is None else Trained(**said)
            refusals += [] if refusal is None else [error_named(*refusal)]
        except RsonnxError as error:
            refusals.append(error)
    scales = " or ".join(f"--{scale}" for scale in law.scales())
    usual = f"{USUAL_SIGMAS}; " if law.takes_sigma() else ""
    told = "" if trained is None else f": {trained.words}"
    needed = UsageError(
        f"{law.name} noise needs {scales}: {usual}more means larger radii and lower accuracy; take "
        f"what the model was trained with{told}"
    )
    return all_at_once([*refusals, needed])


def still_open(
    path: str, settings: dict[str, Any]
) -> tuple[tuple[str, str] | None, dict[str, Any] | None]:
    """Return why a model is refused as it is declared, and the noise that it was trained with.

    That is the name of an error's class and its sentences, and a record; None for neither.

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
