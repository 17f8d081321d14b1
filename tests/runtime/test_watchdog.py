"""A call of a model that takes too long is ended, and says so; what was done before is kept."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from commands import command, done
from onnx import TensorProto, helper, numpy_helper
from onnx_models import build, node

import rsonnx
from rsonnx.errors import ModelError, TimeLimitError, UsageError
from rsonnx.model import ModelSettings
from rsonnx.runs import read_run
from rsonnx.runtime import DeviceOptions, EngineSettings, watchdog
from rsonnx.runtime.watchdog import limited
from rsonnx.smoothing import try_in_child

OPTIONS = "--preprocess none --providers cpu --workers 2 --batch-size 1 --seed 3 --n 300"


def endless_above(path: Path, most: float) -> None:
    """Four values are their own scores; where one is larger than ``most``, no loop ends."""
    info = helper.make_tensor_value_info
    whole, truth, number = TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT
    body = helper.make_graph(
        [node("Identity", ["go"], "on"), node("Identity", ["a"], "b")],
        "body",
        [info("i", whole, []), info("go", truth, []), info("a", number, None)],
        [info("on", truth, []), info("b", number, None)],
    )
    proto = build(
        [
            node("ReduceMax", ["x"], "largest", keepdims=0),
            node("Greater", ["largest", "most"], "over"),
            node("Where", ["over", "endless", "once"], "times"),
            node("Loop", ["times", "yes", "x"], "scores", body=body),
        ],
        ("n", 4),
        ("n", 4),
        {
            "most": np.array(most, np.float32),
            "endless": np.array(2**62),
            "once": np.array(1),
        },
    )
    proto.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    onnx.save(proto, path)


@pytest.mark.parametrize("most", [-9.0, 1.5])
def test_a_model_that_never_returns_is_refused_when_it_is_tried(
    most: float, tmp_path: Path
) -> None:
    """On all inputs, or on those alone where noise leads."""
    path = tmp_path / "m.onnx"
    endless_above(path, most)
    begun = time.monotonic()
    with pytest.raises(ModelError, match=r"m\.onnx took more than 0\.5 s"):
        try_in_child(path, ModelSettings(preprocess="none"), time_limit_per_call=0.5)
    with pytest.raises(TimeLimitError, match=r"m\.onnx took more than 0\.5 s"):
        rsonnx.load(
            path,
            preprocess="none",
            providers="cpu",
            device=DeviceOptions(time_limit_per_call=0.5),
        )
    assert time.monotonic() - begun < 60  # and not never


@pytest.mark.usefixtures("children")
def test_a_run_that_meets_an_endless_call_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second input alone is bright enough for its noise to reach the loop."""
    monkeypatch.chdir(tmp_path)
    endless_above(tmp_path / "m.onnx", 4.2)
    x = np.array([[0, 0.1, 0, 0], [2, 2, 2, 1.9], [0.1, 0, 0, 0]], np.float32)
    np.savez("set.npz", x=x, y=[1, 0, 0])
    words = f"certify m.onnx set.npz --sigma 0.8 --bounds 0 2 {OPTIONS} -o run.jsonl"
    ended = command(f"{words} --time-limit-per-call 0.5")
    assert ended.code == 1, ended.err
    assert "--time-limit-per-call" in ended.err
    run = read_run("run.jsonl")
    assert (run.status, len(run.rows)) == ("failed", 1)
    endless_above(tmp_path / "m.onnx", 4.2)  # the same file, which is gone on with all the same
    again = command(f"{words} --time-limit-per-call 0.6 --resume")
    assert (again.code, len(read_run("run.jsonl").rows)) == (1, 1)
    checked = "verify run.jsonl --model m.onnx --data set.npz"
    done(f"{checked} --replay 1 --time-limit-per-call 5")
    assert command(f"{checked} --time-limit-per-call -1").code == 2


