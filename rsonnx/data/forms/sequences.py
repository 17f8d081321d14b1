"""Data sets of other libraries: Hugging Face's, torchvision's, and any sequence of (image, label).

None of them is imported: what counts is what an example is. It is read when it is needed, and must
be the same each time, which a transform that turns pictures at random is not.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rsonnx.data.dataset import Dataset, Header, Reading
from rsonnx.data.forms.features import Feature, label_column, labels_of, picture_column
from rsonnx.data.limits import check_examples
from rsonnx.data.modes import channels_of, values_of
from rsonnx.data.modes import plain as plain_picture
from rsonnx.data.settings import DataSettings
from rsonnx.data.splits import chosen_split
from rsonnx.errors import DataError, UsageError, first_line
from rsonnx.scalars import plain, shown

_TRIED = 16
"""Examples that are read twice: of pictures that are mirrored at random half are alike."""


class Examples(Protocol):
    """A sequence of (image, label), or of mappings with an image and a label.

    An image is Pillow's, or an array or tensor of one: uint8 levels of 255, or numbers in the units
    of the model's bounds.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def is_sequence(data: object) -> bool:
    """Tell whether an object is a sequence of examples, or splits of it; arrays are none.

    Raises:
        UsageError: it can only be gone through in turn, as a loader of batches can.
    """
    if _is_splits(data):
        return True
    if isinstance(data, tuple | Mapping) or hasattr(data, "__array__"):
        return False
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        if not isinstance(data, Sequence):
            return True
        return len(data) > 0 and (isinstance(data[0], Mapping) or _is_pair(data[0]))
    if hasattr(data, "__iter__"):
        raise UsageError(
            f"a {type(data).__name__} can only be read in turn; give what has its examples by "
            "number, as loader.dataset of a loader does"
        )
    return False


def _is_splits(data: object) -> bool:
    return isinstance(data, Mapping) and any(hasattr(part, "features") for part in data.values())


def _is_pair(example: object) -> bool:
    return (
        isinstance(example, tuple)
        and len(example) == 2
        and _is_image(example[0])
        and not getattr(example[1], "ndim", 0)
    )


def _is_image(value: object) -> bool:
    return isinstance(value, Image.Image) or getattr(value, "ndim", 0) > 0


@dataclass(frozen=True, eq=False)
class Sequenced(Dataset):
    """The examples of an object of another library, numbered as it numbers them.

    Attributes:
        data: the object.
        count: its length.
        image, label: where these are in an example; None for no label.
        stated: the labels as the object has them; None where there are none.
        dtype: of the values of every example.
        lock: held while an example is read, since its library may be for one thread.
    """

    data: Any
    count: int
    image: Any
    label: Any
    stated: Sequence[Any] | None
    dtype: np.dtype[Any]
    lock: threading.Lock

    def __len__(self) -> int:
        return self.count

    def _name(self, at: int) -> str:
        return str(at)

    def _header(self, at: int) -> Header:
        return self._read(at)[0]

    def _values(self, at: int) -> NDArray[Any]:
        return self._read(at)[1]

    def _read(self, at: int) -> tuple[Header, NDArray[Any]]:
        where = f"example {at} of {self.path}"
        with self.lock:
            example = _item(self.data, at, self.path)
        image = _part(example, self.image, where)
        label = None if self.stated is None else plain(_part(example, self.label, where))
        if self.stated is not None and label != self.stated[at]:
            raise DataError(
                f"{where} has the label {shown(label)}, but the data set states "
                f"{shown(self.stated[at])}; give it without what changes labels"
            )
        header, values = _values_of(image, where, self.reading.background)
        if values.dtype != self.dtype:
            raise DataError(
                f"{where} is of {values.dtype}, but the first one of {self.dtype}; convert one"
            )
        return header, values


