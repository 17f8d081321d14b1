"""The tables of ``sample_models/README.md``, from the manifest.

python tools/sample_tables.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from samples import MODELS, SIGMAS

from rsonnx.report import percent_down, text_down

MANIFEST = Path(__file__).resolve().parents[1] / "sample_models" / "manifest.json"
METHODS = {
    "gaussian": "Gaussian",
    "consistency": "Consistency",
    "smoothadv": "SmoothAdv",
    "smoothmix": "SmoothMix",
}
PUBLISHED = {
    # Means of 5 or 6 runs over all 10,000 test images with LeNet, n = 100,000, alpha = 0.001,
    # computed from the logs that the SmoothMix and Consistency projects publish: ACR, then
    # certified accuracy by radius.
    "0.25": {
        "gaussian": (0.9108, {0: 99.2, 0.5: 96.7}),
        "consistency": (0.9282, {0: 99.4, 0.5: 97.9}),
        "smoothadv": (0.9322, {0: 99.4, 0.5: 98.2}),
        "smoothmix": (0.9332, {0: 99.4, 0.5: 98.2}),
    },
    "0.50": {
        "gaussian": (1.5581, {0: 99.2, 0.5: 96.9, 1: 89.8, 1.5: 67.8}),
        "consistency": (1.6549, {0: 99.2, 0.5: 97.5, 1: 92.9, 1.5: 78.3}),
        "smoothadv": (1.6872, {0: 99.0, 0.5: 97.4, 1: 92.9, 1.5: 81.1}),
        "smoothmix": (1.6934, {0: 98.7, 0.5: 97.1, 1: 92.7, 1.5: 81.7}),
    },
    "1.00": {
        "gaussian": (1.6184, {0: 96.3, 1: 79.9, 2: 32.5}),
        "consistency": (1.7377, {0: 95.0, 1: 79.7, 2: 41.7}),
        "smoothadv": (1.7786, {0: 95.8, 1: 80.8, 2: 43.3}),
        "smoothmix": (1.8215, {0: 93.1, 1: 77.3, 2: 44.9}),
    },
}


def main() -> None:
    """Print all tables."""
    held = json.loads(MANIFEST.read_text())
    for sigma in SIGMAS:
        print("\n".join([*method_table(held, sigma), ""]))
    print("\n".join([*other_table(held), "", *file_table(held)]))


def method_table(held: dict[str, Any], sigma: str) -> Iterator[str]:
    """Yield the four methods at one sigma, each beside what is published."""
    radii = list(PUBLISHED[sigma]["gaussian"][1])
    yield f"| σ = {float(sigma):g} | ACR | " + " | ".join(f"r = {r:g}" for r in radii) + " |"  # noqa: RUF001
    yield "|---|---:|" + "---:|" * len(radii)
    for method, title in METHODS.items():
        certified = held[f"mnist_{method}_{sigma}"]["certified"]
        acr, shares = PUBLISHED[sigma][method]
        cells = [f"{_share(certified, r)} ({shares[r]:g})" for r in radii]
        yield (
            f"| {title} | {text_down(certified['acr'], 4)} ({acr:g}) | " + " | ".join(cells) + " |"
        )


def other_table(held: dict[str, Any]) -> Iterator[str]:
    """Yield the models that are not of the comparison, each with its own norm and radii."""
    yield "| model | inputs | norm | ACR | certified accuracy, % |"
    yield "|---|---:|---|---:|---|"
    for model in MODELS:
        if model.name.removeprefix("mnist_").split("_")[0] in METHODS and model.data == "mnist":
            continue
        certified = held[model.name]["certified"]
        at = ", ".join(f"{_share(certified, r)} at {r:g}" for r in certified["radii"])
        acr = text_down(certified["acr"], 4) + (" at least" if certified["adaptive"] else "")
        yield (f"| `{model.file}` | {certified['inputs']} | {certified['norm']} | {acr} | {at} |")


def file_table(held: dict[str, Any]) -> Iterator[str]:
    """Yield every file with its size, its training time and its certification."""
    yield "| file | bytes | trained in | certified with | samples | took |"
    yield "|---|---:|---:|---|---:|---:|"
    for model in MODELS:
        facts = held[model.name]
        certified = facts["certified"]
        trained = f"{facts['training_seconds'] / 60:.1f} min"
        yield (
            f"| `{model.file}` | {facts['bytes']:,} | {trained} | `{certified['options']}` | "
            f"{certified['samples']:,} | {certified['seconds']:,} s |"
        )


def _share(certified: dict[str, Any], radius: float) -> str:
    right = certified["right"][certified["radii"].index(radius)]
    return percent_down(Fraction(right, certified["inputs"]))


if __name__ == "__main__":
    main()
