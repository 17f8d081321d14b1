"""Headers of runs that say all that a header must, and rows of certificates, made by hand."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

from rsonnx.counts import Counts
from rsonnx.noise import Gaussian
from rsonnx.procedures import Adaptive, Certificate, Evidence, Fixed, Procedure, certify_from_counts
from rsonnx.runs import Header, Row, manifest_digest
from rsonnx.runs.header import generator
from rsonnx.runs.header_fields import HEADER
from rsonnx.runs.row_fields import MEANING
from rsonnx.runs.rows import InputFacts
from rsonnx.runs.sample import Sample

_OF_PROCEDURE = Fixed(Gaussian(0.5), 100, 1000, 0.001, num_classes=4)

RECORD: dict[str, Any] = {
    "kind": "header",
    "format": "rsonnx-run",
    "format_version": 1,
    "procedure": "certify",
    "status": "started; the last line of the file says how it ended",
    "claim": _OF_PROCEDURE.claim("exact", "proved"),
    "created": "2026-01-02T03:04:05+00:00",
    "model": {
        "file": "tiny.onnx",
        "sha256": "ab" * 32,
        "bytes": 300,
        "external_data": [],
        "producer": "",
        "ir_version": 8,
        "opset": {"ai.onnx": 17},
        "input": {"name": "x", "dtype": "float32", "shape": ["N", 1, 8, 8]},
        "output": {"name": "scores", "dtype": "float32", "shape": ["N", 4]},
        "input_shape": [1, 8, 8],
        "layout": "NCHW",
        "feeds": {},
        "unused_inputs": [],
        "edits": [],
        "class_names": [],
        "class_names_source": None,
        "class_names_notes": [],
        "trained": None,
        "label": "index of the largest score; ties go to the lowest index",
        "no_class": "a NaN score is an answer of no class",
        "insisted": None,
        "preprocess": {"identity": True, "source": "argument"},
        "bounds": {"low": 0.0, "high": 1.0, "source": "default"},
        "float16": None,
        "session": {},
        "noise_drawn": {"noise": "host"},
        "classes": 4,
        "rows": "proved",
        "batch": "any",
        "providers": {"requested": ["cpu"], "used": ["CPUExecutionProvider"]},
        "probes": {"rows": 8, "classes": 4, "ties": 0, "no_class": 0},
    },
    "data": {
        "path": "images",
        "kind": "image-folder",
        "size": 3,
        "inputs": 3,
        "sample": Sample().to_json(),
        "classes_in_sample": 1,
        "classes_in_data": 1,
        "labels": "class folders",
        "exif": "apply",
        "turned": 0,
        "left_out": {},
        "class_names": None,
    },
    "noise": {
        **_OF_PROCEDURE.noise.to_json(),
        "units": "input values between 0 and 1, before preprocessing",
        "arithmetic": "exact",
        "shared": False,
        "generator": "numpy Philox4x64-10, keyed by SHA-256 of seed, input values and stage",
        "stream": 2,
    },
    "seed": {"value": "7", "source": "argument"},
    **_OF_PROCEDURE.to_json(),
    "family_wise": None,
    "shard": None,
    "samples": None,
    "largest_radius": _OF_PROCEDURE.largest_radius,
    "arguments": {"given": ["certify"], "resolved": {}},
    "engine": {"workers": 1},
    "versions": {"rsonnx": "0", "numpy": "0"},
    "fields": MEANING,
}


HALF = {"sha256": "ab" * 32, "converter": "a", "weights_beyond_its_range": 0, "statement": "b"}
"""What a header says of a model that was converted to float16."""


def record(**changed: Any) -> dict[str, Any]:
    """A record with some of its fields changed; an object is merged into the one there."""
    made = copy.deepcopy(RECORD)
    for key, value in changed.items():
        merged = isinstance(value, dict) and isinstance(made.get(key), dict)
        made[key] = made[key] | value if merged else value
    return made


def first_version(**changed: Any) -> dict[str, Any]:
    """A record as the last runs of the first version had it."""
    made, there = record(**changed), ("model.trained", "noise.parameters")
    for field in HEADER:
        if field.since == 2 and field.path not in there:
            room, _, name = field.path.partition(".")
            del made[room][name]
    return made


def record_of(procedure: Procedure, **changed: Any) -> dict[str, Any]:
    """The record of a run by a procedure."""
    law = procedure.noise
    noise = law.to_json() | {"units": law.units(0.0, 1.0)}
    noise["generator"] = generator(procedure, RECORD["noise"]["stream"], shared=False)
    own = {"claim": procedure.claim("exact", "proved"), "largest_radius": procedure.largest_radius}
    return record(**procedure.to_json() | own | {"noise": noise} | changed)


def header(**changed: Any) -> Header:
    """A header that was read."""
    return Header.from_json(record(**changed))


def row_of(certificate: Certificate, index: int = 0, **facts: Any) -> Row:
    """A row of a certificate; all that is not said of its input is made up."""
    known = {
        "index": index,
        "name": f"3/{index:05}.png",
        "digest": f"{index:064x}",
        "label": 3,
        "base_prediction": 3,
        "arithmetic": "exact",
        "seconds": 0.125,
    }
    assert set(known) == {field.name for field in fields(InputFacts)}
    return Row.of(certificate, InputFacts(**known | facts))


def certified_row(index: int = 0, hits: int = 990, **facts: Any) -> Row:
    """A row that was really certified: ``hits`` of 1,000 samples for class 3, the rest class 1."""
    selection, estimation = Counts([0, 1, 0, 99]), Counts([0, 1000 - hits, 0, hits])
    found = certify_from_counts(selection, estimation, sigma=0.5, num_classes=4)
    return row_of(found, index, **facts)


RECORD["data"]["manifest"] = manifest_digest([certified_row(index) for index in range(3)])


def derived(procedure: Procedure, selection: Counts, estimation: Counts, hits: int) -> Certificate:
    """A certificate by any sampled procedure; an adaptive one claims all samples."""
    adaptive = isinstance(procedure, Adaptive)
    claim = (hits, estimation.total) if adaptive else None
    uniform = 0.3 if procedure.needs_uniform else None
    return procedure.derive(Evidence(selection, estimation, uniform, claim))
