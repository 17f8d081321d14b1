"""The workflow and the scripts of ``docs`` do what they say, as they stand there.

Two things are other: samples, inputs and tasks are few, and lines that begin with ``pip install``
are left out, since no test uses the network.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import TIMES
from pages import blocks, make_place, shims

from rsonnx.runs import read_run

yaml = pytest.importorskip("yaml")
pytest.importorskip("jinja2", reason="the page needs the extra rsonnx[report]")
pytest.importorskip("matplotlib", reason="the page needs the extra rsonnx[report]")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are bash's")

INPUTS = 40
FEW = {r"--limit \d+": f"--limit {INPUTS // 2}", r"--n \d+": "--n 200", r"TASK_ID/\d+": "TASK_ID/2"}
"""What is made small, and how."""
TOOLS = {
    "srun": 'shift; exec "$@"',  # it has one option
    "scontrol": 'echo "$@" >> requeued',
}
"""Commands that the scripts find on their path, and what they do here."""


def of(name: str, language: str) -> list[str]:
    """Return the blocks of a language in a page, made small."""
    texts = [block.text for block in blocks(f"docs/how-to/{name}") if block.language == language]
    for number, few in FEW.items():
        texts = [re.sub(number, few, text) for text in texts]
    return texts


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the model and the images of the pages, and their commands on the path."""
    make_place(tmp_path, INPUTS)
    for name, value in shims(tmp_path / "bin", TOOLS).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bash(script: str, **environment: Any) -> tuple[int, str]:
    """Run a script as GitHub does; return its exit code and what it said on stderr."""
    ended = subprocess.run(
        ["/bin/bash", "-eo", "pipefail", "-c", script],
        env=os.environ | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return ended.returncode, ended.stderr


@pytest.mark.slow
def test_the_workflow_certifies_gates_and_keeps_what_it_says(place: Path) -> None:
    (workflow,) = map(yaml.safe_load, of("ci-gate.md", "yaml"))
    (baseline,) = of("ci-gate.md", "sh")
    (job,) = workflow["jobs"].values()
    steps = [step["run"] for step in job["steps"] if "run" in step]
    certify, gate = (run for run in steps if not run.startswith("pip install"))
    for script in (baseline, certify, gate):
        assert bash(script) == (0, "")
    (uploaded,) = (step["with"]["path"] for step in job["steps"] if "path" in step.get("with", {}))
    assert all(Path(name).stat().st_size for name in uploaded.split())
    Path("page.html").unlink()
    Path("gates.xml").unlink()
    harder = gate.replace("lower=0.60", "lower=0.999")
    code, said = bash(harder)
    assert code == 3
    assert said.startswith("::error title=acc@0.5%3Alower=0.999 is not met::run.jsonl")
    assert Path("gates.xml").read_text().count("<testcase") == gate.count("--fail")


@pytest.mark.slow
def test_the_array_of_slurm_ends_in_the_run_of_one_machine(place: Path) -> None:
    certify, merge, _ = of("slurm.md", "sh")
    job = {"SLURM_CPUS_PER_TASK": 1, "SLURM_ARRAY_JOB_ID": 77}
    for task in (1, 2):
        assert bash(certify, SLURM_ARRAY_TASK_ID=task, **job) == (0, "")
    whole = Path("shard-2.jsonl").read_bytes()
    Path("shard-2.jsonl").write_bytes(whole[: len(whole) // 2])  # as a killed one is left
    assert bash(certify, SLURM_ARRAY_TASK_ID=2, **job) == (0, "")
    assert TIMES.sub(b"", Path("shard-2.jsonl").read_bytes()) == TIMES.sub(b"", whole)
    assert not Path("requeued").exists()
    code, said = bash(merge)
    assert code == 0, said
    merged = read_run(Path("run.jsonl"))
    assert (merged.status, len(merged.rows)) == ("complete", INPUTS)
    assert Path("page.html").stat().st_size > 0


def test_a_task_whose_time_is_up_is_put_back(place: Path) -> None:
    (place / "bin/srun").write_text("#!/bin/bash\nexit 130\n")
    certify = of("slurm.md", "sh")[0]
    job = {"SLURM_CPUS_PER_TASK": 1, "SLURM_ARRAY_JOB_ID": 77, "SLURM_ARRAY_TASK_ID": 5}
    assert bash(f"set +e\n{certify}", **job)[0] == 130
    assert Path("requeued").read_text() == "requeue 77_5\n"
