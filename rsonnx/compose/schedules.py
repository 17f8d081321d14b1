"""Noise schedules of diffusion models, in high precision: which step has the noise of a sigma.

A step t of a schedule has alpha-bar_t, the product of 1 - beta_i over i = 0..t; images in [-1, 1] that
are scaled by sqrt(alpha-bar_t) carry noise of deviation sqrt(1 - alpha-bar_t) there.

Sources: Ho et al., arXiv 2006.11239 (linear); Nichol and Dhariwal, 2102.09672 (cosine); Rombach et
al., 2112.10752 (scaled linear); Carlini et al., 2206.10550 (the step of a sigma).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpmath import mp, mpf

from rsonnx.errors import UsageError
from rsonnx.scalars import shown

PREDICTIONS = ("epsilon", "sample", "v_prediction")
_DIGITS = 40
_MOST_STEPS = 100_000
_NAMED = re.compile(r"(linear|cosine|scaled_linear)-([1-9][0-9]{0,5})")
_DIFFUSERS = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}


@dataclass(frozen=True)
class Step:
    """A step of a schedule.

    Attributes:
        t: its index, 1..T-1.
        alpha_bar: in (0, 1), to 40 digits.
    """

    t: int
    alpha_bar: Any

    @property
    def signal(self) -> Any:
        """sqrt(alpha-bar), by which an image in [-1, 1] is scaled."""
        with mp.workdps(_DIGITS):
            return mp.sqrt(self.alpha_bar)

    @property
    def noise(self) -> Any:
        """sqrt(1 - alpha-bar), the noise's deviation in the scaled image."""
        with mp.workdps(_DIGITS):
            return mp.sqrt(1 - self.alpha_bar)


@dataclass(frozen=True)
class Schedule:
    """A noise schedule, and what a model that was trained with it answers.

    Attributes:
        name: as it is given: ``cosine-4000``, or a file's.
        betas: variance that each step adds, T of them, in (0, 1).
        prediction: of :data:`PREDICTIONS`: the noise, the clean image, or their velocity (Salimans
            and Ho, 2202.00512).
        clip: the estimated image is clipped to [-clip, clip]; None where it is not.
    """

    name: str
    betas: tuple[Any, ...]
    prediction: str = "epsilon"
    clip: float | None = 1.0

    def alpha_bars(self) -> tuple[Any, ...]:
        """Return alpha-bar of every step, to 40 digits."""
        with mp.workdps(_DIGITS):
            bars, product = [], mpf(1)
            for beta in self.betas:
                product *= 1 - beta
                bars.append(product)
            return tuple(bars)

    def step(self, deviation: float) -> Step:
        """Return the first step, 1 or later, with at least this noise.

        Args:
            deviation: of the noise on an image in [-1, 1], above 0: twice that of one in [0, 1].

        Raises:
            UsageError: no step has that much.
        """
        with mp.workdps(_DIGITS):
            for t, bar in enumerate(self.alpha_bars()):
                if t and 1 - bar >= mpf(deviation) ** 2 * bar:
                    return Step(t, bar)
            most = float(mp.sqrt((1 - bar) / bar)) / 2
        raise UsageError(
            f"sigma is {deviation / 2:g}, but the noisiest step of {self.name} has {most:.4g}; give a "
            "smaller sigma"
        )


def read_schedule(text: str) -> Schedule:
    """Return the schedule of ``cosine-T``, ``linear-T``, ``scaled_linear-T``, or of a diffusers file.

    A ``scheduler_config.json`` may name another prediction and say whether images are clipped; where
    it leaves an entry out, the default of diffusers' DDPM scheduler holds. A name's schedule predicts
    the noise, and clips.

    Raises:
        UsageError: it is none of these, or states what is not supported.
    """
    match = _NAMED.fullmatch(text)
    if match is not None:
        kind, steps = match[1], int(match[2])
        with mp.workdps(_DIGITS):
            scale = mpf(1000) / steps
            first, last = {
                "linear": (scale / 10_000, scale / 50),
                "cosine": (mpf(0), mpf(0)),
                "scaled_linear": (mpf("0.00085"), mpf("0.012")),
            }[kind]
        return Schedule(text, _betas(text, kind, steps, first, last))
    path = Path(text)
    if not path.is_file():
        raise UsageError(
            f"schedule is {text[:60]!r}, but cosine-4000, linear-1000, scaled_linear-1000 or a "
            "scheduler_config.json was expected"
        )
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(stated, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} cannot be read as a scheduler_config.json ({str(error)[:60]}); give diffusers' file"
        ) from None
    return _of_diffusers(path.name, stated)


def _of_diffusers(name: str, stated: dict[str, Any]) -> Schedule:
    kind = stated.get("beta_schedule", "linear")
    prediction = stated.get("prediction_type", "epsilon")
    _choice(name, "beta_schedule", kind, tuple(_DIFFUSERS))
    _choice(name, "prediction_type", prediction, PREDICTIONS)
    for entry in ("thresholding", "rescale_betas_zero_snr", "trained_betas"):
        if stated.get(entry) not in (None, False):
            raise UsageError(f"{name} sets {entry}, which is not supported; use a model without it")
    steps = stated.get("num_train_timesteps", 1000)
    if not isinstance(steps, int) or isinstance(steps, bool):
        raise UsageError(f"num_train_timesteps of {name} is {shown(steps)}, but a number was expected")
    ends = [
        _number(name, entry, stated.get(entry, usual), 1.0)
        for entry, usual in (("beta_start", 0.0001), ("beta_end", 0.02))
    ]
    clip = stated.get("clip_sample", True)
    if not isinstance(clip, bool):
        raise UsageError(f"clip_sample of {name} is {shown(clip)}, but true or false was expected")
    most = _number(name, "clip_sample_range", stated.get("clip_sample_range", 1.0), float("inf"))
    with mp.workdps(_DIGITS):
        # The decimal that the file has, not the double nearest to it.
        first, last = (mpf(repr(end)) for end in ends)
    betas = _betas(name, _DIFFUSERS[kind], steps, first, last)
    return Schedule(name, betas, prediction, most if clip else None)


def _choice(name: str, entry: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise UsageError(f"{entry} of {name} is {shown(value)}, but one of {', '.join(known)} was "
                         "expected")  # fmt: skip


def _number(name: str, entry: str, value: object, below: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < below:
        raise UsageError(
            f"{entry} of {name} is {shown(value)}, but a number above 0 and below {below:g} was expected"
        )
    return float(value)


def _betas(name: str, kind: str, steps: int, first: Any, last: Any) -> tuple[Any, ...]:
    """Return the variances of a schedule; first and last are not those of a cosine's."""
    if not 2 <= steps <= _MOST_STEPS:
        raise UsageError(f"{name} has {steps} steps, but 2 to {_MOST_STEPS:,} were expected")
    with mp.workdps(_DIGITS):
        if kind == "cosine":

            def kept(share: Any) -> Any:
                return mp.cos((share + mpf("0.008")) / mpf("1.008") * mp.pi / 2) ** 2

            shares = [kept(mpf(i) / steps) for i in range(steps + 1)]
            cap = mpf("0.999")
            return tuple(min(1 - b / a, cap) for a, b in zip(shares, shares[1:], strict=False))
        root = kind == "scaled_linear"
        low, high = (mp.sqrt(end) if root else end for end in (first, last))
        line = [low + (high - low) * i / (steps - 1) for i in range(steps)]
        betas = tuple(value**2 if root else value for value in line)
    if betas[-1] >= 1:
        raise UsageError(f"{name} has too few steps: its last one adds a variance of 1 or more")
    return betas
