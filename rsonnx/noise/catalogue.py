"""All smoothing distributions by name; what a command line or a run file asks for becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from rsonnx.errors import UsageError
from rsonnx.noise.law import Law
from rsonnx.noise.laws.ablation import Ablation
from rsonnx.noise.laws.anisotropic import AnisotropicGaussian
from rsonnx.noise.laws.ball import Ball
from rsonnx.noise.laws.exponential_l2 import ExponentialL2
from rsonnx.noise.laws.exponential_linf import ExponentialLinf
from rsonnx.noise.laws.flips import Flips
from rsonnx.noise.laws.gaussian import Gaussian
from rsonnx.noise.laws.laplace import Laplace
from rsonnx.noise.laws.pareto import Pareto
from rsonnx.noise.laws.patches import Blocks, Columns
from rsonnx.noise.laws.power_linf import PowerLinf
from rsonnx.noise.laws.sparse_flips import SparseFlips
from rsonnx.noise.laws.splitting import Splitting
from rsonnx.noise.laws.uniform import Uniform

NOISES: dict[str, type[Law]] = {
    law.name: law
    for law in (
        Gaussian,
        Laplace,
        Uniform,
        ExponentialLinf,
        ExponentialL2,
        PowerLinf,
        Ball,
        Pareto,
        AnisotropicGaussian,
        Splitting,
        Columns,
        Blocks,
        Ablation,
        Flips,
        SparseFlips,
    )
}
"""To add a distribution is to write its class and to name it here."""


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
    law = NOISES.get(name)
    if law is None:
        raise UsageError(f"the noise is {name!r:.60}, but one of {', '.join(NOISES)} was expected")
    own = [field.name for field in fields(law)]  # type: ignore[arg-type]
    further = {key: value for key, value in parameters.items() if key in own}
    given = _scale(law, own, sigma, lam, size, further) | parameters
    if norm is not None:
        given["norm"] = norm
    unknown = sorted(set(given) - set(own))
    if unknown:
        takes = [key for key in own if key not in ("norm", "size", "lam", "sigma")]
        raise UsageError(
            f"{name} noise has no parameter {unknown[0]!r}; "
            + (f"it has {', '.join(takes)}" if takes else "it has none but its scale and its norm")
        )
    if "size" in own:
        given["size"] = size
    if "layout" in own:
        given["layout"] = layout
    needed = [f.name for f in fields(law) if f.default is MISSING]  # type: ignore[arg-type]
    missing = [key for key in needed if given.get(key) is None and key != "size"]
    if missing:
        scale = "sigma or lambda" if missing[0] == "lam" else missing[0]
        raise UsageError(f"{name} noise needs {scale}, which was not given; give it")
    return law(**given)


def _scale(
    law: type[Law],
    own: list[str],
    sigma: float | None,
    lam: float | None,
    size: int | None,
    further: dict[str, Any],
) -> dict[str, Any]:
    """Return the scale that was given as the field that the law has for it."""
    if sigma is not None and lam is not None:
        raise UsageError("both sigma and lambda were given, but they are the same scale; give one")
    if lam is not None:
        if "lam" in own:
            return {"lam": lam}
        raise UsageError(f"{law.name} noise has no lambda; leave it out")
    if sigma is None:
        return {}
    if "sigma" in own:
        return {"sigma": sigma}
    convert = getattr(law, "lam_for", None)
    if convert is None:
        instead = "give lambda in its place" if "lam" in own else "leave it out"
        raise UsageError(f"{law.name} noise has no sigma; {instead}")
    return {"lam": convert(sigma, size, **further)}


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
    if parameters is None and name == Gaussian.name:  # as runs of rsonnx 0.1 recorded it
        parameters = {"sigma": recorded["sigma"], "norm": recorded["norm"]}
    known = NOISES.get(name) if isinstance(name, str) else None
    if known is None:
        raise UsageError(f"the noise is {name!r:.60}, but one of {', '.join(NOISES)} was expected")
    if not isinstance(parameters, dict):
        raise TypeError("the noise has no parameters")
    law = known(**parameters)
    for key, own in (("norm", law.norm), ("sigma", law.deviation)):
        if recorded[key] != own:
            raise TypeError(f"{key} is {recorded[key]!r:.60}, but this noise has {own!r}")
    return law
