"""Settings that all tests share."""

import os

from hypothesis import HealthCheck, settings

# Where no address is given, Ray would join any cluster of this machine: that of another test.
os.environ["RAY_ADDRESS"] = "local"

# How long an example takes says more about the other work on the machine than about the code.
settings.register_profile(
    "rsonnx", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("rsonnx")
