"""Noise schedules of diffusion models, in high precision: which step has the noise of a sigma.

A step t of a schedule has alpha-bar_t, the product of 1 - beta_i over i = 0..t; images in [-1, 1]
that are scaled by sqrt(alpha-bar_t) carry noise of deviation sqrt(1 - alpha-bar_t) there.

Sources: Ho et al., arXiv 2006.11239 (linear); Nichol and Dhariwal, 2102.09672 (cosine); Rombach et
al., 2112.10752 (scaled linear); Carlini et al., 2206.10550 (the step of a sigma).
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mpmath import mp, mpf

from rsonnx.arguments import check_choice, check_flag, check_positive
from rsonnx.errors import UsageError
from rsonnx.files import read_small
from rsonnx.scalars import as_float, shown

PREDICTIONS = ("epsilon", "sample", "v_prediction")
_DIGITS = 40
_MOST_STEPS = 100_000
_NAMED = re.compile(r"(linear|cosine|scaled_linear)-([1-9][0-9]{0,5})")

_CLASS, _CLIPPING = "DDPMScheduler", ("DDPM", "DDIM")
"""The class of diffusers whose defaults hold, and how those begin that clip by default."""

# Of a diffusers file, with the defaults of its DDPM scheduler.
_ENTRIES = {
    "beta_schedule": "linear",
    "num_train_timesteps": 1000,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "prediction_type": "epsilon",
    "clip_sample": True,
    "clip_sample_range": 1.0,
    "variance_type": "fixed_small",
}
_VARIANCES = (
    *("fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"),
    *("learned", "learned_range"),
)
_KINDS = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}
_CHOICES: dict[str, Collection[str]] = {
    "beta_schedule": _KINDS,
    "prediction_type": PREDICTIONS,
    "variance_type": _VARIANCES,
}
_UNSUPPORTED = ("thresholding", "rescale_betas_zero_snr", "trained_betas")


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
        stated: how :func:`read_schedule` is told of it again: ``"cosine-4000"``, or what of a file
            matters, by diffusers' names.
        name: in messages.
        betas: variance that each step adds, T of them, in (0, 1).
        prediction: of :data:`PREDICTIONS`: the noise, the clean image, or their velocity (Salimans
            and Ho, 2202.00512).
        clip: the estimated image is clipped to [-clip, clip]; None where it is not.
        has_variance: whether as many channels again follow, which tell a variance.
    """

    stated: str | Mapping[str, Any]
    name: str
    betas: tuple[Any, ...]
    prediction: str = "epsilon"
    clip: float | None = 1.0
    has_variance: bool = False

    def alpha_bars(self) -> tuple[Any, ...]:
        """Return alpha-bar of every step, to 40 digits."""
        with mp.workdps(_DIGITS):
            bars, product = [], mpf(1)
            for beta in self.betas:
                product *= 1 - beta
                bars.append(product)
            return tuple(bars)

    def step(self, deviation: float) -> Step | None:
        """Return the first step, 1 or later, with at least this noise; None where none has.

        Args:
            deviation: of the noise on an image in [-1, 1], above 0: twice that of one in [0, 1].
        """
        with mp.workdps(_DIGITS):
            least = mpf(deviation) ** 2
            steps = (Step(t, bar) for t, bar in enumerate(self.alpha_bars()) if t)
            return next((s for s in steps if 1 - s.alpha_bar >= least * s.alpha_bar), None)


