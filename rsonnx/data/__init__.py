"""Inputs from folders, archives and files of the ecosystem, read without a guess.

`open_dataset` turns a path into a `Dataset`; `arrange` brings one example to a model's shape.
Labels and layouts are only ever taken from what the data or the caller states; whatever is
ambiguous is refused with one sentence that says what to do.
"""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.data.arranging import arrange, arranged_places
    from rsonnx.data.class_files import read_class_names
    from rsonnx.data.dataset import (
        Dataset,
        Example,
        Reading,
        check_labels,
        check_levels,
        values_between,
    )
    from rsonnx.data.forms.arrays import dataset_of
    from rsonnx.data.forms.frames import is_frame, open_frame
    from rsonnx.data.forms.sequences import Examples, is_sequence, open_sequence
    from rsonnx.data.label_file import labelled
    from rsonnx.data.names import (
        GIVEN_NAMES,
        LABEL_NUMBERS,
        NAMED_LABELS,
        NUMBERED_FOLDERS,
        SORTED_FOLDERS,
        composed,
        folded,
    )
    from rsonnx.data.opening import is_table, open_dataset
    from rsonnx.data.resizing import resize_and_crop, resized_shape
    from rsonnx.data.scales import deviations, span
    from rsonnx.data.settings import DataSettings, Exif

offer_lazily(__name__)
