"""``report``: formats, logs, comparisons, gates, restated figures, top-k, pictures and cards."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from commands import command, done, lines_of, refused, write_lines

from rsonnx.noise import Gaussian
from rsonnx.procedures import Fixed
from rsonnx.procedures.top_k import certify_top_k
from rsonnx.report.page import page_environment
from rsonnx.runs import read_run
from rsonnx.statistics import family_wise_alpha

FORMS = ("table", "markdown", "latex", "csv", "json")
BASE = "certify tiny.onnx set --n 1000 --n0 30 --seed 3 --limit 8 --quiet --providers cpu --sigma"
RANDOMISED = "randomized-clopper-pearson"
RUNS = {
    "a": f"{BASE} 0.25",
    "b": f"{BASE} 0.5",
    "two": f"{BASE} 0.25 --radius two-sided",
    "randomised": f"{BASE} 0.25 --bound {RANDOMISED}",
    "family": f"{BASE} 0.25 --family-wise --alpha 0.008",
    "adaptive": f"{BASE} 0.25 --target-radius 0.1",
    "shared": f"{BASE} 0.25 --share-noise",
    "shard": f"{BASE} 0.25 --shard 1/4",
    "unlabelled": "certify tiny.onnx plain --n 1000 --seed 3 --quiet --sigma 0.25",
    "laplace": "certify image.onnx grey.npz --noise laplace --sigma 0.25 --n 200 --seed 3",
    "feature": "certify image.onnx grey.npz --sigma-per-feature sigmas.txt --n 200 --seed 3",
    "wider": "certify image.onnx grey.npz --sigma-per-feature wider.txt --n 200 --seed 3",
    "splitting": "certify image.onnx grey.npz --noise splitting --lambda 0.1",
    "columns": "certify pair.onnx grey.npz --noise columns,width=2",
    "ablation": "certify pair.onnx grey.npz --noise ablation,keep=5 --n 200 --seed 3",
    "flips": "certify codes.onnx codes.npz --noise flips,keep=0.8,values=4 --n 200 --seed 3",
}
NOISES = ("laplace", "feature", "splitting", "columns", "ablation", "flips")
COUNTED = ("splitting", "columns")


@pytest.fixture(scope="module")
def made(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reported")
    for path in workshop.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "wider.txt").write_text("0.5\n" * 64)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, words in RUNS.items():
            done(f"{words} -o {name}.jsonl")
        done("export a.jsonl --tsv -o log.tsv")
    lines = (folder / "a.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "late.jsonl").write_bytes(b"".join(lines[:4]))
    (folder / "empty.jsonl").write_bytes(lines[0])
    return folder


@pytest.fixture
def runs(made: Path, here: Path) -> Path:
    """The folder in which all the runs lie."""
    for path in made.iterdir():
        if not path.is_symlink():
            shutil.copy(path, here)
    return here


def figures(words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = done(f"report {words} --json").json()
    return found


def right_at(name: str, radius: float) -> Fraction:
    rows = read_run(f"{name}.jsonl").rows
    return Fraction(sum(row.correct and row.radius >= radius for row in rows), len(rows))


def test_figures_are_those_of_the_rows(runs: Path) -> None:
    late, a = figures("late.jsonl a.jsonl --radii 0,0.123456789,0.3")
    rows = read_run("a.jsonl").rows
    assert (late["status"], late["inputs"], a["status"], a["inputs"]) == (
        "incomplete",
        3,
        "complete",
        8,
    )
    assert a["radii"] == [0, 0.123456789, 0.3]
    assert a["certified_accuracy"] == [float(right_at("a", r)) for r in a["radii"]]
    assert a["acr"] == pytest.approx(sum(row.radius for row in rows if row.correct) / 8, rel=1e-12)
    assert a["abstained"] == sum(row.abstained for row in rows) > 0
    stated = a["statements"]
    assert stated["false_certificates"]["expected"] == pytest.approx(0.008)
    (unlabelled,) = figures("unlabelled.jsonl")
    assert (unlabelled["acr"], unlabelled["certified_accuracy"]) == (None, None)
    assert figures("a.jsonl --radii=-0.0,0.5")[0]["radii"] == [0, 0.5]
    refused("report a.jsonl empty.jsonl", code=1, named="empty.jsonl")


@pytest.mark.parametrize("form", FORMS)
def test_every_format_holds_the_same_figures(form: str, runs: Path) -> None:
    said = done("report a.jsonl late.jsonl log.tsv --radii 0,0.2 --format", form)
    assert said.err == ""
    assert "incomplete" in said.out
    assert said.out.endswith("\n")
    assert not said.out.endswith("\n\n")
    expected = [float(right_at("a", r)) for r in (0, 0.2)]
    if form == "csv":
        lines = list(csv.DictReader(io.StringIO(said.out)))
        assert [line["status"] for line in lines] == ["complete", "incomplete", ""]
    elif form == "json":
        assert [one.get("status") for one in said.json()] == ["complete", "incomplete", None]
        assert said.json()[0]["certified_accuracy"] == said.json()[2]["certified_accuracy"]
        assert said.json()[0]["certified_accuracy"] == expected
        assert done("report a.jsonl late.jsonl log.tsv --radii 0,0.2 --json").out == said.out
    else:
        lines = [line for line in said.out.splitlines() if "the figures are of" not in line]
        rows = [line for line in lines if "tiny.onnx" in line or "log.tsv" in line]
        for row in (rows[0], rows[2]):
            assert all(f"{100 * share:.1f}" in row for share in expected)


def test_a_paper_gets_the_columns_of_its_choice(runs: Path) -> None:
    said = done("report a.jsonl b.jsonl --format latex --columns acc@0.37,acr --label tab:x")
    assert [r"\label{tab:x}" in said.out, r"model & $r=0.37$ & ACR \\" in said.out] == [True, True]
    for words in ("--columns acc@-1", "--columns nothing", "--json --columns acr", "--caption x"):
        refused(f"report a.jsonl {words}", named=words.split()[-2].removeprefix("--"))


def test_the_first_screen_is_the_answer_and_details_are_an_option_away(runs: Path) -> None:
    brief, full = (done(f"report a.jsonl b.jsonl{more}").said for more in ("", " --details"))
    assert full.startswith(brief.partition("*:")[0])
    for words in ("samples: ", "standard: ", "right with radius >= R"):
        assert (words in brief, words in full) == (False, True)
    assert "Claimed: " in brief
    assert "False certificates to expect: " in brief
    late = done("report a.jsonl late.jsonl").out.splitlines()[0]
    assert "late.jsonl" in late
    assert "incomplete" in late


def test_a_run_is_called_what_it_was_named(runs: Path) -> None:
    done(f"{BASE} 0.25 --name ours -o named.jsonl")
    assert read_run("named.jsonl").header.name == "ours"
    assert figures("named.jsonl")[0]["name"] == "ours"
    Path("lr=0.1.jsonl").write_bytes(Path("b.jsonl").read_bytes())
    names = [one["name"] for one in figures("named.jsonl=theirs lr=0.1.jsonl lr=0.1.jsonl=b=c")]
    assert names == ["theirs", None, "b=c"]
    for form in ("table", "markdown", "latex", "csv"):
        said = done(f"report named.jsonl b.jsonl=theirs log.tsv=published --format {form}").out
        assert all(name in said for name in ("ours", "theirs", "published"))
        assert "tiny.onnx" not in said or form == "csv"
    assert "theirs" in done("report a.jsonl b.jsonl=theirs --paired").out
    assert "theirs" in done("report a.jsonl b.jsonl=theirs --top-k 2").out
    refused("report a.jsonl=x b.jsonl=x", named="x")
    refused("report a.jsonl=", named="''")
    refused("report a.jsonl=\x1b[2J", named="printable")
    refused(f"{BASE} 0.25 --name {'x' * 65} -o long.jsonl", named="64")
    assert not Path("long.jsonl").exists()


@pytest.mark.parametrize("form", FORMS)
def test_runs_are_compared_in_every_format(form: str, runs: Path) -> None:
    said = done("report a.jsonl b.jsonl --paired --radii 0,0.3 --format", form)
    assert said.err == ""
    difference = float(right_at("b", 0.3) - right_at("a", 0.3))
    assert difference
    if form == "json":
        (pair,) = said.json()
        at = pair["certified_accuracy"][1]
        assert (pair["pairs"], at["radius"]) == (8, 0.3)
        assert at["only_first"] - at["only_second"] == -8 * difference
    elif form == "csv":
        line = list(csv.DictReader(io.StringIO(said.out)))[1]
        assert abs(float(line["difference"])) == abs(difference)
    else:
        assert f"{abs(100 * difference):.1f}" in said.out


def test_a_gate_that_is_not_met_exits_with_3_below_the_table(runs: Path) -> None:
    for form in ("table", "json"):
        words = f"report a.jsonl b.jsonl --format {form}"
        met = done(words, "--fail-under", "acc@0=0.25")
        missed = command(words, "--fail-under", "acc@0=0.25", "--fail-under", "acr=0.9")
        assert (missed.code, missed.out) == (3, met.out)
        assert "acr=0.9" in missed.err
    assert command("report a.jsonl b.jsonl --paired --fail-under acr=9").code == 3
    for part in ("late", "shard"):
        failed = command(f"report {part}.jsonl --fail-under acr=0")
        assert failed.code == 3
        assert f"{part}.jsonl" in failed.err
    lines = lines_of(Path("a.jsonl"))
    lines[0]["shard"] = {"index": 1, "of": 1}
    write_lines(Path("whole.jsonl"), lines)
    done("report whole.jsonl --fail-under acr=0")


def test_gates_against_a_baseline_are_told_to_github_and_to_junit(runs: Path) -> None:
    words = "report a.jsonl --baseline b.jsonl --fail-over abstain=1 --fail-under"
    table = done("report a.jsonl").out
    assert done(f"{words} acc@0=baseline-1 --junit met.xml --github").out == table
    missed = command(f"{words} acr:lower=baseline+9 --junit missed.xml --github --json")
    assert missed.code == 3
    assert missed.json()
    annotation, *_, sentence = missed.err.splitlines()
    assert annotation.startswith("::error title=acr%3Alower=baseline+9")
    assert "acr:lower=baseline+9" in sentence
    for name, failed in {"met": 0, "missed": 1}.items():
        text = Path(f"{name}.xml").read_text("utf-8")
        assert (text.count("<testcase"), text.count("<failure")) == (2, failed)


@pytest.mark.parametrize(("offset", "code"), [(-1e-6, 0), (1e-6, 3)])
def test_a_baseline_is_restated_as_the_run_is(offset: float, code: int, runs: Path) -> None:
    restated = [done(f"report {name}.jsonl --alpha 0.01 --json").json()[0] for name in "ab"]
    assert restated[0]["acr"] != figures("a.jsonl")[0]["acr"]
    gate = f"acr=baseline{restated[0]['acr'] - restated[1]['acr'] + offset:+.9f}"
    words = f"report a.jsonl --baseline b.jsonl --alpha 0.01 --fail-under {gate}"
    assert command(words).code == code


def test_inputs_that_share_their_noise_are_said_to(runs: Path) -> None:
    (found,), (own,) = figures("shared.jsonl"), figures("a.jsonl")
    assert (found["shared_noise"], own["shared_noise"]) == (True, False)
    assert "Markov" in found["statements"]["false_certificates"]["assumes"]
    for form in ("table", "markdown", "latex"):
        said = done(f"report shared.jsonl --format {form}").said
        assert "not independent" in said
        assert "Markov" in said
    done("report shared.jsonl --card card.md")
    assert "the same for all inputs" in Path("card.md").read_text()


def test_a_link_to_itself_is_no_output(runs: Path) -> None:
    Path("loop.md").symlink_to("loop.md")
    refused("report a.jsonl --card loop.md", named="loop.md")


def test_pictures_cards_and_pages_are_written_beside_the_table(runs: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra rsonnx[report]")
    plain = done("report a.jsonl b.jsonl").out
    for name, content in {"plot c.svg": "tiny.onnx", "card c.md": "model-index"}.items():
        assert done(f"report a.jsonl b.jsonl --{name}").out == plain
        path = Path(name.split()[1])
        assert content in path.read_text("utf-8")
        refused(f"report a.jsonl b.jsonl --{name}", named=path.name)
    for ending, magic in ((".png", b"\x89PNG"), (".pdf", b"%PDF")):
        for kind in ("curve", "radii", "abstentions", "samples"):
            done(f"report a.jsonl --plot {kind}{ending} --plot-kind {kind}")
            assert Path(f"{kind}{ending}").read_bytes().startswith(magic)


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are POSIX")
@pytest.mark.parametrize("option", ["--plot x.png", "--card x.md", "--html x.html"])
def test_a_full_disk_leaves_no_part_of_a_file(option: str, runs: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        refused(f"report a.jsonl {option}", named=option.split()[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("words", "further", "package"),
    [
        ("report a.jsonl", "--plot c.png", "matplotlib"),
        ("bounds -k 9 -n 10", "--plot c.png", "matplotlib"),
        ("report a.jsonl", "--card k.md --html c.html", "matplotlib"),
        ("report a.jsonl", "--card k.md --html c.html", "jinja2"),
    ],
)
def test_a_missing_extra_is_named_before_anything_is_written(
    words: str, further: str, package: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(package)]:
        monkeypatch.delitem(sys.modules, name)
    for name in (package, f"{package}.style", f"{package}.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    page_environment.cache_clear()
    refused(f"{words} {further}", named="rsonnx[report]")
    assert not list(Path().glob("[ck].*"))
    done(words)


def test_the_table_needs_no_matplotlib(runs: Path) -> None:
    script = "import sys; from rsonnx.cli import run; code = run(['report', 'a.jsonl']); "
    script += "sys.exit(code or 'matplotlib' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", ["a", "two", "randomised", "family", "adaptive"])
def test_its_own_settings_change_nothing_but_that_it_is_restated(name: str, runs: Path) -> None:
    (plain,) = figures(f"{name}.jsonl")
    alpha = plain["family_wise"] or plain["alpha"]
    own = f"--alpha {alpha!r} --bound {plain['bound']} --radius {plain['radius_rule']}"
    (again,) = figures(f"{name}.jsonl {own}")
    assert again.pop("restated_from") is not None
    assert plain.pop("restated_from") is None
    assert again == plain


def test_restated_figures_follow_from_the_counts(runs: Path) -> None:
    one, two = figures("a.jsonl two.jsonl --bound chernoff-kl --radius one-sided")
    assert one["restated_from"]["radius_rule"] == "one-sided"
    assert two["restated_from"]["radius_rule"] == "two-sided"
    same = ("acr", "certified_accuracy", "statements", "samples", "bound", "radius_rule")
    assert all(one[name] == two[name] for name in same)
    rule = Fixed(Gaussian(0.25), 30, 1000, 0.001, "chernoff-kl")
    expected = sum(
        rule.derive(row.evidence).radius
        for row in read_run("a.jsonl").rows
        if row.top_class == row.label
    )
    assert one["acr"] == pytest.approx(expected / 8, rel=1e-12)
    acr = [figures(f"a.jsonl --alpha {alpha}")[0]["acr"] for alpha in (0.1, 0.001, 0.00001)]
    assert acr == sorted(set(acr), reverse=True)
    (family,) = figures("family.jsonl --alpha 0.02")
    assert family["family_wise"] == family["statements"]["family_wise"]["alpha"] == 0.02
    assert family["alpha"] == family_wise_alpha(0.02, 8)
    assert figures("adaptive.jsonl")[0]["radii"] == [0, 0.1]
    before = Path("a.jsonl").read_bytes()
    assert "Restated at alpha = 0.01" in done("report a.jsonl --alpha 0.01").said
    assert Path("a.jsonl").read_bytes() == before


def test_top_k(runs: Path) -> None:
    rows = read_run("a.jsonl").rows
    for k, alpha in ((1, 0.001), (3, 0.1)):
        found = figures(f"a.jsonl --top-k {k} --alpha {alpha} --radii 0,0.1")[0]
        radii = [
            certify_top_k(
                row.estimation, row.label, k, sigma=0.25, num_classes=10, alpha=alpha
            ).radius
            for row in rows
            if row.label is not None
        ]
        assert (found["top_k"], found["alpha"]) == (k, alpha)
        assert found["top_k_acr"] == pytest.approx(sum(radii) / 8, rel=1e-12)
        assert "fixed before the noise" in done(f"report a.jsonl --top-k {k} --details").said
    usual, top = figures("two.jsonl")[0], figures("two.jsonl --top-k 1")[0]
    # Every rival has its share of alpha here: within 2 %.
    assert top["top_k_acr"] == pytest.approx(usual["acr"], rel=0.02)
    refused("report unlabelled.jsonl --top-k 2", named="unlabelled.jsonl")
    for k in (-1, 0, 10):
        refused("report a.jsonl --top-k", k, named="9")


@pytest.mark.parametrize("name", NOISES)
def test_every_noise_is_told_with_what_it_can_claim(name: str, runs: Path) -> None:
    (found,) = figures(f"{name}.jsonl")
    header = lines_of(Path(f"{name}.jsonl"))[0]
    assert header["noise"]["distribution"] in found["noise"]
    assert found["norm"] == header["noise"]["norm"]
    assert (found["sigma"] is None) == ("sigma =" not in found["noise"])
    assert (found["alpha"] == 0) == (name in COUNTED)
    whole = name in ("columns", "ablation", "flips")
    assert all(r == int(r) for r in found["radii"]) or not whole
    for form in FORMS[:4]:
        said = done(f"report {name}.jsonl --format {form}").said
        assert header["noise"]["distribution"].partition("-")[0] in said
    outputs = {"card": Path("card.md"), "html": Path("page.html"), "plot": Path("curve.svg")}
    for option, path in outputs.items():
        done(f"report {name}.jsonl --{option} {path}")
        assert path.stat().st_size
    done(f"attest {name}.jsonl -o statement.json")
    done(f"verify {name}.jsonl --attestation statement.json")


def test_counted_runs_stand_beside_sampled_ones_and_are_not_restated(runs: Path) -> None:
    for option in ("--alpha 0.01", "--bound hoeffding", "--radius two-sided"):
        refused(f"report splitting.jsonl {option}", named="splitting.jsonl")
    done("report ablation.jsonl --alpha 0.05 --radius two-sided")
    assert "different alphas" not in done("report laplace.jsonl splitting.jsonl").said
    (pair,) = figures("laplace.jsonl splitting.jsonl --paired")
    assert pair["pairs"] == 4


@pytest.mark.parametrize("other", ["laplace", "ablation"])
def test_several_norms_are_told_apart_and_not_compared(other: str, runs: Path) -> None:
    done(f"report feature.jsonl {other}.jsonl --html page.html")
    for option in ("--plot c.svg", "--paired"):
        refused(f"report feature.jsonl {other}.jsonl {option}", named="mahalanobis")
    refused("report feature.jsonl wider.jsonl --paired", named="unit")  # other standard deviations


@pytest.mark.parametrize(("content", "named"), [("", "log"), ("0\t1\t1\tx\t1\t1\n", "line 2")])
def test_a_log_that_cannot_be_read_is_a_failure(content: str, named: str, runs: Path) -> None:
    (runs / "bad.log").write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + content)
    refused("report bad.log", code=1, named=named)
