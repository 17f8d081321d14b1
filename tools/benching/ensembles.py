"""What several classifiers of one recipe give together, beside the best of them alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import rsonnx
from benching.subjects import SAMPLES
from benching.turns import Record
from rsonnx.compose import consensus, ensemble, serialized
from rsonnx.data import open_dataset
from rsonnx.report import summarize
from rsonnx.runs.sample import Sample

RADII = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
IMAGES = SAMPLES / "mnist_test_500"
DRAWN = 1_000
"""Noisy images of each input on which the evaluations of a consensus are counted."""


def measure_ensembles(arguments: argparse.Namespace) -> Iterator[Record]:
    """Certify each member, then soft votes of the first so many, then consensuses.

    Members are compared, and joined, in the order in which they are given; all runs have the same
    inputs and settings. Runs are kept, and what was measured is not measured again.

    Yields:
        The mean radius, 0 where wrong, rounded down, how many inputs are right at RADII, and what
        share of its members' evaluations a consensus saves.
    """
    arguments.runs.mkdir(parents=True, exist_ok=True)
    members: Sequence[Path] = arguments.members
    for member in members:
        yield _certified(member, member.stem, arguments)
    for many in range(3, len(members) + 1, 2):
        together = arguments.runs / f"soft_{many}.onnx"
        together.write_bytes(serialized(ensemble(*members[:many])))
        yield _certified(together, f"soft vote of {many}", arguments)
        for first in range(2, many):
            agreed = arguments.runs / f"consensus_{first}_of_{many}.onnx"
            agreed.write_bytes(serialized(consensus(*members[:many], k=first)))
            record = _certified(agreed, f"consensus, {first} of {many}", arguments)
            yield record | _saved(members[:many], first, agreed, together, arguments)


def _certified(model: Path, name: str, arguments: argparse.Namespace) -> Record:
    run = rsonnx.certify(
        *(model, IMAGES),
        sigma=arguments.sigma,
        n=arguments.n,
        seed=1,
        sample=Sample(skip_every=arguments.every),
        output=arguments.runs / f"{model.stem}.jsonl",
        resume=True,
        providers=["cpu"],
    )
    figures = summarize(run.rows, RADII).to_json()
    return {
        "what": name,
        "sigma": arguments.sigma,
        "n": arguments.n,
        "inputs": figures["inputs"],
        "acr": figures["acr"],
        "radii": RADII,
        "right": figures["certified_accuracy_count"],
        "saved": None,
        "seconds": round(sum(row.seconds for row in run.rows)),
    }


def _saved(
    members: Sequence[Path], first: int, agreed: Path, together: Path, given: argparse.Namespace
) -> Record:
    """Count how often the first of a consensus agree, and hold its labels against its rule."""
    classifiers = [rsonnx.load(member, providers=["cpu"]) for member in members[:first]]
    composed, vote = (rsonnx.load(path, providers=["cpu"]) for path in (agreed, together))
    generator = np.random.default_rng(1)
    images = open_dataset(IMAGES)
    agree = differ = drawn = 0
    for index in range(0, len(images), given.every):
        noise = generator.normal(0, given.sigma, (DRAWN, 1, 28, 28))
        batch = (images[index].values.reshape(1, 1, 28, 28) / 255 + noise).astype(np.float32)
        labels = np.array([classifier.classify(batch) for classifier in classifiers])
        alike = (labels == labels[0]).all(axis=0)
        expected = np.where(alike, labels[0], vote.classify(batch))
        agree += int(alike.sum())
        differ += int((composed.classify(batch) != expected).sum())
        drawn += DRAWN
    rest = len(members) - first
    return {"saved": agree * rest / (drawn * len(members)), "differ": differ, "drawn": drawn}
