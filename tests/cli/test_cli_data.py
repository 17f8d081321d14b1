"""How data are read is decided before the run, said, recorded, and held to by all that follows."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import Outcome, command, done, lines_of, refused, same_run, write_lines
from onnx_models import build, node, save
from PIL import Image

from rsonnx.runs import read_run

FEW = "--preprocess none --sigma 0.1 --n 100 --n0 10 --seed 1 --providers cpu -o"
MODEL = "certify halves.onnx"


def _save(name: str, weights: np.ndarray, bias: np.ndarray, shape: tuple[int, ...]) -> None:
    stored = {"w": weights.astype(np.float32), "b": bias.astype(np.float32)}
    made = [node("Flatten", ["x"], "flat"), node("Gemm", ["flat", "w", "b"], "scores")]
    save(build(made, ("N", *shape), ("N", len(bias)), stored), Path(), name)


@pytest.fixture
def halves(here: Path) -> Path:
    """Which half is bright, `bottom` or `top`; half of the pictures are stored upside down."""
    rows = np.repeat(np.eye(2), 32, axis=0)  # the rows above, then those below
    _save("halves.onnx", rows[:, ::-1], np.zeros(2), (1, 8, 8))
    for name, bright in (("top", slice(0, 4)), ("bottom", slice(4, 8))):
        Path("data", name).mkdir(parents=True)
        for at in range(4):
            pixels = np.full((8, 8), 60 + at, np.uint8)
            pixels[bright] = 200
            exif = Image.Exif()
            if at % 2:
                pixels, exif[274] = pixels[::-1, ::-1], 3
            Image.fromarray(pixels).save(Path("data", name, f"{at}.png"), exif=exif)
    return here / "data"


def right(name: str) -> int:
    return sum(row.prediction == row.label for row in read_run(name).rows)


def before(said: Outcome) -> str:
    """Return what was said before the inputs were read."""
    return said.err.split("manifest")[0]


def test_orientation_is_applied_counted_said_and_held_to(halves: Path) -> None:
    said = before(done(f"{MODEL} data {FEW} apply"))
    assert "4 of 8" in said
    assert "--exif ignore" in said
    assert "EXIF" not in done(f"{MODEL} data {FEW} ignore --exif ignore").err
    for exif, turned, hits in (("apply", 4, 8), ("ignore", 0, 4)):
        header = read_run(exif).header.record["data"]
        assert (header["exif"], header["turned"], right(exif)) == (exif, turned, hits)
        again = f"verify {exif} --model halves.onnx --data data --replay 8 --json"
        assert done(again).json()["replay"]["exact"]
        done(f"report {exif} --html {exif}.html --data data")
        assert Path(f"{exif}.html").read_text("utf-8").count("data:image/png;base64") == 8
    refused(f"{MODEL} data {FEW} apply --resume --exif ignore", named="exif")
    done(f"{MODEL} data {FEW} apply --resume")


def test_a_run_of_a_time_before_orientation_was_recorded_was_read_as_stored(halves: Path) -> None:
    for exif, code in (("ignore", 0), ("apply", 1)):
        done(f"{MODEL} data {FEW} {exif} --exif {exif}")
        lines = lines_of(Path(exif))
        for field in ("exif", "turned", "left_out"):
            del lines[0]["data"][field]
        del lines[0]["arguments"]["resolved"]["exif"], lines[0]["noise"]["stream"]
        generator = "numpy Philox4x64-10, keyed by SHA-256 of seed, input digest and stage"
        lines[0]["noise"]["generator"] = generator
        write_lines(Path(exif), lines)
        assert command(f"verify {exif} --model halves.onnx --data data").code == code


def test_what_is_not_read_is_said_and_recorded_but_not_part_of_the_run(halves: Path) -> None:
    for name in ("top/phone.psd", "bottom/other.psd", "labels.csv", ".DS_Store"):
        (halves / name).write_bytes(b"x")
    said = before(done(f"{MODEL} data {FEW} run"))
    assert all(part in said for part in ("2 .psd", "1 .csv", ".DS_Store"))
    assert read_run("run").header.record["data"]["left_out"] == {".psd": 2, ".csv": 1}
    (halves / "labels.csv").unlink()
    done(f"{MODEL} data {FEW} run --resume")


def _save_order(each: int) -> None:
    """A model of 12 classes that was trained on folders 0 to 11 in text order, and such folders."""
    colours = np.array([[k % 2, k // 2 % 2, k // 4 / 2] for k in range(12)]) * 0.8 + 0.1
    trained = colours[[int(name) for name in sorted(map(str, range(12)))]]
    weights = np.repeat(2 * trained.T / 16, 16, axis=0)
    _save("ordered.onnx", weights, -(trained**2).sum(1), (3, 4, 4))
    for k, colour in enumerate(np.rint(colours * 255).astype(np.uint8)):
        Path("numbers", str(k)).mkdir(parents=True)
        for at in range(each):
            pixels = np.tile(colour, (4, 4, 1))
            pixels[0, 0, 0] ^= at
            Image.fromarray(pixels).save(Path("numbers", str(k), f"{at}.png"))


def test_the_data_decide_the_order_of_folders_that_are_numbers(here: Path) -> None:
    _save_order(3)
    assert "text order" in before(done(f"certify ordered.onnx numbers {FEW} run --skip-every 5"))
    assert right("run") == len(read_run("run").rows) == 8
    assert "text order" in read_run("run").header.record["data"]["labels"]
    done("verify run --model ordered.onnx --data numbers --replay 2")


def test_too_few_inputs_do_not_decide_the_order(here: Path) -> None:
    _save_order(1)
    refused(f"certify ordered.onnx numbers {FEW} run", code=1, named="--classes")
    in_text_order = "\n".join(sorted(map(str, range(12))))
    by_number = json.dumps({str(k): k for k in range(12)})
    for name, text, hits in (("lines", in_text_order, 12), ("json", by_number, 2)):
        Path("classes").write_text(text)
        done(f"certify ordered.onnx numbers {FEW} {name} --classes classes")
        assert right(name) == hits


@pytest.mark.parametrize("names", ["bottom\ntop\nleft", '["top", "bottom", "left"]'])
def test_another_number_of_class_names_than_of_classes_is_refused(names: str, halves: Path) -> None:
    Path("classes").write_text(names)
    error = refused(f"{MODEL} data {FEW} run --classes classes", code=1, named="3").err
    assert "2" in error


@pytest.fixture
def digits(halves: Path) -> Callable[[int], str]:
    def make(largest: int) -> str:
        values = np.random.default_rng(2).integers(0, largest + 1, (6, 1, 8, 8))
        values[0, 0, 0, 0] = largest
        np.savez("digits.npz", x=values.astype("uint8"), y=np.zeros(6, int))
        return "digits.npz"

    return make


@pytest.mark.parametrize(
    ("largest", "bounds", "code"),
    [
        (0, (0, 1), 1),
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
    largest: int, bounds: tuple[int, int], code: int, digits: Callable[[int], str]
) -> None:
    low, high = bounds
    outcome = command(f"{MODEL} {digits(largest)} {FEW} run --bounds {low} {high}")
    assert outcome.code == code, outcome.err
    if code:
        assert f" {largest}" in outcome.err
        assert (f"--bounds {min(low, 0)} {largest}" in outcome.err) == (largest > high)
    else:
        assert ("of 255 levels; if" in outcome.err) == (largest < 128 and bounds != (0, 255))


def test_both_remedies_of_small_numbers_work(digits: Callable[[int], str]) -> None:
    values = np.load(digits(16))["x"]
    for name, x in (("meant", values), ("levels", values / 255 * 16)):
        np.savez(f"{name}.npz", x=x.astype("float32"), y=np.zeros(6, int))
        done(f"{MODEL} {name}.npz {FEW} {name} --bounds 0 16 --sigma 1")
    assert read_run("levels").header.record["noise"]["arithmetic"] == "exact"


@pytest.mark.parametrize(
    ("largest", "bounds", "said"),
    [(1, "0 1", True), (9, "-1 1", True), (255, "0 1", False), (1, "0 255", False)],
)
def test_masks_are_said_as_pictures_and_refused_as_idx(
    largest: int, bounds: str, said: bool, halves: Path
) -> None:
    """Masks and digits in class folders are read as levels of 255, and surely not meant so."""
    for k in range(2):
        Path("masks", str(k)).mkdir(parents=True)
        mask = np.full((8, 8), 0, np.uint8)
        mask[k] = largest
        Image.fromarray(mask).save(Path("masks", str(k), "a.png"))
    error = done(f"{MODEL} masks {FEW} run --bounds {bounds}").err
    assert (f"is {largest} of 255 levels" in error) == said
    header = b"\0\0\x08\3" + b"".join(n.to_bytes(4, "big") for n in (2, 8, 8))
    Path("images-idx3-ubyte").write_bytes(header + bytes([0, largest] * 64))
    outcome = command(f"{MODEL} images-idx3-ubyte {FEW} idx --bounds {bounds}")
    assert outcome.code == (1 if said else 0)


def test_a_folder_of_idx_files_is_recorded_as_it_was_named(halves: Path) -> None:
    Path("idx").mkdir()
    header = b"\0\0\x08\3" + b"".join(n.to_bytes(4, "big") for n in (2, 8, 8))
    Path("idx", "images-idx3-ubyte").write_bytes(header + bytes([0, 200] * 64))
    done(f"{MODEL} idx {FEW} run")
    assert read_run("run").header.resolved["data"] == "idx"


@pytest.mark.parametrize(("high", "said"), [(123, True), (1, False), (255, False)])
def test_levels_above_a_bound_that_may_count_them_are_said(
    high: int, said: bool, digits: Callable[[int], str]
) -> None:
    error = done(f"{MODEL} {digits(200)} {FEW} run --bounds 0 {high}").err
    assert ("--bounds 0 200" in error) == said


@pytest.mark.parametrize("classes", [2, 4])
def test_a_guessing_model_is_found_where_classes_take_turns(classes: int, here: Path) -> None:
    """Every second or fourth input is of one class."""
    _save("always.onnx", np.zeros((4, classes)), -np.arange(classes), (4,))
    np.savez("turns.npz", x=np.random.default_rng(3).random((400, 4)), y=np.arange(400) % classes)
    error = done(f"certify always.onnx turns.npz {FEW} run").err
    assert f"{100 // classes} of 100" in error
    assert "hardly better" in error


@pytest.mark.parametrize("command_", ["predict", "preview"])
def test_other_commands_read_pictures_alike(command_: str, halves: Path) -> None:
    words = f"{command_} halves.onnx data --preprocess none --sigma 0.1 --seed 1 --providers cpu"
    answered = "answer" if command_ == "preview" else "prediction"
    for exif, hits in (("apply", 8), ("ignore", 4)):
        more = f"-o {exif}.png --limit 8" if command_ == "preview" else ""
        rows = done(f"{words} --exif {exif} --json {more}").lines()
        assert sum(row[answered] == row["label"] for row in rows) == hits


def test_a_turned_picture_fits_by_its_turned_shape(here: Path) -> None:
    _save("tall.onnx", np.ones((32, 2)), np.zeros(2), (1, 8, 4))
    exif = Image.Exif()
    exif[274] = 6
    Path("wide").mkdir()
    Image.fromarray(np.zeros((4, 8), np.uint8)).save("wide/a.jpg", exif=exif)
    done(f"certify tall.onnx wide {FEW} run")
    refused(f"certify tall.onnx wide {FEW} other --exif ignore", code=1, named="a.jpg")


def test_a_labels_file_labels_a_flat_folder_and_is_given_again_to_verify(halves: Path) -> None:
    Path("flat").mkdir()
    for path in sorted(halves.glob("*/*.png")):
        path.rename(Path("flat", f"{path.parent.name}{path.name}"))
    paths = sorted(path.name for path in Path("flat").iterdir())
    lines = [f"{name},{int(name.startswith('top'))}\n" for name in [*paths, "missing.png"]]
    Path("labels.csv").write_text("file,label\n" + "".join(lines))
    run = f"{MODEL} flat {FEW} run --labels labels.csv"
    said = before(done(run))
    assert "missing.png" in said
    assert right("run") == 8
    assert read_run("run").header.resolved["labels"] == "labels.csv"
    again = "verify run --model halves.onnx --data flat --replay 2"
    without = command(again)
    assert (without.code, "--labels" in without.err) == (2, True)
    done(f"{again} --labels labels.csv")
    Path("labels.csv").write_text("".join(lines).replace(",0", ",1"))
    assert command(f"{again} --labels labels.csv").code == 1


@pytest.fixture
def damaged(halves: Path) -> Path:
    """Of the eight pictures one ends early, which only decoding shows, and one is no picture."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(noise).save(halves / "top" / "1.png")
    whole = (halves / "top" / "1.png").read_bytes()
    (halves / "top" / "1.png").write_bytes(whole[:-40])
    (halves / "bottom" / "2.png").write_bytes(b"<html>404</html>")
    return halves


