"""Options that several commands share, in the groups that help shows them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from cloup import option_group

from rsonnx.model import AUTO, PRESETS, ROWS
from rsonnx.runtime.engines import ENGINES
from rsonnx.runtime.watchdog import SECONDS_A_CALL, SECONDS_TO_TRY
from rsonnx.smoothing import child_waiting


def _soon_tried(context: click.Context, _: click.Parameter, model: Path) -> Path:
    """Begin a child process that will try the model, while this process imports what it needs."""
    if not context.resilient_parsing and model.is_file():
        context.with_resource(child_waiting())
    return model


model_argument = click.argument("model", type=click.Path(path_type=Path), callback=_soon_tried)
data_argument = click.argument("data", type=click.Path(path_type=Path))
model_output_option = click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    help="Model file to write; it must not exist yet.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")

details_option = click.option(
    "--details",
    is_flag=True,
    help="Print below the table what a specialist needs too: intervals, samples, legends.",
)

alpha_option = click.option(
    "--alpha",
    type=float,
    default=0.001,
    show_default=True,
    help="Probability of a wrong statement, for each input.",
)

time_limit_option = click.option(
    "--time-limit-per-call",
    type=float,
    default=SECONDS_A_CALL,
    show_default=True,
    metavar="SECONDS",
    help="Longest time that one call of the model may take; 0 for any.",
)

trial_limit_option = click.option(
    "--time-limit-to-try",
    type=float,
    default=SECONDS_TO_TRY,
    show_default=True,
    metavar="SECONDS",
    help="Longest time that a child process may take to load the model and try it; 0 for any.",
)


deployed_option = click.option(
    "--deployed",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File of `rsonnx compose smooth` that answers in the run's place: it is composed again "
    "from the run's model and header, and must be the same to the last byte. Needs --model.",
)


class _Bounds(click.Option):
    """Two numbers, or the one word ``auto``."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the word stand for both, which the parser would take two words for."""
        super().add_to_parser(parser, ctx)
        two = parser._long_opt[self.opts[0]]
        process = two.process

        def one_or_two(first: str, state: Any) -> None:
            second = [] if first == AUTO else state.rargs[:1]
            del state.rargs[: len(second)]
            process((first, *second), state)

        two.nargs, two.process = 1, one_or_two

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the numbers, or the word."""
        return AUTO if value == (AUTO,) else super().type_cast_value(ctx, value)


model_options = (
    click.option(
        "--bounds",
        cls=_Bounds,
        type=float,
        nargs=2,
        metavar="LOW HIGH|auto",
        help="Lowest and highest value of an input: the units of sigma and of the radius; or auto, "
        "what all the data span. [default: what the model's metadata say, else 0 1]",
    ),
    click.option(
        "--preprocess",
        metavar="TEXT",
        help=f"What the model expects done to a pixel in [0, 1]: {', '.join(PRESETS)}; "
        "one of mean=, std=, scale=, layout=, channels=bgr, resize= and crop=, or several with "
        "commas between, and / between numbers, alone or behind a preset; or a file: JSON, TOML, "
        "Hugging Face's preprocessor_config.json, timm's config.json. [default: what the model's "
        "metadata say]",
    ),
    click.option(
        "--output-name",
        metavar="NAME",
        help="The output that answers, a label or class scores, where several may; or one that is "
        "neither, to certify which of its values is largest all the same.",
    ),
    click.option(
        "--threshold",
        type=float,
        help="For a model of one score: class 1 is answered above it (0 is usual for logits, 0.5 "
        "for probabilities).",
    ),
    click.option(
        "--input-shape",
        metavar="D,D,...",
        help="Shape of one input, without the batch, where the file leaves axes open: 3,224,224.",
    ),
    click.option(
        "--feed",
        multiple=True,
        metavar="NAME=VALUE",
        help="Fix an input that is not smoothed to a number, or to numbers separated by commas.",
    ),
    click.option(
        "--float16",
        is_flag=True,
        help="Convert the model to float16 first: another classifier, and the run says so.",
    ),
    click.option(
        "--rows",
        type=click.Choice(ROWS),
        default=ROWS[0],
        show_default=True,
        help="How a model runs whose graph does not prove that the inputs of a batch leave each "
        "other's answers alone: one input at a time, or in batches of which a share is watched, "
        "on an assumption that every certificate then rests on.",
    ),
)
"""What is declared of a model: an option a field of :class:`rsonnx.model.ModelSettings`."""

loading_options = option_group(
    "Model",
    *model_options,
    click.option(
        "--providers",
        metavar="NAME",
        help="Execution provider: cpu, cuda, tensorrt, openvino, directml, coreml, migraphx or "
        "onnxruntime's own name. Nothing falls back to another. [default: cuda where it works]",
    ),
    time_limit_option,
    trial_limit_option,
)

engine_options = option_group(
    "Engine",
    click.option(
        "--workers",
        type=int,
        metavar="INT",
        help="Threads that run the model; with --engine ray, workers of the cluster. "
        "[default: one a core]",
    ),
    click.option(
        "--devices",
        metavar="N,N,...",
        help="Devices to run on, 0 for the first, or all: a process each. [default: 0]",
    ),
    click.option(
        "--tf32",
        is_flag=True,
        help="Let a device round float32 products to 10 bits: faster, and another classifier.",
    ),
    click.option(
        "--cuda-graph", is_flag=True, help="Record the model's kernels once and replay them."
    ),
    click.option(
        "--engine",
        type=click.Choice(tuple(ENGINES)),
        default="embedded",
        show_default=True,
        help="What counts: this machine, or a Ray cluster (needs rsonnx[ray]).",
    ),
    click.option(
        "--address",
        metavar="HOST:PORT",
        help="Of the Ray cluster. [default: what Ray finds, else one on this machine]",
    ),
    click.option(
        "--gpus-per-worker",
        type=float,
        metavar="FLOAT",
        help="Devices that Ray keeps for a worker. [default: 1 on a device, else 0]",
    ),
)

data_file_options = (
    click.option(
        "--classes",
        type=click.Path(path_type=Path),
        help="File that names the model's classes in their order, which image folders are met by: "
        "a name a line, lines such as `0 red`, JSON or YAML.",
    ),
    click.option(
        "--labels",
        type=click.Path(path_type=Path),
        help="File of the inputs' labels, class names or numbers from 0: a path and a label a "
        "line (CSV, TSV, blanks), or one label a line in the sorted order of the files.",
    ),
)
"""Those of the data options that are files, which a check of a run is given again."""

data_options = (
    *data_file_options,
    click.option(
        "--exif",
        type=click.Choice(("apply", "ignore")),
        default="apply",
        show_default=True,
        help="Turn pictures as their EXIF orientation says, or read them as they are stored.",
    ),
    click.option(
        "--background",
        metavar="COLOUR",
        help="What transparent pixels are seen on: white, black, #rrggbb, or ignore for the colour "
        "stored beneath, as torchvision reads them. [default: they are refused]",
    ),
    click.option(
        "--on-bad-image",
        type=click.Choice(("refuse", "skip")),
        default="refuse",
        show_default=True,
        help="Name all pictures that cannot be read and end, or leave them out of the run.",
    ),
    click.option(
        "--arrays",
        metavar="INPUTS[,LABELS]",
        help="Arrays of an .npz that are the inputs and their labels, where names do not tell.",
    ),
    click.option(
        "--split",
        metavar="NAME",
        help="Which part to read of data that hold several, such as test or train.",
    ),
    click.option(
        "--label-column",
        metavar="NAME",
        help="Column of a table that holds the labels, or none. [default: the one called label, "
        "target, y or class]",
    ),
    click.option(
        "--fixed-columns",
        metavar="NAME,...",
        help="Columns of a table that stay as they are, without noise, as those of text do.",
    ),
)
"""How data are read: an option a field of :class:`rsonnx.data.DataSettings`."""

choice_options = (
    click.option(
        "--skip-every",
        type=int,
        default=1,
        metavar="K",
        help="Take every K-th input, of which --limit then takes its own. [default: 1, every one]",
    ),
    click.option(
        "--sample",
        type=int,
        metavar="SEED",
        help="Draw the --limit inputs at random, which statements on the population need; the same "
        "SEED draws the same inputs.",
    ),
    click.option(
        "--first", is_flag=True, help="Take the first --limit inputs, instead of a spread of them."
    ),
)

input_options = option_group(
    "Inputs",
    click.option(
        "--limit",
        type=int,
        metavar="INT",
        help="Take at most so many inputs, spread evenly over the data.",
    ),
    *choice_options,
    *data_options,
)

part_options = (
    click.option(
        "--shard",
        metavar="I/K",
        help="Take the I-th of K shares of the inputs, 1 to K; `rsonnx merge` puts them together.",
    ),
    click.option(
        "--samples",
        metavar="A:B",
        help="Count only the samples A to B - 1 of the --n of each input, without certificates; "
        "`rsonnx merge` adds them.",
    ),
)

keeping_options = (
    click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path),
        help="Run file to write (JSON lines); without --resume it must not exist yet. Of several "
        "sigmas run.jsonl means run_0.25.jsonl and so on. [default: a new file in runs/]",
    ),
    click.option(
        "--resume",
        is_flag=True,
        help="Go on with the run file where it ended, however it ended; start it if there is none.",
    ),
    click.option(
        "--checkpoint",
        type=float,
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How often to keep the counts of unfinished inputs, in RUN.partial; 0 for never.",
    ),
)

quiet_option = click.option(
    "--quiet", is_flag=True, help="Print nothing but the result and errors."
)

sampling_options = (
    click.option(
        "--seed",
        type=int,
        help="Seed of the noise, at least 0. [default: 128 bits from the operating system]",
    ),
    click.option(
        "--batch-size",
        type=int,
        metavar="INT",
        help="Inputs a call of the model; never changes a count. [default: by input size]",
    ),
)

share_noise_option = click.option(
    "--share-noise",
    is_flag=True,
    help="Give all inputs the same noise, drawn once. Each certificate holds as before, but they "
    "are no longer independent, and the report says so.",
)
