"""What the theorem assumes of a base classifier, as far as a graph shows it.

The base classifier must be one deterministic function of one input: nothing random, nothing in
training mode, and no answer that depends on the other rows of a batch.
"""

from __future__ import annotations

from collections import ChainMap

import onnx

from rsonnx.errors import ModelError
from rsonnx.model.file import ModelFile
from rsonnx.model.graph import Scope, bodies, called, function_key, is_reserved, nodes, scopes

RANDOM = {
    *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"),
    *("RandomUniformLike", "Sampling"),
    *("BiasDropout", "BitmaskBiasDropout", "BitmaskDropout"),  # onnxruntime's, for training
}

LOSING_LONG = {"Clip", "Max", "Min", "ReduceMax", "ReduceMin", "Relu", "Sign"}
"""Whose vectors onnxruntime 1.31 computes wrongly, and single values rightly, where whole numbers
of 64 bits are 2^31 to 2^32 apart: so an answer depends on a row's place."""

_ROW_COUPLING = {"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul"}
"""They quantise by the smallest and the largest value of the whole batch."""

_STANDARD_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}


def refuse_unsound(model: ModelFile) -> None:
    """Refuse a model that is no deterministic function, or whose operators are not known.

    Raises:
        ModelError: it has random or custom operators, or dropout or batch normalisation in training
            mode.
    """
    own = {function_key(f) for f in model.proto.functions}
    for node in _all_nodes(model):
        # A function of the file is what runs only where no operator of its name would win.
        is_own = called(node) in own and not is_reserved(node.domain)
        if node.domain not in _STANDARD_DOMAINS and not is_own:
            raise ModelError(
                f"{model} uses the custom operator {node.domain}.{node.op_type}, which no "
                "certificate can rest on; export the model with standard operators"
            )
        if node.op_type in RANDOM:
            raise ModelError(
                f"{model} has the random operator {node.op_type} ({node.name or 'unnamed'}), but a "
                "certificate needs a deterministic classifier; export it without"
            )
        if _reads_stray_memory(node):
            raise ModelError(
                f"{model} has a {node.op_type} of two classes with the PROBIT transform "
                f"({node.name or 'unnamed'}), for which onnxruntime reads memory that nothing was "
                "written to, so its answers differ from call to call; export it with LOGISTIC or "
                "without a transform"
            )
        if _is_training_normalisation(node):
            raise ModelError(
                f"{model} has a BatchNormalization in training mode ({node.name or 'unnamed'}), so "
                "its answers depend on the inputs before; export it in evaluation mode"
            )
    for scope in scopes(model.proto):
        _refuse_training_dropout(model, scope, ChainMap())


def _reads_stray_memory(node: onnx.NodeProto) -> bool:
    stated = {a.name: a for a in node.attribute}
    if "post_transform" not in stated or stated["post_transform"].s.upper() != b"PROBIT":
        return False
    labels = (a for name, a in stated.items() if name.startswith("classlabels_"))
    return any(len(a.ints) == 2 or len(a.strings) == 2 for a in labels)


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
    """Refuse a Dropout whose mode is anything but the constant false, as names around it may be."""
    is_false = _constants(scope, around)
    for node in scope.node:
        has_mode = node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]
        if has_mode and not is_false.get(node.input[2], False):
            raise ModelError(
                f"{model} has a Dropout in training mode ({node.name or 'unnamed'}), or in a mode "
                "that its file does not fix, so its answers are random; export it in evaluation "
                "mode"
            )
        for body in bodies(node):
            _refuse_training_dropout(model, body, is_false)


def _constants(scope: Scope, around: ChainMap[str, bool]) -> ChainMap[str, bool]:
    """Return of all names in a scope whether they are the constant false, its own names first."""
    named: list[tuple[str, onnx.TensorProto | None]] = []
    if isinstance(scope, onnx.FunctionProto):
        named += [(name, None) for name in scope.input]
    else:
        named += [(tensor.name, tensor) for tensor in scope.initializer]
        # Of the main graph, whose inputs may have a default, only one input will be fed.
        named += [(value.name, None) for value in scope.input if around.maps != [{}]]
    for node in scope.node:
        values = [a.t for a in node.attribute if node.op_type == "Constant" and a.name == "value"]
        named += [(name, values[0] if values else None) for name in node.output]
    is_false: dict[str, bool] = {}
    for name, tensor in named:
        holds = (
            tensor is not None
            and tensor.data_type == onnx.TensorProto.BOOL
            and not onnx.numpy_helper.to_array(tensor).any()
        )
        is_false[name] = holds and is_false.get(name, True)
    return around.new_child(is_false)


def row_coupling(model: ModelFile) -> str | None:
    """Return the operator that makes a row's answer depend on its batch, if the graph has one."""
    operators = (str(node.op_type) for node in _all_nodes(model))
    return next((name for name in operators if name in _ROW_COUPLING), None)


def node_types(model: ModelFile) -> list[str]:
    """Return the operators of a model, one entry a node."""
    return [".".join(filter(None, (node.domain, node.op_type))) for node in _all_nodes(model)]


def _all_nodes(model: ModelFile) -> list[onnx.NodeProto]:
    return [node for scope in scopes(model.proto) for node in nodes(scope)]
