"""Caps of a sphere: shares and edges, in high precision and on the right side."""

import mpmath
import pytest

from rsonnx.noise.spheres import cap_edge, cap_share


@pytest.mark.parametrize("dimension", [2, 3, 4, 11, 786, 3_074])
@pytest.mark.parametrize("share", [0.5, 0.4999999, 0.25, 0.01, 1e-9, 2.0**-53])
def test_edge_is_above_the_quantile_by_next_to_nothing(dimension: int, share: float) -> None:
    with mpmath.workprec(300):
        half = mpmath.mpf(dimension - 1) / 2
        edge = cap_edge(mpmath.mpf(share), dimension)
        reached = mpmath.betainc(half, half, 0, edge, regularized=True)
        if share == 0.5:
            assert edge == 0.5
        else:
            assert share < reached < share * (1 + mpmath.mpf(2) ** -140)
        below = cap_share(edge, dimension)
        assert reached * (1 - mpmath.mpf(2) ** -170) < below < reached


def test_three_dimensions_are_those_of_archimedes() -> None:
    """The area of a cap of the sphere is that of its height."""
    for share in (0.4, 0.1, 1e-6):
        assert float(cap_edge(mpmath.mpf(share), 3)) == pytest.approx(share, rel=1e-15)


def test_many_dimensions_have_the_normal_quantile() -> None:
    """√n·u_1 tends to a normal variable; at n = 150,530 their tails agree to 1e-4."""
    edge = cap_edge(mpmath.mpf("0.01"), 150_530)
    cosine = float(1 - 2 * edge)
    assert cosine * 150_530**0.5 == pytest.approx(2.3263478740408408, rel=1e-4)
