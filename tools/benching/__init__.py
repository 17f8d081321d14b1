"""The parts of ``bench.py``: turns and spreads, subjects, efficiency, growth, peers, procedures."""
