"""True classes in the model's own numbering."""

from __future__ import annotations

from dataclasses import dataclass

from rsonnx.data import GIVEN_NAMES, SORTED_FOLDERS, Dataset, check_labels
from rsonnx.errors import DataError
from rsonnx.runtime import OnnxClassifier


@dataclass(frozen=True)
class Labels:
    """The true classes of a data set, as the model counts its classes.

    Attributes:
        values: one an input of the data set; None where it is unlabelled.
        rule: how they were found, in words.
    """

    values: tuple[int, ...] | None
    rule: str


def align_labels(dataset: Dataset, model: OnnxClassifier) -> Labels:
    """Express a data set's labels in the model's numbering.

    A model that names its classes is met by name: a folder ``setosa`` is the class ``setosa``, and
    where the names are numbers, the label 3 is the class called 3. Otherwise a label is a position.

    Raises:
        DataError: a label is none of the model's classes.
    """
    if dataset.labels is None:
        return Labels(None, dataset.label_rule)
    names = {name: k for k, name in enumerate(model.class_names)}
    folders = dataset.class_names
    if len(names) < len(model.class_names):
        raise DataError(
            "the model gives two of its classes the same name, so labels cannot be met by name; "
            "leave the labels out, or export it with a name for every class"
        )
    if folders is not None and set(folders) <= set(names):
        values = tuple(names[folders[label]] for label in dataset.labels)
        return Labels(values, f"{dataset.label_rule}, matched by the model's class names")
    known = [] if folders is None else [folder for folder in folders if folder in names]
    if known and dataset.label_rule != GIVEN_NAMES:
        unknown = next(folder for folder in folders or () if folder not in names)
        raise DataError(
            f"the class {unknown!r} of {dataset.path} is none of the model's classes, though "
            f"{known[0]!r} is; rename it as one of {', '.join(list(names)[:10])}"
        )
    numbered = names and all(name.lstrip("-").isdecimal() for name in names)
    if numbered and list(names) != [str(k) for k in range(len(names))]:
        for index, label in enumerate(dataset.labels):
            if str(label) not in names:
                raise DataError(
                    f"the input {dataset.name(index)!r} has the label {label}, but the model's "
                    f"classes are called {', '.join(list(names)[:10])}; correct the labels"
                )
        values = tuple(names[str(label)] for label in dataset.labels)
        return Labels(values, f"{dataset.label_rule}, matched by the model's class numbers")
    if model.num_classes is not None:
        check_labels(dataset, model.num_classes)
    if dataset.label_rule == SORTED_FOLDERS and len(folders or ()) != model.num_classes:
        raise DataError(
            f"{dataset.path} has {len(folders or ())} class folders, but the model tells "
            f"{model.num_classes or 'an unknown number of'} classes apart, so it is not clear "
            "which folder is which class; name a file whose line i names class i with --classes"
        )
    return Labels(dataset.labels, dataset.label_rule)
