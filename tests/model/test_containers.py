"""What people give in place of an ONNX file: gzip is opened, all else is named, nothing is run."""

from __future__ import annotations

import gzip
import io
import itertools
import os
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from commands import command, rows_of
from onnx_models import linear, save

from rsonnx.errors import ModelError
from rsonnx.model import read_model
from rsonnx.model.containers import unpacked

WHOLE = linear().SerializeToString()


def archive(*names: str) -> bytes:
    """Return a zip archive of files of these names."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as opened:
        for name in names:
            opened.writestr(name, b"x")
    return held.getvalue()


class Bomb:
    """What writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.mkdir, ("unpickled",)


def ort_format(folder: Path) -> bytes:
    """Return a model as onnxruntime itself writes its own format."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "written.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(WHOLE, options, providers=["CPUExecutionProvider"])
    return (folder / "written.ort").read_bytes()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345\n"
GIVEN: dict[str, tuple[str, bytes, str]] = {
    "lfs": ("m.onnx", LFS, "git lfs pull"),
    "annex": ("m.onnx", b"/annex/objects/SHA256E-s9--4d.onnx\n", "git annex get"),
    "page": ("m.onnx", b"\n <!DOCTYPE html>\n<html>404</html>", "web page"),
    "xml": ("m.onnx", b'<?xml version="1.0"?><Error>AccessDenied</Error>', "XML"),
    "json": ("m.onnx", b'{"error": "Repository not found"}', "JSON"),
    "tflite": ("m.onnx", b"\x1c\0\0\0TFL3" + bytes(40), "--tflite"),
    "hdf5": ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(40), "Keras"),
    "keras": ("m", archive("metadata.json", "config.json", "model.weights.h5"), "Keras"),
    "torch": ("m", archive("m/data.pkl", "m/byteorder", "m/data/0"), "torch.onnx.export"),
    "torchscript": ("m", archive("m/data.pkl", "m/code/a.py", "m/constants.pkl"), "torch.jit.load"),
    "exported": ("m", archive("m/models/model.json", "m/archive_format"), "torch.export.load"),
    "old torch": ("m", pickle.dumps(0x1950A86A20F9469CFC6C, 2) + b"\x80\x02M\xe9\x03.", "PyTorch"),
    "pickle": ("m.onnx", pickle.dumps(Bomb()), "never loaded"),
    "safetensors": ("m", (99).to_bytes(8, "little") + b'{"w":{"dtype":"F32"', "safetensors"),
    "saved model": ("saved_model.pb", b"\xff\x01\x02", "--saved-model"),
    "frozen graph": ("frozen.pb", b"\xff\x01\x02", "--graphdef"),
    "tensorrt": ("m.onnx", b"ftrt" + bytes(40), "TensorRT"),
    "arrays": ("m.npz", archive("x.npy", "y.npy"), "data"),
    "pictures": ("m.zip", archive("cat/0.png", "dog/1.png"), "data"),
    "zip": ("m.zip", archive("folder/m.onnx"), "unpacked"),
    "xz": ("m.onnx.xz", b"\xfd7zXZ\0" + bytes(9), "unpacked"),
    "gzip in gzip": ("m.onnx.gz", gzip.compress(gzip.compress(WHOLE)), "unpacked"),
    "pointer in gzip": ("m.onnx.gz", gzip.compress(LFS), "git lfs pull"),
}  # fmt: skip


@pytest.mark.parametrize("kind", GIVEN)
def test_what_is_no_onnx_file_is_named_with_what_to_do(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, content, named = GIVEN[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match="is not an ONNX model but") as caught:
        read_model(Path(name))
    assert named in str(caught.value)
    assert len(str(caught.value)) <= 160
    assert os.listdir(tmp_path) == [name]
    if not name.endswith((".pb", ".h5")):
        with pytest.raises(ModelError, match=re.escape(named)):
            read_model(content)  # its content alone tells


def test_onnxruntimes_own_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"\.ort"):
        read_model(ort_format(tmp_path))


@pytest.mark.parametrize(
    ("held", "named"),
    [
        ("saved_model.pb", "--saved-model"),
        ("model.safetensors", "optimum-cli"),
        ("model.onnx", "unpacked"),
    ],
)
def test_a_folder_of_a_model_is_named(held: str, named: str, tmp_path: Path) -> None:
    (tmp_path / held).touch()
    with pytest.raises(ModelError, match=named):
        read_model(tmp_path)


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_a_compressed_model_is_the_model(parts: int, tmp_path: Path) -> None:
    cuts = np.linspace(0, len(WHOLE), parts + 1).astype(int)
    packed = b"".join(gzip.compress(WHOLE[a:b]) for a, b in itertools.pairwise(cuts))
    (tmp_path / "m.onnx").write_bytes(packed)  # whatever its name
    model, plain = read_model(tmp_path / "m.onnx"), read_model(WHOLE)
    assert model.proto == plain.proto
    assert model.size == len(packed)
    assert model.sha256 != plain.sha256  # it is the file's


def test_damaged_gzip_is_refused_wherever_the_damage_is() -> None:
    packed = gzip.compress(WHOLE)
    rng = np.random.default_rng(5)
    for at in rng.integers(2, len(packed), 60):
        cut, turned = packed[:at], bytearray(packed)
        turned[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(ModelError):
            read_model(cut)
        try:
            assert read_model(bytes(turned)).proto == read_model(WHOLE).proto
        except ModelError:
            continue  # a bit of the header's time or name changes nothing
    with pytest.raises(ModelError, match="gzip"):
        read_model(packed + b"what follows")


def test_gzip_is_unpacked_to_a_bound() -> None:
    packed = gzip.compress(bytes(5000))
    assert unpacked(packed, "m", 5000) == bytes(5000)
    with pytest.raises(ModelError, match="unpack"):
        unpacked(packed, "m", 4999)
    bomb = gzip.compress(bytes(2**20)) * 300  # 300 MiB out of 0.3 MB
    with pytest.raises(ModelError, match="unpack"):
        read_model(bomb)


@pytest.mark.usefixtures("children")
@pytest.mark.parametrize("kind", ["lfs", "tflite", "zip"])
def test_certify_and_inspect_say_the_same(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.onnx").write_bytes(GIVEN[kind][1])
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 4), np.float32))
    outcomes = [
        command("certify m.onnx d.npz --sigma 0.1 --preprocess none -o out.jsonl"),
        command("inspect m.onnx"),
    ]
    assert [outcome.code for outcome in outcomes] == [4, 4]
    assert outcomes[0].err == outcomes[1].err
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.usefixtures("children")
def test_a_run_of_a_compressed_model_is_verified_with_the_file_as_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.onnx.gz").write_bytes(gzip.compress(WHOLE))
    x = np.random.default_rng(1).random((3, 1, 4, 4)).astype(np.float32)
    np.savez("d.npz", x=x)
    plain = save(linear(), tmp_path)
    for name in ("m.onnx.gz", plain.name):
        made = f"certify {name} d.npz --sigma 0.1 --preprocess none --n 50 --seed 1 -o {name}.jsonl"
        assert command(made).code == 0
    assert rows_of(Path("m.onnx.gz.jsonl")) == rows_of(Path(f"{plain.name}.jsonl"))
    verify = "verify m.onnx.gz.jsonl --data d.npz --replay 2 --model"
    assert command(f"{verify} m.onnx.gz").code == 0
    assert command(f"{verify} {plain.name}").code != 0
