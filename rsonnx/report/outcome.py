"""What a table or a curve needs of one input, whoever certified it."""

from __future__ import annotations

from typing import Protocol


class Outcome(Protocol):
    """One certified input: a row of a run file, or of a log that another program wrote."""

    @property
    def label(self) -> int | None:
        """True class; None where unknown."""

    @property
    def radius(self) -> float:
        """Certified radius; 0 where it abstains."""

    @property
    def abstained(self) -> bool:
        """Whether no radius was certified."""

    @property
    def correct(self) -> bool:
        """Whether the certified class is the true one; an abstention never is."""
