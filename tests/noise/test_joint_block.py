"""Joint noise: a sample is a function of its index, whatever is asked for."""

import numpy as np
import pytest

from rsonnx.errors import UsageError
from rsonnx.noise import InputSpace, JointNoise, NoisyStream, noise_of

LAWS = [
    noise_of(name, sigma=0.5, size=600, **further)
    for name, further in (
        ("exp-linf", {}),
        ("exp-l2", {}),
        ("ball", {}),
        ("power-linf", {"a": 700}),
    )
]
SPACE = InputSpace((20, 30))
POINT = SPACE.point(np.full((20, 30), 0.3), "float")


def stream(law: JointNoise, shared: bool = False) -> NoisyStream:
    return NoisyStream(POINT, law, 1, "estimation", shared)


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("shared", [False, True])
def test_samples_do_not_depend_on_what_is_asked_for(law: JointNoise, shared: bool) -> None:
    whole = np.empty((600, 20, 30), np.float32)
    stream(law, shared).write(0, whole)
    parts = np.empty_like(whole)
    other = stream(law, shared)
    for start, stop in ((500, 600), (0, 1), (1, 100), (300, 500), (100, 300)):
        other.write(start, parts[start:stop])
    np.testing.assert_array_equal(whole, parts)
    assert len(np.unique(whole.reshape(600, -1)[:, 0])) == 600


def test_a_large_sample_is_a_portion_of_its_own() -> None:
    law = noise_of("exp-l2", sigma=0.5, size=20_000)
    point = InputSpace((20_000,)).point(np.zeros(20_000), "float")
    whole, last = np.empty((3, 20_000), np.float32), np.empty((1, 20_000), np.float32)
    NoisyStream(point, law, 1, "estimation").write(0, whole)
    NoisyStream(point, law, 1, "estimation").write(2, last)
    np.testing.assert_array_equal(whole[2:], last)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_another_size_is_refused(law: JointNoise) -> None:
    point = InputSpace((5,)).point(np.zeros(5), "float")
    with pytest.raises(UsageError, match="inputs of 600 values"):
        NoisyStream(point, law, 1, "estimation").write(0, np.empty((1, 5), np.float32))
