"""What is refused before Ray is asked, and what must work without it."""

from __future__ import annotations

import re
import sys
import threading
from typing import Any, ClassVar

import pytest
from runtime.workers import far

from rsonnx.errors import ProviderError, UsageError
from rsonnx.runtime.workers import RayEngine
from rsonnx.runtime.workers.cluster import joined, joining
from rsonnx.runtime.workers.ray import room


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'rsonnx\[ray\]'$"):
        RayEngine(far.Deadly)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1:1", ProviderError),
        ("no host at all:6379", ProviderError),
        ("127.0.0.1", UsageError),
        ("127.0.0.1:", UsageError),
        ("127.0.0.1:99999", UsageError),
        ("127.0.0.1:٣", UsageError),
        ("", UsageError),
        ("x" * 100 + ".:1", ProviderError),
    ],
)
def test_addresses(address: str, kind: type[Exception]) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'rsonnx[ray]'")
    with pytest.raises(kind, match=re.escape(repr(address)[1:-1] or "HOST")) as caught:
        RayEngine(far.Deadly, address=address)
    assert "\n" not in str(caught.value)


def test_the_address_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'rsonnx[ray]'")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    for address in (None, "auto"):
        with pytest.raises(ProviderError, match=r"127\.0\.0\.1:1"):
            RayEngine(far.Deadly, address=address)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"gpus_per_worker": -1}, "gpus_per_worker is -1"),
        ({"cpus_per_worker": float("nan")}, "cpus_per_worker is nan"),
        ({"cpus_per_worker": float("inf")}, "cpus_per_worker is inf"),
        ({"cpus_per_worker": 0}, "CPU"),
    ],
)
def test_arguments(options: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        RayEngine(far.Deadly, **options)


@pytest.mark.parametrize(
    ("cpus", "gpus", "resources", "workers"),
    [
        (1, 0, {"CPU": 7.5}, 7),
        (2, 1, {"CPU": 16.0, "GPU": 3.0}, 3),
        (0, 0.1, {"GPU": 0.3}, 3),  # 0.3 / 0.1 is a little below 3 in binary
        (1, 1, {"CPU": 64.0}, 0),
        (0, 1, {"GPU": 8.0}, 8),
    ],
)
def test_room_on_a_node(
    cpus: float, gpus: float, resources: dict[str, float], workers: int
) -> None:
    assert room(resources, {"CPU": cpus, "GPU": gpus}) == workers


class Joined:
    """A cluster that is joined at once, or not at all."""

    made: ClassVar[list[Joined]] = []

    def __init__(self, address: str | None) -> None:
        if address == "nowhere":
            raise ProviderError("no cluster")
        self.thread, self.closed = threading.current_thread(), False
        self.made.append(self)

    def close(self) -> None:
        self.closed = True


def test_a_cluster_is_joined_beside_the_trial_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rsonnx.runtime.workers.cluster.Cluster", Joined)
    with joining(None):
        taken = joined(None)
        assert taken.thread is not threading.current_thread()  # type: ignore[attr-defined]
        assert joined(None).thread is threading.current_thread()  # type: ignore[attr-defined]
    assert not taken.closed  # type: ignore[attr-defined]
    with joining("auto"):
        pass
    assert [cluster.closed for cluster in Joined.made] == [False, False, True]
    with joining("nowhere"), pytest.raises(ProviderError):
        joined("nowhere")
    with joining("nowhere"):  # whose model is refused for another reason
        pass
