"""Image folders: which files count, which label they get, in which order they come."""

from __future__ import annotations

import io
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsonnx.data import Dataset, open_dataset
from rsonnx.errors import DataError, UsageError


def names(dataset: Dataset) -> list[str]:
    return [dataset.name(index) for index in range(len(dataset))]


def test_sorted_class_folders_are_labels_as_in_torchvision(make_tree):
    root = make_tree(["dog/2.png", "cat/b.png", "Zebra/x.png", "cat/a.png", "10/q.png"])
    dataset = open_dataset(root)
    assert names(dataset) == ["10/q.png", "Zebra/x.png", "cat/a.png", "cat/b.png", "dog/2.png"]
    assert dataset.labels == (0, 1, 2, 2, 3)
    assert dataset.class_names == ("10", "Zebra", "cat", "dog")
    assert dataset.label_rule == "class folders sorted by name"
    assert dataset.kind == "image-folder"
    assert dataset.path == root
    assert isinstance(dataset, Dataset)


def test_folders_that_are_numbers_are_the_labels(make_tree):
    dataset = open_dataset(str(make_tree(["10/a.png", "9/b.png", "0/c.png", "0/a.png"])))
    assert names(dataset) == ["0/a.png", "0/c.png", "9/b.png", "10/a.png"]
    assert dataset.labels == (0, 0, 9, 10)
    assert dataset.class_names is None
    assert dataset.label_rule == "class folders are the numbers"


@pytest.mark.parametrize("odd", ["01", "+1", "1.0", "-1", "٣", "1" * 19])
def test_one_folder_that_is_no_canonical_number_makes_all_of_them_names(make_tree, odd):
    dataset = open_dataset(make_tree([f"{odd}/a.png", "2/a.png"]))
    assert dataset.label_rule == "class folders sorted by name"
    assert dataset.class_names == tuple(sorted([odd, "2"]))
    assert dataset.labels == (0, 1)


def test_given_classes_number_the_folders_even_where_these_are_numbers(make_tree):
    dataset = open_dataset(make_tree(["0/a.png", "7/b.png"]), classes=["7", "x", "0"])
    assert names(dataset) == ["7/b.png", "0/a.png"]
    assert dataset.labels == (0, 2)
    assert dataset.class_names == ("7", "x", "0")
    assert dataset.label_rule == "position in the given class names"


def test_a_folder_outside_the_given_classes_is_named(make_tree):
    root = make_tree(["cat/a.png", "cow/b.png"])
    with pytest.raises(DataError, match=r"folder 'cow' of .*set is none of the 2 class names") as e:
        open_dataset(root, classes=["cat", "dog"])
    assert "the first is 'cat'" in str(e.value)
    assert "rename the folder" in str(e.value)


def test_images_alone_are_unlabelled(make_tree):
    dataset = open_dataset(make_tree(["b.png", "a.JPG", "c.png"]))
    assert names(dataset) == ["a.JPG", "b.png", "c.png"]
    assert dataset.labels is None
    assert dataset.class_names is None
    assert dataset.label_rule == "none"
    assert dataset[0].label is None


def test_images_inside_and_outside_of_class_folders_are_refused(make_tree):
    with pytest.raises(DataError, match=r"mixes images in class folders \('cat/a.png'\)") as e:
        open_dataset(make_tree(["cat/a.png", "loose.png"]))
    assert "'loose.png'" in str(e.value)
    assert "move" in str(e.value)


def test_deeper_folders_belong_to_their_class(make_tree):
    dataset = open_dataset(make_tree(["cat/x/y/1.png", "cat/0.png", "dog/z/2.png"]))
    assert names(dataset) == ["cat/0.png", "cat/x/y/1.png", "dog/z/2.png"]
    assert dataset.labels == (0, 0, 1)


def test_hidden_and_other_files_are_no_examples(make_tree):
    root = make_tree(
        ["cat/a.png", "cat/.b.png", "cat/notes.txt", ".git/x.png", "__MACOSX/y.png", "README.md"]
    )
    assert names(open_dataset(root)) == ["cat/a.png"]


@pytest.mark.parametrize("suffix", ["png", "PNG", "jpg", "Jpeg", "bmp", "webp", "gif", "tif"])
def test_suffixes_count_in_any_case(make_tree, suffix):
    assert names(open_dataset(make_tree([f"cat/a.{suffix}"]))) == [f"cat/a.{suffix}"]


def test_an_empty_folder_would_shift_labels_and_is_refused(make_tree):
    root = make_tree(["ant/a.png", "cat/a.png"])
    (root / "bee").mkdir()
    with pytest.raises(DataError, match=r"folder 'bee' of .*set holds no image") as e:
        open_dataset(root)
    assert "give the class names" in str(e.value)
    assert open_dataset(root, classes=["ant", "bee", "cat"]).labels == (0, 2)


