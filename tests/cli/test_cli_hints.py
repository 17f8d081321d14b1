"""An option that a refusal names leads on: the command that follows it works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import done, refused
from onnx import TensorProto, helper
from onnx_models import Dim, build, linear, node, save

IMAGES = np.random.default_rng(5).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)
CERTIFY = "certify model.onnx data.npz --n 20 --n0 2 --alpha 0.01 --providers cpu"
CARD = "mean=123.675/116.28/103.53,std=58.395/57.12/57.375"
CONFIG = (
    '{"do_resize": true, "size": {"height": 16, "width": 16}, "do_rescale": true,'
    ' "do_normalize": false, "image_processor_type": "ViTImageProcessor"}'
)


def _coloured(**options: int) -> onnx.ModelProto:
    return linear(("n", 3, 16, 16), **options)


def _pooled(*shape: Dim) -> onnx.ModelProto:
    """Make a model of three classes that takes images of any size."""
    made = [node("GlobalAveragePool", ["x"], "pool"), node("Flatten", ["pool"], "scores")]
    return build(made, shape, ("n", 3))


def _two_inputs() -> onnx.ModelProto:
    made = [node("Flatten", ["x"], "flat"), node("Add", ["flat", "shift"], "scores")]
    proto = build(made, ("n", 3, 16, 16), ("n", 768))
    proto.graph.input.append(helper.make_tensor_value_info("shift", TensorProto.FLOAT, [1]))
    return proto


def _two_outputs() -> onnx.ModelProto:
    proto = _coloured(classes=3)
    proto.graph.node.append(node("Neg", ["scores"], "others"))
    others = helper.make_tensor_value_info("others", TensorProto.FLOAT, ["n", 3])
    proto.graph.output.append(others)
    return proto


NONE, CONFIGURED = "--preprocess none", "--preprocess preprocessor_config.json"
HINTS: list[tuple[Callable[[], onnx.ModelProto], str, int, str, str]] = [
    # The model, options that are refused, the exit code, what is named, and options that follow it.
    (_coloured, f"--preprocess {CARD}", 2, f"scale=255,{CARD}", f"--preprocess scale=255,{CARD}"),
    (
        _coloured,
        "--preprocess imagenet --sigma 128",
        2,
        "0.501961",
        "--preprocess imagenet --sigma 0.501961",
    ),
    (
        _coloured,
        f"{NONE} --sigma 128",
        2,
        "--bounds 0 255",
        "--preprocess zero-one --sigma 128 --bounds 0 255",
    ),
    (lambda: _pooled("n", "c", "h", "w"), CONFIGURED, 4, "--input-shape 3,16,16", CONFIGURED),
    (lambda: _pooled("n", 3, "h", "w"), NONE, 4, "--input-shape", NONE),
    (lambda: linear(("n", 768)), NONE, 1, "layout", "--preprocess none,layout=NHWC"),
    (lambda: linear(("n", 3, 16, 3)), NONE, 4, "layout", "--preprocess none,layout=NCHW"),
    (lambda: _coloured(classes=1), NONE, 4, "--threshold", f"{NONE} --threshold 0"),
    (_two_inputs, NONE, 4, "--feed", f"{NONE} --feed shift=0"),
    (_two_outputs, NONE, 4, "--output-name", f"{NONE} --output-name others"),
    (
        lambda: linear(("n", 3, 20, 20)),
        "--preprocess none,crop=20",
        1,
        "resize",
        "--preprocess none,resize=20,crop=20",
    ),
    (_coloured, "", 2, "imagenet", "--preprocess imagenet"),
]


@pytest.mark.parametrize(("model", "wrong", "code", "named", "right"), HINTS)
def test_what_a_refusal_names_leads_on(
    model: Callable[[], onnx.ModelProto], wrong: str, code: int, named: str, right: str, here: Path
) -> None:
    proto = model()
    save(proto, here)
    narrow = [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim][-1] == 3
    np.savez("data.npz", x=IMAGES[:, :, :3] if narrow else IMAGES)
    Path("preprocessor_config.json").write_text(CONFIG)
    sigma = "" if "--sigma" in wrong else "--sigma 0.1"
    shape = "--input-shape 3,16,16" if "--input-shape" in named else ""
    refused(f"{CERTIFY} {sigma} {wrong} -o run.jsonl", code=code, named=named)
    done(f"{CERTIFY} {sigma} {right} {shape} -o run.jsonl")
