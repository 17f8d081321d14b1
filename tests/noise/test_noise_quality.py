"""The noise as the classifier gets it, tested like any random number generator.

Noise is taken from what :class:`NoisyStream` writes, minus the input. Seeds are fixed. Each check
fails under the right law with odds of about ODDS (three times that at most, where a normal limit is
used far out on few events), and there are fewer than 300 checks: with seeds that were not looked at
this file would fail by chance with odds below 1e-6. Every kind of test is also shown a generator
that is bad in its way.
"""

from __future__ import annotations

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from noise_statistics import (
    RoundedGaussian,
    agreeing_pairs,
    binomial,
    chi_square,
    cross,
    moments,
    odds_of_deviate,
    rounded_gaussian,
    serial,
)
from numpy.typing import NDArray
from scipy import stats

from rsonnx.noise import Gaussian, InputSpace, NoisyStream

ODDS = 1e-9

SHAPE = (1, 28, 28)
SIZE = 784
BLOCKS = 24
SAMPLES = BLOCKS * 256
"""Blocks of 256 samples of 784 values: 5 million values."""

IMAGE = np.random.default_rng(5).integers(0, 256, SHAPE).astype(np.uint8)
SIGMAS = [0.0008, 0.002, 0.12, 0.25, 0.5, 1.0]
"""From a fifth of a step, where hardly anything moves, to 255 steps."""

LAGS = [1, 2, 3, 4, 8, 16, 28, SIZE, 256 * SIZE]
"""Among them a word of Philox (4 cells), a counter of it (16), a sample and a block."""

GAUSSIAN_MOMENTS = {2: 1.0, 4: 3.0, 6: 15.0, 8: 105.0}
Noise = NDArray[np.float64]


def exact_noise(stream: NoisyStream, samples: int = SAMPLES) -> Noise:
    """The integers that were added, (samples, values)."""
    out = np.empty((samples, *stream.sample_shape), np.float32)
    stream.write(0, out)
    out *= 255
    return (np.rint(out) - stream.point.data).reshape(samples, -1).astype(np.float64)


def float_noise(stream: NoisyStream, samples: int = SAMPLES) -> Noise:
    """What was added, in units of sigma, (samples, values)."""
    out = np.empty((samples, *stream.sample_shape), np.float32)
    stream.write(0, out)
    noise = (out - stream.point.data).reshape(samples, -1)
    noise /= stream.distribution.sigma
    return np.asarray(noise, np.float64)


def stream_of(arithmetic: str, sigma: float = 0.5, seed: int = 20260101) -> NoisyStream:
    point = InputSpace(SHAPE).point(IMAGE, arithmetic)  # type: ignore[arg-type]
    return NoisyStream(point, Gaussian(sigma), seed, "estimation")


@pytest.fixture(scope="module", params=SIGMAS, ids=str)
def drawn(request: pytest.FixtureRequest) -> tuple[RoundedGaussian, Noise]:
    return rounded_gaussian(request.param), exact_noise(stream_of("exact", request.param))


@pytest.fixture(scope="module")
def half() -> tuple[RoundedGaussian, Noise]:
    return rounded_gaussian(0.5), exact_noise(stream_of("exact"))


@pytest.fixture(scope="module")
def floating() -> Noise:
    return float_noise(stream_of("float"))


def law_odds(law: RoundedGaussian, noise: Noise) -> float:
    found = np.bincount(noise.ravel().astype(np.int64) + law.reach, minlength=2 * law.reach + 1)
    return chi_square(found, law.masses)


def exact_moment_odds(law: RoundedGaussian, noise: Noise) -> list[float]:
    # In sigmas, so that an eighth power stays in range.
    return moments(noise / law.sigma, {k: law.moment(k) / law.sigma**k for k in (2, 4, 6, 8)})


def exact_tail_odds(law: RoundedGaussian, noise: Noise) -> list[float]:
    sizes = np.abs(noise)
    return [
        binomial(int(np.count_nonzero(sizes > c)), noise.size, law.beyond(c))
        for c in (z * law.sigma for z in (3, 4, 5, 6))
    ]


