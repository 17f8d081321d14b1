"""What came of gates, for the machines that run them: annotations of GitHub, and JUnit's XML."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from rsonnx.report.gates import GateResult

_GITHUB = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _GITHUB | str.maketrans({":": "%3A", ",": "%2C"})
"""What a workflow command would act on, in its text and in the value of a property."""


def github_annotations(results: Sequence[GateResult]) -> str:
    """Return a workflow command of GitHub Actions a line, for every gate that is not met."""
    return "\n".join(
        f"::error title={result.gate.translate(_PROPERTY)} is not met"
        f"::{result.said.translate(_GITHUB)}"
        for result in results
        if not result.met
    )


def junit_xml(results: Sequence[GateResult]) -> str:
    """Return a test case a gate and run as JUnit's XML, which continuous integration shows."""
    failed = sum(not result.met for result in results)
    counts = f'tests="{len(results)}" failures="{failed}" errors="0"'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f"<testsuites {counts}>",
            f'<testsuite name="rsonnx" {counts} skipped="0">',
            *map(_case, results),
            "</testsuite>",
            "</testsuites>\n",
        ]
    )


def _case(result: GateResult) -> str:
    case = f"<testcase classname={quoteattr(result.run)} name={quoteattr(result.gate)}>"
    if result.met:
        return f"{case}<system-out>{escape(result.said)}</system-out></testcase>"
    return f'{case}<failure type="GateError" message={quoteattr(result.said)}/></testcase>'
