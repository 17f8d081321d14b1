"""The golden runs: what is read from them and what is counted again are the same to the last bit.

``tools/make_golden_runs.py`` made them, and says how. Nothing is compared with a tolerance: counts,
rows, bounds, radii and the figures of reports are those of the files. A header may have gained
fields, and so may what a command prints; nothing may be missing or have another value, but for the
versions of software, the time, and the words that explain a row's fields.
"""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hostile.honest_runs import golden_tool

from rsonnx.noise import NOISES

HERE = Path(__file__).parent
tool = golden_tool()
RUNS = {path.stem: path for path in sorted((HERE / "runs").glob("*.jsonl"))}
SAID = json.loads((HERE / "said.json").read_text("utf-8"))
CERTIFIED = sorted(tool.RUN_COMMANDS)
COUNTED = {name for name in RUNS if name.startswith("samples")}  # without certificates


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the inputs, in which commands run."""
    shutil.copytree(HERE / "inputs", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def other(golden: Any, now: Any, path: str = "") -> list[str]:
    """Return where a value is not the golden one; objects may have gained fields."""
    if isinstance(golden, dict) and isinstance(now, dict):
        lost = [f"{path}.{key} is gone" for key in golden.keys() - now.keys()]
        kept = golden.keys() & now.keys()
        return lost + [d for key in kept for d in other(golden[key], now[key], f"{path}.{key}")]
    if isinstance(golden, list) and isinstance(now, list) and len(golden) == len(now):
        pairs = enumerate(zip(golden, now, strict=True))
        return [d for at, pair in pairs for d in other(*pair, f"{path}.{at}")]
    same = (type(golden), golden) == (type(now), now)
    return [] if same else [f"{path} was {golden!r} and is {now!r}"]


def check_same_run(name: str, path: Path) -> None:
    """Compare a file with a golden one: rows byte for byte, headers field for field."""
    golden, now = tool.read_lines(RUNS[name]), tool.by_nobody(tool.read_lines(path))
    assert not other(golden[0] | {"versions": {}}, now[0])
    assert [json.dumps(line) for line in now[1:]] == [json.dumps(line) for line in golden[1:]]


def tear(name: str, header: dict[str, Any], path: Path) -> None:
    """Write the first half of a golden run, and half of the line behind it."""
    lines = tool.read_lines(RUNS[name])
    half = 1 + (len(lines) - 2) // 2
    tool.write_lines(path, [header, *lines[1:half]])
    with path.open("a", encoding="ascii") as file:
        file.write(json.dumps(lines[half])[:99])


def assert_replayed(path: Path, model: str, data: str, names: str | None = None) -> None:
    """Draw all noise of a run again, and find every vote where it was."""
    classes = () if names is None else ("--classes", names)
    given = ("--model", model, "--data", data, "--replay", 9, *classes, "--json")
    replay = json.loads(tool.call("verify", path, *given))["replay"]
    assert replay["exact"]
    assert not any(row["differing"] for row in replay["rows"])


def test_every_run_is_here() -> None:
    assert set(RUNS) == {*tool.RUN_COMMANDS, *tool.MERGES, *tool.EARLIER} == set(SAID["runs"])
    noises = [tool.read_lines(path)[0]["noise"] for path in RUNS.values()]
    norms = {(noise["distribution"], noise["norm"]) for noise in noises}
    assert norms == {(name, norm) for name, law in NOISES.items() for norm in law.norms}


@pytest.mark.parametrize("name", sorted(set(RUNS) - COUNTED))
def test_commands_say_the_same(name: str, here: Path) -> None:
    shutil.copy(RUNS[name], here)
    assert not other(SAID["runs"][name], tool.said_of(Path(f"{name}.jsonl")))


@pytest.mark.parametrize("name", CERTIFIED)
def test_it_is_certified_again_replayed_and_gone_on_with(name: str, here: Path) -> None:
    path, words = Path(f"{name}.jsonl"), tool.words_of(name)
    tool.call(*words)
    check_same_run(name, path)
    if name not in COUNTED:
        assert_replayed(path, *words[1:3], *(["names.txt"] if "--classes" in words else []))
    tear(name, tool.read_lines(path)[0], path)
    tool.call(*words, "--resume")
    check_same_run(name, path)


def test_rows_that_ran_alone_are_replayed_where_they_are_proved_now(here: Path) -> None:
    shutil.copy(RUNS["float16-alone"], here)
    given = ("--model", "image.onnx", "--data", "grey.npz", "--replay", 9, "--json")
    replay = json.loads(tool.call("verify", "float16-alone.jsonl", *given))["replay"]
    assert [row["differing"] for row in replay["rows"]] == [0, 0, 0]


def test_a_checkpoint_as_it_was_written_is_gone_on_with(here: Path) -> None:
    """Its counts are other ones than the noise gives, so that they are seen to be taken."""
    path, words = Path("fixed.jsonl"), tool.words_of("fixed")
    tool.call(*words)
    lines = tool.read_lines(path)
    tool.write_lines(path, lines[:2])
    kept = {"selection": {"2": 30}, "estimation": {"2": 90, "no_class": 10}}
    answers = [
        {"stage": stage, "start": 0, "stop": sum(counts.values()), "counts": counts}
        for stage, counts in kept.items()
    ]
    checkpoint = {
        "kind": "checkpoint",
        "format": "rsonnx-partial",
        "format_version": 1,
        "run": sha256(json.dumps(lines[0]).encode()).hexdigest(),
        "inputs": [{"index": 1, "digest": lines[2]["digest"], "answers": answers}],
    }
    body = json.dumps(checkpoint).encode() + b"\n"
    ending = json.dumps({"sha256": sha256(body).hexdigest()}).encode() + b"\n"
    Path("fixed.jsonl.partial").write_bytes(body + ending)
    tool.call(*words, "--resume")
    again = tool.read_lines(path)
    assert again[2]["counts"]["selection"] == kept["selection"]
    assert again[2]["counts"]["estimation"]["no_class"] == 10
    assert sum(again[2]["counts"]["estimation"].values()) == 300
    assert again[3]["counts"] == lines[3]["counts"]
    assert not Path("fixed.jsonl.partial").exists()


@pytest.mark.parametrize("name", sorted(tool.MERGES))
def test_parts_are_merged_again(name: str, here: Path) -> None:
    for part in tool.MERGES[name]:
        shutil.copy(RUNS[part], here)
    tool.call(*tool.words_of(name))
    check_same_run(name, Path(f"{name}.jsonl"))


def test_a_run_of_the_first_stream_is_gone_on_with_and_replayed(here: Path) -> None:
    """By the noise of its time; the versions of what computes are taken for those of now."""
    tool.call(*tool.words_of("fixed"))
    (header, *_), path = tool.read_lines(RUNS["first"]), Path("run.jsonl")
    tear("first", header | {"versions": tool.read_lines(Path("fixed.jsonl"))[0]["versions"]}, path)
    words = header["arguments"]["given"]
    tool.call(*words[: words.index("-o")], "-o", path, "--resume")
    check_same_run("first", path)
    assert_replayed(path, *words[1:3])


@pytest.mark.parametrize("name", tool.BY_E_PROCESS)
def test_a_run_that_an_e_process_decides_is_gone_on_with_and_replayed(
    name: str, here: Path
) -> None:
    tool.call(*tool.words_of(name))
    (now, *_), (then, *_) = map(tool.read_lines, (Path(f"{name}.jsonl"), RUNS[f"{name}-e-process"]))
    header = now | {field: then[field] for field in ("bound", "largest_radius")}
    tear(f"{name}-e-process", header, Path(f"{name}.jsonl"))
    tool.call(*tool.words_of(name), "--resume")
    check_same_run(f"{name}-e-process", Path(f"{name}.jsonl"))
    assert_replayed(Path(f"{name}.jsonl"), *tool.words_of(name)[1:3])


@pytest.mark.parametrize("name", sorted(tool.PREDICTIONS))
def test_the_smoothed_classifier_answers_the_same(name: str, here: Path) -> None:
    golden, now = SAID["predict"][name], tool.predictions(name)
    assert len(golden) == len(now)
    assert not [where for a, b in zip(golden, now, strict=True) for where in other(a, b)]
