"""Labels against the model's classes, before hours of work."""

from __future__ import annotations

import numpy as np
import pytest

from rsonnx.data import check_labels, open_dataset
from rsonnx.errors import DataError, UsageError


def test_labels_inside_the_range_and_unlabelled_data_pass(make_tree):
    labelled = open_dataset(make_tree(["0/a.png", "9/b.png"]))
    assert labelled.labels == (0, 9)
    assert check_labels(labelled, 10) is None
    unlabelled = open_dataset(make_tree(["a.png"], "flat"))
    assert unlabelled.labels is None
    assert check_labels(unlabelled, 1) is None


def test_the_first_label_above_is_named(make_tree):
    dataset = open_dataset(make_tree(["3/a.png", "10/x.png", "10/y.png"]))
    with pytest.raises(DataError, match=r"example '10/x\.png' of .*set has label 10, but") as e:
        check_labels(dataset, 10)
    assert "classes are 0..9" in str(e.value)
    assert "correct the labels, or give the class names in the order" in str(e.value)


def test_negative_labels_are_named(tmp_path):
    np.savez(tmp_path / "set.npz", x=np.zeros((3, 2)), y=np.array([0, -1, 5]))
    with pytest.raises(DataError, match=r"example '1' of .*set\.npz has label -1, but .*0\.\.1;"):
        check_labels(open_dataset(tmp_path / "set.npz"), 2)


def test_no_classes_are_a_usage_error(make_tree):
    with pytest.raises(UsageError, match="number of classes is 0, but must be at least 1"):
        check_labels(open_dataset(make_tree(["0/a.png"])), 0)
