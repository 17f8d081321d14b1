"""How the site is built: pip install -e '.[docs]' && sphinx-build -W docs build/docs."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parents[1])]

from rsonnx import __version__  # noqa: E402 - found by the line above

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
html_extra_path = ["reference/header.schema.json", "reference/row.schema.json"]
html_show_sourcelink = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
