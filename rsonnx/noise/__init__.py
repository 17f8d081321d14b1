"""Smoothing distributions: how to draw a block of noise, and which radius follows in which norm."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.noise.additive import IndependentNoise, JointNoise
    from rsonnx.noise.asked import AskedNoise
    from rsonnx.noise.catalogue import NOISES, law_from_json, noise_of
    from rsonnx.noise.covering import CoveredNoise
    from rsonnx.noise.covers import Cover
    from rsonnx.noise.enumerated import EnumeratedNoise
    from rsonnx.noise.exported import ExportedStream, check_key
    from rsonnx.noise.law import ExactOutcome, Law, SampledNoise, check_law
    from rsonnx.noise.laws.ablation import Ablation
    from rsonnx.noise.laws.anisotropic import AnisotropicGaussian
    from rsonnx.noise.laws.ball import Ball
    from rsonnx.noise.laws.blur import Blur, BlurFolded, BlurUniform
    from rsonnx.noise.laws.blurred import BrightnessBlur, ContrastBlur
    from rsonnx.noise.laws.brightness import Brightness
    from rsonnx.noise.laws.brightness_contrast import BrightnessContrast
    from rsonnx.noise.laws.contrast import Contrast
    from rsonnx.noise.laws.exponential_l2 import ExponentialL2
    from rsonnx.noise.laws.exponential_linf import ExponentialLinf
    from rsonnx.noise.laws.flips import Flips
    from rsonnx.noise.laws.gaussian import Gaussian
    from rsonnx.noise.laws.laplace import Laplace
    from rsonnx.noise.laws.padded_translation import PaddedTranslation
    from rsonnx.noise.laws.pareto import Pareto
    from rsonnx.noise.laws.patches import Blocks, Columns
    from rsonnx.noise.laws.power_linf import PowerLinf
    from rsonnx.noise.laws.rotation import Rotation
    from rsonnx.noise.laws.scaling import Scaling
    from rsonnx.noise.laws.shifted import BrightnessTranslation, ContrastTranslation
    from rsonnx.noise.laws.sparse_flips import SparseFlips
    from rsonnx.noise.laws.splitting import Splitting
    from rsonnx.noise.laws.translation import Translation
    from rsonnx.noise.laws.uniform import Uniform
    from rsonnx.noise.norms import NORMS, Norm, norm_named
    from rsonnx.noise.philox import SEED_DIGITS, check_seed, fresh_seed, uniform
    from rsonnx.noise.sigmas import Values
    from rsonnx.noise.space import Arithmetic, InputSpace, Point, check_bounds
    from rsonnx.noise.stream import (
        STREAM_VERSION,
        STREAM_VERSIONS,
        UNCHANGED,
        WATCHED_SPAN,
        NoisyStream,
        UnchangedStream,
        block_samples,
    )

offer_lazily(__name__)
