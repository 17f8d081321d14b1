"""What a long call of the library tells whoever waits for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Extent:
    """How much a call is about to do.

    Attributes:
        inputs: how many inputs there are, with those that are done already.
        samples_each: how many samples one of them takes; where ``adaptive``, at most.
        adaptive: whether inputs may take fewer.
        already: how many inputs an earlier session has done, 0..inputs.
        already_certified: how many of those are certified, 0..already.
        outcome: what an input that counts is called; None where nothing is to be counted.
        unit: what the samples are called.

    >>> rsonnx.Extent(inputs=500, samples_each=10_100).outcome
    'certified'
    """

    inputs: int
    samples_each: int
    adaptive: bool = False
    already: int = 0
    already_certified: int = 0
    outcome: str | None = "certified"
    unit: str = "samples"


class Listener:
    """Hears what a call does; a subclass overrides what it wants to hear.

    What a method raises ends the call as Ctrl-C would: the run file stays resumable.

    >>> class Radii(rsonnx.Listener):
    ...     def finished(self, result, *, certified):
    ...         print(result.name, certified)
    >>> run = rsonnx.certify("model.onnx", "images/", sigma=0.5, n=100, seed=1, listener=Radii())
    0 True
    1 True
    2 True
    3 True
    """

    def said(self, topic: str, text: str) -> None:
        """Hear a fact or, under the topic ``warning``, a doubt.

        The text may quote a stranger's names as they are: whoever prints it escapes them.

        >>> class Doubts(rsonnx.Listener):
        ...     def said(self, topic, text):
        ...         if topic == "warning":
        ...             print(text)
        """

    def begun(self, extent: Extent) -> None:
        """Hear that samples will be drawn from now on, and how many at most.

        >>> class Most(rsonnx.Listener):
        ...     def begun(self, extent):
        ...         print(f"at most {extent.inputs * extent.samples_each:,} samples")
        >>> Most().begun(rsonnx.Extent(inputs=500, samples_each=10_100))
        at most 5,050,000 samples
        """

    def drawn(self, samples: int) -> None:
        """Hear that so many more samples are counted, from any thread.

        >>> class Total(rsonnx.Listener):
        ...     samples = 0
        ...     def drawn(self, samples):
        ...         self.samples += samples
        >>> total = Total()
        >>> answers = rsonnx.predict("model.onnx", "images/", sigma=0.5, n=100, listener=total)
        >>> total.samples
        400
        """

    def finished(self, result: object, *, certified: bool) -> None:
        """Hear of an input that is done: its row or its prediction, and whether it counts.

        >>> class Certified(rsonnx.Listener):
        ...     inputs = 0
        ...     def finished(self, result, *, certified):
        ...         self.inputs += certified
        """
