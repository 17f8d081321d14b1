"""Headers of runs that say all that a header must, and rows of certificates, made by hand."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

from rsonnx.counts import Counts
from rsonnx.noise import Gaussian
from rsonnx.procedures import Adaptive, Certificate, Evidence, Fixed, Procedure, certify_from_counts
from rsonnx.runs import Header, Row, manifest_digest
from rsonnx.runs.rows import InputFacts

_OF_PROCEDURE = Fixed(Gaussian(0.5), 100, 1000, 0.001, num_classes=4)

RECORD: dict[str, Any] = {
    "kind": "header",
    "format": "rsonnx-run",
    "format_version": 1,
    "procedure": "certify",
    "created": "2026-01-02T03:04:05+00:00",
    "claim": _OF_PROCEDURE.claim("exact", None),
    "model": {"file": "tiny.onnx", "sha256": "ab" * 32, "input_shape": [1, 8, 8]},
    "data": {"path": "images", "inputs": 3, "size": 3},
    "noise": {
        "distribution": "gaussian",
        "sigma": 0.5,
        "norm": "l2",
        "units": "input values between 0 and 1",
        "arithmetic": "exact",
    },
    "seed": {"value": "7", "source": "argument"},
    **_OF_PROCEDURE.to_json(),
    "family_wise": None,
    "largest_radius": _OF_PROCEDURE.largest_radius,
    "arguments": {"given": ["certify"], "resolved": {}},
}


def record(**changed: Any) -> dict[str, Any]:
    """A record with some of its fields changed; an object is merged into the one there."""
    made = copy.deepcopy(RECORD)
    for key, value in changed.items():
        merged = isinstance(value, dict) and isinstance(made.get(key), dict)
        made[key] = made[key] | value if merged else value
    return made


def record_of(procedure: Procedure, **changed: Any) -> dict[str, Any]:
    """The record of a run by a procedure."""
    own = procedure.to_json() | {"largest_radius": procedure.largest_radius}
    return record(**own | {"noise": procedure.noise.to_json()} | changed)


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
