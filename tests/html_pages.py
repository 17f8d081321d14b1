"""Runs for a page, made by hand, and the page read back as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from headers import record, row_of

from rsonnx.counts import Counts
from rsonnx.procedures import certify_from_counts
from rsonnx.report import Figures, figures_of
from rsonnx.runs import Header, Row, Run

EXTRA: dict[str, Any] = {
    "model": {"class_names": ["cat", "dog", "emu", "fox"]},
    "data": {"path": "pictures"},
}
RADII = (0.0, 0.25, 0.5, 0.75, 1.0)
VOID = {"br", "img", "input", "link", "meta"}


def row(index: int = 0, *, hits: int = 990, label: int | None = 3, **changed: Any) -> Row:
    """A row that was really certified: ``hits`` of 1,000 samples for class 3, the rest class 1."""
    found = certify_from_counts(
        Counts([0, 1, 0, 99]),
        Counts([0, 1000 - hits, 0, hits]),
        sigma=0.5,
        radius=changed.pop("radius_rule", "one-sided"),
        num_classes=4,
    )
    fields = {"name": f"fox/{index}.png", "base_prediction": 3, "seconds": 0.1} | changed
    return row_of(found, index, label=label, **fields)


def page_run(
    rows: Sequence[Row] | None = None,
    *,
    status: str = "complete",
    radii: Sequence[float] = RADII,
    file: str = "run.jsonl",
    **changed: Any,
) -> Figures:
    """A run of three inputs: one surely right, one right with a small radius, one abstention."""
    if rows is None:
        rows = [row(k, hits=hits) for k, hits in enumerate((990, 700, 500))]
    made = record(**EXTRA)
    for key, value in changed.items():
        merged = isinstance(value, dict) and isinstance(made.get(key), dict)
        made[key] = made[key] | value if merged else value
    return figures_of(Run(Path(file), Header.from_json(made), tuple(rows), status), radii)


@dataclass
class Node:
    """An element of a page."""

    name: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, one run of white space being one space."""
        return " ".join(self.raw.split())

    @property
    def raw(self) -> str:
        """All text in it, as it stands there."""
        return "".join(child if isinstance(child, str) else child.raw for child in self.children)

    def all(self, *names: str) -> Iterator[Node]:
        """Every element of these names in it, in order; every one without a name."""
        for child in self.children:
            if isinstance(child, Node):
                if not names or child.name in names:
                    yield child
                yield from child.all(*names)

    def children_named(self, name: str) -> list[Node]:
        """The elements of a name directly in it."""
        return [node for node in self.children if isinstance(node, Node) and node.name == name]

    def one(self, name: str, **attributes: str) -> Node:
        """The first element of a name with these attributes."""
        wanted = attributes.items()
        return next(n for n in self.all(name) if all(n.attributes.get(k) == v for k, v in wanted))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.stack = [Node("")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"<{tag}> has an attribute twice"
        node = Node(tag, dict(attrs))
        self.stack[-1].children.append(node)
        if tag not in VOID:
            self.stack.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop().name == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.stack[-1].children.append(data)


def tree(page: str) -> Node:
    """The page as a tree; it must close every element that it opens, in order."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    (root,) = reader.stack
    return root
