"""The oracle of the proof of rows: onnxruntime answers a row alone, and among any companions."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

from rsonnx.model.rows import RowProof, prove_rows

SIZES = (1, 2, 5, 6)
"""Numbers of rows; a reshape that was drawn may name 5."""


def proof_of(model: onnx.ModelProto, output: str = "y") -> RowProof:
    """Prove with those tensors guarded that need it: the rows that are compared have no NaN."""
    found = prove_rows(model, input_name="x", outputs=[output])
    return prove_rows(model, input_name="x", outputs=[output], guarded=found.guards)


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def companions(shape: list[int], size: int, seed: int, *, nan: bool) -> NDArray[np.float32]:
    """Rows as another user might send: ordinary, huge, tiny, all alike, NaN, infinite."""
    generator = np.random.default_rng(seed)
    scales = [1.0, 1e30, -1e30, 1e-30, *([np.nan, np.inf] if nan else [2.0, 3.0]), 0.0]
    rows = generator.standard_normal((size, *shape))
    with np.errstate(invalid="ignore"):
        factors = generator.permutation(scales)[:size].reshape(-1, *[1] * len(shape))
        return (rows * factors).astype(np.float32)


def assert_rows_are_independent(model: onnx.ModelProto, output: str, *, nan: bool = True) -> None:
    """Check rows among companions, which are NaN or infinite too unless the model refuses them."""
    running = session(model)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    row = np.random.default_rng(7).standard_normal(shape).astype(np.float32)

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = running.run([output], {"x": batch})[0]
        assert found.shape[0] == len(batch)
        return found

    try:
        alone = run(row[None])[0]
    except (Fail, InvalidArgument):
        return  # not even one row runs, so there is no answer to compare
    # Kernels sum in another order in another batch, which costs some 1e-6 of the largest value.
    largest = np.abs(alone[np.isfinite(alone)]).max(initial=1e-3)
    for size in SIZES[1:]:
        for place in range(size):
            batch = companions(shape, size, 100 * size + place, nan=nan)
            batch[place] = row
            np.testing.assert_allclose(
                run(batch)[place], alone, rtol=1e-4, atol=1e-4 * float(largest)
            )
