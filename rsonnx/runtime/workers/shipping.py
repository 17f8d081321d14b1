"""A model file that travels: its bytes go to where a worker is, which need not share a disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from rsonnx.errors import ModelError, UsageError
from rsonnx.runtime.classifier import BaseClassifier

Loader = Callable[[Path], BaseClassifier]
"""Makes a classifier of the model file at a path; must travel too."""


@dataclass(frozen=True)
class Shipped:
    """A factory of a classifier that brings the model's files along.

    Attributes:
        load: makes the classifier of the file, which is deleted afterwards.
        sha256: of the model, as the classifier's ``facts`` give it.
        files: the model file, then its external data: relative names and contents.
    """

    load: Loader
    sha256: str
    files: tuple[tuple[str, bytes], ...]

    def __call__(self) -> BaseClassifier:
        """Write the files to a folder of their own and load the model there.

        Raises:
            ModelError: the files are not the model that was promised.
        """
        with tempfile.TemporaryDirectory(prefix="rsonnx-") as folder:
            for name, content in self.files:
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            classifier = self.load(Path(folder, self.files[0][0]))
        found = getattr(classifier, "facts", {}).get("sha256")
        if found != self.sha256:
            raise ModelError(
                f"{self.files[0][0]} has the SHA-256 {found}, but {self.sha256} was expected; "
                "it was changed after it had been loaded, so run again"
            )
        return classifier


def shipped(
    path: str | os.PathLike[str],
    load: Loader,
    *,
    sha256: str,
    external_data: Iterable[str] = (),
) -> Shipped:
    """Return a factory that takes the bytes of a model to wherever it is called.

    Args:
        path: the model file.
        load: makes a classifier of the file at a path.
        sha256: of the model: ``facts["sha256"]`` of the classifier that was loaded here. A file
            that has changed since is refused by every worker.
        external_data: names of the external data files, relative to the model's folder:
            ``facts["external_data"]``.

    Raises:
        UsageError: a file cannot be read, or a name leaves the model's folder.
    """
    path = Path(path)
    names = [path.name, *external_data]
    for name in names[1:]:
        parts = (*PurePosixPath(name).parts, *PureWindowsPath(name).parts)
        rooted = PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor
        if rooted or ".." in parts:
            raise UsageError(
                f"the external data file {name!r} of {path} is not in the model's folder, but must "
                "be there to be sent along; move it"
            )
    try:
        files = tuple((name, (path.parent / name).read_bytes()) for name in names)
    except OSError as error:
        raise UsageError(
            f"{error.filename} cannot be read, so it cannot be sent to a worker: {error.strerror}"
        ) from None
    return Shipped(load, sha256, files)
