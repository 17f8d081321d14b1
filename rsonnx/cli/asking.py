"""All that a run still has to be told, asked for at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsonnx.cli.settings import data_settings, model_settings
from rsonnx.data import is_table, open_dataset
from rsonnx.errors import RsonnxError, UsageError, all_at_once
from rsonnx.noise import Law, norm_named
from rsonnx.noise.asked import USUAL_SIGMAS
from rsonnx.runs.opening import settled
from rsonnx.smoothing import still_open


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
        settings, reading = model_settings(given), data_settings(given)
        try:
            settings = settled(settings, open_dataset(data, reading))
        except RsonnxError as error:
            refusals.append(error)
        refused, trained = still_open(model, settings)
        if not (refusals and is_table(data, reading)):  # whose columns decide what a model needs
            refusals += refused
    scales = " or ".join(f"--{scale}" for scale in law.scales())
    unit, usual = norm_named(law.norms[0]).unit, ""
    if law.takes_sigma():
        usual = f"{USUAL_SIGMAS}; " if unit is None else f"its standard deviation, in {unit}; "
    told = "" if trained is None else f": {trained.words}"
    needed = UsageError(
        f"{law.name} noise needs {scales}: {usual}more means larger radii and lower accuracy; take "
        f"what the model was trained with{told}"
    )
    return all_at_once([*refusals, needed])
