"""What is said around a table: what is claimed, how much may be false, and what it rests on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from rsonnx.report.broken import said_of_breaks
from rsonnx.report.escape import printable
from rsonnx.report.features import said_of_features
from rsonnx.report.figures import Figures
from rsonnx.report.logs import LogFigures
from rsonnx.report.reported import Reported
from rsonnx.report.rounding import (
    alpha_up,
    error_up,
    percent,
    percent_down,
    text_down,
    text_up,
)
from rsonnx.report.summary import Certified, Gain, Summary
from rsonnx.report.table import JOINT, Note
from rsonnx.runs.records import Settings
from rsonnx.scalars import in_full

_MOST_NOTES = 5


def notes_of(runs: Sequence[Figures | LogFigures]) -> Iterator[Note]:
    """Yield what every reader needs, with strangers' words printable: what is claimed, how many
    certificates may be false, and what to be careful of. What holds for all runs names none."""
    own = [run for run in runs if isinstance(run, Figures)]
    saying: dict[str, list[str]] = defaultdict(list)
    for run in own:
        for text in _of_run(run):
            saying[text].append(printable(run.title))
    for text, names in saying.items():
        yield Note(text if len(names) == len(own) else f"{', '.join(names)}: {text}")
    for log in runs:
        if isinstance(log, LogFigures):
            yield Note(f"{printable(log.name)}: {' '.join(_of_log(log))}")


def details_of(run: Figures | LogFigures, *, tabled: bool = False) -> Note:
    """Return what a specialist needs of a run or of a log, strangers' words printable.

    Args:
        run: what is reported.
        tabled: whether a table has what is said of a run at each radius already.
    """
    said = _log_in_full(run) if isinstance(run, LogFigures) else _run_in_full(run, tabled=tabled)
    title, *details = said
    return Note(title, tuple(details))


def in_words(settings: Settings) -> str:
    """Return how counts became certificates."""
    if settings.exact:
        return settings.in_short
    return printable(f"{surety(settings)}, {settings.bound}, {settings.radius_rule}")


def headline(runs: Sequence[Reported]) -> str:
    """Say of which parts models are, and which runs are not complete: what no name of a run tells.

    The parts are those that a file itself names, which `rsonnx compose check` alone proves.
    """
    said = dict.fromkeys(
        f"{run.header.model.file} says that it is the {run.header.model.composition}."
        for run in runs
        if run.header.model.composition is not None
    )
    return " ".join(filter(None, [*map(printable, said), unfinished(runs)]))


def unfinished(runs: Sequence[Reported]) -> str:
    """Say of the runs that are not complete how many inputs their figures are of."""
    return " ".join(
        f"{printable(run.title)} is {printable(run.status)}: the figures are of the "
        f"{run.summary.inputs:,} of {run.header.data.inputs:,} inputs that it holds."
        for run in runs
        if run.status != "complete"
    )


def cautions(
    run: Reported,
    assumption: str | None,
    words: Callable[[Settings], str] = in_words,
) -> Iterator[str]:
    """Yield what a reader must know wherever figures of a run stand, a sentence each.

    Args:
        run: what names it.
        assumption: what its certificates assume of the model; None where nothing is assumed.
        words: which of its settings the figures rest on.
    """
    header, variation = run.header, run.header.model.variation
    if unreadable := len(header.data.unreadable):
        yield (
            f"{unreadable:,} of {unreadable + header.data.inputs:,} pictures could not be read and "
            "were left out"
        )
    here, there = header.data.classes or (0, 0)
    if here != there:
        yield f"the sample holds {here:,} of the {there:,} classes of the data"
    elif here == 1:
        yield "all inputs are of one class"
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
            f"{', '.join(map(in_full, run.header.procedure.target_radii))}"
        )
    if (precision := run.header.procedure.precision) is not None:
        n, estimated = run.header.procedure.n, run.summary.acr_at_n
        more = "" if estimated is None else f": {text_down(estimated, 4)} is estimated"
        yield (
            f"sampling stopped once about {100 * precision:g} % of a radius was left to gain, so "
            f"ACR understates that of n = {n:,}{more}"
        )


def denied(run: Figures) -> Iterator[str]:
    """Yield what a reader might take from a run's figures and must not, a sentence each."""
    summary = run.summary
    settings, norm, inputs = run.header.settings, run.header.noise.measure, summary.inputs
    yield (
        "Nothing is certified of the model itself, without the noise: only who adds it and takes "
        "the vote has the certificates."
    )
    past = "beyond" if norm.limit == "at most" else "at or beyond"
    yield (
        f"Nothing is said of a change {past} an input's "
        "radius, nor of one that is small in another way (a rotation, a shift, another norm) "
        f"unless its {norm.measure} is {norm.limit} the radius too."
    )
    if run.header.noise.enumerated and not norm.whole:
        yield "Nothing is said of inputs off the 8-bit grid, which the noise does not take."
    yield "A certificate says that the answer stays, not that it is right." + (
        "" if summary.labelled else " How many of the answers are right is not known here."
    )
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
            "An abstention does not show that an input is weak, only that nothing could be shown. "
            f"It counts as {'wrong' if summary.labelled else 'not certified'}."
        )
    if _arithmetic(run) == "float" and run.header.procedure.samples:
        yield (
            "The noise was drawn in floating point: the proof is for ideal noise, and a model "
            "built to exploit the rounding can have a false certificate."
        )
    if late := unfinished([run]):
        yield late
    yield from map(_sentence, cautions(run, run.assumption))