def test_files_that_are_not_read_are_named_and_counted(make_tree, png):
    heic, other = b"\0\0\0\x18ftypheic", b"text"
    root = make_tree(
        {"cat/a.png": png(), "cat/b.HEIC": heic, "dog/c.heic": heic, "dog/d.jfif": png(mode="RGB")}
        | {"dog/no ending": other, "README.md": other}
        | {".DS_Store": other, "cat/Thumbs.db": other, "dog/desktop.ini": other}
        | {"cat/@eaDir/a.png/SYNOPHOTO_THUMB_S.jpg": other, "__MACOSX/cat/._a.png": other}
        | {"#recycle/x.png": png(), "cat/._a.png": other}
    )
    for dataset in (open_dataset(root), open_dataset(root, classes=["dog", "cat"])):
        assert sorted(names(dataset)) == ["cat/a.png", "dog/d.jfif"]
        reading = dataset.reading
        assert reading.left_out == ("README.md", "cat/b.HEIC", "dog/c.heic", "dog/no ending")
        assert reading.endings == {".md": 1, ".heic": 2, "": 1}
        assert reading.hidden == (
            *("#recycle", ".DS_Store", "__MACOSX", "cat/._a.png", "cat/@eaDir", "cat/Thumbs.db"),
            "dog/desktop.ini",
        )


@pytest.mark.parametrize("ending", ["heic", "avif", "jp2", "svg", "psd", "npy", "tga"])
def test_a_class_of_which_no_file_is_read_does_not_vanish(make_tree, png, ending):
    for folders in (("0", "1", "2"), ("ant", "bee", "cat")):
        root = make_tree(
            {f"{folders[0]}/a.png": png(), f"{folders[1]}/b.{ending}": b"x"}
            | {f"{folders[2]}/c.png": png()},
            root=folders[1],
        )
        with pytest.raises(DataError, match=f"{folders[1]!r}"):
            open_dataset(root)
        with pytest.raises(DataError, match=f"{folders[1]}/b.{ending}"):
            open_dataset(root, classes=folders)


