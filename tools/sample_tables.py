"""The tables of ``sample_models/README.md``, from its manifest and ``tools/results``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from samples import FRONTS, METHODS, MODELS, SIGMAS, STUMPS, TRANSFORMED

from rsonnx.report import percent_down, text_down

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "sample_models"
MANIFEST = HOME / "manifest.json"

TRANSFORMED_BY_OTHERS = {
    # From the certification logs of AI-secure/semantic-randomized-smoothing at 76361d3 (Li et al.,
    # arXiv 2002.12398), 500 images each, by radius.
    "mnist_brightness_0.3": {0.5: 98.6},
    "mnist_contrast_0.3": {0.4: 97.8},
    "mnist_brightness_contrast_0.3": {0.4: 98.2, 0.5: 97.8},
    "mnist_blur_2": {1: 97.6, 2: 95.8, 4: 70.4, 7: 62.8},
    "cifar10_brightness_0.2": {0.4: 82.6, 0.5: 82.0},
}


def tables() -> Iterator[str]:
    """Yield the lines of the README's tables."""
    held = json.loads(MANIFEST.read_text())
    yield from _methods(held)
    yield from _progress()
    yield ""
    yield _row("model", "inputs", "norm", "ACR", "certified accuracy, %")
    yield "|---|---:|---|---:|---|"
    for model in (model for model in MODELS if model not in TRANSFORMED):
        certified = held[model.name]["certified"]
        if model.data == "cifar10" or not METHODS.keys() & set(model.name.split("_")):
            at = ", ".join(f"{_share(certified, r)} at {r:g}" for r in certified["radii"])
            acr = text_down(certified["acr"], 4) + (" at least" if certified["adaptive"] else "")
            yield _row(f"`{model.file}`", certified["inputs"], certified["norm"], acr, at)
    yield ""
    yield from _transformed(held)
    yield ""
    noises = json.loads((ROOT / "tools/results/noises.json").read_text())["parts"]["noises"]
    yield _row("noise", "norm", *(f"σ = {float(sigma):g}" for sigma in SIGMAS))  # noqa: RUF001
    yield "|---|---|" + "---:|" * len(SIGMAS)
    for pair in dict.fromkeys((one["noise"], one["norm"]) for one in noises):
        row = [one for one in noises if (one["noise"], one["norm"]) == pair]
        yield _row(*pair, *(f"{text_down(one['acr'], 4)} ({one['right']})" for one in row))
    yield ""
    yield from _denoised()
    yield ""
    yield from _exact()
    yield ""
    yield _row("file", "bytes", "trained in", "certified with", "samples", "took")
    yield "|---|---:|---:|---|---:|---:|"
    for model in MODELS:
        facts, certified = held[model.name], held[model.name]["certified"]
        size, minutes = f"{facts['bytes']:,}", f"{facts['training_seconds'] / 60:.1f} min"
        took = f"{certified['samples']:,}", f"{certified['seconds']:,} s"
        yield _row(f"`{model.file}`", size, minutes, f"`{certified['options']}`", *took)
    for group, unit, words in ((FRONTS, 60, "{:.1f} min"), (STUMPS, 1, "{:g} s")):
        yield ""
        yield _row("file", "bytes", "trained in", "trained with")
        yield "|---|---:|---:|---|"
        for each in group:
            facts = held[each.name]
            took = words.format(facts["training_seconds"] / unit)
            yield _row(f"`{each.name}.onnx`", f"{facts['bytes']:,}", took, f"`{each.training}`")


