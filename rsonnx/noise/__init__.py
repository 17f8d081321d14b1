"""Smoothing distributions: how to draw a block of noise, and which radius follows in which norm."""

from rsonnx.noise.distribution import SmoothingDistribution
from rsonnx.noise.gaussian import Gaussian
from rsonnx.noise.philox import check_seed, fresh_seed, uniform
from rsonnx.noise.space import Arithmetic, InputSpace, Point, check_bounds
from rsonnx.noise.stream import NoisyStream, Stage, block_samples

__all__ = [
    "Arithmetic",
    "Gaussian",
    "InputSpace",
    "NoisyStream",
    "Point",
    "SmoothingDistribution",
    "Stage",
    "block_samples",
    "check_bounds",
    "check_seed",
    "fresh_seed",
    "uniform",
]
