"""Read and try a stranger's model in a child process, with limits on memory and time.

A hostile file can crash or exhaust the process that parses and runs it. The child does exactly what
this process will do, on the processor; if it dies, that is a sentence here and no more.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from rsonnx.errors import ModelError, RsonnxError, TimeLimitError, error_named, first_line
from rsonnx.resources import COLLECT_AFTER, available_memory
from rsonnx.runtime.device_options import DeviceOptions
from rsonnx.runtime.watchdog import (
    SECONDS_A_CALL,
    SECONDS_TO_TRY,
    STUCK,
    end_process_if_stuck,
    within,
)

if TYPE_CHECKING:
    from rsonnx.model import ModelSettings
    from rsonnx.smoothing.tried import Tried

_MEMORY_SHARE = 0.8
"""Share of the machine's memory that the child may address."""

COMMAND = (sys.executable, "-m", "rsonnx.smoothing.isolation")

_SAID = "said: "
"""How a line of the child's begins that is not its answer."""


def _nothing(*_: Any) -> None:
    """Hear, or do, nothing."""


class Child:
    """A process that answers one request; it imports what that takes before it is asked."""

    def __init__(self) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            encoding="utf-8",
            errors="replace",  # what a dying child leaves may quote names that are no text
        )

    def ask(
        self,
        request: str,
        seconds: float,
        heard: Callable[[Any], None],
        meanwhile: Callable[[], None],
    ) -> subprocess.CompletedProcess[str]:
        """Return how the process ended, and what it said.

        Args:
            request: a line of JSON.
            seconds: that it may take; 0 for any time.
            heard: hears what :func:`tell_parent` says there.
            meanwhile: is called while it works; what that raises ends it.

        Raises:
            subprocess.TimeoutExpired: it did not answer in time, and was ended.
        """
        process = self._process
        stdin, stdout = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        with within(seconds, process.kill) as late:
            try:
                with contextlib.suppress(BrokenPipeError):  # it ended before it was asked
                    stdin.write(request)
                    stdin.close()
                meanwhile()
                lines = []
                for line in stdout:
                    lines.append(line)
                    if line.startswith(_SAID):
                        heard(json.loads(line.removeprefix(_SAID)))
                code = process.wait()
                self._complaints.seek(0)
                complained = self._complaints.read().decode(errors="replace")
            finally:
                self.end()
        if code and late.told:
            raise subprocess.TimeoutExpired(COMMAND, seconds)
        return subprocess.CompletedProcess(COMMAND, code, "".join(lines), complained)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        with contextlib.suppress(BrokenPipeError), self._process:
            self._complaints.close()


_WAITING: list[Child] = []
"""Children that were not asked yet."""


@contextlib.contextmanager
def child_waiting() -> Iterator[None]:
    """Inside, a child waits for the first request.

    A command that tries a model enters this before its own imports, which take as long as those of
    the child.
    """
    child = Child()
    _WAITING.append(child)
    try:
        yield
    finally:
        if child in _WAITING:
            _WAITING.remove(child)
            child.end()


