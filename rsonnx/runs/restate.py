"""Derive a run's certificates anew from its counts, at another alpha, bound or radius rule.

Nothing is sampled. What the counts of a fixed n can support is any sound bound that needs nothing
but counts; an adaptive run stopped where its own settings were decided, so it keeps them.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from rsonnx.arguments import check_kind
from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs.files import Run
from rsonnx.runs.rows import Row
from rsonnx.statistics import check_alpha, family_wise_alpha


def restate(
    run: Run,
    *,
    alpha: float | None = None,
    bound: str | None = None,
    radius: str | None = None,
) -> Run:
    """Return ``run`` with every row derived again from its counts; nothing is sampled.

    A certificate holds at the new settings if they were chosen without looking at the counts.

    Args:
        run: as :func:`read_run` gives it.
        alpha: probability of error an input, in (0, 1), or in a family-wise run of any error among
            all its inputs; None keeps the run's.
        bound: name of a sound bound; None keeps the run's.
        radius: ``"one-sided"`` or ``"two-sided"``; None keeps the run's.

    Returns:
        A run with the restated rows, and a header that has the new settings and, as
        ``restated_from``, those before. With the run's own settings the rows are identical.

    Raises:
        UsageError: an argument is outside its range, or the counts cannot support it.
        RunFileError: the run file contradicts itself.
    """
    for name, value in (("bound", bound), ("radius", radius)):
        if value is not None:
            check_kind(name, value, str, "the name of one")
    header = run.header
    family_wise, each = header.family_wise, header.procedure.alpha
    if alpha is not None and check_alpha(alpha) != (each if family_wise is None else family_wise):
        each = check_alpha(alpha)
        if family_wise is not None:
            family_wise, each = alpha, family_wise_alpha(alpha, header.data.inputs)
    try:
        procedure = header.procedure.restated(
            each,
            header.procedure.bound if bound is None else bound,
            header.procedure.radius_rule if radius is None else radius,
        )
    except UsageError as error:
        raise UsageError(f"the run {run.path} cannot be restated: {error}") from None
    rows = []
    for row in run.rows:
        try:
            rows.append(Row.of(procedure.derive(row.evidence), row))
        except UsageError as error:
            raise RunFileError(f"{run.path}, input {row.index}: {error}") from None
    return replace(
        run,
        header=header.changed(
            **procedure.to_json(),
            family_wise=family_wise,
            largest_radius=procedure.largest_radius,
            restated_from=asdict(header.restated_from or header.settings),
        ),
        rows=tuple(rows),
    )
