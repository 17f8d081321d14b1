"""An option that a refusal names leads on: the command that follows it works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import Dim, build, linear, node

from rsonnx.cli import run

IMAGES = np.random.default_rng(5).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)


def pooled(*shape: Dim) -> onnx.ModelProto:
    """Make a model of three classes that takes images of any size."""
    made = [node("GlobalAveragePool", ["x"], "pool"), node("Flatten", ["pool"], "scores")]
    return build(made, shape, ("n", 3))


def two_inputs() -> onnx.ModelProto:
    made = [node("Flatten", ["x"], "flat"), node("Add", ["flat", "shift"], "scores")]
    proto = build(made, ("n", 3, 16, 16), ("n", 768))
    proto.graph.input.append(helper.make_tensor_value_info("shift", TensorProto.FLOAT, [1]))
    return proto


def two_outputs() -> onnx.ModelProto:
    proto = linear(("n", 3, 16, 16), classes=3)
    proto.graph.node.append(node("Neg", ["scores"], "others"))
    others = helper.make_tensor_value_info("others", TensorProto.FLOAT, ["n", 3])
    proto.graph.output.append(others)
    return proto


@dataclass(frozen=True)
class Hint:
    """A refusal and what it names.

    Attributes:
        model: what makes the model.
        data: the inputs.
        refused: options that end in the refusal.
        named: what its sentence names.
        followed: options that follow it.
        code: the refusal's exit code.
    """

    model: Callable[[], onnx.ModelProto]
    data: np.ndarray
    refused: Sequence[str]
    named: Sequence[str]
    followed: Sequence[str]
    code: int


CARD = "mean=123.675/116.28/103.53,std=58.395/57.12/57.375"
NONE = ("--preprocess", "none")
CONFIG = ("--preprocess", "preprocessor_config.json")

HINTS = {
    "mean of a model card": Hint(
        lambda: linear(("n", 3, 16, 16)),
        IMAGES,
        ("--preprocess", CARD),
        (f"scale=255,{CARD}",),
        ("--preprocess", f"scale=255,{CARD}"),
        2,
    ),
    "sigma in levels, as a share": Hint(
        lambda: linear(("n", 3, 16, 16)),
        IMAGES,
        ("--preprocess", "imagenet", "--sigma", "128"),
        ("0.501961",),
        ("--preprocess", "imagenet", "--sigma", "0.501961"),
        2,
    ),
    "sigma in levels, by bounds": Hint(
        lambda: linear(("n", 3, 16, 16)),
        IMAGES,
        (*NONE, "--sigma", "128"),
        ("--bounds 0 255", "zero-one"),
        ("--preprocess", "zero-one", "--sigma", "128", "--bounds", "0", "255"),
        2,
    ),
    "open axes of a declared size": Hint(
        lambda: pooled("n", "c", "h", "w"),
        IMAGES,
        CONFIG,
        ("--input-shape 3,16,16",),
        (*CONFIG, "--input-shape", "3,16,16"),
        4,
    ),
    "open axes": Hint(
        lambda: pooled("n", 3, "h", "w"),
        IMAGES,
        NONE,
        ("--input-shape",),
        (*NONE, "--input-shape", "3,16,16"),
        4,
    ),
    "layout of a colour image for a flat input": Hint(
        lambda: linear(("n", 768)),
        IMAGES,
        NONE,
        ("layout",),
        ("--preprocess", "none,layout=NHWC"),
        1,
    ),
    "layout of five channels": Hint(
        lambda: linear(("n", 5, 6, 7)),
        np.zeros((4, 6, 7, 5), np.float32),
        NONE,
        ("layout",),
        ("--preprocess", "none,layout=NCHW"),
        1,
    ),
    "layout of three by three": Hint(
        lambda: linear(("n", 3, 16, 3)),
        IMAGES[:, :, :3],
        NONE,
        ("layout",),
        ("--preprocess", "none,layout=NCHW"),
        4,
    ),
    "one score": Hint(
        lambda: linear(("n", 3, 16, 16), classes=1),
        IMAGES,
        NONE,
        ("--threshold",),
        (*NONE, "--threshold", "0"),
        4,
    ),
    "two inputs": Hint(two_inputs, IMAGES, NONE, ("--feed",), (*NONE, "--feed", "shift=0"), 4),
    "two outputs": Hint(
        two_outputs, IMAGES, NONE, ("--output-name",), (*NONE, "--output-name", "others"), 4
    ),
    "a crop of more than there is": Hint(
        lambda: linear(("n", 3, 20, 20)),
        IMAGES,
        ("--preprocess", "none,crop=20"),
        ("resize",),
        ("--preprocess", "none,resize=20,crop=20"),
        1,
    ),
    "nothing declared": Hint(
        lambda: linear(("n", 3, 16, 16)),
        IMAGES,
        (),
        ("imagenet",),
        ("--preprocess", "imagenet"),
        2,
    ),
}


@pytest.mark.parametrize("name", HINTS)
def test_what_a_refusal_names_leads_on(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hint = HINTS[name]
    monkeypatch.chdir(tmp_path)
    onnx.save(hint.model(), "model.onnx")
    np.savez("data.npz", x=hint.data)
    Path("preprocessor_config.json").write_text(
        '{"do_resize": true, "size": {"height": 16, "width": 16}, "do_rescale": true,'
        ' "do_normalize": false, "image_processor_type": "ViTImageProcessor"}'
    )
    command = ["certify", "model.onnx", "data.npz", "--n", "20", "--n0", "2", "--alpha", "0.01"]
    command += ["--providers", "cpu"]
    sigma = [] if "--sigma" in hint.refused else ["--sigma", "0.1"]
    assert run([*command, *sigma, *hint.refused, "-o", "refused.jsonl"]) == hint.code
    said = capsys.readouterr().err.splitlines()[-1]
    assert all(named in said for named in hint.named), said
    assert run([*command, *sigma, *hint.followed, "-o", "followed.jsonl"]) == 0
