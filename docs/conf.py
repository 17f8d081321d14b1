"""How the site is built: pip install -e '.[docs]' && sphinx-build -W docs build/docs."""

import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.inspect import TypeAliasForwardRef

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parents[1])]

from rsonnx import __version__  # noqa: E402 - found by the line above

TypeAliasForwardRef.__repr__ = lambda self: self.name  # what a union of an alias shows

project = "rsonnx"
author = copyright = "The rsonnx developers"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "commands", "refusals"]
exclude_patterns = ["_ext", "notebooks"]
smartquotes = False  # two hyphens are an option
myst_enable_extensions = ["attrs_block", "colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"rsonnx {__version__}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["reference/header.schema.json", "reference/row.schema.json"]
html_show_sourcelink = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_type_aliases = {name: name for name in ("ArrayLike", "Data", "Model", "Noise")}

_HOMES = {"rsonnx.ABSTAIN": "rsonnx.procedures.result", "rsonnx.__version__": "rsonnx._version"}


def _say_constant(
    _app: Sphinx, _what: str, name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Take what stands below a constant's own line, where Sphinx would say what a number is."""
    if name in _HOMES:
        documented = ModuleAnalyzer.for_module(_HOMES[name]).find_attr_docs()
        lines[:] = documented["", name.rpartition(".")[2]]


def setup(app: Sphinx) -> None:
    """Tell Sphinx of it."""
    app.connect("autodoc-process-docstring", _say_constant)
