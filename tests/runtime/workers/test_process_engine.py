from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from onnx_models import linear, save
from runtime.workers import far
from runtime.workers.far import all_gone, noisy, pids

from rsonnx.errors import InferenceError, ModelError, ProviderError, RsonnxError, UsageError
from rsonnx.runtime import CountRequest, ThreadEngine
from rsonnx.runtime.workers import ProcessEngine

RANGES = [(0, 600), (5, 6), (255, 257), (256, 512), (300, 7077), (4, 4), (1, 2000)]
LONG = [CountRequest(noisy(), 0, 10**7)]


def requests() -> list[CountRequest]:
    return [CountRequest(noisy(seed), a, b) for seed in (1, 2, 3) for a, b in RANGES]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(linear(), tmp_path_factory.mktemp("workers"))


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_counts_are_those_of_threads(model: Path, devices: int) -> None:
    expected = ThreadEngine(far.from_file(model)).count(requests())
    seen: list[int] = []
    with ProcessEngine(partial(far.on_device, path=model), range(devices)) as engine:
        assert engine.count(requests(), seen.append) == expected
        assert engine.count(requests()[::-1]) == expected[::-1]
        assert engine.count([]) == []
    assert sum(seen) == sum(r.stop - r.start for r in requests())


def test_an_engine_of_the_callers_own_works_inside(model: Path) -> None:
    inside = partial(ThreadEngine, batch_size=7, workers=1)
    factory = partial(far.on_device, path=model)
    expected = ThreadEngine(far.from_file(model)).count(requests())
    with ProcessEngine(factory, "ab", engine_factory=inside) as engine:
        assert engine.count(requests()) == expected


def test_all_processes_work(tmp_path: Path) -> None:
    with ProcessEngine(partial(far.slow, folder=tmp_path, seconds=0.01), "abc") as engine:
        engine.count([CountRequest(noisy(), 0, 128 * 150)])
    shares = far.calls(tmp_path)
    assert sum(shares) == 150
    assert len(shares) == 3
    assert min(shares) >= 15  # by thirds, 50


def killing(folder: Path, number: int) -> Any:
    """Return a progress callback that kills a worker once some work is done."""
    calls: list[int] = []

    def progress(samples: int) -> None:
        calls.append(samples)
        if len(calls) == 4:
            os.kill(pids(folder)[0], number)

    return progress


UNIX = pytest.mark.skipif(not hasattr(os, "killpg"), reason="no such signals on this system")


@UNIX
def test_a_killed_worker_is_one_error_and_nothing_is_left(tmp_path: Path) -> None:
    engine = ProcessEngine(partial(far.slow, folder=tmp_path, seconds=0.005), ["one", "two"])
    with pytest.raises(InferenceError, match=r"device (one|two) .*SIGKILL"):
        engine.count(LONG, killing(tmp_path, signal.SIGKILL))
    assert all_gone(pids(tmp_path))
    with pytest.raises(UsageError, match="closed"):
        engine.count(LONG)
    engine.close()


@UNIX
def test_a_worker_that_dies_idle_is_found(tmp_path: Path) -> None:
    with ProcessEngine(partial(far.slow, folder=tmp_path), ["one"]) as engine:
        os.kill(pids(tmp_path)[0], signal.SIGTERM)
        assert all_gone(pids(tmp_path))
        with pytest.raises(InferenceError, match=r"device one .*SIGTERM"):
            engine.count(LONG)


@pytest.mark.parametrize(
    ("factory", "kind", "named"),
    [
        (far.refusing, ProviderError, r"no such device \(in the .* for device bad\)$"),
        (far.broken, InferenceError, r"KeyError: 'weights' \(in the .* for device (good|bad)\)$"),
        (far.exhausted, InferenceError, r"memory"),
        (far.exiting, InferenceError, r"exit code 7"),
    ],
)
def test_a_factory_that_fails(factory: Any, kind: type[RsonnxError], named: str) -> None:
    with pytest.raises(kind, match=named) as caught:
        ProcessEngine(factory, ["good", "bad"])
    assert type(caught.value) is kind


def test_a_model_that_fails_on_a_batch() -> None:
    engine = ProcessEngine(far.failing, ["good", "bad"])
    with pytest.raises(InferenceError, match=r"^the model gave up on a batch \(in .* device bad"):
        engine.count(LONG)
    with pytest.raises(UsageError, match="closed"):
        engine.count(LONG)


