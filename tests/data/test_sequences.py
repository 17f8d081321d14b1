"""Data sets of other libraries: objects with their interface, and the libraries where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from rsonnx.data import DataSettings, is_sequence, open_sequence
from rsonnx.errors import UsageError

LEVELS = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), np.uint8)
LABELS = [2, 0, 1, 1, 2, 0]
NAMES = ["cat", "dog", "owl"]


class Pairs:
    """What torchvision's data sets are: pairs, by number; counts how often each is read."""

    def __init__(self, images: Any, labels: Any = LABELS, **attributes: Any) -> None:
        self.images, self.labels, self.reads = images, labels, 0
        vars(self).update(attributes)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, at: int) -> Any:
        self.reads += 1
        return self.images[at], self.labels[at]


class Tensor:
    """As much of a tensor as is asked for."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)
        self.ndim = self.values.ndim

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, at: int) -> Tensor:
        if at >= len(self):
            raise IndexError
        return Tensor(self.values[at])

    def item(self) -> Any:
        return self.values.item()


class ClassLabel:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class Rows:
    """What `datasets.Dataset` is: dictionaries by number, columns by name."""

    def __init__(self, columns: dict[str, Any], features: Any = None, split: str = "test") -> None:
        self.columns, self.split = columns, split
        self.features = features or dict.fromkeys(columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key: int | str) -> Any:
        if isinstance(key, str):
            return self.columns[key]
        return {name: values[key] for name, values in self.columns.items()}


def opened(data: Any, **settings: Any) -> Any:
    assert is_sequence(data)
    return open_sequence(data, DataSettings(**settings))


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([Image.fromarray(levels) for levels in LEVELS], LEVELS),
        (list(LEVELS), LEVELS),
        ([Tensor(levels) for levels in LEVELS], LEVELS),
        (list(LEVELS[..., 0]), LEVELS[..., 0]),
        ([Tensor(np.moveaxis(levels, -1, 0) / np.float32(255)) for levels in LEVELS],
         np.moveaxis(LEVELS, -1, 1) / np.float32(255)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("attributes", [{}, {"targets": LABELS}, {"targets": Tensor(LABELS)}])
def test_pairs(images, expected, attributes):
    for data in (Pairs(images, classes=NAMES, **attributes), [*zip(images, LABELS, strict=True)]):
        dataset = opened(data)
        assert (dataset.kind, len(dataset), dataset.labels) == ("sequence", 6, tuple(LABELS))
        assert dataset.class_names == (tuple(NAMES) if isinstance(data, Pairs) else None)
        for at in range(6):
            example = dataset[at]
            assert (example.name, example.label) == (str(at), LABELS[at])
            assert example.values.dtype == expected.dtype
            assert dataset.shape(at) == example.values.shape
            assert np.array_equal(example.values, expected[at])
            assert not example.values.flags.writeable


def test_labels_are_had_without_decoding_every_image_where_the_data_set_states_them():
    images = list(np.repeat(LEVELS, 20, axis=0))
    stated = Pairs(images, LABELS * 20, targets=LABELS * 20)
    opened(stated)
    assert stated.reads < 50
    assert opened(Pairs(images, LABELS * 20)).labels == opened(stated).labels


@pytest.mark.parametrize("labels", [[Tensor(label) for label in LABELS], [*map(np.int64, LABELS)]])
def test_labels_that_are_tensors(labels):
    assert opened(Pairs(list(LEVELS), labels)).labels == tuple(LABELS)


def test_rows_of_columns():
    images = [Image.fromarray(levels) for levels in LEVELS]
    dataset = opened(
        Rows({"id": list(range(6)), "img": images, "label": LABELS}, {"label": ClassLabel(NAMES)})
    )
    assert (dataset.labels, dataset.class_names) == (tuple(LABELS), tuple(NAMES))
    assert np.array_equal(dataset[4].values, LEVELS[4])
    assert opened(Rows({"image": images})).labels is None
    assert opened(Rows({"image": images, "label": LABELS}), label_column="none").labels is None


def test_what_is_not_clear_is_asked_for(refused):
    images = list(LEVELS)
    features = {name: ClassLabel(NAMES) for name in ("fine_label", "coarse_label")}
    rows = Rows({"image": images, "fine_label": LABELS, "coarse_label": LABELS}, features)
    with refused("fine_label", "coarse_label", error=UsageError):
        opened(rows)
    assert opened(rows, label_column="fine_label").class_names == tuple(NAMES)
    with refused("left", "right"):
        opened(Rows({"left": images, "right": images}))
    splits = {"train": Rows({"image": images}), "test": Rows({"image": images[:2]})}
    with refused("train", "test", error=UsageError):
        opened(splits)
    assert len(opened(splits, split="test")) == len(opened(splits["test"], split="test")) == 2
    with refused("split", error=UsageError):
        opened(Pairs(images), split="test")
    with refused("label_column", error=UsageError):
        opened(Pairs(images), label_column="label")


def test_random_transforms_are_seen(refused):
    rng = np.random.default_rng(0)

    class Mirrored(Pairs):
        def __getitem__(self, at: int) -> Any:
            image, label = super().__getitem__(at)
            return image[:, :: rng.choice([1, -1])], label

    # Of 16 examples that are mirrored half of the time, all are alike twice by a chance of 2^-16.
    with refused("random"):
        opened(Mirrored(list(np.repeat(LEVELS, 4, axis=0)), LABELS * 4))


def test_a_label_that_is_not_what_the_data_set_states_is_refused(refused):
    with refused("example 3", "7"):
        opened(Pairs(list(LEVELS), [2, 0, 1, 7, 2, 0], targets=LABELS))


@pytest.mark.parametrize(
    ("images", "labels", "named"),
    [
        (list(LEVELS), [-1] * 6, "-1"),
        (list(LEVELS), [3] * 6, "3"),
        (list(LEVELS), [None] * 6, "None"),
        (list(LEVELS), [0.5] * 6, "0.5"),
        ([LEVELS[0].astype(object)] * 6, LABELS, "object"),
        ([np.full((2, 3), np.nan)] * 6, LABELS, "finite"),
        ([np.zeros((0, 3))] * 6, LABELS, "(0, 3)"),
        ([LEVELS[0]] * 5 + [LEVELS[0] / 255], LABELS, "example 5"),
        ([LEVELS[0]] * 5 + ["a.png"], LABELS, "example 5"),
        ([Image.new("RGBA", (2, 2))] * 6, LABELS, "--background"),
    ],
)
def test_what_is_no_image_or_no_label_is_refused(refused, images, labels, named):
    with refused(named):
        opened(Pairs(images, labels, classes=NAMES))


def test_a_data_set_that_fails_says_which_example(refused):
    class Failing(Pairs):
        def __getitem__(self, at: int) -> Any:
            if at == 4:
                raise FileNotFoundError("gone.png")
            return super().__getitem__(at)

    with refused("example 4", "gone.png"):
        opened(Failing(list(LEVELS)))


@pytest.mark.parametrize(
    "data", [LEVELS, list(LEVELS), (LEVELS, LABELS), [[1, 2], [3, 4]], range(3), "images", [], {}]
)
def test_arrays_and_paths_are_no_sequences_of_examples(data):
    assert not is_sequence(data)


def test_what_is_gone_through_in_turn_and_what_gives_no_pairs_is_refused(refused):
    class Loader:
        def __iter__(self) -> Any:
            yield LEVELS, LABELS

    class Bare(Pairs):
        def __getitem__(self, at: int) -> Any:
            return self.images[at]

    with refused("Loader", "loader.dataset", error=UsageError):
        is_sequence(Loader())
    for data in (Bare(list(LEVELS)), Pairs(list(LEVELS), [np.eye(3)[label] for label in LABELS])):
        with refused("(image, label)"):
            opened(data)
    with refused("Pairs"):
        opened(Pairs([]))


def test_datasets_of_hugging_face(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)}
    )
    images = [Image.fromarray(levels) for levels in LEVELS]
    data = datasets.Dataset.from_dict({"image": images, "label": LABELS}, features=features)
    for form in (None, "numpy", "torch"):
        if form == "torch":
            pytest.importorskip("torch")
        dataset = opened(data.with_format(form))
        assert (dataset.labels, dataset.class_names) == (tuple(LABELS), tuple(NAMES))
        assert np.array_equal(np.moveaxis(dataset[4].values, 0, -1 if form == "torch" else 0),
                              LEVELS[4])  # fmt: skip
    assert len(opened(datasets.DatasetDict({"test": data}))) == 6


def test_datasets_of_torchvision(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    torch = pytest.importorskip("torch")
    for label, levels in zip(LABELS, LEVELS, strict=True):
        (tmp_path / NAMES[label]).mkdir(exist_ok=True)
        Image.fromarray(levels).save(tmp_path / NAMES[label] / f"{levels.sum()}.png")
    for transform in (None, torchvision.transforms.ToTensor()):
        folder = torchvision.datasets.ImageFolder(tmp_path, transform)
        dataset = opened(folder)
        assert (dataset.labels, dataset.class_names) == ((0, 0, 1, 1, 2, 2), tuple(NAMES))
        assert dataset[0].values.shape == ((4, 5, 3) if transform is None else (3, 4, 5))
    assert opened(torch.utils.data.Subset(folder, [5, 0])).labels == (2, 0)
    tensors = torch.utils.data.TensorDataset(torch.tensor(LEVELS), torch.tensor(LABELS))
    assert opened(tensors).labels == tuple(LABELS)
