"""Trees and linear models in all the operators that exporters write, and their forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx_models import ML

from rsonnx.closed_form import Form
from rsonnx.model import INPUT, ModelSettings, read_model
from rsonnx.model.closed import Runner, form_of
from rsonnx.model.tail import LABEL
from rsonnx.smoothing.adapting import make_plan

Leaf = Mapping[int, float]
Branch = tuple[int, float, str, Any, Any]
"""Feature, threshold, mode, and the nodes where its answer is true and where it is not."""

Tree = Leaf | Branch


def _listed(tree: Tree) -> list[tuple[Any, ...]]:
    """List a tree's nodes, each with the numbers of the two below it."""
    order: list[Tree] = [tree]
    rows: list[tuple[Any, ...]] = []
    for held in order:
        if isinstance(held, Mapping):
            rows.append((held,))
            continue
        feature, threshold, mode, true, false = held
        rows.append((feature, threshold, mode, len(order), len(order) + 1))
        order += [true, false]
    return rows


def tree_node(
    trees: Sequence[Tree],
    labels: Sequence[int] | Sequence[str] | None = None,
    *,
    targets: int = 1,
    source: str = "x",
    double: bool = False,
    **attributes: Any,
) -> NodeProto:
    """Make a TreeEnsembleClassifier with labels, or a TreeEnsembleRegressor to ``scores``."""
    columns: dict[str, list[Any]] = {name: [] for name in _NODES}
    weights: list[tuple[int, int, int, float]] = []
    for number, tree in enumerate(trees):
        for index, row in enumerate(_listed(tree)):
            leaf = row[0] if len(row) == 1 else {}
            feature, value, mode, true, false = row if len(row) > 1 else (0, 0.0, "LEAF", 0, 0)
            held = (number, index, feature, value, mode, true, false)
            for name, entry in zip(_NODES, held, strict=True):
                columns[name].append(entry)
            weights += [(number, index, target, weight) for target, weight in leaf.items()]
    kind = "target" if labels is None else "class"
    named = dict(
        zip(("treeids", "nodeids", "ids", "weights"), zip(*weights, strict=True), strict=True)
    )
    given = {f"nodes_{name}": entries for name, entries in columns.items()}
    given |= {f"{kind}_{name}": list(entries) for name, entries in named.items()}
    if double:
        for name in ("nodes_values", f"{kind}_weights"):
            held = np.array(given.pop(name), np.float64)
            given[f"{name}_as_tensor"] = numpy_helper.from_array(held, name)
    if labels is None:
        given["n_targets"] = targets
        return helper.make_node(
            "TreeEnsembleRegressor", [source], ["scores"], domain=ML, **given, **attributes
        )
    key = "classlabels_strings" if isinstance(labels[0], str) else "classlabels_int64s"
    return helper.make_node(
        "TreeEnsembleClassifier",
        [source],
        ["label", "probabilities"],
        domain=ML,
        **given,
        **{key: list(labels)},
        **attributes,
    )


_NODES = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")


def new_tree_node(
    trees: Sequence[Tree], targets: int, source: str = "x", **attributes: int
) -> NodeProto:
    """Make the TreeEnsemble of version 5 to ``scores``, whose leaves have one weight each."""
    inner: dict[str, list[Any]] = {name: [] for name in _NEW}
    leaves: list[tuple[int, float]] = []
    roots = []
    for tree in trees:
        rows = _listed(tree)
        places: list[tuple[int, int]] = []
        count = len(inner["modes"])
        for row in rows:
            if len(row) == 1:
                places.append((1, len(leaves)))
                leaves += [next(iter(row[0].items()))]
            else:
                places.append((0, count))
                count += 1
        if places[0][0] == 1:  # a tree is a branch at least
            rows = [(0, 0.0, "BRANCH_LEQ", 0, 0)]
        roots.append(len(inner["modes"]))
        for row in rows:
            if len(row) > 1:
                feature, value, mode, true, false = row
                held = (feature, value, _MODES.index(mode), *places[true], *places[false])
                for name, entry in zip(_NEW, held, strict=True):
                    inner[name].append(entry)
    tensors = {"splits": np.float32, "modes": np.uint8}
    given: dict[str, Any] = {
        f"nodes_{name}": numpy_helper.from_array(np.array(entries, tensors[name]))
        if name in tensors
        else entries
        for name, entries in inner.items()
    }
    weights = np.array([weight for _, weight in leaves], np.float32)
    return helper.make_node(
        "TreeEnsemble",
        [source],
        ["scores"],
        domain=ML,
        tree_roots=roots,
        leaf_targetids=[target for target, _ in leaves],
        leaf_weights=numpy_helper.from_array(weights),
        n_targets=targets,
        **given,
        **attributes,
    )


_NEW = ("featureids", "splits", "modes", "trueleafs", "truenodeids", "falseleafs", "falsenodeids")


def closed_model(
    nodes: Sequence[NodeProto],
    features: int,
    output: str,
    weights: Mapping[str, NDArray[Any]] | None = None,
    *,
    kind: int = TensorProto.FLOAT,
    ml: int = 3,
    opset: int = 17,
) -> onnx.ModelProto:
    """Make a model from ``x``, (N, features), to a label or to scores."""
    texts = any(a.name == "classlabels_strings" for n in nodes for a in n.attribute)
    is_label = output in ("label", "answer")
    of = TensorProto.STRING if texts else TensorProto.INT64
    graph = helper.make_graph(
        list(nodes),
        "closed",
        [helper.make_tensor_value_info("x", kind, ["N", features])],
        [
            helper.make_tensor_value_info(
                output, of if is_label else TensorProto.FLOAT, ["N"] if is_label else ["N", None]
            )
        ],
        [numpy_helper.from_array(np.asarray(held), name) for name, held in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML, ml)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def opener(model: bytes) -> Runner:
    """Open a model on the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda names, rows: list(session.run(list(names), {INPUT: rows}))


def _adapted(proto: onnx.ModelProto, settings: Mapping[str, Any]) -> bytes:
    asked = {"preprocess": "none", "bounds": (-8.0, 8.0), **settings}
    plan = make_plan(read_model(proto), ModelSettings(**asked))
    return plan.adapted(plan.free_batches[0]).model


def read_form(proto: onnx.ModelProto, fixed: Sequence[int] = (), **settings: Any) -> Form:
    """Read a model, adapted as it would be for a run, to its form."""
    return form_of(_adapted(proto, settings), opener, fixed)


def adapted_labels(
    proto: onnx.ModelProto, rows: NDArray[np.float32], **settings: Any
) -> NDArray[np.int64]:
    """Return the labels of a model that is adapted so."""
    (labels,) = opener(_adapted(proto, settings))([LABEL], rows)
    return np.asarray(labels)


def answers(
    proto: onnx.ModelProto, rows: NDArray[Any], labels: Sequence[Any] = ()
) -> NDArray[np.int64]:
    """Return the file's own labels, by their place in a list where one is given."""
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (held,) = session.run(None, {"x": rows})
    if held.ndim == 2:
        return np.asarray(held.argmax(axis=1))
    return np.array([list(labels).index(v) if labels else v for v in held.tolist()])
