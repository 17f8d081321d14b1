"""What a model file holds and what would be done with it, as text and as JSON."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from rsonnx.cli.progress import ProgressBar
from rsonnx.cli.settings import data_settings, engine_settings, model_settings
from rsonnx.cli.suiting import suited
from rsonnx.data import open_dataset
from rsonnx.errors import ModelError, RsonnxError, error_named
from rsonnx.model import (
    AUTO,
    CODES,
    PRESETS,
    ModelFile,
    ModelSettings,
    Preprocessing,
    TensorSpec,
    bounds_in,
    declared_preprocessing,
    make_head,
    node_types,
    preprocessing_in,
    read_model,
)
from rsonnx.noise import InputSpace
from rsonnx.report import percent_down, percent_up, printable
from rsonnx.runs.opening import settled
from rsonnx.runs.preprocessings import Ranking, try_preprocessings
from rsonnx.smoothing import Plan, closed_form, in_child, make_plan, training_in

_MOST_SHOWN = 2000
"""Characters of one line: a stranger's metadata may fill a screen, or a disk."""


def print_facts(model: Path, data: Path | None, given: dict[str, Any], *, as_json: bool) -> None:
    """Print what a model is and, with data, which preprocessing it expects.

    Raises:
        RsonnxError: the model would be refused, or the data are; what can be said of the model is
            printed all the same.
    """
    settings, dataset = model_settings(given), None
    unread: RsonnxError | None = None
    if data is not None:
        try:
            dataset = open_dataset(data, data_settings(given))
            settings = settled(settings, dataset)
        except RsonnxError as error:
            unread = error
    described, refusal = in_child(facts, model, settings=settings.to_json())
    refused = None if refusal is None else error_named(*refusal)
    if described.get("exact"):
        words = ["rsonnx", "certify", str(model), "DATA", "--sigma", "0.25", "--procedure", "exact"]
        if not isinstance(described["preprocessing"], dict):  # the file does not say it
            words += ["--preprocess", given["preprocess"] or "none"]
        described["exact"] = printable(shlex.join(words))
    ranking: Ranking | None = None
    declaring: list[str] = []
    if not as_json:
        _render(described)
    try:
        if dataset is not None and refused is None:
            read = read_model(model)
            stated = _stated(read, settings)
            if settings.columns and settings.bounds is None and bounds_in(read.metadata) is None:
                settings = settled(replace(settings, bounds=AUTO), dataset)
            ranking = try_preprocessings(
                _plan(read, settings, stated),
                settings,
                stated,
                dataset,
                named=given["preprocess"],
                reading=data_settings(given),
                engine=engine_settings(given),
                listener=ProgressBar(),
            )
            declaring = [
                command
                for preprocess in ranking.possible
                if (command := _declaring(read, settings, preprocess, given["classes"]))
            ]
    except ModelError as error:
        refused = error
        described |= _refusal(error)
    if as_json:
        tried = {} if ranking is None else ranking.to_json() | {"declare": declaring}
        click.echo(json.dumps(described | tried, indent=2))
    elif ranking is not None:
        click.echo("\n".join(["", *_lines(ranking)]))
        if declaring:
            which = "it" if len(declaring) == 1 else "the one that it was trained with"
            click.echo(f"write {which} into the model, and it need not be given again:")
            click.echo("\n".join(f"  {command}" for command in declaring))
    if refused is not None or unread is not None:
        raise unread or refused  # type: ignore[misc] # without columns a model may be refused


def facts(path: str, settings: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, str] | None]:
    """Return what can be said of a model without running it, and why it would be refused.

    That is the name of an error's class and its sentence; None where it would not be.

    Raises:
        RsonnxError: it is no model.
    """
    model, declared = read_model(path), ModelSettings.from_json(settings)
    try:
        plan = _plan(model, declared, _stated(model, declared))
        make_head(plan.data, plan.preprocessing, plan.bounds)
    except RsonnxError as error:
        return _described(model, _refusal(error)), (type(error).__name__, str(error))
    return _described(model, _verdict(plan)), None


def _plan(model: ModelFile, settings: ModelSettings, stated: Preprocessing | None) -> Plan:
    """Return what would be done with a model; without a preprocessing, as if none were needed."""
    return make_plan(model, replace(settings, preprocess=stated or PRESETS["none"]))


def _stated(model: ModelFile, settings: ModelSettings) -> Preprocessing | None:
    """Return the preprocessing that the caller states, or else the file; None where none does."""
    if settings.preprocessing is not None:
        return settings.preprocessing
    try:
        return preprocessing_in(model.metadata)
    except ModelError:  # which the facts say
        return None


def _declaring(
    model: ModelFile, settings: ModelSettings, preprocess: str, classes: Path | None
) -> str | None:
    """Return the command that writes a preprocessing into a model, and what was given with it.

    None where the model says all of it already.
    """
    if model.path is None:
        return None
    stated, words = _stated(model, ModelSettings()), []
    if stated != declared_preprocessing(preprocess):
        words += ["--preprocess", preprocess, *(() if stated is None else ("--replace",))]
    if settings.bounds is not None:
        words += ["--bounds", *map(repr, settings.bounds)]
    if classes is not None:
        words += ["--classes", str(classes)]
    declared = model.path.with_name(f"{model.path.stem}_declared.onnx")
    command = ["rsonnx", "declare", str(model.path), *words, "-o", str(declared)]
    return printable(shlex.join(command)) if words else None