def test_a_folder_beside_the_given_classes_may_hold_other_files(make_tree, png):
    root = make_tree({"cat/a.png": png(), "dog/b.png": png(), "notes/c.txt": b"x"})
    assert open_dataset(root, classes=["cat", "dog"]).reading.left_out == ("notes/c.txt",)


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(("stored", "given"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_unicode_forms_of_a_name_meet(make_tree, stored, given):
    dataset = open_dataset(make_tree([f"{stored}/a.png", "tea/b.png"]), classes=["tea", given])
    assert dataset.labels == (0, 1)
    assert names(dataset) == ["tea/b.png", f"{stored}/a.png"]


def test_folders_that_look_the_same_are_refused(make_tree):
    root = make_tree([f"{COMPOSED}/a.png", f"{DECOMPOSED}/b.png"])
    if len(os.listdir(root)) == 1:
        pytest.skip("this file system makes one folder of the two")
    for classes in (None, [COMPOSED, "tea"]):
        with pytest.raises(DataError, match=r"u0301' and 'caf\\xe9'.*Unicode"):
            open_dataset(root, classes=classes)


def oriented(orientation: int) -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(out, "PNG", exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("make", ["make_tree", "make_zip"])
def test_orientation_is_applied_or_ignored(request, make):
    path = request.getfixturevalue(make)({"a/x.png": oriented(6), "b/y.png": oriented(1)})
    applied, ignored = open_dataset(path), open_dataset(path, exif="ignore")
    assert [applied.turned(index) for index in range(2)] == [True, False]
    assert [ignored.turned(index) for index in range(2)] == [False, False]
    assert (applied.reading.exif, ignored.reading.exif) == ("apply", "ignore")
    for dataset, stored in ((applied, False), (ignored, True)):
        for index, example in enumerate(dataset):
            assert example.values.shape == dataset.shape(index)
        assert dataset[0].values.shape == ((2, 3, 1) if stored else (3, 2, 1))
    assert np.array_equal(applied[0].values[..., 0], np.rot90(ignored[0].values[..., 0], -1))
    assert np.array_equal(applied[1].values, ignored[1].values)
    with pytest.raises(UsageError, match="exif is 'turn'"):
        open_dataset(path, exif="turn")


def test_an_empty_folder_shifts_no_number(make_tree):
    root = make_tree(["0/a.png", "2/a.png"])
    (root / "1").mkdir()
    assert open_dataset(root).labels == (0, 2)


def test_a_folder_without_any_image_says_what_it_holds(make_tree):
    with pytest.raises(
        DataError, match=r"set holds no image \(it holds: notes\.txt, sub/readme"
    ) as e:
        open_dataset(make_tree(["sub/readme.md", "notes.txt"]))
    for form in ("image folder", ".zip", ".npz", "idx"):
        assert form in str(e.value)


def test_splits_are_not_taken_for_classes(make_tree):
    root = make_tree(["train/cat/a.png", "test/cat/b.png", "test/dog/c.png"])
    with pytest.raises(DataError, match=r"are splits \(test, train\), not classes; name one"):
        open_dataset(root)
    assert open_dataset(root / "test").class_names == ("cat", "dog")


def test_a_single_folder_of_folders_is_not_taken_for_a_class(make_tree):
    root = make_tree(["inner/cat/a.png", "inner/dog/c.png"])
    with pytest.raises(DataError, match=r"holds only the folder 'inner'.* name 'inner' itself"):
        open_dataset(root)
    assert open_dataset(root, classes=["inner"]).labels == (0, 0)
    assert open_dataset(make_tree(["cat/a.png"], "one")).labels == (0,)


def test_values_shape_and_label_of_one_example(make_tree, png):
    dataset = open_dataset(make_tree({"a/x.png": png(7), "b/y.png": png(9, mode="L")}))
    example = dataset[1]
    assert (example.name, example.label) == ("b/y.png", 1)
    assert example.values.dtype == np.uint8
    assert np.array_equal(example.values, np.full((2, 3, 1), 9))
    assert np.array_equal(dataset[0].values, np.full((2, 3, 3), 7))
    assert [dataset.shape(i) for i in range(2)] == [(2, 3, 3), (2, 3, 1)]
    assert not example.values.flags.writeable


def test_indices_outside_raise_index_error_and_iteration_ends(make_tree):
    dataset = open_dataset(make_tree(["a.png", "b.png"]))
    for index in (-1, 2):
        for read in (dataset.name, dataset.shape, dataset.__getitem__):
            with pytest.raises(IndexError, match=r"outside 0\.\.1"):
                read(index)
    assert [example.name for example in dataset] == ["a.png", "b.png"]


def test_a_broken_file_is_named_by_shape_and_by_reading(make_tree):
    dataset = open_dataset(make_tree({"cat/bad.png": b"not an image"}))
    for read in (dataset.shape, dataset.__getitem__):
        with pytest.raises(DataError, match=r"cat.bad\.png cannot be read as an image .*none of"):
            read(0)


def test_a_file_that_vanished_is_named(make_tree):
    root = make_tree(["cat/a.png"])
    dataset = open_dataset(root)
    (root / "cat/a.png").unlink()
    for read in (dataset.shape, dataset.__getitem__):
        with pytest.raises(DataError, match=r"cat.a\.png cannot be read \(No such file"):
            read(0)


def test_links_are_followed_and_broken_ones_refused(make_tree, tmp_path: Path):
    target = make_tree(["x.png"], "elsewhere")
    root = make_tree(["cat/a.png"])
    (root / "cat/b.png").symlink_to(target / "x.png")
    (root / "dog").symlink_to(target)
    assert names(open_dataset(root)) == ["cat/a.png", "cat/b.png", "dog/x.png"]
    (root / "cat/c.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(DataError, match=r"cat.c\.png is a broken link; restore or remove it"):
        open_dataset(root)


def test_a_loop_of_links_is_refused(make_tree):
    root = make_tree(["cat/a.png"])
    (root / "cat/again").symlink_to(root)
    with pytest.raises(DataError, match=r"cat.again.* leads back to a folder it lies in"):
        open_dataset(root)


def test_a_link_to_itself_is_refused(make_tree):
    root = make_tree(["cat/a.png"])
    (root / "cat/self.png").symlink_to(root / "cat/self.png")
    with pytest.raises(DataError, match=r"cat.* cannot be read \(.*links.*restore it"):
        open_dataset(root)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_named_like_an_image_is_refused(make_tree):
    root = make_tree(["cat/a.png"])
    os.mkfifo(root / "cat/p.png")
    with pytest.raises(DataError, match=r"p\.png is no regular file"):
        open_dataset(root)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text on this system")
def test_a_name_that_is_no_text_is_refused(make_tree):
    root = make_tree(["cat/a.png"])
    with open(os.path.join(os.fsencode(root), b"cat", b"\xff.png"), "wb"):
        pass
    with pytest.raises(DataError, match=r"not UTF-8; rename the file"):
        open_dataset(root)


def test_a_pickled_copy_reads_the_same(make_tree):
    dataset = open_dataset(make_tree(["a/1.png", "b/2.png"]))
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - our own bytes
    assert names(copy) == names(dataset)
    assert np.array_equal(copy[1].values, dataset[1].values)
