"""Read an ONNX file safely, find out what it takes and gives, adapt it and prove the result."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.model.adapt import Batch, adapt, unused_inputs
    from rsonnx.model.answers import check_answers
    from rsonnx.model.assumptions import node_types, refuse_unsound, row_coupling
    from rsonnx.model.class_names import keys_of_names, name_classes
    from rsonnx.model.file import ModelFile, ModelSource
    from rsonnx.model.graph import TensorSpec
    from rsonnx.model.half import to_half
    from rsonnx.model.head import INPUT, make_head
    from rsonnx.model.inputs import CODES, Input, find_input
    from rsonnx.model.outputs import Output, find_output
    from rsonnx.model.preprocess import (
        PRESETS,
        Preprocessing,
        bounds_in,
        declared_preprocessing,
        parse_preprocessing,
        preprocessing_in,
    )
    from rsonnx.model.probe import (
        PROBES,
        Batched,
        Batching,
        choose_batching,
        probe_rows,
        rounding_unit,
        rows_beyond,
    )
    from rsonnx.model.read import read_model
    from rsonnx.model.settings import AUTO, ROWS, ModelSettings, read_feed, read_shape
    from rsonnx.model.size import most_rows
    from rsonnx.model.tail import LABEL, SCORES

offer_lazily(__name__)
