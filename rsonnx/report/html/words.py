"""What a run says, in sentences for a reader who knows no statistics.

Every sentence follows from the run's figures; one that does not hold for a run is not written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

from rsonnx.noise import Norm, norm_named
from rsonnx.report.html.content import PageRun
from rsonnx.report.html.markup import Markup, foreign, joined
from rsonnx.report.population import LEVEL
from rsonnx.report.rounding import percent_down, plain, text_down, text_up

_SMALLEST_WRITTEN_OUT = Decimal("1e-9")
_MOST_VALUES = 2**40
_LEVEL = f"{100 * LEVEL:g} %"


def confidence(alpha: float) -> str:
    """Return 1 - ``alpha``, rounded down, as a percentage: 0.001 gives "99.9 %"."""
    error = _rounded_up(alpha)
    if error < _SMALLEST_WRITTEN_OUT:
        return f"1 - {error}"
    return f"{(100 * (1 - error)).normalize():f} %"


def _error(alpha: float) -> str:
    """Return ``alpha``, rounded up."""
    error = _rounded_up(alpha)
    return f"{error}" if error < _SMALLEST_WRITTEN_OUT else f"{error:f}"


def _rounded_up(alpha: float) -> Decimal:
    return Decimal(text_up(alpha, 3)).normalize()


def _norm(run: PageRun) -> Norm:
    return norm_named(run.figures.heading.norm)


def headline_radius(run: PageRun) -> float:
    """Return the radius of the first sentence: the one in the middle of the table."""
    radii = run.figures.summary.radii
    return radii[len(radii) // 2]


def lead(run: PageRun) -> Markup:
    """Return the result in a sentence."""
    summary, radius = run.figures.summary, headline_radius(run)
    at = summary.radii.index(radius)
    shares = summary.certified_share
    if summary.certified_accuracy is not None:
        shares = summary.certified_accuracy
    found = f"{int(shares[at] * summary.inputs):,} of {summary.inputs:,}"
    start = f"For {found} inputs ({percent_down(shares[at])} %) the smoothed classifier "
    settings = run.figures.heading.settings
    under = f"under every change {_norm(run).covers.format(plain(radius))}"
    if settings.exact and not _norm(run).whole:
        under += " between 8-bit inputs"
    if radius == 0:
        under = "under small changes, each up to a radius of its own"
    sure = f"is certified ({confidence(settings.alpha)} confidence in each) to keep "
    if settings.exact:
        sure = "is certain to keep "
    elif settings.family_wise is not None:
        sure = f"is certified ({confidence(settings.family_wise)} confidence in all) to keep "
    if summary.certified_accuracy is not None:
        return joined(start, "gives the true class and ", sure, "it ", under, ".")
    return joined(
        start,
        sure,
        "its answer ",
        under,
        ". Whether these answers are right is unknown: not every input has a label.",
    )


def what(run: PageRun) -> Markup:
    """Return what was certified."""
    heading, inputs = run.figures.heading, run.figures.summary.inputs
    size = run.whole_fact("data", "size")
    path = run.fact("data", "path")
    source = [" of ", foreign(path)] if isinstance(path, str) else []
    count = f"{inputs:,}" if size is None else f"{inputs:,} of the {size:,}"
    if size == inputs:
        count = f"all {inputs:,}"
    return joined(
        "The smoothed classifier made of ",
        foreign(heading.model),
        f", on {count} inputs",
        *source,
        f". It answers the class that the model gives most often {_when(run)}. ",
        "All radii are " if heading.sigma is None else "Sigma and all radii are ",
        "measured in ",
        foreign(heading.units),
        ".",
    )


def _when(run: PageRun) -> str:
    """Return what is done to an input before the model answers."""
    heading = run.figures.heading
    if heading.settings.exact:
        return (
            f"among all {heading.n:,} changes of the input that the noise makes ({heading.noise})"
        )
    if not heading.additive:
        return f"when the input is changed at random ({heading.noise})"
    noise = f"{heading.noise} noise"
    if heading.sigma is not None:
        name = heading.noise.partition(" ")[0]
        named = "Gaussian" if name == "gaussian" else name
        noise = f"{named} noise of standard deviation {heading.sigma:g}"
    rounded = " and the sum rounded to the 8-bit grid" if heading.arithmetic == "exact" else ""
    return f"when {noise} is added to the input{rounded}"


def against(run: PageRun) -> Markup:
    """Return which changes are covered, with an example of their size."""
    norm, heading = _norm(run), run.figures.heading
    counted, only = "counted samples", ""
    if heading.settings.exact:
        counted = f"counts of all {heading.n:,} changes that the noise can make"
    if heading.settings.exact or norm.unit is not None:
        only = f" The answer is certified {heading.within}."
    return joined(
        f"Every change of an input whose {norm.measure} is {norm.limit} that input's certified ",
        f"radius, however it was found. This is a proof from {counted}, not the outcome ",
        f"of attacks that were tried.{only}",
        _example(run),
    )


def _example(run: PageRun) -> str:
    """Return how a change of the headline radius may look; nothing where the header is silent."""
    heading, radius, shape = run.figures.heading, headline_radius(run), _shape(run)
    if heading.norm != "l2" or radius == 0 or shape is None:
        return ""
    values = math.prod(shape)
    each = radius / math.sqrt(values)
    low, high = run.real_fact("model", "bounds", "low"), run.real_fact("model", "bounds", "high")
    levels = ""
    if heading.arithmetic == "exact" and low is not None and high is not None and low < high:
        steps = 255 * each / (high - low)
        levels = f" ({text_down(steps, 1)} of 255 levels)" if steps <= 255 else ""
    small = text_down(each, 4) if each >= 1e-3 else f"{each:.2g}"
    return (
        f" For scale: a change of length {plain(radius)} may change one value by that much, or "
        f"each of the {values:,} values by about {small}{levels}."
    )


def _shape(run: PageRun) -> list[int] | None:
    """Return the shape of an input, where the header has one that an input can have."""
    shape = run.fact("model", "input_shape")
    whole = isinstance(shape, list) and all(isinstance(n, int) and n >= 1 for n in shape)
    return shape if whole and shape and math.prod(shape) <= _MOST_VALUES else None


def how_sure(run: PageRun) -> Markup:
    """Return at which confidence, for one certificate and for all."""
    statements, settings = run.figures.statements, run.figures.heading.settings
    if settings.exact:
        return joined(
            "Nothing was sampled: every change that the noise can make of an input was counted, ",
            f"{run.figures.heading.n:,} of each. So there is no probability of error, and no ",
            "certificate is false for a model that gives one input one answer. On another machine ",
            "or runtime its scores may round otherwise.",
        )
    error = f"alpha = {_error(settings.alpha)}"
    if settings.family_wise is not None:
        return joined(
            "All certificates of the run hold at once with probability at least ",
            confidence(settings.family_wise),
            " over the noise that was drawn, however inputs ",
            f"or their noise depend on each other. Each has its share of the error ({error}).",
        )
    false = statements.false
    most = f"at most {false.quantile:,} have" if false.quantile else "none has"
    each = joined(
        f"Each certificate holds with probability at least {confidence(settings.alpha)} ({error}",
        ") over the noise that was drawn, separately for each input. Of the ",
        f"{statements.inputs:,} inputs at most {text_up(false.expected, 3)} are expected to ",
        f"have a false certificate; with {_LEVEL} confidence {most} one",
    )
    if statements.shared_noise:
        return joined(
            each,
            " (Markov's inequality). They may be false together, since all inputs share their ",
            "noise.",
        )
    copies = ""
    if statements.copies == 1:
        copies = "; 1 input that equals another is counted as false with it"
    elif statements.copies:
        copies = f"; {statements.copies:,} inputs that equal others are counted as false with them"
    return joined(each, f", if noise is independent between inputs{copies}.")


def not_claimed(run: PageRun) -> Iterator[Markup]:
    """Yield what a reader might take from the page and must not."""
    heading, summary = run.figures.heading, run.figures.summary
    settings = heading.settings
    yield joined(
        "Nothing is certified of ",
        foreign(heading.model),
        " itself, without the noise: the ",
        "certificates are for the smoothed classifier, and protect only where that one answers.",
    )
    norm = _norm(run)
    beyond = "beyond" if norm.whole else "at or beyond"
    yield joined(
        f"Nothing is said of a change {beyond} an input's radius, nor of one that is small in ",
        f"another way (a rotation, a shift, another norm) unless its {norm.measure} ",
        f"is {norm.limit} the radius too.",
    )
    if settings.exact and not norm.whole:
        yield joined("Nothing is said of inputs off the 8-bit grid, which the noise does not take.")
    wrong = sum(not row.abstained and row.prediction != row.label for row in run.figures.rows)
    others = ""
    if not summary.labelled:
        others = " How many of the answers are right is not known here."
    elif wrong:
        number = "1 input is" if wrong == 1 else f"{wrong:,} inputs are"
        others = f" {number} certified for another class than the label."
    yield joined("A certificate says that the answer stays, not that it is right.", others)
    if settings.exact:
        pass  # then all certificates are true
    elif settings.family_wise is None:
        yield joined(
            "Not all certificates need be true: each alone may be false with probability up to ",
            _error(settings.alpha),
            ", and nothing tells which.",
        )
    else:
        yield joined(
            "That no certificate is false is not certain: with probability up to ",
            _error(settings.family_wise),
            " at least one is.",
        )
    yield _population(run)
    if summary.abstained:
        counts = "counts as wrong" if summary.labelled else "counts as not certified"
        yield joined(
            f"An abstention ({summary.abstained:,} of {summary.inputs:,} inputs) does not show ",
            f"that an input is weak, only that nothing could be shown. It {counts}.",
        )
    yield from _caveats(run)


def _population(run: PageRun) -> Markup:
    own = f"The certificates are for these {run.figures.summary.inputs:,} inputs and no others. "
    if run.figures.statements.accuracy is None:
        return joined(own, "Of further inputs nothing is said here.")
    return joined(
        own,
        "What is said of the population below assumes that they were drawn from it ",
        "independently of each other, which the run cannot know",
        ", and is of the noise that was drawn, which all inputs share."
        if run.figures.statements.shared_noise
        else ".",
    )


def _caveats(run: PageRun) -> Iterator[Markup]:
    """Yield what only some runs have to add."""
    heading = run.figures.heading
    if run.figures.assumption is not None:
        yield joined("All certificates rest on an assumption: ", run.figures.assumption, ".")
    if heading.arithmetic != "exact" and heading.additive:
        yield joined(
            "The noise was drawn in floating point. The proof is for ideal noise, and a model ",
            "built to exploit the rounding can have a false certificate; exact noise on the ",
            "8-bit grid rules that out.",
        )
    if heading.target_radii is not None:
        yield joined(
            "Sampling stopped as soon as the target radii (",
            ", ".join(map(plain, heading.target_radii)),
            ") were decided. Radii, their average ",
            "(ACR) and certified accuracy at other radii are therefore understated, and are not ",
            "comparable with those of a fixed number of samples.",
        )
    if heading.restated_from is not None and heading.restated_from != heading.settings:
        yield joined(
            "The certificates were derived anew from the recorded counts (",
            foreign(str(heading.settings)),
            " instead of ",
            foreign(str(heading.restated_from)),
            "). They hold at these settings if the settings were chosen without looking at the ",
            "counts.",
        )
    if heading.status != "complete":
        yield joined(
            "The run is ",
            foreign(heading.status),
            ". Inputs that it lacks may differ from those ",
            "that it holds, so its shares are not those of the whole.",
        )


def incomplete(run: PageRun) -> Markup | None:
    """Return the warning that stands above everything; None for a complete run."""
    heading, held = run.figures.heading, run.figures.summary.inputs
    if heading.status == "complete":
        return None
    announced = run.whole_fact("data", "inputs")
    of = f" of {announced:,}" if announced is not None else ""
    noun = "inputs" if (announced or held) != 1 else "input"
    return joined(
        "The run ",
        foreign(run.file),
        " is ",
        foreign(heading.status),
        f": it holds {held:,}{of} ",
        f"{noun}, and all figures are of these alone.",
    )
