"""The parts of ``gpu_check.py``: what is run, the checks, a run that is killed, the page."""
