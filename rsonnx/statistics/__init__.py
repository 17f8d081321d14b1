"""Bounds on a probability and tests of one: exact, one-sided, rounded outward."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.statistics.adaptive import (
        AdaptiveRule,
        Verdict,
        align_looks,
        look_schedule,
        target_as_recorded,
    )
    from rsonnx.statistics.binomial_test import (
        fewest_samples_to_predict,
        least_top_counts,
        p_value_above_half,
        p_value_differs_from_half,
    )
    from rsonnx.statistics.bounds import BOUNDS, DEFAULT_BOUND, Bound, certifying_bound
    from rsonnx.statistics.checks import check_alpha, check_count, check_samples, check_share
    from rsonnx.statistics.clopper_pearson import (
        clopper_pearson_lower,
        clopper_pearson_upper,
        fewest_samples_to_exceed_half,
        lower_as_recorded,
        proved_lower,
        proved_upper,
        samples_to_exceed_half,
    )
    from rsonnx.statistics.dataset import (
        AccuracyInterval,
        Band,
        FalseCertificates,
        MeanInterval,
        accuracy_band,
        accuracy_interval,
        false_certificates,
        family_wise_alpha,
        radius_interval,
    )
    from rsonnx.statistics.enclosures import exp_minus, normal_tail_bounds
    from rsonnx.statistics.operating import ends, expected_end, expected_radius, operating_point
    from rsonnx.statistics.paired import PairedAccuracy, paired_accuracy, paired_mean_interval
    from rsonnx.statistics.power import (
        chance_to_certify,
        fewest_samples,
        largest_bound,
        samples_for_chance,
    )
    from rsonnx.statistics.precision import PrecisionRule
    from rsonnx.statistics.rigorous import (
        proves_lower_bound,
        proves_radius,
        proves_radius_beside,
        proves_two_sided_radius,
        proves_upper_bound,
    )
    from rsonnx.statistics.rounding import (
        LAST_DIGITS,
        as_recorded,
        normal_cdf_up,
        normal_quantile_down,
        normal_quantile_up,
        scale_down,
    )
    from rsonnx.statistics.sequential import SequentialPredict, selection_settled
    from rsonnx.statistics.spending import SpendingRule
    from rsonnx.statistics.stopping import stop_fault

offer_lazily(__name__)
