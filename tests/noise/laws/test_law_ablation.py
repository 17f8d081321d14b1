"""Random ablation: the l0 radius against all classifiers of tiny spaces, and how samples look."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import every_classifier
from numpy.typing import NDArray
from scipy import stats

from rsonnx.errors import UsageError
from rsonnx.noise import InputSpace, NoisyStream
from rsonnx.noise.laws import ablation
from rsonnx.noise.laws.ablation import Ablation
from rsonnx.noise.philox import raw_words

MNIST = Ablation(45, layout="NCHW", size=784)
UNLIKELY = 1e-6
"""A right law fails a chi-square test below with this chance; the seeds are fixed."""


def below(p: Fraction) -> float:
    near = float(p)
    return near if Fraction(near) <= p else math.nextafter(near, 0.0)


def images(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)


def samples(
    law: Ablation, x: NDArray[Any], count: int, *, layout: str | None = None, **options: Any
) -> NDArray[np.float32]:
    point = InputSpace(x.shape, layout=layout or law.layout).point(x)
    stream = NoisyStream(point, law, options.pop("seed", 1), "estimation", **options)
    out = np.full((count, *stream.sample_shape), np.nan, np.float32)
    stream.write(0, out)
    return out


# Radii.


def test_published_radii() -> None:
    # Levine & Feizi's settings of MNIST and CIFAR-10; C(d - r, k)/C(d, k) > 1.5 - p by hand.
    assert MNIST.radius(0.99) == 11
    assert Ablation(75, 3, "NHWC", size=3072).radius(0.99) == 8
    assert Ablation(75, size=1024).radius(0.99) == 8


def test_the_threshold_itself_certifies_nothing() -> None:
    # d = 4, k = 2: C(3, 2)/C(4, 2) = 1/2, so rho = 1 needs p > 1; d = 4, k = 1: 3/4, p > 3/4.
    assert Ablation(2, size=4).radius(1.0) == 0
    assert Ablation(1, size=4).radius(0.75) == 0
    assert Ablation(1, size=4).radius(math.nextafter(0.75, 1)) == 1
    # Two classes at 7/8 and 3/8 are 1/2 apart, which is 2(1 - 3/4) exactly.
    assert Ablation(1, size=4).radius_between(0.875, 0.375) == 0
    assert Ablation(1, size=4).radius_between(0.875, math.nextafter(0.375, 0)) == 1


@pytest.mark.parametrize(("size", "keep"), [(784, 45), (30, 3), (7, 6), (9, 1)])
def test_every_radius_follows_the_formula(size: int, keep: int) -> None:
    law = Ablation(keep, size=size)
    for p in np.linspace(0.5, 1.0, 41)[1:]:
        unseen = [
            Fraction(math.comb(size - rho, keep), math.comb(size, keep)) for rho in range(size)
        ]
        assert law.radius(p) == max(
            rho for rho in range(size) if unseen[rho] > Fraction(3, 2) - Fraction(p)
        )


def everything(features: int, keep: int, classes: int = 2) -> tuple[int, list[Any]]:
    """How many choices there are of k of d binary values, and all classifiers' cases."""
    inputs = list(itertools.product((0, 1), repeat=features))
    kept = list(itertools.combinations(range(features), keep))
    shown = [[(t, tuple(x[i] for i in t)) for t in kept] for x in inputs]
    seen = sorted({one for row in shown for one in row})
    masses = np.array([[row.count(one) for one in seen] for row in shown])
    return len(kept), list(every_classifier(masses, inputs, classes))


@pytest.mark.parametrize(("features", "keep"), [(3, 1), (4, 1), (5, 1), (3, 2)])
def test_no_classifier_breaks_a_radius_and_one_breaks_the_next(features: int, keep: int) -> None:
    total, cases = everything(features, keep)
    law = Ablation(keep, size=features)
    worst: dict[float, float] = {}
    for top, _, radius in cases:
        worst[top] = min(radius, worst.get(top, radius))
    assert len(worst) == total - total // 2
    for top, radius in worst.items():
        assert law.radius(below(Fraction(int(top), total))) == radius


@pytest.mark.parametrize(("features", "keep"), [(3, 1), (4, 1)])
def test_no_classifier_of_three_classes_breaks_a_two_sided_radius(features: int, keep: int) -> None:
    total, cases = everything(features, keep, classes=3)
    law = Ablation(keep, size=features)
    for top, rest, radius in cases:
        p_a, p_b = below(Fraction(int(top), total)), math.nextafter(rest / total, 1)
        assert law.radius_between(p_a, p_b) <= radius


