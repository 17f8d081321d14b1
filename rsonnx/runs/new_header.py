"""The header of a new run: what a job and a procedure say of themselves, with all versions."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rsonnx._version import __version__
from rsonnx.procedures import Procedure
from rsonnx.runs.commitment import CommittedSeed
from rsonnx.runs.files import line_of
from rsonnx.runs.header import NO_CLAIM, Header, generator
from rsonnx.runs.header_fields import FORMAT, STATUS
from rsonnx.runs.job import Job
from rsonnx.runs.parts import SampleRange, Shard
from rsonnx.runs.row_fields import MEANING
from rsonnx.runs.strict_json import portable
from rsonnx.runtime import installed_wheels

_PACKAGES = ("numpy", "scipy", "onnx", "mpmath", "pillow", "click")


@dataclass(frozen=True)
class SeedUsed:
    """The seed of a run.

    Attributes:
        value: of the seed, >= 0.
        source: where it came from: ``"argument"``, ``"operating system"``, ``"run file"`` or
            ``"beacon"``.
        committed: what it follows from, where it is a beacon's; else None.
    """

    value: int
    source: str
    committed: CommittedSeed | None = None

    @classmethod
    def from_beacon(cls, committed: CommittedSeed) -> SeedUsed:
        """Return the seed that follows from a commitment and a beacon."""
        return cls(committed.seed, "beacon", committed)

    def to_json(self) -> dict[str, Any]:
        """Return what a header says of it."""
        if self.committed is not None:
            return self.committed.to_json()
        return {"value": str(self.value), "source": self.source}


def new_header(
    job: Job,
    procedure: Procedure,
    *,
    seed: SeedUsed,
    manifest: str,
    name: str | None = None,
    given: Sequence[str] = (),
    resolved: Mapping[str, Any] | None = None,
    family_wise: float | None = None,
    shard: Shard | None = None,
    samples: SampleRange | None = None,
) -> Header:
    """Return the header of a run that is about to start.

    Args:
        job: what the run works on.
        procedure: how it certifies one input.
        seed: the run's seed.
        manifest: SHA-256 over all inputs.
        name: what somebody calls the run, if anything.
        given: the words of the command, where there is one.
        resolved: every option as it was resolved.
        family_wise: the probability of any false certificate among all inputs, where ``alpha`` of
            the procedure is its share for one input; else None.
        shard, samples: which part of the run it is; None for all of it.

    Raises:
        UsageError: the seed is of a commitment to another run.
    """
    smoothed, dataset = job.smoothed, job.dataset
    unreadable = {dataset.name(index): index for index in job.unreadable}
    record = {
        "kind": "header",
        "format": "rsonnx-run",
        "format_version": FORMAT,
        "procedure": "certify",
        "status": STATUS,
        "claim": NO_CLAIM
        if samples is not None
        else procedure.claim(smoothed.arithmetic, job.model.rows),
        **({} if name is None else {"name": name}),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": portable(job.model.facts),
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
            **({"converted": dict(sorted(job.converted.items()))} if job.converted else {}),
            **({"unreadable": unreadable} if unreadable else {}),
            "left_out": dataset.reading.endings,
            "class_names": list(job.labels.own_names) or None,
            **_columns(job),
        },
        "noise": {
            **smoothed.noise.to_json(),
            "units": smoothed.noise.units(*smoothed.bounds),
            "arithmetic": smoothed.arithmetic,
            "shared": smoothed.share_noise,
            "generator": generator(procedure, smoothed.stream_version, shared=smoothed.share_noise),
            "stream": smoothed.stream_version,
        },
        "seed": seed.to_json(),
        **procedure.to_json(),
        "family_wise": family_wise,
        "shard": None if shard is None else shard.to_json(),
        "samples": None if samples is None else samples.to_json(),
        "largest_radius": procedure.largest_radius,
        "arguments": {"given": list(given), "resolved": portable(dict(resolved or {}))},
        "engine": smoothed.engine_facts,
        "versions": versions(),
        "fields": MEANING,
    }
    read = json.loads(line_of(record))
    if seed.committed is not None:
        seed.committed.commitment.check(read)
    return Header.from_json(read)


def _columns(job: Job) -> dict[str, Any]:
    """Return what the columns of a table are; nothing for all other data."""
    columns = [{"name": c.name, "fixed": c.fixed, "texts": list(c.texts)} for c in job.columns]
    return {"columns": columns} if columns else {}


_version = cache(version)
"""Once a process, since it reads a file: a package that is loaded stays what it is."""


def versions() -> dict[str, str]:
    """Return the versions of everything that a result may depend on."""
    known = {"rsonnx": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            known[name] = _version(name)
        except PackageNotFoundError:  # a package that was vendored or frozen into a program
            known[name] = "unknown"
    return (
        known
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
