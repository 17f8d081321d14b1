"""The fields of a header: one table of what each is.

A header is held to it in :mod:`rsonnx.runs.header_schema`; what a field means together with others
is checked where it is read, in :mod:`rsonnx.runs.header`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rsonnx.arguments import MOST_LETTERS, is_name
from rsonnx.noise.options import INTERVALS, given_as
from rsonnx.runs.fields import (
    ARITHMETIC,
    DATE,
    DIGEST,
    FLAG,
    NAME,
    NAMES,
    NUMBER,
    OBJECT,
    SEED,
    SHARE,
    TEXT,
    TEXTS,
    Kind,
    list_of,
    map_of,
    object_of,
    one_of,
    real,
    whole,
)
from rsonnx.runs.parts import SAMPLE_RANGE, SHARD

FORMAT = 1
"""Version of the run file's format; a reader refuses one that it does not know."""

STATUS = "started; the last line of the file says how it ended"


@dataclass(frozen=True)
class HeaderField:
    """A field of a header.

    Attributes:
        path: the names of the objects that it is inside of, and its own, with dots between.
        kind: what its values are.
        meaning: in words.
        since: which headers have it: 1: all; 2: those that name the stream of their noise, which
            the first version did not; None: those for which there is something to say.
    """

    path: str
    kind: Kind[Any]
    meaning: str
    since: int | None = 1


def _is_value(value: Any) -> bool:
    """Say whether a value is simple, or a list of such."""
    if isinstance(value, list):
        return all(map(_is_value, value))
    simple = value is None or isinstance(value, bool | int)
    return simple or NAME.accepts(value) or NUMBER.accepts(value)


_VALUE: Kind[Any] = Kind("a value or a list of values", {}, _is_value)
_END: Kind[float | str] = Kind(
    "a number, inf or -inf",
    {"anyOf": [NUMBER.schema, {"enum": ["inf", "-inf"]}]},
    lambda value: value in ("inf", "-inf") or NUMBER.accepts(value),
)
_RUN_NAME: Kind[str] = Kind(
    f"1 to {MOST_LETTERS} printable letters",
    {"type": "string", "minLength": 1, "maxLength": MOST_LETTERS},
    is_name,
)
_PROBABILITY = real(1.0)
_COUNT, _LENGTH = whole(0), whole(1)
_MAYBE_TEXT, _MAYBE_NAME, _MAYBE_NUMBER = TEXT.or_null(), NAME.or_null(), NUMBER.or_null()
_NUMBERS, _LENGTHS = list_of(NUMBER, "numbers"), list_of(_LENGTH, "lengths")
_EXIF = one_of("apply", "ignore")
_TENSOR = object_of({"name": TEXT, "dtype": TEXT, "shape": list_of(_VALUE, "lengths")})
_HALF: dict[str, Kind[Any]] = {
    "sha256": DIGEST,
    "converter": TEXT,
    "weights_beyond_its_range": _COUNT,
    "statement": TEXT,
}
_TRAINED = object_of({"noise": TEXT, "parameters": map_of(NUMBER, "numbers")})
_PROBES = object_of({"rows": _LENGTH, "classes": _LENGTH, "ties": _COUNT, "no_class": _COUNT})
_COMPOSITION = object_of(
    {
        "words": NAME,  # of files
        "how": TEXT,
        "parts": list_of(
            object_of(
                {"role": TEXT, "file": NAME, "sha256": DIGEST}
                | dict.fromkeys(("settings", "preprocess"), OBJECT)
            ),
            "parts",
        ),
        "options": OBJECT,
    }
)
_COLUMN: dict[str, Kind[Any]] = {"name": NAME, "fixed": FLAG, "texts": NAMES}
_SETTINGS: dict[str, Kind[Any]] = {
    "alpha": _PROBABILITY,
    "bound": TEXT,
    "radius_rule": TEXT,
    "family_wise": SHARE.or_null(),
}

