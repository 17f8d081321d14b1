"""No two files of the package import each other, directly or through others."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import rsonnx

ROOT = Path(rsonnx.__file__).parent
FILES = {
    ".".join((ROOT.name, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in ROOT.rglob("*.py")
}
"""All modules by name; a package's is that of its ``__init__``."""


def nodes(tree: ast.AST, *, types: bool) -> Iterator[ast.AST]:
    """Yield all nodes of a file; what is imported for type checkers only where ``types``."""
    for child in ast.iter_child_nodes(tree):
        if types or not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from nodes(child, types=types)


def imports(path: Path) -> Iterator[str]:
    """Yield every module of the package that a file imports, also in a function.

    What a room lists for type checkers, it imports when it is asked for.
    """
    for node in nodes(ast.parse(path.read_text()), types=path.name == "__init__.py"):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in FILES or node.module in FILES:
                    yield inner if inner in FILES else str(node.module)


def test_no_two_files_import_each_other() -> None:
    graph = {name: set(imports(path)) for name, path in FILES.items()}
    assert len(graph) > 100
    assert graph["rsonnx.noise"]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_reasoning_loads_scipy_only_to_compute() -> None:
    """It takes longer to load than all the rest, and help, completion and refusals need none."""
    rooms = ("rsonnx.noise.", "rsonnx.statistics.")
    names = [n for n in FILES if n.startswith(rooms) and n != "rsonnx.noise.compiled"]
    code = f"import sys, {', '.join(names)}; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert len(names) > 30
    assert done.stdout == "False\n"