def test_a_distant_second_class_gains_radius() -> None:
    # p_A - p_B = 1/2, half of which is what p_A = 3/4 alone has above 1/2.
    assert MNIST.radius_between(0.625, 0.125) == MNIST.radius(0.75) == 4 > MNIST.radius(0.625)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 50), st.integers(2, 400))
def test_laws_of_radii(p: float, q: float, keep: int, features: int) -> None:
    if keep >= features:
        return
    law = Ablation(keep, size=features)
    p, q = min(p, q), max(p, q)
    assert law.radius(p) <= law.radius(q) <= features - keep
    assert law.radius_between(q, 1 - q) == law.radius(q)
    assert law.radius_between(q, p) >= law.radius_between(p, q)
    fewer = Ablation(max(1, keep - 1), size=features)
    assert fewer.radius(q) >= law.radius(q)


@given(st.integers(1, 200), st.integers(1, 40))
def test_the_probability_for_a_radius_is_the_smallest(radius: int, keep: int) -> None:
    law = Ablation(keep, size=784)
    p = law.probability_for(radius)
    assert 0.5 < p <= 1
    assert law.radius(p) >= radius or p == 1
    assert law.radius(math.nextafter(p, 0)) < radius
    assert law.probability_for(radius - 0.5) == p


@pytest.mark.parametrize("radius", [740, 784, 1e300, math.inf])
def test_a_radius_out_of_reach_needs_all(radius: float) -> None:
    assert MNIST.probability_for(radius) == 1


def test_large_inputs_are_fast_and_exact() -> None:
    # With one of d kept, 1 - rho/d > 1.5 - p: rho < d(p - 1/2).
    assert Ablation(1, size=150_528).radius(1.0) == 75_263
    assert Ablation(75_000, size=150_528).radius(1.0) == 1
    assert Ablation(1000, 3, "NCHW", size=150_528).radius(0.999) == 34


# Samples.


@pytest.mark.parametrize(("shape", "channels"), [((1, 6, 5), 1), ((3, 6, 5), 3)])
@pytest.mark.parametrize("levels", [True, False])
def test_a_sample_is_what_the_papers_models_take(
    shape: tuple[int, int, int], channels: int, levels: bool
) -> None:
    x = images(shape) if levels else np.random.default_rng(2).random(shape)
    values = x.astype(np.float32) / np.float32(255) if levels else x.astype(np.float32)
    whole = np.concatenate([values, np.float32(1) - values])
    law = Ablation(7, channels, "NCHW", size=x.size)
    found = samples(law, x, 300)
    assert found.shape == (300, 2 * channels, 6, 5)
    kept = found[:, :channels] + found[:, channels:] != 0
    assert (kept == kept[:, :1]).all()
    assert (kept[:, 0].sum(axis=(1, 2)) == 7).all()
    both = np.concatenate([kept, kept], axis=1)
    np.testing.assert_array_equal(found[both], np.broadcast_to(whole, found.shape)[both])
    assert not found[~both].view(np.int32).any()
    # By one key, as the first version gave both, the same pixels are kept where channels come last.
    last = Ablation(7, channels, "NHWC", size=x.size)
    np.testing.assert_array_equal(
        samples(last, np.moveaxis(x, 0, -1), 300, version=1),
        np.moveaxis(samples(law, x, 300, version=1), 1, -1),
    )
    np.testing.assert_array_equal(
        law.unchanged(InputSpace(shape, layout="NCHW").point(x)), whole, strict=True
    )


def test_a_row_is_all_values_then_what_they_lack() -> None:
    x = np.array([0.0, 0.25, 1.0, 0.7])
    found = samples(Ablation(3, size=4), x, 50)
    assert found.shape == (50, 8)
    kept = found[:, :4] + found[:, 4:] != 0
    assert (kept.sum(axis=1) == 3).all()
    whole = np.concatenate([x, 1 - x]).astype(np.float32)
    np.testing.assert_allclose(found, whole * np.tile(kept, 2), atol=1e-7)


def test_an_ablated_value_leaves_no_trace() -> None:
    x, y = np.full(20, 0.3), np.full(20, 0.3)
    y[4], y[9] = -0.0, 1 + 1e-7  # within what the bounds forgive; 1 - x is below 0
    law = Ablation(5, size=20)
    a, b = (samples(law, v, 400, shared=True).view(np.int32) for v in (x, y))
    hidden = (a[:, [4, 9]] == 0).all(axis=1)
    assert 100 < hidden.sum() < 400
    np.testing.assert_array_equal(a[hidden], b[hidden])


