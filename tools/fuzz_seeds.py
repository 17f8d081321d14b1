"""Small files of every kind that rsonnx reads, for tools/fuzz.py to damage."""

from __future__ import annotations

import gzip
import io
import os
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

_LARGEST_SEED = 300_000
"""Bytes: larger model files cost time in parsing and hold the same kinds of fields."""


def seed_models(folder: Path | None) -> list[bytes]:
    """Return the model files of a folder that are not large, and small ones made here."""
    found = []
    if folder is not None:
        files = [p for p in sorted(folder.glob("*.onnx")) if p.stat().st_size <= _LARGEST_SEED]
        found += [path.read_bytes() for path in files]
    return [*found, _linear(), _with_subgraph(), _with_labels()]


def _model(nodes: list[onnx.NodeProto], weights: dict[str, Any], outputs: list[Any]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "seed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])],
        outputs,
        [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(made.SerializeToString())


def _scores() -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3])


def _linear() -> bytes:
    generator = np.random.default_rng(0)
    weights = {
        "shape": np.array([1, 16]),
        "w": generator.standard_normal((16, 3)).astype(np.float32),
        "b": generator.standard_normal(3).astype(np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["flat"]),
        helper.make_node("Dropout", ["flat"], ["kept"]),
        helper.make_node("Gemm", ["kept", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    return _model(nodes, weights, [_scores()])


def _with_subgraph() -> bytes:
    branches = {}
    for key, operator in (("then_branch", "Relu"), ("else_branch", "Neg")):
        result = helper.make_tensor_value_info(f"{key}_out", TensorProto.FLOAT, None)
        node = helper.make_node(operator, ["flat"], [f"{key}_out"])
        branches[key] = helper.make_graph([node], key, [], [result])
    weights = {"yes": np.array(True), "w": np.ones((16, 3), np.float32)}
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("If", ["yes"], ["chosen"], **branches),
        helper.make_node("MatMul", ["chosen", "w"], ["scores"]),
    ]
    return _model(nodes, weights, [_scores()])


def _with_labels() -> bytes:
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node(
            "LinearClassifier",
            ["flat"],
            ["label", "probabilities"],
            domain="ai.onnx.ml",
            coefficients=[float(i % 5) for i in range(48)],
            intercepts=[0.0, 0.1, 0.2],
            classlabels_strings=["a", "b", "c"],
            post_transform="SOFTMAX",
        ),
        helper.make_node(
            "ZipMap",
            ["probabilities"],
            ["maps"],
            domain="ai.onnx.ml",
            classlabels_strings=["a", "b", "c"],
        ),
    ]
    key = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.STRING, key))
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.STRING, [1]),
        helper.make_value_info("maps", maps),
    ]
    return _model(nodes, {}, outputs)


def seed_data() -> list[tuple[str, bytes]]:
    """Return small data sets of every form as (file name, content)."""
    pixels = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)
    png, jpeg, npz, archive = (io.BytesIO() for _ in range(4))
    Image.fromarray(pixels[0]).save(png, "png")
    Image.fromarray(pixels[1]).save(jpeg, "jpeg")
    np.savez_compressed(npz, x=pixels.astype(np.float32) / 255, y=np.arange(3))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stream:
        stream.writestr("set/0/a.png", png.getvalue())
        stream.writestr("set/1/b.jpg", jpeg.getvalue())
    idx = struct.pack(">HBBIII", 0, 8, 3, *pixels.shape) + pixels.tobytes()
    return [
        ("case.npz", npz.getvalue()),
        ("case.zip", archive.getvalue()),
        ("case-images-idx3-ubyte", idx),
        ("case-images-idx3-ubyte.gz", gzip.compress(idx)),
        ("0/case.png", png.getvalue()),
        ("0/case.jpg", jpeg.getvalue()),
    ]


def seed_runs(folder: Path) -> list[bytes]:
    """Return run files as ``rsonnx certify`` writes them, made by a process of its own."""
    model, data = folder / "seed.onnx", folder / "seed.npz"
    model.write_bytes(_linear())
    np.savez(
        data, x=np.random.default_rng(2).random((4, 1, 4, 4)).astype(np.float32), y=[0, 1, 2, 0]
    )
    out = folder / "seed.jsonl"
    command = ["certify", str(model), str(data), "--sigma", "0.25", "--n", "200", "--seed", "1"]
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        from rsonnx.cli import run  # noqa: PLC0415 - the child alone needs it

        with open(os.devnull, "w") as sink:
            sys.stdout = sys.stderr = sink
            os._exit(run([*command, "--preprocess", "none", "-o", str(out)]))
    os.waitpid(child, 0)
    return [out.read_bytes()]
