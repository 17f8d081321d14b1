"""What the words of a page mean."""

from __future__ import annotations

from collections.abc import Sequence

from rsonnx.noise import norm_named
from rsonnx.report.html.content import PageRun
from rsonnx.report.html.markup import Markup, element

_RADIUS = (
    "Certified radius",
    "No change of the input that is smaller than this changes the answer of the smoothed "
    "classifier. Always rounded down.",
)
_WHOLE_RADIUS = (
    "Certified radius",
    "No change of the input that is at most as large as this changes the answer of the smoothed "
    "classifier. A whole number; 0 where the answer is certified for the input itself alone.",
)
_FEATURE = (
    "Feature",
    "What a radius in the l0 norm counts: a value of the input or, where the noise ablates images, "
    "a pixel with all its channels.",
)
_COUNTED = (
    "Counted in full",
    "The noise can make finitely many changes of an input, and all of them were counted. Nothing "
    "was sampled, so the certificate is certain.",
)
_TERMS = (
    (
        "Smoothed classifier",
        "The classifier that answers what the model would answer most often if noise were added "
        "to the input again and again. Certificates are for it (Cohen, Rosenfeld and Kolter 2019).",
    ),
    (
        "Certified accuracy at radius r",
        "Share of all inputs that are certified for their true class with a radius of at least r. "
        "Abstentions and wrong classes count as misses, so no input leaves the denominator.",
    ),
    (
        "ACR",
        "Average certified radius: the mean over all inputs of the radius where the certified "
        "class is the true one, and 0 elsewhere.",
    ),
    ("Model alone", "The class that the model gives without noise. Nothing is certified of it."),
    (
        "Abstained",
        "No certificate was possible. Low-probability: no class has more than half of the "
        "samples. Loose-bound: a class has, but in too few samples to be sure. Wrong-guess: the "
        "samples that chose the class and those that counted it disagree.",
    ),
    (
        "Votes under noise",
        "How often each class was answered to the noisy copies that bound the probability of the "
        "class. Those that chose the class beforehand are others, and are not among them.",
    ),
    ("Sigma", "The strength of the noise. More of it allows larger radii at lower accuracy."),
    (
        "Alpha",
        "The most that the probability of a false certificate is, over the noise that was drawn.",
    ),
    (
        "Chance that the right class is certified",
        "An interval on what the same procedure would do with a new input of the same population "
        "(Clopper-Pearson). It assumes that the inputs were drawn independently, and their noise "
        "too unless the run shares it.",
    ),
    (
        "Right and robust in truth",
        "At least this share of the population is answered rightly and is truly robust at the "
        "radius: the same interval, lowered by the certificates that may be false.",
    ),
)


def glossary(runs: Sequence[PageRun]) -> Markup:
    """Return the terms of some runs and what they mean."""
    headings = [run.figures.heading for run in runs]
    terms = [
        *([] if all(norm_named(one.norm).whole for one in headings) else [_RADIUS]),
        *([_WHOLE_RADIUS] if any(norm_named(one.norm).whole for one in headings) else []),
        *([_FEATURE] if any(one.norm == "l0" for one in headings) else []),
        *([_COUNTED] if any(one.settings.exact for one in headings) else []),
    ]
    terms = [_TERMS[0], *terms, *_TERMS[1:]]
    left_out = set()
    if all(one.sigma is None for one in headings):
        left_out.add("Sigma")
    if all(one.settings.exact for one in headings):
        left_out.add("Alpha")
    return element(
        "dl",
        *(
            element("div", element("dt", term), element("dd", text))
            for term, text in terms
            if term not in left_out
        ),
        class_="glossary",
    )
