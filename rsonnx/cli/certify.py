"""``rsonnx certify``: certify the inputs of a data set, or commit to doing it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from cloup import command, option_group

from rsonnx import runs
from rsonnx.cli.noises import asked_noise, read_sigma_list, sweep_options
from rsonnx.cli.options import (
    alpha_option,
    data_argument,
    details_option,
    engine_options,
    input_options,
    json_option,
    keeping_options,
    loading_options,
    model_argument,
    part_options,
    quiet_option,
    sampling_options,
    share_noise_option,
)
from rsonnx.cli.terminal import Terminal, given_words, refuse_sampling, say, show
from rsonnx.errors import UsageError
from rsonnx.procedures import RADIUS_RULES, WAYS
from rsonnx.report.output import write_new
from rsonnx.statistics import DEFAULT_BOUND

if TYPE_CHECKING:
    from rsonnx.noise import Law

_RULES = (
    "n0",
    "n",
    "alpha",
    "bound",
    "radius",
    "adaptive",
    "precision",
    "family_wise",
    "procedure",
    "changed",
)


@command()
@model_argument
@data_argument
@option_group("Noise", *sweep_options)
@option_group(
    "Certificate",
    click.option(
        "--procedure",
        type=click.Choice(WAYS),
        default="sampled",
        show_default=True,
        help="exact: calculate the class probabilities of stump ensembles, of one tree or of "
        "linear scores; nothing is sampled, and no certificate is wrong by chance.",
    ),
    click.option(
        "--changed",
        type=int,
        default=0,
        metavar="R",
        help="With --procedure exact and fixed columns, as of categories: certify also against a "
        "change of any R of them. [default: 0]",
    ),
    alpha_option,
    click.option(
        "--bound",
        default=DEFAULT_BOUND,
        show_default=True,
        metavar="NAME",
        help="Confidence bound on the probability; `rsonnx bounds` shows them all.",
    ),
    click.option(
        "--radius",
        type=click.Choice(RADIUS_RULES),
        default="one-sided",
        show_default=True,
        help="From the top class alone, or from the top class and every other.",
    ),
    click.option(
        "--target-radius",
        type=float,
        metavar="R",
        help="Only decide whether each input is certified at this radius, with as few samples as "
        "that takes; --n0 and --n are then ceilings.",
    ),
    click.option(
        "--adaptive",
        is_flag=True,
        help="The same for all radii of the table at once.",
    ),
    click.option(
        "--precision",
        type=float,
        metavar="SHARE",
        help="Certify every input's own radius with as few samples as lose about this share of "
        "it, such as 0.05 (near 0: this share of sigma); --n0 and --n are then ceilings.",
    ),
    click.option(
        "--family-wise",
        is_flag=True,
        help="Let alpha be the probability of any wrong certificate among all inputs: each gets "
        "its share.",
    ),
)
@option_group(
    "Sampling",
    click.option(
        "--n0", type=int, default=100, show_default=True, help="Samples that choose the class."
    ),
    click.option(
        "--n",
        type=int,
        default=100_000,
        show_default=True,
        help="Samples that bound its probability.",
    ),
    *sampling_options,
    share_noise_option,
)
@loading_options
@engine_options
@input_options
@option_group(
    "Commitment",
    click.option(
        "--commit",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Settle the run before its seed can be known: read every input, write all that makes "
        "the run to FILE, sample nothing, and print FILE's SHA-256 for you to publish. With "
        "--beacon: run what FILE holds.",
    ),
    click.option(
        "--beacon-round",
        nargs=2,
        metavar="SOURCE ROUND",
        help="With --commit: the public source of randomness, with which of its values it is, and "
        "its round. The round must be still to come, which rsonnx cannot know.",
    ),
    click.option(
        "--beacon",
        metavar="HEX",
        help="The value of that round: the seed follows from it and from FILE's SHA-256, and the "
        "run file holds both.",
    ),
)
@option_group(
    "Output",
    *part_options,
    *keeping_options,
    click.option(
        "--name",
        metavar="TEXT",
        help="What tables and pictures call the run; the run file keeps it. [default: MODEL]",
    ),
    quiet_option,
    json_option,
    details_option,
)
def certify(model: Path, data: Path, as_json: bool, details: bool, **given: Any) -> None:
    """Certify the inputs in DATA for the ONNX classifier MODEL by randomized smoothing.

    DATA is an image folder (class/name.png), the same in a zip, a picture, a list of pictures,
    pictures in Parquet (Hugging Face) or tar (WebDataset), arrays (npz, npy), a table (csv, tsv,
    Parquet), or MNIST's or CIFAR's format. The table goes to stdout, every count, bound and radius
    to the run file. However a run ends, the same command with --resume goes on where it was.

    \b
    Example:
      rsonnx certify mnist.onnx images/ --sigma 0.5 --n 10000
      rsonnx certify mnist.onnx images/ --sigma 0.5 --n 10000 -o mnist.jsonl
      rsonnx certify mnist.onnx images/ --sigma 0.5 --n 10000 -o mnist.jsonl --resume
      rsonnx certify stumps.onnx table.csv --sigma 0.25 --procedure exact
      rsonnx certify mnist.onnx images/ --sigma 0.12,0.25,0.5 --n 10000 -o mnist.jsonl
      rsonnx certify mnist.onnx images/ --sigma 0.5 --seed 1 --shard 3/8 -o part3.jsonl
      rsonnx certify mnist.onnx images/ --sigma 0.5 --commit mnist.json \\
        --beacon-round "drand quicknet, randomness" 30000000
      rsonnx certify mnist.onnx images/ --sigma 0.5 --commit mnist.json --beacon 0f3a... \\
        -o mnist.jsonl
    """
    from rsonnx.cli.keeping import kept, kept_here
    from rsonnx.cli.opening import opening_arguments
    from rsonnx.cli.report_sources import radii_of
    from rsonnx.report import accuracy_report, figures_of, told_apart
    from rsonnx.runs import SampleRange, Shard

    sigmas = given.pop("sigmas")
    sweep = () if sigmas is None else read_sigma_list(sigmas)
    commitment, beacon_round = given.pop("commit"), given.pop("beacon_round")
    beacon = given.pop("beacon")
    _check_commitment(given, commitment, beacon_round, beacon)
    if commitment is not None and len(sweep) > 1:
        raise UsageError("--commit settles one run; give one --sigma, and a commitment to each")
    output, resume, checkpoint = (given.pop(name) for name in ("output", "resume", "checkpoint"))
    del given["quiet"]  # the terminal looks it up
    shard, samples, seed = given.pop("shard"), given.pop("samples"), given.pop("seed")
    name = given.pop("name")
    rules = {name: given[name] for name in _RULES}
    rules["target_radii"] = None if given["target_radius"] is None else (given["target_radius"],)
    each = [given | {"sigma": sigma} for sigma in sweep or (None,)]
    for options in each:
        asked = asked_noise(options, model, data)
        _refuse_samples(asked.law, given["procedure"])
        if len(each) > 1:
            asked.early()  # what is wrong with a later one is said before the first
    if commitment is not None and beacon is None:
        _commit(model, data, commitment, beacon_round, opening_arguments(each[0]) | rules, as_json)
        return
    where = None  # the library says what is missing
    if output is not None:
        where = kept(output, sweep)
    elif not resume and samples is None:
        where = kept_here(model, data, _kind(given, shard), sweep)
    words = given_words() if where is None else where.given(given_words())
    made = []
    with contextlib.ExitStack() as stack:
        if where is not None:
            stack.enter_context(where.ready(resume=resume))
        files: Sequence[Path | None] = (None,) if where is None else where.files
        for options, file in zip(each, files, strict=True):
            run = runs.certify(
                model,
                data,
                **opening_arguments(options),
                **rules,
                output=file,
                resume=resume,
                checkpoint=checkpoint,
                seed=seed,
                commit=commitment,
                beacon=beacon,
                shard=None if shard is None else Shard.parse(shard),
                samples=None if samples is None else SampleRange.parse(samples),
                name=name,
                listener=stack.enter_context(Terminal(words)),
                words=words,
                options=_options(model, options),
            )
            made += [run] if run.rows else []
    alone = len(made) == 1
    radii = made[0].header.procedure.table_radii if alone else radii_of(made) if made else ()
    figures = told_apart([figures_of(run, radii) for run in made])
    try:
        if figures or as_json:  # counts are no result yet, and a shard may be empty
            show(accuracy_report(figures), "json" if as_json else "table", details=details)
    finally:  # whoever reads the table may be gone, or its disk full
        if where is not None:
            where.say(counts=samples is not None)


def _kind(given: dict[str, Any], shard: str | None) -> list[str]:
    """Return what tells a run from others of its model and data, but for its sigma."""
    scales = {"lambda": given["lam"], "shard": None if shard is None else shard.replace("/", "of")}
    noise = [] if given["noise"] == "gaussian" else [given["noise"]]
    return noise + [f"{name}{value}" for name, value in scales.items() if value is not None]


def _refuse_samples(law: Law | type[Law], procedure: str) -> None:
    """Refuse numbers of samples where none is drawn."""
    if law.enumerated:
        refuse_sampling(f"{law.name} noise is counted in full", ("n0", "n", "alpha"))
    elif procedure == "exact":
        refuse_sampling("class probabilities are calculated", ("n0", "n", "alpha"))


def _check_commitment(
    given: dict[str, Any],
    commitment: Path | None,
    beacon_round: tuple[str, str] | None,
    beacon: str | None,
) -> None:
    """Refuse options that do not go together."""
    if commitment is None:
        for option, value in (("--beacon", beacon), ("--beacon-round", beacon_round)):
            if value is not None:
                raise UsageError(f"{option} was given without --commit; name the commitment's file")
        return
    if (beacon is None) == (beacon_round is None):
        raise UsageError(
            "--commit takes either --beacon-round, to write the commitment, or --beacon, to run it"
        )
    unused, why = ["seed"], "the seed follows from the beacon"
    if beacon is None:
        unused += ["shard", "samples", "output", "resume"]
        why = "nothing is sampled yet"
    for name in unused:
        if given[name] is not None and given[name] is not False:
            raise UsageError(f"--{name} was given with --commit, but {why}; leave it out")


def _commit(
    model: Path,
    data: Path,
    path: Path,
    beacon_round: tuple[str, str],
    run: dict[str, Any],
    as_json: bool,
) -> None:
    from rsonnx.runs import check_output

    check_output(path)
    made = runs.commit(model, data, *beacon_round, listener=Terminal(), **run)
    write_new(path, made.content)
    if as_json:
        beacon = {"source": made.source, "round": made.round}
        click.echo(json.dumps({"commitment": str(path), "sha256": made.sha256, "beacon": beacon}))
        return
    click.echo(f"{made.sha256}  {path}")
    say(
        "then",
        f"publish that SHA-256 before the round {made.round} of {made.source}; when its value is "
        "out, the same command with --beacon instead of --beacon-round runs",
    )


def _options(model: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Return the options as the header records them: files by their names."""
    named = {name: str(value) for name, value in given.items() if isinstance(value, Path)}
    return given | named | {"model": str(model)}
