"""How data are read is decided before the run, said, recorded, and held to by all that follows."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from rsonnx.cli import run
from rsonnx.runs import read_run

FEW = ("--preprocess", "none", "--sigma", "0.1", "--n", "100", "--n0", "10", "--seed", "1")


def _save(path: Path, weights: np.ndarray, bias: np.ndarray, shape: tuple[int, ...]) -> Path:
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["scores"]),
        ],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", len(bias)])],
        [
            numpy_helper.from_array(weights.astype(np.float32), "w"),
            numpy_helper.from_array(bias.astype(np.float32), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.fixture
def halves(tmp_path: Path) -> tuple[Path, Path]:
    """Which half is bright, `bottom` or `top`; half of the pictures are stored upside down."""
    rows = np.repeat(np.eye(2), 32, axis=0)  # the rows above, then those below
    model = _save(tmp_path / "halves.onnx", rows[:, ::-1], np.zeros(2), (1, 8, 8))
    for name, bright in (("top", slice(0, 4)), ("bottom", slice(4, 8))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for at in range(4):
            pixels = np.full((8, 8), 60 + at, np.uint8)
            pixels[bright] = 200
            exif = Image.Exif()
            if at % 2:
                pixels, exif[274] = pixels[::-1, ::-1], 3
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{at}.png", exif=exif)
    return model, tmp_path / "data"


def certify(model: Path, data: Path, output: Path, *options: str) -> int:
    return run(["certify", str(model), str(data), *FEW, "-o", str(output), *options])


def right(path: Path) -> int:
    return sum(row.prediction == row.label for row in read_run(path).rows)


def test_orientation_is_applied_counted_and_said(
    halves: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    applied, ignored = tmp_path / "applied.jsonl", tmp_path / "ignored.jsonl"
    assert certify(*halves, applied) == 0
    before = capsys.readouterr().err
    assert "4 of 8" in before.split("manifest")[0]
    assert "--exif ignore" in before
    assert right(applied) == 8
    assert certify(*halves, ignored, "--exif", "ignore") == 0
    assert "EXIF" not in capsys.readouterr().err
    assert right(ignored) == 4
    for path, exif, turned in ((applied, "apply", 4), (ignored, "ignore", 0)):
        header = read_run(path).header["data"]
        assert (header["exif"], header["turned"]) == (exif, turned)
    assert certify(*halves, applied, "--resume", "--exif", "ignore") == 2
    assert "exif" in capsys.readouterr().err
    assert certify(*halves, applied, "--resume") == 0


@pytest.mark.parametrize("exif", ["apply", "ignore"])
def test_a_run_is_verified_and_shown_as_it_was_read(
    exif: str, halves: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = halves
    path = tmp_path / "run.jsonl"
    assert certify(model, data, path, "--exif", exif) == 0
    words = ["--model", str(model), "--data", str(data), "--replay", "8", "--json"]
    capsys.readouterr()
    assert run(["verify", str(path), *words]) == 0
    assert json.loads(capsys.readouterr().out)["replay"]["exact"]
    page = tmp_path / "page.html"
    assert run(["report", str(path), "--html", str(page), "--data", str(data)]) == 0
    assert page.read_text(encoding="utf-8").count("data:image/png;base64") == 8


def test_a_run_of_a_time_before_orientation_was_recorded_was_read_as_stored(
    halves: tuple[Path, Path], tmp_path: Path
) -> None:
    model, data = halves
    path = tmp_path / "run.jsonl"
    words = ["--model", str(model), "--data", str(data)]
    for exif, code in (("ignore", 0), ("apply", 1)):
        path.unlink(missing_ok=True)
        assert certify(model, data, path, "--exif", exif) == 0
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for field in ("exif", "turned", "left_out"):
            del lines[0]["data"][field]
        del lines[0]["arguments"]["resolved"]["exif"], lines[0]["noise"]["stream"]
        lines[0]["noise"]["generator"] = (
            "numpy Philox4x64-10, keyed by SHA-256 of seed, input digest and stage"
        )
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert run(["verify", str(path), *words]) == code


def test_what_is_not_read_is_said_and_recorded_but_not_part_of_the_run(
    halves: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = halves
    path = tmp_path / "run.jsonl"
    for name in ("top/phone.heic", "bottom/other.heic", "labels.csv", ".DS_Store"):
        (data / name).write_bytes(b"x")
    assert certify(model, data, path) == 0
    before = capsys.readouterr().err.split("manifest")[0]
    for part in ("3 files", "2 .heic", "1 .csv", "1 file,", ".DS_Store"):
        assert part in before
    assert read_run(path).header["data"]["left_out"] == {".heic": 2, ".csv": 1}
    (data / "labels.csv").unlink()
    assert certify(model, data, path, "--resume") == 0


@pytest.fixture
def order(tmp_path: Path) -> Callable[[int], tuple[Path, Path]]:
    """A model of 12 classes that was trained on folders 0 to 11 in text order, and such folders."""

    def make(each: int) -> tuple[Path, Path]:
        colours = np.array([[k % 2, k // 2 % 2, k // 4 / 2] for k in range(12)]) * 0.8 + 0.1
        trained = colours[[int(name) for name in sorted(map(str, range(12)))]]
        weights = np.repeat(2 * trained.T / 16, 16, axis=0)
        model = _save(tmp_path / "text.onnx", weights, -(trained**2).sum(1), (3, 4, 4))
        for k, colour in enumerate(np.rint(colours * 255).astype(np.uint8)):
            (tmp_path / "numbers" / str(k)).mkdir(parents=True)
            for at in range(each):
                pixels = np.tile(colour, (4, 4, 1))
                pixels[0, 0, 0] ^= at
                Image.fromarray(pixels).save(tmp_path / "numbers" / str(k) / f"{at}.png")
        return model, tmp_path / "numbers"

    return make


def test_the_data_decide_the_order_of_folders_that_are_numbers(
    order: Callable[[int], tuple[Path, Path]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, data = order(3)
    path = tmp_path / "run.jsonl"
    assert certify(model, data, path, "--skip-every", "5") == 0
    before = capsys.readouterr().err.split("manifest")[0]
    assert "36 inputs" in before
    assert "text order" in before
    assert right(path) == len(read_run(path).rows) == 8
    assert "text order" in read_run(path).header["data"]["labels"]
    words = ["--model", str(model), "--data", str(data), "--replay", "2"]
    assert run(["verify", str(path), *words]) == 0


def test_too_few_inputs_do_not_decide_the_order(
    order: Callable[[int], tuple[Path, Path]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, data = order(1)
    assert certify(model, data, tmp_path / "run.jsonl") == 1
    assert "--classes" in capsys.readouterr().err
    for names in (sorted(map(str, range(12))), {str(k): k for k in range(12)}):
        classes = tmp_path / "classes"
        classes.write_text(json.dumps(names) if isinstance(names, dict) else "\n".join(names))
        path = tmp_path / f"{type(names).__name__}.jsonl"
        assert certify(model, data, path, "--classes", str(classes)) == 0
        assert right(path) == (2 if isinstance(names, dict) else 12)


def test_another_number_of_class_names_than_of_classes_is_refused(
    halves: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for names in ("bottom\ntop\nleft", '["top", "bottom", "left"]'):
        (tmp_path / "classes").write_text(names)
        output, classes = tmp_path / "run.jsonl", str(tmp_path / "classes")
        assert certify(*halves, output, "--classes", classes) == 1
        error = capsys.readouterr().err
        assert "3 class names" in error
        assert "2 classes" in error


@pytest.fixture
def digits(tmp_path: Path) -> Callable[..., Path]:
    def make(largest: int, dtype: str = "uint8") -> Path:
        values = np.random.default_rng(2).integers(0, largest + 1, (6, 1, 8, 8))
        values[0, 0, 0, 0] = largest
        np.savez(tmp_path / f"{dtype}.npz", x=values.astype(dtype), y=np.zeros(6, int))
        return tmp_path / f"{dtype}.npz"

    return make


@pytest.mark.parametrize(
    ("largest", "bounds", "code"),
    [
        (0, (0, 1), 1),
        (1, (0, 1), 1),
        (16, (0, 1), 1),
        (16, (0, 16), 1),
        (15, (-1, 1), 1),
        (100, (0, 100), 1),
        (16, (0, 255), 0),  # where levels are the numbers
        (17, (0, 1), 0),
        (127, (0, 1), 0),
        (128, (0, 1), 0),
        (255, (0, 16), 0),
        (255, (0, 1000), 1),
    ],
)
def test_small_numbers_of_uint8_are_no_levels(
    largest: int,
    bounds: tuple[int, int],
    code: int,
    digits: Callable[..., Path],
    halves: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    declared = ["--bounds", *map(str, bounds)]
    output = tmp_path / "run.jsonl"
    assert certify(halves[0], digits(largest), output, *declared) == code
    error = capsys.readouterr().err
    if code:
        assert f"largest value is {largest};" in error
        assert (f"--bounds {min(bounds[0], 0)} {largest}" in error) == (largest > bounds[1])
    else:
        assert ("of 255 levels; if" in error) == (largest < 128 and bounds != (0, 255))


def test_both_remedies_of_small_numbers_work(
    digits: Callable[..., Path], halves: tuple[Path, Path], tmp_path: Path
) -> None:
    model, values = halves[0], np.load(digits(16))["x"]
    meant, levels = tmp_path / "meant.npz", tmp_path / "levels.npz"
    np.savez(meant, x=values.astype("float32"), y=np.zeros(6, int))
    np.savez(levels, x=(values / 255 * 16).astype("float32"), y=np.zeros(6, int))
    for data in (meant, levels):
        output = data.with_suffix(".jsonl")
        assert certify(model, data, output, "--bounds", "0", "16", "--sigma", "1") == 0
    assert read_run(levels.with_suffix(".jsonl")).header["noise"]["arithmetic"] == "exact"


def test_an_idx_file_of_masks_is_refused(halves: tuple[Path, Path], tmp_path: Path) -> None:
    header = b"\0\0\x08\3" + b"".join(n.to_bytes(4, "big") for n in (2, 8, 8))
    for largest, code in ((1, 1), (255, 0)):
        data = tmp_path / f"images-idx3-ubyte-{largest}"
        data.write_bytes(header + bytes([0, largest] * 64))
        assert certify(halves[0], data, tmp_path / f"{largest}.jsonl") == code


@pytest.mark.parametrize(
    ("largest", "bounds", "said"),
    [(1, (0, 1), True), (9, (-1, 1), True), (255, (0, 1), False), (1, (0, 255), False)],
)
def test_pictures_of_small_numbers_are_said(
    largest: int,
    bounds: tuple[int, int],
    said: bool,
    halves: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Masks and digits in class folders are read as levels of 255, and surely not meant so."""
    for k in range(2):
        (tmp_path / "masks" / str(k)).mkdir(parents=True)
        mask = np.full((8, 8), 0, np.uint8)
        mask[k] = largest
        Image.fromarray(mask).save(tmp_path / "masks" / str(k) / "a.png")
    declared = ["--bounds", *map(str, bounds)]
    assert certify(halves[0], tmp_path / "masks", tmp_path / "run.jsonl", *declared) == 0
    assert (f"is {largest} of 255 levels" in capsys.readouterr().err) == said


