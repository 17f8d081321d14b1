"""What ``rsonnx inspect`` says of preprocessings by data, and its exit code for what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx_models import build, linear, node
from PIL import Image
from scipy import stats

from rsonnx.cli import preprocessings, run

CLASSES = 60
_RANDOM = np.random.default_rng(3)
COLOURS = _RANDOM.integers(0, 256, (CLASSES, 3)).astype(np.uint8)
"""Of the classes, RGB; neighbours are some 50 levels apart."""

TAKEN: dict[str, tuple[float, Any, Any, bool]] = {
    "raw-255": (255, 0, 1, False),
    "raw-255,channels=bgr": (255, 0, 1, True),
    "minus-one-one": (1, 0.5, 0.5, False),
    "minus-half": (1, 0.5, 1, False),
    "caffe": (255, [104, 117, 123], 1, True),
    "vgg": (255, [123.68, 116.78, 103.94], 1, False),
    "cifar10-kuangliu": (1, [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010], False),
    "imagenet": (1, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], False),
}
"""Scale, mean, std and whether blue comes first, as the models' authors publish them."""


def prepared(levels: NDArray[Any], name: str) -> NDArray[np.float64]:
    scale, mean, std, blue_first = TAKEN[name]
    ordered = levels[..., ::-1] if blue_first else levels
    found: NDArray[np.float64] = (scale * ordered / 255 - np.array(mean)) / np.array(std)
    return found


def save_nearest(
    path: Path, name: str, side: int = 8, metadata: Mapping[str, str] | None = None
) -> None:
    """Class k has the mean colour that is nearest to its own, as the preprocessing gives both."""
    centres = prepared(COLOURS.astype(np.float64), name)
    proto = build(
        [
            node("GlobalAveragePool", ["x"], "pooled"),
            node("Flatten", ["pooled"], "mean"),
            node("Gemm", ["mean", "w", "b"], "scores"),
        ],
        ("n", 3, side, side),
        ("n", CLASSES),
        {
            "w": (2 * centres.T).astype(np.float32),
            "b": -(centres**2).sum(1).astype(np.float32),
        },
        metadata=metadata,
    )
    onnx.save(proto, path)


def save_colours(path: Path, height: int = 8, width: int = 8, each: int = 3) -> None:
    """Pictures of one colour each, a few levels from their class's."""
    labels = np.repeat(np.arange(CLASSES), each)
    moved = COLOURS[labels].astype(int) + np.random.default_rng(4).integers(-3, 4, (len(labels), 3))
    flat = np.clip(moved, 0, 255).astype(np.uint8)
    x = np.broadcast_to(flat[:, None, None], (len(labels), height, width, 3))
    np.savez(path, x=x, y=labels)


