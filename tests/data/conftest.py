"""Small files of every accepted form, made on the spot."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def png_bytes(level: int = 0, *, size: tuple[int, int] = (3, 2), mode: str = "RGB") -> bytes:
    """A PNG of one level in every channel; `size` is (width, height)."""
    image = Image.fromarray(np.full((size[1], size[0], 3), level, np.uint8)).convert(mode)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def png() -> Callable[..., bytes]:
    return png_bytes


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., Path]:
    """Write files under a new folder: a list of image names, or a mapping to bytes."""

    def make(files: list[str] | Mapping[str, bytes], root: str = "set") -> Path:
        contents = files if isinstance(files, Mapping) else dict.fromkeys(files, png_bytes())
        base = tmp_path / root
        base.mkdir(exist_ok=True)
        for name, data in contents.items():
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_bytes(data)
        return base

    return make


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    """Write a .zip: a list of image names (or folders with '/'), or a mapping to bytes."""

    def make(files: list[str] | Mapping[str, bytes], name: str = "set.zip", **options: Any) -> Path:
        contents = (
            files
            if isinstance(files, Mapping)
            else {entry: b"" if entry.endswith("/") else png_bytes() for entry in files}
        )
        with zipfile.ZipFile(tmp_path / name, "w", **options) as archive:
            for entry, data in contents.items():
                archive.writestr(entry, data)
        return tmp_path / name

    return make
