"""What the words of a page mean."""

from __future__ import annotations

from rsonnx.report.html.markup import Markup, element

_TERMS = (
    (
        "Smoothed classifier",
        "The classifier that answers what the model would answer most often if noise were added "
        "to the input again and again. Certificates are for it (Cohen, Rosenfeld and Kolter 2019).",
    ),
    (
        "Certified radius",
        "No change of the input that is smaller than this changes the answer of the smoothed "
        "classifier. Always rounded down.",
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


def glossary() -> Markup:
    """Return the terms and what they mean."""
    return element(
        "dl",
        *(element("div", element("dt", term), element("dd", text)) for term, text in _TERMS),
        class_="glossary",
    )
