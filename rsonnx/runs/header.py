"""The first line of a run file: what was certified, with what, how, and by whom."""

from __future__ import annotations

import math
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rsonnx._version import __version__
from rsonnx.data import Exif
from rsonnx.errors import RunFileError
from rsonnx.noise import EnumeratedNoise, SmoothingDistribution
from rsonnx.runs.fields import shown, text_field
from rsonnx.runs.job import Job
from rsonnx.runs.parts import SampleRange, Shard
from rsonnx.runs.rows import MEANING
from rsonnx.runtime import installed_wheels
from rsonnx.smoothing import CertifyProcedure, SmoothedClassifier

FORMAT = 1
"""Version of the run file's format; a reader refuses one that it does not know."""

_NO_CLAIM = "none yet: the rows hold counts of a range of samples; `rsonnx merge` adds the ranges"

_PACKAGES = ("numpy", "scipy", "onnx", "mpmath", "pillow", "click")


@dataclass(frozen=True)
class SeedUsed:
    """The seed of a run and where it came from: ``"argument"`` or ``"operating system"``."""

    value: int
    source: str


@dataclass(frozen=True)
class Arguments:
    """What the caller asked for: the words as given, and every option as it was resolved."""

    given: Sequence[str]
    resolved: dict[str, Any]


def certify_header(
    job: Job,
    procedure: CertifyProcedure,
    *,
    seed: SeedUsed,
    arguments: Arguments,
    family_wise: float | None = None,
    manifest: str | None = None,
    shard: Shard | None = None,
    samples: SampleRange | None = None,
) -> dict[str, Any]:
    """Return the header of a run of CERTIFY, ready to be written.

    Args:
        job: what the run works on.
        procedure: how it certifies one input.
        seed: the run's seed.
        arguments: what the caller asked for.
        family_wise: the probability of any false certificate among all inputs, where ``alpha`` of
            the procedure is its share for one input; else None.
    """
    smoothed, dataset = job.smoothed, job.dataset
    low, high = smoothed.bounds
    header = {
        "kind": "header",
        "format": "rsonnx-run",
        "format_version": FORMAT,
        "procedure": "certify",
        "status": "started; the last line of the file says how it ended",
        "claim": _NO_CLAIM
        if samples is not None
        else claim_of(smoothed.noise, smoothed.arithmetic, job.model.facts.get("rows")),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": job.model.facts,
        "data": {
            "path": str(dataset.path),
            "kind": dataset.kind,
            "size": len(dataset),
            "inputs": len(job.indices),
            "sample": job.sample.to_json(),
            "classes_in_sample": None if job.classes is None else job.classes[0],
            "classes_in_data": None if job.classes is None else job.classes[1],
            "manifest": manifest,
            "labels": job.labels.rule,
            "exif": dataset.reading.exif,
            "turned": job.turned,
            "left_out": dataset.reading.endings,
            "class_names": list(job.labels.own_names) or None,
        },
        "noise": {
            "distribution": smoothed.noise.name,
            "sigma": smoothed.sigma,
            "norm": smoothed.noise.norm,
            "parameters": smoothed.noise.parameters,
            "units": smoothed.noise.units(low, high),
            "arithmetic": smoothed.arithmetic,
            "shared": smoothed.share_noise,
            "generator": _generator(smoothed),
            "stream": smoothed.stream_version,
        },
        "seed": {"value": str(seed.value), "source": seed.source},
        "n0": procedure.n0,
        **procedure.rule.to_json(),
        "family_wise": family_wise,
        "shard": None if shard is None else shard.to_json(),
        "samples": None if samples is None else samples.to_json(),
        "largest_radius": procedure.rule.largest_radius,
        "arguments": {"given": list(arguments.given), "resolved": arguments.resolved},
        "engine": smoothed.engine_facts,
        "versions": versions(),
        "fields": MEANING,
    }
    found: dict[str, Any] = _finite(header)
    return found


def _generator(smoothed: SmoothedClassifier) -> str:
    if isinstance(smoothed.noise, EnumeratedNoise):
        return "none: every change that the noise can make is counted"
    own = "input digest" if smoothed.stream_version == 1 else "input values"
    keyed = "stage" if smoothed.share_noise else f"{own} and stage"
    return f"numpy Philox4x64-10, keyed by SHA-256 of seed, {keyed}"


def claim_of(noise: SmoothingDistribution, arithmetic: str | None, rows: str | None) -> str:
    """Return what a run says of its inputs, and on which assumption about the model's rows.

    Exact noise is that of the law, followed by a rounding to the grid, which belongs to the base
    classifier; so the claim is of that.
    """
    sure = (
        "for each input, every change of it that the noise can make having been counted,"
        if isinstance(noise, EnumeratedNoise)
        else "with probability at least 1 - alpha over the noise, separately for each input,"
    )
    which = "the smoothed classifier"
    if noise.additive and arithmetic == "exact":
        which += ", which rounds noisy inputs to the grid of 256 levels,"
    claim = f"{sure} {which} answers the row's prediction {noise.within}"
    if rows != "watched":
        return claim
    return f"{claim}, assuming that no input's answer depends on the others of its batch"


def recorded_rows(header: Mapping[str, Any]) -> str | None:
    """Return why a row's answer does not depend on its batch; None where a header does not say.

    Raises:
        TypeError: it says something that is no text.
    """
    model = header.get("model")
    recorded = model.get("rows") if isinstance(model, dict) else None
    return None if recorded is None else text_field({"rows": recorded}, "rows")


def recorded_exif(header: Mapping[str, Any]) -> Exif:
    """Return how the orientation of a run's pictures was read.

    A header without it is of a time when all were read as they are stored.
    """
    data = header.get("data")
    recorded = data.get("exif") if isinstance(data, dict) else None
    return "apply" if recorded == "apply" else "ignore"


def recorded_seed(header: Mapping[str, Any]) -> int:
    """Return the seed that a header records.

    Raises:
        RunFileError: it records none.
    """
    try:
        text = text_field(header["seed"], "value")
        if not (text.isascii() and text.isdecimal()):
            raise TypeError(f"value is {shown(text)}, not a whole number as text")
        return int(text)
    except KeyError as error:
        raise RunFileError(f"the header lacks the field {error}") from None
    except (TypeError, ValueError) as error:
        raise RunFileError(f"the header's seed is wrong: {error}") from None


def resume_command(given: Sequence[str], program: Sequence[str] = ("rsonnx",)) -> str:
    """Return the command that goes on with a run.

    Args:
        given: the words of the command that started it, from ``certify`` on.
        program: the words before them.
    """
    words = [word for word in given if word != "--resume"]
    return shlex.join([*program, *words[:1], "--resume", *words[1:]])


def _finite(value: Any) -> Any:
    """Write infinite bounds, for which JSON has no number, as the texts ``inf`` and ``-inf``."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def versions() -> dict[str, str]:
    """Return the versions of everything that a result may depend on."""
    found = {"rsonnx": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a package that was vendored or frozen into a program
            found[name] = "unknown"
    return (
        found
        | installed_wheels()
        | {
            "platform": platform.platform(),
            "processor": _processor(),
        }
    )


def _processor() -> str:
    """Return what the processor calls itself; another one may round sums otherwise."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = [line for line in file if line.startswith("model name")]
    except OSError:
        names = []
    name = names[0].partition(":")[2].strip() if names else platform.processor()
    return f"{platform.machine()} {name}".strip()
