"""Bounds on a probability and tests of one: exact, one-sided, rounded outward."""

from rsonnx.statistics.binomial_test import (
    fewest_samples_to_predict,
    p_value_above_half,
    p_value_differs_from_half,
)
from rsonnx.statistics.checks import check_alpha, check_count, check_samples
from rsonnx.statistics.clopper_pearson import (
    clopper_pearson_lower,
    clopper_pearson_upper,
    fewest_samples_to_exceed_half,
    samples_to_exceed_half,
)
from rsonnx.statistics.rounding import normal_quantile_down, scale_down

__all__ = [
    "check_alpha",
    "check_count",
    "check_samples",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "fewest_samples_to_exceed_half",
    "fewest_samples_to_predict",
    "normal_quantile_down",
    "p_value_above_half",
    "p_value_differs_from_half",
    "samples_to_exceed_half",
    "scale_down",
]
