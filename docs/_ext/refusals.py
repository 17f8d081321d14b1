"""The directive ``refusals``: every sentence of a refusal, from the source."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import rsonnx
from rsonnx import errors

SHORTEST = 12
"""Letters of a sentence of its own; what has fewer hands on that of another error."""


@cache
def refusals() -> dict[type[errors.RsonnxError], dict[str, list[str]]]:
    """Return the sentences by error and by what its module does; a value in them is ``…``."""
    made: dict[type[errors.RsonnxError], dict[str, list[str]]] = {}
    for path in sorted(Path(rsonnx.__file__).parent.rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        what = (ast.get_docstring(module) or "").partition("\n")[0].rstrip(".")
        for kind, sentence in _raised(module):
            told = made.setdefault(kind, defaultdict(list))[what]
            if sentence not in told:
                told.append(sentence)
    return made


def _raised(module: ast.Module) -> Iterator[tuple[type[errors.RsonnxError], str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            kind = getattr(errors, node.func.id, None)
            if inspect.isclass(kind) and issubclass(kind, errors.RsonnxError):
                sentence = _template(node.args[0])
                if len(sentence.replace("…", "").strip(" :")) >= SHORTEST:
                    yield kind, sentence


def _template(node: ast.expr) -> str:
    """Return a text as it stands in the source, with ``…`` for what is known only then."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_template, node.values))
    if isinstance(node, ast.BinOp):
        return _template(node.left) + _template(node.right)
    return "…"


def _marked(text: str) -> Iterator[nodes.Node]:
    """Yield a text as nodes: what stands between backticks is code."""
    for at, piece in enumerate(re.split(r"`+", text)):
        if piece:
            yield nodes.literal("", piece) if at % 2 else nodes.Text(piece)


class Refusals(SphinxDirective):
    """Puts all refusals of one error where it stands."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a list for each module that raises it."""
        self.env.note_reread()  # the page follows the code, which Sphinx does not watch
        kind = getattr(errors, self.arguments[0])
        shown: list[nodes.Node] = []
        for what, sentences in refusals()[kind].items():
            shown.append(nodes.rubric("", "", *_marked(what)))
            items = (
                nodes.list_item("", nodes.paragraph("", "", *_marked(text))) for text in sentences
            )
            shown.append(nodes.bullet_list("", *items))
        return shown


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directive."""
    app.add_directive("refusals", Refusals)
    return {"parallel_read_safe": True}
