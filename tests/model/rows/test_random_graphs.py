"""What is proved of random graphs holds when onnxruntime runs them among any companions."""

from __future__ import annotations

import onnx
from hypothesis import HealthCheck, given, settings
from row_graphs import models
from row_oracle import assert_rows_are_independent

from rsonnx.model.rows import prove_rows


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(models())
def test_what_is_proved_holds(drawn: tuple[onnx.ModelProto, str]) -> None:
    model, output = drawn
    if prove_rows(model, input_name="x", outputs=[output]).proved:
        assert_rows_are_independent(model, output)
