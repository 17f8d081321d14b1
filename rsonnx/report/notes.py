"""What is said below a table: of each run what was certified, and what its figures rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rsonnx.report.escape import printable, shortened
from rsonnx.report.figures import Figures
from rsonnx.report.logs import LogFigures
from rsonnx.report.reported import Reported
from rsonnx.report.rounding import alpha_up, error_up, percent_down, plain, text_down
from rsonnx.report.summary import Certified, Gain, Summary
from rsonnx.report.table import Note
from rsonnx.runs.records import Settings

_MOST_NOTES = 5
_PLAIN = "at every point closer than the input's radius in the {} norm"
"""Where a norm alone says that an answer is certified, which then needs no further words."""


def notes_of(run: Figures | LogFigures) -> Note:
    """Return what is said of a run or of a log, strangers' words printable."""
    title, *details = _of_log(run) if isinstance(run, LogFigures) else _of_run(run)
    return Note(title, tuple(details))


def in_words(settings: Settings) -> str:
    """Return how counts became certificates."""
    if settings.exact:
        return "counted in full"
    return printable(f"{surety(settings)}, {settings.bound}, {settings.radius_rule}")


def cautions(
    run: Reported,
    inputs: int,
    assumption: str | None,
    words: Callable[[Settings], str] = in_words,
) -> Iterator[str]:
    """Yield what a reader must know wherever figures of a run stand, a sentence each.

    Args:
        run: what names it.
        inputs: how many it holds.
        assumption: what its certificates assume of the model; None where nothing is assumed.
        words: which of its settings the figures rest on.
    """
    if run.status != "complete":
        yield (
            f"this run is {printable(run.status)}: the figures are of the {inputs:,} inputs "
            "that it holds"
        )
    header, variation = run.header, run.header.model.variation
    if variation.words:
        yield (
            f"certified is the file with {printable(', '.join(variation.words))}: declared "
            "otherwise it is another classifier, of which nothing is said"
        )
    if variation.insisted is not None:
        yield f"its output is {printable(variation.insisted)}"
    if assumption is not None:
        yield f"assumed: {assumption}"
    if header.restated_from is not None:
        chosen = "; holds if chosen without looking at the counts"
        yield (
            f"restated at {words(header.settings)} (sampled for {words(header.restated_from)})"
            + (chosen if header.settings != header.restated_from else "")
        )
    if run.header.shared:
        yield (
            "noise shared by all inputs: their certificates are not independent, and what is "
            "said of the population is of this very noise, not of another that might be drawn"
        )
    if run.header.procedure.target_radii is not None:
        yield (
            "sampling stopped once the radii were decided, so ACR understates (do not compare "
            "it with that of a fixed n), and so does certified accuracy elsewhere than at "
            f"{', '.join(map(plain, run.header.procedure.target_radii))}"
        )


def denied(run: Figures) -> Iterator[str]:
    """Yield what a reader might take from a run's figures and must not, a sentence each."""
    summary = run.summary
    settings, norm, inputs = run.header.settings, run.header.noise.measure, summary.inputs
    yield (
        f"Nothing is certified of {shortened(printable(run.classifier), 160)} itself, without "
        "the noise: only who adds it and takes the vote has the certificates."
    )
    yield (
        f"Nothing is said of a change {'beyond' if norm.whole else 'at or beyond'} an input's "
        "radius, nor of one that is small in another way (a rotation, a shift, another norm) "
        f"unless its {norm.measure} is {norm.limit} the radius too."
    )
    if settings.exact and not norm.whole:
        yield "Nothing is said of inputs off the 8-bit grid, which the noise does not take."
    right = ""
    if not summary.labelled:
        right = " How many of the answers are right is not known here."
    elif wrong := sum(not row.abstained and row.prediction != row.label for row in run.rows):
        number = "1 input is" if wrong == 1 else f"{wrong:,} inputs are"
        right = f" {number} certified for another class than the label."
    yield f"A certificate says that the answer stays, not that it is right.{right}"
    if settings.exact:
        yield (
            "The certificates are certain for a model that gives one input one answer: on another "
            "machine or runtime its scores may round otherwise."
        )
    elif settings.family_wise is None:
        yield (
            "Not all certificates need be true: each alone may be false with probability up to "
            f"{error_up(settings.alpha)}, and nothing tells which."
        )
    else:
        yield (
            "That no certificate is false is not certain: with probability up to "
            f"{error_up(settings.family_wise)} at least one is."
        )
    others = "Of further inputs nothing is said here."
    if run.drawn:
        others = (
            "What is said of the population assumes that they were drawn from it independently, "
            "which the run cannot know."
        )
    yield f"The certificates are for these {inputs:,} inputs and no others. {others}"
    if summary.abstained:
        yield (
            f"An abstention ({summary.abstained:,} of {inputs:,} inputs) does not show that an "
            "input is weak, only that nothing could be shown. It counts as "
            f"{'wrong' if summary.labelled else 'not certified'}."
        )
    if run.header.arithmetic != "exact" and run.header.noise.additive:
        yield (
            "The noise was drawn in floating point: the proof is for ideal noise, and a model "
            "built to exploit the rounding can have a false certificate."
        )
    for caution in cautions(run, inputs, run.assumption):
        yield f"{caution[0].upper()}{caution[1:]}."


