from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from onnx_models import linear, save
from runtime.workers import far
from runtime.workers.far import all_gone, noisy, pids

from rsonnx.errors import InferenceError, ModelError, ProviderError, RsonnxError, UsageError
from rsonnx.runtime import CountRequest, ThreadEngine
from rsonnx.runtime.workers import RayEngine

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray: Any = pytest.importorskip("ray", reason="ray is not installed: pip install 'rsonnx[ray]'")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ray's clusters are for Unixes")

RANGES = [(0, 600), (5, 6), (255, 257), (256, 512), (300, 7077), (4, 4), (1, 2000)]
REQUESTS = [CountRequest(noisy(seed), a, b) for seed in (1, 2) for a, b in RANGES]
LONG = [CountRequest(noisy(3), 5, 128 * 300), CountRequest(noisy(4), 0, 128 * 100)]
LONG_SAMPLES = sum(r.stop - r.start for r in LONG)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that does no work, and two nodes of one core and two (logical) GPUs."""
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    found = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    try:
        for _ in range(2):
            found.add_node(num_cpus=1, num_gpus=2)
        yield found
    finally:
        found.shutdown()
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def test_counts_are_those_of_threads(
    cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = save(linear(), tmp_path)
    mine = far.from_file(model)
    expected = ThreadEngine(mine).count(REQUESTS)
    assert mine.origin is not None
    factory = mine.origin.with_files().classifier
    model.unlink()  # its bytes travel: no node reads our disk
    seen: list[int] = []
    with RayEngine(factory, address=cluster.address) as engine:
        assert engine.count(REQUESTS, seen.append) == expected
        assert engine.count(REQUESTS[::-1]) == expected[::-1]
        assert engine.count([]) == []
    assert sum(seen) == sum(r.stop - r.start for r in REQUESTS)
    assert not ray.is_initialized()
    assert capfd.readouterr() == ("", "")


def count_until(engine: RayEngine, done: Callable[[], bool], seconds: float = 120.0) -> None:
    """Have an engine count until all its workers have come, each in its own time."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        engine.count([CountRequest(noisy(), 0, 2000)])


def at_work(folder: Path, workers: int) -> bool:
    return len(pids(folder)) == workers and min(far.calls(folder)) > 0


Accident = Callable[[Any, RayEngine, Path], None]


def kill_process(cluster: Any, engine: RayEngine, folder: Path) -> None:
    os.kill(pids(folder)[0], signal.SIGKILL)


def kill_actor(cluster: Any, engine: RayEngine, folder: Path) -> None:
    ray.kill(engine._links[0].handle)


def lose_node_and_get_another(cluster: Any, engine: RayEngine, folder: Path) -> None:
    cluster.remove_node(sorted(cluster.worker_nodes, key=id)[0])
    cluster.add_node(num_cpus=1, num_gpus=2)