def open_sequence(data: Any, settings: DataSettings) -> Sequenced:
    """Read what a data set says of itself, and some of its examples twice.

    Labels are those of its column, or of its attribute `targets`, and are compared with those of
    the examples that are read; without either, every example is read for its label. A Pillow
    picture is taken as it is, whatever its orientation.

    Raises:
        UsageError: it is not clear which split or which column of labels is meant.
        DataError: an example cannot be read, is no image with a label, or is another each time.
    """
    path = Path(type(data).__name__)
    if _is_splits(data):
        splits = {str(name): part for name, part in data.items()}
        split = chosen_split(splits, settings.split, path)
        path, data = path / split, splits[split]
    elif settings.split not in (None, str(getattr(data, "split", None))):
        raise UsageError(f"{path} has no splits to choose from; leave split out")
    check_examples(len(data), str(path))
    if not len(data):
        raise DataError(f"{path} has no example; give one that has")
    first = _item(data, 0, path)
    image: int | str = 0
    label: int | str | None = 1
    what, names = "the second of each pair", getattr(data, "classes", None)
    if isinstance(first, Mapping):
        image = picture_column([str(key) for key in first if _is_image(first[key])], path)
        features = {
            str(name): Feature(type(feature).__name__, getattr(feature, "names", None))
            for name, feature in (getattr(data, "features", None) or first).items()
        }
        label = column = label_column(features, settings, path)
        what, names = f"column {column!r}", None if column is None else features[column].names
    elif settings.label_column is not None:
        raise UsageError(f"{path} has no columns to choose from; leave label_column out")
    labels, stated, rule = None, None, "none"
    class_names = settings.names
    if label is not None:
        stated = _stated_labels(data, label, path)
        labels, class_names, rule = labels_of(stated, names, what, settings, path)
    _, values = _values_of(_part(first, image, str(path)), str(path), settings.background)
    sequence = Sequenced(
        path,
        labels,
        class_names,
        rule,
        Reading(background=settings.background),
        "sequence",
        data,
        len(data),
        image,
        label,
        stated,
        values.dtype,
        threading.Lock(),
    )
    for at in range(0, len(data), -(-len(data) // _TRIED)):
        if not np.array_equal(sequence[at].values, sequence[at].values):
            raise DataError(
                f"example {at} of {path} is another image each time it is read; give the data set "
                "without random transforms"
            )
    return sequence


def _stated_labels(data: Any, label: Any, path: Path) -> list[Any]:
    """Return the labels of all examples, without decoding their images where that can be had."""
    listed: Any = getattr(data, "targets", None) if label == 1 else None
    if isinstance(label, str) and hasattr(data, "features"):
        try:
            listed = data[label]
        except Exception:  # of a transform that needs the image too
            listed = None
    if hasattr(listed, "__len__") and len(listed) == len(data):
        return [plain(value) for value in listed]
    return [
        plain(_part(_item(data, at, path), label, f"example {at} of {path}"))
        for at in range(len(data))
    ]


def _item(data: Any, at: int, path: Path) -> Any:
    try:
        return data[at]
    except Exception as error:  # whatever another library raises
        raise DataError(
            f"example {at} of {path} cannot be read ({type(error).__name__}: {first_line(error)})"
        ) from error


def _part(example: Any, key: Any, where: str) -> Any:
    """Return the image or the label of an example."""
    if isinstance(key, str):
        if isinstance(example, Mapping) and key in example:
            return example[key]
        raise DataError(f"{where} has no {key!r}, which others have; give all examples alike")
    if not _is_pair(example):
        raise DataError(f"{where} is no (image, label), as others are; give all examples alike")
    return example[key]


def _values_of(image: Any, where: str, background: str | None) -> tuple[Header, NDArray[Any]]:
    """Return an image as Pillow's rules for files have it, or as the array that it is."""
    converted = None
    try:
        if isinstance(image, Image.Image):
            channels, converted = channels_of(image, where, background)
            values = values_of(plain_picture(image, channels, where, background))
        else:
            values = np.array(np.asarray(image))  # torch makes no copy itself
    except DataError:
        raise
    except Exception as error:  # a tensor of another device, a picture that is read only now, ...
        raise DataError(
            f"{where} cannot be read as an array ({type(error).__name__}: {first_line(error)})"
        ) from error
    if values.dtype.kind not in "iuf" or not values.size or not np.isfinite(values).all():
        raise DataError(f"{where} is no image of finite numbers ({values.dtype}, {values.shape})")
    values.flags.writeable = False
    return Header(values.shape, turned=False, converted=converted), values
