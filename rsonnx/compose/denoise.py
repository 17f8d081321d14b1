"""A denoiser, or one step of a diffusion model, in front of a classifier that never saw noise.

Salman et al., arXiv 2003.01908 (a denoiser); Carlini et al., 2206.10550 (one step of diffusion).
Together they are a deterministic classifier of its own, of which the certificate speaks.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import onnx
from onnx import TensorProto, helper

from rsonnx.arguments import check_kind
from rsonnx.compose.ensemble import Ballots
from rsonnx.compose.fronts import OUTPUT, Front, ends_of, open_front
from rsonnx.compose.graph import INPUT, SCORES, Builder, composed
from rsonnx.compose.parts import (
    Part,
    check_together,
    declared_parts,
    metadata_of,
    naming,
    open_parts,
)
from rsonnx.compose.schedules import Schedule, Step, read_schedule, schedule_as_stated
from rsonnx.compose.versions import newest
from rsonnx.errors import ModelError, UsageError
from rsonnx.model import ModelFile, ModelSettings, ModelSource, bounds_in, read_model
from rsonnx.model.graph import listed
from rsonnx.scalars import as_float, as_floats, shown
from rsonnx.smoothing.composition import Composition

RANGES = ((0.0, 1.0), (-1.0, 1.0))
"""What a denoiser may take pixels to lie between."""

_GIVING = {"Sigmoid": RANGES[0], "HardSigmoid": RANGES[0], "Tanh": RANGES[1]}
"""What last operators give."""

TIME_INPUTS = ("timestep", "timesteps", "t")
"""How the time input of a diffusion model is usually named."""

_OLDEST = 11
"""Operator set in which all is there that joins them: Clip with bounds that are inputs."""


def denoise(
    denoiser: ModelSource,
    classifier: ModelSource,
    *,
    range: Sequence[float] | None = None,
    declared: Mapping[str, Any] | ModelSettings | None = None,
) -> onnx.ModelProto:
    """Compose a denoiser and the classifier that sees what it gives.

    The model that is returned takes what the denoiser takes, in the units of the classifier's
    bounds, and gives ``scores``, float32 (batch, classes), whose largest is the class; of a
    classifier that states a label, 1 for this and 0 for others. An input that is no class to the
    classifier has NaN scores.

    Args:
        denoiser: one input, images, to one output of the same shape and range.
        classifier: keeps its own preprocessing.
        range: (0, 1) or (-1, 1), between which the denoiser takes and gives pixels; None for what
            its metadata say.
        declared: what the classifier's file does not say, as :func:`rsonnx.load` takes it.

    Raises:
        UsageError: the range is unknown, or something is to be declared of the classifier.
        ModelError: the classifier cannot be certified by itself, or they do not fit each other.
    """
    parts = declared_parts([denoiser, classifier], [{}, {} if declared is None else declared])
    return denoising(*parts, range=range)


def denoising(
    files: Sequence[ModelFile], settings: Sequence[ModelSettings], *, range: Sequence[float] | None
) -> onnx.ModelProto:
    """Compose files that were read, as :func:`denoise` does."""
    file = files[0]
    with naming(file):
        stated = bounds_in(file.metadata)
    if stated not in (None, *RANGES):
        raise ModelError(
            f"{file} says that it takes pixels between {stated[0]:g} and {stated[1]:g}, but "
            "0,1 or -1,1 was expected; export it so"
        )
    ends = stated if range is None else as_floats(range)
    if ends is None:
        raise UsageError(
            f"{file} does not say which pixels it takes; give its --range, 0,1 or -1,1 (the wrong "
            "one costs accuracy without an error)"
        )
    if ends not in RANGES:
        raise UsageError(f"the range of {file} is {shown(range)}, but 0,1 or -1,1 was expected")
    if stated not in (None, ends):
        raise UsageError(
            f"the range {ends[0]:g},{ends[1]:g} was given for {file}, but its metadata say "
            f"{stated[0]:g},{stated[1]:g}; leave the range out"
        )
    low, high = ends
    if len(file.view.inputs) > 1:
        raise ModelError(
            f"{file} takes {listed(file.view.inputs)}, but a denoiser takes images alone; of a "
            "diffusion model use rsonnx compose diffuse"
        )
    part = _classifier(files, settings)
    view = file.view
    maker = view.maker(view.outputs[0].name)
    if maker is not None and _GIVING.get(maker.op_type, ends) != ends:
        raise ModelError(
            f"{file} ends in {maker.op_type}, which gives no pixels from {low:g} to {high:g}; "
            "correct its range"
        )
    pair = _Pair(_front(files, part), part)
    into = pair.affine(INPUT, *_line(pair.bounds, (low, high)))
    denoised = pair.front_of(into)
    pixels = pair.affine(denoised, *_line((low, high), pair.bounds))
    return pair.finished(pixels, Composition("denoise", (), {"range": [low, high]}))


def diffuse(
    unet: ModelSource,
    classifier: ModelSource,
    *,
    sigma: float,
    schedule: str | os.PathLike[str] | Mapping[str, Any],
    time_input: str | None = None,
    declared: Mapping[str, Any] | ModelSettings | None = None,
) -> onnx.ModelProto:
    """Compose one step of a diffusion model and the classifier that sees what it estimates.

    An input of the composed model, as :func:`denoise` has it, already holds its noise. It is scaled
    to [-1, 1] and by sqrt(alpha-bar_t), where t is the first step of at least that noise; the image
    is estimated from the model's answer, clipped as the schedule says, and scaled back. The step
    and all factors are constants of the graph. Any step makes a sound classifier; only how accurate
    it is depends on it.

    Args:
        unet: images in [-1, 1] and a time step to the noise in them, or to what the schedule says.
        classifier: keeps its own preprocessing.
        sigma: for which the step is chosen, in the units of the classifier's bounds.
        schedule: as :func:`rsonnx.compose.schedules.read_schedule` takes it.
        time_input: name of the time input; None for one that is named as usual.
        declared: what the classifier's file does not say, as :func:`rsonnx.load` takes it.

    Raises:
        UsageError: sigma or the schedule is none, or something is to be declared of the classifier.
        ModelError: the classifier cannot be certified by itself, or they do not fit each other.
    """
    parts = declared_parts([unet, classifier], [{}, {} if declared is None else declared])
    stated = read_schedule(schedule).stated
    return diffusing(*parts, sigma=sigma, schedule=stated, time_input=time_input)


def diffusing(
    files: Sequence[ModelFile],
    settings: Sequence[ModelSettings],
    *,
    sigma: float,
    schedule: str | Mapping[str, Any],
    time_input: str | None,
) -> onnx.ModelProto:
    """Compose files that were read, as :func:`diffuse` does; what a model states names no file."""
    number = as_float(sigma)
    if not 0 < number < math.inf:
        raise UsageError(f"sigma is {shown(sigma)}, but a finite number above 0 was expected")
    noise = schedule_as_stated(schedule)
    name = _time_input(files[0], time_input)
    part = _classifier(files, settings, [name])
    low, high = part.plan.bounds
    step = noise.step(2 * number / (high - low))
    if step is None:
        raise UsageError(
            f"sigma is {number:g}, but no step of {noise.name} has that much noise; give a smaller "
            "sigma, or another schedule"
        )
    pair = _Pair(_front(files, part, {name: step.t}, noise.has_variance), part)
    slope, offset = _line(pair.bounds, (-1.0, 1.0))
    noisy = pair.affine(INPUT, step.signal * slope, step.signal * offset)
    image = _estimate(pair, noise, step, noisy, pair.front_of(noisy))
    if noise.clip is not None:
        ends = [pair.builder.constant(end, "float32") for end in (-noise.clip, noise.clip)]
        image = pair.builder.add("Clip", [image, *ends])
    pixels = pair.affine(image, *_line((-1.0, 1.0), pair.bounds))
    options = {"sigma": number, "schedule": noise.stated, "time_input": name}
    return pair.finished(pixels, Composition("diffuse", (), options))


def try_front(
    path: str, how: str, classifier: str, settings: Mapping[str, Any], **options: Any
) -> None:
    """Compose as :func:`denoise` or :func:`diffuse` and forget it, for a child process."""
    files = [read_model(source) for source in (path, classifier)]
    declared = [ModelSettings(), ModelSettings.from_json(settings)]
    if how == "denoise":
        denoising(files, declared, **options)
    else:
        diffusing(files, declared, **options)


def _time_input(file: ModelFile, name: str | None) -> str:
    if name is not None:
        check_kind("time_input", name, str, "the name of an input")
    names = [spec.name for spec in file.view.inputs]
    usual = TIME_INPUTS if name is None else (name,)
    times = [each for each in names if each in usual]
    if len(names) != 2 or len(times) != 1:
        mend = (
            "name the diffusion model first, the classifier second"
            if len(names) < 2
            else "name its time step with --time-input"
            if len(names) == 2
            else "export it without its other inputs"
        )
        raise ModelError(
            f"{file} takes {listed(file.view.inputs)}, but images and a time step named "
            f"{'/'.join(usual)} were expected; {mend}"
        )
    return times[0]


def _estimate(pair: _Pair, noise: Schedule, step: Step, noisy: str, answer: str) -> str:
    """Return the image in [-1, 1] that an answer for a noisy image tells."""
    of_noisy, of_answer = {
        "epsilon": (1 / step.signal, -step.noise / step.signal),
        "sample": (0, 1),
        "v_prediction": (step.signal, -step.noise),
    }[noise.prediction]
    told = pair.affine(answer, of_answer, 0)
    kept = pair.affine(noisy, of_noisy, 0) if of_noisy else ""
    return pair.builder.add("Add", [kept, told]) if kept else told


def _line(source: tuple[float, float], target: tuple[float, float]) -> tuple[float, float]:
    """Return slope and offset of the line that takes one range to another."""
    slope = (target[1] - target[0]) / (source[1] - source[0])
    return slope, target[0] - slope * source[0]


def _classifier(
    files: Sequence[ModelFile], settings: Sequence[ModelSettings], fed: Collection[str] = ()
) -> Part:
    """Open the classifier, its operator set brought together with the front's."""
    front, classifier = files
    ends_of(front, fed)  # first, so that files in the wrong order are told so
    (part,) = open_parts([classifier], settings[1:], _OLDEST, beside=[front])
    if not all(map(math.isfinite, part.plan.bounds)):
        raise ModelError(
            f"the bounds of {classifier} are {part.plan.bounds}, but pixels lie between finite "
            "ones; declare them"
        )
    return part


