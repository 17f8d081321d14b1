"""Tables, curves and comparisons from run rows."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.report.accuracy import accuracy_report
    from rsonnx.report.audits import audit_report
    from rsonnx.report.base_certificates import base_certificates_report
    from rsonnx.report.bounds import bounds_figure, bounds_report, compare_bounds
    from rsonnx.report.escape import printable
    from rsonnx.report.figures import Figures, figures_of
    from rsonnx.report.formats import FORMATS
    from rsonnx.report.formats.text import to_text
    from rsonnx.report.gate_formats import github_annotations, junit_xml
    from rsonnx.report.gates import (
        OVER,
        UNDER,
        Gate,
        GateResult,
        check_gates,
        failures,
        parse_gate,
    )
    from rsonnx.report.logs import LogFigures, log_figures
    from rsonnx.report.naming import told_apart
    from rsonnx.report.paired import Comparison, compare, paired_report
    from rsonnx.report.plan import plan_report
    from rsonnx.report.plotting import save
    from rsonnx.report.rounding import (
        fraction_down,
        percent,
        percent_down,
        percent_up,
        text_down,
        text_up,
    )
    from rsonnx.report.selection import selection_of
    from rsonnx.report.statements import dataset_statements
    from rsonnx.report.summary import (
        certified,
        check_radii,
        summarize,
    )
    from rsonnx.report.table import (
        Cell,
        Column,
        Note,
        Report,
        Table,
    )

offer_lazily(__name__)
