"""Open the model and the data of a run file again, with the options that its header records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsonnx.cli.opening import loading_arguments, open_dataset_with, provider_names
from rsonnx.errors import RunFileError, UsageError
from rsonnx.model import read_model
from rsonnx.runs import Job, Run, check_data, check_model, make_manifest, prepare_job
from rsonnx.runs.fields import flag_field, noise_field, shown, stream_field
from rsonnx.runs.header import recorded_exif
from rsonnx.runs.replay import check_header
from rsonnx.runs.sample import sample_field
from rsonnx.runtime import DeviceOptions, choose_provider
from rsonnx.smoothing import load, try_in_child


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
        preprocess = dict(recorded["preprocess"])
        preprocess.pop("source", None)
        low, high = recorded["bounds"]
        # Older files have no such option: what is not proved is run alone, and the votes show
        # whether it is the same.
        again = (
            {"rows": "alone"}
            | recorded
            | {
                "bounds": (float(low), float(high)),
                "preprocess": preprocess,
                "feed": list(recorded["feed"]),
            }
        )
        used = given["providers"] or run.header["model"]["providers"]["used"][0]
        sample, stream_version = sample_field(run.header), stream_field(run.header)
        arguments = loading_arguments(again)
        for name, kind in (
            ("threshold", int | float),
            ("output_name", str),
            ("float16", bool),
            ("rows", str),
        ):
            if not isinstance(arguments[name], kind | None):
                raise TypeError(f"{name} is {shown(arguments[name])}")
        noise = noise_field(run.header)
        shared = flag_field(run.header["noise"], "shared")
        device = DeviceOptions(tf32=flag_field(again, "tf32"))
        classes = again["classes"]
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
    try_in_child(model, arguments)
    job = prepare_job(
        load(model, **arguments, providers=providers, device=device),
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
