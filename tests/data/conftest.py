"""Small files of every accepted form, made on the spot."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from rsonnx.errors import DataError, RsonnxError


def png_bytes(level: int = 0, *, size: tuple[int, int] = (3, 2), mode: str = "RGB") -> bytes:
    """A PNG of one level in every channel; `size` is (width, height)."""
    image = Image.fromarray(np.full((size[1], size[0], 3), level, np.uint8)).convert(mode)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def contents_of(files: list[str] | Mapping[str, bytes]) -> dict[str, bytes]:
    if isinstance(files, Mapping):
        return dict(files)
    return {name: b"" if name.endswith("/") else png_bytes() for name in files}


@pytest.fixture
def png() -> Callable[..., bytes]:
    return png_bytes


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., Path]:
    """Write files under a new folder: a list of image names (or folders/), or a mapping."""

    def make(files: list[str] | Mapping[str, bytes], root: str = "set") -> Path:
        base = tmp_path / root
        base.mkdir(exist_ok=True)
        for name, data in contents_of(files).items():
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                (base / name).mkdir()
            else:
                (base / name).write_bytes(data)
        return base

    return make


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    """Write a .zip of the same."""

    def make(files: list[str] | Mapping[str, bytes], name: str = "set.zip", **options: Any) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", **options) as archive:
            for entry, data in contents_of(files).items():
                archive.writestr(entry, data)
        return tmp_path / name

    return make


@pytest.fixture
def make_tar(tmp_path: Path) -> Callable[..., Path]:
    """Write a .tar of the same, gzipped where the mode says so."""

    def make(
        files: list[str] | Mapping[str, bytes],
        name: str = "set.tar",
        mode: Literal["w", "w:gz"] = "w",
        **options: Any,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with tarfile.open(path, mode, **options) as archive:
            for entry, data in contents_of(files).items():
                info = tarfile.TarInfo(entry)
                info.size, info.mtime = len(data), 0.5  # which needs a header of its own
                archive.addfile(info, io.BytesIO(data))
        return path

    return make


@pytest.fixture(params=["make_tree", "make_zip"])
def make_images(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Write images in a folder, and in an archive."""
    maker: Callable[..., Path] = request.getfixturevalue(request.param)
    return maker


@pytest.fixture
def refused() -> Callable[..., Any]:
    """Expect a refusal: one printable sentence that names what it is about."""

    @contextmanager
    def expect(*named: object, error: type[RsonnxError] = DataError) -> Iterator[None]:
        with pytest.raises(error) as raised:
            yield
        sentence = str(raised.value)
        assert sentence.isprintable()
        assert [name for name in map(str, named) if name not in sentence] == []

    return expect
