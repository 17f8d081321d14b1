"""All golden values of transformations: tests/golden/geometric.json, which says what each is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rsonnx.noise import (
    Blur,
    BlurFolded,
    BlurUniform,
    Brightness,
    BrightnessContrast,
    Contrast,
    Translation,
)
from rsonnx.transforms.families import ROTATION
from rsonnx.transforms.images import Frame
from rsonnx.transforms.lengths import curve

HERE = Path(__file__).parents[1] / "golden"
GOLDEN: dict[str, Any] = json.loads((HERE / "geometric.json").read_text("utf-8"))
IMAGES = {int(k): levels / 255 for k, levels in np.load(HERE / "geometric.npz").items()}
LAWS = {
    "brightness_gaussian": Brightness(1.0),
    "log_contrast_gaussian": Contrast(1.0),
    "translation_gaussian": Translation(1.0),
    "blur_exponential": Blur(1.0),
    "blur_uniform": BlurUniform(1.0),
    "blur_folded_gaussian": BlurFolded(1.0),
}


def each(part: str) -> Any:
    values = GOLDEN[part]
    return pytest.mark.parametrize("golden", values, ids=map(str, range(len(values))))


@each("one_parameter")
def test_radii_of_one_parameter_are_rounded_down(golden: dict[str, str]) -> None:
    p = float(golden["p"])
    for name, law in LAWS.items():
        radius = float(golden[name])
        assert radius * (1 - 1e-13) < law.radius(p) <= radius * (1 + 4e-16)  # p is a double
        assert law.proves(law.radius(p), p, None) is not False
        assert law.proves(law.radius_between(p, 1 - p), p, 1 - p) is not False
        assert not law.proves(radius * (1 + 1e-6), p, None)


@each("contrast_brightness")
def test_the_radius_of_both_is_the_tight_one_of_both_orders(golden: dict[str, Any]) -> None:
    """The least of both orders and of all contrasts up to |k|, which is that of darker colours."""
    p, k, sigma = float(golden["p"]), golden["k"], golden["sigma_b"]
    orders = [float(golden[f"tight_{order}"]) for order in ("shift-then-scale", "scale-then-shift")]
    if k == 0:
        assert orders == pytest.approx([Brightness(sigma).radius(p)] * 2, abs=1e-8)
        return
    radius = BrightnessContrast(sigma, abs(k), golden["sigma_k"]).radius(p)
    assert radius <= min(orders) + 1e-9  # of the quadrature
    if k < 0:
        assert radius >= min(orders) * (1 - 1e-6)
        assert radius >= float(golden["two_step_both"])


@each("blur")
def test_blurred_images(golden: dict[str, float]) -> None:
    x, norm = IMAGES[int(golden["mnist_test"])], np.linalg.norm
    blurred = Blur(1.0).change(x, np.array([golden["t"]]))[0]
    figures = (blurred.sum(), norm(blurred), blurred[14, 14], blurred.min(), norm(blurred - x))
    names = ("sum", "l2", "pixel_14_14", "min", "dist")
    np.testing.assert_allclose(figures, [golden[name] for name in names], atol=1e-8)


def turned(x: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    frame, image = Frame(*x.shape), x[None]
    places = frame.places(ROTATION.matrix(degrees))
    return frame.interpolated(frame.padded(image), *places).reshape(x.shape)


@each("rotation")
def test_turned_images(golden: dict[str, float]) -> None:
    x = IMAGES[int(golden["mnist_test"])]
    image = turned(x, golden["degrees"])
    figures = (image.sum(), np.linalg.norm(image - x), image[10, 16])
    names = ("sum", "l2_to_unrotated", "pixel_10_16")
    np.testing.assert_allclose(figures, [golden[name] for name in names], atol=2e-9)


@each("cover")
def test_a_proved_distance_is_little_above_the_largest_that_was_found(golden: Any) -> None:
    image, cells, steps = IMAGES[golden["mnist_test"]][None], golden["cells"], 4
    knots = np.linspace(*golden["interval_degrees"], cells * steps + 1).tolist()
    path = curve(image, ROTATION, knots)
    centres = [path.points[k * steps + steps // 2] for k in range(cells)]
    bound = max(
        path.farthest(centre, k * steps, (k + 1) * steps).max() for k, centre in enumerate(centres)
    )
    assert golden["max_l2_dense_lower_bound"] <= bound
    assert bound <= 1.1 * golden["max_l2_dense_lower_bound"]