@pytest.mark.parametrize("form", ["folder", "zip", "tar"])
def test_all_pictures_that_cannot_be_read_are_named_or_left_out(damaged: Path, form: str) -> None:
    if form == "zip":
        with zipfile.ZipFile("data.zip", "w") as archive:
            for path in damaged.glob("*/*"):
                archive.write(path, path.relative_to(damaged))
    if form == "tar":
        for path in damaged.glob("*/*.png"):
            path.with_suffix(".cls").write_text(str(int(path.parent.name == "top")))
        with tarfile.open("data.tar", "w") as tar:
            for path in sorted(damaged.glob("*/*")):
                tar.add(path, path.relative_to(damaged))
    data = "data" if form == "folder" else f"data.{form}"
    answers = FEW.replace("--n0 10", "").removesuffix("-o")
    for words, few in (("certify", f"{FEW} run"), ("predict", answers)):
        said = refused(f"{words} halves.onnx {data} {few}", code=1, named="2 of 8")
        assert all(name in said.err for name in ("top/1.png", "bottom/2.png", "--on-bad-image"))
        said = done(f"{words} halves.onnx {data} {few} --on-bad-image skip")
        assert all(name in said.err for name in ("2 of 8", "bottom/2.png"))
    run = read_run("run")
    assert run.header.record["data"]["unreadable"] == {"bottom/2.png": 2, "top/1.png": 5}
    assert [row.index for row in run.rows] == [0, 1, 3, 4, 6, 7]
    assert "2 of 8" in done("report run").out
    done(f"verify run --model halves.onnx --data {data} --replay 3")


