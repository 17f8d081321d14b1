"""Which nodes of a session run where: no node that computes may be on the processor in silence.

onnxruntime puts the nodes that work out shapes (Shape and what follows from it) on the processor on
purpose, even where CUDA could run them: they handle a few integers that live there anyway. Its
option ``session.disable_cpu_ep_fallback`` refuses those too, and so refuses most exported models
with a free batch axis. So a session that the option refuses is opened without it, and then judged
here by what onnxruntime recorded of its nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rsonnx.errors import ModelError, ProviderError
from rsonnx.runtime.device_options import CPU

RECORD = "session.record_ep_graph_assignment_info"
"""Lets onnxruntime 1.24 and later say which provider runs which node."""

BOOKKEEPING = frozenset(
    {
        *("Shape", "Size", "Gather", "GatherElements", "GatherND", "Unsqueeze", "Squeeze"),
        *("Concat", "Slice", "Split", "Cast", "Identity", "Reshape", "Expand", "Range"),
        *("ConstantOfShape", "Constant", "NonZero", "Where", "And", "Or", "Not"),
        *("Add", "Sub", "Mul", "Div", "Mod", "Min", "Max", "Neg", "Abs", "Floor", "Ceil"),
        *("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin"),
        *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
    }
)
"""Operators that shapes are worked out with. CUDA has all of them for numbers that are data, so one
of them on the processor handles a shape."""


def shape_nodes_on_cpu(session: Any, providers: Sequence[str], name: str) -> dict[str, int]:
    """Return the operators that run on the processor, with their numbers; all handle shapes.

    Args:
        session: onnxruntime's, opened with ``RECORD``.
        providers: what it was opened with.
        name: what to call the model in messages.

    Raises:
        ProviderError: this onnxruntime is too old to say where nodes run.
        ModelError: other nodes are on the processor too, or none is on the device.
    """
    recorded = getattr(session, "get_provider_graph_assignment_info", None)
    if recorded is None:
        raise ProviderError(
            f"some nodes of {name} are on the processor, and this onnxruntime cannot say which; "
            "update it to 1.24 or later, or ask for --providers cpu"
        )
    nodes: dict[str, Counter[str]] = {}
    for part in recorded():
        operators = (node.op_type for node in part.get_nodes())
        nodes.setdefault(part.ep_name, Counter()).update(operators)
    on_cpu = dict(sorted(nodes.get(CPU, {}).items()))
    computing = [f"{o} ({n})" for o, n in on_cpu.items() if o not in BOOKKEEPING]
    if computing:
        raise ModelError(
            f"{providers[0]} has no kernel for nodes of {name}, which would run on the processor: "
            f"{', '.join(computing)}; ask for --providers cpu, or export the model without them"
        )
    if not any(nodes.get(provider) for provider in providers):
        raise ModelError(
            f"no node of {name} runs on {providers[0]}, so nothing would be gained by it; ask for "
            "--providers cpu"
        )
    return on_cpu
