"""Deterministic verification of the base classifier: layers, and sound bounds over a ball."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.deterministic.balls import Ball
    from rsonnx.deterministic.bounds import Verifier
    from rsonnx.deterministic.layers import Affine, Network, Relu
    from rsonnx.deterministic.question import ARITHMETICS, METHODS, NORMS, Question
    from rsonnx.deterministic.radius import largest_radius
    from rsonnx.deterministic.reading import read_network

offer_lazily(__name__)
