"""What the theorem assumes of a base classifier, as far as a graph shows it.

The base classifier must be one deterministic function of one input: nothing random, nothing in
training mode, and no answer that depends on the other rows of a batch.
"""

from __future__ import annotations

from collections import ChainMap

import onnx

from rsonnx.errors import ModelError
from rsonnx.model.graph import Scope, called, function_key, is_reserved, nodes
from rsonnx.model.read import ModelFile

RANDOM = {
    "Bernoulli",
    "BiasDropout",  # this and the two Bitmask ones are onnxruntime's fusions for training
    "BitmaskBiasDropout",
    "BitmaskDropout",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Sampling",
}

_ROW_COUPLING = {"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul"}
"""They quantise by the smallest and the largest value of the whole batch."""

_STANDARD_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}


def refuse_unsound(model: ModelFile) -> None:
    """Refuse a model that is no deterministic function, or whose operators are not known.

    Raises:
        ModelError: it has random or custom operators, or dropout or batch normalisation in training
            mode.
    """
    for node in _all_nodes(model):
        if node.domain not in _STANDARD_DOMAINS and not _is_local(model, node):
            raise ModelError(
                f"{model} uses the custom operator {node.domain}.{node.op_type}, which no "
                "certificate can rest on; export the model with standard operators"
            )
        if node.op_type in RANDOM:
            raise ModelError(
                f"{model} has the random operator {node.op_type} ({node.name or 'unnamed'}), "
                "but a certificate needs a deterministic classifier; export it without"
            )
        if _is_training_normalisation(node):
            raise ModelError(
                f"{model} has a BatchNormalization in training mode "
                f"({node.name or 'unnamed'}), so its answers depend on the inputs before; export "
                "it in evaluation mode"
            )
    for scope in _scopes(model):
        _refuse_training_dropout(model, scope, ChainMap())


def _is_training_normalisation(node: onnx.NodeProto) -> bool:
    """Return whether a node normalises by its batch; before opset 14 its further outputs say so.

    A mode that a function leaves to its callers is none that the file fixes.

    onnxruntime writes the running mean and variance back into the session's own weights, so every
    call changes the function: not even one row a batch makes such a model a classifier.
    """
    return node.op_type == "BatchNormalization" and (
        any(a.name == "training_mode" and (a.i or a.ref_attr_name) for a in node.attribute)
        or any(node.output[1:])
    )


def _refuse_training_dropout(model: ModelFile, scope: Scope, around: ChainMap[str, bool]) -> None:
    """Refuse a Dropout whose mode is anything but the constant false.

    Args:
        model: the file, for messages.
        scope: a graph or a function.
        around: of the names that are seen from within the scope, whether they are that constant.
    """
    is_false = _constants(scope, around)
    for node in scope.node:
        is_trained = node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]
        if is_trained and not is_false.get(node.input[2], False):
            raise ModelError(
                f"{model} has a Dropout in training mode ({node.name or 'unnamed'}), or in a "
                "mode that its file does not fix, so its answers are random; export it in "
                "evaluation mode"
            )
        for attribute in node.attribute:
            for subgraph in (*[attribute.g] * attribute.HasField("g"), *attribute.graphs):
                _refuse_training_dropout(model, subgraph, is_false)


def _constants(scope: Scope, around: ChainMap[str, bool]) -> ChainMap[str, bool]:
    """Return of all names in a scope whether they are the constant false, its own names first."""
    found = around.new_child()

    def add(name: str, tensor: onnx.TensorProto | None) -> None:
        is_false = (
            tensor is not None
            and tensor.data_type == onnx.TensorProto.BOOL
            and not onnx.numpy_helper.to_array(tensor).any()
        )
        found[name] = is_false and found.maps[0].get(name, True)

    if isinstance(scope, onnx.FunctionProto):
        for name in scope.input:
            add(name, None)
    else:
        for tensor in scope.initializer:
            add(tensor.name, tensor)
        # Of the main graph, whose inputs may have a default, only one input will be fed.
        for value in scope.input if around.maps != [{}] else ():
            add(value.name, None)
    for node in scope.node:
        values = [a.t for a in node.attribute if node.op_type == "Constant" and a.name == "value"]
        for name in node.output:
            add(name, values[0] if values else None)
    return found


def row_coupling(model: ModelFile) -> str | None:
    """Return the operator that makes a row's answer depend on its batch, if the graph has one."""
    for node in _all_nodes(model):
        if node.op_type in _ROW_COUPLING:
            return str(node.op_type)
    return None


def node_types(model: ModelFile) -> list[str]:
    """Return the operators of a model, one entry a node."""
    return [".".join(filter(None, (node.domain, node.op_type))) for node in _all_nodes(model)]


def _scopes(model: ModelFile) -> list[Scope]:
    return [model.proto.graph, *model.proto.functions]


def _all_nodes(model: ModelFile) -> list[onnx.NodeProto]:
    return [node for scope in _scopes(model) for node in nodes(scope)]


def _is_local(model: ModelFile, node: onnx.NodeProto) -> bool:
    """Return whether a function of the file is what runs: an operator of its name would win."""
    return not is_reserved(node.domain) and any(
        function_key(f) == called(node) for f in model.proto.functions
    )
