"""What additive laws are drawn from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rsonnx.noise import Gaussian, Laplace, Uniform


@pytest.mark.parametrize(
    "law", [Gaussian(0.3), Laplace(0.2), Uniform(0.4)], ids=lambda law: law.name
)
def test_a_table_is_that_of_every_norm_and_size_and_of_one_scale(
    law: Gaussian | Laplace | Uniform,
) -> None:
    table = law.table(1 / 255)
    assert all(replace(law, norm=norm, size=784).table(1 / 255) is table for norm in law.norms)
    assert type(law)(0.35).table(1 / 255) is not table
