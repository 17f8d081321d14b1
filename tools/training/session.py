"""What a command that trains settles before, and how it ends where the training does not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from rsonnx.errors import RsonnxError

_WITHOUT_BFLOAT16 = ("NO AVX", "AVX2")
"""What torch calls processors on which it computes bfloat16 with float32's instructions."""


@contextmanager
def session(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Iterator[Path]:
    """Give the place of the checkpoint, for a training that its seed and threads determine.

    What is wrong ends the command with the parser's error, an interruption with a sentence.

    Args:
        parser: of the command.
        args: with ``out``, the file to write; ``resume``, without which no checkpoint may be left
            beside it; ``bfloat16``, ``seed`` and ``threads``.
    """
    checkpoint = args.out.with_name(args.out.name + ".training")
    if checkpoint.exists() and not args.resume:
        parser.error(f"{checkpoint} was left by an earlier training; give --resume, or remove it")
    if args.bfloat16 and torch.backends.cpu.get_cpu_capability() in _WITHOUT_BFLOAT16:
        print(
            "note: this processor has no arithmetic for bfloat16, so that a step takes several "
            "times as long as without --bfloat16",
            file=sys.stderr,
        )
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(args.threads)  # sums depend on the number of threads
    torch.set_flush_denormal(True)
    torch.manual_seed(args.seed)
    try:
        yield checkpoint
    except (OSError, ValueError, RsonnxError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.exit(f"interrupted; go on with --resume, from the last whole epoch in {checkpoint}")
