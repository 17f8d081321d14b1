"""A stranger's model is tried in a child process, whose end is a sentence here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper
from onnx_models import echo, linear, save

from rsonnx import errors
from rsonnx.errors import ModelError, RsonnxError, UsageError
from rsonnx.model import ModelSettings
from rsonnx.smoothing import isolation, load_with, try_in_child


def replace_child(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the child run some Python in place of its own."""
    monkeypatch.setattr(isolation, "COMMAND", (sys.executable, "-c", code))


def test_a_healthy_model_is_tried_once_and_what_was_seen_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(linear(), tmp_path)
    options = {
        "preprocess": "mean=0.5",
        "bounds": [0, 255],
        "input_shape": [1, 4, 4],
        "feeds": {},
        "threshold": None,
        "output_name": "scores",
    }
    settings, said = ModelSettings(**options), []
    tried = try_in_child(path, settings, heard=said.append)
    assert tried is not None
    assert [list(words) for words in said] == [["seconds"]]
    own = load_with(path, settings, ["cpu"])
    monkeypatch.setattr(sys.modules["rsonnx.smoothing.load"], "choose_batching", None)
    classifier = load_with(path, settings, ["cpu"], None, tried)
    assert classifier.facts == own.facts
    assert (classifier.rows, classifier.tolerance) == (own.rows, own.tolerance)
    with pytest.raises(ModelError, match="in another process"):
        load_with(path, settings, ["cpu"], None, replace(tried, labels=(3,) * 8))
    other = replace(tried.batching, rows="watched")
    for foreign in (
        replace(tried, file="00"),
        replace(tried, model="00"),
        replace(tried, batching=other),
    ):
        with pytest.raises(TypeError):  # it is found out anew, for which a stand-in is no function
            load_with(path, settings, ["cpu"], None, foreign)


def test_the_child_s_errors_arrive_with_class_and_text(tmp_path: Path) -> None:
    path = save(linear(), tmp_path)
    with pytest.raises(UsageError, match="does not say what preprocessing its inputs need") as c:
        try_in_child(path, ModelSettings())
    assert type(c.value) is UsageError
    assert str(path) in str(c.value)
    old = save(linear(opset=6), tmp_path, "old.onnx")
    with pytest.raises(ModelError, match=r"old\.onnx uses operator set 6") as caught:
        try_in_child(str(old), ModelSettings(preprocess="none"))
    assert type(caught.value) is ModelError
    assert caught.value.exit_code == 4


def test_a_relative_path_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(echo(), tmp_path, "a b'é.onnx")
    monkeypatch.chdir(tmp_path)
    assert try_in_child("a b'é.onnx", ModelSettings(preprocess="none")) is not None


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("import os; os.abort()", "SIGABRT"),
        (f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})", "SIGKILL"),
        ("raise SystemExit(9)", "exit code 9"),
        ("raise ValueError", "exit code 1"),
        ("pass", "exit code 0"),
        *((f"print({text!r})", "exit code 0") for text in ("hello", "[]", "3", "{}", "null")),
        ("""print('{"error": "ModelError"}')""", "exit code 0"),
        (r"import sys; sys.stdout.buffer.write(b'\xff\xfe')", "exit code 0"),
    ],
)
def test_a_child_that_dies_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, code: str, how: str
) -> None:
    replace_child(monkeypatch, code)
    with pytest.raises(ModelError, match=rf"bad\.onnx .*{how}"):
        try_in_child("bad.onnx", ModelSettings())


def test_a_child_that_is_stuck_in_a_call_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    code = """if True:
        import time
        from types import SimpleNamespace
        from rsonnx.runtime import watchdog
        watchdog._PATIENCE = 0.1
        watchdog.end_process_if_stuck(watchdog.STUCK)
        with watchdog.limited("deep.onnx", (1, 4), 0.1, SimpleNamespace()):
            time.sleep(60)
    """
    replace_child(monkeypatch, code)
    with pytest.raises(ModelError, match=r"^deep\.onnx took more than 0\.1 s"):
        try_in_child("deep.onnx", ModelSettings())


