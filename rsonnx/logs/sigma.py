"""Which noise a log was made with: as somebody says, as its path says, or one of the usual ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rsonnx.logs.fit import SIGMAS

_IN_A_NAME = re.compile(
    r"(?<![a-z])sigma[_=-]?((?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,6})?)(?![0-9])", re.IGNORECASE
)


@dataclass(frozen=True)
class SigmaSource:
    """The noises to try, and who says so.

    Attributes:
        sigmas: one where it is known.
        source: ``"given"`` by the caller, ``"path"``, or ``"fitted"`` among the usual ones.
    """

    sigmas: tuple[float, ...]
    source: Literal["given", "path", "fitted"]


def sigma_of(path: Path, given: float | None) -> SigmaSource:
    """Return the noise of a log: ``given``, else what the last part of the path with sigma_S says.

    ``noise_S``, which in the field's folders is the noise of the training, is not meant.
    """
    if given is not None:
        return SigmaSource((given,), "given")
    for part in reversed(path.parts):
        named = [float(match[1]) for match in _IN_A_NAME.finditer(part)]
        if named and named[-1] > 0:
            return SigmaSource((named[-1],), "path")
    return SigmaSource(SIGMAS, "fitted")
