"""What a file is that was given for an ONNX model: gzip is opened, all else named with its remedy.

Content comes before names, and nothing is executed or unpickled. Names of files are asked only
where a format has no mark of its own.
"""

from __future__ import annotations

import gzip
import io
import os
import shlex
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from rsonnx.errors import ModelError

GZIP = b"\x1f\x8b"

_MOST_UNPACKED, _MOST_RATIO = 256 * 2**20, 100
"""What gzip may unpack to: so many bytes, or so many times its own. Pruned weights shrink to a
hundredth at most, a bomb to a thousandth."""

_CHUNK = 2**20


@dataclass(frozen=True)
class _Format:
    """A format that is no ONNX, and how it is recognised: one of the four ways is enough.

    Attributes:
        what: it is called.
        remedy: what to do, ``{}`` standing for the path.
        marks: bytes that stand at ``at``; of a text in small letters, behind white space.
        holds: endings of the names that a zip archive or a folder holds.
        endings: of the file's own name.
    """

    what: str
    remedy: str
    marks: tuple[bytes, ...] = ()
    at: int = 0
    holds: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()

    def said(self, path: Path | None) -> str:
        """Return both in one clause."""
        name = "FILE" if path is None else shlex.quote(str(path))
        return f"{self.what}; {self.remedy.replace('{}', name)}"


_SOURCE = "give the .onnx file that it was made of"
_FETCH = "fetch the file itself again"
_EXPORT = "it and write it with torch.onnx.export(model, (x,), 'model.onnx')"
_TORCH = f"in PyTorch load {_EXPORT}"
_KERAS = "load it in Keras and write it with model.export('model.onnx', format='onnx')"
_TF = "convert it: python -m tf2onnx.convert {} --output model.onnx"
_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in (2, 3, 4, 5))
_OLD_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
"""The magic number, pickled, with which torch.save began before PyTorch 1.6."""
_PACKERS = (b"\xfd7zXZ", b"BZh", b"(\xb5/\xfd", b"7z\xbc\xaf", b"Rar!", GZIP)

_FORMATS = (
    _Format("a Git LFS pointer", "run git lfs pull where it lies", (b"version https://git-lfs",)),
    _Format("a git-annex pointer", "run git annex get where it lies", (b"/annex/objects/",)),
    _Format("a web page", _FETCH, (b"<!doctype html", b"<html")),
    _Format("XML text", _FETCH, (b"<?xml", b"<error", b"<net ")),
    _Format("an ONNX Runtime format (.ort) model", _SOURCE, (b"ORTM",), 4),
    _Format(
        "a TensorFlow Lite model", _TF.format("--tflite {}"), (b"TFL3",), 4, endings=(".tflite",)
    ),
    _Format("an HDF5 file, as Keras saves", _KERAS, (b"\x89HDF",), endings=(".h5", ".hdf5")),
    _Format("a Keras model", _KERAS, holds=("model.weights.h5",), endings=(".keras",)),
    _Format("a TorchScript archive", f"torch.jit.load {_EXPORT}", holds=("/constants.pkl",)),
    _Format(
        "a program of torch.export",
        "torch.export.load it and write it with torch.onnx.export(program, f='model.onnx')",
        holds=("serialized_exported_program.json", "models/model.json"),
    ),
    _Format("a PyTorch file", _TORCH, (_OLD_TORCH,), holds=("/data.pkl",)),
    _Format(
        "a Python pickle, which is never loaded",
        "export the model in it with torch.onnx.export or skl2onnx",
        _PICKLES,
        endings=(".pt", ".pth", ".pkl", ".joblib"),
    ),
    _Format(
        "data",
        "name the model first, then the data",
        (b"\x93NUMPY", b"\x89PNG", b"\xff\xd8\xff"),
        holds=(".npy", ".png", ".jpg", ".jpeg"),
    ),
    _Format("a TensorFlow SavedModel", _TF.format("--saved-model {}"), holds=("saved_model.pb",)),
    _Format(
        "a part of a TensorFlow SavedModel",
        _TF.format("--saved-model FOLDER"),
        endings=("saved_model.pb",),
    ),
    _Format(
        "a TensorFlow graph",
        _TF.format("--graphdef {} --inputs x:0 --outputs y:0"),
        endings=(".pb",),
    ),
    _Format("weights in safetensors", _TORCH, (b'{"',), 8, endings=(".safetensors",)),
    _Format(
        "a folder of a Hugging Face model",
        "export it: optimum-cli export onnx --model {} FOLDER",
        holds=("model.safetensors", "pytorch_model.bin"),
    ),
    _Format("a TensorRT engine", _SOURCE, (b"ftrt", b"ptrt"), endings=(".engine", ".plan", ".trt")),
    _Format("a Core ML model", _SOURCE, holds=(".mlmodel",), endings=(".mlmodel",)),
    _Format("JSON text", _FETCH, (b'{"', b"{\n", b"[{")),
    _Format(
        "what holds one", "name the .onnx file in it, unpacked", _PACKERS, 0, (".onnx",), (".tar",)
    ),
)
"""Those with longer marks, or that hold what others hold too, come first."""


def unpacked(data: bytes, where: str, most: int) -> bytes:
    """Return what a gzip file of one or several members holds, at most ``most`` bytes.

    Raises:
        ModelError: it is damaged, or unpacks to more than that, or than is plausible for its size.
    """
    most = min(most, max(_MOST_UNPACKED, _MOST_RATIO * len(data)))
    contents = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            while chunk := stream.read(_CHUNK):
                contents += chunk
                if len(contents) > most:
                    raise ModelError(
                        f"{where} has {len(data):,} bytes of gzip that unpack to more than "
                        f"{most:,}; give the unpacked model if that is meant"
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{where} is a broken gzip file ({error}); fetch it again") from None
    return bytes(contents)


def foreign(data: bytes, path: Path | None) -> str | None:
    """Return what bytes that are no ONNX model are, and what to do; None where nothing tells.

    Args:
        data: all of a file, unpacked.
        path: of the file, where it has one.
    """
    if not data:
        return "an empty file; export or fetch it again"
    held: list[str] = []
    if data.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                held = archive.namelist()
        except Exception:  # struct, Unicode, ...: whatever a hostile directory provokes
            return "a broken zip archive; fetch it again"
    text = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    name = "" if path is None else path.name.lower()
    recognised = (
        next((f for f in _FORMATS if f.marks and data.startswith(f.marks, f.at)), None)
        or next((f for f in _FORMATS if f.marks and not f.at and text.startswith(f.marks)), None)
        or _holding(held)
        or next((f for f in _FORMATS if f.endings and name.endswith(f.endings)), None)
    )
    return None if recognised is None else recognised.said(path)


def foreign_folder(path: Path) -> str | None:
    """Return what model a folder is in place of an ONNX file, and what to do; else None."""
    try:
        format_ = _holding(os.listdir(path))
    except OSError:
        return None
    return None if format_ is None else format_.said(path)


def _holding(names: list[str]) -> _Format | None:
    """Return the format that holds files of such names."""
    return next((f for f in _FORMATS if f.holds and any(n.endswith(f.holds) for n in names)), None)
