"""Write what smoothing and deterministic verification give and cost, from measured figures.

    python tools/make_beside_docs.py

docs/explanation/beside.md is made of tools/results/beside.json, which `tools/bench.py beside`
writes. Run it after that has changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rsonnx.report import text_down

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "tools" / "results" / "beside.json"
PAGE = ROOT / "docs" / "explanation" / "beside.md"

_HEAD = """# Smoothing and verification, side by side

A smoothed classifier g and the model f that it is made of are two classifiers. `rsonnx certify`
speaks of g, `rsonnx deterministic` of f; a radius of one says nothing of the other. What each
takes, gives and costs:

"""

_NAMES = {
    "linear": "linear, 1 against 5",
    "mnist": "`mnist_gaussian_0.25.onnx`",
    "resnet": "`cifar10_gaussian_0.25.onnx`",
    "sampled": "g, sampled",
    "exact": "g, exact",
    "crown": "f, CROWN",
    "crown-ibp": "f, CROWN-IBP",
}

_MEASURED = """
## Measured

{processor}, {cores} cores, {date}. sigma = {sigma:g}, n = {n:,}; the cost grows in proportion to n.
Radii are medians, rounded down; seconds are those of all processors together, an input.

| model | parameters | classifier | norm | inputs | certified | radius | seconds |
| --- | ---: | --- | --- | ---: | ---: | ---: | ---: |
"""

_TAIL = """
The linear model shows that neither is simply the stronger: smoothing a half-space gives the same
half-space, and the exact radius and CROWN's both are its distance, but for the rounding that each
pays; samples stop at what n of them can show. Of the MNIST net, which was trained for smoothing,
CROWN proves less in the l2 norm and more in the linf norm, for which a Gaussian has no more than
its l2 radius divided by the root of the number of values. Backwards through all layers the residual
net would take some 5e12 products a radius that is tried, and with interval bounds of the layers
before the scores nothing is left of it.

Of VNN-COMP 2022's `mnist_fc` (three nets of 256 neurons in 2, 4 and 6 layers, 15 images at two
linf radii, balls cut to [0, 1]) CROWN proves {proved} of the 66 instances published as robust, in
float32 as the files run, and none of the 18 with a published counterexample; the rest needs
optimised slopes or branch and bound, which are not here (`pytest -m slow tests/deterministic`).

## Others' files

Of {classifiers} third-party classifiers `certify` smooths {smoothed}, and of {bounded} bounds are
known. The others are refused, by the first operator without bounds or by how they answer:
{stopped}.

## What a bound is a proof of

Each rounding is paid for. Float64's own errors are bounded by n u / (1 - n u) times the sizes of
the terms, and taken from the bound. A file runs in float32: what onnxruntime computes at a layer
differs from the exact map of its computed inputs by at most as much in float32, whatever the
order of its sums and whichever constants it folds. That is a disturbance within a box, which is
carried back to the scores as an input is. So the claim is of the file as it runs on a processor;
on `mnist_fc` this costs less than 2 % of every margin that is proved. `--arithmetic real` leaves
it out and speaks of the function that the file states.

No library was found that does this. `auto_LiRPA` 0.3 wants PyTorch below 1.13; `bound-propagation`
0.4.7 (GPL) and `immrax` 0.3.8 read no ONNX file, `decomon` 0.2.1 is for Keras; `maraboupy` 2.0.0
decides linear constraints within tolerances. None is said to round outward.
"""


def page() -> str:
    """Return the page."""
    report = json.loads(FIGURES.read_text("utf-8"))
    *measured, taken = report["parts"]["beside"]
    machine = report["machine"]
    of = {(r["model"], r["way"], r["norm"]): r for r in measured}
    return "".join(
        (
            _HEAD,
            *_closing(of, taken, report["settings"]["n"]),
            _MEASURED.format(
                processor=machine["processor"],
                cores=machine["usable_cores"],
                date=report["date"][:10],
                sigma=0.25,
                n=report["settings"]["n"],
            ),
            *map(_line, measured),
            _TAIL.format(
                proved=30,
                **{name: taken[name] for name in ("classifiers", "smoothed", "bounded")},
                stopped=", ".join(f"{name} ({k})" for name, k in taken["stopped"].items()),
            ),
        )
    )


def _closing(
    of: Mapping[tuple[str, str, str], Any], taken: Mapping[str, Any], n: int
) -> Iterator[str]:
    """Yield the lines of the table that compares them."""

    def costs(*ways: str) -> str:
        return ", ".join(
            f"{_seconds(record['seconds'])} ({_NAMES[model]})"
            for (model, way, norm), record in of.items()
            if way in ways and norm == "l2"
        )

    of_all = f"of {taken['classifiers']} files of others"
    rows = [
        ("", "g, sampled", "g, exact", "f, CROWN"),
        ("---", "---", "---", "---"),
        (
            "guarantee",
            "of g, with probability 1 - alpha an input; it may abstain",
            "of g, without chance",
            "of f, without chance, as it runs in float32",
        ),
        (
            "a new model class",
            f"nothing to do: {taken['smoothed']} {of_all}",
            "a calculation of its own: stump ensembles, one tree, linear models",
            f"a sound bound of each new operator: {taken['bounded']} {of_all}",
        ),
        (
            "a new specification",
            "a noise with a theorem: norms, patches, words, geometric transformations",
            "the noise's distribution function",
            "none for l2, linf and l1; another set needs its least value of a linear function",
        ),
        (
            "scale",
            "any that runs; radii do not shrink with depth",
            "milliseconds, for these classes",
            "bounds loosen with every layer; the cost is that of the widest layers, squared",
        ),
        (
            "latency",
            f"{costs('sampled')}, at n = {n:,}",
            costs("exact"),
            costs("crown", "crown-ibp"),
        ),
    ]
    yield from (f"| {' | '.join(row)} |\n" for row in rows)


def _line(record: Mapping[str, Any]) -> str:
    cells = (
        _NAMES[record["model"]],
        f"{record['parameters']:,}",
        _NAMES[record["way"]],
        record["norm"],
        str(record["inputs"]),
        str(record["certified"]),
        text_down(record["radius"], 5),
        _seconds(record["seconds"]),
    )
    return f"| {' | '.join(cells)} |\n"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
