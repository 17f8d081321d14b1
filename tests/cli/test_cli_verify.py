"""``verify`` and ``attest``: what was changed is found, wherever, and what is strange is no bug."""

from __future__ import annotations

import base64
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from commands import assert_sentence, command, done, lines_of, refused, write_lines
from PIL import Image

Lines = list[dict[str, Any]]
Files = dict[str, Lines]
RUNS = {"fixed": "--n 400", "named": "--n 400 --classes names.txt"}
REPLAY = "--model tiny.onnx --data set --replay 99"
FORGED = Path("forged.jsonl")


@pytest.fixture(scope="module")
def made(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verified")
    (folder / "names.txt").write_text("".join(f"{k}\n" for k in range(10)))
    for name in ("tiny.onnx", "set"):
        (folder / name).symlink_to(workshop / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, options in RUNS.items():
            base = "certify tiny.onnx set --sigma 0.25 --n0 30 --seed 3 --quiet"
            done(f"{base} {options} -o {name}.jsonl")
        done("attest fixed.jsonl -o statement.json")
    return folder


@pytest.fixture
def files(made: Path, here: Path) -> Files:
    """The lines of the runs, which lie in this folder."""
    for path in made.iterdir():
        if not path.is_symlink():
            shutil.copy(path, here)
    return {name: lines_of(here / f"{name}.jsonl") for name in RUNS}


@pytest.mark.parametrize(("field", "value"), [("radius", 0.5), ("p_a_lower", 0.99)])
def test_an_edited_figure_is_found_without_the_model(
    field: str, value: float, files: Files
) -> None:
    row = next(line for line in files["fixed"][1:-1] if not line["abstained"])
    row[field] = value
    write_lines(FORGED, files["fixed"])
    found = command(f"verify {FORGED} --json")
    assert found.code == 1
    assert [fault["index"] for fault in found.json()["faults"]] == [row["index"]]


def test_another_model_and_changed_data_are_found(files: Files) -> None:
    assert command("verify fixed.jsonl --model fragile.onnx").code == 1
    done("verify fixed.jsonl --model tiny.onnx")
    data = Path("copy")
    shutil.copytree("set", data)
    words = f"verify fixed.jsonl --model tiny.onnx --data {data}"
    done(words)
    with Image.open(data / "4" / "centre.png") as image:
        pixels = image.copy()
    pixels.putpixel((0, 0), 0)
    pixels.save(data / "4" / "centre.png")
    outcome = command(words)
    assert outcome.code == 1
    assert "the input 8" in outcome.err
    (data / "4").rename(data / "40")
    assert command(words).code == 1
    shutil.rmtree(data / "40")
    assert command(words).code == 1


def test_a_file_that_a_header_names_is_not_opened(files: Files) -> None:
    outcome = command(f"verify named.jsonl {REPLAY}")
    assert outcome.code == 2
    assert_sentence(outcome, "--classes")
    done(f"verify named.jsonl {REPLAY} --classes names.txt")


def test_a_run_without_rows_is_not_replayed(files: Files) -> None:
    write_lines(FORGED, files["fixed"][:1])
    outcome = command(f"verify {FORGED} {REPLAY}")
    assert outcome.code == 1
    assert_sentence(outcome, str(FORGED))


def test_an_attestation_holds_bare_and_in_an_envelope(files: Files) -> None:
    found = json.loads(Path("statement.json").read_text())
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert [s["annotations"]["role"] for s in found["subject"]] == ["model", "data", "run file"]
    shutil.copy("fixed.jsonl", "renamed.jsonl")  # a name says nothing
    done("verify renamed.jsonl --attestation statement.json")
    found["subject"][-1]["name"] = "ÿþ~~~???>>>"  # in which the two alphabets differ
    content = json.dumps(found, ensure_ascii=False).encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        fields = {"payloadType": "application/vnd.in-toto+json", "signatures": []}
        Path("envelope.json").write_text(json.dumps(fields | {"payload": encode(content).decode()}))
        said = done("verify fixed.jsonl --attestation envelope.json --json").json()
        assert said["attestation"] == "envelope.json"


def test_a_statement_from_before_shares_were_counted_holds(files: Files) -> None:
    found = json.loads(Path("statement.json").read_text())
    summary = found["predicate"]["summary"]
    for name in [name for name in summary if name.endswith("_count")]:
        del summary[name]
    del summary["name"], summary["certified_wrong"]
    shares = summary["certified_accuracy"]
    summary["certified_accuracy"] = [math.nextafter(share, 0.0) for share in shares]
    Path("earlier.json").write_text(json.dumps(found))
    done("verify fixed.jsonl --attestation earlier.json")
    del summary["certified_share"]
    Path("earlier.json").write_text(json.dumps(found))
    assert command("verify fixed.jsonl --attestation earlier.json").code == 1


def test_a_statement_that_says_more_or_something_twice_is_refused(files: Files) -> None:
    text = json.dumps(json.loads(Path("statement.json").read_text()))
    envelope = {"payloadType": "application/vnd.in-toto+json", "signatures": []}
    envelope["payload"] = base64.b64encode(text.encode()).decode()
    for good in (text, json.dumps(envelope)):
        for more in ('"later": 1', good[1 : good.index(",")]):
            Path("more.json").write_text("{" + more + ", " + good[1:])
            outcome = command("verify fixed.jsonl --attestation more.json")
            assert outcome.code == 1
            assert_sentence(outcome, "more.json")
            assert more[1 : more.index('":')] in outcome.err


@pytest.mark.parametrize(
    "change",
    [
        'found["subject"].pop()',
        'found["subject"].append(found["subject"][0])',
        'found["subject"].append({"name": "other.onnx", "digest": {"sha256": "0" * 64}})',
        'found["subject"][0]["digest"]["sha256"] = "0" * 64',
        'found["subject"][0]["name"] = "other.onnx"',
        'found["subject"][0]["annotations"]["role"] = "data"',
        'found["subject"][2]["digest"]["sha512"] = "0" * 128',
        'found["predicate"]["summary"]["acr"] += 0.01',
        'found["predicate"]["header"]["noise"]["sigma"] = 1.0',
        'found["predicate"]["header"]["format_version"] = True',  # in Python 1 == True
        'found["predicate"]["approved"] = "by everyone"',
    ],
)
def test_what_a_statement_says_otherwise_or_beyond_the_run_is_found(
    change: str, files: Files
) -> None:
    found = json.loads(Path("statement.json").read_text())
    exec(change, {"found": found})  # noqa: S102 - of the list above
    Path("changed.json").write_text(json.dumps(found))
    assert command("verify fixed.jsonl --attestation changed.json").code == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"_type": 3}',
        b'{"payload": 3, "payloadType": "application/vnd.in-toto+json"}',
        b'{"payload": "e30=", "payloadType": "application/vnd.in-toto+json"}',
        b'{"payload": "!", "payloadType": "x"}',
        b"[" * 100_000,
        (b'"acr":', b'"acr": 9.9, "acr":'),  # one reader takes the first value, another the last
        (b'"predicate":', b'"extra": NaN, "predicate":'),
    ],
)
def test_what_is_no_statement_is_one_sentence(content: Any, files: Files) -> None:
    if isinstance(content, tuple):
        content = Path("statement.json").read_bytes().replace(*content, 1)
    Path("strange.json").write_bytes(content)
    refused("verify fixed.jsonl --attestation strange.json", code=1, named="strange.json")


def test_what_is_not_whole_is_not_attested(files: Files) -> None:
    write_lines(FORGED, files["fixed"][:-1])
    refused("attest", FORGED, code=1, named="incomplete")


def test_a_digest_of_several_files_is_called_so(files: Files) -> None:
    lines = files["fixed"]
    lines[0]["model"]["external_data"] = ["weights.bin"]
    write_lines(FORGED, lines)
    model = json.loads(done("attest", FORGED).out)["subject"][0]
    assert "external data" in model["annotations"]["content"]
