"""scipy.special, loaded when a function of it is first used: it loads longer than all the rest."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from scipy import special  # noqa: PLC0415 - half a second, which no help page waits for

    value = globals()[name] = getattr(special, name)
    return value