def test_inspect_leaves_out_pictures_too(damaged: Path) -> None:
    refused("inspect halves.onnx data --providers cpu --json", code=1, named="bottom/2.png")
    told = json.loads(
        done("inspect halves.onnx data --providers cpu --json --on-bad-image skip").out
    )
    assert told["preprocessings"][0]["inputs"] == 6


def test_every_part_leaves_out_the_same_pictures(damaged: Path) -> None:
    run = f"{MODEL} data {FEW.removesuffix('-o')} --on-bad-image skip --limit 6 -o"
    done(f"{run} whole")
    assert len(read_run("whole").rows) == 6 - len(read_run("whole").header.data.unreadable) < 6
    for part in (1, 2):
        done(f"{run} part{part} --shard {part}/2")
    done("merge part1 part2 -o merged")
    assert same_run(Path("merged"), Path("whole"))
    cut = Path("whole").read_bytes().splitlines(keepends=True)
    Path("cut").write_bytes(b"".join(cut[:3]))
    done(f"{run} cut --resume")
    assert same_run(Path("cut"), Path("whole"))


def test_a_picture_that_can_be_read_again_makes_another_run(damaged: Path) -> None:
    run = f"{MODEL} data {FEW} run --on-bad-image skip"
    done(run)
    (damaged / "bottom" / "2.png").write_bytes((damaged / "bottom" / "0.png").read_bytes())
    assert command("verify run --model halves.onnx --data data").code == 1
    refused(f"{run} --resume", code=2, named="bottom/2.png")
    lines = lines_of(Path("run"))
    for index, named in ((1000, "1000"), (2, "left out")):  # of no input, or not counted
        lines[0]["data"]["unreadable"]["top/1.png"] = index
        refused(f"report {write_lines(Path('forged'), lines)}", code=1, named=named)


