"""What the theorem assumes of a base classifier, as far as a graph shows it.

The base classifier must be one deterministic function of one input: nothing random, nothing in
training mode, and no answer that depends on the other rows of a batch.
"""

from __future__ import annotations

import onnx

from rsonnx.errors import ModelError
from rsonnx.model.read import ModelFile, nodes

_RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}

_STANDARD_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}


def refuse_unsound(model: ModelFile) -> None:
    """Refuse a model that is no deterministic function, or whose operators are not known.

    Raises:
        ModelError: it has random operators, dropout in training mode, or custom operators.
    """
    constants = _true_constants(model.proto.graph)
    for node in _all_nodes(model):
        if node.domain not in _STANDARD_DOMAINS and not _is_local(model, node):
            raise ModelError(
                f"{model.path} uses the custom operator {node.domain}.{node.op_type}, which no "
                "certificate can rest on; export the model with standard operators"
            )
        if node.op_type in _RANDOM:
            raise ModelError(
                f"{model.path} has the random operator {node.op_type} ({node.name or 'unnamed'}), "
                "but a certificate needs a deterministic classifier; export it without"
            )
        if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2] in constants:
            raise ModelError(
                f"{model.path} has a Dropout in training mode ({node.name or 'unnamed'}), so its "
                "answers are random; export it in evaluation mode"
            )


def row_coupling(model: ModelFile) -> str | None:
    """Return the operator that makes a row's answer depend on its batch, if the graph has one."""
    for node in _all_nodes(model):
        if node.op_type in {"DynamicQuantizeLinear", "DynamicQuantizeMatMul"}:
            return str(node.op_type)
        if node.op_type == "BatchNormalization" and any(
            a.name == "training_mode" and a.i for a in node.attribute
        ):
            return "BatchNormalization in training mode"
    return None


def node_types(model: ModelFile) -> list[str]:
    """Return the operators of a model, one entry a node."""
    return [".".join(filter(None, (node.domain, node.op_type))) for node in _all_nodes(model)]


def _all_nodes(model: ModelFile) -> list[onnx.NodeProto]:
    found = list(nodes(model.proto.graph))
    for function in model.proto.functions:
        found.extend(function.node)
    return found


def _is_local(model: ModelFile, node: onnx.NodeProto) -> bool:
    return any(f.domain == node.domain and f.name == node.op_type for f in model.proto.functions)


def _true_constants(graph: onnx.GraphProto) -> set[str]:
    """Return the names of constants that hold the boolean true."""
    found = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            found.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
    return {
        name
        for name, tensor in found.items()
        if tensor.data_type == onnx.TensorProto.BOOL and onnx.numpy_helper.to_array(tensor).any()
    }