@pytest.mark.parametrize(("high", "said"), [(123, True), (1, False), (255, False)])
def test_levels_above_a_bound_that_may_count_them_are_said(
    high: int,
    said: bool,
    digits: Callable[..., Path],
    halves: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    declared = ["--bounds", "0", str(high)]
    assert certify(halves[0], digits(200), tmp_path / "run.jsonl", *declared) == 0
    assert ("--bounds 0 200" in capsys.readouterr().err) == said


@pytest.mark.parametrize("classes", [2, 4])
def test_a_guessing_model_is_found_where_classes_take_turns(
    classes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every second or fourth input is of one class."""
    y = np.arange(400) % classes
    model = _save(tmp_path / "always.onnx", np.zeros((4, classes)), -np.arange(classes), (4,))
    np.savez(tmp_path / "turns.npz", x=np.random.default_rng(3).random((400, 4)), y=y)
    assert certify(model, tmp_path / "turns.npz", tmp_path / "run.jsonl") == 0
    error = capsys.readouterr().err
    assert f"{100 // classes} of 100 labelled" in error
    assert "hardly better" in error


@pytest.mark.parametrize("command", ["predict", "preview"])
def test_other_commands_read_pictures_alike(
    command: str,
    halves: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, data = map(str, halves)
    options = ["--preprocess", "none", "--sigma", "0.1", "--seed", "1"]
    for exif, expected in (("apply", 8), ("ignore", 4)):
        if command == "preview":
            options = [*options[:6], "-o", str(tmp_path / f"{exif}.png"), "--limit", "8"]
        assert run([command, model, data, *options, "--exif", exif, "--json"]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        answered = "answer" if command == "preview" else "prediction"
        assert sum(row[answered] == row["label"] for row in rows) == expected


def test_a_turned_picture_fits_by_its_turned_shape(tmp_path: Path) -> None:
    model = _save(tmp_path / "tall.onnx", np.ones((32, 2)), np.zeros(2), (1, 8, 4))
    out, exif = io.BytesIO(), Image.Exif()
    exif[274] = 6
    Image.fromarray(np.zeros((4, 8), np.uint8)).save(out, "JPEG", exif=exif)
    (tmp_path / "wide").mkdir()
    (tmp_path / "wide" / "a.jpg").write_bytes(out.getvalue())
    assert certify(model, tmp_path / "wide", tmp_path / "run.jsonl") == 0
    assert certify(model, tmp_path / "wide", tmp_path / "other.jsonl", "--exif", "ignore") == 1
