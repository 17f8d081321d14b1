"""From a trained network to an ONNX file that says how it was made, and back to its weights."""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.datasets import Split
from training.networks import Normalised, build, folded

AGREEMENT = 1e-4
"""Largest difference of logits between torch and onnxruntime; the logits are of order 1 to 10."""

_HALF = ".float16"
"""How the names of weights end that are stored in half of the space."""


def start_from(path: Path, name: str, channels: int) -> nn.Sequential:
    """Return the network ``name``, batch norms folded, with the weights of an exported file.

    Raises:
        ValueError: the file is no ONNX model, or of another network.
    """
    network = folded(build(name, channels))
    wanted = network.state_dict()
    try:
        tensors = onnx.load(path).graph.initializer
    except Exception as error:
        raise ValueError(f"{path} cannot be read as an ONNX model: {error}") from error
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors}
    weights = {name.removesuffix(_HALF): values for name, values in held.items()}
    found = {key for key in wanted if key in weights and weights[key].shape == wanted[key].shape}
    if found != set(wanted):
        missing = sorted(set(wanted) - found)[0]
        raise ValueError(f"{path} does not hold the weights of {name}: {missing} is not in it")
    network.load_state_dict({key: torch.tensor(weights[key]) for key in wanted})
    return network


def onnx_model(network: nn.Sequential, shape: tuple[int, ...]) -> onnx.ModelProto:
    """Return a network of inputs of ``shape`` as ONNX, batch norms folded.

    Input "image" [batch, *shape], output "logits" [batch, classes].
    """
    batch = torch.export.Dim("batch")
    return traced(folded(network), (torch.zeros(2, *shape),), ["image"], "logits", ({0: batch},))


def traced(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    names: Sequence[str],
    output: str,
    dynamic_shapes: tuple[Any, ...],
) -> onnx.ModelProto:
    """Return a module of one output as ONNX, operator set 18.

    Args:
        module: in evaluation mode.
        inputs: examples of its inputs.
        names, output: of the inputs and the output in the file.
        dynamic_shapes: of each input: which axes are free.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of packages not used here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.onnx.export(
            module,
            inputs,
            input_names=names,
            output_names=[output],
            dynamic_shapes=dynamic_shapes,
            opset_version=18,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    return proto


def rounded(model: Normalised) -> Normalised:
    """Return a network whose weights are float16 numbers, batch norms folded."""
    network = folded(model.network)
    for weight in network.parameters():
        weight.data = weight.data.half().float()
    return Normalised(network, *model.given).eval()


def _halved(proto: onnx.ModelProto) -> None:
    """Store a network's float32 weights, which are float16 numbers, as float16 and cast them."""
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            name, values = tensor.name, numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + _HALF))
            casts.append(
                onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT)
            )
    nodes = [*casts, *proto.graph.node]
    proto.graph.ClearField("node")
    proto.graph.node.extend(nodes)


def export(
    model: Normalised,
    shape: tuple[int, ...],
    path: Path,
    training: dict[str, Any],
    *,
    half: bool = False,
) -> None:
    """Write a network of inputs of ``shape`` to one ONNX file that declares how it was trained.

    It takes normalised pixels; the preprocessing, which is not in the graph, is declared too. With
    ``half`` the weights, which are :func:`rounded` then, are stored in half of the space.
    """
    properties = {
        "rsonnx.preprocess": json.dumps(model.preprocess),
        "rsonnx.bounds": json.dumps([0, 1]),
        "rsonnx.layout": "NCHW",
        "rsonnx.training": json.dumps(training),
    }
    proto = onnx_model(model.network, shape)
    if half:
        _halved(proto)
    write(proto, path, properties)


def write(proto: onnx.ModelProto, path: Path, properties: dict[str, str]) -> None:
    """Write a checked model with its metadata."""
    # The exporter notes source files and lines in every node; they are nobody's business.
    graph = proto.graph
    values = (*graph.input, *graph.output, *graph.initializer, *graph.value_info)
    for item in (graph, *graph.node, *values):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    onnx.helper.set_model_props(proto, properties)
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def disagreement(model: Normalised, path: Path, pixels: Tensor) -> float:
    """Return the largest difference of logits, torch against onnxruntime; inf if a label differs.

    pixels: [N, channels, height, width], in [0, 1] before noise.
    """
    with torch.inference_mode():
        expected = model(pixels).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"image": model.normalise(pixels).numpy()})[0]
    if (logits.argmax(1) != expected.argmax(1)).any():
        return math.inf
    return float(np.abs(logits - expected).max())


def accuracy(model: Normalised, split: Split) -> float:
    """Return the fraction of images whose label the network gives, without noise."""
    right = 0
    with torch.inference_mode():
        for start in range(0, len(split.labels), 500):
            chosen = slice(start, start + 500)
            right += int((model(split.pixels(chosen)).argmax(1) == split.labels[chosen]).sum())
    return right / len(split.labels)
