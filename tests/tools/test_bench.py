"""``tools/bench.py`` with tiny settings: its figures are what they say, whatever their size."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_models import linear, save

_TOOLS = Path(__file__).parents[2] / "tools"
pytestmark = pytest.mark.skipif(
    not (_TOOLS / "bench.py").is_file(), reason="the tools are not part of an installation"
)
TINY = ["--model", "mnist", "--rounds", "2", "--samples", "600"]


@pytest.fixture(autouse=True)
def _tools_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(_TOOLS)  # they import their neighbours, as scripts may


def tool(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_all_parts_without_peers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "bench.json"
    parts = ["eta", "noise", "stages", "linear"]
    tool("bench").main([*TINY, "--workers", "2", "--part", *parts, "--json", str(target)])
    found = json.loads(target.read_text())
    assert set(found) == {"date", "machine", "versions", "settings", "parts"}
    assert set(found["parts"]) == set(parts)
    for row in found["parts"]["eta"]:
        assert row["samples"] == 512  # 600 in whole batches of 128 for two workers
        low, median, high = (row["eta"][k] for k in ("low", "median", "high"))
        assert 0 < low <= median <= high
        # Of two rounds the median of the ratios lies between the ratio of either quartile.
        assert row["bare"]["median"] > 0
        assert row["pooled"] is not None
    for row in found["parts"]["stages"]:
        shares = [row[k]["median"] for k in ("noise", "session", "rest")]
        assert sum(shares) == pytest.approx(1)  # medians of two rounds are means
        assert min(shares[:3]) > 0
    noise = found["parts"]["noise"]
    assert {"gaussian exact, numpy", "gaussian float"} < {row["what"] for row in noise}
    assert all(row["written"]["median"] > 0 for row in noise)
    assert [row["n"] for row in found["parts"]["linear"]] == [1_000]
    printed = capsys.readouterr().out
    assert printed.count("CPUExecutionProvider") == 4
    assert str(tmp_path) not in printed


def test_memory_is_that_of_a_fresh_process(tmp_path: Path) -> None:
    if not Path("/proc/self/status").is_file():
        pytest.skip("memory is read from /proc/self/status, which only Linux has")
    subject = tool("bench_subjects").prepare("mnist", tmp_path)
    (peak,) = tool("bench_growth").measure_peaks(subject, "cpu", ("rsonnx",), most=1_000)
    assert 20 < peak.loaded <= peak.mebibytes < 1_000
    assert (peak.who, peak.n) == ("rsonnx", 1_000)


def test_turns_are_taken_in_rotation() -> None:
    order: list[str] = []
    names = ("a", "b", "c")
    runs = {name: lambda name=name: order.append(name) for name in names}
    seconds = tool("bench_timing").take_turns(runs, 3)
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"  # the first three are not timed
    assert {name: len(taken) for name, taken in seconds.items()} == dict.fromkeys(names, 3)


def test_a_ratio_is_formed_within_a_round() -> None:
    """A machine that slows down tenfold halfway changes both sides, and no ratio."""
    timing = tool("bench_timing")
    found = timing.ratios([1.0, 1.0, 10.0, 10.0], [0.5, 0.5, 5.0, 5.0])
    assert (found.low, found.median, found.high) == (2.0, 2.0, 2.0)
    assert timing.rates([2.0, 4.0, 8.0], 16).median == 4.0
    assert timing.Spread.of([1.0, 2.0, 3.0, 4.0, 5.0]).text(".0f") == "3 [2-4]"


def test_the_bare_side_is_the_file_itself_with_a_free_batch(tmp_path: Path) -> None:
    subjects, eta = tool("bench_subjects"), tool("bench_eta")
    path = save(linear((1, 1, 4, 4)), tmp_path)
    subject = subjects.Subject("mnist", path, np.zeros((1, 4, 4), np.uint8), 8)
    model = onnx.load_from_string(eta.freed(subject))
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


def test_every_batch_is_run_once() -> None:
    eta, calls = tool("bench_eta"), []
    with eta.ThreadPoolExecutor(3) as pool:
        eta.run_batches(pool, 3, 100, lambda: calls.append(1))
    assert len(calls) == 100


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--rounds", "0"], "'0' is no whole number of at least 1"),
        (["--samples", "1e5"], "'1e5' is no whole number"),
        (["--model", "vgg"], "invalid choice: 'vgg'"),
        (["--part", "speed"], "invalid choice: 'speed'"),
    ],
)
def test_bad_arguments(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        tool("bench").main(arguments)
    assert caught.value.code == 2
    assert named in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_found_out_first(tmp_path: Path) -> None:
    target = tmp_path / "none" / "bench.json"
    with pytest.raises(SystemExit, match=r"bench\.json cannot be written: No such file"):
        tool("bench").main([*TINY, "--part", "linear", "--json", str(target)])


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=r"torch is not installed, .* 'rsonnx\[bench\]'"):
        tool("bench").main([*TINY, "--part", "peers"])
    with pytest.raises(SystemExit, match=r"torch is not installed, .* resnet20 is built"):
        tool("bench_subjects").prepare("resnet20", tmp_path)


@pytest.fixture
def _peers() -> None:
    for module in ("torch", "art", "statsmodels", "onnxscript"):
        pytest.importorskip(module, reason="the peers are in the extra bench")


@pytest.mark.usefixtures("_peers")
def test_peers_certify_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool("bench_peers"), "BATCHES", (64, 128))
    target = tmp_path / "bench.json"
    tool("bench").main([*TINY, "--part", "peers", "--json", str(target)])
    rows = json.loads(target.read_text())["parts"]["peers"]
    assert {row["who"] for row in rows} == {"rsonnx", "pytorch loop", "art"}
    assert {row["label"] for row in rows} == {7}  # the first test image
    assert rows[0]["rsonnx_is_faster"]["median"] == 1.0


@pytest.mark.usefixtures("_peers")
def test_peers_of_another_function_are_not_compared(tmp_path: Path) -> None:
    networks, peers = tool("bench_networks"), tool("bench_peers")
    subject = tool("bench_subjects").prepare("mnist", tmp_path)
    network = networks.mnist_twin(subject.path)
    rows = subject.normalised(subject.noisy(4))
    assert networks.check_twin(network, subject.path, rows) < 1e-4
    network[0].weight.data[0, 0, 0, 0] += 0.1
    with pytest.raises(SystemExit, match="onnxruntime and torch differ by"):
        networks.check_twin(network, subject.path, rows)
    ours = peers.Answer(7, 1.0)
    peers.check_agreement(subject, ours, "art", peers.Answer(7, 1.001), 10_000)
    for other in (peers.Answer(7, 0.8), peers.Answer(3, 1.0), peers.Answer(-1, 0.0)):
        with pytest.raises(SystemExit, match="so nothing is compared"):
            peers.check_agreement(subject, ours, "art", other, 10_000)


@pytest.mark.usefixtures("_peers")
def test_residual_nets_are_exported_as_they_are(tmp_path: Path) -> None:
    subjects, networks = tool("bench_subjects"), tool("training.networks")
    subject = subjects.prepare("resnet20", tmp_path)
    subject.twin()  # checks the logits
    operators = {node.op_type for node in onnx.load(subject.path).graph.node}
    assert "BatchNormalization" not in operators
    parameters = sum(p.numel() for p in networks.folded(subject.twin()).parameters())
    # The 0.27 million of table 6 in arXiv 1512.03385, and two shortcuts of 1x1.
    assert parameters == pytest.approx(272_000, rel=0.01)
