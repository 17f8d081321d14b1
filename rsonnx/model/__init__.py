"""Read an ONNX file safely, find out what it takes and gives, adapt it and prove the result."""

from rsonnx.model.adapt import INPUT, LABEL, SCORES, adapt
from rsonnx.model.assumptions import node_types, refuse_unsound, row_coupling
from rsonnx.model.preprocess import (
    PRESETS,
    Preprocessing,
    bounds_in,
    parse_preprocessing,
    preprocessing_in,
)
from rsonnx.model.probe import Batching, probe_rows, prove_batching
from rsonnx.model.read import ModelFile, read_model
from rsonnx.model.signature import (
    Signature,
    TensorSpec,
    find_signature,
    inputs_of,
    outputs_of,
)

__all__ = [
    "INPUT",
    "LABEL",
    "PRESETS",
    "SCORES",
    "Batching",
    "ModelFile",
    "Preprocessing",
    "Signature",
    "TensorSpec",
    "adapt",
    "bounds_in",
    "find_signature",
    "inputs_of",
    "node_types",
    "outputs_of",
    "parse_preprocessing",
    "preprocessing_in",
    "probe_rows",
    "prove_batching",
    "read_model",
    "refuse_unsound",
    "row_coupling",
]
