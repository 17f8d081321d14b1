"""A strict onnxruntime session: the provider that was asked for or an error, and nothing random."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from rsonnx.errors import InferenceError, ModelError, ProviderError
from rsonnx.runtime.providers import ProviderChoice, first_line

_OPTIONS: dict[str, dict[str, str]] = {
    # TF32 rounds float32 products to 10 bits; the exhaustive search picks another algorithm, and so
    # other roundings, from run to run.
    "CUDAExecutionProvider": {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
}


class Session:
    """An onnxruntime session on one provider, with one thread a call.

    Many threads may run it at once; that is how it is made fast on a processor.

    Args:
        model: the serialized model.
        provider: the provider to run on.
        name: what to call the model in messages.

    Raises:
        ModelError: onnxruntime refuses the model.
        ProviderError: the session came out on another provider.
    """

    def __init__(self, model: bytes, provider: ProviderChoice, name: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.use_deterministic_compute = True
        # Idle threads that spin slow their neighbours down (there are none with one thread a call,
        # but a provider may add its own).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if not provider.is_cpu:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        providers = [(provider.name, _OPTIONS.get(provider.name, {}))]
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=providers)
        except Exception as error:  # onnxruntime raises a class of its own for each status code
            raise ModelError(f"onnxruntime cannot load {name}: {first_line(error)}") from None
        self._session.disable_fallback()
        got = self._session.get_providers()[0]
        if got != provider.name:
            raise ProviderError(
                f"onnxruntime gave a session on {got} for {name}, but {provider.name} was asked "
                "for; run `rsonnx doctor`"
            )
        self._name = name

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers that the session really has."""
        return tuple(self._session.get_providers())

    def run(self, output: str, input_name: str, batch: NDArray[Any]) -> NDArray[Any]:
        """Return one output for one batch.

        Raises:
            InferenceError: the model failed on the batch.
        """
        try:
            return np.asarray(self._session.run([output], {input_name: batch})[0])
        except Exception as error:  # onnxruntime raises a class of its own for each status code
            raise InferenceError(
                f"{self._name} failed on a batch of shape {list(batch.shape)}: {first_line(error)}"
            ) from None
