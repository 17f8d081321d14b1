"""Try a stranger's model in a child process first, with limits on memory and time.

A hostile file can crash or exhaust the process that parses and runs it. The child does exactly what
:func:`rsonnx.load` will do, on the processor; if it dies, that is a sentence here and no more.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from rsonnx import errors
from rsonnx.errors import ModelError, RsonnxError
from rsonnx.model import ModelSettings

SECONDS = 300
"""Longest time that a model may take to be loaded and probed."""

_MEMORY_SHARE = 0.8
"""Share of the machine's memory that the child may address."""


def try_in_child(
    path: str | os.PathLike[str],
    settings: ModelSettings,
    *,
    seconds: float = SECONDS,
    memory: int | None = None,
) -> None:
    """Load and probe a model in a child process.

    Args:
        path: the model file.
        settings: what is declared of it.
        seconds: give up after this time.
        memory: bytes that the child may address; None allows most of the machine's.

    Raises:
        RsonnxError: what :func:`rsonnx.load` raised in the child.
        ModelError: the child crashed, ran out of memory or took too long.
    """
    request = {"path": str(Path(path).absolute()), "settings": settings.to_json(), "memory": memory}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rsonnx.smoothing.isolation"],
            input=json.dumps(request),
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # what a dying child leaves may quote names that are no text
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"{path} took more than {seconds:g} s to load and probe in a child process; it is too "
            "large for this machine, or made to exhaust it"
        ) from None
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
        kind, message = answer["error"], answer["message"]
    except (ValueError, IndexError, KeyError, TypeError):
        raise _death(path, done.returncode, done.stderr) from None
    if kind is not None:
        error = getattr(errors, kind, None)
        raise (error if isinstance(error, type) else RsonnxError)(message)


def _death(path: str | os.PathLike[str], code: int, stderr: str) -> ModelError:
    """Return what became of a child that gave no answer, and why, if it says so."""
    last = (stderr.strip().splitlines() or [""])[-1][:200]
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
    """Bound the address space, where the system can: Linux and other Unixes."""
    # Where memory runs out all the same, in a container of less than the machine has for example,
    # Linux shall end this process and no other.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    try:
        import resource  # noqa: PLC0415 - not on Windows

        if most is None:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            most = int(memory * _MEMORY_SHARE)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError, AttributeError):
        return


def _child() -> None:
    """Answer one request from stdin with a line of JSON on stdout."""
    from rsonnx.smoothing.load import load_with  # noqa: PLC0415 - the child alone needs it here

    request = json.loads(sys.stdin.read())
    _limit_memory(request["memory"])
    error, message = None, ""
    try:
        load_with(request["path"], ModelSettings.from_json(request["settings"]), ["cpu"])
    except RsonnxError as refusal:
        error, message = type(refusal).__name__, str(refusal)
    except MemoryError:
        error = "ModelError"
        message = f"{request['path']} needs more memory than this machine has"
    except Exception as fault:
        error = "ModelError"
        message = f"{request['path']} cannot be read: {type(fault).__name__}: {fault}"
    print(json.dumps({"error": error, "message": message}))


if __name__ == "__main__":
    _child()
