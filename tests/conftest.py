"""Settings that all tests share."""

import gc
import os
import signal

import pytest
from hypothesis import HealthCheck, settings
from tried_models import children, no_children

__all__ = ["children", "no_children"]

# As many threads for each worker as there are cores would get in each other's way.
for pool in ("OPENBLAS", "OMP"):
    os.environ.setdefault(f"{pool}_NUM_THREADS", "1")

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


LONG = (
    *("test_readme.py", "test_ray_engine.py", "test_kills.py", "test_workflows.py"),
    *("test_process_engine.py", "test_device_engine.py", "test_pages.py", "test_forgeries.py"),
    *("test_examples.py", "test_every_byte.py", "test_bench.py", "test_page_browser.py"),
)
"""Files that take longest; they begin first, so that no worker ends alone with one of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: collecting garbage passes it over.

    It is done seldom, which saves a sixteenth of the processor time of all tests.
    """
    gc.freeze()
    gc.set_threshold(50_000)
