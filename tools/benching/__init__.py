"""The parts of ``bench.py``: turns, subjects, efficiency, growth, peers, rules, designs ..."""
