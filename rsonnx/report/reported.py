"""A run as a report names it: by its header, and by how it ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rsonnx.runs.files import Run
from rsonnx.runs.header import Header


@dataclass(frozen=True)
class Reported:
    """What names a run.

    Attributes:
        header: of the run.
        status: how it ended, and which shard it is: a shard that ended well is no complete run.
        by_preprocess: whether a run of this file behind another preprocessing stands beside it.
    """

    header: Header
    status: str
    by_preprocess: bool = field(default=False, kw_only=True)

    @property
    def classifier(self) -> str:
        """What the classifier is called: its file, and what else makes it another one."""
        model = self.header.model
        behind = f", preprocess {model.variation.preprocess}" if self.by_preprocess else ""
        return model.variation.named(model.file) + behind

    @property
    def file(self) -> str:
        """What is the same for all runs of one model file: its digest."""
        return self.header.model.sha256

    def varies(self, other: Reported) -> bool:
        """Say whether two are of one file, but not of one classifier."""
        own, another = self.header.model.variation, other.header.model.variation
        alike = (own.words, own.preprocess) == (another.words, another.preprocess)
        return self.file == other.file and not alike

    @property
    def gaussian(self) -> bool:
        """Whether the noise is the usual one, which its sigma alone tells apart."""
        return self.header.noise.short_label != self.header.noise.label

    @property
    def within(self) -> str:
        """Where answers are certified, for a radius called "the input's radius"."""
        return self.header.noise.within.replace("the row's radius", "the input's radius")

    @property
    def radii_of(self) -> str:
        """Of which norm and in which units radii are, in a stranger's words."""
        return f"{self.header.noise.norm} radius in {self.header.units}"

    def named(self) -> dict[str, Any]:
        """Return it for a program."""
        header, law, variation = self.header, self.header.noise, self.header.model.variation
        restated = header.restated_from
        return {
            **asdict(header.settings),
            "model": header.model.file,
            "noise": law.label,
            "sigma": law.deviation,
            "within": self.within,
            "units": header.units,
            "norm": law.norm,
            "n": header.procedure.n,
            "arithmetic": header.arithmetic,
            "status": self.status,
            "target_radii": header.procedure.target_radii,
            "restated_from": None if restated is None else asdict(restated),
            "shared_noise": header.shared,
            "additive": law.additive,
            "rows": header.model.rows,
            "variation": list(variation.words),
            "preprocess": variation.preprocess,
        }


def status_of(run: Run) -> str:
    """Return how a run ended, and which shard it is."""
    shard = run.header.shard
    if shard is None or shard.of == 1:
        return run.status
    return f"shard {shard}" if run.status == "complete" else f"{run.status} shard {shard}"