def _render(described: dict[str, Any]) -> None:
    for key, value in described.items():
        if key == "noises":
            continue
        text = _words(value)
        cut = f"... ({len(text):,} characters)" if len(text) > _MOST_SHOWN else ""
        click.echo(f"{key:<14}{printable(text[:_MOST_SHOWN])}{cut}")
    for at, noise in enumerate(described["noises"]):
        why = f"{', '.join(noise['norms'])}: {noise['why']}"
        click.echo(f"{'' if at else 'noises':<14}{noise['options']:<41} {why}")


def _lines(ranking: Ranking) -> Iterator[str]:
    """Yield the lines of the table of accuracies, best first."""
    yield "accuracy without noise under each preprocessing, with its interval of 95 %:"
    longest = max(len(trial.preprocessing) for trial in ranking.trials)
    for trial in ranking.trials:
        low, high = trial.interval
        share = f"{100 * trial.hits / len(trial.right):5.1f} % of {len(trial.right)}"
        within = f"[{percent_down(low)}, {percent_up(high)}]"
        is_alike = len(ranking.alike) > 1 and trial.preprocessing in ranking.alike
        mark = " =" if is_alike else ""
        yield f"  {share}  --preprocess {trial.preprocessing:<{longest}}  {within}{mark}"
    if ranking.impossible:
        names = "; ".join(trial.preprocessing for trial in ranking.impossible)
        yield f"  not possible for this model: {names}"
    yield from ranking.said()


def _described(model: ModelFile, verdict: dict[str, Any]) -> dict[str, Any]:
    return {
        "file": str(model),
        "sha256": model.sha256,
        "bytes": model.size,
        "external data": list(model.external_data),
        "producer": f"{model.proto.producer_name} {model.proto.producer_version}".strip(),
        "ir version": model.proto.ir_version,
        "opset": {o.domain or "ai.onnx": o.version for o in model.proto.opset_import},
        "inputs": list(map(_spec, model.view.inputs)),
        "outputs": list(map(_spec, model.view.outputs)),
        "operators": dict(Counter(node_types(model)).most_common()),
        "metadata": model.metadata,
        "preprocessing": _preprocessing(model),
        **verdict,
    }


def _preprocessing(model: ModelFile) -> dict[str, Any] | str:
    try:
        stated, bounds = preprocessing_in(model.metadata), bounds_in(model.metadata)
    except RsonnxError as error:
        return str(error)
    if stated is None:
        return "not declared in the file; declare it with --preprocess"
    return stated.to_json() | ({} if bounds is None else {"bounds": list(bounds)})


def _refusal(error: RsonnxError) -> dict[str, Any]:
    why = "; ".join(str(error).split("\n"))
    return {"edits": [], "verdict": f"refused: {why}", "noises": []}


def _verdict(plan: Plan) -> dict[str, Any]:
    edits = [
        *(f"the input {name} is left out" for name in plan.facts["unused_inputs"]),
        *(f"the input {name} is fixed" for name in plan.data.feeds),
        *plan.facts["edits"],
        "the preprocessing is put in front",
        f"the answer is made an integer label: {plan.facts['label']}",
    ]
    edits.append(f"batches: {_rows(plan)}")
    shape = "x".join(map(str, plan.data.shape))
    layout = f" ({plan.data.layout})" if plan.data.layout else ""
    return {
        "edits": edits,
        "verdict": f"can be certified, as far as the file shows; one input is {shape}{layout}",
        **({} if closed_form(plan) is None else {"exact": True}),
        "noises": [
            noise.to_json()
            for noise in suited(
                InputSpace(plan.data.shape, plan.bounds, plan.data.layout),
                training_in(plan.model.metadata),
                codes=plan.data.spec.dtype in CODES,
            )
        ],
    }


def _rows(plan: Plan) -> str:
    """Say how inputs will be batched, as far as the graph shows it."""
    coupled_by = [plan.adapted(batch).coupled_by for batch in plan.free_batches]
    if not coupled_by:
        return "one input at a time, as the model takes them"
    if None not in coupled_by:
        return f"one input at a time, since {coupled_by[0]} may couple the rows of a batch"
    freed = "" if plan.data.batch is None else f"; the file's {plan.data.batch} is freed"
    return f"of any size, since the graph proves their rows independent{freed}"


def _spec(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "type": spec.dtype, "shape": list(spec.shape)}


def _words(value: Any) -> str:
    if value in ({}, []):
        return "none"
    if isinstance(value, dict) and set(value) == {"name", "type", "shape"}:
        dimensions = ", ".join("?" if d is None else str(d) for d in value["shape"])
        return f"{value['name']}: {value['type']} [{dimensions}]"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_words(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return str(value)
