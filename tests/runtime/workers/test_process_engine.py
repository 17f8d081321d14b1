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
REQUESTS = [CountRequest(noisy(seed), a, b) for seed in (1, 2, 3) for a, b in RANGES]
LONG = [CountRequest(noisy(), 0, 10**7)]
UNIX = pytest.mark.skipif(not hasattr(os, "killpg"), reason="no such signals on this system")


@pytest.mark.parametrize(
    ("devices", "inside"), [(1, None), (3, partial(ThreadEngine, batch_size=7, workers=1))]
)
def test_counts_are_those_of_threads(tmp_path: Path, devices: int, inside: Any) -> None:
    """Several threads may ask one engine."""
    path = save(linear(), tmp_path)
    expected = ThreadEngine(far.from_file(path)).count(REQUESTS)
    factory, seen = partial(far.on_device, path=path), list[int]()
    with ProcessEngine(factory, range(devices), engine_factory=inside) as engine:
        assert engine.count(REQUESTS, seen.append) == expected
        assert engine.count([]) == []
        counts: list[Any] = []
        threads = [
            threading.Thread(target=lambda: counts.append(engine.count(REQUESTS[::-1])))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts == [expected[::-1]] * 2
    assert sum(seen) == sum(r.stop - r.start for r in REQUESTS)


@pytest.mark.slow
def test_all_processes_work(tmp_path: Path) -> None:
    with ProcessEngine(partial(far.slow, folder=tmp_path, seconds=0.01), "abc") as engine:
        engine.count([CountRequest(noisy(), 0, 128 * 150)])
    shares = far.calls(tmp_path)
    assert sum(shares) == 150
    assert len(shares) == 3
    assert min(shares) >= 1  # how many is up to the machine: another load may slow one of them


@UNIX
@pytest.mark.parametrize(("idle", "number"), [(False, signal.SIGKILL), (True, signal.SIGTERM)])
def test_a_killed_worker_is_one_error_and_nothing_is_left(
    tmp_path: Path, idle: bool, number: signal.Signals
) -> None:
    engine = ProcessEngine(partial(far.slow, folder=tmp_path, seconds=0.005), ["one", "two"])
    calls: list[int] = []

    def kill() -> None:
        os.kill(pids(tmp_path)[0], number)

    def progress(samples: int) -> None:
        calls.append(samples)
        if len(calls) == 4 and not idle:
            kill()

    if idle:
        kill()
    with pytest.raises(InferenceError, match=rf"device (one|two) .*{number.name}"):
        engine.count(LONG, progress)
    assert all_gone(pids(tmp_path))
    with pytest.raises(UsageError, match="closed"):
        engine.count(LONG)
    engine.close()


@pytest.mark.parametrize(
    ("factory", "kind", "named"),
    [
        (far.refusing, ProviderError, r"no such device \(in the .* for device bad\)$"),
        (far.exhausted, InferenceError, r"memory"),
        (far.exiting, InferenceError, r"exit code 7"),
        (far.stuck, InferenceError, r"device (good|bad) was stuck .*--time-limit-per-call"),
        (far.failing, InferenceError, r"the model gave up on a batch \(in .* device bad"),
    ],
)
def test_a_model_that_fails(factory: Any, kind: type[RsonnxError], named: str) -> None:
    with pytest.raises(kind, match=named) as caught:  # noqa: PT012 - it fails early or late
        engine = ProcessEngine(factory, ["good", "bad"])
        engine.count(LONG)
    assert type(caught.value) is kind


def test_an_engine_that_loses_samples_is_refused() -> None:
    with (
        ProcessEngine(far.failing, ["good"], engine_factory=far.Lying) as engine,
        pytest.raises(InferenceError, match=r"\[255\] answers to .* \[256\]"),
    ):
        engine.count(LONG)


def test_what_cannot_be_sent_is_refused() -> None:
    with pytest.raises(UsageError, match="no device"):
        ProcessEngine(far.failing, [])
    with pytest.raises(UsageError, match="factory"):
        ProcessEngine(lambda _: far.Failing(), ["one"])
    unread = r"a class of another .*device good"
    for stream, kind, named in (
        (far.Unsendable(), UsageError, "noise stream"),
        (far.Unreadable(), InferenceError, unread),
    ):
        engine = ProcessEngine(far.failing, ["good"])
        with pytest.raises(kind, match=named):
            engine.count([CountRequest(stream, 0, 100)])  # type: ignore[arg-type]


@pytest.mark.slow
def test_different_models_are_refused(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        save(linear(seed=seed), tmp_path, name)
    factory = partial(far.one_model_each, folder=tmp_path)
    with ProcessEngine(factory, ["a", "b"]):
        pass
    with pytest.raises(ModelError, match=r"another model"):
        ProcessEngine(factory, ["a", "c"])


def test_an_error_of_the_caller_ends_the_workers(tmp_path: Path) -> None:
    def progress(samples: int) -> None:
        raise KeyboardInterrupt

    engine = ProcessEngine(partial(far.slow, folder=tmp_path, seconds=0.005), "ab")
    with pytest.raises(KeyboardInterrupt):
        engine.count(LONG, progress)
    assert all_gone(pids(tmp_path))


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


def run_script(text: str, folder: Path, until: str) -> subprocess.Popen[str]:
    script = folder / "script.py"
    script.write_text(text, encoding="utf-8")
    parent = subprocess.Popen(
        [sys.executable, str(script), str(folder), str(Path(__file__).parents[2])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    assert f"{until}\n" in iter(parent.stdout.readline, "")
    return parent


@UNIX
def test_no_orphan_is_left_by_a_killed_parent(tmp_path: Path) -> None:
    parent = run_script(SCRIPT, tmp_path, "ready")
    assert len(pids(tmp_path)) == 2
    parent.kill()
    assert all_gone(pids(tmp_path))
    assert parent.communicate(timeout=10)[1] == ""


@UNIX
@pytest.mark.parametrize(("when", "delay"), [("starting", 0.3), ("ready", 0.1)])
def test_ctrl_c_ends_all_without_a_word(tmp_path: Path, when: str, delay: float) -> None:
    parent = run_script(SCRIPT, tmp_path, when)
    time.sleep(delay)
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does: to the workers too
    out, err = parent.communicate(timeout=20)
    assert (out.splitlines()[-1], err, parent.returncode) == ("interrupted", "", 0)
    assert all_gone(pids(tmp_path))


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path) -> None:
    unguarded = SCRIPT.replace('if __name__ == "__main__":', "if True:")
    out, err = run_script(unguarded, tmp_path, "starting").communicate(timeout=60)
    assert "ready" not in out
    assert "InferenceError: the worker process for device" in err.splitlines()[-1]
    assert '__name__ == "__main__"' in err.splitlines()[-1]
