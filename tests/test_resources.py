"""What Linux says of free memory is believed, and may be made a limit that allocations fail at."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import command
from onnx_models import build, node

from rsonnx import resources
from rsonnx.resources import available_memory, bounded_memory, collecting_seldom
from rsonnx.runs import read_run

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="nothing is bounded elsewhere")

FREE = {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   2000 kB\n"}
V2, V1, OWN = "sys/fs/cgroup/", "sys/fs/cgroup/memory/", "proc/self/cgroup"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc/meminfo": "MemTotal: 9 kB\n"}, None),
        (FREE, 2_048_000),
        (FREE | {f"{V2}memory.max": "max\n"}, 2_048_000),
        (FREE | {f"{V2}memory.max": "1000000\n"}, 1_000_000),
        (FREE | {f"{V2}memory.max": "1000\n", f"{V2}memory.current": "1500\n"}, 0),
        (
            {
                f"{V2}memory.max": "1000\n",
                f"{V2}memory.current": "700\n",
                f"{V2}memory.stat": "anon 1\nactive_file 5\ninactive_file 200\n",
            },
            500,
        ),
        (FREE | {OWN: "0::/job/step\n", f"{V2}job/memory.max": "4000\n"}, 4000),
        (
            FREE
            | {
                OWN: "8:pids:/a\n5:cpu,memory:/job\n0::/\n",
                f"{V1}job/memory.limit_in_bytes": "4000\n",
                f"{V1}job/memory.usage_in_bytes": "1000\n",
            },
            3000,
        ),
        (FREE | {OWN: "nonsense\n", f"{V2}memory.max": "x"}, 2_048_000),
    ],
)
def test_free_memory_is_read_where_linux_says_it(
    files: dict[str, str], expected: int | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_memory(tmp_path) == expected


@LINUX
def test_what_is_beyond_the_memory_that_is_free_fails_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resources, "available_memory", lambda: 2**26)
    with bounded_memory:
        with bounded_memory:
            assert np.zeros(2**24, np.uint8).size
        with pytest.raises(MemoryError):
            np.zeros(2**28, np.uint8)
    assert np.zeros(2**28, np.uint8).size


@LINUX
@pytest.mark.usefixtures("children")
def test_a_model_that_wants_more_than_there_is_ends_a_run_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 MB an input: a usual batch wants half a gigabyte, a small one is as good as any."""
    monkeypatch.chdir(tmp_path)
    made = [
        node("Unsqueeze", ["x", "behind"], "column"),
        node("Expand", ["column", "size"], "large"),
        node("ReduceMean", ["large"], "scores", axes=[2], keepdims=0),
    ]
    weights = {"behind": np.array([2]), "size": np.array([1, 1, 2**18])}
    onnx.save(build(made, ("n", 4), ("n", 4), weights), "m.onnx")
    np.savez("set.npz", x=np.array([[0, 1, 0, 0]], np.float32), y=[1])
    monkeypatch.setattr(resources, "available_memory", lambda: 2**27)
    words = "certify m.onnx set.npz --sigma 0.1 --n 200 --preprocess none --providers cpu"
    words += " --workers 1 --seed 1 -o run.jsonl"
    ended = command(words)
    assert ended.code == 1, ended.err
    assert "m.onnx needs more memory" in ended.said
    assert read_run("run.jsonl").status == "failed"
    assert command(f"{words} --resume --batch-size 8").code == 0


def test_threads_that_collect_seldom_leave_all_as_it_was() -> None:
    usual = gc.get_threshold()
    first, second = collecting_seldom(), collecting_seldom()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] > usual[0]
    second.__exit__(None, None, None)
    assert gc.get_threshold() == usual
    gc.disable()
    gc.set_threshold(0)
    try:
        with collecting_seldom():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*usual)
        gc.enable()
