"""What a caller declares of data: all that decides how a path becomes inputs and labels.

One object that every command, :func:`rsonnx.certify` and a run's header share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

from rsonnx.arguments import check_choice, check_kind, check_texts
from rsonnx.data.class_files import read_class_names
from rsonnx.data.names import checked_classes
from rsonnx.errors import UsageError
from rsonnx.scalars import shown

Exif = Literal["apply", "ignore"]
"""Turn pictures as their EXIF orientation says, or read them as they are stored."""

_BACKGROUND = re.compile(r"white|black|ignore|#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class DataSettings:
    """How data are read, as far as they do not say it themselves.

    Attributes:
        classes: class names in the order of the model's outputs, or a file of them
            (:func:`~rsonnx.data.read_class_names`): class folders are met by them, and labels of
            other forms are called by them.
        labels: a file of the inputs' labels (:mod:`rsonnx.data.label_file`); folders are then no
            classes, but parts of names.
        exif: "apply" turns pictures as their EXIF orientation says, "ignore" reads them as stored.
        background: what the transparent pixels of pictures are seen on: "white", "black",
            "#rrggbb", or "ignore" for the colour that is stored beneath; None refuses them.
        on_bad_image: "refuse" names all pictures that cannot be read, "skip" leaves them out.
        arrays: names of the inputs and of their labels, ``"INPUTS"`` or ``"INPUTS,LABELS"``, in an
            archive of arrays with others; None for those with usual names.
        split: which part is read of data that hold several, as "test" and "train"; None where they
            hold one.
        label_column: the column of a table that holds its labels, or ``"none"``; None for the one
            that has a usual name.
        fixed_columns: columns of a table that no noise is added to, beside those of text; or a text
            with commas between them.
    """

    classes: Path | Sequence[str] | None = None
    labels: Path | None = None
    exif: Exif = "apply"
    background: str | None = None
    on_bad_image: Literal["refuse", "skip"] = "refuse"
    arrays: str | None = None
    split: str | None = None
    label_column: str | None = None
    fixed_columns: str | Sequence[str] = ()

    FILES: ClassVar[tuple[str, ...]] = ("classes", "labels")
    """The fields that may be files; a header that a stranger wrote never has one opened."""

    def __post_init__(self) -> None:
        check_choice("exif", self.exif, get_args(Exif))
        check_choice("on_bad_image", self.on_bad_image, ("refuse", "skip"))
        if self.background is not None and not _BACKGROUND.fullmatch(str(self.background)):
            raise UsageError(
                f"background is {shown(self.background)}, but white, black, #rrggbb or ignore was "
                "expected"
            )
        if self.labels is not None:
            path = Path(self.labels) if isinstance(self.labels, str) else self.labels
            object.__setattr__(self, "labels", check_kind("labels", path, Path, "a path"))
        for name in ("arrays", "split"):
            if getattr(self, name) is not None:
                check_kind(name, getattr(self, name), str, "names")
        if not isinstance(self.classes, Path):
            object.__setattr__(self, "classes", checked_classes(self.classes))
        if self.label_column is not None:
            check_kind("label_column", self.label_column, str, "the name of a column")
        fixed = self.fixed_columns
        if isinstance(fixed, str):
            fixed = [name.strip() for name in fixed.split(",")]
        object.__setattr__(self, "fixed_columns", check_texts("fixed_columns", fixed))

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The class names, read once; None where none are declared."""
        is_file = isinstance(self.classes, Path)
        return checked_classes(read_class_names(self.classes) if is_file else self.classes)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records, by the names of the command line's options."""
        recorded = {field.name: getattr(self, field.name) for field in fields(self)}
        files = {name: recorded[name] for name in self.FILES}
        return recorded | {k: str(v) if isinstance(v, Path) else None for k, v in files.items()}

    @classmethod
    def from_json(
        cls, recorded: Mapping[str, Any], files: Mapping[str, Path | None] | None
    ) -> Self:
        """Return the settings that :meth:`to_json` recorded; other fields are left alone.

        Args:
            recorded: what a header has; one of an older version has fewer fields.
            files: those that were given again, by the names of their fields; None does without,
                where labels do not matter.

        Raises:
            UsageError: a file that the run was made with is not among them.
        """
        again = files or {}
        for name in cls.FILES if files is not None else ():
            if recorded.get(name) is not None and again.get(name) is None:
                raise UsageError(
                    f"the run was made with {name} from a file, {shown(recorded[name])}; give that "
                    f"file with --{name}"
                )
        plain = {f.name: recorded[f.name] for f in fields(cls) if f.name in recorded}
        return cls(**plain | {name: again.get(name) for name in cls.FILES})
