"""A few hundred cases of ``tools/fuzz.py``, the same each time: no reader fails otherwise."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

_TOOL = Path(__file__).parents[2] / "tools" / "fuzz.py"
_CASES = 100


def _tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(_TOOL.parent)  # it imports its neighbours, as a script may
    spec = importlib.util.spec_from_file_location("rsonnx_fuzz", _TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not _TOOL.is_file(), reason="the tools are not part of an installation")
def test_mutated_files_are_read_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = _tool(monkeypatch)
    runs = [b'{"format": "rsonnx-run", "format_version": 1}\n{"kind": "input", "index": 0}\n']
    # Nothing is run: forking this process is not safe, as other tests' sessions live in it.
    fuzzer = tool.Fuzzer(tool.seed_models(None), runs, tmp_path, seed=1, share_run=0.0)
    for number in range(_CASES):
        fuzzer.case(number)
    assert fuzzer.bugs == []
    assert sum(fuzzer.outcomes.values()) == _CASES
    planned = sum(n for (_, outcome), n in fuzzer.outcomes.items() if outcome == "planned")
    assert 7 < planned < 63  # the cases do reach both outcomes