def _of_run(run: Figures) -> Iterator[str]:
    yield _claimed(run)
    if (features := said_of_features(run)) is not None:
        yield _sentence(printable(features))
    yield run.statements.expected
    if run.breaks is not None:
        yield from said_of_breaks(run.breaks)
    if not run.summary.labelled:
        yield _unlabelled(run.summary)
    yield from map(_sentence, cautions(run, run.assumption))


def _claimed(run: Figures) -> str:
    settings = run.header.settings
    sure = f"with probability at least 1 - {error_up(settings.alpha)} for each input"
    if settings.exact:
        sure = f"for certain, since {run.header.procedure.certain}"
    elif settings.family_wise is not None:
        sure = (
            f"with probability at least 1 - {error_up(settings.family_wise)} for all inputs at once"
        )
    return (
        f"Claimed: the smoothed classifier's answer is the same {run.within}"
        f"{run.header.procedure.beyond}, {sure}; radii are in {printable(run.header.units)}."
    )


def _of_log(log: LogFigures) -> Iterator[str]:
    yield (
        "a log, which does not say its sigma, units, alpha, n and standard accuracy (?), whether "
        "it is complete, nor how many certificates may be false."
    )
    yield (
        "Its radii are taken as it prints them; where it rounded them to nearest, figures may "
        "overstate."
    )
    if not log.summary.labelled:
        yield _unlabelled(log.summary)


def _log_in_full(log: LogFigures) -> Iterator[str]:
    yield printable(log.name)
    yield _counts(log.summary)
    if log.population is not None:
        yield from log.population.lines()
    yield from (f"as read: {printable(note)}" for note in log.notes[:_MOST_NOTES])
    if len(log.notes) > _MOST_NOTES:
        yield f"as read: {len(log.notes) - _MOST_NOTES:,} further irregularities"


def _run_in_full(run: Figures, *, tabled: bool) -> Iterator[str]:
    summary = run.summary
    yield f"{printable(run.title)}: {made(run)}"
    yield from declared(run)
    if not tabled:
        yield _counts(summary)
    if summary.abstained:
        reasons = ", ".join(f"{count} {reason}" for reason, count in summary.abstentions.items())
        yield f"abstentions: {reasons}"
    if gaps := [row.gap for row in run.rows if row.gap is not None]:
        yield f"class probabilities: known to {text_up(max(gaps), 2)} or closer"
    if not run.header.settings.exact:
        yield f"samples: {_samples(run, summary)}"
    if summary.gain is not None:
        yield _gain(summary.gain)
    yield from run.statements.lines(tabled=tabled)


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
        return f"{header.procedure.words}, so alpha = 0"
    most = "at most " if header.procedure.stops_early else ""
    arithmetic = _arithmetic(run)
    drawn = "" if arithmetic is None else f", {printable(arithmetic)} noise"
    return (
        f"n = {most}{n:,}, alpha = {alpha_up(settings.alpha)} an input{drawn}; "
        f"{printable(settings.bound)}, {printable(settings.radius_rule)}"
    )


def _arithmetic(run: Reported) -> str | None:
    """Return the arithmetic of the noise; None where samples are computed from whole numbers."""
    noise = run.header.noise
    return run.header.arithmetic if noise.additive or not noise.exact else None


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _counts(summary: Certified) -> str:
    shares = summary.certified_accuracy or summary.certified_share
    counts = ", ".join(
        f"{in_full(r)}:{JOINT}{int(share * summary.inputs):,}"
        for r, share in zip(summary.radii, shares, strict=True)
    )
    what = "right" if summary.labelled else "certified"
    return f"inputs of {summary.inputs:,} that are {what} with radius >= R: {counts}"


def _unlabelled(summary: Certified) -> str:
    shares = ", ".join(
        f"{percent(share)} at {in_full(r)}"
        for r, share in zip(summary.radii, summary.certified_share, strict=True)
    )
    return (
        "Not every input has a label, so accuracy, certified accuracy and ACR are unknown (?); % "
        f"certified, right or wrong: {shares}."
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
    if not procedure.stops_early or saving is None:
        return text
    return f"{text}; n = {procedure.n:,} is {_grouped(text_down(saving, 1))} times as many"


def _gain(gain: Gain) -> str:
    shares = (
        f"the two-sided radius is larger than the one-sided for {percent(gain.larger)} % of "
        f"inputs, smaller for {percent(gain.smaller)} %"
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
