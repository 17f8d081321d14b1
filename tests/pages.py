"""Pages of Markdown whose blocks are run as a reader would, top to bottom, in a folder of a page.

A comment above a block says what a reader does not see: ``<!-- not run: WHY -->``, ``slow: WHY``,
``needs: NAME`` (modules, or files of the folder), ``exits: CODE`` (of its last command), and above
a block of text ``not printed: WHY``. A block of text is what the last block before it that is run
prints; a line of dots stands for lines left out. Lines that install something are not run, and runs
of which no output is shown are of two inputs.
"""

from __future__ import annotations

import contextlib
import doctest
import gzip
import importlib.util
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from commands import command
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_models"
THIRD_PARTY = ROOT.parent / "shared" / "models" / "webonnx_wonnx--opt-mnist.onnx"
PAGES = ("README.md", *sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/**/*.md")))
RUN = ("sh", "python")
INSTALLS = re.compile(r"(\S*/)?(pip install|python3? -m venv)\b")
NOTES = ("not run", "slow", "needs", "exits", "not printed")


@dataclass(frozen=True)
class Block:
    """A block of a page: its language, its text and what the comments above it say."""

    page: str
    line: int
    language: str
    text: str
    notes: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page, in their order."""
    found, notes = [], dict[str, str]()
    for token in MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8")):
        if token.type == "html_block":
            for note, text in re.findall(r"<!-- ([a-z ]+): (.*?) -->", token.content):
                notes[note] = text
        elif token.type == "fence":
            found.append(Block(page, token.map[0] + 1, token.info.strip(), token.content, notes))
            notes = {}
        elif token.nesting == 0 or token.type == "heading_open":
            notes = {}
    return found


def commands_of(block: Block) -> list[str]:
    """Return the command lines of a block of shell, without comments and installations."""
    joined = block.text.replace("\\\n", " ")
    parts = (
        part.strip() for line in joined.splitlines() for part in _uncommented(line).split("&&")
    )
    return [part for part in parts if part and not INSTALLS.match(part)]


def _uncommented(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line)


def make_place(place: Path, inputs: int) -> None:
    """Fill a page's folder: sample models, a model, its first images, and a path of commands."""
    (place / "sample_models").symlink_to(SAMPLES)
    (place / "model.onnx").symlink_to(SAMPLES / "mnist_gaussian_0.50.onnx")
    for kind in ("images-idx3", "labels-idx1"):
        source = SAMPLES / f"mnist_test_500/{kind}-ubyte.gz"
        _head(source, place / f"images/{kind}-ubyte", inputs)
    if THIRD_PARTY.is_file():
        shutil.copy(THIRD_PARTY, place / "opt-mnist.onnx")


def _head(source: Path, target: Path, inputs: int) -> None:
    """Write the first inputs of an idx file: its length stands behind a word."""
    data = gzip.decompress(source.read_bytes())
    size, begin = (28 * 28, 16) if "images" in source.name else (1, 8)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(
        data[:4] + inputs.to_bytes(4, "big") + data[8:begin] + data[begin:][: inputs * size]
    )


def shims(folder: Path, tools: Mapping[str, str]) -> Mapping[str, str]:
    """Make commands of bash lines; return the environment in which scripts find them."""
    folder.mkdir()
    for name, line in {"rsonnx": f'exec "{sys.executable}" -m rsonnx "$@"', **tools}.items():
        (folder / name).write_text(f"#!/bin/bash\n{line}\n")
        (folder / name).chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path}


@dataclass
class Reader:
    """Runs the blocks of one page in this folder; names of Python stay from block to block."""

    environment: Mapping[str, str]
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    printed: str = ""
    shown: set[str] = field(default_factory=set)

    def read(self, page: str, *, slow: bool) -> None:
        """Run the blocks of a page that are to be run, and compare what they print."""
        on_page = [
            block for block in blocks(page) if not {"not run", "not printed"} & {*block.notes}
        ]
        for block, after in pairwise(on_page):
            if after.language == "text":
                self.shown.update(re.findall(r"\S+\.jsonl", block.text))
        for block in on_page:
            if block.language in RUN:
                left_out = "slow" in block.notes and not slow
                there = all(map(_is_there, block.notes.get("needs", "").split()))
                run = there and not left_out
                self.printed = getattr(self, f"_{block.language}")(block) if run else ""
            elif block.language == "text" and self.printed:
                _compare(block, self.printed)

    def _sh(self, block: Block) -> str:
        lines, printed = commands_of(block), ""
        if not all(re.fullmatch(r"(\S*/)?rsonnx\b[^|<>;$`*?]*", line) for line in lines):
            return self._bash(block, "\n".join(lines))
        for at, line in enumerate(lines):
            words = shlex.split(line)[1:]
            if "--limit" in words and not self.shown.intersection(words):
                words[words.index("--limit") + 1] = "2"
            outcome = command(*words)
            expected = int(block.notes.get("exits", 0)) if at == len(lines) - 1 else 0
            assert outcome.code == expected, f"{block}: {line}\n{outcome.err}"
            printed += outcome.err + outcome.out
        return printed

    def _bash(self, block: Block, script: str) -> str:
        ended = subprocess.run(
            ["/bin/bash", "-eo", "pipefail", "-c", script],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert ended.returncode == int(block.notes.get("exits", 0)), f"{block}\n{ended.stdout}"
        return ended.stdout

    def _python(self, block: Block) -> str:
        if block.text.startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(
                block.text, self.names, str(block), block.page, block.line
            )
            said: list[str] = []
            failed = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(
                test, out=said.append, clear_globs=False
            )
            self.names |= test.globs
            assert not failed.failed, "".join(said)
            return ""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = compile("\n" * block.line + block.text, block.page, "exec")
            exec(code, self.names)  # noqa: S102 - it is what the page says
        return out.getvalue()


def _is_there(name: str) -> bool:
    return Path(name).exists() if "." in name else importlib.util.find_spec(name) is not None


def _compare(block: Block, printed: str) -> None:
    """Hold that the lines of a block were printed in this order."""
    lines = iter(line.rstrip() for line in printed.splitlines())
    for line in block.text.splitlines():
        if line.strip() not in ("", "...", "…"):
            assert line.rstrip() in lines, f"{block} has a line that is not printed: {line}"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Read pages in a folder of their own."""
    make_place(tmp_path, 20)
    environment = shims(tmp_path / "bin", {"python": f'exec "{sys.executable}" "$@"'})
    monkeypatch.chdir(tmp_path)
    return Reader(environment)
