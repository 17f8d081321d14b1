"""Several classifiers as one: the sum of their scores, most of their votes, or their consensus.

After Horvath, Mueller, Fischer and Vechev, "Boosting randomized smoothing with variance reduced
classifiers" (arXiv 2106.06946). Each is a deterministic classifier of its own: counts of one say
nothing of another, and the order of a consensus' members belongs to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from rsonnx import model as adapted
from rsonnx.arguments import check_choice
from rsonnx.compose.arranging import arranged
from rsonnx.compose.graph import INPUT, SCORES, Builder, composed
from rsonnx.compose.parts import (
    Declared,
    Part,
    check_together,
    declared_parts,
    metadata_of,
    open_parts,
)
from rsonnx.errors import ModelError, UsageError
from rsonnx.model import ModelFile, ModelSettings, ModelSource, probe_rows
from rsonnx.model.rows import prove_rows
from rsonnx.scalars import as_floats, as_whole, shown
from rsonnx.smoothing.composition import Composition

VOTES = ("soft", "hard", "probabilities")
"""What members add up: their scores, one vote for their class, or their probabilities."""

_OLDEST = {"ensemble": 9, "consensus": 11}
"""Operator set in which all is there that joins members: Where; GatherND and ScatterND."""


def ensemble(
    *members: ModelSource,
    vote: str = "soft",
    weights: Sequence[float] | None = None,
    declared: Declared = (),
) -> onnx.ModelProto:
    """Compose classifiers whose scores, or votes, are added up.

    The model that is returned takes what the first member takes, in the units of the bounds that
    all of them have, and gives ``scores``, float32 (batch, classes): sums in the order of the
    members, ((w₁s₁ + w₂s₂) + w₃s₃) and so on, of which the largest is its class, the lowest index
    on a tie. An input that is no class to a member has NaN scores.

    Args:
        members: at least two, which must take the same values and tell the same classes apart.
        vote: ``"soft"`` adds the scores, which must be no probabilities; ``"hard"`` counts each
            member's own class; ``"probabilities"`` adds probabilities, those of other scores by
            softmax, which makes another classifier than ``"soft"``.
        weights: one a member, finite and above 0; None for 1 each.
        declared: what the members' files do not say.

    Raises:
        UsageError: an argument is out of range, or something is to be declared of a member.
        ModelError: a member cannot be certified by itself, or they do not fit each other.
    """
    return voting(*declared_parts(members, declared), vote=vote, weights=weights)


def voting(
    files: Sequence[ModelFile],
    settings: Sequence[ModelSettings],
    *,
    vote: str,
    weights: Sequence[float] | None,
) -> onnx.ModelProto:
    """Compose files that were read, as :func:`ensemble` does."""
    check_choice("vote", vote, VOTES)
    factors = _weights(weights, len(files))
    parts = open_parts(files, settings, _OLDEST["ensemble"])
    names = check_together(parts)
    _check_votes(parts, vote)
    builder = Builder()
    ballot = Ballots(builder, parts, vote).of
    total = ""
    for at in range(len(parts)):
        weighted = ballot(at, INPUT, builder)
        if factors is not None:
            weighted = builder.add("Mul", [weighted, builder.constant([factors[at]], "float32")])
        total = builder.add("Add", [total, weighted]) if at else weighted
    builder.add("Identity", [total], SCORES)
    options = {"vote": vote, "weights": factors}
    return _finished(builder, parts, names, "ensemble", options)


def consensus(
    *members: ModelSource, k: int, vote: str = "soft", declared: Declared = ()
) -> onnx.ModelProto:
    """Compose classifiers of which the first K, where they agree, answer alone.

    Where the first ``k`` members give one class it is the answer, and ``scores`` are the first
    member's; else they are the sum of all members' scores, as of :func:`ensemble`. The others run
    on those rows of a batch alone on which the first disagree. An input that is no class to a
    member that runs has NaN scores. A member with a ``ReduceMax``, ``ReduceMin`` or ``Hardmax``,
    which may lose NaN by a row's place in memory, runs on every row, so that NaN is seen.

    Args:
        members: as for :func:`ensemble`; their order belongs to the classifier.
        k: how many of them must agree, from 2 to all.
        vote: ``"soft"`` or ``"probabilities"``.
        declared: what the members' files do not say.

    Raises:
        UsageError: an argument is out of range, or something is to be declared of a member.
        ModelError: a member cannot be certified by itself, or they do not fit each other.
    """
    return agreeing(*declared_parts(members, declared), k=k, vote=vote)


def agreeing(
    files: Sequence[ModelFile], settings: Sequence[ModelSettings], *, k: int, vote: str
) -> onnx.ModelProto:
    """Compose files that were read, as :func:`consensus` does."""
    check_choice("vote", vote, ("soft", "probabilities"))
    first = as_whole(k)
    if first is None or not 2 <= first <= len(files):
        raise UsageError(
            f"k is {shown(k)}, but how many members must agree, from 2 to all {len(files)}, was "
            "expected"
        )
    parts = open_parts(files, settings, _OLDEST["consensus"])
    names = check_together(parts)
    _check_votes(parts, vote)
    builder = Builder()
    ballots = Ballots(builder, parts, vote)
    asked = [ballots.of(at, INPUT, builder) for at in range(first)]
    classes = [builder.add("ArgMax", [scores], axis=1, keepdims=0) for scores in asked]
    valid = [ballots.has_class(at) for at in range(first)]
    total, agree = asked[0], valid[0]
    for at in range(1, first):
        same = builder.add("Equal", [classes[0], classes[at]])
        for further in (valid[at], same):
            agree = builder.add("And", [agree, further])
        total = builder.add("Add", [total, asked[at]])
    differ = builder.add("Not", [agree])
    # Only rows on which the first disagree are gathered, and scattered back to their places: the
    # proof of row independence knows this form (rsonnx.model.rows.control).
    places = builder.add("Transpose", [builder.add("NonZero", [differ])])
    count = builder.add("Size", [places])
    some = builder.add("Cast", [count], to=TensorProto.BOOL)
    everywhere = {
        at: ballots.of(at, INPUT, builder)
        for at in range(first, len(parts))
        if _needs_guards(parts[at])
    }
    then, otherwise = builder.body(), builder.body()
    rows = then.add("GatherND", [INPUT, places])
    sums = then.add("GatherND", [total, places])
    for at in range(first, len(parts)):
        scores = (
            then.add("GatherND", [everywhere[at], places])
            if at in everywhere
            else ballots.of(at, rows, then)
        )
        sums = then.add("Add", [sums, scores])
    none = np.zeros((0, parts[0].classifier.num_classes or 0))
    empty = otherwise.add("Identity", [otherwise.constant(none, "float32")])
    branches = {
        f"{name}_branch": body.graph(
            name, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        )
        for name, body, output in (("then", then, sums), ("else", otherwise, empty))
    }
    updates = builder.add("If", [some], **branches)
    builder.add("ScatterND", [asked[0], places, updates], SCORES)
    return _finished(builder, parts, names, "consensus", {"k": first, "vote": vote})


def _weights(weights: Sequence[float] | None, members: int) -> list[float] | None:
    if weights is None:
        return None
    numbers = list(as_floats(weights))
    least, most = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
    if len(numbers) != members or not all(least <= number <= most for number in numbers):
        raise UsageError(
            f"weights are {shown(weights)}, but {members} numbers above 0 in float32, one a "
            "member, were expected"
        )
    return numbers


def _check_votes(parts: Sequence[Part], vote: str) -> None:
    """Refuse members that give nothing that can be added up."""
    for part in parts if vote != "hard" else ():
        if part.plan.output.kind == "label":
            raise ModelError(
                f"{part} answers by a label, which cannot be added up; use --vote hard, or name "
                "its scores with --output-name"
            )
        if vote == "soft" and _gives_probabilities(part):
            raise ModelError(
                f"{part} gives probabilities, whose sum makes another classifier than that of "
                "scores; use --vote probabilities, or export it without its softmax"
            )


_PASSING = {
    *("Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze"),
    "Unsqueeze",
}
_SQUASHING = {"Softmax", "QLinearSoftmax", "Sigmoid", "HardSigmoid", "QLinearSigmoid"}


def _gives_probabilities(part: Part) -> bool:
    """Return whether scores are probabilities, votes or the like, by the graph or by probes: none
    is below 0, and those of each row have the same sum.
    """
    view, output = part.file.view, part.plan.output
    maker = view.producer(view.behind(output.tensor, _PASSING))
    if maker is not None and maker.op_type in _SQUASHING:
        return True
    scores = part.classifier.scores(probe_rows(part.plan.data, part.plan.bounds))
    if output.kind == "score":  # the threshold and the score
        return bool(0 < scores[0, 0] < 1 and ((scores >= 0) & (scores <= 1)).all())
    sums = scores.sum(axis=1, dtype=np.float64)
    varied = np.ptp(scores, axis=0).max() > _ALIKE * sums.max()
    return bool((scores >= 0).all() and np.ptp(sums) <= _ALIKE * sums.max() and varied)


_ALIKE = 0.01
"""Relative: quantised probabilities are rounded to 1/256."""


def _needs_guards(part: Part) -> bool:
    proof = prove_rows(
        part.model, input_name=adapted.INPUT, outputs=[adapted.LABEL, adapted.SCORES]
    )
    return bool(proof.guards)


@dataclass(frozen=True, eq=False)
class Ballots:
    """What members add to the sum: float32 (batch, classes), NaN for an input of no class."""

    builder: Builder
    parts: Sequence[Part]
    vote: str

    def of(self, at: int, data: str, builder: Builder) -> str:
        """Embed a member in a graph or a body and return the tensor of its ballots."""
        part = self.parts[at]
        fed = arranged(builder, data, self.parts[0], part)
        outputs = builder.embed(part.model, f"part_{at}_", {adapted.INPUT: fed})
        column = builder.constant([-1, 1], "int64")
        label = builder.add("Reshape", [outputs[adapted.LABEL], column])
        classes = part.classifier.num_classes or 0
        if self.vote == "hard":
            numbers = builder.constant(np.arange(classes)[None], "int64")
            ballots = builder.add("Equal", [label, numbers])
            ballots = builder.add("Cast", [ballots], to=TensorProto.FLOAT)
        else:
            ballots = builder.add("Cast", [outputs[adapted.SCORES]], to=TensorProto.FLOAT)
        if self.vote == "probabilities" and not _gives_probabilities(part):
            ballots = builder.add("Softmax", [ballots], axis=1)
        none = builder.add("Less", [label, builder.constant([0], "int64")])
        nan = builder.constant([np.nan], "float32")
        return builder.add("Where", [none, nan, ballots])

    def has_class(self, at: int) -> str:
        """Return whether each row is a class to a member that is embedded, bool (batch,)."""
        label, zero = f"part_{at}_{adapted.LABEL}", self.builder.constant([0], "int64")
        return self.builder.add("Not", [self.builder.add("Less", [label, zero])])


def _finished(
    builder: Builder,
    parts: Sequence[Part],
    names: Sequence[str],
    how: str,
    options: Mapping[str, Any],
) -> onnx.ModelProto:
    first = parts[0]
    batch = 1 if any(part.batch for part in parts) else "batch"
    info = helper.make_tensor_value_info
    composition = Composition(how, tuple(part.record("member") for part in parts), options)
    return composed(
        builder,
        [info(INPUT, TensorProto.FLOAT, [batch, *first.plan.data.shape])],
        [info(SCORES, TensorProto.FLOAT, [batch, first.classifier.num_classes])],
        [part.model for part in parts],
        metadata_of(first, names, composition),
    )