def read_schedule(schedule: str | os.PathLike[str] | Mapping[str, Any]) -> Schedule:
    """Return a schedule: ``cosine-T``, ``linear-T``, ``scaled_linear-T``, or of a diffusers file.

    A ``scheduler_config.json``, or a mapping of its entries, may name another prediction, and say
    whether images are clipped and whether a variance was learned; where it leaves an entry out, the
    default of diffusers' DDPM scheduler holds, and other classes than DDPM's and DDIM's clip none.
    With a name's schedule the noise is predicted, and images are clipped.

    Raises:
        UsageError: it is none of these, or states what is not supported.
    """
    if isinstance(schedule, Mapping) or not isinstance(schedule, str | os.PathLike):
        return schedule_as_stated(schedule)
    path = os.fspath(schedule)
    if _NAMED.fullmatch(path) or not os.path.isfile(path):
        return schedule_as_stated(path)
    content = read_small(path, "the schedule")
    try:
        stated = json.loads(content)
        if not isinstance(stated, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise UsageError(
            f"{path} holds no JSON object; give the scheduler_config.json that diffusers wrote"
        ) from None
    return _of_diffusers(path, stated)


def schedule_as_stated(stated: str | Mapping[str, Any]) -> Schedule:
    """Return a schedule by its name or its entries, as a composed model states it: no file is read.

    Raises:
        UsageError: it is none, or states what is not supported.
    """
    if isinstance(stated, Mapping):
        return _of_diffusers("the schedule", stated)
    match = _NAMED.fullmatch(stated) if isinstance(stated, str) else None
    if match is None:
        raise UsageError(
            f"the schedule {shown(stated)} is no file, nor cosine-, linear- or scaled_linear- and "
            "a number of steps; give one such as cosine-4000, or a scheduler_config.json"
        )
    kind, steps = match[1], int(match[2])
    with mp.workdps(_DIGITS):
        scale = mpf(1000) / steps
        ends = {
            "linear": (scale / 10_000, scale / 50),
            "cosine": (mpf(0), mpf(0)),
            "scaled_linear": (mpf("0.00085"), mpf("0.012")),
        }[kind]
    return Schedule(match[0], match[0], _betas(match[0], kind, steps, *ends))


def _of_diffusers(name: str, stated: Mapping[str, Any]) -> Schedule:
    scheduler = stated.get("_class_name", _CLASS if _ENTRIES.keys() & stated.keys() else None)
    if (
        scheduler != _CLASS and "beta_schedule" not in stated
    ):  # as of a flow, or of the U-Net itself
        raise UsageError(
            f"{name} is of {shown(scheduler)} and states no beta_schedule; give the "
            f"scheduler_config.json that a {_CLASS} or the like wrote"
        )
    taken = {entry: stated.get(entry, usual) for entry, usual in _ENTRIES.items()}
    if "clip_sample" not in stated and not str(scheduler).startswith(_CLIPPING):
        taken["clip_sample"] = False
    if taken["variance_type"] is None:  # as a solver says it that adds no noise
        taken["variance_type"] = _ENTRIES["variance_type"]
    for entry, known in _CHOICES.items():
        check_choice(f"{entry} of {name}", taken[entry], known)
    for entry in _UNSUPPORTED:
        if not any(stated.get(entry) is unset for unset in (None, False)):
            raise UsageError(f"{name} sets {entry}, which is not supported; use a model without it")
    taken["clip_sample"] = clips = check_flag(f"clip_sample of {name}", taken["clip_sample"])
    steps = check_positive(f"num_train_timesteps of {name}", taken["num_train_timesteps"])
    taken["num_train_timesteps"] = steps
    for entry, most in (("beta_start", 1), ("beta_end", 1), ("clip_sample_range", math.inf)):
        number = as_float(taken[entry])
        if not 0 < number < most:
            raise UsageError(
                f"{entry} of {name} is {shown(taken[entry])}, but a number above 0 and below "
                f"{most} was expected"
            )
        taken[entry] = number
    with mp.workdps(_DIGITS):
        # The decimal that the file has, not the double nearest to it.
        ends = [mpf(repr(taken[entry])) for entry in ("beta_start", "beta_end")]
    kind = _KINDS[taken["beta_schedule"]]
    return Schedule(
        taken,
        name,
        _betas(name, kind, steps, *ends),
        taken["prediction_type"],
        taken["clip_sample_range"] if clips else None,
        "learned" in taken["variance_type"],
    )


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
            return tuple(min(1 - b / a, cap) for a, b in pairwise(shares))
        root = kind == "scaled_linear"
        low, high = (mp.sqrt(end) if root else end for end in (first, last))
        line = [low + (high - low) * i / (steps - 1) for i in range(steps)]
        betas = tuple(value**2 if root else value for value in line)
    if betas[-1] >= 1:
        raise UsageError(
            f"{name} has too few steps: its last one adds a variance of 1 or more; give more"
        )
    return betas
