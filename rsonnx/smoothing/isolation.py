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
    asked = json.dumps(
        {"path": str(Path(path).absolute()), "settings": settings.to_json(), "memory": memory}
    )
    command = [sys.executable, "-m", "rsonnx.smoothing.isolation"]
    try:
        done = subprocess.run(
            command,
            input=asked,
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
        why = _last_words(done.returncode, done.stderr)
        if why.startswith((" (ImportError", " (ModuleNotFoundError")):
            raise ModelError(
                f"the child process that tries a model could not begin{why}; install rsonnx again"
            ) from None
        raise ModelError(
            f"{path} {_death(done.returncode)} the child process that tried it{why}; it is "
            "damaged, or made to do harm"
        ) from None
    if kind is not None:
        found = getattr(errors, kind, None)
        raise (found if isinstance(found, type) else RsonnxError)(message)


def _death(code: int) -> str:
    if code < 0:
        known = {s.value: s.name for s in signal.Signals}
        return f"crashed ({known.get(-code, f'signal {-code}')})"
    return f"ended (exit code {code})"


def _last_words(code: int, stderr: str) -> str:
    """Return why a child gave up, if it says so: a broken installation is not the file's fault."""
    last = (stderr.strip().splitlines() or [""])[-1][:200]
    return f" ({last})" if last and code >= 0 else ""


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

    asked = json.loads(sys.stdin.read())
    _limit_memory(asked["memory"])
    error, message = None, ""
    try:
        load_with(asked["path"], ModelSettings.from_json(asked["settings"]), ["cpu"])
    except RsonnxError as found:
        error, message = type(found).__name__, str(found)
    except MemoryError:
        error = "ModelError"
        message = f"{asked['path']} needs more memory than this machine has"
    except Exception as found:
        error = "ModelError"
        message = f"{asked['path']} cannot be read: {type(found).__name__}: {found}"
    print(json.dumps({"error": error, "message": message}))


if __name__ == "__main__":
    _child()