def inspected(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert run(["inspect", *map(str, arguments), "--providers", "cpu", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspected")
    for name in TAKEN:
        save_nearest(folder / f"{name}.onnx", name)
    save_colours(folder / "colours.npz")
    return folder


@pytest.mark.parametrize("name", TAKEN)
def test_what_the_model_takes_comes_first_and_is_told_from_all_others(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = inspected(capsys, here / f"{name}.onnx", here / "colours.npz")["preprocessings"]
    first, *others = found
    assert (first["preprocess"], first["accuracy"], first["inputs"]) == (name, 1.0, 3 * CLASSES)
    assert first["like_best"]
    assert len(others) > 10
    # 12 discordant inputs that all lean one way are rarer than 5 % by the number of others.
    clear = [one for one in others if one["accuracy"] is not None and one["right"] <= 168]
    assert len(clear) > 10
    assert not any(one["like_best"] for one in clear)


def test_each_figure_is_what_onnxruntime_and_scipy_say(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = here / "cifar10-kuangliu.onnx"
    found = inspected(capsys, path, here / "colours.npz")["preprocessings"]
    data = np.load(here / "colours.npz")
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    right = {}
    for name in TAKEN:
        batch = np.moveaxis(prepared(data["x"].astype(np.float64), name), -1, 1)
        answers = session.run(None, {"x": np.ascontiguousarray(batch, np.float32)})[0].argmax(1)
        right[name] = answers == data["y"]
    best = right["cifar10-kuangliu"]
    compared = [one for one in found if one["preprocess"] in TAKEN]
    assert len(compared) == len(TAKEN)
    for one in compared:
        own = right[one["preprocess"]]
        hits, inputs = int(own.sum()), len(own)
        assert (one["right"], one["inputs"], one["accuracy"]) == (hits, inputs, hits / inputs)
        exact = stats.binomtest(hits, inputs).proportion_ci(0.95, method="exact")
        # Ours is rounded outward, in the last digits.
        assert one["interval"] == pytest.approx([exact.low, exact.high], abs=1e-9)
        lost, won = int((best & ~own).sum()), int((own & ~best).sum())
        p_value = stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
        assert one["p_value"] == pytest.approx(p_value, rel=1e-9)
        others = sum(tried["accuracy"] is not None for tried in found) - 1
        assert one["like_best"] is bool(p_value > 0.05 / others)


def test_few_inputs_cannot_tell(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = np.load(here / "colours.npz")
    np.savez(tmp_path / "few.npz", x=data["x"][::60], y=data["y"][::60])
    arguments = ["inspect", str(here / "raw-255.onnx"), str(tmp_path / "few.npz")]
    assert run(arguments) == 0
    assert "cannot tell apart" in capsys.readouterr().out
    found = inspected(capsys, *arguments[1:])
    assert all(one["like_best"] for one in found["preprocessings"] if one["accuracy"] is not None)


def test_data_of_one_class_are_said_to_tell_nothing(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = np.load(here / "colours.npz")
    np.savez(tmp_path / "one.npz", x=data["x"][:3], y=data["y"][:3])
    said = inspected(capsys, here / "raw-255.onnx", tmp_path / "one.npz")["preprocessings_said"]
    assert any("one class" in sentence for sentence in said)
    said = inspected(capsys, here / "raw-255.onnx", here / "colours.npz")["preprocessings_said"]
    assert not any("one class" in sentence for sentence in said)


def test_a_model_that_is_never_right_more_often_than_one_class_is_said_to_be(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(here / "raw-255.onnx")
    for weight in model.graph.initializer:
        if weight.name == "w":
            weight.raw_data = bytes(len(weight.raw_data))
    onnx.save(model, tmp_path / "constant.onnx")
    said = inspected(capsys, tmp_path / "constant.onnx", here / "colours.npz")
    assert any("commonest class" in sentence for sentence in said["preprocessings_said"])


def test_unlabelled_data_end_in_a_sentence_below_the_facts(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "bare.npz", x=np.load(here / "colours.npz")["x"])
    assert run(["inspect", str(here / "raw-255.onnx"), str(tmp_path / "bare.npz")]) == 1
    captured = capsys.readouterr()
    assert "verdict" in captured.out
    assert "labels" in captured.err


@pytest.mark.parametrize("inputs", [399, 500, 600, 1000])
def test_classes_that_take_turns_are_all_met(
    inputs: int, here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stride of so many inputs by 200 would meet one class, or few, of those that take turns."""
    turns = -(-inputs // 200)
    labels = np.arange(inputs) % turns
    x = np.broadcast_to(COLOURS[labels][:, None, None], (inputs, 8, 8, 3))
    np.savez(tmp_path / "turns.npz", x=x, y=labels)
    found = inspected(capsys, here / "raw-255.onnx", tmp_path / "turns.npz")
    assert 90 <= found["preprocessings"][0]["inputs"] <= 200
    assert not any("one class" in sentence for sentence in found["preprocessings_said"])


def save_framed(folder: Path, side: int, frame: int) -> None:
    """PNG files of a class's colour within a frame that only the crop of the middle leaves out."""
    for k in range(12):
        path = folder / f"{k:02d}" / "a.png"
        path.parent.mkdir(parents=True)
        picture = np.full((side, side + k, 3), 255 - COLOURS[k], np.uint8)
        picture[frame:-frame, frame:-frame] = COLOURS[k]
        Image.fromarray(picture).save(path)


def test_pictures_of_other_sizes_are_resized_and_the_line_can_be_given_to_certify(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_nearest(tmp_path / "model.onnx", "caffe", side=56)
    save_framed(tmp_path / "data", side=160, frame=9)
    (tmp_path / "names.txt").write_text("".join(f"{k:02d}\n" for k in range(CLASSES)))
    model, data = tmp_path / "model.onnx", tmp_path / "data"
    names = ("--classes", str(tmp_path / "names.txt"))
    found = inspected(capsys, model, data, *names)
    first = found["preprocessings"][0]
    assert first["preprocess"] == "caffe,resize=64,crop=56"
    assert any("56x56" in sentence for sentence in found["preprocessings_said"])
    tried = {one["preprocess"]: one["accuracy"] for one in found["preprocessings"]}
    assert "caffe,resize=56/56" in tried
    for text in ("caffe,resize=64,crop=56", "caffe,resize=56/56"):
        arguments = [str(model), str(data), "--preprocess", text, *names]
        assert inspected(capsys, *arguments)["preprocessings"][0]["accuracy"] <= tried[text]
        given = ["--sigma", "0.001", "--n", "20", "--n0", "5", "--alpha", "0.01"]
        output = tmp_path / f"{len(text)}.jsonl"
        assert run(["certify", *arguments, *given, "-o", str(output)]) == 0
        capsys.readouterr()
        rows = [json.loads(line) for line in output.read_text().splitlines()]
        answers = [row["prediction"] == row["label"] for row in rows if row["kind"] == "input"]
        assert np.mean(answers) == pytest.approx(tried[text], abs=1e-9)


def test_a_model_that_is_no_square_gets_all_of_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(linear(("n", 3, 6, 8), classes=CLASSES), tmp_path / "wide.onnx")
    save_colours(tmp_path / "colours.npz", 12, 12, each=1)
    found = inspected(capsys, tmp_path / "wide.onnx", tmp_path / "colours.npz")["preprocessings"]
    assert all(one["preprocess"].endswith(",resize=6/8") for one in found)


def test_what_is_stated_is_tried_as_it_stands_and_its_resizing_holds_for_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_nearest(tmp_path / "model.onnx", "vgg")
    save_colours(tmp_path / "colours.npz", 12, 16)
    stated = "scale=255,mean=120,resize=10,crop=8,center=floor"
    arguments = (tmp_path / "model.onnx", tmp_path / "colours.npz", "--preprocess", stated)
    texts = [one["preprocess"] for one in inspected(capsys, *arguments)["preprocessings"]]
    assert stated in texts
    rest = "resize=10,interpolation=bilinear,crop=8/8,center=floor"
    assert texts[0] == f"vgg,{rest}"
    assert all(text == stated or text.endswith(f",{rest}") for text in texts)


def test_a_file_that_states_no_size_is_resized_for_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_nearest(tmp_path / "model.onnx", "minus-one-one")
    save_colours(tmp_path / "colours.npz", 12, 16)
    stated = tmp_path / "own.json"
    stated.write_text('{"mean": [0.5], "std": [0.5]}')
    arguments = (tmp_path / "model.onnx", tmp_path / "colours.npz", "--preprocess", stated)
    found = inspected(capsys, *arguments)["preprocessings"]
    tried = [one["preprocess"] for one in found if one["accuracy"] is not None]
    assert tried[0] == "scale=1,mean=0.5,std=0.5,resize=9,crop=8"


def test_a_size_that_is_stated_and_does_not_fit_is_not_corrected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_nearest(tmp_path / "model.onnx", "vgg")
    save_colours(tmp_path / "colours.npz", 12, 16)
    arguments = [str(tmp_path / "model.onnx"), str(tmp_path / "colours.npz")]
    assert run(["inspect", *arguments, "--preprocess", "vgg,resize=8", "--providers", "cpu"]) == 1
    assert "8x10" in capsys.readouterr().err


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_both_layouts_of_a_flat_input_are_tried(
    layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model's class is that of the nearest picture, value by value."""
    x = np.random.default_rng(6).integers(0, 256, (CLASSES, 4, 4, 3)).astype(np.uint8)
    ordered = np.moveaxis(x, -1, 1) if layout == "NCHW" else x
    centres = ordered.reshape(CLASSES, 48).astype(np.float32) / 255
    weights = {"w": 2 * centres.T, "b": -(centres**2).sum(1)}
    made = [node("Gemm", ["x", "w", "b"], "scores")]
    onnx.save(build(made, ("n", 48), ("n", CLASSES), weights), tmp_path / "flat.onnx")
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(CLASSES))
    found = inspected(capsys, tmp_path / "flat.onnx", tmp_path / "data.npz")["preprocessings"]
    assert (found[0]["preprocess"], found[0]["accuracy"]) == (f"none,layout={layout}", 1.0)
    other = {"NCHW": "NHWC", "NHWC": "NCHW"}[layout]
    accuracies = {one["preprocess"]: one["accuracy"] for one in found}
    assert accuracies[f"none,layout={other}"] < 0.5


def test_what_the_file_states_is_tried_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stated = {"rsonnx.preprocess": '{"scale": 255, "mean": [123.7, 116.8, 103.9]}'}
    save_nearest(tmp_path / "model.onnx", "vgg", metadata=stated)
    save_colours(tmp_path / "colours.npz")
    found = inspected(capsys, tmp_path / "model.onnx", tmp_path / "colours.npz")
    assert found["preprocessings"][0]["preprocess"] == "scale=255,mean=123.7/116.8/103.9,std=1"


def test_progress_is_said_beside_the_json(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessings, "_PAUSE", 0.0)
    arguments = [str(here / "vgg.onnx"), str(here / "colours.npz"), "--providers", "cpu"]
    assert run(["inspect", *arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["preprocessings"][0]["preprocess"] == "vgg"
    assert "caffe: 7 of 180 inputs" in captured.err


REFUSED = {
    "open": (lambda: linear(("n", 3, "h", "w")), ()),
    "one score": (lambda: linear(("n", 3, 8, 8), classes=1), ()),
    "random": (
        lambda: build(
            [
                node("RandomNormalLike", ["x"], "noise"),
                node("Flatten", ["noise"], "scores"),
            ],
            ("n", 3, 8, 8),
            ("n", 192),
        ),
        (),
    ),
}


@pytest.mark.parametrize("with_data", [False, True])
@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_model_ends_in_4_below_its_facts(
    name: str,
    with_data: bool,
    here: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make, options = REFUSED[name]
    onnx.save(make(), tmp_path / "refused.onnx")
    data = [str(here / "colours.npz")] if with_data else []
    arguments = ["inspect", str(tmp_path / "refused.onnx"), *data, *options]
    assert run([*arguments, "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"].startswith("refused")
    assert found["sha256"]
    assert run(arguments) == 4
    captured = capsys.readouterr()
    assert "refused" in captured.out
    assert "operators" in captured.out


def test_what_only_running_shows_is_a_refusal_too(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proto = build(
        [node("Reshape", ["x", "target"], "scores")],
        ("n", 3, 8, 8),
        ("n", 10),
        {"target": np.array([-1, 10])},  # 192 values are no multiple of 10
    )
    onnx.save(proto, tmp_path / "broken.onnx")
    arguments = ["inspect", str(tmp_path / "broken.onnx"), str(here / "colours.npz")]
    assert run([*arguments, "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["verdict"].startswith("refused")
    assert run(arguments) == 4
    assert "broken.onnx" in capsys.readouterr().err


def test_a_stated_preprocessing_that_does_not_fit_is_found_without_data(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(linear(("n", 1, 8, 8)), here / "grey.onnx")
    assert run(["inspect", str(here / "grey.onnx"), "--preprocess", "imagenet"]) == 2
    assert "channels" in capsys.readouterr().err
