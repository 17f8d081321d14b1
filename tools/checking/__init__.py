"""The parts of ``check.py``: labels, third-party models, rounding, the adaptive rule."""
