"""Noise schedules: the steps of golden values to 18 digits, and what a diffusers file may say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from rsonnx.compose.schedules import read_schedule, schedule_as_stated
from rsonnx.errors import DataError, UsageError

# Schedule, sigma of pixels in [0, 1], then t, alpha-bar_t and sqrt((1 - alpha-bar_t)/alpha-bar_t):
# the shared half of `diffusion.json` (FIELD.md, J), 40 digits rounded to 18.
STEPS = [
    ("cosine-4000", 0.12, 573, "0.945437756864640384", "0.240231325267747461"),
    ("cosine-4000", 0.5, 1984, "0.499688073640731433", "1.00062404743610049"),
    ("cosine-4000", 1.0, 2809, "0.199995461132297011", "2.0000283683657585"),
    ("linear-1000", 0.25, 145, "0.79797483736286163", "0.503162346831995598"),
    ("linear-1000", 0.75, 339, "0.305838323619005015", "1.50655282570524105"),
    ("cosine-1000", 0.12, 143, "0.945082778774915206", "0.241056780694534408"),
    ("cosine-1000", 0.5, 496, "0.498519147195484125", "1.00296610447762494"),
    ("cosine-1000", 1.0, 702, "0.199372438622029535", "2.00393074195878288"),
    ("linear-4000", 0.25, 579, "0.799758151228010382", "0.500377860202347118"),
    ("linear-4000", 0.75, 1356, "0.3075271704272024", "1.50058162024069659"),
    ("scaled_linear-1000", 0.12, 56, "0.945202540745863992", "0.240778536843836425"),
    ("scaled_linear-1000", 0.5, 354, "0.499817403389434975", "1.0003652599285333"),
    ("scaled_linear-1000", 1.0, 563, "0.199207478618062961", "2.0049667972719721"),
]


@pytest.mark.parametrize(("name", "sigma", "t", "alpha_bar", "noise"), STEPS)
def test_steps_are_the_golden_ones(
    name: str, sigma: float, t: int, alpha_bar: str, noise: str
) -> None:
    schedule = read_schedule(name)
    step = schedule.step(2 * sigma)
    assert step is not None
    with mp.workdps(40):
        assert (step.t, mp.nstr(step.alpha_bar, 18)) == (t, alpha_bar)
        assert mp.nstr(step.noise / step.signal, 18) == noise
        before = schedule.alpha_bars()[t - 1]
        assert mp.sqrt((1 - before) / before) < 2 * sigma


def test_the_first_step_is_never_taken_and_too_much_noise_has_none() -> None:
    schedule = read_schedule("linear-1000")
    step = schedule.step(1e-6)
    assert step is not None
    assert step.t == 1
    assert schedule.step(1e3) is None


CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"_class_name": "DDPMScheduler"}, "linear-1000"),
    ({"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 4000}, "cosine-4000"),
    (
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
        "scaled_linear-1000",
    ),
]


@pytest.mark.parametrize(("config", "name"), CONFIGS)
def test_a_diffusers_file_is_the_schedule_that_it_names(
    config: dict[str, Any], name: str, tmp_path: Path
) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text(json.dumps(config | {"clip_sample": False, "variance_type": "learned_range"}))
    read, named = read_schedule(path), read_schedule(name)
    assert read.betas == named.betas
    assert (read.clip, read.has_variance, read.prediction) == (None, True, "epsilon")
    assert (named.clip, named.has_variance) == (1.0, False)
    assert read_schedule(read.stated) == read_schedule(json.loads(json.dumps(read.stated)))


@pytest.mark.parametrize(
    ("stated", "clip"),
    [
        ({}, 1.0),
        ({"_class_name": "PNDMScheduler"}, None),
        ({"_class_name": "DPMSolverMultistepScheduler", "variance_type": None}, None),
        ({"_class_name": "DDIMScheduler"}, 1.0),
        ({"_class_name": "DDPMScheduler", "clip_sample_range": 0.5}, 0.5),
        ({"_class_name": "PNDMScheduler", "clip_sample": True}, 1.0),
    ],
)
def test_images_are_clipped_as_the_scheduler_does(stated: Any, clip: float | None) -> None:
    entries = {"beta_schedule": "linear", "num_train_timesteps": np.int64(1000)} | stated
    read = read_schedule(entries)
    assert read.clip == clip
    assert not read.has_variance
    assert read_schedule(json.loads(json.dumps(read.stated))) == read


@pytest.mark.parametrize(
    "config",
    [
        {"prediction_type": "flow"},
        {"prediction_type": []},
        {"beta_schedule": "sigmoid"},
        {"thresholding": True},
        {"rescale_betas_zero_snr": True},
        {"trained_betas": [0.1, 0.2]},
        {"num_train_timesteps": 1},
        {"num_train_timesteps": "many"},
        {"beta_end": 1.5},
        {"beta_start": None},
        {"clip_sample": "no"},
        {"beta_schedule": []},
        {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000},
        {"_class_name": "UNet2DModel", "sample_size": 32},
        {"sample_size": 32},
        {},
    ],
)
def test_what_is_not_supported_is_refused(config: dict[str, Any]) -> None:
    named = "|".join(("beta_schedule", "steps", *config))
    with pytest.raises(UsageError, match=named):
        read_schedule(config)


@pytest.mark.parametrize("name", ["linear", "cosine-0", "linear-1", "linear-12", "no/such.json"])
def test_what_is_no_schedule_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_schedule(name)
    damaged = tmp_path / "scheduler_config.json"
    damaged.write_text("[1")
    with pytest.raises(UsageError):
        read_schedule(damaged)


def test_what_a_model_states_names_no_file_of_this_machine(tmp_path: Path) -> None:
    """A stranger wrote it; what a caller names is read, up to the size of such files."""
    path = tmp_path / "scheduler_config.json"
    path.write_text(json.dumps({"clip_sample": False}))
    assert schedule_as_stated(read_schedule(path).stated) == schedule_as_stated(
        json.loads(json.dumps(read_schedule(path).stated))
    )
    with pytest.raises(UsageError):
        schedule_as_stated(str(path))
    path.write_bytes(b" " * (5 << 20))
    with pytest.raises(DataError):
        read_schedule(path)