@pytest.mark.usefixtures("children")
@pytest.mark.parametrize("words", ["predict", "preview", "plan", "inspect"])
def test_every_command_that_runs_a_model_has_the_limit(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    endless_above(tmp_path / "m.onnx", 4.2)
    np.savez("set.npz", x=np.array([[[2, 2], [2, 1.9]]], np.float32), y=[0])
    given = "--model m.onnx --data set.npz" if words == "plan" else "m.onnx set.npz"
    noise = "" if words == "inspect" else "--sigma 1"  # another preprocessing reaches it there
    output = "-o picture.png" if words == "preview" else ""
    limit = "--bounds 0 2 --preprocess none --providers cpu --time-limit-per-call 0.5"
    ended = command(f"{words} {given} {noise} {limit} {output}")
    assert ended.code == 1, ended.err
    assert "m.onnx took more than 0.5 s" in ended.said


def test_a_call_that_ends_in_time_or_has_no_limit_is_left_alone() -> None:
    for seconds in (0.0, 60.0):
        options = SimpleNamespace(terminate=False)
        with limited("m", (1,), seconds, options):
            time.sleep(0.1)
        assert not options.terminate
    with pytest.raises(KeyError), limited("m", (1,), 60.0, SimpleNamespace()):
        raise KeyError


def test_time_in_which_the_process_was_stopped_is_none_of_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A scheduler stops a job to go on with it later: to its clock, that is one long step."""
    steps = [0.0]
    clock = SimpleNamespace(sleep=time.sleep, monotonic=lambda: time.monotonic() + sum(steps))
    monkeypatch.setattr(watchdog, "time", clock)
    with limited("m", (1,), 600.0, SimpleNamespace()) as call:
        begun = call.begun
        steps.append(10_000.0)
        while call.begun == begun and not call.told:
            time.sleep(0.01)
        assert not call.told
    for stopped in (True, False):
        steps.append(10_000.0)  # this time before the call, too late for the watchdog to look
        with limited("m", (1,), 1.0, SimpleNamespace()) as call:
            if stopped:
                steps.append(10_000.0)
            while not call.told:  # after a second of its own
                time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="no process is stopped there by a signal")
def test_a_process_that_is_stopped_by_a_signal_goes_on_where_it_was() -> None:
    """What it does is ended after two seconds of its own, and not after the three of the stop."""
    code = """if True:
        import sys, time
        from rsonnx.runtime import watchdog
        watchdog._STOPPED = 1.5
        with watchdog.within(2.0, lambda: None) as work:
            print("begun", flush=True)
            sys.stdin.readline()
            time.sleep(0.6)  # it looks twice
            assert not work.told
            time.sleep(3)
            assert work.told
    """
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        child.send_signal(signal.SIGSTOP)
        time.sleep(3)
        child.send_signal(signal.SIGCONT)
        child.stdin.write(b"go on\n")
        child.stdin.close()
        assert child.wait(60) == 0


def test_a_failure_after_the_limit_is_told_as_such() -> None:
    options = SimpleNamespace(terminate=False)
    with (  # noqa: PT012
        pytest.raises(TimeLimitError, match=r"m took more than 0\.1 s"),
        limited("m", (1, 4), 0.1, options),
    ):
        while not options.terminate:
            time.sleep(0.01)
        raise RuntimeError("Exiting due to terminate flag being set to true")


def test_a_call_inside_one_operator_ends_the_process_that_is_our_own() -> None:
    """No library call may do that: it is asked for. Who waits for a device is told there."""
    code = """if True:
        import sys, time
        from types import SimpleNamespace
        from rsonnx.errors import TimeLimitError
        from rsonnx.runtime import watchdog
        watchdog._PATIENCE = 0.1
        if sys.argv[1] == "own":
            watchdog.end_process_if_stuck(7)
        try:
            with watchdog.limited("deep.onnx", (1, 4), 0.1, SimpleNamespace()) as call:
                if sys.argv[2] == "on a device":
                    call.wait(lambda: False)
                time.sleep(60 if sys.argv[1] == "own" else 0.4)
        except TimeLimitError:
            assert sys.argv[2] == "on a device"
    """
    for (whose, expected), where in itertools.product(
        (("own", 7), ("another's", 0)), ("here", "on a device")
    ):
        ended = subprocess.run(
            [sys.executable, "-c", code, whose, where],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ended.returncode == expected
        assert ("deep.onnx took more than 0.1 s" in ended.stderr) == bool(expected)
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), "6"])
def test_a_limit_that_is_none_is_refused(seconds: Any) -> None:
    with pytest.raises(UsageError, match="time limit"):
        EngineSettings(time_limit_per_call=seconds)


def test_the_options_of_plan_without_a_model_need_no_limit() -> None:
    done("plan --sigma 0.5 --n 1000")
