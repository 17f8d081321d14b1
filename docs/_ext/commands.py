"""The directive ``commands``: every command of rsonnx and its options, from click's own objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from textwrap import dedent, indent

import click
import cloup
from docutils import nodes
from docutils.parsers.rst import Parser
from docutils.utils import new_document
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from rsonnx.cli import cli


def pages() -> str:
    """Return what all commands take and do, as reStructuredText under three ranks of titles."""
    sections = cli.list_sections(click.Context(cli))
    return "\n\n".join(_lines_of(sections))


def _lines_of(sections: list[cloup.Section]) -> Iterator[str]:
    for section in sections:
        yield _title(section.title or "", "=")
        for name, command in section.commands.items():
            yield from _command(f"rsonnx {name}", command)


def _command(path: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    yield f".. _{path.replace(' ', '-')}:"
    yield _title(path, "-")
    yield f".. code-block:: text\n\n   {path} {' '.join(command.collect_usage_pieces(context))}"
    yield _prose(command.help or "")
    yield f".. program:: {path}"
    for title, options in _groups(command, context):
        yield f".. rubric:: {_escaped(title)}"
        for option in options:
            signature, text = option.get_help_record(context) or ("", "")
            # The directive reads one signature a line, and takes a bracket at the start as none.
            yield f".. option:: {signature.replace(' / ', ', ')}\n\n{indent(_prose(text), '   ')}"
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _command(f"{path} {name}", inner)


def _groups(
    command: click.Command, context: click.Context
) -> Iterator[tuple[str, list[click.Parameter]]]:
    """Yield the groups that help shows options in; those of none come last."""
    groups = getattr(command, "option_groups", [])
    for group in groups:
        yield group.title, [option for option in group.options if not option.hidden]
    grouped = {option.name for group in groups for option in group.options}
    yield (
        "Other options" if groups else "Options",
        [
            option
            for option in command.get_params(context)
            if isinstance(option, click.Option) and option.name not in grouped and not option.hidden
        ],
    )


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}"


def _prose(text: str) -> str:
    """Return help as reStructuredText: what click leaves as it is, behind \\b, stays as it is."""
    parts = []
    for part in re.split(r"\n\s*\n", cleandoc(text)):
        lines = part.splitlines()
        if lines[:1] != ["\b"]:
            parts.append(_escaped(" ".join(part.split())))
            continue
        if not lines[1].startswith(" ") and all(line.startswith(" ") for line in lines[2:]):
            parts.append(_escaped(lines.pop(1)))
        literal = dedent("\n".join(lines[1:]))
        parts.append(".. code-block:: text\n\n" + indent(literal, "   "))
    return "\n\n".join(parts)


def _escaped(text: str) -> str:
    """Return text in which only what stands between backticks is markup."""
    pieces = re.split(r"`([^`]+)`", text)
    return "".join(
        f"``{piece}``" if at % 2 else re.sub(r"([\\*`|_@])", r"\\\1", piece)
        for at, piece in enumerate(pieces)
    )


class Commands(SphinxDirective):
    """Puts the reference of the command line where it stands."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        self.env.note_reread()  # the page follows the code, which Sphinx does not watch
        document = new_document("commands", self.state.document.settings)
        Parser().parse(pages(), document)
        return document.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
