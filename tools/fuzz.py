"""Feed mutated model files, run files and data to the readers, and count what comes of it.

    python tools/fuzz.py [--cases 5000] [--seed 1] [--seconds 600] [--models DIR] [--share-run 0.3]

Every case takes a real file and damages it: bits, cuts and splices, or for a model the fields of
its protobuf message (sizes, types, names, attributes, edges). Reading, planning and opening must
answer with a result or an RsonnxError: anything else is a bug, is printed with the seed of its
case, and makes the exit code 1. Of the models that can be planned, a share is also loaded and run
by onnxruntime in a forked child with limits on memory and time: there a crash is no bug of
rsonnx but what the command line's child process is for, and is only counted.

--case NUMBER repeats one case of the seed and prints its traceback.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fuzz_mutations import mutate_bytes, mutate_model, mutate_run
from fuzz_seeds import seed_data, seed_models, seed_runs

from rsonnx.cli.inspecting import facts
from rsonnx.data import open_dataset
from rsonnx.errors import RsonnxError
from rsonnx.model import ModelSettings, read_model
from rsonnx.runs import read_run
from rsonnx.smoothing import load, make_plan

_CHILD_SECONDS = 15
_CHILD_BYTES = 8 * 2**30


def try_model(path: Path) -> str:
    """Read, describe and plan a model; return the outcome in a word."""
    facts(str(path), ModelSettings(**_ARGUMENTS | {"preprocess": None}).to_json())
    make_plan(read_model(path), ModelSettings(**_ARGUMENTS))
    return "planned"


_ARGUMENTS: dict[str, Any] = {
    "bounds": None,
    "preprocess": "zero-one",
    "output_name": None,
    "threshold": None,
    "input_shape": None,
    "feeds": {},
}


def try_data(path: Path) -> str:
    """Open a data set and read every example of it."""
    dataset = open_dataset(path)
    for index in range(min(4, len(dataset))):
        _ = dataset.name(index), dataset.shape(index), dataset[index].values.sum()
    return "read"


def try_run(path: Path) -> str:
    """Read a run file."""
    return f"read, {read_run(path).status}"


def in_child(path: Path) -> str:
    """Load a model and run it on its probe inputs in a forked child; return the outcome.

    The child has limits; its memory goes back to the system whatever the model did to it.
    """
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        _live_as_child(path)
    until = time.monotonic() + _CHILD_SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return {0: "loaded", 3: "load refused", 4: "bug"}.get(code, "child died")
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "child took too long"


def _live_as_child(path: Path) -> None:
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    resource.setrlimit(resource.RLIMIT_AS, (_CHILD_BYTES, _CHILD_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 4
    try:
        load(path, **_ARGUMENTS, providers=["cpu"])
        code = 0
    except (RsonnxError, MemoryError):
        code = 3
    except BaseException:
        Path(f"{path}.traceback").write_text(traceback.format_exc())
    os._exit(code)


class Fuzzer:
    """Makes cases and counts their outcomes.

    Args:
        models: seed model files.
        runs: seed run files.
        folder: where the mutated files are written.
        seed: case number i of a seed is always the same.
        share_run: of the models that can be planned, how many are also loaded in a child.
    """

    def __init__(
        self,
        models: Sequence[bytes],
        runs: Sequence[bytes],
        folder: Path,
        *,
        seed: int,
        share_run: float,
    ) -> None:
        self._models, self._runs, self._data = models, runs, seed_data()
        self._folder, self._seed, self._share_run = folder, seed, share_run
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.bugs: list[str] = []
        self.slowest = (0.0, -1)

    def case(self, number: int) -> None:
        """Make one case, try it and count its outcome."""
        chance = random.Random(f"{self._seed}/{number}")  # noqa: S311 - cases, no secrets
        kind, path, attempt = self._make(chance)
        start = time.perf_counter()
        try:
            outcome = attempt(path)
        except RsonnxError as error:
            outcome = "refused"
            if "\n" in str(error):
                self.bugs.append(f"case {number} ({kind}): the refusal has several lines: {error}")
        except Exception as error:
            outcome = f"BUG {type(error).__name__}"
            where = traceback.extract_tb(error.__traceback__)
            ours = [f"{Path(f.filename).name}:{f.lineno}" for f in where if "rsonnx" in f.filename]
            self.bugs.append(f"case {number} ({kind}): {type(error).__name__}: {error} at {ours}")
        self.slowest = max(self.slowest, (time.perf_counter() - start, number))
        self.outcomes[kind, outcome] += 1
        if outcome == "planned" and chance.random() < self._share_run:
            loaded = in_child(path)
            self.outcomes[f"{kind}, in a child", loaded] += 1
            if loaded == "bug":
                text = Path(f"{path}.traceback").read_text()
                self.bugs.append(f"case {number} ({kind}, load): {text.strip().splitlines()[-1]}")

    def _make(self, chance: random.Random) -> tuple[str, Path, Callable[[Path], str]]:
        choice = chance.random()
        if choice < 0.5:
            content = mutate_model(chance, chance.choice(self._models))
            return "model, fields", self._write("case.onnx", content), try_model
        if choice < 0.7:
            content = mutate_bytes(chance, chance.choice(self._models), self._models)
            return "model, bytes", self._write("case.onnx", content), try_model
        if choice < 0.85:
            name, content = chance.choice(self._data)
            content = mutate_bytes(chance, content, [c for _, c in self._data])
            path = self._write(name, content)
            return "data", path.parent.parent if "/" in name else path, try_data
        content = mutate_run(chance, chance.choice(self._runs))
        return "run file", self._write("case.jsonl", content), try_run

    def _write(self, name: str, content: bytes) -> Path:
        # An image is alone in its folder, since the others would be part of the data set.
        folder = self._folder / ("images-" + name[-3:] if "/" in name else "files")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def report(self) -> Iterator[str]:
        """Yield the totals and the bugs, a line each."""
        for (kind, outcome), count in sorted(self.outcomes.items()):
            yield f"{count:7d}  {kind}: {outcome}"
        yield f"slowest case: {self.slowest[0]:.2f} s (number {self.slowest[1]})"
        yield f"bugs: {len(self.bugs)}"
        yield from self.bugs[:40]


def main() -> int:
    """Run the cases and print the totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--models", type=Path, help="folder of .onnx files to begin with")
    parser.add_argument("--share-run", type=float, default=0.3)
    parser.add_argument("--case", type=int, help="repeat this one and print its traceback")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fuzzer = Fuzzer(
            seed_models(arguments.models),
            seed_runs(folder),
            folder,
            seed=arguments.seed,
            share_run=arguments.share_run,
        )
        if arguments.case is not None:
            chance = random.Random(f"{arguments.seed}/{arguments.case}")  # noqa: S311
            kind, path, attempt = fuzzer._make(chance)
            print(kind, path, attempt(path))
            return 0
        start = time.monotonic()
        done = 0
        while done < arguments.cases and time.monotonic() - start < arguments.seconds:
            fuzzer.case(done)
            done += 1
        print(f"{done} cases of seed {arguments.seed} in {time.monotonic() - start:.0f} s")
        print("\n".join(fuzzer.report()))
    return 1 if fuzzer.bugs else 0


if __name__ == "__main__":
    sys.exit(main())
