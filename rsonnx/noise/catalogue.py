"""All smoothing distributions by name; what a command line or a run file asks for becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from rsonnx._catalogue import Catalogue
from rsonnx.errors import UsageError

if TYPE_CHECKING:
    from rsonnx.noise.law import Law

LAWS = {
    "Added": {
        "gaussian": "gaussian.Gaussian",
        "gaussian-per-feature": "anisotropic.AnisotropicGaussian",
        "laplace": "laplace.Laplace",
        "uniform": "uniform.Uniform",
        "exp-linf": "exponential_linf.ExponentialLinf",
        "exp-l2": "exponential_l2.ExponentialL2",
        "power-linf": "power_linf.PowerLinf",
        "ball": "ball.Ball",
        "pareto": "pareto.Pareto",
    },
    "Certain": {
        "splitting": "splitting.Splitting",
        "columns": "patches.Columns",
        "blocks": "patches.Blocks",
    },
    "For l0": {
        "ablation": "ablation.Ablation",
        "flips": "flips.Flips",
        "sparse-flips": "sparse_flips.SparseFlips",
    },
    "Images": {
        "brightness": "brightness.Brightness",
        "contrast": "contrast.Contrast",
        "brightness-contrast": "brightness_contrast.BrightnessContrast",
        "brightness-blur": "blurred.BrightnessBlur",
        "contrast-blur": "blurred.ContrastBlur",
        "brightness-translation": "shifted.BrightnessTranslation",
        "contrast-translation": "shifted.ContrastTranslation",
        "blur": "blur.Blur",
        "blur-uniform": "blur.BlurUniform",
        "blur-folded": "blur.BlurFolded",
        "translation": "translation.Translation",
        "padded-translation": "padded_translation.PaddedTranslation",
        "rotation": "rotation.Rotation",
        "scaling": "scaling.Scaling",
    },
}
"""All laws by what they are for, each with its class: whoever adds one writes it and names it here.

Only the names, so that help and completion need no law's own code.
"""


NOISES: Mapping[str, type[Law]] = Catalogue(
    "rsonnx.noise.laws", {name: where for kind in LAWS.values() for name, where in kind.items()}
)


def law_class(name: object) -> type[Law]:
    """Return the class of the law of a name, of which there may be none: a UsageError."""
    law = NOISES.get(name) if isinstance(name, str) else None
    if law is None:
        like = " or ".join(get_close_matches(str(name), NOISES, 2)) or "gaussian"
        raise UsageError(
            f"the noise is {name!r:.60}, but the name of a noise was expected, such as {like}; "
            "`rsonnx certify --help` names all"
        )
    return law


def noise_of(
    name: str,
    *,
    size: int | None = None,
    sigma: float | None = None,
    lam: float | None = None,
    norm: str | None = None,
    layout: str | None = None,
    **parameters: Any,
) -> Law:
    """Return a smoothing distribution.

    Args:
        name: of :data:`NOISES`.
        size: values in an input, for the laws whose radius or scale depends on it.
        sigma: standard deviation of the noise on one value, in the units of the input.
        lam: λ, the scale in the law's own formula, in place of ``sigma``.
        norm: in which radii are measured; None takes the law's first.
        layout: ``"NCHW"`` or ``"NHWC"``, for the laws that depend on where the channels are.
        parameters: what else the law has.

    Raises:
        UsageError: no such law, norm or parameter, a value outside its range, one that is missing,
            or both scales.
    """
    law = law_class(name)
    own = law.own()
    if sigma is not None and lam is not None:
        raise UsageError("both sigma and lambda were given, but they are the same scale; give one")
    converted = None if "sigma" in own else sigma
    optional = {"sigma": sigma if converted is None else None, "lam": lam, "norm": norm}
    values = {key: value for key, value in optional.items() if value is not None} | parameters
    for key in values:
        if key not in own:
            takes = ", ".join(law.options()) or "none but its scale and its norm"
            shown = "lambda" if key == "lam" else f"parameter {key!r}"
            raise UsageError(f"{name} noise has no {shown}; it has {takes}")
    values |= {key: value for key, value in (("size", size), ("layout", layout)) if key in own}
    for key, field in own.items():
        if field.default is MISSING and values.get(key) is None:
            if key == "lam" and converted is not None:
                continue
            needed = " or ".join(law.scales()) if key in ("sigma", "lam") else key
            raise UsageError(f"{name} noise needs {needed}; give {needed}")
    if converted is not None:
        values["lam"] = law.lam_for(converted, size, values.get("a"))
    return law(**values)


def law_from_json(recorded: Mapping[str, Any]) -> Law:
    """Return the law that a run's header records, if all that it says of it is true.

    Its parameters are the record of what it is; norm and sigma stand beside them to be read.

    Args:
        recorded: what :meth:`Law.to_json` returned; further keys are left alone.

    Raises:
        UsageError: it is none that is known, or a parameter is out of range.
        KeyError: a field is missing.
        TypeError: a field is of the wrong type, or contradicts the parameters.
    """
    name, parameters = recorded["distribution"], recorded.get("parameters")
    if parameters is None and name == "gaussian":  # as runs of rsonnx 0.1 recorded it
        parameters = {"sigma": recorded["sigma"], "norm": recorded["norm"]}
    known = law_class(name)
    if not isinstance(parameters, dict):
        raise TypeError("the noise has no parameters")
    law = known(**parameters)
    for key, own in (("norm", law.norm), ("sigma", law.deviation)):
        if recorded[key] != own:
            raise TypeError(f"{key} is {recorded[key]!r:.60}, but this noise has {own!r}")
    return law