def _methods(held: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables of methods, beside published trainings on the same images."""
    published = json.loads((ROOT / "tools/results/published.json").read_text())
    for sigma in SIGMAS:
        theirs = [record for record in published if record["sigma"] == float(sigma)]
        radii = theirs[0]["radii"]
        head = ("network", "epochs", "trained in", "images", "n", "ACR")
        yield _row(f"σ = {float(sigma):g}", *head, *(f"r = {r:g}" for r in radii))  # noqa: RUF001
        yield "|---|---|" + "---:|" * (len(head) - 1 + len(radii))
        for method, title in METHODS.items():
            for network, prefix in (("small", ""), ("LeNet", "lenet_")):
                facts = held.get(f"mnist_{prefix}{method}_{sigma}", {})
                for run in ("certified", "in_full"):
                    if run in facts:
                        yield _row(title, network, *_beside(facts, run, title, theirs))
        yield ""


def _progress() -> Iterator[str]:
    """Yield the lines of the table of ACR against epochs."""
    kept = json.loads((ROOT / "tools/results/progress.json").read_text())
    yield _row("model", "images held out", "n", "ACR after epochs")
    yield "|---|---:|---:|---|"
    for name in dict.fromkeys(record["model"] for record in kept):
        own = [record for record in kept if record["model"] == name]
        at = ", ".join(f"{text_down(one['acr'], 4)} after {one['epochs']}" for one in own)
        yield _row(f"`{name}.onnx`", own[0]["inputs"], f"{own[0]['n']:,}", at)


def _beside(
    facts: dict[str, Any], run: str, title: str, published: Iterable[dict[str, Any]]
) -> Iterator[object]:
    """Yield the cells of a run of a model beside the published figures of its method."""
    certified = facts[run]
    asked = (title, certified["inputs"], certified["n"])
    theirs = next(one for one in published if (one["method"], one["inputs"], one["n"]) == asked)
    yield from (facts["epochs"], f"{facts['training_seconds'] / 60:.0f} min", certified["inputs"])
    yield f"{certified['n']:,}"
    yield f"{text_down(certified['acr'], 4)} ({text_down(theirs['acr'], 4)})"
    for r, share in zip(theirs["radii"], theirs["share"], strict=True):
        yield f"{_share(certified, r)} ({percent_down(share)})"


def _transformed(held: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table of models under transformations, beside published figures."""
    yield _row("model", "radius in", "samples an image", "certified accuracy, % (published)")
    yield "|---|---|---:|---|"
    for model in TRANSFORMED:
        certified, others = held[model.name]["certified"], TRANSFORMED_BY_OTHERS.get(model.name, {})
        at = (
            f"{_share(certified, r)}{f' ({others[r]:g})' if r in others else ''} at {r:g}"
            for r in certified["radii"]
        )
        each = f"{certified['samples'] / certified['inputs']:,.0f}"
        yield _row(f"`{model.file}`", certified["norm"], each, ", ".join(at))


def _exact() -> Iterator[str]:
    """Yield the lines of the table of exact certificates beside sampled ones."""
    results = json.loads((ROOT / "tools/results/exact.json").read_text())
    *records, total = results["parts"]["exact"]
    radii = records[0]["radii"]
    head = ("data", "model", "inputs", "without noise", "ACR", *(f"r = {r:g}" for r in radii))
    yield _row(*head, "ms")
    yield "|---|---|" + "---:|" * (len(head) - 1)
    for one in records:
        counts = (one["standard"], *one["right"])
        shares = [percent_down(Fraction(count, one["inputs"])) for count in counts]
        figures = (one["inputs"], shares[0], text_down(one["acr"], 4), *shares[1:])
        yield _row(one["data"], one["model"], *figures, f"{one['milliseconds']:.1f}")
    yield ""
    yield _row("data", "model", "inputs", "exact ACR", "sampled ACR", "ms", "sampled radii above")
    yield "|---|---|" + "---:|" * 5
    for one in records:
        acrs = (text_down(one[key], 4) for key in ("exact_acr_there", "sampled_acr"))
        figures = (*acrs, f"{one['sampled_milliseconds']:,.0f}", one["above"])
        yield _row(one["data"], one["model"], one["sampled_inputs"], *figures)
    yield _row(total["data"], "", total["sampled_inputs"], "", "", "", total["above"])


def _denoised() -> Iterator[str]:
    """Yield the lines of the table of models alone and behind a denoiser, by the same inputs."""
    results = json.loads((ROOT / "tools/results/denoisers.json").read_text())
    records = results["parts"]["denoisers"]
    radii = records[0]["radii"]
    yield _row("model", "σ", "inputs", "ACR", *(f"r = {r:g}" for r in radii))  # noqa: RUF001
    yield "|---|---:|---:|---:|" + "---:|" * len(radii)
    for alone, behind in zip(records[::2], records[1::2], strict=True):
        pair = [
            (
                text_down(one["acr"], 4),
                *(percent_down(Fraction(k, one["inputs"])) for k in one["right"]),
            )
            for one in (alone, behind)
        ]
        cells = (" → ".join(cell) for cell in zip(*pair, strict=True))
        yield _row(f"`{alone['model']}`", f"{alone['sigma']:g}", alone["inputs"], *cells)


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _share(certified: dict[str, Any], radius: float) -> str:
    right = certified["right"][certified["radii"].index(radius)]
    return percent_down(Fraction(right, certified["inputs"]))
