"""Small ONNX models for the tests, made with onnx.helper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from rsonnx.model import ModelFile, Output, find_output

Dim = int | str | None

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING

FLOATS = {
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
}
NUMPY = {"float16": np.float16, "float32": np.float32, "float64": np.float64}


def node(operator: str, inputs: Sequence[str], output: str, **attributes: object) -> NodeProto:
    return helper.make_node(operator, list(inputs), [output], name=f"the_{output}", **attributes)


def parsed(text: str) -> list[NodeProto]:
    """Read nodes as onnx writes them, ``y = Softmax<axis=1>(x)``, parted by semicolons.

    A domain may be short, ``ml.`` or ``ms.``, and _ is an output that is left out. Floats of
    subgraphs have any shape.
    """
    nodes = [
        onnx.parser.parse_node(part)
        for part in text.replace("'", '"').strip().rstrip(";").split(";")
    ]
    for made in nodes:
        made.domain = {"ml": ML, "ms": "com.microsoft"}.get(made.domain, made.domain)
        made.output[:] = ["" if name == "_" else name for name in made.output]
        for body in (a.g for a in made.attribute if a.HasField("g")):
            for value in (*body.input, *body.output):
                if value.type.tensor_type.elem_type == FLOAT:
                    value.type.tensor_type.ClearField("shape")
    return nodes


def rows_model(
    text: str,
    shape: Sequence[int] = (4,),
    weights: Mapping[str, Any] | None = None,
    *,
    opset: int = 17,
    functions: Sequence[str] = (),
) -> onnx.ModelProto:
    """Make a model from x, (n, \\*shape), to y, with those of the weights that it names.

    Args:
        functions: of the domain ``mine``, as onnx writes them but for what they import.
    """
    nodes = parsed(text)
    used = set(re.findall(r"[\w.]+", text))
    graph = helper.make_graph(
        nodes,
        "rows",
        [helper.make_tensor_value_info("x", FLOAT, ["n", *shape])],
        [onnx.ValueInfoProto(name="y")],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in (weights or {}).items()
            if name in used and all(name not in node.output for node in nodes)
        ],
    )
    versions = {"": opset, ML: 3, "com.microsoft": 1, "mine": 1}
    opsets = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
    imports = '<domain: "mine", opset_import: ["" : 17, "mine" : 1]> '
    made = [onnx.parser.parse_function(imports + function) for function in functions]
    return helper.make_model(graph, opset_imports=opsets, functions=made, ir_version=10)


def build(
    nodes: Sequence[NodeProto],
    shape: Sequence[Dim],
    output: Sequence[Dim],
    weights: Mapping[str, NDArray[np.generic]] | None = None,
    *,
    dtype: str = "float32",
    opset: int = 13,
    ir_version: int = 8,
    metadata: Mapping[str, str] | None = None,
    input_name: str = "x",
    output_name: str = "scores",
    list_weights: bool = False,
    domains: Sequence[str] = (),
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """Make a model of one input and one output of the same floating-point type."""
    stored = [numpy_helper.from_array(np.asarray(v), k) for k, v in (weights or {}).items()]
    kind = FLOATS[dtype]
    inputs = [helper.make_tensor_value_info(input_name, kind, list(shape))]
    if list_weights:
        inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in stored]
    graph = helper.make_graph(
        list(nodes),
        "test",
        inputs,
        [helper.make_tensor_value_info(output_name, kind, list(output))],
        stored,
    )
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=ir_version, functions=list(functions)
    )
    helper.set_model_props(model, dict(metadata or {}))
    return model


def linear(
    shape: Sequence[Dim] = ("batch", 1, 4, 4),
    classes: int = 5,
    *,
    dtype: str = "float32",
    seed: int = 1,
    tail: str = "flat",
    **options: object,
) -> onnx.ModelProto:
    """Make a linear classifier: scores = flatten(x) @ w + b.

    Args:
        tail: ``"flat"`` for an output (N, K), ``"maps"`` for (N, K, 1, 1), ``"steps"`` for
            (N, 1, K).
    """
    values = int(np.prod([d for d in shape[1:] if isinstance(d, int)]))
    generator = np.random.default_rng(seed)
    real = NUMPY[dtype]
    weights: dict[str, NDArray[np.generic]] = {
        "w": generator.standard_normal((values, classes)).astype(real),
        "b": generator.standard_normal(classes).astype(real),
    }
    batch = shape[0]
    made = [node("Flatten", ["x"], "flat", axis=1)]
    output: list[Dim] = [batch, classes]
    if tail == "flat":
        made.append(node("Gemm", ["flat", "w", "b"], "scores"))
    else:
        output = [batch, classes, 1, 1] if tail == "maps" else [batch, 1, classes]
        target = [-1, classes, 1, 1] if tail == "maps" else [-1, 1, classes]
        weights["target"] = np.array(target)
        made += [
            node("Gemm", ["flat", "w", "b"], "vector"),
            node("Reshape", ["vector", "target"], "scores"),
        ]
    return build(made, shape, output, weights, dtype=dtype, **options)  # type: ignore[arg-type]


def echo(
    classes: int = 3, batch: Dim = "batch", *, dtype: str = "float32", **options: object
) -> onnx.ModelProto:
    """Make a model whose scores are its input."""
    made = [node("Identity", ["x"], "scores")]
    return build(made, (batch, classes), (batch, classes), dtype=dtype, **options)  # type: ignore[arg-type]


def batch_mean(batch: Dim = "batch", classes: int = 4) -> onnx.ModelProto:
    """Make a model that subtracts the mean over the batch: its rows are coupled."""
    made = [
        node("ReduceMean", ["x"], "mean", axes=[0], keepdims=1),
        node("Sub", ["x", "mean"], "centred"),
        node("MatMul", ["centred", "w"], "scores"),
    ]
    weights = {"w": np.eye(classes, dtype=np.float32)}
    return build(made, (batch, classes), (batch, classes), weights)


def save(proto: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(proto.SerializeToString())
    return path


def model_file(proto: onnx.ModelProto, path: str = "model.onnx") -> ModelFile:
    """Return a model as if it had been read from a file."""
    return ModelFile(Path(path), "0" * 64, proto.ByteSize(), proto, ())


def found_in(proto: onnx.ModelProto, **options: Any) -> Output:
    return find_output(model_file(proto), **options)


def tensor(name: str, kind: int, shape: Sequence[Dim] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def with_outputs(
    nodes: Sequence[NodeProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Mapping[str, NDArray[np.generic]] | None = None,
    *,
    shape: Sequence[Dim] = ("n", 4),
    only_ml: bool = False,
) -> onnx.ModelProto:
    """Make a model of one input and any outputs, with the operators of ai.onnx.ml.

    Args:
        only_ml: leave the default operator set out of the imports, as some exporters do.
    """
    proto = build(nodes, shape, ("n", 3), weights)
    del proto.graph.output[:], proto.opset_import[:]
    proto.graph.output.extend(outputs)
    proto.opset_import.extend([helper.make_opsetid("ai.onnx.ml", 1)])
    if not only_ml:
        proto.opset_import.append(helper.make_opsetid("", 13))
    return proto


def pair(
    nodes: Sequence[onnx.NodeProto], *outputs: onnx.ValueInfoProto, **options: Any
) -> onnx.ModelProto:
    return with_outputs(nodes, outputs, **options)


ML = "ai.onnx.ml"


def nearest_mean(shape: Sequence[int], classes: int = 10) -> onnx.ModelProto:
    """Make a model whose class k has its mean nearest to k/(classes - 1); linear in the mean."""
    values = int(np.prod(shape))
    centres = np.arange(classes, dtype=np.float32) / (classes - 1)
    weights = {"w": np.repeat(2 * centres[None] / values, values, axis=0), "b": -(centres**2)}
    nodes = parsed("flat = Flatten(x); scores = Gemm(flat, w, b)")
    return build(nodes, ("N", *shape), ("N", classes), weights, opset=17)


def linear_classifier(
    classes: Sequence[int] | Sequence[str] = (0, 1, 2),
    *,
    features: int = 4,
    post_transform: str = "SOFTMAX",
    seed: int = 6,
) -> NodeProto:
    """Make a LinearClassifier node from ``x`` to ``label`` and ``scores``."""
    generator = np.random.default_rng(seed)
    key = "classlabels_strings" if isinstance(classes[0], str) else "classlabels_ints"
    return helper.make_node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        domain=ML,
        coefficients=generator.standard_normal(len(classes) * features).tolist(),
        intercepts=generator.standard_normal(len(classes)).tolist(),
        post_transform=post_transform,
        **{key: list(classes)},
    )


def _trees(
    classes: Sequence[int] | Sequence[str], nodes: Sequence[tuple[Any, ...]], **attributes: Any
) -> NodeProto:
    """Make a TreeEnsembleClassifier of one tree: (feature, value, true node, false node) each."""
    key = "classlabels_strings" if isinstance(classes[0], str) else "classlabels_int64s"
    features, values, true, false = map(list, zip(*nodes, strict=True))
    return helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "scores"],
        domain=ML,
        nodes_treeids=[0] * len(nodes),
        nodes_nodeids=list(range(len(nodes))),
        nodes_featureids=features,
        nodes_values=values,
        nodes_modes=["BRANCH_LEQ" if at else "LEAF" for at in true],
        nodes_truenodeids=true,
        nodes_falsenodeids=false,
        class_treeids=[0] * len(attributes["class_ids"]),
        **attributes,
        **{key: list(classes)},
    )


_LEAF = (0, 0.0, 0, 0)


def tree_classifier(classes: Sequence[int] | Sequence[str] = (0, 1, 2)) -> NodeProto:
    """Make a TreeEnsembleClassifier of one tree: x0 <= .3 -> 0, else x1 <= .5 -> 1, else 2."""
    return _trees(
        classes,
        [(0, 0.3, 1, 2), _LEAF, (1, 0.5, 3, 4), _LEAF, _LEAF],
        class_nodeids=[1, 3, 4],
        class_ids=[0, 1, 2],
        class_weights=[1.0, 1.0, 1.0],
        post_transform="NONE",
    )


def stump(
    classes: Sequence[int] | Sequence[str], weights: Sequence[float], transform: str = "NONE"
) -> NodeProto:
    """Make a TreeEnsembleClassifier of one stump at x0 = .3 with weights for one class alone."""
    return _trees(
        classes,
        [(0, 0.3, 1, 2), _LEAF, _LEAF],
        class_nodeids=[1, 2],
        class_ids=[0, 0],
        class_weights=list(weights),
        post_transform=transform,
    )


def zip_map(classes: Sequence[int] | Sequence[str], given: str = "scores") -> NodeProto:
    key = "classlabels_strings" if isinstance(classes[0], str) else "classlabels_int64s"
    return helper.make_node("ZipMap", [given], ["dicts"], domain=ML, **{key: list(classes)})


def dicts(kind: int = TensorProto.INT64) -> onnx.ValueInfoProto:
    """Return what a ZipMap gives: a sequence of maps from a class to its score."""
    of_floats = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    mapping = helper.make_map_type_proto(kind, of_floats)
    return helper.make_value_info("dicts", helper.make_sequence_type_proto(mapping))
