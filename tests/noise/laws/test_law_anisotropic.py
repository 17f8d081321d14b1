"""Gaussian noise with a sigma a feature: its radius, its draws, and what it refuses."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from numpy.typing import NDArray
from scipy import stats

from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian, InputSpace, NoisyStream, law_from_json, noise_of
from rsonnx.noise.laws.anisotropic import AnisotropicGaussian

SIGMAS = (0.02, 1.5, 40.0, 7.0, 1000.0)
"""Standard deviations of values in five different units."""

POINT = np.array([0.3, -2.0, 55.0, 0.0, 12_000.0])
SAMPLES = 20_000
UNBOUNDED = (-math.inf, math.inf)

probabilities = st.floats(0.5, 1.0, exclude_min=True, exclude_max=True)
deviations = st.floats(1e-6, 1e6)


def noisy(law: AnisotropicGaussian, x: NDArray[np.float64], samples: int) -> NDArray[np.float32]:
    """Samples of the noise around ``x``, (samples, values)."""
    point = InputSpace(x.shape, UNBOUNDED).point(x)
    out = np.empty((samples, *x.shape), np.float32)
    NoisyStream(point, law, 12, "estimation").write(0, out)
    return out


def test_golden_radius() -> None:
    # Φ⁻¹(.99) = 2.3263478740408411 (table of the normal distribution; mpmath in 40 digits).
    assert AnisotropicGaussian((3.0, 0.1)).radius(0.99) == pytest.approx(
        2.3263478740408411, rel=1e-14
    )


@pytest.mark.parametrize("sigma", [0.25, 1.0, 30.0])
@pytest.mark.parametrize(("p_a", "p_b"), [(0.6, 0.4), (0.99, 0.001), (0.45, 0.3), (0.3, 0.3)])
def test_equal_sigmas_are_the_isotropic_law(sigma: float, p_a: float, p_b: float) -> None:
    """In its own standard deviations: the same radius over sigma, to a few roundings."""
    law, isotropic = AnisotropicGaussian((sigma,) * 4), Gaussian(sigma)
    assert law.radius(p_a) == pytest.approx(isotropic.radius(p_a) / sigma, rel=1e-15)
    assert law.radius_between(p_a, p_b) == pytest.approx(
        isotropic.radius_between(p_a, p_b) / sigma, rel=1e-15
    )
    assert law.probability_for(1.0) == pytest.approx(isotropic.probability_for(sigma), rel=1e-15)


@given(probabilities)
def test_the_radius_is_never_above_the_quantile(p: float) -> None:
    radius = AnisotropicGaussian(SIGMAS).radius(p)
    with mp.workprec(200):
        assert radius <= mp.sqrt(2) * mp.erfinv(2 * mpf(p) - 1)


@settings(deadline=None)
@given(
    st.floats(0.51, 0.9999),
    st.lists(st.tuples(deviations, st.floats(-1e3, 1e3), st.floats(-1.0, 1.0)), min_size=1),
)
def test_no_half_space_turns_within_the_radius(
    p: float, features: list[tuple[float, float, float]]
) -> None:
    """A half-space of probability p, and any change of the claimed length, in closed form.

    Under N(0, diag(σ²)) the half-space {w·x <= c} with Φ(c/s) = p, s² = Σ w_j²σ_j², has probability
    Φ(Φ⁻¹(p) - w·δ/s) after a change δ. The worst δ of length R is R·σ_j²w_j/s, which reaches 1/2.
    """
    sigma, w, way = (np.array(column) for column in zip(*features, strict=True))
    spread = float(np.linalg.norm(w * sigma))
    if spread < 1e-3:
        return
    radius = AnisotropicGaussian(tuple(sigma)).radius(p)
    worst = radius * sigma**2 * w / spread
    assert np.linalg.norm(worst / sigma) == pytest.approx(radius, rel=1e-12)
    quantile = stats.norm.ppf(p)
    assert quantile - w @ worst / spread == pytest.approx(0.0, abs=1e-12 * quantile)
    length = float(np.linalg.norm(way))
    if length > 1e-3:
        delta = radius * sigma * way / length  # of the same length, in any direction
        assert quantile - w @ delta / spread >= -1e-12 * quantile


def test_drawn_noise_turns_the_worst_half_space_at_the_radius() -> None:
    """Simulated: a half-space of p = .9 stands before the radius of .9 and falls behind it.

    Each share of 20,000 samples is tested against its exact value; odds of a false alarm 1e-9 each.
    """
    law, p = AnisotropicGaussian(SIGMAS), 0.9
    sigma = np.array(SIGMAS)
    w = np.array([30.0, -1.0, 0.02, 0.1, 0.0005])
    spread = float(np.linalg.norm(w * sigma))
    edge = float(w @ POINT) + float(stats.norm.ppf(p)) * spread
    for share in (0.0, 0.5, 0.95, 1.05):
        moved = POINT + share * law.radius(p) * sigma**2 * w / spread
        hits = int((noisy(law, moved, SAMPLES) @ w <= edge).sum())
        exact = float(stats.norm.cdf(stats.norm.ppf(p) * (1 - share)))
        assert stats.binomtest(hits, SAMPLES, exact).pvalue > 1e-9
        assert (exact >= 0.5) == (share < 1)


def test_every_feature_has_its_own_law_and_no_other() -> None:
    """Kolmogorov-Smirnov a feature, correlations a pair: odds of any false alarm below 2e-8."""
    noise = noisy(AnisotropicGaussian(SIGMAS), np.zeros(5), SAMPLES).astype(np.float64)
    for j, sigma in enumerate(SIGMAS):
        assert stats.kstest(noise[:, j], stats.norm(scale=sigma).cdf).pvalue > 1e-9
        assert stats.kstest(noise[:, j], stats.norm(scale=1.1 * sigma).cdf).pvalue < 1e-9
        for k in range(j):
            assert stats.pearsonr(noise[:, j], noise[:, k]).pvalue > 1e-9


@settings(deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_a_sample_does_not_depend_on_how_many_are_drawn(pieces: list[int]) -> None:
    law = AnisotropicGaussian(SIGMAS)
    whole = noisy(law, POINT, sum(pieces))
    stream = NoisyStream(
        InputSpace(POINT.shape, UNBOUNDED).point(POINT), law, 12, "estimation", False
    )
    at = 0
    for piece in pieces:
        out = np.empty((piece, 5), np.float32)
        NoisyStream(stream.point, law, 12, "estimation").write(at, out)  # begins anew
        np.testing.assert_array_equal(out, whole[at : at + piece])
        again = np.empty_like(out)
        stream.write(at, again)  # goes on
        np.testing.assert_array_equal(again, out)
        at += piece


def test_images_and_shared_noise_take_the_sigmas_in_row_major_order() -> None:
    law = AnisotropicGaussian(tuple(float(10**j) for j in range(6)))
    space = InputSpace((2, 3))
    point = space.point(np.full((2, 3), 7, np.uint8), "float")
    for shared in (False, True):
        out = np.empty((4_000, 2, 3), np.float32)
        NoisyStream(point, law, 3, "selection", shared).write(0, out)
        # The standard error of a standard deviation of 4,000 is 1.1 %; 10 % is 9 of them.
        np.testing.assert_allclose(out.std(axis=0), 10.0 ** np.arange(6).reshape(2, 3), rtol=0.1)


@given(st.lists(st.floats(5e-324, 1e300), min_size=1, max_size=20))
def test_parameters_come_back_through_json(sigmas: list[float]) -> None:
    law = noise_of("gaussian-per-feature", sigmas=sigmas)
    parameters = json.loads(json.dumps(law.parameters))
    assert parameters == law.parameters  # a header that is read equals the one that was written
    again = law_from_json(law.to_json())
    assert (again, hash(again)) == (law, hash(law))


def test_what_it_says_of_itself() -> None:
    law = AnisotropicGaussian(SIGMAS)
    assert (law.size, law.norm, law.deviation, law.exact) == (5, "mahalanobis", None, False)
    assert law.label == str(law) == "gaussian-per-feature"
    assert law.radius(0.5) == law.radius_between(0.4, 0.4) == 0.0


@pytest.mark.parametrize(
    "sigmas",
    [
        *((), "0.5", 0.5, None, (0.5, 0.0), (0.5, -1.0), (0.5, math.nan), (0.5, math.inf)),
        *((0.5, "1"), (0.5, None), (0.5, True), ((0.5,), 1.0), (0.5, 1j)),
    ],
)
def test_bad_sigmas(sigmas: Any) -> None:
    with pytest.raises(UsageError, match=r"sigma.* (was|were) expected") as caught:
        AnisotropicGaussian(sigmas)
    assert not isinstance(sigmas, tuple) or not sigmas or "value" in str(caught.value)


def test_numpy_numbers_are_numbers() -> None:
    law = AnisotropicGaussian(np.array(SIGMAS))  # type: ignore[arg-type]
    assert law == AnisotropicGaussian(SIGMAS)
    assert all(type(sigma) is float for sigma in law.sigmas)


def test_an_input_of_another_length_is_refused() -> None:
    law = AnisotropicGaussian(SIGMAS)
    law.check(InputSpace((5,), UNBOUNDED).point(POINT))
    with pytest.raises(UsageError, match="inputs of 5 values, but these have 4"):
        law.check(InputSpace((4,), UNBOUNDED).point(POINT[:4]))


def test_other_norms_and_scales_are_refused() -> None:
    with pytest.raises(UsageError, match="certifies in mahalanobis"):
        noise_of("gaussian-per-feature", sigmas=SIGMAS, norm="l2")
    for scale in ("sigma", "lam"):
        with pytest.raises(UsageError, match=r"has no (sigma|lambda)"):
            noise_of("gaussian-per-feature", sigmas=SIGMAS, **{scale: 0.5})
    with pytest.raises(UsageError, match="needs sigmas, which was not given"):
        noise_of("gaussian-per-feature")
