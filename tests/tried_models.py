"""The child process that tries a model costs most of a second; these fixtures do without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rsonnx.smoothing import isolation

_TRIED: dict[tuple[str, str], Any] = {}


CHILD = isolation.Child


class _TriedOnce:
    """Answers for a file of these bytes as its first child did, if that found nothing."""

    def ask(self, request: str, *rest: Any) -> Any:
        path = Path(json.loads(request)["path"])
        key = (request, sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        if key not in _TRIED:
            done = CHILD().ask(request, *rest)
            if '"error": null' not in done.stdout:
                return done
            _TRIED[key] = done
        else:
            rest[-1]()  # what is done meanwhile
        return _TRIED[key]

    def end(self) -> None:
        """Nothing was begun."""


@pytest.fixture(autouse=True)
def models_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands that run in this process try a file they tried before no second time."""
    monkeypatch.setattr(isolation, "Child", _TriedOnce)


def _noting(asked: list[str]) -> type[_TriedOnce]:
    """Return a child that tries no model, but notes what it is asked, and reads in this process."""

    class Noting(_TriedOnce):
        def ask(self, request: str, *rest: Any) -> Any:
            rest[-1]()  # what is done meanwhile
            asked.append(request)
            read = json.loads(request)
            tried = read["function"] == isolation.load_and_probe.__name__
            reply = '{"error": null, "message": ""}' if tried else isolation.reply_to(read)
            return SimpleNamespace(returncode=0, stdout=reply, stderr="")

    return Noting


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have no child process try a model, and return the list of what each was asked."""
    asked: list[str] = []
    monkeypatch.setattr(isolation, "Child", _noting(asked))
    return asked


@pytest.fixture(scope="module")
def no_children() -> Iterator[None]:
    """Have no child process try a model, neither in a module's tests nor in its fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation, "Child", _noting([]))
        yield
