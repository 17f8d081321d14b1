"""Every forgery of the table is found, by the check that it names and by none before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import assert_sentence, command
from hostile.forgeries import FORGERIES
from hostile.forging import Check, Forgery
from hostile.honest_runs import ALL, OTHERS, golden_tool, honest_runs, inputs_of
from hostile.read_forgeries import READ

from rsonnx.errors import RsonnxError
from rsonnx.runs import Fault, check_against, read_part, read_run

__all__ = ["honest_runs"]


@pytest.fixture(autouse=True)
def _beside_the_runs(
    honest_runs: Path, children: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work where the models and the data are; no child process tries these."""
    monkeypatch.chdir(honest_runs)


def _first_check(path: Path, name: str) -> tuple[Check, tuple[Fault, ...]]:
    """Return which check finds a file first, and what a replay of every row finds."""
    try:
        read_part(path)
    except RsonnxError:
        return "reading", ()
    if name in OTHERS:
        merged = path.with_name("merged.jsonl")
        merged.unlink(missing_ok=True)
        if command("merge", path, f"{OTHERS[name]}.jsonl", "-o", merged).code:
            return "merging", ()
        path = merged
    run = read_run(path)
    try:
        replay = check_against(run, *inputs_of(name), count=len(run.rows))
    except RsonnxError:
        return "model and data", ()
    assert replay is not None
    return ("replay", replay.faults) if replay.faults else ("nothing", ())


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_a_forgery_is_found_by_the_check_that_the_table_says(
    forgery: Forgery, tmp_path: Path
) -> None:
    for name in forgery.runs:
        honest, path = Path(f"{name}.jsonl").read_text(), tmp_path / f"{name}.jsonl"
        path.write_text(forgery.edit(honest))
        assert path.read_text() != honest, name
        check, faults = _first_check(path, name)
        assert check == forgery.found, name
        assert forgery.rows in (None, len({fault.index for fault in faults})), name


@pytest.mark.parametrize(
    "name", sorted({*OTHERS, *(name for forgery in FORGERIES for name in forgery.runs)})
)
def test_an_honest_run_is_no_forgery(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.jsonl"
    path.write_text(Path(f"{name}.jsonl").read_text())
    expected = "model and data" if name == "other-model" else "nothing"
    assert _first_check(path, name)[0] == expected


@pytest.mark.parametrize("forgery", READ, ids=lambda forgery: forgery.name)
def test_every_command_refuses_what_reading_finds(forgery: Forgery, tmp_path: Path) -> None:
    name = forgery.runs[0]
    path, output = tmp_path / f"{name}.jsonl", tmp_path / "output"
    forged = forgery.edit(Path(f"{name}.jsonl").read_text())
    path.write_text(forged)
    resumed = golden_tool().words_of(name if name in OTHERS or name in ALL else "fixed")[:-1]
    for words in (
        ("verify", path),
        ("report", path),
        ("attest", path),
        ("export", path, "--csv", "-o", output),
        ("merge", path, "-o", output),
        (*resumed, path, "--resume"),
    ):
        outcome = command(*words)
        assert outcome.code in (1, 2), words
        assert_sentence(outcome)
        assert not output.exists(), words
    assert path.read_text() == forged
