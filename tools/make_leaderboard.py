"""Make the leaderboard: certify its rows, attest them, and write the page of its committed runs.

    python tools/make_leaderboard.py runs --models FOLDER --pictures FOLDER_OF_CIFAR10
    python tools/make_leaderboard.py page

Runs that are there are kept; docs/leaderboard/runs holds them with their attestations. The page is
made of these files alone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import rsonnx
from rsonnx import cli

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "docs" / "leaderboard"
RUNS = HOME / "runs"

_HEAD = """# Leaderboard

Every row follows from a run file that stands beside this page with its attestation: anyone can
recompute it from its counts, and with model and data count again. `tools/make_leaderboard.py page`
writes the page from the files. Certified accuracy in %, Gaussian noise of standard deviation sigma
on pixels in [0, 1], radii in the l2 norm, alpha = 0.001 an image, n0 = 100. Models of other people
are named by the repository that publishes them, and by their SHA-256 in the run; they were not
trained with noise, and stand here alone and behind a sample denoiser.
"""

_TAIL = """
## Add a row

Certify with `-o`, attest, put both files into `docs/leaderboard/runs`, and a line into
`tools/make_leaderboard.py`. What a reader can and cannot check of it stands in
[the threat model](../explanation/threat-model.md).
"""


@dataclass(frozen=True)
class Row:
    """A model of the leaderboard.

    Attributes:
        name: of its files.
        title: in the table.
        model: its file, in ``sample_models/`` or ``models/``.
        front: the denoiser before it; "" for none.
        declared: options that its file does not say itself.
    """

    name: str
    title: str
    model: str
    front: str = ""
    declared: str = ""

    def commands(self, data: str, options: str) -> Iterator[str]:
        """Yield the command lines that make the row's files, and at last the one that checks it."""
        model, declared = self.model, self.declared
        if self.front:
            model, words = f"{self.name}.onnx", f"{self.front} {self.model}"
            yield f"rsonnx compose denoise {words} {declared} -o {model}".replace("  ", " ")
            declared = ""
        run = f"{self.name}.jsonl"
        yield " ".join(f"rsonnx certify {model} {data} {declared} {options} -o {run}".split())
        yield f"rsonnx attest {run} -o {self.name}.intoto.json"
        yield (
            f"rsonnx verify {run} --attestation {self.name}.intoto.json --model {model} "
            f"--data {data} --replay 3"
        )


@dataclass(frozen=True)
class Board:
    """Rows that can be compared: one data set, one sigma, one n.

    Attributes:
        title: of its section.
        data, options: of ``rsonnx certify``.
        radii: of its columns.
        rows: best known first, in no other order.
    """

    title: str
    data: str
    options: str
    radii: tuple[float, ...]
    rows: tuple[Row, ...]


_SAMPLES = "sample_models/"
_VNN = "models/ChristopherBrix_vnncomp2022_benchmarks--"
_BURN = "models/tracel-ai_burn-onnx--mnist.onnx"
_ZERO_ONE, _MNIST = "--preprocess zero-one", "--preprocess mnist"
_CIFAR = "--preprocess mean=0.4914/0.4822/0.4465,std=0.2023/0.1994/0.2010"
_OURS = (("gaussian", "Gaussian"), ("consistency", "Consistency"))
_MNIST_FRONT, _CIFAR_FRONT = (f"{_SAMPLES}{d}_denoiser_0.50.onnx" for d in ("mnist", "cifar10"))

_COLUMNS = ("inputs", "standard", "acr", "wrong", "abstained")
"""Those that the title of a board does not say."""

