"""Attestations: a statement on a run that any signing tool can sign, and its check.

The format is the in-toto Statement, version 1
(https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md). Nothing is signed here and
no signature is checked; cosign, sigstore or any other tool for DSSE envelopes does both.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rsonnx.errors import RunFileError
from rsonnx.files import read_small
from rsonnx.runs.fields import shown
from rsonnx.runs.files import Run
from rsonnx.runs.strict_json import MOST_BYTES, read_object, same

if TYPE_CHECKING:
    from rsonnx.runs.deployed import Deployed

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:rsonnx:certification:v1"
_LATER = ("name", "certified_wrong")
"""Figures that earlier Statements lack."""
_PAYLOAD_TYPE = "application/vnd.in-toto+json"


def statement(
    run: Run, summary: Mapping[str, Any], deployed: Deployed | None = None
) -> dict[str, Any]:
    """Return the Statement on a complete run.

    Its subjects are the model, the data's manifest, the deployed file where there is one, and the
    run file, each by its SHA-256; its predicate is the run's header and ``summary``.

    Args:
        run: the run.
        summary: the figures that are attested, ready for JSON.
        deployed: what :func:`check_deployed` returned of the file that answers in the run's place.

    Raises:
        RunFileError: the run is not complete, or its header lacks a digest.
    """
    if run.status != "complete":
        raise RunFileError(
            f"the run {run.path} is {run.status}, and only a complete one is attested; finish it "
            "with `rsonnx certify --resume`"
        )
    return {
        "_type": STATEMENT_TYPE,
        "subject": _subjects(run, deployed),
        "predicateType": PREDICATE_TYPE,
        "predicate": {"header": run.header.to_json(), "summary": dict(summary)},
    }


def read_statement(path: Path) -> dict[str, Any]:
    """Read a Statement, bare or in a DSSE envelope, whose signature is not looked at.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DataError: it is larger than 64 MiB.
        RunFileError: it holds no Statement.
    """
    value = _parse(path, read_small(path, "the attestation", MOST_BYTES))
    if "payload" in value:
        _refuse_others(path, value, ("payloadType", "payload", "signatures"))
        if value.get("payloadType") != _PAYLOAD_TYPE:
            raise RunFileError(
                f"{path} is an envelope of {shown(value.get('payloadType'))}, but one of "
                f"{_PAYLOAD_TYPE} was expected"
            )
        try:
            # DSSE allows both alphabets.
            payload = value["payload"].replace("-", "+").replace("_", "/")
            value = _parse(path, base64.b64decode(payload, validate=True))
        except (binascii.Error, AttributeError, ValueError):
            raise RunFileError(f"{path}: the payload of the envelope is not base64") from None
    for field, expected in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
        if value.get(field) != expected:
            raise RunFileError(
                f"{path} has the {field} {shown(value.get(field))}, but {expected} was expected"
            )
    _refuse_others(path, value, ("_type", "subject", "predicateType", "predicate"))
    return value


def _refuse_others(path: Path, fields: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse further fields, by which it is one thing to one reader and another to the next."""
    for field in fields:
        if field not in known:
            raise RunFileError(
                f"{path} has the field {shown(field)} beside {', '.join(known)}; take it out"
            )


def check_statement(
    run: Run,
    summary: Mapping[str, Any],
    stated: Mapping[str, Any],
    deployed: Deployed | None = None,
) -> list[str]:
    """Return what a Statement says otherwise than the run file, nothing if it is true.

    Args:
        run: the run.
        summary: its figures, derived from its rows by this process.
        stated: the Statement.
        deployed: as for :func:`statement`.
    """
    expected = statement(run, summary, deployed)
    faults = _wrong_subjects(stated.get("subject"), expected["subject"])
    predicate = stated.get("predicate")
    said = predicate if isinstance(predicate, dict) else {}
    if not same(said.get("header"), expected["predicate"]["header"]):
        faults.append("its header is not that of the run file")
    if not _same_figures(said.get("summary"), expected["predicate"]["summary"]):
        faults.append("its summary is not that of the run file")
    return faults + [
        f"its predicate says {shown(field)} too, which the run file does not"
        for field in said
        if field not in expected["predicate"]
    ]


def _same_figures(stated: Any, expected: Any) -> bool:
    """Say whether figures are the run's, also as earlier Statements have them.

    Those lack what counts a share, and rounded shares down to a double, where they are now rounded
    correctly: the last bit may differ.
    """
    if isinstance(stated, dict) and isinstance(expected, dict):
        lacking = expected.keys() - stated.keys()
        return (
            stated.keys() <= expected.keys()
            and all(name in _LATER or name.endswith("_count") for name in lacking)
            and all(_same_figures(stated[name], expected[name]) for name in stated)
        )
    if isinstance(stated, list) and isinstance(expected, list | tuple):
        pairs = zip(stated, expected, strict=False)
        return len(stated) == len(expected) and all(_same_figures(a, b) for a, b in pairs)
    if type(stated) is float and type(expected) is float:
        return abs(stated - expected) <= math.ulp(expected)
    return same(stated, expected)


def _wrong_subjects(subjects: Any, expected: list[dict[str, Any]]) -> list[str]:
    """Return which subjects are missing, and which are not the run's or called what they are not.

    The run file may have been renamed, so its name says nothing.
    """
    run_file = expected[-1]["digest"]
    wanted = [_text(_nameless(subject, run_file)) for subject in expected]
    faults = []
    for subject in subjects if isinstance(subjects, list) else []:
        text = _text(_nameless(subject, run_file))
        if text in wanted:
            wanted.remove(text)
        else:
            name = subject.get("name") if isinstance(subject, dict) else subject
            faults.append(f"its subject {shown(name)} is none of the run's, or is there twice")
    for subject in expected:
        if _text(_nameless(subject, run_file)) in wanted:
            role, digest = subject["annotations"]["role"], subject["digest"]["sha256"]
            faults.append(f"none of its subjects is the {role} with the SHA-256 {digest}")
    return faults


def _nameless(subject: Any, run_file: dict[str, str]) -> Any:
    if isinstance(subject, dict) and subject.get("digest") == run_file:
        return {key: value for key, value in subject.items() if key != "name"}
    return subject


def _text(value: Any) -> str:
    """Return JSON to compare: in Python 1, 1.0 and true are equal."""
    return json.dumps(value, sort_keys=True)


def _subjects(run: Run, deployed: Deployed | None) -> list[dict[str, Any]]:
    model, manifest = run.header.model, run.header.data.manifest
    content = hashlib.sha256(run.path.read_bytes()).hexdigest()
    described = _subject(model.file, model.sha256, "model")
    if model.several:  # then no single file has this digest
        described["annotations"]["content"] = "the file and its external data, one after the other"
    answering = []
    if deployed is not None:
        answering = [_subject(deployed.file, deployed.sha256, "deployed file")]
        answering[0]["annotations"] |= {"n": deployed.n, "alpha": deployed.alpha}
    return [
        described,
        _subject("manifest of the data", manifest, "data"),
        *answering,
        _subject(run.path.name, content, "run file"),
    ]


def _subject(name: str, sha256: str, role: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}, "annotations": {"role": role}}


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    try:
        return read_object(content)
    except (TypeError, ValueError) as error:
        raise RunFileError(
            f"{path} holds no in-toto Statement ({error}); `rsonnx attest` writes one"
        ) from None
