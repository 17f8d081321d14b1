"""The command ``rsonnx``, and ``python -m rsonnx``: ready to be stopped before much is imported."""

try:
    import os
    import signal
    import sys

    from rsonnx.errors import INTERRUPTED
except KeyboardInterrupt:
    raise SystemExit(130) from None


def main() -> None:
    """Run the command line and exit with its code.

    Until a command begins there is nothing to end well, and an exception in the middle of an import
    would be a traceback, so that Ctrl-C leaves at once.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(INTERRUPTED))
    try:
        from rsonnx.cli import main as command_line  # noqa: PLC0415 - it takes a while

        command_line()
    except ImportError as error:
        if os.environ.get("RSONNX_TRACEBACK"):
            raise
        while isinstance(error.__cause__, ImportError):  # numpy's own words fill a screen
            error = error.__cause__
        print(
            f"Error: the installation of rsonnx is damaged: {str(error).strip().splitlines()[0]}; "
            "mend it: pip install --force-reinstall rsonnx",
            file=sys.stderr,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
