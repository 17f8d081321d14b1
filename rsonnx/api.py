"""A call a command: certify, declare, deterministic, falsify, predict, read_run, verify ...

All that a command prints, a notebook can have by one of these; the command line calls them too.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsonnx import runs, smoothing
from rsonnx.arguments import check_choice, check_kind
from rsonnx.data import DataSettings
from rsonnx.errors import UsageError
from rsonnx.model.file import ModelSource
from rsonnx.procedures import as_radii, radius_text
from rsonnx.report import FORMATS, accuracy_report, figures_of, told_apart
from rsonnx.report.columns import Arrangement, parse_columns
from rsonnx.report.output import write_new
from rsonnx.runs.files import as_path
from rsonnx.runs.opening import Data, Model
from rsonnx.runs.row_fields import columns_of
from rsonnx.runtime.watchdog import SECONDS_A_CALL


@dataclass(frozen=True, repr=False)
class Run(runs.Run):
    """A run: its header, its rows, one an input, and what can be made of them.

    >>> run = rsonnx.read_run("run.jsonl")
    >>> run
    Run('run.jsonl', complete, 4 inputs, model.onnx, gaussian sigma = 0.5, largest radius 1.2316)
    >>> [row.prediction for row in run.rows]
    [7, 9, 1, 7]
    """

    def __repr__(self) -> str:
        header = self.header
        named = header.model.variation.named(header.model.file)
        return (
            f"Run({str(self.path)!r}, {self.status}, {len(self.rows):,} inputs, "
            f"{named}, {header.noise.label}, largest radius "
            f"{radius_text(header.largest_radius)})"
        )

    def __len__(self) -> int:
        return len(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return header, status and rows as plain values, as the run file has them.

        >>> rsonnx.read_run("run.jsonl").to_dict()["rows"][0]["counts"]["selection"]
        {'7': 100}
        """
        return {
            "header": self.header.to_json(),
            "status": self.status,
            "rows": [row.to_json() for row in self.rows],
        }

    def to_pandas(self) -> Any:
        """Return the rows as a pandas DataFrame, a column a field.

        Raises:
            UsageError: pandas is not installed.

        >>> rsonnx.read_run("run.jsonl").to_pandas()[["label", "prediction"]]
           label  prediction
        0      7           7
        1      9           9
        2      1           1
        3      7           7
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise UsageError(
                "to_pandas needs pandas, which is not installed: pip install pandas"
            ) from None
        return pandas.DataFrame(
            {c.name: [c.value(row) for row in self.rows] for c in columns_of(self.rows)}
        )

    def table(
        self,
        radii: float | Iterable[float] | None = None,
        form: str = "table",
        *,
        details: bool = False,
    ) -> str:
        """Return the certified-accuracy table; see :func:`report`.

        >>> print(rsonnx.read_run("run.jsonl").table(radii=[0, 0.5]))  # doctest: +ELLIPSIS
        model       sigma  inputs  standard     ACR  wrong  abstained    r=0  r=0.5
        model.onnx    0.5       4     100.0  1.0948      0          0  100.0  100.0
        ...
        """
        return report(self, radii=radii, form=form, details=details)


def certify(model: Model, data: Data, **options: Any) -> Run:
    """Certify a data set; see :func:`rsonnx.runs.certify` for all options.

    >>> run = rsonnx.certify("model.onnx", "images/", sigma=0.5, n=1_000, seed=1)
    >>> [row.prediction for row in run.rows]
    [7, 9, 1, 7]
    """
    return Run(**vars(runs.certify(model, data, **options)))


def commit(model: Model, data: Data, source: str, round: str, **run: Any) -> runs.Commitment:
    """Settle a run before its seed can be known; see :func:`rsonnx.runs.commit`.

    >>> made = rsonnx.commit("model.onnx", "images/", "drand quicknet", "9000000", sigma=0.5)
    >>> with open("run.commitment.json", "xb") as file:
    ...     bytes_written = file.write(made.content)
    """
    return runs.commit(model, data, source, round, **run)


def declare(
    model: ModelSource, *, output: str | os.PathLike[str] | None = None, **declared: Any
) -> bytes:
    """Write into a model what is declared of it; see :func:`rsonnx.smoothing.declare`.

    Args:
        model: a file, its bytes or a parsed model.
        output: file to write, which must not exist yet; None writes none.
        declared: ``preprocess``, ``bounds``, ``classes``, ``trained`` and ``replace``.

    >>> model = rsonnx.declare("halves.onnx", preprocess="none", output="declared.onnx")
    >>> rsonnx.load("declared.onnx").shape
    (1, 28, 28)
    """
    path = None if output is None else as_path("the output", output)
    if path is not None:
        runs.check_output(path)
    content = smoothing.declare(model, **declared)
    if path is not None:
        write_new(path, content)
    return content


def deterministic(model: Model, data: Data, **options: Any) -> runs.BaseCertificates:
    """Certify what a model itself answers, without noise; see :func:`rsonnx.runs.deterministic`.

    >>> made = rsonnx.deterministic("halves.onnx", x[None], norm="linf", preprocess="none")
    >>> [certificate.prediction for certificate in made.certificates]
    [0]
    """
    return runs.deterministic(model, data, **options)


def falsify(
    model: str | os.PathLike[str],
    data: Data,
    run: runs.Run | str | os.PathLike[str],
    **options: Any,
) -> runs.Breaks:
    """Find, near each certified input, one of another answer; see :func:`rsonnx.runs.falsify`.

    >>> from rsonnx.smoothing.falsify import Effort
    >>> effort = Effort(draws=200, rounds=2, samples=500)
    >>> breaks = rsonnx.falsify("model.onnx", "images/", "run.jsonl", effort=effort, seed=1)
    >>> breaks.holds
    True
    """
    return runs.falsify(model, data, run, **options)


def predict(model: Model, data: Data, **options: Any) -> list[runs.Predicted]:
    """Answer for a data set with the smoothed classifier; see :func:`rsonnx.runs.predict`.

    >>> answers = rsonnx.predict("model.onnx", "images/", sigma=0.5, n=100, seed=1)
    >>> [answer.prediction.label for answer in answers]
    [7, 9, 1, 7]
    """
    return runs.predict(model, data, **options)


def read_run(path: str | os.PathLike[str]) -> Run:
    """Read a run file, and hold that each of its rows follows from its counts.

    Raises:
        UsageError: there is no such file.
        RunFileError: a line is not what the format says, or a row not what its counts give, and the
            message names it; or the file holds a range of samples, which certify nothing yet.

    >>> rsonnx.read_run("run.jsonl").status
    'complete'
    """
    return Run(**vars(runs.read_run(path)))


@dataclass(frozen=True)
class Verified:
    """What came of checking a run.

    Attributes:
        verification: of its rows against their own counts.
        replay: what drawing some inputs again gave; None where none was asked for.

    >>> checked = rsonnx.verify("run.jsonl")
    >>> checked.faults, checked.replay
    ((), None)
    """

    verification: runs.Verification
    replay: runs.Replay | None

    @property
    def faults(self) -> tuple[runs.Fault, ...]:
        """All that does not hold; empty for a run that is as it says."""
        return self.verification.faults + (() if self.replay is None else self.replay.faults)


def verify(
    run: runs.Run | str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    data: Data | None = None,
    providers: Sequence[str] | None = None,
    replay: int = 0,
    time_limit_per_call: float = SECONDS_A_CALL,
    **files: Path | None,
) -> Verified:
    """Derive every row of a run again from its counts, prove its figures, and draw some again.

    Args:
        run: the run, or its file.
        model, data: what it was made of, to be checked against it; ``data`` needs ``model``.
        providers: of the replay; None takes the run's.
        replay: how many random inputs are drawn again, where the run holds; needs both.
        time_limit_per_call: seconds that one call of the model may take; 0 for any time.
        files: those that the run's data were read by, such as ``classes``, its class names.

    Raises:
        UsageError: an argument lacks another, or is unknown.
        RunFileError: the model or the data are not the run's.

    >>> checked = rsonnx.verify("run.jsonl", model="model.onnx", data="images/", replay=2)
    >>> checked.faults, len(checked.replay.rows)
    ((), 2)
    """
    for name in files.keys() - set(DataSettings.FILES):
        raise UsageError(f"there is no argument {name!r}; help(rsonnx.verify) lists them")
    checked = run if isinstance(run, runs.Run) else runs.read_run(run, checked=False)
    verification = runs.verify(checked)
    again = runs.check_against(
        checked,
        model,
        data,
        files=files,
        providers=providers,
        count=0 if verification.faults else replay,
        time_limit_per_call=time_limit_per_call,
    )
    return Verified(verification, again)


def report(
    *reported: runs.Run | str | os.PathLike[str],
    radii: float | Iterable[float] | None = None,
    alpha: float | None = None,
    bound: str | None = None,
    radius: str | None = None,
    names: Sequence[str | None] = (),
    form: str = "table",
    columns: Sequence[str] = (),
    caption: str = "",
    label: str = "",
    details: bool = False,
) -> str:
    """Return the certified-accuracy table of one or several runs.

    Args:
        reported: runs, or their files.
        radii: where certified accuracy is stated, one or several; None takes those of ``columns``,
            else of the first run.
        alpha, bound, radius: derive the certificates anew at these.
        names: what each run is called; None leaves the name that it has.
        form: ``"table"``, ``"markdown"``, ``"latex"``, ``"csv"`` or ``"json"``.
        columns: behind the first, in this order, such as ``["acr", "acc@0.5"]``; none for all.
        caption, label: of a float, in LaTeX.
        details: whether intervals and legends stand below the table.

    Raises:
        UsageError: there is no run, no such form or column, or the counts do not support the
            settings.

    >>> print(rsonnx.report("run.jsonl", form="markdown", columns=["inputs", "acr", "acc@0.5"]))
    ... # doctest: +ELLIPSIS
    | model | inputs | ACR | r=0.5 |
    | --- | ---: | ---: | ---: |
    | model.onnx | 4 | 1.0948 | 100.0 |
    ...
    """
    check_choice("form", form, FORMATS)
    called = (names,) if isinstance(names, str) else names
    check_kind("names", called, Sequence, "a name or None for each run")  # type: ignore[type-abstract]
    if not reported:
        raise UsageError("a report needs runs, but none was given; name at least one")
    read = [run if isinstance(run, runs.Run) else read_run(run) for run in reported]
    if any(value is not None for value in (alpha, bound, radius)):
        read = [runs.restate(run, alpha=alpha, bound=bound, radius=radius) for run in read]
    arrangement = Arrangement(form, parse_columns(columns), caption, label)
    at = as_radii(
        arrangement.radii or read[0].header.procedure.table_radii if radii is None else radii
    )
    made = accuracy_report(told_apart([figures_of(run, at) for run in read], called))
    return FORMATS[form](arrangement.of(made if details else made.brief()))
