"""``tools/bench.py`` with tiny settings: its figures are what they say, whatever their size."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from noise_cli_models import declare
from onnx_models import linear, save

from rsonnx.runs import read_run

Tool = Callable[[str], ModuleType]
pytestmark = pytest.mark.usefixtures("no_children")
TINY = ["--model", "mnist", "--rounds", "2", "--samples", "600"]


def test_all_parts_without_peers(
    tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "bench.json"
    parts = ["eta", "noise", "stages", "linear"]
    tool("bench").main(["speed", *parts, *TINY, "--workers", "2", "--json", str(target)])
    report = json.loads(target.read_text())
    assert set(report) == {"date", "machine", "versions", "settings", "parts"}
    assert set(report["parts"]) == set(parts)
    for row in report["parts"]["eta"]:
        assert row["samples"] == 512  # 600 in whole batches of 128 for two workers
        low, median, high = (row["eta"][k] for k in ("low", "median", "high"))
        assert 0 < low <= median <= high
        assert row["bare"]["median"] > 0
        assert row["pooled"] is not None
    for row in report["parts"]["stages"]:
        shares = [row[k]["median"] for k in ("noise", "session", "rest")]
        assert sum(shares) == pytest.approx(1)  # medians of two rounds are means
        assert min(shares) > 0
    noise = report["parts"]["noise"]
    assert {"gaussian exact, numpy", "gaussian float"} < {row["what"] for row in noise}
    assert all(row["written"]["median"] > 0 for row in noise)
    assert [row["n"] for row in report["parts"]["linear"]] == [600]
    printed = capsys.readouterr().out
    assert printed.count("CPUExecutionProvider") == 4
    assert str(tmp_path) not in printed


@pytest.mark.slow
def test_other_commands(tool: Tool, tmp_path: Path) -> None:
    bench, target = tool("bench"), tmp_path / "bench.json"

    def records(*arguments: str) -> list[dict[str, object]]:
        bench.main([*arguments, "--json", str(target)])
        (found,) = json.loads(target.read_text())["parts"].values()
        return list(found)

    fixed, adaptive, ratio = records("adaptive-time", "--limit", "1", "--n", "1000")
    assert fixed["samples"] == 1100 > adaptive["samples"]
    assert ratio["differ"] == 0
    few = ("--limit", "1", "--n", "1000", "--share", "0.2")
    fixed, precise = records("precision-time", *few)
    assert fixed["samples"] == 1100 > precise["samples"]
    assert precise["estimated"] < 0.25
    shutil.copy(Path(__file__).parents[2] / "sample_models/mnist_gaussian_0.50.onnx", tmp_path)
    (row,) = records("rows", str(tmp_path), "--rounds", "1", "--seconds", "0.001")
    assert (row["model"], row["rows"]) == ("mnist_gaussian_0.50", "proved")
    assert row["watched"] is not None
    noises = records("noises", "--n", "20", "--limit", "1")
    assert {"gaussian", "laplace", "pareto"} < {one["noise"] for one in noises}


def test_denoisers_are_measured_once(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = tool("bench")
    subject = save(linear(("n", 1, 28, 28), classes=10), tmp_path, "their--net.onnx")
    stated = {"data": "mnist", "preprocessing": "/255", "top1_on_1000_test_images": 0.1}
    entry = {"file": subject.name, "role": "classifier", "clean_accuracy": stated}
    entry |= {"inputs": [{"shape": [1, 1, 28, 28]}]}
    (tmp_path / "catalogue.json").write_text(json.dumps([entry]))
    monkeypatch.setattr(tool("benching.denoisers"), "SUBJECTS", ("net.onnx",))
    figures = []
    for _ in range(2):
        words = ["denoisers", tmp_path, "--pictures", tmp_path / "none.zip", "--n", 50]
        words += ["--runs", tmp_path / "runs", "--every", 250, "--json", tmp_path / "out.json"]
        bench.main(list(map(str, words)))
        figures.append(json.loads((tmp_path / "out.json").read_text())["parts"]["denoisers"])
    assert figures[0] == figures[1]
    assert [(r["sigma"], bool(r["denoiser"]), r["inputs"]) for r in figures[0]] == [
        *((0.25, False, 2), (0.25, True, 2)),
        *((0.5, False, 2), (0.5, True, 2)),
    ]
    assert len(list((tmp_path / "runs").glob("*.jsonl"))) == 4


def test_ensembles_are_measured_once(tool: Tool, tmp_path: Path) -> None:
    """The third member is the first, so two agree where the first two do, or the rest decides."""
    members = [
        save(linear(("n", 1, 28, 28), classes=10, seed=seed), tmp_path, f"{name}.onnx")
        for name, seed in (("a", 1), ("b", 2), ("c", 1))
    ]
    for member in members:
        declare(member, (0, 1))
    words = ["ensembles", *members, "--runs", tmp_path / "runs", "--n", 50, "--every", 250]
    figures = []
    for _ in range(2):
        tool("bench").main([*map(str, words), "--json", str(tmp_path / "out.json")])
        figures.append(json.loads((tmp_path / "out.json").read_text())["parts"]["ensembles"])
    assert figures[0] == figures[1]
    names = [record["what"] for record in figures[0]]
    assert names == ["a", "b", "c", "soft vote of 3", "consensus, 2 of 3"]
    assert 0 < figures[0][-1]["saved"] < 1 / 3
    assert (figures[0][-1]["differ"], figures[0][-1]["drawn"]) == (0, 2_000)


@pytest.mark.slow
def test_memory_is_that_of_a_fresh_process(tool: Tool, tmp_path: Path) -> None:
    if not Path("/proc/self/status").is_file():
        pytest.skip("memory is read from /proc/self/status, which only Linux has")
    subject = tool("benching.subjects").prepare("mnist", tmp_path)
    (peak,) = tool("benching.growth").measure_peaks(subject, "cpu", ("rsonnx",), most=1_000)
    assert 20 < peak["loaded"] <= peak["mebibytes"] < 1_000
    assert (peak["who"], peak["n"]) == ("rsonnx", 1_000)


@pytest.mark.slow
def test_runs_of_many_inputs_hold(tool: Tool, tmp_path: Path) -> None:
    if not Path("/proc/self/status").is_file():
        pytest.skip("memory is read from /proc/self/status, which only Linux has")
    inputs = tool("benching.inputs")
    for name, options in inputs.PROCEDURES.items():
        path = tmp_path / f"{name}.jsonl"
        inputs.write_run(path, 5, **options)
        assert len(read_run(path).rows) == 5
    record = inputs.measured("report", 5, inputs.command, "report", path)
    assert record["seconds"] > 0 < record["mebibytes"]


@pytest.mark.slow
def test_runs_of_few_samples_are_shares_of_bare_inference(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tool("benching.few")
    monkeypatch.setattr(few, "_BARE_BATCHES", 2)
    given = SimpleNamespace(inputs=3, n=100, rounds=1, workers=2)
    records = list(few.measure_few(given))
    assert [record["what"] for record in records] == list(few.RULES)
    assert [record["samples"] for record in records[:2]] == [300, 603]
    assert all(0 < record["processor"].median < 2 for record in records)


def test_turns_are_taken_in_rotation(tool: Tool) -> None:
    order: list[str] = []
    names = ("a", "b", "c")
    runs = {name: lambda name=name: order.append(name) for name in names}
    seconds = tool("benching.turns").take_turns(runs, 3)
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"  # the first three are not timed
    assert {name: len(taken) for name, taken in seconds.items()} == dict.fromkeys(names, 3)


def test_a_ratio_is_formed_within_a_round(tool: Tool) -> None:
    """A machine that slows down tenfold halfway changes both sides, and no ratio."""
    timing = tool("benching.turns")
    found = timing.ratios([1.0, 1.0, 10.0, 10.0], [0.5, 0.5, 5.0, 5.0])
    assert (found.low, found.median, found.high) == (2.0, 2.0, 2.0)
    assert timing.rates([2.0, 4.0, 8.0], 16).median == 4.0
    assert f"{timing.Spread.of([1.0, 2.0, 3.0, 4.0, 5.0]):.0f}" == "3 [2-4]"
    assert timing.cell(0.12349, "v4") == "0.1234"


def test_the_bare_side_is_the_file_itself_with_a_free_batch(tool: Tool, tmp_path: Path) -> None:
    subjects, eta = tool("benching.subjects"), tool("benching.efficiency")
    path = save(linear((1, 1, 4, 4)), tmp_path)
    subject = subjects.Subject("mnist", path, np.zeros((1, 4, 4), np.uint8), 8)
    model = onnx.load_from_string(subject.freed())
    assert list(model.graph.node) == list(onnx.load(path).graph.node)
    rows = np.random.default_rng(0).random((5, 1, 4, 4)).astype(np.float32)
    session = eta.bare_session(subject, "cpu")
    (scores,) = eta.bare_call(session, rows, None)()
    alone = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = alone.get_inputs()[0].name
    expected = np.concatenate([alone.run(None, {name: row[None]})[0] for row in rows])
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    # As on a device, where nothing is copied; here the processor plays the device.
    assert eta.bare_call(session, rows, "cpu")() is None


def test_every_batch_is_run_once(tool: Tool) -> None:
    eta, calls = tool("benching.efficiency"), []
    with eta.ThreadPoolExecutor(3) as pool:
        eta.run_batches(pool, 3, 100, lambda: calls.append(1))
    assert len(calls) == 100


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["speed", "--rounds", "0"], "'0'"),
        (["speed", "--samples", "1e5"], "'1e5'"),
        (["speed", "--model", "vgg"], "'vgg'"),
        (["speed", "fast"], "'fast'"),
        (["fast"], "'fast'"),
    ],
)
def test_bad_arguments(
    tool: Tool, arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        tool("bench").main(arguments)
    assert caught.value.code == 2
    assert named in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_found_out_first(tool: Tool, tmp_path: Path) -> None:
    target = tmp_path / "none" / "bench.json"
    with pytest.raises(SystemExit, match=r"bench\.json cannot be written: No such file"):
        tool("bench").main(["speed", "linear", *TINY, "--json", str(target)])


def test_a_missing_package_is_named(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, subjects = tool("bench"), tool("benching.subjects")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=r"torch is not installed, .* 'rsonnx\[bench,gpu\]'"):
        bench.main(["peers", "mnist", "absent"])
    with pytest.raises(SystemExit, match=r"torch is not installed, .* resnet20 is built"):
        subjects.prepare("resnet20", tmp_path)


@pytest.fixture
def _peers() -> None:
    for module in ("torch", "art", "statsmodels", "onnxscript"):
        pytest.importorskip(module, reason="the peers are in the extra bench")


@pytest.mark.usefixtures("_peers")
def test_peers_certify_the_same(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool("benching.peers"), "BATCHES", (64, 128))
    target = tmp_path / "bench.json"
    data = Path(__file__).parents[2] / "sample_models/mnist_test_500"
    words = ["--n", "600", "--limit", "2", "--ceiling", "2000", "--rounds", "1"]
    tool("bench").main(["peers", "mnist", str(data), *words, "--json", str(target)])
    rows = json.loads(target.read_text())["parts"]["peers"]
    who: dict[str, list[str]] = {}
    for row in rows:
        who.setdefault(row["question"], []).append(row["who"])
        assert row["certified"] == 1.0
        assert (row["who"] == "rsonnx") <= (row["rsonnx_is_faster"]["median"] == 1.0)
    assert {names[0] for names in who.values()} == {"rsonnx"}
    assert [sorted({*names[1:]}) for names in who.values()] == [
        ["art", "pytorch loop"],
        ["CertifyAdp", "betting", "union bound"],
        ["input-specific"],
    ]
    assert {row["samples"] for row in rows if row["question"] == "fixed"} == {700}


@pytest.mark.usefixtures("_peers")
def test_peers_of_another_function_are_not_compared(tool: Tool, tmp_path: Path) -> None:
    subjects, peers = tool("benching.subjects"), tool("benching.peers")
    subject = subjects.prepare("mnist", tmp_path)
    network = subject.twin()
    rows = subject.normalised(subject.noisy(4))
    assert subjects.check_twin(network, subject.path, rows) < 1e-4
    network[0].weight.data[0, 0, 0, 0] += 0.1
    with pytest.raises(SystemExit, match="onnxruntime and torch differ by"):
        subjects.check_twin(network, subject.path, rows)
    ours = peers.Answer(7, 1.0, 10_000)
    peers.check_agreement(subject, ours, "art", peers.Answer(7, 1.001, 0), 10_000)
    for other in (peers.Answer(7, 0.8, 0), peers.Answer(3, 1.0, 0), peers.Answer(-1, 0.0, 0)):
        with pytest.raises(SystemExit, match="so nothing is compared"):
            peers.check_agreement(subject, ours, "art", other, 10_000)


@pytest.mark.usefixtures("_peers")
def test_residual_nets_are_exported_as_they_are(tool: Tool, tmp_path: Path) -> None:
    subjects, networks = tool("benching.subjects"), tool("training.networks")
    subject = subjects.prepare("resnet20", tmp_path)
    subject.twin()  # checks the logits
    operators = {node.op_type for node in onnx.load(subject.path).graph.node}
    assert "BatchNormalization" not in operators
    parameters = sum(p.numel() for p in networks.folded(subject.twin()).parameters())
    # The 0.27 million of table 6 in arXiv 1512.03385, and two shortcuts of 1x1.
    assert parameters == pytest.approx(272_000, rel=0.01)


def test_exact_certificates_beside_sampled_ones(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn", reason="the tables are scikit-learn's")
    exact, target = tool("benching.exact"), tmp_path / "bench.json"
    own = {name: train for name, train in exact.MODELS.items() if "noise-aware" in name}
    monkeypatch.setattr(exact, "MODELS", own)
    monkeypatch.setattr(exact, "PACKAGES", ())
    words = ["--runs", str(tmp_path), "--mnist", "absent", "--json", str(target)]
    tool("bench").main(["exact", *words, "--only", "wine", "--n", "200", "--limit", "3"])
    (record,) = json.loads(target.read_text())["parts"]["exact"]  # boosting is for two classes
    assert (record["inputs"], record["sampled_inputs"]) == (54, 3)
    run = read_run(tmp_path / "wine, noise-aware stumps, independent, exact.jsonl")
    right = [[row.correct and row.radius >= r for row in run.rows] for r in record["radii"]]
    assert record["right"] == [sum(each) for each in right]
    assert record["right"][0] > 40
    assert 0 < record["acr"] < record["radii"][-1]


def test_a_start_is_that_of_a_process_and_its_children(tool: Tool, tmp_path: Path) -> None:
    if not Path("/proc/self/smaps_rollup").is_file():
        pytest.skip("memory is read from /proc/self/smaps_rollup, which only Linux has")
    start = tool("benching.start")
    inner = "import sys, time; held = b'1' * (40 << 20); print('held', flush=True); time.sleep(60)"
    outer = f"""if True:
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", {inner!r}], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(0.2)
        print("ready", file=sys.stderr, flush=True)
        child.kill()
        child.wait()
        time.sleep(60)
    """
    words = (sys.executable, "-c", outer)
    wall, cpu, mebibytes = start.measured(words, start.says("ready"), {}, tmp_path / "run.jsonl")
    assert 0.2 < wall < 50
    assert cpu > 0
    assert 40 < mebibytes < 200
