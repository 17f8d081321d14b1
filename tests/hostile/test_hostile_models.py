"""A model is a file from a stranger: any file is loaded or refused with a sentence.

Nothing of what it says may take the parent process down, run what must not run, or read what does
not belong to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import assert_sentence, command, done, refused
from hostile import hostile_files, hostile_graphs, trying
from hostile.hostile_files import CONTROL
from hostile.making import ENDLESS, HARMLESS, SLOW
from tried_models import CHILD

from rsonnx.errors import ModelError, RsonnxError
from rsonnx.model import ModelSettings, read, read_model
from rsonnx.smoothing import isolation, make_plan, try_in_child

MAKERS = hostile_files.MAKERS | hostile_graphs.MAKERS
QUICK = [name for name in MAKERS if name not in SLOW]

GOLDEN = Path(__file__).parents[1] / "golden" / "runs"

SETTINGS = ModelSettings(preprocess="zero-one")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each file in a folder of its own."""
    made = {}
    for number, name in enumerate(QUICK):
        folder = tmp_path_factory.mktemp("hostile") / str(number)
        folder.mkdir()
        made[name] = MAKERS[name](folder)
    return made


def _assert_sentence(message: str, path: Path) -> None:
    assert path.name in message or "the model's metadata" in message
    assert "\n" not in message
    assert len(message) > 30


@pytest.mark.usefixtures("children")
@pytest.mark.parametrize("name", QUICK)
def test_reading_and_planning_end_in_a_sentence(name: str, files: dict[str, Path]) -> None:
    path = files[name]
    for preprocess in ((), ("--preprocess", "zero-one")):
        outcome = command("inspect", path, "--json", *preprocess)
        assert outcome.code in (0, 2, 4), outcome
        if outcome.out:
            assert len(outcome.json()["sha256"]) == 64
        else:
            assert_sentence(outcome, path.name)
    with contextlib.suppress(ModelError):
        json.dumps(make_plan(read_model(path), SETTINGS).facts)  # as --json prints them


@pytest.fixture(scope="module")
def loaded(files: dict[str, Path]) -> dict[str, dict[str, str]]:
    """What came of loading every file, tried in children of one process."""
    names = [name for name in QUICK if name not in ENDLESS]
    tried = subprocess.run(
        [sys.executable, trying.__file__, *(str(files[name]) for name in names)],
        capture_output=True,
        check=True,
        timeout=300,
    )
    lines = [json.loads(line) for line in tried.stdout.splitlines()]
    assert len(lines) == len(names)
    return dict(zip(names, lines, strict=True))


@pytest.mark.parametrize("name", [n for n in QUICK if n not in ENDLESS])
def test_loading_ends_in_a_sentence(
    name: str, files: dict[str, Path], loaded: dict[str, dict[str, str]]
) -> None:
    outcome, message = loaded[name]["outcome"], loaded[name]["message"]
    if name in HARMLESS:
        assert (outcome, message) == ("loaded", "")
    else:
        assert outcome == "ModelError", message
        _assert_sentence(message, files[name])


@pytest.mark.parametrize("words", ["inspect MODEL", "verify RUN --model MODEL"])
def test_what_crashes_its_reader_is_a_sentence(
    words: str, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's model is parsed in the child alone, which here is one that dies."""
    path, run = files["control characters"], GOLDEN / "first.jsonl"

    monkeypatch.setattr(isolation, "COMMAND", (sys.executable, "-c", "import os; os.abort()"))
    monkeypatch.setattr(isolation, "Child", CHILD)
    monkeypatch.setattr(read, "_bytes_of", None)
    outcome = command(*({"MODEL": path, "RUN": run}.get(word, word) for word in words.split()))
    assert outcome.code == 4
    assert path.name in outcome.err
    assert "SIGABRT" in outcome.err


def test_a_loop_without_end_is_stopped(files: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="took more than 2 s to load and probe"):
        try_in_child(files["endless loop"], SETTINGS, seconds=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW))
def test_what_takes_longer_ends_in_a_sentence_too(name: str, tmp_path: Path) -> None:
    path = MAKERS[name](tmp_path)
    verdict = done("inspect", path, "--json", "--preprocess", "zero-one").json()["verdict"]
    assert "can be certified" in verdict
    if name in HARMLESS:
        try_in_child(path, SETTINGS)
    else:
        with pytest.raises(ModelError) as caught:
            try_in_child(path, SETTINGS, memory=4 * 2**30)
        _assert_sentence(str(caught.value), path)


@pytest.mark.parametrize("megabytes", [40, 160])
def test_a_child_that_may_not_have_the_memory_is_a_sentence(
    megabytes: int, files: dict[str, Path]
) -> None:
    """Not even for what it imports: numpy then says so in a screen of words."""
    path = files["3000 nodes"]
    with pytest.raises(ModelError) as caught:
        try_in_child(path, SETTINGS, memory=megabytes * 2**20)
    _assert_sentence(str(caught.value), path)


@pytest.mark.parametrize("name", ["bomb of Expand", "two nodes of one output"])
def test_certify_refuses_what_only_loading_shows(
    name: str, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", x=np.zeros((1, 4), np.float32), y=[0])
    words = (
        "data.npz",
        "--sigma",
        0.5,
        "--preprocess",
        "zero-one",
        "--providers",
        "cpu",
        "-o",
        "r",
    )
    refused("certify", files[name], *words, code=4, named=files[name].name)


def test_inspect_shows_a_strangers_words_without_their_effect(files: dict[str, Path]) -> None:
    out = done("inspect", files["control characters"]).out
    assert not set(CONTROL) - {"\n"} & set(out) - set("[]2J0;owned")
    assert r"\x1b[2J" in out


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.onnx"
    os.mkfifo(pipe)  # opening it would wait for a writer
    (folder := tmp_path / "folder").mkdir()
    for path in (pipe, Path("/dev/zero"), folder):
        with pytest.raises(RsonnxError, match="is not a file"):
            read_model(path)


def test_a_name_of_ours_is_refused_where_it_would_change_the_model(files: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="'rsonnx_zero', but names that begin with rsonnx_"):
        read_model(files["our name as weight"])


def test_a_models_metadata_name_no_file_of_this_machine(files: dict[str, Path]) -> None:
    with pytest.raises(RsonnxError, match="cannot be understood"):
        make_plan(read_model(files["preprocessing of a file"]), ModelSettings())


@pytest.mark.parametrize("name", [name for name in MAKERS if " double " in name])
def test_functions_are_counted_as_often_as_they_are_called(
    name: str, files: dict[str, Path]
) -> None:
    assert files[name].stat().st_size < 6_000
    with pytest.raises(ModelError, match="functions that come to"):
        read_model(files[name])
