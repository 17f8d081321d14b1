"""A run as a report names it: by its header, and by how it ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import Any

from rsonnx.report.summary import Certified
from rsonnx.runs.files import Run
from rsonnx.runs.header import Header


@dataclass(frozen=True)
class Reported:
    """What names a run.

    Attributes:
        header: of the run.
        status: how it ended, and which shard it is: a shard that ended well is no complete run.
        summary: its figures.
        path: of its file, as it was given.
        called: what it is called in this report; None leaves the name that its header has, if any.
        by_preprocess: whether a run of this file behind another preprocessing stands beside it.
        by_path: whether another of the same name and noise stands beside it.
    """

    header: Header
    status: str
    summary: Certified
    path: str = field(default="", kw_only=True)
    called: str | None = field(default=None, kw_only=True)
    by_preprocess: bool = field(default=False, kw_only=True)
    by_path: bool = field(default=False, kw_only=True)

    @property
    def own_name(self) -> str | None:
        """What somebody called the run; None where nobody did."""
        return self.called or self.header.name

    @property
    def label(self) -> str:
        """What it is called beside its noise: its own name, else its classifier's."""
        label = self.own_name or self.classifier
        return f"{label} ({self.path})" if self.by_path else label

    @property
    def name(self) -> str:
        """What finds it: its path, as given, behind its own name."""
        path = self.path or self.header.model.file
        return f"{self.own_name} ({path})" if self.own_name else path

    @property
    def classifier(self) -> str:
        """What the classifier is called: its file, and what else makes it another one."""
        model = self.header.model
        behind = f", preprocess {model.variation.preprocess}" if self.by_preprocess else ""
        return model.variation.named(model.file) + behind

    @property
    def title(self) -> str:
        """What tells it from others in prose: its label, noise and file, which needs no folder."""
        label = self.own_name or self.classifier
        path = self.path or self.header.model.file
        file = path if self.by_path else PurePath(path).name
        return f"{label}, {self.header.noise.short_label} ({file})"

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
        restated, precision = header.restated_from, header.procedure.precision
        columns = [
            {"name": column.name, "fixed": column.fixed, "sigma": law.deviation_of(at)}
            for at, column in enumerate(header.data.columns)
        ]
        return {
            **asdict(header.settings),
            "name": self.own_name,
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
            **({"columns": columns} if columns else {}),
            **({} if precision is None else {"precision": precision}),
        }


def status_of(run: Run) -> str:
    """Return how a run ended, and which shard it is."""
    shard = run.header.shard
    if shard is None or shard.of == 1:
        return run.status
    return f"shard {shard}" if run.status == "complete" else f"{run.status} shard {shard}"