def _of_log(log: LogFigures) -> Iterator[str]:
    summary = log.summary
    yield (
        f"{printable(log.name)}: a log; it does not say its sigma, units, alpha, n and standard "
        "accuracy (?), nor whether it is complete"
    )
    abstained = sum(row.abstained for row in log.rows)
    yield f"abstentions: {abstained} of {summary.inputs} (reasons: ?)"
    yield (
        "radii are taken as the log prints them; where it rounded them to nearest, figures may "
        "overstate"
    )
    if not summary.labelled:
        yield _unlabelled(summary)
    yield "false certificates: ? (alpha is not known)"
    if log.population is not None:
        yield from log.population.lines()
    yield from (f"as read: {printable(note)}" for note in log.notes[:_MOST_NOTES])
    if len(log.notes) > _MOST_NOTES:
        yield f"as read: {len(log.notes) - _MOST_NOTES:,} further irregularities"


def _of_run(run: Figures) -> Iterator[str]:
    summary = run.summary
    yield f"{printable(run.classifier)}: {printable(run.radii_of)}; {made(run)}"
    yield from declared(run)
    if run.within != _PLAIN.format(run.header.noise.norm):
        yield f"certified {run.within}"
    yield from cautions(run, summary.inputs, run.assumption)
    reasons = ", ".join(f"{count} {reason}" for reason, count in summary.abstentions.items())
    yield f"abstentions: {summary.abstained} of {summary.inputs}" + f" ({reasons})" * bool(reasons)
    if not run.header.settings.exact:
        yield f"samples: {_samples(run, summary)}"
    if summary.gain is not None:
        yield _gain(summary.gain)
    if not summary.labelled:
        yield _unlabelled(summary)
    yield from run.statements.lines()


def declared(run: Reported) -> Iterator[str]:
    """Yield the preprocessing where its caller declared it, in place of the file."""
    if run.header.model.variation.declared:
        yield f"preprocessing, as declared: {printable(run.header.model.variation.preprocess)}"


def surety(settings: Settings) -> str:
    """Return how probable a false certificate is."""
    each = f"{alpha_up(settings.alpha)} an input"
    if settings.family_wise is not None:
        each = f"{alpha_up(settings.family_wise)} for all inputs at once, {each}"
    return f"alpha = {each}"


def made(run: Reported) -> str:
    """Return how the certificates of a run were made."""
    header, settings, n = run.header, run.header.settings, run.header.procedure.n
    if settings.exact:
        return f"all {n:,} changes that the noise can make were counted, so alpha = 0"
    most = "" if header.procedure.target_radii is None else "at most "
    arithmetic = f", {printable(header.arithmetic)} noise" if header.noise.additive else ""
    return (
        f"n = {most}{n:,}, alpha = {alpha_up(settings.alpha)} an input{arithmetic}; "
        f"{printable(settings.bound)}, {printable(settings.radius_rule)}"
    )


def _unlabelled(summary: Certified) -> str:
    shares = ", ".join(
        f"{percent_down(share)} at {plain(r)}"
        for r, share in zip(summary.radii, summary.certified_share, strict=True)
    )
    return (
        "not every input has a label, so accuracy, certified accuracy and ACR are unknown (?); % "
        f"certified, right or wrong: {shares}"
    )


def _samples(run: Reported, summary: Summary) -> str:
    samples = summary.samples
    mean, selection, estimation = (
        _grouped(text_down(value, 1))
        for value in (samples.mean, samples.selection, samples.estimation)
    )
    procedure = run.header.procedure
    saving = samples.saving(procedure.n)
    text = f"{mean} an input on average ({selection} + {estimation})"
    if procedure.target_radii is None or saving is None:
        return text
    return f"{text}; n = {procedure.n:,} is {_grouped(text_down(saving, 1))} times as many"


def _gain(gain: Gain) -> str:
    shares = (
        f"the two-sided radius is larger than the one-sided for {percent_down(gain.larger)} % of "
        f"inputs, smaller for {percent_down(gain.smaller)} %"
    )
    if gain.acr is None or gain.one_sided_acr is None:
        return shares
    relative = gain.relative
    more = "" if relative is None else f" ({'+' * (relative >= 0)}{percent_down(relative)} %)"
    return (
        f"{shares}; ACR {text_down(gain.acr, 4)} against {text_down(gain.one_sided_acr, 4)}{more}"
    )


def _grouped(figures: str) -> str:
    """Put commas between thousands, and leave out decimals that are 0."""
    whole, _, decimals = figures.partition(".")
    return f"{int(whole):,}" + (f".{decimals}" if decimals.strip("0") else "")
