"""Every error that rsonnx raises on purpose, each with the exit code the command line gives it.

A message is one sentence that names the thing, what was found, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

INTERRUPTED = 130
"""The exit code of a command that was stopped by Ctrl-C or SIGTERM."""


class RsonnxError(Exception):
    """Base class of all errors a caller of rsonnx may want to catch.

    >>> try:
    ...     rsonnx.read_run("nothing.jsonl")
    ... except rsonnx.RsonnxError as error:
    ...     print(error.exit_code)
    2
    """

    exit_code = 1


class UsageError(RsonnxError, ValueError):
    """An argument is outside its range, unknown, or names a path that cannot be used.

    >>> try:
    ...     g.certify(x, alpha=2)
    ... except rsonnx.UsageError as error:
    ...     print(str(error).partition(",")[0])
    alpha is 2
    """

    exit_code = 2


class ChoiceError(UsageError):
    """Data hold several parts, of which one has to be chosen."""


class GateError(RsonnxError):
    """A run does not reach what ``--fail-under`` or ``--fail-over`` asks of it."""

    exit_code = 3


class ReplayError(RsonnxError):
    """The votes drawn now do not reach a radius that a run records; nothing else of it is wrong.

    Where something else is, that outranks: it is a RunFileError.
    """

    exit_code = 5


class DataError(RsonnxError, ValueError):
    """An input, a label or a data set is not what the model or the format needs.

    >>> try:
    ...     g.certify(x[0])
    ... except rsonnx.DataError as error:
    ...     print(error)
    the input has shape (28, 28), but (1, 28, 28) was expected
    """


class UnreadableInputError(DataError):
    """A picture's own bytes cannot be read, now or ever: it may be left out."""


class RunFileError(RsonnxError):
    """A run file cannot be read or written, or contradicts itself.

    >>> Path("empty.jsonl").touch()
    >>> try:
    ...     rsonnx.read_run("empty.jsonl")
    ... except rsonnx.RunFileError as error:
    ...     print(error.exit_code)
    1
    """


class InferenceError(RsonnxError):
    """The base classifier failed on a batch; a failure is never counted as a vote.

    >>> def broken(batch):
    ...     raise OSError("the device is gone")
    >>> try:
    ...     rsonnx.SmoothedClassifier(broken, sigma=0.5).certify(x)
    ... except rsonnx.InferenceError as error:
    ...     print(error.exit_code)
    1
    """


class TimeLimitError(InferenceError):
    """A call of the model took longer than it may."""


class ModelError(RsonnxError):
    """The model cannot be read, adapted, or is not what the theorem assumes.

    >>> try:
    ...     rsonnx.load(b"no model", preprocess="none")
    ... except rsonnx.ModelError as error:
    ...     print(error.exit_code)
    4
    """

    exit_code = 4


class MissingError(ModelError):
    """Several things have to be declared: a line of the message each."""


class CouplingError(ModelError):
    """A row's answer was seen to depend on its batch: there is no function, and no certificate."""


class ProviderError(RsonnxError):
    """The execution provider that was asked for does not work here.

    >>> try:
    ...     rsonnx.load("model.onnx", providers=["coreml"])
    ... except rsonnx.ProviderError as error:
    ...     print(error.exit_code)
    4
    """

    exit_code = 4


Ask = Callable[[RsonnxError], None]
"""Hears what has to be declared, as the refusal that it is where nothing else is asked for."""


def error_named(kind: str, message: str) -> RsonnxError:
    """Return an error that another process wrote down; of a class that is none of ours, the base's.

    Args:
        kind: name of its class.
        message: its sentence.
    """
    known = globals().get(kind)
    if isinstance(known, type) and issubclass(known, RsonnxError):
        return known(message)
    return RsonnxError(message)


def refuse(refusal: RsonnxError) -> None:
    """Raise an error: what asks for one thing at a time, where :func:`all_at_once` asks for all."""
    raise refusal


def all_at_once(refusals: Sequence[RsonnxError]) -> RsonnxError:
    """Return one error that says all of several, with the highest of their exit codes."""
    if len(refusals) == 1:
        return refusals[0]
    lines = (
        str(refusal) if isinstance(refusal, MissingError) else str(refusal).replace("\n", " ")
        for refusal in refusals
    )
    error = MissingError("\n".join(lines))
    error.exit_code = max(refusal.exit_code for refusal in refusals)
    return error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without its final stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")
