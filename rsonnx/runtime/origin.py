"""What a classifier was made of: it travels to other processes and machines in its place."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rsonnx.errors import ModelError, UsageError
from rsonnx.runtime.device_options import DeviceOptions

if TYPE_CHECKING:
    from rsonnx.runtime.onnx_classifier import OnnxClassifier


@dataclass(frozen=True)
class Origin:
    """A model, and how a classifier is made of it.

    Attributes:
        model: the file, or the bytes of a model that has no file.
        sha256: of the model and its external data. One that has changed since is refused.
        external_data: names of its external data files, relative to its folder.
        settings: what was declared of the model.
        providers: as they were asked for; None where none were.
        device: what the classifier was opened with.
        load: makes the classifier of model, settings, providers and device; picklable.
        files: the model file, then its external data, relative names and contents, where they
            travel along; empty where they are read again.
    """

    model: Path | bytes = field(repr=False)
    sha256: str
    external_data: tuple[str, ...]
    settings: Any
    providers: Sequence[str] | None
    device: DeviceOptions
    load: Callable[..., OnnxClassifier] = field(repr=False)
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)

    def classifier(self) -> OnnxClassifier:
        """Make the classifier again; files that travelled along are written to a folder for it.

        Raises:
            ModelError: the model is no longer what it was.
            RsonnxError: it cannot be loaded here.
        """
        if self.files:
            with tempfile.TemporaryDirectory(prefix="rsonnx-") as folder:
                for name, content in self.files:
                    path = Path(folder, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                return replace(self, model=Path(folder, self.files[0][0]), files=()).classifier()
        classifier = self.load(self.model, self.settings, self.providers, self.device)
        sha256 = classifier.facts["sha256"]
        if sha256 != self.sha256:
            raise ModelError(
                f"{classifier.session.name} has the SHA-256 {sha256}, but {self.sha256} was "
                "expected; it was changed after it had been loaded, so run again"
            )
        return classifier

    def on(self, number: int) -> OnnxClassifier:
        """Make the classifier again on the device of this number."""
        return replace(self, device=replace(self.device, device=number)).classifier()

    def with_files(self) -> Origin:
        """Return the same with what its classifier is made of, for machines without our disk.

        Raises:
            UsageError: a file cannot be read.
        """
        if isinstance(self.model, bytes):
            return self
        names = [self.model.name, *self.external_data]
        try:
            files = tuple((name, (self.model.parent / name).read_bytes()) for name in names)
        except OSError as error:
            raise UsageError(
                f"{error.filename} cannot be read, so it cannot be sent to a worker: "
                f"{error.strerror}"
            ) from None
        return replace(self, files=files)
