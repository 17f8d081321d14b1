"""Every block of the documentation does what stands there, and every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt
from pages import NOTES, PAGES, ROOT, RUN, Reader, blocks, commands_of, reader
from tried_models import models_are_tried_once

from rsonnx.cli import cli

__all__ = ["models_are_tried_once", "reader"]

READ = [page for page in PAGES[1:] if any(block.language in RUN for block in blocks(page))]
LONG = [page for page in PAGES if any("slow" in block.notes for block in blocks(page))]
MADE = {"docs/reference/forgeries.md", "docs/reference/run-file.md"}
"""Pages that tools write, to look things up in."""
MORE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "tools/examples/README.md")


@pytest.mark.parametrize("page", READ)
def test_the_blocks_of_a_page_do_what_stands_there(page: str, reader: Reader) -> None:
    reader.read(page, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", LONG)
def test_the_long_blocks_of_a_page_do_what_stands_there(page: str, reader: Reader) -> None:
    reader.read(page, slow=True)


@pytest.mark.parametrize("page", PAGES)
def test_a_block_names_its_language_and_why_it_is_not_run(page: str) -> None:
    for block in blocks(page):
        assert block.language, block
        assert all(note in NOTES and text for note, text in block.notes.items()), block


@pytest.mark.parametrize("page", PAGES)
def test_headings_go_down_one_rank_at_a_time(page: str) -> None:
    tokens = MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8"))
    ranks = [int(token.tag[1]) for token in tokens if token.type == "heading_open"]
    assert ranks.count(1) == ("# " in (ROOT / page).read_text(encoding="utf-8")[:2])
    assert all(lower <= upper + 1 for upper, lower in pairwise(ranks))


def commands_on(pages: Iterable[str]) -> list[list[str]]:
    """Return the words of all commands of pages that are run."""
    return [
        shlex.split(line)
        for page in pages
        for block in blocks(page)
        if block.language == "sh" and "not run" not in block.notes
        for line in commands_of(block)
    ]


@pytest.mark.parametrize("page", sorted({*PAGES} - MADE))
def test_a_page_is_read_in_ten_minutes(page: str) -> None:
    assert len((ROOT / page).read_text(encoding="utf-8").split()) < 1_900


def test_who_goes_through_the_tutorials_after_the_front_page_writes_no_file_twice() -> None:
    pages = [page for page in PAGES if page == "README.md" or "/tutorials/" in page]
    lines = commands_on(pages)
    written = [after for words in lines for word, after in pairwise(words) if word == "-o"]
    assert len(written) == len({*written}) > 10


def test_every_command_is_run_on_some_page() -> None:
    run = {words[1] for words in commands_on(PAGES) if words[0].endswith("rsonnx")}
    assert run == set(cli.commands)


@pytest.mark.parametrize("page", [*PAGES, *MORE])
def test_every_link_within_the_project_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    inline = [token for token in MarkdownIt().enable("table").parse(text) if token.type == "inline"]
    targets = [
        child.attrs.get("href") or child.attrs.get("src")
        for token in inline
        for child in token.children or []
        if child.type in ("link_open", "image")
    ]
    for target in map(str, targets):
        path = target.partition("#")[0]
        if path and not re.match(r"[a-z]+:", target):
            assert (ROOT / page).parent.joinpath(path).exists(), target