def try_in_child(
    path: str | os.PathLike[str],
    settings: ModelSettings,
    *,
    time_limit_per_call: float = SECONDS_A_CALL,
    seconds: float = SECONDS_TO_TRY,
    memory: int | None = None,
    heard: Callable[[dict[str, Any]], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Tried | None:
    """Load and probe a model in a child process, on the processor; else as :func:`in_child`.

    Args:
        path, seconds, memory, meanwhile: as there.
        settings: what is declared of the model.
        time_limit_per_call: seconds that a call of it may take.
        heard: hears of the bytes of its large ``weights`` when they are read, and of the
            ``seconds`` of its first call.

    Returns:
        How the model was seen to run.
    """
    record = in_child(
        load_and_probe,
        path,
        seconds=seconds,
        memory=memory,
        heard=heard,
        meanwhile=meanwhile,
        settings=settings.to_json(),
        time_limit_per_call=time_limit_per_call,
    )
    if record is None:
        return None
    from rsonnx.smoothing.tried import Tried  # noqa: PLC0415 - not before the child has begun

    return Tried.from_json(record)


def in_child(
    function: Callable[..., Any],
    path: str | os.PathLike[str],
    *,
    seconds: float = SECONDS_TO_TRY,
    memory: int | None = None,
    heard: Callable[[Any], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
    **arguments: Any,
) -> Any:
    """Return what a function says of a model file, called in a child process.

    Args:
        function: of a module; called with the path and the arguments.
        path: the model file.
        seconds: give up after this time; 0 never does.
        memory: bytes that the child may have; None allows what is available, and of addresses as
            many as most of the machine's memory has.
        heard: hears what the function says with :func:`tell_parent` meanwhile.
        meanwhile: is called here while the child works; what that raises ends the child.
        arguments: what JSON can carry, as the answer must be.

    Raises:
        RsonnxError: what the function raised in the child.
        ModelError: the child crashed, ran out of memory or took too long.
    """
    request = {
        "module": function.__module__,
        "function": function.__name__,
        "path": str(path),
        "arguments": arguments,
        "memory": memory,
    }
    child = _WAITING.pop() if _WAITING else Child()
    try:
        done = child.ask(json.dumps(request), seconds, heard or _nothing, meanwhile or _nothing)
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"{path} took more than {seconds:g} s to load and probe in a child process; it is too "
            "large for this machine (allow more by --time-limit-to-try), or made to exhaust it"
        ) from None
    try:
        reply = json.loads(done.stdout.splitlines()[-1])
        kind, message, answer = reply["error"], reply["message"], reply.get("answer")
    except (ValueError, IndexError, KeyError, TypeError, AttributeError):
        raise _death(path, done.returncode, done.stderr) from None
    if kind is not None:
        raise error_named(kind, message)
    return answer


def load_and_probe(
    path: str, settings: dict[str, Any], time_limit_per_call: float
) -> dict[str, Any]:
    """Load a model as :func:`rsonnx.load` does, on the processor; return how it was seen to run."""
    from rsonnx.model import ModelSettings, read_model  # noqa: PLC0415 - the child alone needs all
    from rsonnx.runtime import choose_provider  # noqa: PLC0415
    from rsonnx.smoothing.adapting import make_plan  # noqa: PLC0415
    from rsonnx.smoothing.load import open_plan  # noqa: PLC0415

    device = DeviceOptions(time_limit_per_call=time_limit_per_call)
    declared = ModelSettings.from_json(settings)
    plan = make_plan(read_model(path, apart=not declared.float16), declared)
    if weights := sum(values.nbytes for values in plan.model.weights.values()):
        tell_parent({"weights": weights})
    try:
        opened = open_plan(
            plan,
            choose_provider(["cpu"], device),
            device,
            timed=lambda seconds: tell_parent({"seconds": seconds}),
        )
    except TimeLimitError as error:  # before anything is counted, it is the model that is refused
        raise ModelError(str(error)) from None
    return opened.tried.to_json()


def tell_parent(said: Any) -> None:
    """Say something to the process that waits for this one, as JSON has it."""
    print(f"{_SAID}{json.dumps(said)}", flush=True)


def _death(path: str | os.PathLike[str], code: int, stderr: str) -> ModelError:
    """Return what became of a child that gave no answer, and why, if it says so."""
    last = (stderr.strip().splitlines() or [""])[-1][:200]
    if code == STUCK and last:  # which says so itself
        return ModelError(last.removeprefix("Error: "))
    why = f" ({last})" if last and code >= 0 else ""
    if last.startswith(("ImportError", "ModuleNotFoundError")) and why:
        # A broken installation is not the file's fault.
        return ModelError(
            f"the child process that tries a model could not begin{why}; install rsonnx again"
        )
    names = {-s.value: f"crashed ({s.name})" for s in signal.Signals}
    how = f"ended (exit code {code})" if code >= 0 else names.get(code, f"crashed (signal {-code})")
    return ModelError(
        f"{path} {how} the child process that tried it{why}; it is damaged, or made to do harm"
    )


def _limit_memory(most: int | None) -> None:
    """Bound what this process may have and address, where the system can: Linux, other Unixes."""
    # Where memory runs out all the same, in a container of less than the machine has for example,
    # Linux shall end this process and no other.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    try:
        import resource  # noqa: PLC0415 - not on Windows

        everything = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        addresses = int(everything * _MEMORY_SHARE) if most is None else most
        data = available_memory() if most is None else most
        resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if data is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (data, data))
    except (ImportError, ValueError, OSError, AttributeError):
        return


def _end_with_parent() -> None:
    """End this process once nobody waits for it: its parent was killed, and it has another one."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def reply_to(request: dict[str, Any]) -> str:
    """Return the line that answers a request: what the function gave, or the error that it is."""
    error, message, answer = None, "", None
    try:
        function = getattr(import_module(request["module"]), request["function"])
        answer = function(request["path"], **request["arguments"])
    except RsonnxError as refusal:
        error, message = type(refusal).__name__, str(refusal)
    except MemoryError:
        error = "ModelError"
        message = f"{request['path']} needs more memory than this machine has"
    except Exception as fault:
        error, cause = "ModelError", fault.__cause__  # numpy's words of an import fill a screen
        fault = cause if isinstance(cause, ImportError) else fault
        message = f"{request['path']} cannot be read: {type(fault).__name__}: {first_line(fault)}"
    return json.dumps({"error": error, "message": message, "answer": answer})


def _child() -> None:
    """Answer one request from stdin on stdout."""
    gc.set_threshold(COLLECT_AFTER)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(Exception):  # what is broken is said of the request that needs it
        import_module("rsonnx.smoothing.load")
    request = json.loads(sys.stdin.read())
    end_process_if_stuck(STUCK)
    _limit_memory(request["memory"])
    print(reply_to(request))


if __name__ == "__main__":
    _child()
