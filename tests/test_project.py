"""What the project says of itself, and what is installed of it."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import rsonnx

ROOT = Path(__file__).resolve().parents[1]


def test_who_cites_cites_the_newest_release_of_the_changelog() -> None:
    yaml = pytest.importorskip("yaml")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == rsonnx.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = [line.removeprefix("## ") for line in changes.splitlines() if line[:3] == "## "]
    assert sections[0] == "Unreleased"
    assert sections[1] == f"{cited['version']} ({cited['date-released']})"


def test_every_paper_that_is_cited_stands_among_the_sources() -> None:
    listed = (ROOT / "docs/reference/sources.md").read_text(encoding="utf-8")
    for folder in ("rsonnx", "tools", "docs", "sample_models"):
        for path in (ROOT / folder).rglob("*.[pm][yd]"):
            for number in re.findall(r"\b\d{4}\.\d{5}\b", path.read_text(encoding="utf-8")):
                year, month = int(number[:2]), int(number[2:4])
                if 15 <= year <= 26 and 1 <= month <= 12:  # else it is a measured figure
                    assert number in listed, (path, number)


def test_a_form_of_an_issue_asks_for_something() -> None:
    yaml = pytest.importorskip("yaml")
    forms = [*ROOT.glob(".github/ISSUE_TEMPLATE/*.yml")]
    assert forms
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert form["name"]
        assert form["description"]
        assert any(part.get("validations", {}).get("required") for part in form["body"])


def _run(*words: object, cwd: Path) -> str:
    done = subprocess.run(
        [*map(str, words)], cwd=cwd, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _built(source: Path, target: Path, *kind: str) -> Path:
    _run(sys.executable, "-m", "hatchling", "build", "-d", target, *kind, cwd=source)
    (made,) = target.iterdir()
    return made


@pytest.mark.slow
def test_what_is_published_installs_where_nothing_else_is(tmp_path: Path) -> None:
    """The source distribution makes the wheel that the tree makes, and that runs on its own."""
    pytest.importorskip("hatchling", reason="building needs the extra rsonnx[dist]")
    pytest.importorskip("twine", reason="building needs the extra rsonnx[dist]")
    source = _built(ROOT, tmp_path / "source", "-t", "sdist")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    wheel = _built(ROOT, tmp_path / "wheel", "-t", "wheel")
    unpacked = tmp_path / source.name.removesuffix(".tar.gz")
    again = _built(unpacked, tmp_path / "again", "-t", "wheel")
    assert again.read_bytes() == wheel.read_bytes()
    _run(sys.executable, "-m", "twine", "check", "--strict", source, wheel, cwd=tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    assert "rsonnx/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert all(name.startswith(("rsonnx/", "rsonnx-")) for name in names)
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean/bin/python"
    _run(python, "-m", "pip", "install", "--quiet", f"{wheel}[cpu]", cwd=tmp_path)
    model = ROOT / "sample_models/mnist_gaussian_0.50.onnx"
    data = ROOT / "sample_models/mnist_test_500"
    settings = ("--sigma=0.5", "--n=100", "--limit=2", "-o", "run.jsonl")
    installed = tmp_path / "clean/bin/rsonnx"
    assert model.name in _run(installed, "certify", model, data, *settings, cwd=tmp_path)
    _run(installed, "verify", "run.jsonl", cwd=tmp_path)
    _run(python, "-m", "pip", "check", cwd=tmp_path)
