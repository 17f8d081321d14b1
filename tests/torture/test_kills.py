"""Real processes, killed by SIGKILL at random instants and in the middle of writes."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from pathlib import Path

import numpy as np
import pytest
import torture_child
from onnx_models import nearest_mean, save
from torture_child import SIGMA, certify

from rsonnx.runs import read_run

pytestmark = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="needs POSIX processes"
)

RULES = {"fixed": (), "adaptive": ("--adaptive",)}
INPUTS = 8
TIMES = re.compile(rb'"seconds": [0-9.]+|"created": "[^"]*"|"given": \[[^]]*\]')


@dataclass(frozen=True)
class Command:
    """A run that is started and gone on with by one command, and what it gives undisturbed."""

    words: tuple[str, ...]
    output: Path
    expected: bytes
    seconds: float

    def start(self, dies_at: int | None = None) -> multiprocessing.process.BaseProcess:
        words = (*self.words, "-o", str(self.output), "--resume")
        process = _CONTEXT.Process(target=certify, args=(words, dies_at))
        process.start()
        return process

    def check_complete(self) -> None:
        assert TIMES.sub(b"", self.output.read_bytes()) == self.expected
        assert sorted(path.name for path in self.output.parent.iterdir()) == [self.output.name]

    def again(self) -> None:
        """Start over, after a check that what was finished is right."""
        self.check_complete()
        self.output.unlink()

    def finish(self) -> None:
        process = self.start()
        process.join(60)
        assert process.exitcode == 0
        self.check_complete()


_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["torture_child"])


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """Start the process that the others are forked from, where it finds what it is to import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(torture_child.__file__).parent))
        forkserver.ensure_running()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of ten classes on 1x4x4 images by their mean, and eight images on class borders."""
    here = tmp_path_factory.mktemp("files")
    save(nearest_mean((1, 4, 4)), here, "tiny.onnx")
    images = np.linspace(0, 255, INPUTS).astype(np.uint8)[:, None, None, None]
    np.savez(here / "set.npz", x=np.tile(images, (1, 1, 4, 4)), y=np.arange(INPUTS))
    return here


@pytest.fixture(scope="module", params=RULES)
def undisturbed(request: pytest.FixtureRequest, files: Path) -> Command:
    """A run that nobody kills, beside the files."""
    words: Sequence[str] = (
        *("certify", str(files / "tiny.onnx"), str(files / "set.npz"), "--sigma", str(SIGMA)),
        *("--n", "600", "--seed", "5", "--preprocess", "none", "--providers", "cpu"),
        *("--batch-size", "4", "--checkpoint", "0.00001", *RULES[request.param]),
    )
    plain = files / f"{request.param}.jsonl"
    for output in (files / f"{request.param} first.jsonl", plain):  # which has things to load
        begun = time.monotonic()
        process = _CONTEXT.Process(target=certify, args=((*words, "-o", str(output)),))
        process.start()
        process.join(60)
        assert process.exitcode == 0
    assert len(read_run(plain).rows) == INPUTS
    expected = TIMES.sub(b"", plain.read_bytes())
    return Command(tuple(words), plain, expected, time.monotonic() - begun)


@pytest.fixture
def command(undisturbed: Command, tmp_path: Path) -> Command:
    """The same into a folder of a test's own."""
    (tmp_path / "runs").mkdir()
    return replace(undisturbed, output=tmp_path / "runs" / "run.jsonl")


def _kill_at_random_instants(command: Command, kills: int) -> None:
    source = random.Random(50)  # noqa: S311 - a fixed sequence of cases, no secret
    killed = finished = 0
    while killed < kills:
        process = command.start()
        process.join(source.random() * command.seconds)
        if process.exitcode is None:
            process.kill()
            process.join(60)
        if process.exitcode == -signal.SIGKILL:
            killed += 1
            continue
        assert process.exitcode == 0
        finished += 1
        command.again()
        assert finished < 5 * kills
    command.finish()


@pytest.mark.parametrize("kills", [4, pytest.param(500, marks=pytest.mark.slow)])
def test_a_process_killed_at_random_instants_leaves_a_run_that_goes_on(
    command: Command, kills: int
) -> None:
    _kill_at_random_instants(command, kills)


@pytest.mark.parametrize("undisturbed", ["fixed"], indirect=True)
def test_a_process_killed_in_the_middle_of_its_writes(command: Command) -> None:
    """Half a header, half a row, half a checkpoint, before a rename, before a cut: each once."""
    died = 0
    for step in (1, 2, 3, 4, 6, 9, 20):
        process = command.start(dies_at=step)
        process.join(60)
        if process.exitcode == 0:
            command.again()
            continue
        assert process.exitcode == -signal.SIGKILL
        died += 1
    assert died >= 4
    command.finish()


@pytest.mark.parametrize("undisturbed", ["fixed"], indirect=True)
def test_of_several_at_once_one_writes_and_the_others_are_refused(command: Command) -> None:
    for _ in range(2):
        processes = [command.start() for _ in range(3)]
        for process in processes:
            process.join(60)
        codes = sorted(process.exitcode or 0 for process in processes)
        # Refused at its lock is 1, at its creation 2; one that came last found it complete: 0.
        assert codes[0] == 0
        assert set(codes) <= {0, 1, 2}
        command.again()


@pytest.mark.slow
@pytest.mark.parametrize("undisturbed", ["fixed"], indirect=True)
def test_a_command_of_a_user_is_killed_and_typed_again(command: Command) -> None:
    words = [*(sys.executable, "-m", "rsonnx"), *command.words, "-o", str(command.output)]
    longer = [*words, "--n", "8000", "--limit", "3", "--resume"]
    kills = 0
    while True:
        process = subprocess.Popen(longer, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = _size(command.output)
        while process.poll() is None and (_size(command.output) == before or kills >= 2):
            time.sleep(0.005)
        if process.poll() is None:
            process.kill()
        if process.wait(60) == 0:
            break
        kills += 1
    assert kills
    undisturbed = command.output.with_name("undisturbed.jsonl")
    again = [*words[:-1], str(undisturbed), *longer[len(words) : -1]]
    assert subprocess.run(again, capture_output=True, check=False, timeout=60).returncode == 0
    assert TIMES.sub(b"", undisturbed.read_bytes()) == TIMES.sub(b"", command.output.read_bytes())


def _size(path: Path) -> int:
    return os.path.getsize(path) if path.exists() else 0