def _front(
    files: Sequence[ModelFile],
    part: Part,
    feeds: Mapping[str, int] | None = None,
    has_variance: bool = False,
) -> Front:
    """Open what stands before a classifier that was opened."""
    versions = newest([file.proto for file in files], _OLDEST)
    return open_front(files[0], versions, part.plan.data, feeds or {}, has_variance)


@dataclass(frozen=True, eq=False)
class _Pair:
    """A front and a classifier that are joined in a graph, both tried."""

    front: Front
    classifier: Part
    builder: Builder = field(default_factory=Builder)

    @property
    def bounds(self) -> tuple[float, float]:
        """The classifier's, whose units are those of the composed input."""
        return self.classifier.plan.bounds

    def affine(self, tensor: str, slope: Any, offset: Any) -> str:
        """Return slope * tensor + offset."""
        for operator, number, neutral in (("Mul", slope, 1), ("Add", offset, 0)):
            if number != neutral:
                value = self.builder.constant(float(number), "float32")
                tensor = self.builder.add(operator, [tensor, value])
        return tensor

    def front_of(self, tensor: str) -> str:
        """Return what the front gives for a tensor."""
        return self.builder.embed(self.front.model, "front_", {INPUT: tensor})[OUTPUT]

    def finished(self, pixels: str, composition: Composition) -> onnx.ModelProto:
        """Return the model that classifies pixels, which are in the units of the bounds."""
        front, part = self.front, self.classifier
        # What is taken from outside is the front's shape, with all else that the classifier says.
        outer = replace(part, file=front.file, plan=replace(part.plan, data=front.data))
        states_label = part.plan.output.label is not None or part.plan.output.kind == "label"
        ballots = Ballots(self.builder, (outer, part), "hard" if states_label else "soft")
        self.builder.add("Identity", [ballots.of(1, pixels, self.builder)], SCORES)
        role = {"denoise": "denoiser", "diffuse": "diffusion model"}[composition.how]
        records = (front.record(role), part.record("classifier"))
        batch = 1 if front.data.batch or part.batch else "batch"
        info = helper.make_tensor_value_info
        return composed(
            self.builder,
            [info(INPUT, TensorProto.FLOAT, [batch, *front.data.shape])],
            [info(SCORES, TensorProto.FLOAT, [batch, part.classifier.num_classes])],
            [front.model, part.model],
            metadata_of(outer, check_together([part]), replace(composition, parts=records)),
        )
