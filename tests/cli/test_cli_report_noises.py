"""What reads runs says the right thing of every kind of noise, norm and of exact runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner, Result
from html_pages import tree
from noise_models import FEATURES, banded_images, coded_table, codes_model, two_channels
from onnx_models import linear

from rsonnx.cli import cli
from rsonnx.errors import RunFileError, UsageError

WAYS = {
    "gaussian": ("plain", "--sigma 0.5"),
    "laplace": ("plain", "--noise laplace --sigma 0.5"),
    "uniform": ("plain", "--noise uniform --sigma 0.5 --norm linf"),
    "splitting": ("plain", "--noise splitting --lambda 0.1"),
    "per-feature": ("plain", "--sigma-per-feature"),
    "columns": ("two", "--noise columns,width=1"),
    "ablation": ("two", "--noise ablation,keep=3"),
    "flips": ("codes", "--noise flips,keep=0.8,values=4 --bounds 0 3"),
}
EXACT = ("splitting", "columns")
LABELS = {
    "gaussian": "gaussian sigma = 0.5",
    "laplace": "laplace sigma = 0.5",
    "uniform": "uniform sigma = 0.5",
    "splitting": "splitting lambda = 0.1",
    "per-feature": "gaussian-per-feature",
    "columns": "columns of width 1",
    "ablation": "ablation keep = 3 of 81",
    "flips": "flips keep = 0.8 of 4 values",
}
UNITS = {
    "per-feature": "mahalanobis radius in standard deviations of the noise",
    "columns": "patch radius in pixels",
    "ablation": "l0 radius in pixels",
    "flips": "l0 radius in features",
}


def invoke(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    here = tmp_path_factory.mktemp("noises")
    onnx.save(linear(("batch", 1, 9, 9), 3), here / "plain.onnx")
    onnx.save(two_channels(), here / "two.onnx")
    onnx.save(codes_model(), here / "codes.onnx")
    images, table = banded_images(here / "images.npz"), coded_table(here / "codes.npz")
    sigmas = here / "sigmas.txt"
    sigmas.write_text("0.5\n" * 81)
    made = {}
    for name, (model, given) in WAYS.items():
        options = [*given.split(), "--preprocess", "none", "--seed", "1"]
        options += [] if name in EXACT else ["--n", "200"]
        if name == "per-feature":
            options.insert(1, str(sigmas))
        path = made[name] = here / f"{name}.jsonl"
        data = table if model == "codes" else images
        found = invoke("certify", here / f"{model}.onnx", data, *options, "-o", path)
        assert found.exit_code == 0, found.output
    return made


def header_of(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text().partition("\n")[0])
    return found


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv", "json"])
def test_every_format_names_the_noise(name: str, form: str, runs: dict[str, Path]) -> None:
    found = invoke("report", runs[name], "--format", form)
    assert found.exit_code == 0, found.output
    label = LABELS[name]
    if form in ("csv", "json"):
        (one,) = (
            json.loads(found.stdout)
            if form == "json"
            else csv.DictReader(found.stdout.splitlines())
        )
        assert one["noise"] == label
        assert (one["sigma"] in (None, "")) == ("sigma =" not in label)
        assert (float(one["alpha"]) == 0) == (name in EXACT)
        return
    if form == "latex":
        label = label.replace("sigma = 0.5", r"$\sigma = 0.5$")
        label = label.replace("lambda = 0.1", r"$\lambda = 0.1$")
    column = "0.5" if name == "gaussian" else label
    assert any(column in line for line in found.stdout.splitlines()[:8])
    said = " ".join(found.stdout.split()).replace("{-}", "-")
    assert UNITS.get(name, "radius in input values between 0 and 1") in said
    none = "false certificates: none possible, since every change that the noise can make was"
    assert (none in said) == (name in EXACT)
    assert ("alpha = 0.001 an input" in said) == (name not in EXACT)
    assert ("samples: " in said) == (name not in EXACT)
    assert ("at every 8-bit input closer" in said) == (name == "splitting")
    assert ("[N" in said.replace(r"\[", "[").replace("{[}", "[").split("Assumed")[0]) == (
        name not in EXACT
    )


@pytest.mark.parametrize("name", WAYS)
def test_cards_pages_pictures_and_attestations(
    name: str, runs: dict[str, Path], tmp_path: Path
) -> None:
    card, page, picture = tmp_path / "card.md", tmp_path / "page.html", tmp_path / "curve.svg"
    found = invoke("report", runs[name], "--card", card, "--html", page, "--plot", picture)
    assert found.exit_code == 0, found.output
    said = card.read_text()
    assert f"- Noise: {LABELS[name].replace('gaussian sigma', 'gaussian, sigma')}" in said
    assert ("Probability of error (alpha): none" in said) == (name in EXACT)
    assert ("No certificate is certain" in said) == (name not in EXACT)
    assert ("- Bound and radius rule: exact\n" in said) == (name in EXACT)
    words = tree(page.read_text()).text
    assert LABELS[name].removeprefix("gaussian ") in words
    assert ("is certain to keep" in words) == (name in EXACT)
    assert ("confidence in each certificate" in words) == (name not in EXACT)
    assert ("was drawn in floating point" in words) == (name == "per-feature")
    whole = name in ("columns", "ablation", "flips")
    assert ("Nothing is said of a change at or beyond" in words) != whole
    assert ("off the 8-bit grid" in words) == (name == "splitting")
    if name in UNITS:
        assert UNITS[name] in picture.read_text()
    statement = tmp_path / "statement.json"
    assert invoke("attest", runs[name], "-o", statement).exit_code == 0
    assert invoke("verify", runs[name], "--attestation", statement).exit_code == 0


def test_other_sigmas_per_feature_are_other_units(runs: dict[str, Path], tmp_path: Path) -> None:
    """A standard deviation is another length there, so such runs are not ranked."""
    sigmas, other = tmp_path / "sigmas.txt", tmp_path / "other.jsonl"
    sigmas.write_text("0.25\n" * 81)
    here = runs["per-feature"].parent
    words = ["certify", here / "plain.onnx", here / "images.npz", "--sigma-per-feature", sigmas]
    words += ["--preprocess", "none", "--seed", "1", "--n", "200", "-o", other]
    made = invoke(*words)
    assert made.exit_code == 0, made.output
    found = invoke("report", runs["per-feature"], other)
    assert "*" not in found.stdout
    found = invoke("report", runs["per-feature"], other, "--paired")
    assert isinstance(found.exception, UsageError)
    assert "one norm and one unit were expected" in str(found.exception)


@pytest.mark.parametrize("name", ["columns", "ablation"])
def test_pictures_of_what_is_shown_as_x_and_1_minus_x(
    name: str, runs: dict[str, Path], tmp_path: Path
) -> None:
    page, data = tmp_path / "page.html", runs[name].parent / "images.npz"
    assert invoke("report", runs[name], "--html", page, "--data", data).exit_code == 0
    words = tree(page.read_text()).text
    assert "have the digest" in words
    assert "left out" not in words


@pytest.mark.parametrize("name", WAYS)
def test_verify_says_what_is_proved(name: str, runs: dict[str, Path]) -> None:
    found = invoke("verify", runs[name])
    assert found.exit_code == 0, found.output
    exact = "8 of them proved by integer arithmetic (all changes were counted"
    bounds = "of 8 the bounds on probabilities proved by integer arithmetic; radii of"
    assert (exact in found.stdout) == (name in EXACT)
    gaussian = name in ("gaussian", "per-feature")
    assert (bounds in found.stdout) == (name not in EXACT and not gaussian)
    assert json.loads(invoke("verify", runs[name], "--json").stdout)["bounded"] == 8


def test_whole_radii_are_shown_as_they_are(runs: dict[str, Path]) -> None:
    for name in ("columns", "ablation", "flips"):
        (found,) = json.loads(invoke("report", runs[name], "--json").stdout)
        assert all(r == int(r) for r in found["radii"])
        rows = [json.loads(line) for line in runs[name].read_text().splitlines()[1:-1]]
        certified = [row for row in rows if not row["abstained"]]
        assert found["certified_share"][0] == len(certified) / len(rows)
    assert any(row["radius"] == 0 for row in certified)  # of flips: the input itself is certain
    assert any(0 < row["radius"] <= FEATURES for row in certified)


def test_an_exact_run_takes_nothing_to_restate_it_by(runs: dict[str, Path]) -> None:
    for option in (["--alpha", "0.01"], ["--bound", "hoeffding"], ["--radius", "two-sided"]):
        found = invoke("report", runs["splitting"], *option)
        assert isinstance(found.exception, UsageError)
        assert "counted every change that its noise can make" in str(found.exception)
    found = invoke("report", runs["ablation"], "--alpha", "0.05", "--radius", "two-sided")
    assert found.exit_code == 0
    assert "restated at alpha = 0.05" in found.stdout


def test_an_exact_run_stands_beside_a_sampled_one(runs: dict[str, Path]) -> None:
    found = invoke("report", runs["laplace"], runs["splitting"])
    assert "norm, units and alpha (1 counted in full, which holds at every alpha)" in " ".join(
        found.stdout.split()
    )
    assert "different alphas" not in found.stdout
    said = " ".join(invoke("report", runs["laplace"], runs["splitting"], "--paired").stdout.split())
    assert "counted every change that its noise can make, so its certificates are certain" in said
    assert "is certified at every point closer than the input's radius in the l1 norm" in said


def test_several_norms_are_told_apart(runs: dict[str, Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    found = invoke("report", runs["gaussian"], runs["laplace"], "--html", page)
    assert "gaussian sigma = 0.5, l2" in found.stdout
    assert "laplace sigma = 0.5, l1" in found.stdout
    assert "different norms or units" in found.stdout
    assert "their curves cannot be compared" in tree(page.read_text()).text
    refused = invoke("report", runs["gaussian"], runs["laplace"], "--plot", tmp_path / "c.svg")
    assert isinstance(refused.exception, UsageError)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("laplace", {"bound": "exact"}),
        ("laplace", {"bound": "exact", "alpha": 0.0}),
        ("laplace", {"alpha": 0.0}),
        ("splitting", {"alpha": 0.001}),
        ("splitting", {"bound": "clopper-pearson", "alpha": 0.001}),
        ("splitting", {"largest_radius": -1}),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(
    name: str, changed: dict[str, object], runs: dict[str, Path], tmp_path: Path
) -> None:
    _refused(runs[name], header_of(runs[name]) | changed, tmp_path)


@pytest.mark.parametrize(
    "noise",
    [
        {"norm": "l2"},
        {"sigma": 0.25},
        {"sigma": None},
        {"distribution": "cubic\x1b"},
        {"distribution": []},
        {"parameters": []},
        {"parameters": {"lam": 10**400, "norm": "l1"}},
        {"parameters": {"lam": "x", "norm": "l1"}},
        {"parameters": {"lam": 0.5, "norm": "l1", "more": 1}},
        {"parameters": None},
    ],
)
def test_a_header_of_impossible_noise_is_refused(
    noise: dict[str, object], runs: dict[str, Path], tmp_path: Path
) -> None:
    header = header_of(runs["laplace"])
    recorded = header["noise"]
    assert isinstance(recorded, dict)
    _refused(runs["laplace"], header | {"noise": recorded | noise}, tmp_path)


def _refused(path: Path, header: dict[str, object], folder: Path) -> None:
    changed = folder / "changed.jsonl"
    rest = path.read_text().partition("\n")[2]
    changed.write_text(f"{json.dumps(header)}\n{rest}")
    found = invoke("report", changed)
    assert isinstance(found.exception, RunFileError), found.output
    assert "changed.jsonl, line 1" in str(found.exception)
    assert "\x1b" not in str(found.exception)


def test_a_run_from_before_there_was_other_noise_is_read(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    header = header_of(runs["gaussian"])
    recorded = header["noise"]
    assert isinstance(recorded, dict)
    del recorded["parameters"]
    old = tmp_path / "gaussian.jsonl"
    old.write_text(f"{json.dumps(header)}\n{runs['gaussian'].read_text().partition(chr(10))[2]}")
    for command in ("report", "verify"):
        assert invoke(command, old).stdout == invoke(command, runs["gaussian"]).stdout