BOARDS = (
    Board(
        "MNIST, sigma = 0.5, every 100th test image, n = 10,000",
        "sample_models/mnist_test_500",
        "--sigma 0.5 --skip-every 5 --n 10000 --seed 1",
        (0.0, 0.5, 1.0, 1.5),
        (
            *(
                Row(f"mnist_{name}", f"sample, {title}", f"{_SAMPLES}mnist_{name}_0.50.onnx")
                for name, title in (
                    ("gaussian", "Gaussian"),
                    *((f"lenet_{name}", f"LeNet, {title}") for name, title in _OURS),
                    ("lenet_smoothadv", "LeNet, SmoothAdv"),
                    ("lenet_smoothmix", "LeNet, SmoothMix"),
                )
            ),
            Row(
                "mnist_256x2", "VNN-COMP 2022, 256x2", f"{_VNN}mnist-net_256x2.onnx", "", _ZERO_ONE
            ),
            Row(
                *("mnist_256x2_denoised", "VNN-COMP 2022, 256x2, denoised"),
                *(f"{_VNN}mnist-net_256x2.onnx", _MNIST_FRONT, _ZERO_ONE),
            ),
            Row("mnist_burn", "burn-onnx", _BURN, "", _MNIST),
            Row("mnist_burn_denoised", "burn-onnx, denoised", _BURN, _MNIST_FRONT, _MNIST),
        ),
    ),
    Board(
        "CIFAR-10, sigma = 0.5, every 100th test picture, n = 1,000",
        "cifar10_test.zip",
        "--sigma 0.5 --skip-every 100 --n 1000 --seed 1",
        (0.0, 0.25, 0.5, 0.75, 1.0),
        (
            *(
                Row(
                    f"cifar10_{name}", f"sample, {title}", f"sample_models/cifar10_{name}_0.50.onnx"
                )
                for name, title in _OURS
            ),
            Row(
                "cifar10_base_kw", "VNN-COMP 2022, base_kw", f"{_VNN}cifar_base_kw.onnx", "", _CIFAR
            ),
            Row(
                *("cifar10_base_kw_denoised", "VNN-COMP 2022, base_kw, denoised"),
                *(f"{_VNN}cifar_base_kw.onnx", _CIFAR_FRONT, _CIFAR),
            ),
        ),
    ),
)


def make_runs(models: Path, pictures: Path) -> None:
    """Certify and attest the rows that are not there, in a folder like that of a reader."""
    RUNS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        os.symlink(ROOT / "sample_models", "sample_models")
        os.symlink(models.resolve(), "models")
        os.symlink((pictures / "cifar10_test.zip").resolve(), "cifar10_test.zip")
        for board, row in ((each, row) for each in BOARDS for row in each.rows):
            made = [f"{row.name}.jsonl", f"{row.name}.intoto.json"]
            if all((RUNS / file).exists() for file in made):
                continue
            for line in row.commands(board.data, board.options):
                if code := cli.run(shlex.split(line)[1:]):
                    sys.exit(f"{line} ended with exit code {code}")
            for file in made:
                (RUNS / file).write_bytes(Path(file).read_bytes())


def _folded(line: str) -> str:
    """Return a command in lines that a page has room for."""
    folded = textwrap.wrap(
        line, 98, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return " \\\n".join(folded)


def page() -> str:
    """Return the page of the committed runs."""
    parts = [_HEAD]
    for board in BOARDS:
        runs = [rsonnx.read_run(RUNS / f"{row.name}.jsonl") for row in board.rows]
        names = [row.title for row in board.rows]
        columns = [*_COLUMNS, *(f"acc@{radius:g}" for radius in board.radii)]
        table = rsonnx.report(*runs, names=names, columns=columns, form="markdown")
        parts.append(f"\n## {board.title}\n\n{table.strip()}\n")
        for row in board.rows:
            files = f"[run](runs/{row.name}.jsonl), [attestation](runs/{row.name}.intoto.json)"
            lines = "\n".join(map(_folded, row.commands(board.data, board.options)))
            parts.append(
                f"\n**{row.title}**: {files}\n\n<!-- not run: minutes each, and models of "
                f"other people -->\n```sh\n{lines}\n```\n"
            )
    return "".join([*parts, _TAIL])


def main() -> None:
    """Read the arguments and make the part."""
    parser = argparse.ArgumentParser(description="Make the leaderboard.")
    parser.add_argument("part", choices=("runs", "page"))
    parser.add_argument("--models", type=Path, help="folder of other people's models")
    parser.add_argument("--pictures", type=Path, help="folder of CIFAR-10")
    args = parser.parse_args()
    if args.part == "runs":
        if args.models is None or args.pictures is None:
            parser.error("runs needs --models and --pictures")
        make_runs(args.models, args.pictures)
    else:
        (HOME / "index.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
