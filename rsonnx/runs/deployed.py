"""A deployed file is the smoothed classifier that a run certified: it is composed again.

What a file says of its own parts proves nothing. So the run's model, with the settings and the
noise that the run's header has, is composed once more, and the bytes are compared.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from rsonnx.compose import serialized
from rsonnx.compose.smooth import smoothing
from rsonnx.errors import ModelError, RunFileError, UsageError
from rsonnx.model import ModelSettings, read_model
from rsonnx.model.read import sha256_of
from rsonnx.runs.files import Run, as_path
from rsonnx.runs.reopening import check_model
from rsonnx.smoothing import in_child
from rsonnx.smoothing.composition import composition_in


@dataclass(frozen=True)
class Deployed:
    """A file of :func:`rsonnx.compose.smooth` that is the smoothed classifier of a run.

    Attributes:
        file: its name, without folder.
        sha256: of the file.
        n: samples a query.
        alpha: probability of an answer that is not the smoothed classifier's.
    """

    file: str
    sha256: str
    n: int
    alpha: float


def check_deployed(
    run: Run, deployed: str | os.PathLike[str], model: str | os.PathLike[str]
) -> Deployed:
    """Compose the smoothed classifier of a run again, and compare the bytes of a file.

    How many samples a query draws, and at which alpha it answers, are the file's own: certificates
    are of the smoothed classifier, which both leave as it is.

    Args:
        run: the run.
        deployed: the file.
        model: the base classifier, whose digest must be the run's.

    Raises:
        UsageError: there is no such file.
        RunFileError: the model is not the run's, or the run is of other noise than files draw.
        ModelError: the file is no smoothed classifier, or another than the run's.
    """
    deployed, model = as_path("the deployed file", deployed), as_path("the model", model)
    check_model(run, model)
    in_child(sha256_of, deployed)  # a stranger's file is read in a child process first
    file, header = read_model(deployed), run.header
    stated = composition_in(file.metadata)
    if stated is None or stated.how != "smooth" or len(stated.parts) != 1:
        raise ModelError(f"{file} is no file of `rsonnx compose smooth`; make it by that")
    law, recorded = header.noise, header.resolved
    if law.name != "gaussian" or header.arithmetic != "exact" or recorded.get("tf32"):
        raise RunFileError(
            f"{run.path} is of {header.arithmetic} {law.name} noise"
            f"{' and TF32 products' if recorded.get('tf32') else ''}, but a deployed file draws "
            "exact gaussian noise in full products; certify with those"
        )
    base = replace(read_model(model), path=Path(stated.parts[0].file))  # as the file calls it
    try:
        settings = ModelSettings.from_json(recorded)
        n, alpha = stated.options["n"], stated.options["alpha"]
        again = smoothing([base], [settings], sigma=law.deviation or 0.0, n=n, alpha=alpha)
    except UsageError as error:
        raise ModelError(f"{file} cannot be composed again by {run.path}: {error}") from None
    except (KeyError, TypeError, ValueError):
        raise ModelError(
            f"{file} states options that rsonnx compose smooth does not write; compose it again"
        ) from None
    sha256 = hashlib.sha256(serialized(again)).hexdigest()
    if sha256 != file.sha256:
        raise ModelError(
            f"{file} is not the smoothed classifier of {run.path} ({law.settings}), whose SHA-256 "
            f"is {sha256[:12]}...; compose it from the run's model with its options"
        )
    return Deployed(file.name, sha256, n, alpha)
