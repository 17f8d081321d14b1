"""What ``rsonnx inspect`` says of preprocessings by data, and its exit code for what is refused."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from commands import Outcome, command, done
from numpy.typing import NDArray
from onnx_models import build, linear, node
from PIL import Image
from scipy import stats

from rsonnx.data import open_dataset
from rsonnx.model import ModelSettings, read_model
from rsonnx.runs import read_run
from rsonnx.runs.preprocessings import try_preprocessings
from rsonnx.smoothing import make_plan

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


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspected")
    for name in TAKEN:
        save_nearest(folder / f"{name}.onnx", name)
    save_colours(folder / "colours.npz")
    return folder


@pytest.fixture(autouse=True)
def here(coloured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models that take colours as they are prepared, with pictures of one each."""
    for path in coloured.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inspected(words: str) -> dict[str, Any]:
    found: dict[str, Any] = done(f"inspect {words} --providers cpu --json").json()
    return found


def tried(words: str) -> list[dict[str, Any]]:
    """Return the preprocessings that were tried, the best first."""
    found: list[dict[str, Any]] = inspected(words)["preprocessings"]
    return found


@pytest.mark.parametrize("name", TAKEN)
def test_what_the_model_takes_comes_first_and_is_told_from_all_others(name: str) -> None:
    first, *others = tried(f"{name}.onnx colours.npz")
    assert (first["preprocess"], first["accuracy"], first["inputs"]) == (name, 1.0, 3 * CLASSES)
    assert first["like_best"]
    # 12 discordant inputs that all lean one way are rarer than 5 % by the number of others.
    clear = [one for one in others if one["accuracy"] is not None and one["right"] <= 168]
    assert len(clear) > 10
    assert not any(one["like_best"] for one in clear)


def test_a_file_that_declares_one_is_tried_by_its_name() -> None:
    Path("own.json").write_text('{"scale": 254, "layout": "NCHW"}', encoding="utf-8")
    by_name = {t["preprocess"]: t for t in tried("raw-255.onnx colours.npz --preprocess own.json")}
    assert by_name["own.json"]["accuracy"] > 0.9


def test_each_figure_is_what_onnxruntime_and_scipy_say() -> None:
    found = tried("cifar10-kuangliu.onnx colours.npz")
    data = np.load("colours.npz")
    session = ort.InferenceSession("cifar10-kuangliu.onnx", providers=["CPUExecutionProvider"])
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
        others = sum(other["accuracy"] is not None for other in found) - 1
        assert one["like_best"] is bool(p_value > 0.05 / others)


def test_what_data_cannot_tell_is_said() -> None:
    data = np.load("colours.npz")
    np.savez("few.npz", x=data["x"][::60], y=data["y"][::60])
    assert "cannot tell apart" in done("inspect raw-255.onnx few.npz").out
    few = inspected("raw-255.onnx few.npz")
    alike = [one for one in few["preprocessings"] if one["accuracy"] is not None]
    assert all(one["like_best"] for one in alike)
    declared = [shlex.split(line)[4] for line in few["declare"]]
    assert declared == [one["preprocess"] for one in alike]
    np.savez("one.npz", x=data["x"][:3], y=data["y"][:3])
    model = onnx.load("raw-255.onnx")
    for weight in model.graph.initializer:
        if weight.name == "w":
            weight.raw_data = bytes(len(weight.raw_data))
    onnx.save(model, "constant.onnx")
    for words, sentence in (
        ("raw-255.onnx one.npz", "one class"),
        ("constant.onnx colours.npz", "commonest class"),
    ):
        undecided = inspected(words)
        assert sentence in " ".join(undecided["preprocessings_said"])
        assert undecided["declare"] == []
    said = " ".join(inspected("raw-255.onnx colours.npz")["preprocessings_said"])
    assert "one class" not in said
    np.savez("bare.npz", x=data["x"])
    bare = command("inspect raw-255.onnx bare.npz")
    assert (bare.code, "verdict" in bare.out, "labels" in bare.err) == (1, True, True)