def chosen(law: Ablation, count: int, seed: int) -> NDArray[np.bool_]:
    x = np.full(law.size or 0, 0.5)
    found: NDArray[np.bool_] = samples(law, x, count, seed=seed)[:, : x.size] != 0
    return found


def of_all_choices(kept: NDArray[np.bool_]) -> float:
    """The p-value of a chi-square test that all choices are alike."""
    codes = kept @ (1 << np.arange(kept.shape[1]))
    keep = int(kept[0].sum())
    seen = np.unique(codes, return_counts=True)[1]
    every = np.zeros(math.comb(kept.shape[1], keep))
    every[: len(seen)] = seen
    return float(stats.chisquare(every).pvalue)


@pytest.mark.parametrize(("size", "keep"), [(6, 3), (5, 1), (5, 4), (7, 2)])
def test_all_choices_are_alike(size: int, keep: int) -> None:
    assert of_all_choices(chosen(Ablation(keep, size=size), 30_000, seed=3)) > UNLIKELY


def test_every_pixel_is_kept_alike() -> None:
    kept = chosen(Ablation(45, size=784), 20_000, seed=4).sum(axis=0)
    # Counts are negatively correlated: their variance sums to that of d - 1 degrees of freedom.
    variance = 20_000 * (45 / 784) * (1 - 45 / 784) * 784 / 783
    statistic = ((kept - 20_000 * 45 / 784) ** 2).sum() / variance
    assert UNLIKELY < stats.chi2(783).sf(statistic) < 1 - UNLIKELY


def test_ties_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def coarse(generator: np.random.Philox, count: int) -> NDArray[np.uint64]:
        return raw_words(generator, count) & np.uint64(0x0000_0007_0000_0007)

    monkeypatch.setattr(ablation, "raw_words", coarse)
    kept = chosen(Ablation(3, size=6), 20_000, seed=5)
    assert (kept.sum(axis=1) == 3).all()
    assert of_all_choices(kept) > UNLIKELY


def test_shapes_are_doubled_and_halved() -> None:
    assert MNIST.sample_shape((1, 28, 28)) == (2, 28, 28)
    assert MNIST.input_shape((2, 28, 28)) == (1, 28, 28)
    last = Ablation(75, 3, "NHWC", size=3072)
    assert last.sample_shape((32, 32, 3)) == (32, 32, 6)
    assert last.input_shape((32, 32, 6)) == (32, 32, 3)
    assert Ablation(2, size=9).sample_shape((9,)) == (18,)
    assert Ablation(2, size=9).input_shape((18,)) == (9,)
    assert Ablation.from_model((6, 32, 32), None) == {"layout": "NCHW", "channels": 3, "size": 3072}


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (InputSpace((1, 28, 28), (0, 255), "NCHW"), "bounds 0 and 1"),
        (InputSpace((1, 28, 28), (-math.inf, math.inf), "NCHW"), "bounds 0 and 1"),
        (InputSpace((28, 28, 1), layout="NHWC"), "28"),
        (InputSpace((784,)), "three axes"),
        (InputSpace((1, 784, 1), layout="NHWC"), "NHWC"),
        (InputSpace((1, 14, 28), layout="NCHW"), "784 values"),
    ],
)
def test_an_input_of_another_kind_is_refused(space: InputSpace, said: str) -> None:
    point = space.point(np.zeros(space.shape), "float")
    with pytest.raises(UsageError, match=said):
        MNIST.check(point)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 28, 28), (28, 28), (56,)])
def test_a_classifier_of_another_kind_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"shape|channels"):
        MNIST.input_shape(shape)
    with pytest.raises(UsageError, match="even"):
        Ablation(2, size=4).input_shape((9,))


def test_a_classifier_of_an_odd_number_of_values_was_not_made_for_it() -> None:
    assert Ablation.from_model((10,), None) == {"layout": None, "size": 5}
    with pytest.raises(UsageError, match="takes 5 values, but an even number was expected"):
        Ablation.from_model((5,), None)


@pytest.mark.parametrize(("options", "unit"), [({"layout": "NHWC"}, "pixels"), ({}, "features")])
def test_a_radius_counts_pixels_of_images_and_values_elsewhere(
    options: dict[str, Any], unit: str
) -> None:
    assert Ablation(keep=3, size=16, **options).units(0.0, 1.0) == unit
