"""Count a range of the samples of an input, for the parts of a run whose counts are added later."""

from __future__ import annotations

from dataclasses import dataclass

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Law
from rsonnx.procedures.evidence import Evidence
from rsonnx.procedures.procedure import Ask, Procedure, Steps, Task


@dataclass(frozen=True)
class CountRange:
    """Counts the estimation samples ``start`` <= i < ``stop`` of what a procedure would count.

    The selection samples come with sample 0.

    Attributes:
        procedure: what all the ranges together are evidence for.
        start, stop: the range.

    Raises:
        UsageError: the range is not within n, or the procedure has no fixed n.
    """

    procedure: Procedure
    start: int
    stop: int

    def __post_init__(self) -> None:
        asked = f"the samples {self.start}:{self.stop} were asked for"
        if not self.procedure.fixed_n:
            raise UsageError(
                f"{asked}, but an adaptive run decides from its counts how many it draws, so its "
                "samples cannot be shared out; share the inputs (--shard)"
            )
        if self.stop > self.procedure.n:
            raise UsageError(f"{asked}, but there are n = {self.procedure.n:,}; B is at most n")

    @property
    def noise(self) -> Law:
        """The smoothing distribution."""
        return self.procedure.noise

    @property
    def n0(self) -> int:
        """How many selection samples it draws."""
        return self.procedure.n0 if self.start == 0 else 0

    @property
    def samples(self) -> int:
        """How many samples it draws of an input."""
        return self.n0 + self.stop - self.start

    def steps(self, task: Task) -> Steps[Evidence]:
        """Ask for the range."""
        del task
        asked = [Ask("estimation", self.start, self.stop)]
        if self.n0:
            asked = [Ask("selection", 0, self.n0), *asked]
        *selection, estimation = yield asked
        return Evidence(selection[0] if selection else Counts([]), estimation)
