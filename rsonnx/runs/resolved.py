"""The options of a run as they were resolved, under the names of the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from rsonnx.model import ModelSettings
from rsonnx.runs.job import Job
from rsonnx.runs.opening import Data


def resolved_options(job: Job, data: Data, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return every option as it was resolved; a replay reads the inputs and the model by them.

    Args:
        job: that they led to.
        data: as it was given.
        given: the options of a command line; None takes those that the arguments of a call of the
            library would have been.
    """
    facts, sample = job.model.facts, job.sample
    options = _of_call(job) if given is None else given
    resolved = {
        **options,
        **job.reading.to_json(),
        "model": options.get("model", facts["file"]),
        "data": str(data if isinstance(data, str | os.PathLike) else job.dataset.path),
        "limit": sample.limit,
        "skip_every": sample.skip_every,
        "first": sample.first,
        "sample": sample.seed,
        "bounds": list(job.model.bounds),
        "preprocess": facts["preprocess"],
        "providers": facts["providers"]["used"],
        "batch_size": job.smoothed.batch_size,
    }
    return dict(sorted(resolved.items()))


def _of_call(job: Job) -> dict[str, Any]:
    origin = job.model.elsewhere
    settings: ModelSettings = origin.settings
    recorded = settings.to_json() | {"tf32": origin.device.tf32}
    return {name: value for name, value in recorded.items() if name != "columns"}