@pytest.mark.parametrize(
    "accident",
    [
        kill_process,
        pytest.param(kill_actor, marks=pytest.mark.slow),
        pytest.param(lose_node_and_get_another, marks=pytest.mark.slow),
    ],
)
def test_a_loss_costs_nothing_but_time(
    cluster: Any, tmp_path: Path, accident: Accident, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []
    with RayEngine(partial(far.Slow, tmp_path, 0.01), address=cluster.address) as engine:
        count_until(engine, lambda: at_work(tmp_path, 2))
        before = set(engine._links)

        def progress(samples: int) -> None:
            seen.append(samples)
            if len(seen) == 2:
                accident(cluster, engine, tmp_path)
                capfd.readouterr()  # what the cluster itself said

        counts = engine.count(LONG, progress)
        assert before - set(engine._links)
    assert counts == ThreadEngine(far.Slow(tmp_path)).count(LONG)
    assert sum(seen) == LONG_SAMPLES
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_node_that_joins_is_used(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rsonnx.runtime.workers.ray._RECRUIT", 0.2)
    with RayEngine(partial(far.Slow, tmp_path, 0.01), address=cluster.address) as engine:
        node = cluster.add_node(num_cpus=1)
        count_until(engine, lambda: at_work(tmp_path, 3))
        cluster.remove_node(node)


@pytest.mark.slow
def test_a_deadly_unit_is_given_up(cluster: Any) -> None:
    stream: Any = far.Ramp(64)
    with RayEngine(far.Deadly, address=cluster.address) as engine:
        assert engine.count([CountRequest(stream, 0, 640)])[0].total == 640
        with pytest.raises(InferenceError, match=r"3 Ray workers died"):
            engine.count([CountRequest(stream, 0, 10_000)])


@pytest.mark.parametrize(
    ("factory", "kind", "words"),
    [
        pytest.param(
            *(
                partial(far.refusing, "bad"),
                ProviderError,
                r"^there is no such device \(on .*\) \(in the Ray wo",
            ),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(
                partial(far.broken, "bad"),
                InferenceError,
                r"KeyError: 'weights' \(on .*Ray worker 1",
            ),
            marks=pytest.mark.slow,
        ),
        (partial(far.exiting, "bad"), ModelError, r"^3 Ray workers died"),
        (
            partial(far.failing, "bad"),
            InferenceError,
            r"^the model gave up on a batch \(on .* \(in the Ray",
        ),
    ],
)
def test_a_model_that_fails(
    cluster: Any, factory: Any, kind: type[RsonnxError], words: str
) -> None:
    with pytest.raises(kind, match=words) as found:  # noqa: PT012 - it fails early or late
        engine = RayEngine(factory, address=cluster.address, workers=1)
        engine.count(LONG)
    assert type(found.value) is kind
    assert not ray.is_initialized()


@pytest.mark.slow
def test_a_worker_sees_the_devices_that_are_kept_for_it(cluster: Any, tmp_path: Path) -> None:
    options: Any = {"gpus_per_worker": 1, "cpus_per_worker": 0, "address": cluster.address}
    with RayEngine(partial(far.seeing, tmp_path), **options) as engine:
        count_until(engine, lambda: len(list(tmp_path.iterdir())) == 4)
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["0", "0", "1", "1"]


def test_no_room(cluster: Any) -> None:
    with pytest.raises(ProviderError, match=r"GPU: 3; all nodes: CPU: 2, GPU: 4"):
        RayEngine(far.Deadly, address=cluster.address, gpus_per_worker=3)
    with pytest.raises(InferenceError, match=r"within 1 s"):
        RayEngine(far.Deadly, address=cluster.address, workers=1, gpus_per_worker=3, patience=1)


def test_what_cannot_be_sent(cluster: Any) -> None:
    with pytest.raises(UsageError, match=r"the factory cannot be sent to a Ray worker \(.*lock"):
        RayEngine(partial(print, threading.Lock()), address=cluster.address)  # type: ignore[arg-type]
    engine = RayEngine(far.Deadly, address=cluster.address)
    with pytest.raises(InferenceError, match=r"a class of another .*Ray worker \d on "):
        engine.count([CountRequest(far.Unreadable(), 0, 100)])
    with pytest.raises(UsageError, match="closed"):
        engine.count([])


def test_a_cluster_that_was_joined_before_is_used_and_left_alone(cluster: Any) -> None:
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        with pytest.raises(UsageError, match=r"has joined the Ray cluster at .* cannot"):
            RayEngine(far.Deadly, address="192.0.2.77:6379")
        with RayEngine(partial(far.failing, "good")) as engine:
            assert list(engine.count([CountRequest(noisy(), 0, 100)])[0]) == [100, 0, 0]
        assert ray.is_initialized()
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_an_interrupt_ends_the_workers(cluster: Any, tmp_path: Path) -> None:
    engine = RayEngine(partial(far.Slow, tmp_path, 0.01), address=cluster.address)
    timer = threading.Timer(1.0, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine.count([CountRequest(noisy(), 0, 10**7)])
    assert time.monotonic() - start < 30
    assert all_gone(pids(tmp_path))
