"""Transformations: radii, what is drawn, and worst cases with a known boundary.

Statistical tests fix their seeds; a p-value below 1e-9 fails, which a right law has with odds of
1e-9 a test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import check_radii, exact_noise, float_noise
from numpy.typing import NDArray
from scipy import stats

import rsonnx
from rsonnx.errors import UsageError
from rsonnx.noise import (
    NOISES,
    Blur,
    BlurFolded,
    BlurUniform,
    Brightness,
    Contrast,
    InputSpace,
    NoisyStream,
    Translation,
)

LAWS: list[Any] = [
    Brightness(1.0),
    Contrast(1.0),
    Translation(1.0, "NCHW"),
    Blur(1.0, "NCHW"),
    BlurUniform(1.0, "NCHW"),
    BlurFolded(1.0, "NCHW"),
]
every_law = pytest.mark.parametrize("law", LAWS, ids=[law.name for law in LAWS])


@every_law
@given(data=st.data())
def test_radii_in_order(law: Any, data: st.DataObject) -> None:
    chance = st.floats(0.0, 1.0, exclude_max=True)
    low, high = sorted([data.draw(chance), data.draw(chance)])
    check_radii(law, low, high, data.draw(st.floats(0.01, 1)))


@given(p=st.floats(0.5, 1.0, exclude_min=True, exclude_max=True), scale=st.floats(0.01, 100))
def test_no_radius_is_above_its_formula(p: float, scale: float) -> None:
    """Against mpmath at 60 digits."""
    with mpmath.workdps(60):
        q = mpmath.mpf(p)

        def quantile(share: mpmath.mpf) -> mpmath.mpf:
            return mpmath.sqrt(2) * mpmath.erfinv(2 * share - 1)

        true = {
            Contrast(scale): quantile(q),
            Blur(scale, None): -mpmath.log(2 - 2 * q),
            BlurUniform(scale, None): q - 0.5,
            BlurFolded(scale, None): quantile((1 + q) / 2) - quantile(mpmath.mpf("0.75")),
        }
        for law, unit in true.items():
            radius = law.radius(p)
            assert radius <= scale * unit
            assert radius >= scale * (unit - 1e-13 * (1 + unit))
            assert law.proves(radius, p, None) is not False


def samples(law: Any, x: NDArray[Any], count: int, seed: int = 5) -> NDArray[np.float64]:
    """Return samples of an input, float64 (count, \\*shape)."""
    point = InputSpace(x.shape, (-np.inf, np.inf), "NCHW").point(x)
    out = np.empty((count, *x.shape), np.float32)
    NoisyStream(point, law, seed, "estimation").write(0, out)
    return out.astype(np.float64)


def test_brightness_adds_one_number_to_all_values() -> None:
    shape = (3, 4, 4)
    drawn = float_noise(Brightness(0.3), shape, 5_000)
    np.testing.assert_array_equal(drawn, np.repeat(drawn[:, :1], 48, axis=1))
    assert stats.kstest(drawn[:, 0], stats.norm(scale=0.3).cdf).pvalue > 1e-9
    steps = exact_noise(Brightness(0.3), shape, 5_000)
    np.testing.assert_array_equal(steps, np.repeat(steps[:, :1], 48, axis=1))
    assert np.abs(steps).max() > 155  # beyond the bounds: nothing is clipped
    rounded = stats.norm(scale=0.3 * 255)
    for cut in (-100.5, -20.5, 0.5, 70.5):
        below = int((steps[:, 0] < cut).sum())
        assert stats.binomtest(below, 5_000, float(rounded.cdf(cut))).pvalue > 1e-9


def test_contrast_multiplies_all_values_by_one_number() -> None:
    x = np.array([[[1.0, 0.0, -2.0, 0.3]]])
    drawn = samples(Contrast(0.3), x, 5_000)
    factors = drawn[:, 0, 0, 0]
    assert stats.kstest(np.log(factors), stats.norm(scale=0.3).cdf).pvalue > 1e-9
    np.testing.assert_allclose(drawn, factors[:, None, None, None] * x, rtol=1e-6)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", None])
def test_translation_rolls_whole_pixels_around_the_edges(layout: str | None) -> None:
    shape = {"NCHW": (2, 5, 7), "NHWC": (5, 7, 2), None: (5, 7)}[layout]
    sides = {"NCHW": (1, 2), "NHWC": (0, 1), None: (0, 1)}[layout]
    levels = np.random.default_rng(1).permutation(np.prod(shape)).astype(np.uint8).reshape(shape)
    point = InputSpace(shape, (0.0, 255.0), layout).point(levels)
    stream = NoisyStream(point, Translation(1.5, layout), 3, "selection")
    drawn = np.empty((4_000, *shape), np.float32)
    stream.write(0, drawn)
    rolled = {
        np.roll(levels, (dy, dx), sides).astype(np.float32).tobytes(): (dy, dx)
        for dy in range(-2, 3)
        for dx in range(-3, 4)
    }
    shifts = np.array([rolled[sample.tobytes()] for sample in drawn])
    cells = stats.norm(scale=1.5).cdf
    for axis, size in enumerate((5, 7)):
        for shift in range(-1, 2):
            wrapped = shift + size * np.arange(-5, 6)
            expected = float((cells(wrapped + 0.5) - cells(wrapped - 0.5)).sum())
            hits = int((shifts[:, axis] == shift).sum())
            assert stats.binomtest(hits, 4_000, expected).pvalue > 1e-9
    assert stats.chi2_contingency(np.histogram2d(*shifts.T, (5, 7))[0]).pvalue > 1e-9


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_blurs_are_a_semigroup_in_each_channel(layout: str) -> None:
    x = np.random.default_rng(1).uniform(size=(3, 9, 6) if layout == "NCHW" else (9, 6, 3))
    law = Blur(1.0, layout)
    once = law.change(x, np.array([0.1, 0.3, 3.0]))
    for first, both in zip(once, law.change(x, np.array([0.8, 1.0, 3.7])), strict=True):
        np.testing.assert_allclose(law.change(first, np.array([0.7]))[0], both, atol=1e-14)
    alone = np.moveaxis(x, 0 if layout == "NCHW" else 2, 0)[1]
    channel = np.moveaxis(once, 1 if layout == "NCHW" else 3, 1)[:, 1]
    single = Blur(1.0, None).change(alone, np.array([0.1, 0.3, 3.0]))
    np.testing.assert_allclose(channel, single, atol=1e-15)


# Classifiers that know nothing but the parameter: the class is 1 where it is at most c.

PARAMETER: list[tuple[Any, Any, Any, Callable[[Any], Any], Callable[[Any, Any], Any]]] = [
    # the law; that of the parameter; an input; the parameter of samples of it; a changed input
    (Brightness(0.3), stats.norm(scale=0.3), np.full((1, 2, 2), 0.25),
     lambda x: x[:, 0, 0, 0] - 0.25, lambda x, b: x + b),
    (Contrast(0.3), stats.norm(scale=0.3), np.full((1, 2, 2), 0.25),
     lambda x: np.log(x[:, 0, 0, 0] / 0.25), lambda x, k: np.exp(k) * x),
    *((kind(2.0, "NCHW"), law, np.eye(1, 64).reshape(1, 8, 8) + 1,
       # Against the lowest wave, the one of cos(π(j + 1/2)/8) loses a rate of 1 - cos(π/8) a t.
       lambda x: -np.log((x.sum(axis=2)[:, 0] @ np.cos(np.pi * (np.arange(8) + 0.5) / 8))
                         / np.cos(np.pi / 16)) / (1 - np.cos(np.pi / 8)),
       lambda x, t: Blur(1.0, "NCHW").change(x, np.array([t]))[0])
      for kind, law in ((Blur, stats.expon(scale=2)), (BlurUniform, stats.uniform(0, 2)),
                        (BlurFolded, stats.halfnorm(scale=2)))),
]  # fmt: skip
parameters = pytest.mark.parametrize(
    ("law", "of", "x", "read", "changed"), PARAMETER, ids=[case[0].name for case in PARAMETER]
)


@parameters
def test_no_parameter_crosses_its_threshold_within_the_radius(
    law: Any, of: Any, x: NDArray[Any], read: Any, changed: Any
) -> None:
    """Swept in closed form, then as it is drawn at a tenth before and behind the radius."""
    p = 0.95
    edge, radius = of.ppf(p), law.radius(p)
    for moved in np.linspace(0, radius, 1_001)[:-1]:
        assert of.cdf(edge - moved) > 0.5
    assert of.cdf(edge - radius * (1 + 1e-9)) < 0.5
    np.testing.assert_allclose(of.cdf(edge), p)
    drawn = read(samples(law, x, 20_000))
    assert stats.kstest(drawn, of.cdf).pvalue > 1e-9
    for share in (0.9, 1.1):
        hits = int((read(samples(law, changed(x, share * radius), 20_000)) <= edge).sum())
        expected = float(of.cdf(edge - share * radius))
        assert stats.binomtest(hits, 20_000, expected).pvalue > 1e-9
        assert (hits > 10_000) == (share < 1)


def test_no_position_crosses_its_threshold_within_the_radius_of_a_shift() -> None:
    """A white pixel that moves along a row; class 1 where it is at most 3 to the right."""
    law, x = Translation(2.0, "NCHW"), np.zeros((1, 1, 64))
    x[0, 0, 20] = 1
    edge = 23
    p = float(stats.norm.cdf(3.5 / 2))
    assert law.radius(p) == pytest.approx(3.5)
    for shift in range(5):
        drawn = samples(law, np.roll(x, shift, 2), 20_000)[:, 0, 0].argmax(axis=1)
        hits = int((drawn <= edge).sum())
        expected = float(stats.norm.cdf((3.5 - shift) / 2))
        assert stats.binomtest(hits, 20_000, expected).pvalue > 1e-9
        assert (hits > 10_000) == (shift < 3.5)


class Pixels:
    """A shift of N(0, 4), rounded: 2 is its quantile of 0.894."""

    @staticmethod
    def ppf(_q: float) -> int:
        return 2

    @staticmethod
    def cdf(pixels: float) -> float:
        return float(stats.norm.cdf((pixels + 0.5) / 2))


WHITE = np.zeros((1, 1, 64))
WHITE[0, 0, 20] = 1
SHIFT: Any = (Translation(2.0, "NCHW"), Pixels, WHITE, lambda x: x[:, 0, 0].argmax(axis=1) - 20, ())


@pytest.mark.parametrize(
    ("law", "of", "x", "read", "changed"),
    [*PARAMETER, SHIFT],
    ids=[case[0].name for case in (*PARAMETER, SHIFT)],
)
def test_false_certificates_are_as_rare_as_alpha_says(
    law: Any, of: Any, x: NDArray[Any], read: Any, changed: Any
) -> None:
    """400 certificates at alpha = .05 of a classifier whose true radius is known.

    p = .9 is where 100 samples of Clopper-Pearson are wrong with probability .0237 (96 or more);
    more than 40 of 400 wrong ones have odds below 1e-12 then, and below 1e-4 at .05.
    """
    edge = of.ppf(0.9)
    true = law.radius(of.cdf(edge))
    inside = rsonnx.SmoothedClassifier(
        lambda batch: (read(batch.astype(np.float64)) <= edge).astype(np.int64),
        noise=law,
        bounds=(-5.0, 5.0),
    )
    radii = [inside.certify(x, n0=20, n=100, alpha=0.05, seed=seed).radius for seed in range(400)]
    assert 0 < np.count_nonzero(np.array(radii) > true) <= 40
    assert np.median(radii) < true


@pytest.mark.parametrize("name", ["translation", "blur", "blur-uniform", "blur-folded"])
def test_only_images_have_pixels_to_move(name: str) -> None:
    law = NOISES[name]
    for shape, layout, own in (
        ((1, 5, 4), None, "NCHW"),
        ((5, 4, 3), None, "NHWC"),
        ((7, 5, 4), "NCHW", "NCHW"),
        ((5, 4), None, None),
    ):
        assert law.from_model(shape, layout) == {"layout": own}
        made = law(2.0, own)  # type: ignore[call-arg]
        made.check_space(InputSpace(shape, layout=layout))
    for shape, layout in (((20,), None), ((3, 5, 3), None), ((7, 5, 4), None)):
        with pytest.raises(UsageError, match=name):
            law.from_model(shape, layout)
    with pytest.raises(UsageError, match=name):
        made.check_space(InputSpace((1, 5, 4)))
