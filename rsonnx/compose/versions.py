"""Bring the operator sets of several models together, always upwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import onnx
from onnx import defs, helper, version_converter

from rsonnx.errors import ModelError, first_line
from rsonnx.model.file import ModelFile
from rsonnx.model.graph import Scope, called, function_key, nodes, scopes, usual_domain
from rsonnx.model.tail import ML

_WEIGHTS_APART = 4
"""IR version from which weights need not be among the inputs; older files leave them out too."""


def newest(models: Sequence[onnx.ModelProto], least: int) -> dict[str, int]:
    """Return the newest version of each operator set that models import, of the default one at
    least some version.
    """
    versions = {"": least}
    for model in models:
        for opset in model.opset_import:
            domain = usual_domain(opset.domain)
            versions[domain] = max(versions.get(domain, 0), opset.version)
    return versions


def raised(model: ModelFile, versions: dict[str, int]) -> ModelFile:
    """Return a model with newer versions of its operator sets; the same one where they are its own.

    Operators whose definition is the same in both stay as they are; those of the default domain in
    the main graph are converted by onnx where it changed. Elsewhere a newer definition must only
    take more than the older one, as most do.

    Raises:
        ModelError: an operator that changed cannot be converted.
    """
    own = newest([model.proto], 0)
    # What adapts a part may add operators of these, in the version that the part has.
    missing = [domain for domain in ("", ML) if domain in versions and not own.get(domain)]
    if not missing and all(own[domain] == versions[domain] for domain in own):
        return model
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    changed = list(_changed(model, own, versions))
    if changed:
        convertible = {id(node) for node in model.proto.graph.node if not usual_domain(node.domain)}
        stuck = next(
            (
                node
                for node in changed
                if id(node) not in convertible and not _takes_more(node, own, versions)
            ),
            None,
        )
        if stuck is not None:
            raise _refused(model, own, versions, f"{stuck.op_type} in a subgraph, a function or "
                           "another domain is not converted")  # fmt: skip
        proto.ir_version = max(proto.ir_version, _WEIGHTS_APART)
        try:
            proto = version_converter.convert_version(proto, versions[""])
        except Exception as error:  # C++ exceptions of several kinds
            raise _refused(model, own, versions, first_line(error)) from None
    proto.opset_import.extend(helper.make_opsetid(domain, versions[domain]) for domain in missing)
    for imports in (proto.opset_import, *(f.opset_import for f in proto.functions)):
        for opset in imports:
            opset.version = versions.get(usual_domain(opset.domain), opset.version)
    return replace(model, proto=proto)


def _refused(
    model: ModelFile, own: dict[str, int], versions: dict[str, int], why: str
) -> ModelError:
    return ModelError(
        f"{model} has operator set {own.get('', 0)}, which cannot be brought to the parts' newest, "
        f"{versions['']} ({why}); export the parts with one operator set"
    )


def _takes_more(node: onnx.NodeProto, own: dict[str, int], versions: dict[str, int]) -> bool:
    """Say whether an operator's newer definition has the form of the older one: it takes more
    types, or more inputs and attributes that may be left out.

    RoiAlign's new attribute, left out, means another thing than was meant before there was one.
    """
    domain = usual_domain(node.domain)
    try:
        before, after = (
            defs.get_schema(node.op_type, known[domain], domain) for known in (own, versions)
        )
    except (defs.SchemaError, KeyError):  # of a domain that onnx does not define
        return False
    optional = defs.OpSchema.FormalParameterOption.Optional
    inputs = [[formal.option for formal in schema.inputs] for schema in (before, after)]
    outputs = [[formal.option for formal in schema.outputs] for schema in (before, after)]
    first = len(inputs[0])
    return (
        node.op_type != "RoiAlign"
        and outputs[0] == outputs[1]
        and inputs[0] == inputs[1][:first]
        and all(option == optional for option in inputs[1][first:])
        and not any(
            new.required for name, new in after.attributes.items() if name not in before.attributes
        )
        and all(
            name in after.attributes and _default(old) == _default(after.attributes[name])
            for name, old in before.attributes.items()
        )
    )


def _default(attribute: Any) -> tuple[Any, ...]:
    return attribute.type, attribute.required, attribute.default_value


def _changed(
    model: ModelFile, own: dict[str, int], versions: dict[str, int]
) -> Iterator[onnx.NodeProto]:
    """Yield the nodes whose operator is defined anew between two versions of its set."""
    functions = {function_key(f) for f in model.proto.functions}
    every: list[Scope] = scopes(model.proto)
    for node in (node for scope in every for node in nodes(scope)):
        domain = usual_domain(node.domain)
        before, after = own.get(domain, 0), versions.get(domain, 0)
        if before == after or called(node) in functions:
            continue
        try:
            since = {
                defs.get_schema(node.op_type, version, domain).since_version
                for version in (before, after)
            }
        except defs.SchemaError:  # of a domain that onnx does not define
            since = {before, after}
        if len(since) > 1:
            yield node
