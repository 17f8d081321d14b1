"""``rsonnx compose``: one ONNX file out of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from cloup import Group, group, option_group

from rsonnx.cli.options import (
    alpha_option,
    model_argument,
    model_options,
    model_output_option,
)
from rsonnx.errors import UsageError

if TYPE_CHECKING:
    import onnx

F = TypeVar("F", bound=Callable[..., Any])

_VOTES = ("soft", "hard", "probabilities")


def parts_options(command: F) -> F:
    """Give a command its parts, and what is declared of them beside their files."""
    for decorate in (
        model_output_option,
        click.option(
            "--output-name",
            multiple=True,
            metavar="TEXT",
            help="Output that answers, where a part has several: once for all parts, or once each.",
        ),
        click.option(
            "--preprocess",
            multiple=True,
            metavar="TEXT",
            help="What parts expect done to a pixel in [0, 1], as `rsonnx certify` takes it: once "
            "for all parts, or once for each, in order. [default: what their files say]",
        ),
        click.argument("parts", type=click.Path(path_type=Path), nargs=-1, required=True),
    ):
        command = decorate(command)
    return command


class _Compositions(Group):
    """Takes ``--check FILE PARTS...`` for the command that checks, which stands for no other."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["check", *args[1:]] if args[:1] == ["--check"] else args)


@group(cls=_Compositions)
def compose() -> None:
    """Make one ONNX file out of several; every command takes it as any other.

    Each part keeps its own preprocessing, which its file says (see `rsonnx declare`) or an option.
    The file takes what its first part takes, says in its metadata what it was made of, and is the
    same, byte for byte, whenever it is made of the same parts.
    """


@compose.command()
@parts_options
@click.option(
    "--vote",
    type=click.Choice(_VOTES),
    default="soft",
    show_default=True,
    help="Add scores, count classes, or add probabilities: three classifiers.",
)
@click.option("--weights", metavar="W,W,...", help="A number above 0 for each part. [default: 1]")
def ensemble(parts: tuple[Path, ...], weights: str | None, vote: str, **given: Any) -> None:
    """Add up the scores, or count the votes, of the classifiers PARTS.

    \b
    Example:
      rsonnx compose ensemble a.onnx b.onnx c.onnx -o all.onnx
    """
    from rsonnx.compose import ensemble as join

    numbers = None if weights is None else _numbers(weights)
    _compose(join, parts, given, vote=vote, weights=numbers)


@compose.command()
@parts_options
@click.option("--k", type=int, required=True, help="How many of the first parts must agree.")
@click.option(
    "--vote",
    type=click.Choice([vote for vote in _VOTES if vote != "hard"]),
    default="soft",
    show_default=True,
    help="What is added up where they do not agree.",
)
def consensus(parts: tuple[Path, ...], k: int, vote: str, **given: Any) -> None:
    """Answer what the first K of the classifiers PARTS agree on, else the sum of all.

    The others run only where the first disagree. The order of PARTS belongs to the classifier.

    \b
    Example:
      rsonnx compose consensus a.onnx b.onnx c.onnx --k 2 -o all.onnx
    """
    from rsonnx.compose import consensus as join

    _compose(join, parts, given, k=k, vote=vote)


@compose.command()
@click.argument("denoiser", type=click.Path(path_type=Path))
@click.argument("classifier", type=click.Path(path_type=Path))
@click.option(
    "--range",
    "ends",
    type=click.Choice(["0,1", "-1,1"]),
    help="Between which numbers DENOISER takes and gives pixels. [default: what its file says]",
)
@option_group("Model", *model_options)
@model_output_option
def denoise(
    denoiser: Path, classifier: Path, ends: str | None, output: Path, **declared: Any
) -> None:
    """Let CLASSIFIER see what DENOISER gives, so that it meets no noise.

    DENOISER gives images of the shape that it takes (tools/train_denoiser.py trains one). What is
    certified is the two together, in the units of CLASSIFIER.

    \b
    Example:
      rsonnx compose denoise denoiser.onnx classifier.onnx -o both.onnx
    """
    numbers = None if ends is None else _numbers(ends)
    _join_front("denoise", denoiser, classifier, output, declared, range=numbers)


@compose.command()
@click.argument("unet", type=click.Path(path_type=Path))
@click.argument("classifier", type=click.Path(path_type=Path))
@click.option("--sigma", type=float, required=True, help="Noise for which the step is chosen.")
@click.option(
    "--schedule",
    required=True,
    metavar="cosine-4000|linear-1000|FILE",
    help="Noise schedule of UNET and its number of steps, or diffusers' scheduler_config.json.",
)
@click.option("--time-input", metavar="NAME", help="Time input of UNET. [default: timestep or t]")
@option_group("Model", *model_options)
@model_output_option
def diffuse(
    unet: Path,
    classifier: Path,
    sigma: float,
    schedule: str,
    time_input: str | None,
    output: Path,
    **declared: Any,
) -> None:
    """Let CLASSIFIER see what the diffusion model UNET estimates in one step.

    UNET takes images in [-1, 1] and a time step, and predicts the noise. The step is the first with
    at least the noise of sigma; it is baked in. What is certified is the two together, in the units
    of CLASSIFIER.

    \b
    Example:
      rsonnx compose diffuse unet.onnx a.onnx --sigma 0.5 --schedule linear-1000 -o both.onnx
    """
    from rsonnx.compose.schedules import read_schedule

    stated = read_schedule(schedule).stated
    options = {"sigma": sigma, "schedule": stated, "time_input": time_input}
    _join_front("diffuse", unet, classifier, output, declared, **options)


