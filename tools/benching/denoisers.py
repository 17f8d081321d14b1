"""What a denoiser before it gives a classifier that never saw noise: certified with and without."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from checking.catalogue import Entry, entries

import rsonnx
from benching.subjects import SAMPLES
from benching.turns import Record
from rsonnx.compose import denoise, serialized
from rsonnx.report import summarize
from rsonnx.runs.sample import Sample

SUBJECTS = (
    *("mnist-net_256x2.onnx", "onnx-mlir--mnist.onnx", "burn-onnx--mnist.onnx"),
    *("cifar_base_kw.onnx", "cifar_deep_kw.onnx", "ImageClassifier.onnx"),
)
"""Models of strangers, by the ends of their names: none of them was trained with noise."""

RADII = (0.0, 0.25, 0.5, 0.75, 1.0)
SIGMAS = (0.25, 0.5)


def measure_denoisers(arguments: argparse.Namespace) -> Iterator[Record]:
    """Certify models of a folder alone and behind a sample denoiser, at two sigmas.

    The inputs are MNIST's sample and every 20th CIFAR-10 test picture, fewer with ``--every``. Runs
    are kept, and what was measured is not measured again.

    Yields:
        The mean radius, 0 where wrong, rounded down, and how many inputs are right at RADII.
    """
    arguments.runs.mkdir(parents=True, exist_ok=True)
    for end in (subject for subject in SUBJECTS if arguments.only in subject):
        entry = next(e for e in entries(arguments.folder, end))
        for sigma in SIGMAS:
            front = SAMPLES / f"{entry.data}_denoiser_{sigma:.2f}.onnx"
            yield _certified(entry, None, sigma, arguments)
            yield _certified(entry, front, sigma, arguments)


def _certified(
    entry: Entry, front: Path | None, sigma: float, arguments: argparse.Namespace
) -> Record:
    """Certify one model, behind a denoiser where there is one."""
    name = f"{entry.path.stem}_{sigma:.2f}" + ("_denoised" if front else "")
    model, options = entry.path, dict(entry.given)
    if front is not None:
        model, options = arguments.runs / f"{name}.onnx", {}
        model.write_bytes(serialized(denoise(front, entry.path, declared=entry.given)))
    digits = entry.data == "mnist"
    every = arguments.every * (1 if digits else 20)
    run = rsonnx.certify(
        *(model, SAMPLES / "mnist_test_500" if digits else arguments.pictures),
        **options,
        sigma=sigma,
        n=arguments.n,
        seed=1,
        sample=Sample(skip_every=every),
        output=arguments.runs / f"{name}.jsonl",
        resume=True,
        providers=["cpu"],
    )
    figures = summarize(run.rows, RADII).to_json()
    return {
        "model": entry.path.stem,
        "denoiser": "" if front is None else front.name,
        "sigma": sigma,
        "n": arguments.n,
        "inputs": figures["inputs"],
        "acr": figures["acr"],
        "radii": RADII,
        "right": figures["certified_accuracy_count"],
        "seconds": round(sum(row.seconds for row in run.rows)),
    }
