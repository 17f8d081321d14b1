"""How a model was seen to run, as one process tells another."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from rsonnx.model import Batching
from rsonnx.model.probe import Tolerance
from rsonnx.smoothing.adapting import Adapted, Plan


@dataclass(frozen=True)
class Tried:
    """How a model was seen to run on the processor, by the process that tried it.

    Attributes:
        file: SHA-256 of the model's file.
        model: SHA-256 of the adapted model that ran.
        batching: how it may be batched.
        labels: that it gave the probe rows.
        seconds: that its first run took.
        facts: what a run's header says of them.
    """

    file: str
    model: str
    batching: Batching
    labels: tuple[int, ...]
    seconds: float
    facts: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Tried:
        """Return what :meth:`to_json` wrote."""
        batching = dict(record["batching"])
        batching["tolerance"] = Tolerance(**batching["tolerance"])
        held = {"batching": Batching(**batching), "labels": tuple(record["labels"])}
        return cls(**record | held)

    def is_of(self, plan: Plan, adapted: Adapted) -> bool:
        """Return whether it is of this model as it runs here; the proof is made here, not taken."""
        rows = self.batching.rows
        return (
            self.model == sha256(adapted.model)
            and (rows != "proved" or adapted.coupled_by is None)
            and (rows != "watched" or plan.watch)
        )


def sha256(model: bytes) -> str:
    """Return the SHA-256 of a serialized model."""
    return hashlib.sha256(model).hexdigest()