@compose.command()
@model_argument
@option_group(
    "Smoothing",
    click.option(
        "--sigma",
        type=float,
        required=True,
        help="Standard deviation of the Gaussian noise, in the units of the bounds.",
    ),
    click.option("--n", type=int, default=1_000, show_default=True, help="Samples a query."),
    alpha_option,
)
@option_group("Model", *model_options)
@model_output_option
def smooth(model: Path, sigma: float, n: int, alpha: float, output: Path, **declared: Any) -> None:
    """Make the smoothed classifier of MODEL one file, which answers a class, or -1 to abstain.

    It takes an 8-bit input and a key, four random words that are drawn anew for each query, and
    draws its own noise, so it runs with onnxruntime alone, in any language. `rsonnx attest
    --deployed` proves that it is the smoothed classifier that a run certified.

    \b
    Example:
      rsonnx compose smooth mnist.onnx --sigma 0.5 --n 1000 --alpha 0.001 -o smoothed.onnx
    """
    from rsonnx.cli.settings import model_settings
    from rsonnx.compose import smooth as join
    from rsonnx.runs import check_output
    from rsonnx.smoothing import try_in_child

    check_output(output)
    settings = model_settings(declared)
    try_in_child(model, settings)
    _write(join(model, sigma=sigma, n=n, alpha=alpha, declared=settings), output)


@compose.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("parts", type=click.Path(path_type=Path), nargs=-1, required=True)
def check(model: Path, parts: tuple[Path, ...]) -> None:
    """Compose PARTS again as the file MODEL says that it was made, and compare the bytes.

    `rsonnx compose --check MODEL PARTS...` is the same.

    \b
    Example:
      rsonnx compose check all.onnx a.onnx b.onnx c.onnx
    """
    from rsonnx.cli.terminal import say
    from rsonnx.compose.check import checked
    from rsonnx.smoothing import in_child

    # All of it is done in a child process, since the files may be a stranger's.
    words = in_child(checked, model, parts=list(map(str, parts)))
    say("checked", f"{model} is, byte for byte, the {words}")


def _compose(
    join: Callable[..., Any], parts: Sequence[Path], given: dict[str, Any], **options: Any
) -> None:
    """Try each part in a child process, join them, and write the model."""
    from rsonnx.compose.parts import naming
    from rsonnx.model import ModelSettings
    from rsonnx.runs import check_output
    from rsonnx.smoothing import try_in_child

    check_output(given["output"])
    declared: list[dict[str, Any]] = [{} for _ in parts]
    for name in ("preprocess", "output_name"):
        values = given[name] * len(parts) if len(given[name]) == 1 else given[name]
        if values and len(values) != len(parts):
            raise UsageError(
                f"--{name.replace('_', '-')} was given {len(values)} times for {len(parts)} parts; "
                "give it once, or once for each in order"
            )
        for mapping, value in zip(declared, values, strict=False):
            mapping[name] = value
    for path, mapping in zip(parts, declared, strict=True):
        with naming(path):
            try_in_child(path, ModelSettings(**mapping))
    _write(join(*parts, declared=declared, **options), given["output"])


def _join_front(
    how: str, front: Path, classifier: Path, output: Path, declared: dict[str, Any], **options: Any
) -> None:
    """Join a classifier and its front, in a child process first, and write the model."""
    import rsonnx.compose as joining
    from rsonnx.cli.settings import model_settings
    from rsonnx.compose.denoise import try_front
    from rsonnx.runs import check_output
    from rsonnx.smoothing import in_child

    check_output(output)
    settings = model_settings(declared)
    told: dict[str, Any] = {
        "how": how,
        "classifier": str(classifier),
        "settings": settings.to_json(),
    }
    in_child(try_front, front, **told, **options)
    join = getattr(joining, how)
    _write(join(front, classifier, declared=settings, **options), output)


def _write(model: onnx.ModelProto, output: Path) -> None:
    """Write a composed model, and say what it is."""
    from rsonnx.cli.terminal import say
    from rsonnx.compose import serialized
    from rsonnx.report.output import write_new
    from rsonnx.smoothing.composition import composition_in

    write_new(output, serialized(model))
    composition = composition_in({entry.key: entry.value for entry in model.metadata_props})
    say("composed", f"in {output}: {'' if composition is None else composition.words}")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--weights is {text!r}, but numbers such as 2,1,1 were expected"
        ) from None
