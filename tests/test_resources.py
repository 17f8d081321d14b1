"""What Linux says of free memory is believed, and so is every control group around this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsonnx.resources import available_memory

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