def test_an_engine_that_loses_samples_is_refused() -> None:
    with (
        ProcessEngine(far.failing, ["good"], engine_factory=far.Lying) as engine,
        pytest.raises(InferenceError, match=r"\[255\] answers to .* \[256\]"),
    ):
        engine.count(LONG)


def test_what_cannot_be_sent() -> None:
    with pytest.raises(UsageError, match="factory"):
        ProcessEngine(lambda _: far.Failing(), ["one"])
    engine = ProcessEngine(far.failing, ["good"])
    with pytest.raises(UsageError, match="noise stream"):
        engine.count([CountRequest(far.Unsendable(), 0, 100)])
    engine = ProcessEngine(far.failing, ["good"])
    with pytest.raises(InferenceError, match=r"a class of another .*device good"):
        engine.count([CountRequest(far.Unreadable(), 0, 100)])


def test_no_device() -> None:
    with pytest.raises(UsageError, match="no device"):
        ProcessEngine(far.failing, [])


def test_different_models_are_refused(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        save(linear(seed=seed), tmp_path, name)
    factory = partial(far.one_model_each, folder=tmp_path)
    with ProcessEngine(factory, ["a", "b"]):
        pass
    with pytest.raises(ModelError, match="another model"):
        ProcessEngine(factory, ["a", "c"])


def test_an_error_of_the_caller_ends_the_workers(tmp_path: Path) -> None:
    def progress(samples: int) -> None:
        raise KeyboardInterrupt

    engine = ProcessEngine(partial(far.slow, folder=tmp_path, seconds=0.005), "ab")
    with pytest.raises(KeyboardInterrupt):
        engine.count(LONG, progress)
    assert all_gone(pids(tmp_path))


def test_threads_may_share_the_engine(model: Path) -> None:
    expected = ThreadEngine(far.from_file(model)).count(requests())
    found: list[Any] = []
    with ProcessEngine(partial(far.on_device, path=model), "ab") as engine:
        threads = [
            threading.Thread(target=lambda: found.append(engine.count(requests())))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [expected] * 3


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from runtime.workers import far
from rsonnx.runtime import CountRequest
from rsonnx.runtime.workers import ProcessEngine

if __name__ == "__main__":
    factory = partial(far.slow, folder=Path(sys.argv[1]), seconds=0.005)
    try:
        print("starting", flush=True)
        engine = ProcessEngine(factory, ["one", "two"])
        print("ready", flush=True)
        engine.count([CountRequest(far.noisy(), 0, 10**7)])
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""

UNGUARDED = SCRIPT.replace('if __name__ == "__main__":', "if True:")


def run_script(text: str, folder: Path) -> subprocess.Popen[str]:
    script = folder / "script.py"
    script.write_text(text, encoding="utf-8")
    tests = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(tests)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(word: str, parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    while line := parent.stdout.readline():
        if line == f"{word}\n":
            return
    pytest.fail(f"the script ended before it was {word}")


@UNIX
def test_no_orphan_is_left_by_a_killed_parent(tmp_path: Path) -> None:
    parent = run_script(SCRIPT, tmp_path)
    wait_for("ready", parent)
    assert len(pids(tmp_path)) == 2
    parent.kill()
    assert all_gone(pids(tmp_path))
    assert parent.communicate(timeout=10)[1] == ""


@UNIX
@pytest.mark.parametrize("when", ["starting", "ready"])
@pytest.mark.parametrize("delay", [0.1, 0.5])
def test_ctrl_c_ends_all_without_a_word(tmp_path: Path, when: str, delay: float) -> None:
    parent = run_script(SCRIPT, tmp_path)
    wait_for(when, parent)
    time.sleep(delay)
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does: to the workers too
    out, err = parent.communicate(timeout=20)
    assert (out.splitlines()[-1], err, parent.returncode) == ("interrupted", "", 0)
    assert all_gone(pids(tmp_path))


def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path) -> None:
    parent = run_script(UNGUARDED, tmp_path)
    out, err = parent.communicate(timeout=60)
    assert out.startswith("starting\n")
    assert "ready" not in out
    assert parent.returncode == 1
    assert "InferenceError: the worker process for device" in err.splitlines()[-1]
    assert 'under if __name__ == "__main__" in a script' in err.splitlines()[-1]
