"""Where the runs of a command are kept: where it says, else under ``runs/``, by names of their own.

One command may make several runs, a sigma each: its output is then a pattern, and the run of sigma
0.25 of ``-o run.jsonl`` is ``run_0.25.jsonl``.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from rsonnx.cli.terminal import say
from rsonnx.errors import UsageError
from rsonnx.runs import check_output
from rsonnx.scalars import in_full

FOLDER = Path("runs")

_LONGEST = 60
"""Letters of one part of a name, of which a file system takes 255 bytes."""


@dataclass(frozen=True)
class Kept:
    """Where the runs of a command go.

    Attributes:
        files: a run file each.
        named: what ``-o`` calls them, of one its file and of several their pattern.
        own: whether no output was named.
    """

    files: tuple[Path, ...]
    named: Path
    own: bool = False

    def given(self, words: Sequence[str]) -> list[str]:
        """Return the words of a command with the output that they have to name to go on."""
        return [*words[:1], *(("-o", str(self.named)) if self.own else ()), *words[1:]]

    @contextlib.contextmanager
    def ready(self, *, resume: bool) -> Iterator[None]:
        """Make the folder of runs of no output, which goes again if it stays empty; see to files.

        Raises:
            UsageError: one of the files is there, and is not to be gone on with, or cannot be made.
        """
        try:
            if self.own:
                FOLDER.mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"the folder {FOLDER} for the run cannot be made ({error.strerror}); name a run "
                "file with -o"
            ) from None
        try:
            if not resume and len(self.files) > 1:
                for file in self.files:  # the last one too, before the first is begun
                    check_output(file)
            yield
        finally:
            if self.own:
                with contextlib.suppress(OSError):
                    FOLDER.rmdir()

    def say(self, *, counts: bool) -> None:
        """Say where the runs are and what to do with them, where the command does not say it.

        Args:
            counts: whether they hold counts alone, without certificates.
        """
        names = list(map(str, self.files))
        if names == [str(self.named)] and not self.own:
            return
        for name in names:
            say("kept", f"in {name}")
        if counts:
            return
        say("then", f"{shlex.join(['rsonnx', 'report', *names, '--html', 'page.html'])}  # a page")
        what = "proves its radii" if len(names) == 1 else "proves its radii; so for each"
        say("then", f"{shlex.join(['rsonnx', 'verify', names[0]])}  # {what}")


def kept(output: Path, sigmas: Sequence[float]) -> Kept:
    """Return where the runs of a command go that names an output."""
    return Kept(_files(output, sigmas) if len(sigmas) > 1 else (output,), output)


def kept_here(model: Path, data: Path, further: Sequence[str], sigmas: Sequence[float]) -> Kept:
    """Return where the runs of a command go that names no output: files that do not exist.

    Args:
        model, data: of the runs.
        further: what else tells them from others of the same model and data.
        sigmas: of the runs; none where their noise has none.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    parts = [model.absolute().stem, data.absolute().stem, *further, moment]
    stem = "-".join(re.sub(r"[^\w.+]+", "_", part)[:_LONGEST] for part in parts)
    for k in count(1):
        pattern = FOLDER / f"{stem}{f'-{k}' if k > 1 else ''}.jsonl"
        files = _files(pattern, sigmas) or (pattern,)
        if not any(file.exists() for file in files):
            return Kept(files, pattern if len(files) > 1 else files[0], own=True)
    raise AssertionError  # there is always a next number


def _files(pattern: Path, sigmas: Sequence[float]) -> tuple[Path, ...]:
    names = (f"{pattern.stem}_{in_full(sigma)}{pattern.suffix}" for sigma in sigmas)
    return tuple(pattern.with_name(name) for name in names)
