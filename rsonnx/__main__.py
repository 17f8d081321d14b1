"""The command ``rsonnx``, and ``python -m rsonnx``: ready to be stopped before much is imported."""

try:
    import atexit
    import gc
    import os
    import signal
    import sys

    from rsonnx.errors import INTERRUPTED
except KeyboardInterrupt:
    raise SystemExit(130) from None


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def main() -> None:
    """Run the command line and exit with its code.

    Until a command begins there is nothing to end well, and an exception in the middle of an import
    would be a traceback, so that Ctrl-C leaves at once.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(INTERRUPTED))
    # Behind the last of what ends a process, Python would give back to a signal its default effect.
    atexit.register(_ignore_signals)
    atexit.register(gc.freeze)  # what ends with the process needs no look for rings
    try:
        from rsonnx.resources import COLLECT_AFTER  # noqa: PLC0415 - it takes a while

        gc.set_threshold(COLLECT_AFTER)
        from rsonnx.cli import main as command_line  # noqa: PLC0415 - it takes a while

        command_line()
    except Exception as error:
        from rsonnx.installation import damage  # noqa: PLC0415 - the traceback module, for this

        sentence = damage(error)
        if sentence is None or os.environ.get("RSONNX_TRACEBACK"):
            raise
        print(f"Error: {sentence}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
