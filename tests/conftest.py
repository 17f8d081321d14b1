"""Settings that all tests share."""

from hypothesis import HealthCheck, settings

# How long an example takes says more about the other work on the machine than about the code.
settings.register_profile(
    "rsonnx", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("rsonnx")
