"""What holds of every law: its record, its words, its samples, its radii in order, its refusals."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import check_radii, float_noise

from rsonnx.errors import UsageError
from rsonnx.noise import (
    NOISES,
    Ablation,
    AnisotropicGaussian,
    Ball,
    Blocks,
    Blur,
    BlurFolded,
    BlurUniform,
    Brightness,
    BrightnessBlur,
    BrightnessContrast,
    BrightnessTranslation,
    Columns,
    Contrast,
    ContrastBlur,
    ContrastTranslation,
    ExponentialL2,
    ExponentialLinf,
    Flips,
    Gaussian,
    InputSpace,
    Laplace,
    Law,
    NoisyStream,
    PaddedTranslation,
    Pareto,
    Point,
    PowerLinf,
    Rotation,
    Scaling,
    SparseFlips,
    Splitting,
    Translation,
    Uniform,
    law_from_json,
    noise_of,
)

SHAPE, SIZE = (3, 4, 5), 60
LEVELS = np.arange(SIZE, dtype=np.uint8).reshape(SHAPE) * 4
SIGMAS = tuple(0.01 * 2.0 ** (j % 12) for j in range(SIZE))


@dataclass(frozen=True)
class Case:
    """A law and inputs that it takes: levels of the grid, and values off it."""

    law: Any
    high: float = 1.0
    exact: bool = True
    floating: bool = True

    def points(self) -> list[Point]:
        space = InputSpace(SHAPE, (0.0, self.high), "NCHW")
        if self.law.in_units:
            return [space.point(np.indices(SHAPE).sum(0) % (self.high + 1))]
        points = [space.point(LEVELS)] if self.exact else []
        return [*points, space.point(LEVELS / 255, "float")] if self.floating else points


CASES = [
    *(Case(Gaussian(0.3, norm, SIZE)) for norm in ("l2", "l1", "linf")),
    *(Case(kind(0.3, norm, SIZE)) for kind in (Laplace, Uniform) for norm in ("l1", "linf")),
    *(Case(ExponentialLinf(0.01, norm, SIZE), exact=False) for norm in ("l1", "linf")),
    *(Case(PowerLinf(0.3, 90.0, norm, SIZE), exact=False) for norm in ("l1", "linf")),
    Case(ExponentialL2(0.03, size=SIZE), exact=False),
    Case(Ball(2.0, size=SIZE), exact=False),
    *(Case(Pareto(0.3, a), exact=False) for a in (0.5, 3.0)),
    Case(AnisotropicGaussian(SIGMAS), exact=False),
    Case(Splitting(0.1, seed=3), floating=False),
    Case(Columns(2, "NCHW")),
    Case(Blocks(2, "NCHW")),
    Case(Ablation(7, 3, "NCHW", size=SIZE)),
    Case(Flips(0.3, 7, size=SIZE), high=6.0),
    Case(Flips(0.6, 2, size=SIZE), high=1.0, exact=False),
    Case(SparseFlips(0.1, 0.6, size=SIZE)),
    Case(Brightness(0.3)),
    Case(Rotation(0.3, (-10.0, 20.0))),
    Case(Scaling(0.3, (0.75, 1.5))),
    Case(PaddedTranslation(0.3, 2.5)),
    Case(Contrast(0.3), exact=False),
    Case(BrightnessContrast(0.3, 0.1), exact=False),
    Case(BrightnessBlur(0.3, 1.0, 2.0, "NCHW"), exact=False),
    Case(ContrastBlur(0.3, 1.0, 2.0, "NCHW"), exact=False),
    *(Case(kind(2.0, "NCHW"), exact=False) for kind in (Blur, BlurUniform, BlurFolded)),
    Case(Translation(1.5, "NCHW")),
    Case(BrightnessTranslation(0.3, 1.0, 2.0, "NCHW"), exact=False),
    Case(ContrastTranslation(0.3, 1.0, 2.0, "NCHW"), exact=False),
]
LAWS = [case.law for case in CASES]
ADDITIVE = [law for law in LAWS if law.additive and not law.covered]
every_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: f"{law}, {law.norm}")


def test_every_law_in_every_norm_is_here() -> None:
    here = {(law.name, law.norm) for law in LAWS}
    assert here == {(name, norm) for name, law in NOISES.items() for norm in law.norms}


@every_law
def test_it_comes_back_from_a_header(law: Law) -> None:
    recorded = json.loads(json.dumps(law.to_json()))
    assert recorded == law.to_json()  # a header that is read equals the one that was written
    again = law_from_json(recorded | {"units": "of later versions"})
    assert (again, hash(again)) == (law, hash(law))
    for key, value in (("norm", "l7"), ("sigma", 0.25), ("parameters", [])):
        with pytest.raises(TypeError):
            law_from_json(recorded | {key: value})
    with pytest.raises(UsageError, match="'cauchy'"):
        law_from_json(recorded | {"distribution": "cauchy"})
    with pytest.raises(KeyError):
        law_from_json({"parameters": law.parameters})


def test_a_header_of_the_first_version_has_a_sigma_alone() -> None:
    recorded = {"distribution": "gaussian", "sigma": 0.5, "norm": "l2"}
    assert law_from_json(recorded) == Gaussian(0.5)


@every_law
def test_its_words(law: Law) -> None:
    assert str(law) == law.label
    assert law.label.startswith(law.name)
    assert law.label.endswith(law.settings)
    assert law.title.lower().startswith(f"{law.name} noise")
    assert law.short_label in law.label
    assert law.units(0.0, 1.0)
    assert "at every" in law.within
    with pytest.raises(UsageError, match=f"certifies in {' or '.join(law.norms)}"):
        replace(law, norm="l7")  # type: ignore[type-var]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.law}, {case.law.norm}")
@pytest.mark.parametrize("shared", [False, True])
def test_a_sample_does_not_depend_on_what_is_asked_for(case: Case, shared: bool) -> None:
    for point in case.points():
        case.law.check(point)
        stream = NoisyStream(point, case.law, 1, "estimation", shared)
        whole = np.full((700, *stream.sample_shape), np.nan, np.float32)
        stream.write(0, whole)
        pieces = pickle.loads(pickle.dumps(stream))  # noqa: S301 - made above
        for start, stop in ((650, 700), (0, 3), (3, 300), (290, 291), (300, 600)):
            out = np.full((stop - start, *stream.sample_shape), np.nan, np.float32)
            pieces.write(start, out)
            np.testing.assert_array_equal(out, whole[start:stop])
        other = np.empty_like(whole)
        NoisyStream(point, case.law, 2, "estimation", shared).write(0, other)
        assert np.array_equal(other, whole) == case.law.enumerated
        assert case.law.input_shape(stream.sample_shape) == SHAPE
        assert case.law.unchanged(point).shape == stream.sample_shape


def test_a_large_joint_sample_is_a_portion_of_its_own() -> None:
    law = noise_of("exp-l2", sigma=0.5, size=20_000)
    point = InputSpace((20_000,)).point(np.zeros(20_000), "float")
    whole, last = np.empty((3, 20_000), np.float32), np.empty((1, 20_000), np.float32)
    NoisyStream(point, law, 1, "estimation").write(0, whole)
    NoisyStream(point, law, 1, "estimation").write(2, last)
    np.testing.assert_array_equal(whole[2:], last)


@every_law
def test_how_its_outcomes_are_counted(law: Law) -> None:
    assert law.enumerated == (law.name in ("splitting", "columns", "blocks"))
    if law.enumerated:
        assert law.evaluations(SHAPE) > 1
        with pytest.raises(UsageError, match="counted in full"):
            law.radius(0.9)
    elif law.covered:
        with pytest.raises(UsageError, match="images"):
            law.radius(0.9)
    else:
        assert law.radius(0.3) == law.radius(0.5) == law.radius_between(0.4, 0.4) == 0
        with pytest.raises(UsageError, match="sampled"):
            law.evaluations(SHAPE)


@pytest.mark.parametrize("law", ADDITIVE, ids=lambda law: f"{law}, {law.norm}")
@given(data=st.data())
def test_radii_in_order(law: Law, data: st.DataObject) -> None:
    chance = st.floats(0.0, 1.0, exclude_max=True)
    low, high = sorted([data.draw(chance), data.draw(chance)])
    check_radii(law, low, high, data.draw(st.floats(0.01, 1)))


@pytest.mark.parametrize("size", [1, 2, 3, 3_072])
@pytest.mark.parametrize("kind", [Ball, ExponentialL2])
@given(data=st.data())
def test_radii_in_order_at_other_sizes(kind: Any, size: int, data: st.DataObject) -> None:
    chance = st.floats(0.0, 1.0, exclude_max=True)
    low, high = sorted([data.draw(chance), data.draw(chance)])
    check_radii(kind(0.3, size=size), low, high, data.draw(st.floats(0.01, 1)))


def test_no_radius_beyond_the_body() -> None:
    assert Ball(0.5, size=5).probability_for(1.1) == 1.0
    assert Uniform(0.5).probability_for(0.6) == 1.0
    assert Uniform(0.5).radius(1.0) == pytest.approx(0.5)


SIGMA_IS = {
    # λ at σ = 1/2 and d = 10, by the variance of a value at λ = 1
    "laplace": 0.5 / math.sqrt(2),
    "uniform": 0.5 * math.sqrt(3),
    "exp-linf": 0.5 / math.sqrt(11 * 12 / 3),
    "exp-l2": 0.5 / math.sqrt(11),
    "ball": 0.5 * math.sqrt(12),
    "power-linf": 0.5 / math.sqrt(11 * 12 / (3 * 29 * 28)),
    "pareto": 0.5 / math.sqrt(2 / (4 * 3)),
}


@pytest.mark.parametrize("name", ["gaussian", *SIGMA_IS])
def test_sigma_is_the_deviation_of_a_value(name: str) -> None:
    """6e5 draws give σ to 1.5 % with odds of error below 1e-9, but for so heavy a tail as Pareto's.

    Its σ is that of the density by the formula alone, and its draws have the law: see the KS test.
    """
    further = {"power-linf": {"a": 40}, "pareto": {"a": 5}}.get(name, {})
    law = noise_of(name, sigma=0.5, size=10 if "size" in NOISES[name].own() else None, **further)
    assert law.deviation == 0.5
    assert law.parameters.get("lam") == (
        pytest.approx(SIGMA_IS[name]) if name in SIGMA_IS else None
    )
    if name != "pareto":
        assert float_noise(law, (10,), 60_000).std() == pytest.approx(0.5, rel=0.015)


BAD = [
    *(("gaussian", {"sigma": bad}) for bad in (0, -1, math.nan, math.inf, "x", True, 10**400)),
    *(("laplace", {"lam": bad}) for bad in (0, -1, math.nan, math.inf, "x", True, 1e-31, 1e31)),
    *(("pareto", {"lam": 0.5, "a": bad}) for bad in (0, -1, math.nan, math.inf, True, "x", 1e13)),
    *(("power-linf", {"lam": 0.5, "size": 10, "a": bad}) for bad in (10, "x", math.nan, None)),
    *(("flips", {"keep": bad, "values": 4, "size": 9}) for bad in (1.0, 0.0, 1e-30, "x", None)),
    *(("flips", {"keep": 0.6, "values": bad, "size": 9}) for bad in (1, 2.0, 1 << 17, True)),
    *(("sparse-flips", {"p_plus": p, "p_minus": 0.0, "size": 9}) for p in (0.0, 1.0, -0.1)),
    *(("columns", {"width": bad, "layout": "NCHW"}) for bad in (0, 2.0, True, "3", None)),
    *(("blocks", {"width": 3, "layout": bad}) for bad in ("CHW", None)),
    *(
        ("ablation", {"keep": 45, "layout": "NCHW", "size": 784} | bad)
        for bad in (
            *({"keep": keep} for keep in (0, 784, 4.5, True, None)),
            *({"channels": 0}, {"channels": 3}, {"channels": 2, "layout": None}),
            *({"layout": "CHWN"}, {"size": None}, {"kept": 3}),
        )
    ),
    *(("splitting", {"lam": bad}) for bad in (0.25, 0.001, 1001, 1e29, 0, math.nan, "2")),
    ("splitting", {"lam": 2.0, "seed": -1}),
    *(
        ("gaussian-per-feature", {"sigmas": bad})
        for bad in (
            *((), "0.5", 0.5, None, (0.0, 0.0), (0.5, -1.0), (0.5, math.nan), (0.5, math.inf)),
            *((0.5, "1"), (0.5, None), (0.5, True), ((0.5,), 1.0), (0.5, 1j)),
        )
    ),
    # A scale that is none of the law's, or none where there is no deviation.
    *((name, {"sigma": 0.5, "size": 9}) for name in ("flips", "ablation", "splitting", "columns")),
    *((name, {"lam": 0.5, "size": 9}) for name in ("gaussian", "flips", "columns")),
    *(("gaussian-per-feature", {"sigmas": (1.0,), scale: 0.5}) for scale in ("sigma", "lam")),
    ("laplace", {"sigma": 0.5, "lam": 0.5}),
    ("pareto", {"sigma": 0.5, "a": 2}),
    ("power-linf", {"sigma": 0.5, "size": 10, "a": 12}),
    # Radii or scales that depend on how many values there are.
    *((name, {"lam": 0.5, "norm": "linf"}) for name in ("laplace", "uniform", "exp-linf")),
    *((name, {"sigma": 0.5}) for name in ("exp-l2", "ball", "exp-linf")),
    *(("gaussian", {"sigma": 0.5, "norm": "linf", "size": bad}) for bad in (None, 0, 2.0, 1 << 60)),
    *(
        ("rotation", {"sigma": 0.5, "angles": bad})
        for bad in ((1, 5), (-5, -1), (0, 0), (5, -5), (-181, 0), (0, math.nan), (-1, 2, 3), 5, "5")
    ),
    *(
        ("scaling", {"sigma": 0.5, "factors": bad})
        for bad in ((0, 2), (1.1, 1.2), (0.9, 0.9), (0.1, 1), (1, 9), (1, math.inf), None)
    ),
    ("rotation", {"sigma": 0, "angles": (-1, 1)}),
    *(
        ("padded-translation", {"sigma": 0.5, "shifts": bad})
        for bad in (0, 0.9, 33, math.nan, "2", None)
    ),
    ("cauchy", {}),
]


@pytest.mark.parametrize(("name", "options"), BAD, ids=map(str, range(len(BAD))))
def test_what_is_out_of_range_is_one_sentence(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        noise_of(name, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 400
    assert any(word in said for word in (name, *options, "lambda", "size", "sigma of"))


@every_law
def test_inputs_of_another_size_are_refused(law: Law) -> None:
    if "size" not in law.own() or law.parameters["size"] is None:
        return
    point = InputSpace((2, 4, 5), (0.0, 1.0), "NCHW").point(np.zeros((2, 4, 5)), "float")
    with pytest.raises(UsageError, match="60 values"):
        law.check(point)


def test_numpy_numbers_are_numbers() -> None:
    law = AnisotropicGaussian(np.array(SIGMAS))  # type: ignore[arg-type]
    assert law == AnisotropicGaussian(SIGMAS)
    assert all(type(sigma) is float for sigma in law.sigmas)
    assert Columns(np.int64(4), "NHWC") == Columns(4, "NHWC")  # type: ignore[arg-type]
    assert Gaussian(np.float32(0.5)) == Gaussian(0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("law", "limit"),
    [
        (Scaling(0.25, (0.8333333333333334, 1.2)), "0.8333333333333334"),
        (Rotation(0.25, (-9.99999999, 9.99999999)), "9.99999999"),
        (BrightnessContrast(0.3, 0.09531017980), "0.0953101798"),
        (BrightnessTranslation(0.3, 2.8284271, 4.0), "2.8284271"),
    ],
)
def test_limits_of_what_is_claimed_are_said_in_full(law: Law, limit: str) -> None:
    """Shortened, they would be those of a wider claim."""
    assert limit in law.within
