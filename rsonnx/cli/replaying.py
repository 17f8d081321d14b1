"""Open the model and the data of a run file again, with the options that its header records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsonnx.cli.engines import provider_names
from rsonnx.cli.opening import open_dataset_with
from rsonnx.errors import RunFileError, UsageError
from rsonnx.model import ModelSettings, read_model
from rsonnx.runs import Job, Run, check_data, check_model, make_manifest, prepare_job
from rsonnx.runs.fields import flag_field, noise_field, shown, stream_field
from rsonnx.runs.header import recorded_exif
from rsonnx.runs.replay import check_header
from rsonnx.runs.sample import sample_field
from rsonnx.runtime import DeviceOptions, choose_provider
from rsonnx.smoothing import load_with, try_in_child


def open_replay(run: Run, given: dict[str, Any]) -> Job | None:
    """Check the model and the data that were given against a run, and open them if both were.

    Args:
        run: the run.
        given: the options ``model``, ``data``, ``classes``, ``providers``.

    Raises:
        RunFileError: they are not the run's, or its header does not say how they were read.
    """
    model: Path | None = given["model"]
    if model is None:
        return None
    check_model(run, read_model(model).sha256)
    if given["data"] is None:
        return None
    try:
        recorded = run.header["arguments"]["resolved"]
        settings = ModelSettings.from_json(recorded)
        used = given["providers"] or run.header["model"]["providers"]["used"][0]
        sample, stream_version = sample_field(run.header), stream_field(run.header)
        noise = noise_field(run.header)
        shared = flag_field(run.header["noise"], "shared")
        device = DeviceOptions(tf32=flag_field(recorded, "tf32"))
        classes = recorded["classes"]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, UsageError) as error:
        raise RunFileError(
            f"{run.path}, line 1: the header does not say how its inputs were read ({error})"
        ) from None
    if classes is not None and given["classes"] is None:
        # A file that the header names is not opened: a stranger may have written it.
        raise UsageError(
            f"{run.path}: the run was made with the class names of a file, {shown(classes)}; give "
            "that file with --classes"
        )
    providers = provider_names(str(used))
    choose_provider(providers)
    try_in_child(model, settings)
    job = prepare_job(
        load_with(model, settings, providers, device),
        noise,
        open_dataset_with(given["data"], given["classes"], recorded_exif(run.header)),
        sample=sample,
        share_noise=shared,
        stream_version=stream_version,
    )
    manifest = make_manifest(job)
    check_data(run, manifest)
    check_header(run, job, manifest)
    return job