_OPTIONS: dict[str, Kind[Any]] = {
    "adaptive": FLAG,
    "address": _MAYBE_NAME,
    "alpha": NUMBER,
    "arrays": _MAYBE_TEXT,
    "background": _MAYBE_TEXT,
    "batch_size": _LENGTH.or_null(),
    "bound": TEXT,
    "bounds": list_of(_END, "numbers"),
    "changed": _COUNT,
    "classes": _MAYBE_NAME,
    "cuda_graph": FLAG,
    "data": NAME,
    "devices": _MAYBE_TEXT,
    "engine": TEXT,
    "exif": _EXIF,
    "family_wise": FLAG,
    "feed": TEXTS,
    "first": FLAG,
    "fixed_columns": NAMES,
    "float16": FLAG,
    "gpus_per_worker": _MAYBE_NUMBER,
    "input_shape": _MAYBE_TEXT,
    "label_column": _MAYBE_NAME,
    "labels": _MAYBE_NAME,
    "lam": _MAYBE_NUMBER,
    "limit": _LENGTH.or_null(),
    "model": NAME,
    "n": _COUNT,
    "n0": _COUNT,
    "noise": _MAYBE_TEXT,
    "norm": _MAYBE_TEXT,
    "on_bad_image": one_of("refuse", "skip"),
    "output_name": _MAYBE_TEXT,
    "precision": SHARE.or_null(),
    "preprocess": OBJECT,
    "procedure": TEXT,
    "providers": TEXTS,
    "radius": TEXT,
    "rows": TEXT,
    "sample": _VALUE,
    "share_noise": FLAG,
    "sigma": _MAYBE_NUMBER,
    "sigma_per_feature": _MAYBE_NAME,
    "skip_every": _LENGTH,
    "split": _MAYBE_TEXT,
    "target_radius": _MAYBE_NUMBER,
    "tf32": FLAG,
    "threshold": _MAYBE_NUMBER,
    "time_limit_per_call": _MAYBE_NUMBER,
    "time_limit_to_try": _MAYBE_NUMBER,
    "workers": _LENGTH.or_null(),
    **{given_as(said): _NUMBERS.or_null() for said in INTERVALS.values()},
}
"""Of the command line; a call of the library records fewer."""

_PREPROCESS: dict[str, tuple[Kind[Any], str]] = {
    "identity": (FLAG, "whether the values are fed as they are"),
    "scale": (NUMBER, "the factor of the values, behind the noise"),
    "mean": (_NUMBERS, "what is taken from them, by channel"),
    "std": (_NUMBERS, "by what they are divided then, by channel"),
    "layout": (TEXT, "layout that was declared"),
    "channels": (TEXT, "order of the channels, where it is not red, green, blue"),
    "resize": (_VALUE, "size of a picture before the crop"),
    "interpolation": (TEXT, "filter of that"),
    "crop": (_LENGTHS, "height and width of the middle that is taken"),
    "center": (TEXT, "how odd margins of the crop are rounded"),
}
_SESSION: dict[str, tuple[Kind[Any], str]] = {
    "options": (map_of(map_of(TEXT, "texts"), "options"), "of the device, by provider"),
    "tf32": (FLAG, "whether float32 products are rounded to 10 bits"),
    "deterministic": (FLAG, "whether its sums are in one order"),
    "cudnn": (_MAYBE_TEXT, "version of cuDNN"),
    "shape_nodes_on_cpu": (map_of(_COUNT, "counts"), "operators that are not on the device"),
    "environment": (map_of(NAME, "texts"), "variables that change roundings"),
}