def test_what_is_printed_before_the_answer_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_child(monkeypatch, """print('warning\\n{"error": null, "message": ""}')""")
    assert try_in_child("good.onnx", ModelSettings()) is None


def test_a_waiting_child_is_asked_first_and_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = """import sys; sys.stdin.read(); print('{"error": null, "message": ""}')"""
    replace_child(monkeypatch, answer)
    with isolation.child_waiting():
        replace_child(monkeypatch, "raise SystemExit(9)")
        try_in_child("good.onnx", ModelSettings())
        with pytest.raises(ModelError, match="exit code 9"):
            try_in_child("good.onnx", ModelSettings())
    replace_child(monkeypatch, answer)
    with isolation.child_waiting():
        (idle,) = isolation._WAITING
    assert idle._process.returncode is not None
    assert not isolation._WAITING


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("DataError", errors.DataError),
        ("ProviderError", errors.ProviderError),
        ("Nonsense", RsonnxError),
        ("__doc__", RsonnxError),
    ],
)
def test_an_error_s_name_is_one_of_ours(
    monkeypatch: pytest.MonkeyPatch, kind: str, expected: type[RsonnxError]
) -> None:
    answer = f'{{"error": "{kind}", "message": "it is bad"}}'
    replace_child(monkeypatch, f"print({answer!r})")
    with pytest.raises(expected, match=r"^it is bad$") as caught:
        try_in_child("bad.onnx", ModelSettings())
    assert type(caught.value) is expected


def test_a_child_that_cannot_begin_is_no_fault_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace_child(monkeypatch, "import rsonnx_that_is_not_there")
    with pytest.raises(ModelError, match="ModuleNotFoundError"):
        try_in_child("good.onnx", ModelSettings())


def test_a_child_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "pid"
    code = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    replace_child(monkeypatch, code)
    begun = time.monotonic()
    with pytest.raises(ModelError, match=r"slow\.onnx .*0\.5 s"):
        try_in_child("slow.onnx", ModelSettings(), seconds=0.5)
    assert time.monotonic() - begun < 30
    if started.exists() and started.read_text():  # on a busy machine it may not have come so far
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.read_text()), 0)


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes that have names")
def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("""if True:
        import time
        def wait(path):
            with open(path, "w") as pipe:
                print("begun", file=pipe, flush=True)
                time.sleep(50)
                print("late", file=pipe)
    """)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = f"import slow; from rsonnx.smoothing import in_child; in_child(slow.wait, {str(pipe)!r})"
    places = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    with parent, pipe.open() as said:
        assert said.readline() == "begun\n"
        parent.kill()
        assert said.read() == ""


def test_a_model_that_needs_too_much_memory_is_a_sentence(tmp_path: Path) -> None:
    """The child's own answers of 2^35 floats do not fit its address space."""
    proto = echo(4)
    made = proto.graph.node[0]
    made.op_type = "Tile"
    made.input.append("times")
    times = np.array([1, 2**33])
    proto.graph.initializer.append(numpy_helper.from_array(times, "times"))
    del proto.graph.output[0].type.tensor_type.shape.dim[1:]
    proto.graph.output[0].type.tensor_type.shape.dim.add(dim_param="k")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        try_in_child(save(proto, tmp_path), ModelSettings(preprocess="none"), seconds=60)


def test_what_is_refused_meanwhile_ends_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_child(monkeypatch, "import time; time.sleep(100)")
    end, codes = isolation.Child.end, []

    def ended(child: isolation.Child) -> None:
        end(child)
        codes.append(child._process.returncode)

    def refuse() -> None:
        raise UsageError("no")

    monkeypatch.setattr(isolation.Child, "end", ended)
    with pytest.raises(UsageError, match="no"):
        try_in_child(tmp_path / "model.onnx", ModelSettings(), meanwhile=refuse)
    assert codes == [-signal.SIGKILL]
