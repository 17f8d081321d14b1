"""Images in folders and in archives: which files count, their labels, their order."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsonnx.data import Dataset, open_dataset
from rsonnx.errors import ChoiceError, UsageError

SORTED, NUMBERED = "class folders sorted by name", "class folders are the numbers"


def names(dataset: Dataset) -> list[str]:
    return [dataset.name(index) for index in range(len(dataset))]


@pytest.mark.parametrize(
    ("files", "classes", "expected", "labels", "class_names", "rule"),
    [
        ("dog/2 cat/b Zebra/x cat/a 10/q", None, "10/q Zebra/x cat/a cat/b dog/2", (0, 1, 2, 2, 3),
         ("10", "Zebra", "cat", "dog"), SORTED),  # as in torchvision
        ("10/a 9/b 0/c 0/a", None, "0/a 0/c 9/b 10/a", (0, 0, 9, 10), None, NUMBERED),
        ("0/a 7/b", ["7", "x", "0"], "7/b 0/a", (0, 2), ("7", "x", "0"),
         "position in the given class names"),
        ("cat/x/y/1 cat/0 dog/z/2", None, "cat/0 cat/x/y/1 dog/z/2", (0, 0, 1), ("cat", "dog"),
         SORTED),
        ("b a c", None, "a b c", None, None, "none"),
    ],
)  # fmt: skip
def test_folders_are_labels(make_images, files, classes, expected, labels, class_names, rule):
    path = make_images([f"{name}.png" for name in files.split()])
    dataset = open_dataset(path, classes=classes)
    assert names(dataset) == [f"{name}.png" for name in expected.split()]
    assert (dataset.labels, dataset.class_names) == (labels, class_names)
    assert (dataset.label_rule, dataset.path) == (rule, path)


@pytest.mark.parametrize("odd", ["01", "+1", "1.0", "-1", "٣", "1" * 19])
def test_one_folder_that_is_no_canonical_number_makes_all_of_them_names(make_images, odd):
    dataset = open_dataset(make_images([f"{odd}/a.png", "2/a.png"]))
    assert (dataset.label_rule, dataset.labels) == (SORTED, (0, 1))
    assert dataset.class_names == tuple(sorted([odd, "2"]))


@pytest.mark.parametrize(
    ("files", "classes", "named"),
    [
        (["cat/a.png", "cow/b.png"], ["cat", "dog"], ["'cow'", "'cat'"]),
        (["t/cat/a.png", "t/b.png"], None, ["cat/a.png'", "b.png'"]),
        (["ant/a.png", "bee/", "cat/a.png"], None, ["'bee'"]),  # it would shift labels
    ],
)
def test_folders_that_tell_no_label_are_refused(make_images, files, classes, named, refused):
    if files[0].startswith("t/"):  # an archive strips the folder that holds all
        files = [name.removeprefix("t/") for name in files]
    path = make_images(files)
    with refused(path, *named):
        open_dataset(path, classes=classes)


def test_of_folders_that_are_splits_one_is_chosen(make_images):
    path = make_images(["train/cat/a.png", "Test/cat/b.png", "Test/dog/c.png", "Test/no.txt"])
    with pytest.raises(ChoiceError, match="Test, train"):
        open_dataset(path)
    with pytest.raises(UsageError, match="val"):
        open_dataset(path, split="val")
    dataset = open_dataset(path, split="Test")
    assert names(dataset) == ["cat/b.png", "dog/c.png"]
    assert (dataset.labels, dataset.class_names) == ((0, 1), ("cat", "dog"))
    assert len(open_dataset(path, split="train")) == 1
    # They are classes where they are called so, or hold no folders.
    assert open_dataset(path, classes=["Test", "train"]).labels == (0, 0, 1)
    flat = make_images(["train/a.png", "test/b.png"], "flat")
    assert open_dataset(flat).class_names == ("test", "train")
    classes = make_images(["cat/a.png", "dog/b.png"], "classes")
    with pytest.raises(UsageError, match="--split"):
        open_dataset(classes, split="test")


def test_an_empty_folder_shifts_no_number_and_no_given_name(make_images):
    assert open_dataset(make_images(["0/a.png", "1/", "2/a.png"])).labels == (0, 2)
    path = make_images(["ant/a.png", "bee/", "cat/a.png"], "other")
    assert open_dataset(path, classes=["ant", "bee", "cat"]).labels == (0, 2)


def test_a_single_folder_of_folders_is_not_taken_for_a_class(make_tree, refused):
    root = make_tree(["inner/cat/a.png", "inner/dog/c.png"])
    with refused(root, "'inner'"):
        open_dataset(root)
    assert open_dataset(root, classes=["inner"]).labels == (0, 0)
    assert open_dataset(make_tree(["cat/a.png"], "one")).labels == (0,)


@pytest.mark.parametrize("suffix", ["png", "PNG", "jpg", "Jpeg", "bmp", "webp", "gif", "tif"])
def test_suffixes_count_in_any_case(make_tree, suffix):
    assert names(open_dataset(make_tree([f"cat/a.{suffix}"]))) == [f"cat/a.{suffix}"]


def test_files_that_are_not_read_are_named_and_counted(make_images, png):
    photoshop, other = b"8BPS", b"text"
    root = make_images(
        {
            "cat/a.png": png(),
            "cat/b.PSD": photoshop,
            "dog/c.psd": photoshop,
            "dog/d.jfif": png(mode="RGB"),
        }
        | {"dog/no ending": other, "README.md": other}
        | {".DS_Store": other, "cat/Thumbs.db": other, "dog/desktop.ini": other}
        | {"cat/@eaDir/a.png/SYNOPHOTO_THUMB_S.jpg": other, "__MACOSX/cat/._a.png": other}
        | {"#recycle/x.png": png(), "cat/._a.png": other}
    )
    for dataset in (open_dataset(root), open_dataset(root, classes=["dog", "cat"])):
        assert sorted(names(dataset)) == ["cat/a.png", "dog/d.jfif"]
        reading = dataset.reading
        assert reading.left_out == ("README.md", "cat/b.PSD", "dog/c.psd", "dog/no ending")
        assert reading.endings == {".md": 1, ".psd": 2, "": 1}
        assert reading.hidden == (
            *("#recycle", ".DS_Store", "__MACOSX", "cat/._a.png", "cat/@eaDir", "cat/Thumbs.db"),
            "dog/desktop.ini",
        )


@pytest.mark.parametrize("ending", ["raw", "svg", "psd", "npy", "tga"])
@pytest.mark.parametrize("folders", [("0", "1", "2"), ("ant", "bee", "cat")])
def test_a_class_of_which_no_file_is_read_does_not_vanish(make_tree, png, ending, folders, refused):
    one, two, three = folders
    root = make_tree({f"{one}/a.png": png(), f"{two}/b.{ending}": b"x", f"{three}/c.png": png()})
    with refused(repr(two)):
        open_dataset(root)
    with refused(f"{two}/b.{ending}"):
        open_dataset(root, classes=folders)


def test_a_folder_beside_the_given_classes_may_hold_other_files(make_images, png):
    root = make_images({"cat/a.png": png(), "dog/b.png": png(), "notes/c.txt": b"x"})
    assert open_dataset(root, classes=["cat", "dog"]).reading.left_out == ("notes/c.txt",)


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(("stored", "given"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_unicode_forms_of_a_name_meet(make_images, stored, given):
    dataset = open_dataset(make_images([f"{stored}/a.png", "tea/b.png"]), classes=["tea", given])
    assert dataset.labels == (0, 1)
    assert names(dataset) == ["tea/b.png", f"{stored}/a.png"]


def test_folders_that_look_the_same_are_refused(make_tree, refused):
    root = make_tree([f"{COMPOSED}/a.png", f"{DECOMPOSED}/b.png"])
    if len(os.listdir(root)) == 1:
        pytest.skip("this file system makes one folder of the two")
    for classes in (None, [COMPOSED, "tea"]):
        with refused(r"u0301'", r"caf\xe9'"):
            open_dataset(root, classes=classes)


def oriented(orientation: int) -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(out, "PNG", exif=exif)
    return out.getvalue()


def test_orientation_is_applied_or_ignored(make_images, refused):
    path = make_images({"a/x.png": oriented(6), "b/y.png": oriented(1)})
    applied, ignored = open_dataset(path), open_dataset(path, exif="ignore")
    assert [applied.header(index).turned for index in range(2)] == [True, False]
    assert [ignored.header(index).turned for index in range(2)] == [False, False]
    assert (applied.reading.exif, ignored.reading.exif) == ("apply", "ignore")
    for dataset, shape in ((applied, (3, 2, 1)), (ignored, (2, 3, 1))):
        for index, example in enumerate(dataset):
            assert example.values.shape == dataset.shape(index)
        assert dataset.shape(0) == shape
    assert np.array_equal(applied[0].values[..., 0], np.rot90(ignored[0].values[..., 0], -1))
    assert np.array_equal(applied[1].values, ignored[1].values)
    with refused("'turn'", error=UsageError):
        open_dataset(path, exif="turn")


def test_broken_and_vanished_files_are_named_by_shape_and_by_reading(make_images, refused):
    path = make_images({"a/1.png": b"junk", "b/2.png": b""})
    dataset = open_dataset(path)
    for read in (dataset.shape, dataset.__getitem__):
        for index, name in enumerate(["a/1.png", "b/2.png"]):
            with refused(path, name, "cannot be read as an image"):
                read(index)
    dataset = open_dataset(path)
    (path if path.is_file() else path / "a/1.png").unlink()
    for read in (dataset.shape, dataset.__getitem__):
        with refused(path, "a/1.png", "cannot be read", "No such file"):
            read(0)


def test_links_are_followed_and_broken_ones_refused(make_tree, tmp_path: Path, refused):
    target = make_tree(["x.png"], "elsewhere")
    root = make_tree(["cat/a.png"])
    (root / "cat/b.png").symlink_to(target / "x.png")
    (root / "dog").symlink_to(target)
    assert names(open_dataset(root)) == ["cat/a.png", "cat/b.png", "dog/x.png"]
    (root / "cat/c.png").symlink_to(tmp_path / "gone.png")
    with refused("c.png", "link"):
        open_dataset(root)


@pytest.mark.parametrize(
    ("link", "to"),
    [("cat/again", "."), ("cat/again", "cat"), ("dog", "cat"), ("cat/self.png", "cat/self.png")],
)
def test_a_link_to_what_is_listed_already_is_refused(make_tree, link, to, refused):
    root = make_tree(["cat/a.png"])
    (root / link).symlink_to(root / to)
    with refused(link):
        open_dataset(root)


def test_links_that_double_the_ways_are_not_followed(make_tree, refused):
    """Thirty folders with two links each to the next have a file at the end of 2^30 ways."""
    root = make_tree([f"{n}/a.png" for n in range(31)])
    for n in range(30):
        for link in "xy":
            (root / f"{n}/{link}").symlink_to(root / f"{n + 1}")
    with refused("link"):
        open_dataset(root / "0")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_named_like_an_image_is_refused(make_tree, refused):
    root = make_tree(["cat/a.png"])
    os.mkfifo(root / "cat/p.png")
    with refused("p.png", "no regular file"):
        open_dataset(root)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text on this system")
def test_a_name_that_is_no_text_is_refused(make_tree, refused):
    root = make_tree(["cat/a.png"])
    with open(os.path.join(os.fsencode(root), b"cat", b"\xff.png"), "wb"):
        pass
    with refused("UTF-8"):
        open_dataset(root)


@pytest.mark.parametrize(
    ("classes", "named"),
    [(["cat", "dog", "cat"], "'cat'"), (["\u00e9", "e\u0301"], "twice"), ([], "empty"),
     ("cat", "'cat'")],
)  # fmt: skip
def test_given_names_are_checked(make_tree, classes, named, refused):
    with refused(named, error=UsageError):
        open_dataset(make_tree(["cat/a.png"]), classes=classes)
