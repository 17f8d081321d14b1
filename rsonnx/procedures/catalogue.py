"""All procedures: what options ask for, and what a run file records, becomes one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rsonnx.arguments import check_choice, check_flag
from rsonnx.errors import UsageError
from rsonnx.noise import CoveredNoise, Law
from rsonnx.procedures.adaptive import Adaptive
from rsonnx.procedures.choices import RADIUS_RULES, WAYS
from rsonnx.procedures.covered import Covered
from rsonnx.procedures.enumerated import Enumerated
from rsonnx.procedures.exact import Exact
from rsonnx.procedures.fixed import Fixed
from rsonnx.procedures.precise import Precise
from rsonnx.procedures.predict import Predict, PredictSequential
from rsonnx.procedures.procedure import Procedure
from rsonnx.procedures.radii import as_radii
from rsonnx.scalars import shown
from rsonnx.statistics import BOUNDS, DEFAULT_BOUND

PROCEDURES: dict[str, type[Procedure]] = {
    "exact": Enumerated,
    "e-process": Adaptive,
    "alpha-spending": Adaptive,
    "calculated": Exact,
    "cover": Covered,
    "stopped-clopper-pearson": Precise,
}
"""By the bound that a run's header names, where it is the procedure's own; all others are
:class:`Fixed`. To add a procedure is to write its class and to name it here."""


def procedure_recorded(fields: Mapping[str, Any], noise: Law, shape: tuple[int, ...]) -> Procedure:
    """Return the procedure that a run's header records; arguments as for its ``recorded``.

    Raises:
        UsageError: there is no such procedure, or it is none of this noise.
    """
    made = PROCEDURES.get(fields["bound"], Fixed).recorded(fields, noise, shape)
    for name, own in made.to_json().items():
        if fields[name] != own:
            raise UsageError(
                f"{name} is {shown(fields[name], 60)}, but this procedure has {shown(own, 60)}"
            )
    if unknown := fields.keys() - made.to_json().keys():
        raise UsageError(f"{min(unknown)} is no field of a run with the bound {made.bound}")
    if noise.enumerated and not isinstance(made, Enumerated):
        raise UsageError(f"{noise.name} noise is counted in full, but the bound is {made.bound}")
    if noise.covered and not isinstance(made, Covered):
        raise UsageError(f"{noise.name} noise is covered, but the bound is {made.bound}")
    return made


def certify_procedure(
    noise: Law,
    *,
    shape: tuple[int, ...] | None = None,
    n0: int,
    n: int,
    alpha: float,
    bound: str = DEFAULT_BOUND,
    radius: str = "one-sided",
    target_radii: float | Iterable[float] | None = None,
    precision: float | None = None,
    num_classes: int | None = None,
    procedure: str = "sampled",
    changed: int = 0,
) -> Procedure:
    """Return the procedure that these options mean; see :meth:`SmoothedClassifier.certify`.

    Args:
        noise: the smoothing distribution. One that is enumerated leaves no choice but the target
            radii that are refused: n0, n, alpha and the bound have no part in it.
        shape: of an input; enumerated noise needs it.
        n0, n, alpha, bound, radius, target_radii, precision, num_classes, procedure, changed: as
            there.

    Raises:
        UsageError: an argument is outside its range, or two of them exclude each other.
    """
    check_choice("the procedure", procedure, WAYS)
    check_choice("the bound", bound, (*BOUNDS, "clt"))
    check_choice("the radius rule", radius, RADIUS_RULES)
    chosen = bound != DEFAULT_BOUND or radius != "one-sided"
    decided = chosen or target_radii is not None or precision is not None
    if procedure == "exact":
        _leave_out(decided, "the exact procedure draws no samples")
        return Exact(noise, changed)
    if changed:
        raise UsageError(
            "changed fixed values are certified by calculation alone; give --procedure exact too"
        )
    if noise.enumerated:
        _leave_out(decided, f"{noise.name} noise is counted in full")
        if shape is None:
            raise UsageError(
                f"{noise.name} noise is counted in full, but the base classifier does not say the "
                "shape of its inputs (shape), so how many changes there are is unknown"
            )
        return Enumerated(noise, shape)
    if isinstance(noise, CoveredNoise):
        what = f"{noise.name} noise is certified by as many samples as decide its interval"
        _leave_out(decided, what)
        return Covered(noise, n0, n, alpha)
    if radius == "two-sided" and num_classes is None:
        raise UsageError(
            "the two-sided radius shares alpha among the classes, but the base classifier does not "
            "say how many it has (num_classes); use the one-sided radius"
        )
    if target_radii is None and precision is None:
        return Fixed(noise, n0, n, alpha, bound, radius, num_classes)
    if chosen:
        raise UsageError(
            "an adaptive run has a bound and a radius of its own, so a bound or a radius rule "
            "cannot be chosen; leave out the target radii, the precision or the choice"
        )
    if precision is None:
        return Adaptive(noise, n0, n, alpha, as_radii(() if target_radii is None else target_radii))
    if target_radii is not None:
        raise UsageError(
            "target radii end the sampling where they are decided, a precision where little is "
            "left to gain; give one of them"
        )
    return Precise(noise, n0, n, alpha, precision)


def _leave_out(chosen: bool, why: str) -> None:
    """Refuse a bound, radius rule or target radius where a procedure leaves no such choice."""
    if chosen:
        raise UsageError(
            f"{why}, so there is no bound, radius rule, target radius or precision to choose; "
            "leave them out"
        )


def predict_procedure(
    noise: Law,
    *,
    n: int,
    alpha: float,
    method: str,
    sequential: bool = False,
    num_classes: int | None = None,
) -> Predict:
    """Return the procedure that these options mean; see :meth:`SmoothedClassifier.predict`.

    Raises:
        UsageError: an argument is outside its range, or the number of classes is not known where
            it is needed.
    """
    if noise.enumerated:
        raise UsageError(
            f"{noise.name} noise is counted in full, so certify gives the smoothed classifier's "
            "answer with certainty, and a prediction from samples has nothing to add; use certify"
        )
    if not check_flag("sequential", sequential):
        return Predict(noise, n, alpha, method)
    if num_classes is None:
        raise UsageError(
            "a sequential prediction shares alpha among the classes, but the base classifier "
            "does not say how many it has (num_classes); use a fixed n"
        )
    return PredictSequential(noise, n, alpha, method, num_classes)