def float_tail_odds(noise: Noise) -> list[float]:
    sizes = np.abs(noise)
    return [
        binomial(int(np.count_nonzero(sizes > z)), noise.size, float(2 * stats.norm.sf(z)))
        for z in (3, 4, 5, 6)
    ]


def serial_odds(noise: Noise, second: float, fourth: float) -> list[float]:
    """Of the values, and of their squares, which show a dependence between magnitudes alone."""
    squares = noise * noise - second
    return [
        odds
        for lag in LAGS
        for odds in (serial(noise, lag, second), serial(squares, lag, fourth - second**2))
    ]


def test_exact_noise(drawn: tuple[RoundedGaussian, Noise]) -> None:
    """Every integer's frequency, moments, tails, and correlations in the sequence."""
    law, noise = drawn
    assert law_odds(law, noise) > ODDS
    assert min(exact_moment_odds(law, noise)) > ODDS
    assert min(exact_tail_odds(law, noise)) > ODDS
    assert min(serial_odds(noise, law.moment(2), law.moment(4))) > ODDS


def test_float_noise(floating: Noise) -> None:
    """256 cells of equal probability; moments, tails and correlations as for the integers."""
    edges = stats.norm.ppf(np.arange(1, 256) / 256)
    found = np.bincount(np.searchsorted(edges, floating.ravel()), minlength=256)
    assert chi_square(found, np.full(256, 1 / 256)) > ODDS
    assert min(moments(floating, GAUSSIAN_MOMENTS)) > ODDS
    assert min(float_tail_odds(floating)) > ODDS
    assert min(serial_odds(floating, 1.0, 3.0)) > ODDS


