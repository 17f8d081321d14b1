"""The words that choose between procedures, apart from their code, which help does not need."""

from __future__ import annotations

from typing import Literal, get_args

WAYS = ("sampled", "exact")
"""Whether class probabilities are bounded by samples, or calculated."""
RADIUS_RULES = ("one-sided", "two-sided")
PredictMethod = Literal["two-class", "majority"]
PREDICT_METHODS: tuple[str, ...] = get_args(PredictMethod)
GENERATORS = ("numpy", "exported")
"""What draws the noise of a prediction."""
