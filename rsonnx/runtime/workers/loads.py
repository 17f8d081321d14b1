"""Which worker gets how much: units by the speed of each, so that all finish together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from rsonnx.runtime.engine import usual_batch
from rsonnx.runtime.workers.units import Unit, Work

_LEAST_SAMPLES = 64
"""Samples of a unit at least, where there are so many: a batch or so."""

_SECONDS = (0.25, 4.0)
"""A unit shall last about so long: long enough that sending it and filling its last batch do not
show, short enough that workers finish together and little is lost with one of them."""

_IN_FLIGHT = 2
"""Units that a worker holds: the next lies ready when it has finished one."""


_BATCHES_A_CALL = 64
"""Batches a worker that a call should ask for: a device's are larger than the usual ones."""


def appetite_of(workers: int, sample_shape: tuple[int, ...]) -> int:
    """Return how many samples of this shape keep so many workers busy for a call."""
    return workers * _BATCHES_A_CALL * usual_batch(sample_shape)


class Load:
    """What one worker holds, oldest first, and how fast it is.

    Attributes:
        units: handed to the worker and not answered.
        rate: samples a second; None where it has not counted enough to tell.
    """

    def __init__(self) -> None:
        self.units: deque[Unit] = deque()
        self.rate: float | None = None
        self._warm = False

    def done(self, seconds: float) -> Unit:
        """Take the oldest unit off, which was counted in so many seconds."""
        unit = self.units.popleft()
        if self._warm:  # the first unit also paid for what is made once
            self.rate = unit.samples / max(seconds, 1e-6)
        self._warm = True
        return unit


def deal(work: Work, loads: Sequence[Load]) -> Iterator[tuple[int, Unit]]:
    """Deal units out until every worker holds enough or all are taken, one each before a second.

    Yields:
        The index of a worker and the unit that it gets, which is in its load by then.
    """
    for depth in range(1, _IN_FLIGHT + 1):
        for index, load in enumerate(loads):
            if len(load.units) >= depth:
                continue
            rates = [other.rate for other in loads]
            unit = work.take(unit_samples(work.left, work.total, load.rate, rates))
            if unit is None:
                return
            load.units.append(unit)
            yield index, unit


def unit_samples(left: int, total: int, rate: float | None, rates: Sequence[float | None]) -> int:
    """Return how many samples the next unit of a worker shall have.

    Each worker takes its share of what is left by its speed, so that units shrink towards the end.
    The size is a power of two, which most batch sizes divide.

    Args:
        left: samples that no worker has taken yet, >= 0.
        total: samples of the whole work: where they are few, no unit is more than a share of them.
        rate: samples a second that this worker counts, None where that is not known.
        rates: those of all workers, this one among them; one that is not known is taken to be as
            fast as this one.
    """
    if rate is None:
        return _LEAST_SAMPLES
    shortest, longest = (rate * seconds for seconds in _SECONDS)
    part = rate / sum(other or rate for other in rates)
    size = int(max(_LEAST_SAMPLES, min(shortest, total * part), min(longest, left * part)))
    return 1 << (size.bit_length() - 1)