@pytest.mark.parametrize("inputs", [399, 500, 600, 1000])
def test_classes_that_take_turns_are_all_met(inputs: int) -> None:
    """A stride of so many inputs by 200 would meet one class, or few, of those that take turns."""
    turns = -(-inputs // 200)
    labels = np.arange(inputs) % turns
    x = np.broadcast_to(COLOURS[labels][:, None, None], (inputs, 8, 8, 3))
    np.savez("turns.npz", x=x, y=labels)
    found = inspected("raw-255.onnx turns.npz")
    assert 90 <= found["preprocessings"][0]["inputs"] <= 200
    assert not any("one class" in sentence for sentence in found["preprocessings_said"])


def test_pictures_of_other_sizes_are_resized_and_the_line_can_be_given_to_certify(
    here: Path,
) -> None:
    """A frame of another colour is left out by the crop of the middle alone."""
    save_nearest(here / "model.onnx", "caffe", side=56)
    for k in range(12):
        path = here / "data" / f"{k:02d}" / "a.png"
        path.parent.mkdir(parents=True)
        picture = np.full((160, 160 + k, 3), 255 - COLOURS[k], np.uint8)
        picture[9:-9, 9:-9] = COLOURS[k]
        Image.fromarray(picture).save(path)
    (here / "names.txt").write_text("".join(f"{k:02d}\n" for k in range(CLASSES)))
    words = "model.onnx data --classes names.txt"
    found = inspected(words)
    accuracies = {one["preprocess"]: one["accuracy"] for one in found["preprocessings"]}
    assert found["preprocessings"][0]["preprocess"] == "caffe,resize=64,crop=56"
    assert any("56x56" in sentence for sentence in found["preprocessings_said"])
    for text in ("caffe,resize=64,crop=56", "caffe,resize=56/56"):
        given = f"{words} --preprocess {text}"
        assert tried(given)[0]["accuracy"] <= accuracies[text]
        few = "--sigma 0.001 --n 20 --n0 5 --alpha 0.01 --providers cpu"
        done(f"certify {given} {few} -o {len(text)}.jsonl")
        rows = read_run(f"{len(text)}.jsonl").rows
        answers = [row.prediction == row.label for row in rows]
        assert np.mean(answers) == pytest.approx(accuracies[text], abs=1e-9)


def test_how_pictures_that_do_not_fit_are_resized(here: Path) -> None:
    onnx.save(linear(("n", 3, 6, 8), classes=CLASSES), "wide.onnx")
    save_colours(here / "square.npz", 12, 12, each=1)
    texts = [one["preprocess"] for one in tried("wide.onnx square.npz")]
    assert all(text.endswith(",resize=6/8") for text in texts)  # all of a picture
    save_nearest(here / "model.onnx", "vgg")
    save_colours(here / "other.npz", 12, 16)
    # What is stated is tried as it stands, and its resizing holds for the others.
    stated = "scale=255,mean=120,resize=10,crop=8,center=floor"
    texts = [one["preprocess"] for one in tried(f"model.onnx other.npz --preprocess {stated}")]
    rest = "resize=10,interpolation=bilinear,crop=8/8,center=floor"
    assert stated in texts
    assert texts[0] == f"vgg,{rest}"
    assert all(text == stated or text.endswith(f",{rest}") for text in texts)
    # A file that states no size is resized for; a size that does not fit is not corrected.
    (here / "own.json").write_text('{"mean": [0.5], "std": [0.5]}')
    save_nearest(here / "own.onnx", "minus-one-one")
    found = tried("own.onnx other.npz --preprocess own.json")
    assert found[0]["preprocess"] == "scale=1,mean=0.5,std=0.5,resize=9,crop=8"
    wrong = command("inspect model.onnx other.npz --preprocess vgg,resize=8 --providers cpu")
    assert (wrong.code, "8x10" in wrong.err) == (1, True)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_both_layouts_of_a_flat_input_are_tried(layout: str) -> None:
    """The model's class is that of the nearest picture, value by value."""
    x = np.random.default_rng(6).integers(0, 256, (CLASSES, 4, 4, 3)).astype(np.uint8)
    ordered = np.moveaxis(x, -1, 1) if layout == "NCHW" else x
    centres = ordered.reshape(CLASSES, 48).astype(np.float32) / 255
    weights = {"w": 2 * centres.T, "b": -(centres**2).sum(1)}
    made = [node("Gemm", ["x", "w", "b"], "scores")]
    onnx.save(build(made, ("n", 48), ("n", CLASSES), weights), "flat.onnx")
    np.savez("data.npz", x=x, y=np.arange(CLASSES))
    found = tried("flat.onnx data.npz")
    assert (found[0]["preprocess"], found[0]["accuracy"]) == (f"none,layout={layout}", 1.0)
    other = {"NCHW": "NHWC", "NHWC": "NCHW"}[layout]
    accuracies = {one["preprocess"]: one["accuracy"] for one in found}
    assert accuracies[f"none,layout={other}"] < 0.5


def test_the_model_is_read_once_for_all_that_is_tried(here: Path) -> None:
    path = here / "imagenet.onnx"
    plan = make_plan(read_model(path), ModelSettings(preprocess="none"))
    path.unlink()
    ranking = try_preprocessings(plan, ModelSettings(), None, open_dataset("colours.npz"))
    assert ranking.trials[0].preprocessing == "imagenet"


def test_what_the_file_states_is_tried_too(here: Path) -> None:
    stated = {"rsonnx.preprocess": '{"scale": 255, "mean": [123.7, 116.8, 103.9]}'}
    save_nearest(here / "model.onnx", "vgg", metadata=stated)
    found = tried("model.onnx colours.npz")
    assert found[0]["preprocess"] == "scale=255,mean=123.7/116.8/103.9,std=1"


_RANDOM_NODES = [node("RandomNormalLike", ["x"], "noise"), node("Flatten", ["noise"], "scores")]
_BROKEN = [node("Reshape", ["x", "target"], "scores")]  # 192 values are no multiple of 10
REFUSED = {
    "open": linear(("n", 3, "h", "w")),
    "one score": linear(("n", 3, 8, 8), classes=1),
    "random": build(_RANDOM_NODES, ("n", 3, 8, 8), ("n", 192)),
    "broken": build(_BROKEN, ("n", 3, 8, 8), ("n", 10), {"target": np.array([-1, 10])}),
}


@pytest.mark.parametrize("data", ["", "colours.npz"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_model_ends_in_4_below_its_facts(name: str, data: str) -> None:
    """What only running shows, with data, is a refusal too."""
    onnx.save(REFUSED[name], "refused.onnx")
    words = f"inspect refused.onnx {data}"
    outcome: Outcome = command(f"{words} --json")
    if name == "broken" and not data:
        return
    found = outcome.json()
    assert outcome.code == command(words).code == 4
    assert found["verdict"].startswith("refused")
    assert found["sha256"]
    assert "operators" in command(words).out


def test_a_stated_preprocessing_or_output_that_does_not_fit_is_found_without_data() -> None:
    onnx.save(linear(("n", 1, 8, 8)), "grey.onnx")
    refused_words = "inspect grey.onnx --preprocess imagenet"
    assert (command(refused_words).code, "channels" in command(refused_words).err) == (2, True)
    outcome = command("inspect grey.onnx --output-name nope --json")
    assert outcome.code == 2
    assert outcome.json()["verdict"].startswith("refused")
    assert outcome.json()["noises"] == []
