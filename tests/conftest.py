"""Settings that all tests share."""

import gc
import os
import signal

from hypothesis import HealthCheck, settings
from tried_models import children, no_children

__all__ = ["children", "no_children"]

# Where no address is given, Ray would join any cluster of this machine: that of another test.
os.environ["RAY_ADDRESS"] = "local"

# Shells have what they start in the background ignore it, and the tests of Ctrl-C would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more about the other work on the machine than about the code.
for name, examples in {"suite": 10, "night": 500}.items():  # --hypothesis-profile night
    settings.register_profile(
        name,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: collecting garbage passes it over."""
    gc.freeze()
