"""Real data sets, where they are at hand: CIFAR-10 in a zip, ImageNet by wnid, MNIST in idx."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rsonnx.data import arrange, check_labels, open_dataset, read_class_names
from rsonnx.errors import DataError

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def at_hand(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"no {name} beside this checkout")
    return DATA / name


def test_cifar10_zip():
    dataset = open_dataset(at_hand("cifar10_test.zip"))
    assert dataset.kind == "image-zip"
    assert len(dataset) == 10_000
    assert " ".join(dataset.class_names) == (
        "airplane automobile bird cat deer dog frog horse ship truck"
    )
    assert Counter(dataset.labels) == dict.fromkeys(range(10), 1000)
    example = dataset[3017]
    assert (example.name, example.label) == ("cat/0017.jpg", 3)
    assert example.values.shape == dataset.shape(3017) == (32, 32, 3)
    assert arrange(example.values, (3, 32, 32), "NCHW").shape == (3, 32, 32)
    check_labels(dataset, 10)


def test_imagenet_folder():
    classes = read_class_names(at_hand("imagenet_wnids.txt"))
    assert len(classes) == 1000
    dataset = open_dataset(at_hand("imagenet"), classes=classes)
    assert len(dataset) == 100
    for index in range(len(dataset)):
        assert classes[dataset.labels[index]] == dataset.name(index).split("/")[0]
    assert {dataset.shape(index)[2] for index in range(len(dataset))} == {1, 3}
    assert dataset[0].values.shape == dataset.shape(0)
    check_labels(dataset, 1000)
    with pytest.raises(DataError, match=r"the model's classes are 0\.\.9"):
        check_labels(dataset, 10)


def test_mnist_idx():
    folder = at_hand("mnist")
    dataset = open_dataset(folder / "t10k-images-idx3-ubyte.gz")
    assert len(dataset) == 10_000
    assert dataset.label_rule == "label file t10k-labels-idx1-ubyte.gz"
    assert dataset.labels[:10] == (7, 2, 1, 0, 4, 1, 4, 9, 5, 9)
    assert arrange(dataset[0].values, (784, 1), None).shape == (784, 1)
    with pytest.raises(DataError, match="holds several idx files"):
        open_dataset(folder)
