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
import onnx.parser
from onnx import numpy_helper
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


def _model(text: str, **weights: Any) -> bytes:
    """Return a model of x (1, 1, 4, 4), from onnx's own text."""
    head = '<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 1]>'
    proto = onnx.parser.parse_model(f"{head} seed (float[1, 1, 4, 4] x) => {text}")
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    proto.graph.initializer.extend(tensors)
    return bytes(proto.SerializeToString())


def _linear() -> bytes:
    generator = np.random.default_rng(0)
    return _model(
        """(float[1, 3] scores) {
            flat = Reshape(x, shape)
            kept = Dropout(flat)
            logits = Gemm(kept, w, b)
            scores = Softmax <axis = 1> (logits)
        }""",
        shape=np.array([1, 16]),
        w=generator.standard_normal((16, 3)).astype(np.float32),
        b=generator.standard_normal(3).astype(np.float32),
    )


def _with_subgraph() -> bytes:
    return _model(
        """(float[1, 3] scores) {
            flat = Flatten <axis = 1> (x)
            chosen = If (yes) <
                then_branch = positive () => (float[1, 16] a) { a = Relu(flat) },
                else_branch = negative () => (float[1, 16] b) { b = Neg(flat) }
            >
            scores = MatMul(chosen, w)
        }""",
        yes=np.array(True),
        w=np.ones((16, 3), np.float32),
    )


def _with_labels() -> bytes:
    coefficients = ", ".join(f"{i % 5}.0" for i in range(48))
    return _model(
        f"""(string[1] label, seq(map(string, float)) maps) {{
            flat = Flatten <axis = 1> (x)
            label, shares = ai.onnx.ml.LinearClassifier <
                coefficients: floats = [{coefficients}],
                intercepts: floats = [0.0, 0.1, 0.2],
                classlabels_strings: strings = ["a", "b", "c"],
                post_transform: string = "SOFTMAX"
            > (flat)
            maps = ai.onnx.ml.ZipMap <classlabels_strings: strings = ["a", "b", "c"]> (shares)
        }}"""
    )


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