HEADER = (
    HeaderField("kind", one_of("header"), "what the line is"),
    HeaderField("format", one_of("rsonnx-run"), "what the file is"),
    HeaderField("format_version", _LENGTH, "version of the format"),
    HeaderField("procedure", one_of("certify"), "what was done to each input"),
    HeaderField("status", one_of(STATUS), "for a reader of this line alone"),
    HeaderField(
        "claim", TEXT, "what the run says of its inputs; follows from the noise and `model.rows`"
    ),
    HeaderField("name", _RUN_NAME, "what somebody called the run", since=None),
    HeaderField("created", DATE, "when it started; of parts that were merged, when the first did"),
    HeaderField("model.file", NAME, "name of the model's file"),
    HeaderField(
        "model.sha256",
        DIGEST,
        "SHA-256 of the file as it lies, compressed or not, and its external data in turn",
    ),
    HeaderField("model.bytes", _COUNT, "length of the file"),
    HeaderField("model.external_data", NAMES, "names of its external data"),
    HeaderField("model.producer", TEXT, "what wrote it"),
    HeaderField("model.ir_version", whole(0), "version of ONNX's format"),
    HeaderField(
        "model.opset", map_of(_COUNT, "whole numbers"), "versions of the operators, by domain"
    ),
    HeaderField("model.input", _TENSOR, "the input that is smoothed, as the file declares it"),
    HeaderField("model.output", _TENSOR, "the output that is read, as the file declares it"),
    HeaderField("model.output_name", _MAYBE_TEXT, "that output, where it was named", since=None),
    HeaderField(
        "model.threshold", _MAYBE_NUMBER, "above which a single score is class 1", since=None
    ),
    HeaderField(
        "model.input_shape", _LENGTHS, "shape of one input as the model takes it, without the batch"
    ),
    HeaderField(
        "model.layout", one_of("NCHW", "NHWC").or_null(), "where the channels of an image are"
    ),
    HeaderField("model.feeds", map_of(_VALUE, "values"), "constant values of its other inputs"),
    HeaderField("model.unused_inputs", TEXTS, "inputs that the output does not need"),
    HeaderField("model.edits", TEXTS, "what was changed in its graph"),
    HeaderField("model.class_names", NAMES, "names of its classes"),
    HeaderField("model.class_names_source", _MAYBE_TEXT, "where they stand in the file", since=2),
    HeaderField("model.class_names_notes", TEXTS, "names that were not taken", since=2),
    HeaderField(
        "model.trained", _TRAINED.or_null(), "noise that it says it was trained with", since=2
    ),
    HeaderField(
        "model.composition", _COMPOSITION, "of which parts it says that it was made", since=None
    ),
    HeaderField("model.label", TEXT, "how its answer becomes a class"),
    HeaderField("model.no_class", TEXT, "which answers are no class"),
    HeaderField(
        "model.insisted",
        _MAYBE_TEXT,
        "what the output is, where that is no vector of scores",
        since=2,
    ),
    *(
        HeaderField(f"model.preprocess.{name}", kind, meaning, since=None)
        for name, (kind, meaning) in _PREPROCESS.items()
    ),
    HeaderField("model.preprocess.source", TEXT, "who says so"),
    HeaderField("model.bounds.low", _END, "lowest value of an input"),
    HeaderField("model.bounds.high", _END, "highest value of an input"),
    HeaderField("model.bounds.source", TEXT, "who says so"),
    HeaderField("model.float16", object_of(_HALF).or_null(), "the conversion to float16"),
    *(
        HeaderField(f"model.session.{name}", kind, meaning, since=None)
        for name, (kind, meaning) in _SESSION.items()
    ),
    HeaderField("model.noise_drawn.noise", one_of("host", "device"), "where noise is drawn"),
    HeaderField("model.noise_drawn.why", TEXT, "why not on the device", since=None),
    HeaderField("model.classes", _LENGTH.or_null(), "number of classes"),
    HeaderField(
        "model.rows",
        one_of("proved", "alone", "watched"),
        "why no input's answer depends on its batch",
        since=2,
    ),
    HeaderField("model.batch", TEXT, "the same in words"),
    HeaderField("model.providers.requested", TEXTS, "execution providers that were asked for"),
    HeaderField("model.providers.used", TEXTS, "those that the session has"),
    HeaderField(
        "model.probes", _PROBES, "what its first answers were, to rows that are no inputs", since=2
    ),
    HeaderField("data.path", NAME, "where the inputs were read"),
    HeaderField("data.kind", TEXT, "in which form"),
    HeaderField("data.size", _LENGTH, "inputs of the data set"),
    HeaderField(
        "data.inputs",
        _LENGTH,
        "inputs of the run; follows from `data.sample` and `data.unreadable`",
    ),
    HeaderField("data.sample", OBJECT, "by which rule these were taken", since=2),
    HeaderField("data.classes_in_sample", _LENGTH.or_null(), "how many classes they have", since=2),
    HeaderField(
        "data.classes_in_data", _LENGTH.or_null(), "how many classes the data set has", since=2
    ),
    HeaderField(
        "data.manifest", DIGEST, "SHA-256 over the indices, names, labels and digests of all rows"
    ),
    HeaderField("data.labels", NAME, "where the labels come from"),
    HeaderField(
        "data.exif", _EXIF.or_null(), "what was done about the orientation of pictures", since=2
    ),
    HeaderField("data.turned", _COUNT, "how many inputs were turned for it", since=2),
    HeaderField(
        "data.converted",
        map_of(_COUNT, "counts"),
        "how many inputs are pictures of another kind than 8-bit grey or RGB, by kind",
        since=None,
    ),
    HeaderField(
        "data.unreadable",
        map_of(_COUNT, "indices"),
        "pictures that the sample takes and that were left out, by name, with their indices",
        since=None,
    ),
    HeaderField(
        "data.left_out", map_of(_COUNT, "counts"), "files that are no inputs, by ending", since=2
    ),
    HeaderField("data.class_names", NAMES.or_null(), "names of the classes of the data"),
    HeaderField(
        "data.columns",
        list_of(object_of(_COLUMN), "columns"),
        "of a table, one a value: its name, whether it is fixed (without noise), and the texts "
        "that its values 0, 1, ... stand for",
        since=None,
    ),
    HeaderField("noise.distribution", TEXT, "the smoothing distribution"),
    HeaderField(
        "noise.sigma",
        _MAYBE_NUMBER,
        "its standard deviation on one value; follows from its parameters",
    ),
    HeaderField("noise.norm", TEXT, "norm of the radius; follows from the parameters"),
    HeaderField("noise.parameters", OBJECT, "all that defines it", since=2),
    HeaderField(
        "noise.units", TEXT, "units of sigma and radius; follow from the law and `model.bounds`"
    ),
    HeaderField("noise.arithmetic", ARITHMETIC, "see the rows"),
    HeaderField("noise.shared", FLAG, "whether all inputs have the same noise"),
    HeaderField("noise.generator", TEXT, "how it is drawn; follows from the fields beside it"),
    HeaderField(
        "noise.stream",
        _LENGTH,
        "rule by which it follows from an input; 1 without this field",
        since=2,
    ),
    HeaderField("seed.value", SEED, "seed of the noise, a decimal number"),
    HeaderField("seed.source", TEXT, "where it comes from"),
    HeaderField(
        "seed.commitment", OBJECT, "what was committed to before the seed was known", since=None
    ),
    HeaderField("seed.beacon", TEXT, "the public value that it follows from", since=None),
    HeaderField("n0", _COUNT, "selection samples an input, or the most of them"),
    HeaderField("n", _COUNT, "estimation samples an input, or the most of them"),
    HeaderField(
        "alpha", NUMBER, "probability of error an input; 0 where nothing is left to chance"
    ),
    HeaderField("bound", TEXT, "bound on a probability"),
    HeaderField("radius_rule", TEXT, "which radius follows from the bounds"),
    HeaderField("num_classes", _LENGTH.or_null(), "`model.classes`, where the bound may need it"),
    HeaderField("target_radii", _NUMBERS.or_null(), "radii whose decision ends the sampling"),
    HeaderField(
        "precision",
        SHARE,
        "share of each radius at which sampling stops for want of more to gain",
        since=None,
    ),
    HeaderField(
        "changed", _LENGTH, "of how many fixed values certificates allow a change", since=None
    ),
    HeaderField("family_wise", SHARE.or_null(), "probability of any error among all inputs"),
    HeaderField("shard", SHARD.or_null(), "which share of the inputs the file holds"),
    HeaderField("samples", SAMPLE_RANGE.or_null(), "which of the estimation samples it holds"),
    HeaderField("largest_radius", real(), "radius if all samples agree; follows from the settings"),
    HeaderField(
        "restated_from",
        object_of(_SETTINGS).or_null(),
        "settings that the run was made with",
        since=None,
    ),
    HeaderField("arguments.given", NAMES, "words of the command"),
    *(
        HeaderField(f"arguments.resolved.{name}", kind, "the option as it was resolved", since=None)
        for name, kind in sorted(_OPTIONS.items())
    ),
    HeaderField("engine", map_of(_VALUE, "values"), "what counted"),
    HeaderField("versions", map_of(TEXT, "texts"), "of all that a result may depend on"),
    HeaderField("fields", map_of(TEXT, "texts"), "what each field of a row means"),
)
"""All fields of a header, in the order in which they are written."""


KINDS = {field.path: field.kind for field in HEADER}