def far_tail_odds(law: Gaussian) -> list[float]:
    """Beyond 4.5 to 8 sigma among a million draws from the two outermost cells of the table.

    So few of all draws are there that they must be drawn by themselves: U below 2^-16 or above
    1 - 2^-16, which is |N| beyond 4.17 sigma. The further 64 bits come from another generator.
    """
    sigma = law.sigma
    table, exact = law.table(1 / 255), rounded_gaussian(sigma)
    further = np.random.Generator(np.random.PCG64DXSM(9)).integers(0, 2**64, 1 << 20, np.uint64)
    cells = np.repeat(np.array([0, 65_535], np.uint16), len(further) // 2)
    sizes = np.abs(table.settle(cells, further).astype(np.int64))
    return [
        binomial(int(np.count_nonzero(sizes > c)), len(sizes), exact.beyond(c) * 2**15)
        for c in (z * exact.sigma for z in (4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 8.0))
    ]


@pytest.mark.parametrize("sigma", [0.12, 0.25, 0.5, 1.0])
def test_the_tail_goes_on_beyond_six_sigma(sigma: float) -> None:
    assert min(far_tail_odds(Gaussian(sigma))) > ODDS


def unrelated_streams(arithmetic: str) -> list[NoisyStream]:
    """Seeds, stages and inputs that differ by as little as they can."""
    one = IMAGE.copy()
    one[0, 0, 0] ^= 1
    point = InputSpace(SHAPE).point(one, arithmetic)  # type: ignore[arg-type]
    base = stream_of(arithmetic)
    return [
        replace(stream, stage=stage)
        for stream in (base, replace(base, seed=base.seed + 1), replace(base, point=point))
        for stage in ("selection", "estimation", "prediction")
    ]


@pytest.fixture(scope="module")
def unrelated() -> dict[str, NDArray[np.float64]]:
    """512 samples of every stream, (streams, 512 · 784)."""
    return {
        kind: np.array([take(s, 512).ravel() for s in unrelated_streams(kind)])
        for kind, take in (("exact", exact_noise), ("float", float_noise))
    }


def test_blocks_are_not_correlated(half, floating: Noise) -> None:  # type: ignore[no-untyped-def]
    law, noise = half
    assert cross(noise.reshape(BLOCKS, -1), law.moment(2)) > ODDS
    assert cross(floating.reshape(BLOCKS, -1), 1.0) > ODDS


def test_stages_inputs_and_seeds_are_not_correlated(unrelated: dict[str, Noise]) -> None:
    second = rounded_gaussian(0.5).moment(2)
    assert cross(unrelated["exact"], second) > ODDS
    assert cross(unrelated["float"], 1.0) > ODDS


def pair_odds(law: RoundedGaussian, rows: Noise) -> float:
    """Of the pairs of samples that agree in their first two values."""
    agree, three = ((law.masses**k).sum() ** 2 for k in (2, 3))
    return agreeing_pairs(rows[:, :2].astype(np.int16), agree, three)


def repeats(rows: Noise) -> int:
    """How many samples there were before: 16 values are the same with odds below 1e-40 a pair."""
    return len(rows) - len(np.unique(rows[:, :16], axis=0))


def test_no_sample_comes_twice(half, floating: Noise, unrelated: dict[str, Noise]) -> None:  # type: ignore[no-untyped-def]
    law, noise = half
    # The first 512 samples are among the unrelated streams'.
    assert repeats(np.concatenate([noise[512:], unrelated["exact"].reshape(-1, SIZE)])) == 0
    assert repeats(floating) == 0
    assert pair_odds(law, noise) > ODDS
    assert pair_odds(law, noise.reshape(-1, 16)) > ODDS


# From here on: what the tests above are worth. Each is shown a generator that it must refuse.


def rounded(values: Noise, sigma: float = 0.5) -> Noise:
    return np.rint(values * (sigma * 255))


@pytest.fixture(scope="module")
def normal() -> Noise:
    return np.random.default_rng(3).standard_normal((SAMPLES, SIZE))


def test_a_good_generator_passes(normal: Noise) -> None:
    """numpy's normal draws, rounded: the tests refuse what follows, not everything."""
    law, noise = rounded_gaussian(0.5), rounded(normal)
    assert law_odds(law, noise) > ODDS
    assert min(exact_moment_odds(law, noise) + exact_tail_odds(law, noise)) > ODDS
    assert min(serial_odds(noise, law.moment(2), law.moment(4))) > ODDS
    assert cross(noise.reshape(BLOCKS, -1), law.moment(2)) > ODDS
    assert pair_odds(law, noise) > ODDS


def with_rows(noise: Noise, to: slice, rows: Noise) -> Noise:
    changed = noise.copy()
    changed[to] = rows
    return changed


def echoing(normal: Noise, lag: int) -> float:
    flat = normal.ravel()
    echo = flat.copy()
    echo[lag:] += 0.005 * flat[:-lag]
    return serial(echo, lag, 1.0)


def of_twelve_uniforms(_: Noise) -> float:
    """Twelve uniform numbers minus 6 have variance 1 and no skewness, but excess kurtosis -0.1."""
    generator = np.random.default_rng(3)
    noise = sum(generator.random((SAMPLES, SIZE), np.float32) for _ in range(12)) - np.float32(6)
    odds = moments(noise.astype(np.float64), GAUSSIAN_MOMENTS)
    assert min(odds[:3]) > ODDS
    return max(odds[3], min(float_tail_odds(noise)[:2]))


def of_a_coarse_box_muller(_: Noise) -> float:
    """12 bits end at sqrt(2·12·ln 2) = 4.08 sigma; finer ones need the far tail by itself."""
    generator = np.random.default_rng(3)
    lengths = np.sqrt(-2 * np.log1p(-generator.integers(0, 2**12, (SAMPLES, SIZE)) / 2**12))
    return float_tail_odds(lengths * np.cos(2 * np.pi * generator.random((SAMPLES, SIZE))))[1]


def of_magnitudes_that_go_together(normal: Noise) -> float:
    """Signs are independent, so the values are not correlated, but their squares are."""
    together = normal.copy()
    together[:, 1::2] = np.abs(normal[:, ::2]) * np.sign(normal[:, 1::2])
    assert serial(together, 1, 1.0) > ODDS
    return serial(together**2 - 1, 1, 2.0)


def of_a_repeated_block(normal: Noise) -> float:
    noise = rounded(with_rows(normal, np.s_[-256:], normal[256:512]))
    assert repeats(noise) == 256
    return cross(noise.reshape(BLOCKS, -1), rounded_gaussian(0.5).moment(2))


def of_a_block_upside_down(normal: Noise) -> float:
    """Antithetic noise has the right law and no repeats."""
    noise = with_rows(normal, np.s_[-256:], -normal[256:512])
    assert repeats(noise) == 0
    return cross(noise.reshape(BLOCKS, -1), 1.0)


def moment(sigma: float, noise: Noise, order: int) -> float:
    return exact_moment_odds(rounded_gaussian(sigma), noise)[order - 1]


BAD = {
    "sigma": lambda z: law_odds(rounded_gaussian(0.5), rounded(z * 1.015)),
    "variance": lambda z: moment(0.5, rounded(z * 1.003), 2),
    "rounded down": lambda z: moment(0.5, np.floor(z * 127.5), 1),
    # Half a step is 1/61 of sigma here; of 0.5 it is 1/255, too little for so many cells.
    "rounded down, narrow": lambda z: moment(0.12, np.floor(z * 30.6), 1),
    "rounded down, law": lambda z: law_odds(rounded_gaussian(0.12), np.floor(z * 30.6)),
    # Mean 0 and variance 1 stay: z + (z² - 1)/100.
    "skewed": lambda z: moment(0.5, rounded((z + 0.01 * (z**2 - 1)) / np.sqrt(1.0002)), 3),
    "twelve uniforms": of_twelve_uniforms,
    "coarse Box-Muller": of_a_coarse_box_muller,
    **{f"echo at {lag}": lambda z, lag=lag: echoing(z, lag) for lag in LAGS},
    "magnitudes": of_magnitudes_that_go_together,
    "repeated block": of_a_repeated_block,
    "block upside down": of_a_block_upside_down,
    # As if 20 % of the samples were drawn from 1,000 starting points.
    "short period": lambda z: pair_odds(
        rounded_gaussian(0.5), rounded(with_rows(z, np.s_[:1000], z[1000:2000]))
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_generator_is_noticed(what: str, normal: Noise) -> None:
    assert BAD[what](normal) < ODDS


class Cut(Gaussian):
    """A Gaussian without a tail beyond 5.77 sigma, where a Box-Muller of 24 bits ends."""

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        lost = mpmath.ncdf(mpmath.mpf("-5.77"))
        return max(mpmath.mpf(0), (super().cumulative(value) - lost) / (1 - 2 * lost))


def test_a_tail_cut_at_577_hundredths_of_sigma_is_noticed() -> None:
    odds = far_tail_odds(Cut(0.25))
    assert odds[3] < ODDS  # beyond 6 sigma
    assert odds[0] > ODDS  # beyond 4.5 sigma nothing can be seen


def test_one_stream_for_two_stages_is_noticed(unrelated: dict[str, Noise]) -> None:
    rows = with_rows(unrelated["exact"], np.s_[7:8], unrelated["exact"][6:7])
    assert cross(rows, rounded_gaussian(0.5).moment(2)) < ODDS


def test_the_law_used_here_is_complete() -> None:
    for sigma in SIGMAS:
        law = rounded_gaussian(sigma)
        assert law.masses.sum() == pytest.approx(1, abs=1e-14)
        # Rounding to a step adds 1/12 of its square to the variance, once sigma is a step or more.
        if law.sigma > 1:
            assert law.moment(2) == pytest.approx(law.sigma**2 + 1 / 12, rel=1e-7)
    # P(|N| > 3 sigma), sigma = 127.5 steps: 2·(1 - Φ(382.5/127.5)), as 382 is the last within.
    assert rounded_gaussian(0.5).beyond(382.5) == pytest.approx(2 * stats.norm.sf(3.0), rel=1e-12)
    assert odds_of_deviate(0.0) == 1.0
