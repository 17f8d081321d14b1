"""``tools/gpu_check.py`` where CUDA is the stub: FAULT, then the tool's own arguments.

The processes that it starts are this script again. A fault is one of :data:`FAULTS`, or ``none``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "tools")]

import gpu.checks  # noqa: E402
import gpu.restart  # noqa: E402
import gpu_check  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import stub_cuda  # noqa: E402
import stub_session  # noqa: E402
from kernels_in_cpp import launch  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from rsonnx.model import LABEL  # noqa: E402
from rsonnx.runtime.device_options import CUDA  # noqa: E402
from rsonnx.runtime.machine import Driver  # noqa: E402
from rsonnx.runtime.onnx_classifier import CONFIRMED_ROWS  # noqa: E402


def tail_of_the_noise(cuda: stub_cuda.StubCuda) -> None:
    """The last block of threads of a kernel does not run."""

    def short(name: str, blocks: int, *rest: Any) -> None:
        launch(name, blocks - (name == "rsonnx_settle"), *rest)

    mock.patch("kernels_in_cpp.launch", short).start()


def tail_of_the_labels(cuda: stub_cuda.StubCuda) -> None:
    """The last labels of a batch are not written."""

    def keep_tail(labels: Any, before: Any) -> None:
        labels[-3:] = before[-3:]

    change_bound_labels(keep_tail)


def swapped_samples(cuda: stub_cuda.StubCuda) -> None:
    """Labels are in another order, as many of each class, but for those that engines look at."""

    def swap(labels: Any, before: Any) -> None:
        labels[:-CONFIRMED_ROWS] = labels[:-CONFIRMED_ROWS][::-1].copy()

    change_bound_labels(swap)


def change_bound_labels(change: Callable[[Any, Any], None]) -> None:
    """Change what runs in memory of the device answer, given what lay there before."""
    real = stub_session.StubSession.run_with_iobinding

    def changed(self: Any, binding: Any, options: Any = None) -> None:
        answers = binding.arrays(binding.outputs)
        before = {name: answer.copy() for name, answer in answers.items()}
        real(self, binding, options)
        self._stream.drain()
        if LABEL in answers:
            change(answers[LABEL], before[LABEL])

    mock.patch.object(stub_session.StubSession, "run_with_iobinding", changed).start()


def tf32(cuda: stub_cuda.StubCuda) -> None:
    """Convolutions round to 10 bits, but for 3x3, by which a provider is tried."""
    real = onnxruntime.InferenceSession

    def opened(model: Any, options: Any = None, providers: Any = None, **more: Any) -> Any:
        if CUDA in str(providers):
            model = rounded(model)
        return real(model, options, providers=providers, **more)

    mock.patch.object(onnxruntime, "InferenceSession", opened).start()


def rounded(model: bytes) -> bytes:
    """Return a model whose convolutions, but for 3x3 ones, have operands of float16's 10 bits."""
    proto = onnx.load_from_string(model)
    nodes = [*proto.graph.node]
    small = {tensor.name for tensor in proto.graph.initializer if tensor.dims[2:] == [3, 3]}
    del proto.graph.node[:]
    for number, node in enumerate(nodes):
        for place in (0, 1) if node.op_type == "Conv" and node.input[1] not in small else ():
            half, back = f"half_{number}_{place}", f"back_{number}_{place}"
            proto.graph.node.extend(
                [
                    helper.make_node("Cast", [node.input[place]], [half], to=TensorProto.FLOAT16),
                    helper.make_node("Cast", [half], [back], to=TensorProto.FLOAT),
                ]
            )
            node.input[place] = back
        proto.graph.node.append(node)
    return bytes(proto.SerializeToString())


FAULTS: dict[str, Callable[[stub_cuda.StubCuda], None]] = {
    each.__name__: each for each in (tail_of_the_noise, tail_of_the_labels, swapped_samples, tf32)
}


def main(fault: str, arguments: list[str]) -> int:
    """Run the tool, or ``rsonnx`` itself, over the stub."""
    me = [sys.executable, __file__, fault]
    cuda = stub_cuda.StubCuda(devices=2, memory=1 << 24)
    with (
        cuda.installed(),
        mock.patch.object(gpu.restart, "RSONNX", [*me, "rsonnx"]),
        mock.patch.object(gpu.checks, "find_driver", return_value=Driver(13_000, 0, 2)),
        mock.patch.object(gpu.checks, "SIZES", (1, 10, 784)),
        mock.patch.object(gpu.checks, "_MOST_VALUES", 20_000),
        ExitStack() as faults,  # the last is undone first: a fault's patch holds what the stub put
    ):
        faults.callback(mock.patch.stopall)
        if fault != "none":
            FAULTS[fault](cuda)
        if arguments[:1] == ["rsonnx"]:
            from rsonnx.cli import run

            return run(arguments[1:])
        return gpu_check.main(arguments, me)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
