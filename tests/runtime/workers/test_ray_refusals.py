"""What is refused before Ray is asked, and what must work without it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from onnx_models import linear, save
from runtime.workers import far

from rsonnx.errors import ModelError, ProviderError, UsageError
from rsonnx.runtime.workers import RayEngine, shipped
from rsonnx.runtime.workers.cluster import Needs


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'rsonnx\[ray\]'$"):
        RayEngine(far.Deadly)


@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        ("127.0.0.1:1", ProviderError, r"^no Ray cluster answers at 127.0.0.1:1 \(.*refused"),
        ("no host at all:6379", ProviderError, "^no Ray cluster answers at no host at all:6379"),
        ("127.0.0.1", UsageError, "the Ray address is '127.0.0.1', but HOST:PORT"),
        ("127.0.0.1:", UsageError, "HOST:PORT"),
        ("127.0.0.1:99999", UsageError, "HOST:PORT"),
        ("127.0.0.1:٣", UsageError, "HOST:PORT"),
        ("", UsageError, "HOST:PORT"),
        ("x" * 100 + ".:1", ProviderError, "^no Ray cluster answers at"),
    ],
)
def test_addresses(address: str, kind: type[Exception], words: str) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'rsonnx[ray]'")
    with pytest.raises(kind, match=words):
        RayEngine(far.Deadly, address=address)


def test_the_address_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'rsonnx[ray]'")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    for address in (None, "auto"):
        with pytest.raises(ProviderError, match=r"^no Ray cluster answers at 127\.0\.0\.1:1"):
            RayEngine(far.Deadly, address=address)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "workers is 0, but it must be at least 1"),
        ({"gpus_per_worker": -1}, "gpus_per_worker is -1, but a finite number from 0"),
        ({"cpus_per_worker": float("nan")}, "cpus_per_worker is nan, but a finite"),
        ({"cpus_per_worker": float("inf")}, "cpus_per_worker is inf, but a finite"),
        ({"cpus_per_worker": 0}, "neither a CPU nor a GPU"),
    ],
)
def test_arguments(options: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        RayEngine(far.Deadly, **options)


@pytest.mark.parametrize(
    ("needs", "resources", "room"),
    [
        (Needs(1, 0), {"CPU": 7.5}, 7),
        (Needs(2, 1), {"CPU": 16.0, "GPU": 3.0}, 3),
        (Needs(0, 0.1), {"GPU": 0.3}, 3),  # 0.3 / 0.1 is a little below 3 in binary
        (Needs(1, 1), {"CPU": 64.0}, 0),
        (Needs(0, 1), {"GPU": 8.0}, 8),
    ],
)
def test_room_on_a_node(needs: Needs, resources: dict[str, float], room: int) -> None:
    assert needs.room(resources) == room


def test_a_shipped_model_is_the_one_that_was_loaded(tmp_path: Path) -> None:
    model = save(linear(), tmp_path)
    mine = far.from_file(model)
    factory = shipped(model, far.from_file, sha256=mine.facts["sha256"])
    model.unlink()
    assert factory().facts == mine.facts  # type: ignore[attr-defined]
    save(linear(seed=2), tmp_path)
    with pytest.raises(ModelError, match="was changed after it had been loaded"):
        shipped(model, far.from_file, sha256=mine.facts["sha256"])()


def test_external_data_travel_too(tmp_path: Path) -> None:
    import onnx

    proto = linear(("n", 3, 32, 32), 10)
    (tmp_path / "weights").mkdir()
    model = tmp_path / "model.onnx"
    onnx.save(proto, model, save_as_external_data=True, location="weights/all.bin")
    mine = far.from_file(model)
    names = mine.facts["external_data"]
    assert names == ["weights/all.bin"]
    factory = shipped(model, far.from_file, sha256=mine.facts["sha256"], external_data=names)
    model.unlink()
    (tmp_path / names[0]).unlink()
    assert factory().facts == mine.facts  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "c:\\x", "..\\x"])
def test_names_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    model = save(linear(), tmp_path)
    with pytest.raises(UsageError, match="is not in the model's folder"):
        shipped(model, far.from_file, sha256="", external_data=[name])


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.onnx cannot be read, so it cannot be sent"):
        shipped(tmp_path / "none.onnx", far.from_file, sha256="")
