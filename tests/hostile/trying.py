"""Load model files, each in a forked child with limits, and print what came of each as JSON.

    python trying.py FILE...

A process of its own, since forking one in which onnxruntime already runs threads is not safe. The
children do what :func:`rsonnx.smoothing.try_in_child` does, without a second's start for each.
"""

from __future__ import annotations

import json
import os
import resource
import sys

from rsonnx.errors import RsonnxError
from rsonnx.smoothing import load

_BYTES = 6 * 2**30
_SECONDS = 20


def _child(path: str, pipe: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))  # whatever else the machine does
    try:
        load(path, preprocess="zero-one", providers=["cpu"])
        answer = ["loaded", ""]
    except RsonnxError as error:
        answer = [type(error).__name__, str(error)]
    except BaseException as error:
        answer = ["bug", f"{type(error).__name__}: {error}"]
    os.write(pipe, json.dumps(answer)[:60_000].encode())
    os._exit(0)


def main() -> None:
    """Try the files that are named."""
    for path in sys.argv[1:]:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _child(path, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(child, 0)
        outcome, message = json.loads(answer) if answer else ["died", str(status)]
        print(json.dumps({"path": path, "outcome": outcome, "message": message}), flush=True)


if __name__ == "__main__":
    main()