def test_pictures_none_of_which_can_be_read_are_no_run(damaged: Path) -> None:
    for path in damaged.glob("*/*.png"):
        path.write_bytes(b"")
    refused(f"{MODEL} data {FEW} run --on-bad-image skip", code=1, named="8 of 8")


def test_the_split_of_cifar_is_asked_for_recorded_and_held_to(here: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 3, 32, 32), np.uint8)
    for name, taken in (("test_batch", slice(0, 3)), ("data_batch_1", slice(3, 8))):
        rows = np.hstack([np.arange(8, dtype=np.uint8)[:, None], pixels.reshape(8, -1)])[taken]
        Path("cifar").mkdir(exist_ok=True)
        Path("cifar", f"{name}.bin").write_bytes(rows.tobytes())
    _save("ten.onnx", np.random.default_rng(1).normal(size=(3072, 10)), np.zeros(10), (3, 32, 32))
    refused(f"certify ten.onnx cifar {FEW} run", named="--split")
    refused(f"certify ten.onnx cifar --split validation {FEW} run", named="test, train")
    done(f"certify ten.onnx cifar --split test {FEW} run")
    done(f"certify ten.onnx cifar --split test {FEW} run --resume")
    refused(f"certify ten.onnx cifar --split train {FEW} run --resume", named="run")
    assert [row.label for row in read_run("run").rows] == [0, 1, 2]
    assert done("verify run --model ten.onnx --data cifar --replay 3 --json").json()["replay"][
        "exact"
    ]
