"""The summary says what follows from a run's figures, and nothing that does not."""

from __future__ import annotations

import html_pages
import pytest
from html_pages import page_run, row

from rsonnx.errors import UsageError
from rsonnx.report.html import PageRun
from rsonnx.report.html.summary import overview
from rsonnx.report.html.words import confidence, incomplete, lead


def words(run: PageRun) -> str:
    return html_pages.tree(overview(run, named=False)).text


@pytest.mark.parametrize(
    ("alpha", "text"),
    [
        (0.001, "99.9 %"),
        (0.05, "95 %"),
        (0.0123456, "98.76 %"),  # the error is rounded up, to 0.0124
        (1.9999999999999998e-06, "99.9998 %"),
        (1e-300, "1 - 1E-300"),
    ],
)
def test_confidence_is_rounded_down(alpha: float, text: str) -> None:
    assert confidence(alpha) == text


def test_an_ordinary_run() -> None:
    said = words(page_run())
    assert (
        "For 1 of 3 inputs (33.3 %) the smoothed classifier gives the true class and is certified "
        "(99.9 % confidence in each) to keep it under every change of" in said
    )
    assert "Euclidean length (l2 norm) below 0.5." in said
    assert "made of tiny.onnx, on all 3 inputs of pictures." in said
    noise = "Gaussian noise of standard deviation 0.5 is added to the input and the sum rounded to"
    assert f"{noise} the 8-bit grid" in said
    assert "measured in input values between 0 and 1, before preprocessing." in said
    # 0.5 over 64 values is 0.0625 each, 15.9375 levels.
    assert "each of the 64 values by about 0.0625 (15.9 of 255 levels)" in said
    assert "with probability at least 99.9 % (alpha = 0.001)" in said
    # P(Bin(3, 0.001) = 0) = 0.997 > 0.95, and 3 * 0.001 = 0.003.
    assert "at most 0.003 are expected to have a false certificate; with 95 % confidence" in said
    assert "none has one, if noise is independent between inputs." in said
    assert "Nothing is certified of tiny.onnx itself" in said
    assert "for these 3 inputs and no others" in said
    assert "An abstention (1 of 3 inputs)" in said
    for absent in ("floating point", "Sampling stopped", "derived anew", "interrupted", "label"):
        assert absent not in said
    assert incomplete(page_run()) is None


def test_no_abstention_is_explained_where_there_is_none() -> None:
    assert "abstention" not in words(page_run([row()])).lower()


def test_wrong_certificates_are_counted() -> None:
    assert "1 input is certified for another class than the label" in words(
        page_run([row(0), row(1, label=2)])
    )
    assert "2 inputs are certified for another" in words(
        page_run([row(0, label=1), row(1, label=2)])
    )


def test_an_unlabelled_run_claims_no_accuracy() -> None:
    said = words(page_run([row(0, label=None), row(1, hits=700), row(2, hits=500)]))
    assert (
        "For 1 of 3 inputs (33.3 %) the smoothed classifier is certified (99.9 % confidence "
        "in each) to keep its answer under" in said
    )
    assert "right is unknown: not every input has a label" in said
    assert "How many of the answers are right is not known here" in said
    assert "Of further inputs nothing is said here" in said
    assert "counts as not certified" in said
    for absent in ("true class", "accuracy", "ACR", "drawn from it independently"):
        assert absent not in said


def test_a_family_wise_run_claims_all_at_once_and_not_each_alone() -> None:
    said = words(page_run(family_wise=0.001, alpha=0.0003))
    assert "All certificates of the run hold at once with probability at least 99.9 %" in said
    assert "with probability up to 0.001 at least one is" in said
    assert "confidence in all certificates at once" in said
    assert "is certified (99.9 % confidence in all) to keep it" in said
    assert "its share of the error (alpha = 0.0003)" in said
    for absent in ("expected to have a false", "separately for each input", "each alone may be"):
        assert absent not in said


def test_an_adaptive_run_understates() -> None:
    said = words(page_run(target_radii=[0.25, 0.5], radii=(0.0, 0.25, 0.5)))
    assert "target radii (0.25, 0.5) were decided" in said
    assert "understated" in said


def test_floating_point_noise_is_no_proof_against_rounding() -> None:
    said = words(page_run(noise={"arithmetic": "float"}))
    assert "The noise was drawn in floating point" in said
    assert "8-bit grid," not in said
    assert "levels" not in said


def test_restated_runs_say_so_unless_nothing_changed() -> None:
    before = {"alpha": 0.01, "bound": "clopper-pearson", "radius_rule": "one-sided"}
    said = words(page_run(restated_from=before | {"family_wise": None}))
    assert "alpha = 0.001 an input, clopper-pearson, one-sided instead of alpha = 0.01" in said
    assert "chosen without looking at the counts" in said
    same = before | {"alpha": 0.001, "family_wise": None}
    assert "derived anew" not in words(page_run(restated_from=same))


def test_an_incomplete_run_says_so() -> None:
    run = page_run([row()], status="interrupted")
    assert "is <bdi>interrupted</bdi>: it holds 1 of 3 inputs" in (incomplete(run) or "")
    assert "on 1 of the 3 inputs of pictures" in words(run)
    assert "The run is interrupted." in words(run)


def test_inputs_that_share_their_noise_weaken_the_count() -> None:
    said = words(page_run([row(0, name="a"), row(1, name="b")]))
    assert "counted as false" not in said  # rows without a digest are no copies
    copies = [row(0), row(1)]
    same = [type(r)(**{**vars(r), "digest": "d"}) for r in copies]
    assert "1 input that equals another is counted as false with it" in words(page_run(same))


def test_a_run_that_shares_its_noise_says_so() -> None:
    noise = {"norm": "l2", "distribution": "gaussian", "shared": True}
    said = words(page_run([row(0), row(1)], noise=noise))
    assert "They may be false together, since all inputs share their noise." in said
    assert "is of the noise that was drawn, which all inputs share" in said
    assert "independent between inputs" not in said


def test_another_norm_is_named_as_it_is() -> None:
    said = words(page_run(noise={"norm": "l1"}))
    assert "under every change whose absolute values sum to less than 0.5 (l1 norm)" in said
    assert "whose sum of absolute changes (l1 norm) is below that input's certified radius" in said
    assert "unless its sum of absolute changes (l1 norm) is below the radius too" in said
    for absent in ("Euclidean", "For scale"):
        assert absent not in said


@pytest.mark.parametrize("noise", [{"norm": "l7"}, {"distribution": "cubic"}, {"sigma": "x"}])
def test_noise_that_is_none_makes_no_page(noise: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"the noise is|the norm is|sigma is"):
        page_run(noise=noise)


def test_a_table_of_radius_zero_alone() -> None:
    assert "under small changes, each up to a radius of its own." in lead(page_run(radii=(0.0,)))


@pytest.mark.parametrize(
    "model",
    [
        {"input_shape": None},
        {"input_shape": ["x"]},
        {"input_shape": []},
        {"bounds": "no"},
        {"bounds": {"low": 1.0, "high": 0.0}},
        {"bounds": {"low": "-inf", "high": "inf"}},
    ],
)
def test_the_example_needs_facts(model: dict[str, object]) -> None:
    said = words(page_run(model=model))
    assert "levels" not in said
    assert ("For scale" in said) == ("bounds" in model)
