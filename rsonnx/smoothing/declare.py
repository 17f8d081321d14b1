"""Write what a caller declares of a model into its metadata, where every later run looks first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import Any

from google.protobuf.message import EncodeError
from onnx import helper

from rsonnx.arguments import check_flag, check_texts
from rsonnx.errors import ModelError, RsonnxError, UsageError
from rsonnx.listener import Listener
from rsonnx.model import (
    ModelFile,
    ModelSource,
    Preprocessing,
    bounds_in,
    declared_preprocessing,
    find_input,
    find_output,
    keys_of_names,
    make_head,
    name_classes,
    parse_preprocessing,
    preprocessing_in,
    read_model,
)
from rsonnx.model.class_names import NAMES_KEY, are_numbers
from rsonnx.model.preprocess import BOUNDS_KEY, LAYOUT_KEY, METADATA_KEY, bounds_entry
from rsonnx.noise import check_bounds
from rsonnx.scalars import shown
from rsonnx.smoothing.adapting import DEFAULT_BOUNDS
from rsonnx.smoothing.training import TRAINING_KEY, Trained, read_trained, training_in


@dataclass(frozen=True)
class _Fact:
    """One thing that is declared.

    Attributes:
        what: it is.
        value: as it is to be read.
        key, text: the entry that says it.
        read: from all metadata, None where these do not say it.
        keys: of all entries that it may be read from.
        words: what says it to a reader.
    """

    what: str
    value: Any
    key: str
    text: str
    read: Callable[[Mapping[str, str]], Any]
    keys: Iterable[str]
    words: Callable[[Any], str] = shown

    def written(self, metadata: Mapping[str, str]) -> dict[str, str]:
        return {**metadata, self.key: self.text}

    def read_from(self, metadata: Mapping[str, str]) -> Any:
        """Return what metadata say of it; of an entry that cannot be understood, the sentence."""
        try:
            return self.read(metadata)
        except ModelError as error:
            return str(error)


def declare(
    model: ModelSource,
    *,
    preprocess: str | Mapping[str, Any] | Preprocessing | None = None,
    bounds: tuple[float, float] | None = None,
    classes: Sequence[str] | None = None,
    trained: Trained | str | None = None,
    replace: bool = False,
    listener: Listener | None = None,
) -> bytes:
    """Return a model with what is declared of it in its metadata, so that it is never typed again.

    The graph and its weights stay as they are; weights that lie in files beside a model are put
    into it.

    Args:
        model: the model's file, the bytes of one, or the model as onnx holds it.
        preprocess, bounds: as for :func:`rsonnx.load`.
        classes: the classes' names, in the order of the model's outputs.
        trained: the noise that the model was trained with: ``"gaussian,sigma=0.5"``.
        replace: put what is declared in place of what the metadata say otherwise.
        listener: hears what is replaced.

    Raises:
        UsageError: nothing is declared, or it is out of range, does not fit the model, or the model
            says otherwise.
        ModelError: the file is no model, its graph names other classes, or it has more than 2 GiB
            with its weights in it.
    """
    check_flag("replace", replace)
    read = read_model(model)
    facts = list(_facts(read, preprocess, bounds, classes, trained))
    if not facts:
        raise UsageError("nothing is declared; give preprocess, bounds, classes or trained")
    metadata = read.metadata
    for fact in facts:
        there = fact.read_from(metadata)
        if there == fact.value:
            continue
        written = fact.written(metadata)
        if there is not None or fact.read_from(written) != fact.value:
            written = fact.written({k: v for k, v in metadata.items() if k not in fact.keys})
            before = there if isinstance(there, str) else fact.words(there)
            if fact.read_from(written) != fact.value:
                raise ModelError(
                    f"{fact.what} cannot be declared of {read}: its graph says {before}, which "
                    "counts; leave it out"
                )
            if not replace:
                raise UsageError(
                    f"{read} has {fact.what} already, {before}; leave it out, or put yours in its "
                    "place with --replace"
                )
            if listener is not None:
                listener.said("replaced", f"{fact.what}: {before}")
        metadata = written
    helper.set_model_props(read.proto, metadata)
    _check_fits(read)
    try:
        content: bytes = read.proto.SerializeToString(deterministic=True)
    except (EncodeError, ValueError):
        raise ModelError(
            f"{read} has more than 2 GiB with its weights in one file, which ONNX cannot hold; "
            "declare it where it is run"
        ) from None
    return content


def _check_fits(model: ModelFile) -> None:
    """Refuse a preprocessing that does not fit the input; what is still left open is not asked for.

    Raises:
        UsageError: with what does not fit.
    """
    stated, left_open = preprocessing_in(model.metadata), list[RsonnxError]()
    if stated is None:
        return
    try:
        output = find_output(model, ask=left_open.append)
        data = find_input(
            model, output, layout=stated.layout, size=stated.size, ask=left_open.append
        )
    except ModelError:  # which only a run, with what else is declared of it, can tell
        return
    if not left_open:
        make_head(data, stated, bounds_in(model.metadata) or DEFAULT_BOUNDS)


def _facts(
    model: ModelFile,
    preprocess: str | Mapping[str, Any] | Preprocessing | None,
    bounds: tuple[float, float] | None,
    classes: Sequence[str] | None,
    trained: Trained | str | None,
) -> Iterable[_Fact]:
    if preprocess is not None:
        # As it is read again: a filter, say, is kept with a size alone.
        stated = parse_preprocessing(declared_preprocessing(preprocess).to_json())

        def read(metadata: Mapping[str, str]) -> Preprocessing | None:
            there = preprocessing_in(metadata)
            return there if there is None or stated.layout else replaced(there, layout=None)

        yield _Fact(
            "a preprocessing",
            stated,
            METADATA_KEY,
            json.dumps(stated.to_json()),
            read,
            (METADATA_KEY, LAYOUT_KEY) if stated.layout else (METADATA_KEY,),
            Preprocessing.to_text,
        )
    if bounds is not None:
        pair = check_bounds(bounds)
        yield _Fact("bounds", pair, BOUNDS_KEY, bounds_entry(pair), bounds_in, (BOUNDS_KEY,))
    if classes is not None:
        names = check_texts("classes", classes)
        yield _Fact(
            "class names",
            names,
            NAMES_KEY,
            json.dumps(names),
            _reader_of_names(model, len(names)),
            (*keys_of_names(model.metadata), NAMES_KEY),
        )
    if trained is not None:
        noise = trained if isinstance(trained, Trained) else read_trained(trained)
        said = {"noise": noise.noise, **noise.parameters}
        yield _Fact(
            "a training",
            noise,
            TRAINING_KEY,
            json.dumps(said),
            training_in,
            (TRAINING_KEY,),
            lambda trained: trained.words,
        )


def _reader_of_names(
    model: ModelFile, declared: int
) -> Callable[[Mapping[str, str]], tuple[str, ...] | None]:
    """Return what reads a model's class names, None where it has numbers alone.

    Raises:
        UsageError: as many names are declared as the model has no classes.
    """
    try:
        output = find_output(model)
        in_graph, scores = output.classes, model.view.specs.get(output.tensor)
    except ModelError:  # which of the outputs counts is still to be declared
        in_graph, scores = (), None
    axes = [] if scores is None else [d for d in scores.shape[1:] if d != 1]
    only = axes[0] if len(axes) == 1 else None
    count = len(in_graph) or (only if isinstance(only, int) else None)
    if count is not None and declared != count:
        raise UsageError(f"{declared} class names are declared, but {model} has {count} classes")

    def read(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
        names = name_classes(in_graph, metadata, count).names
        return None if are_numbers(names) else names

    return read
