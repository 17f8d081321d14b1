"""Write which check finds which forged run file, from the table that the tests hold it to.

    python tools/make_forgeries_docs.py

docs/reference/forgeries.md is made of tests/hostile/forgeries.py. Run it after that table has
changed.
"""

from __future__ import annotations

import importlib
import sys
from fractions import Fraction
from math import comb
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "forgeries.md"

INPUTS, REPLAYED = 500, (1, 10, 30, 100, 300)

_HEAD = """# Forged run files, and what finds them

The tests make each of these {count} forgeries, of run files that the commands wrote. How many kinds
of run it is made of says the column: every bound and radius rule, fixed n and adaptive, noise of
several laws, certificates that count every change, parts of a run, a committed seed. The tests hold
the table to the check that finds each *first*: one that finds it earlier, or only later, fails
them. [The threat model](../explanation/threat-model.md) says what the checks are, and against
whom. *All that follows* is what a forger with rsonnx at hand derives anew: bounds, radii, reasons,
the manifest.
"""

_SECTIONS = {
    "reading": (
        "Found by whoever reads the file",
        "`verify`, `report`, `merge`, `export`, `attest` and `--resume` alike, without model or "
        "data.",
    ),
    "merging": (
        "Found where the parts are put together",
        "`merge`. A part alone agrees with itself: the manifest is of inputs that are elsewhere.",
    ),
    "model and data": ("Found with the model and the data", "`verify --model --data`."),
    "replay": (
        "Found by drawing the noise again",
        "`verify --model --data --replay K`. These files agree with themselves, the model and the "
        f"data. In per cent, rounded down: how likely K of N = {INPUTS} inputs, drawn at random "
        "by the verifier, hold one of those that were forged. *All* are those whose votes come out "
        "otherwise: of others nothing is wrong.",
    ),
    "nothing": (
        "Found by nothing",
        "No certificate is another one for these. Where targets move, so do the radii at which a "
        "table of that run states its figures; the figures are true there too. Bounds say "
        "where inputs may lie, of which noise in floating point knows nothing; a name is its "
        "giver's.",
    ),
}

_TAIL = """## Changed at random

`pytest -m slow -s tests/hostile/test_forgeries_fuzz.py` changes 20,000 run files, parts and
statements in bytes, lines and values, and derives nothing anew. 18,505 were refused by whoever
reads them, and by `verify`; of 1,495 the rows and the table of `report` had the figures of the
honest file. 14 of these had another vote that decides nothing, or another answer of the model
without noise, which a replay found.
"""


def chance(inputs: int, forged: int, replayed: int) -> Fraction:
    """Return the probability that inputs drawn without replacement hold one that was forged."""
    return 1 - Fraction(comb(inputs - forged, replayed), comb(inputs, replayed))


def page() -> str:
    """Return the text of the page."""
    sys.path.insert(0, str(ROOT / "tests"))
    forgeries = importlib.import_module("hostile.forgeries").FORGERIES
    parts = [_HEAD.format(count=len(forgeries))]
    for check, (title, text) in _SECTIONS.items():
        replayed = REPLAYED if check == "replay" else ()
        columns = [f"K = {k}" for k in replayed]
        head = ["forgery", "kinds of run", *(["forged inputs"] if replayed else []), *columns]
        rows = [_row(forgery, replayed) for forgery in forgeries if forgery.found == check]
        lines = [head, ["---"] * len(head), *rows]
        table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
        parts.append(f"## {title}\n\n{text}\n\n{table}")
    return "\n".join([*parts, _TAIL])


def _row(forgery: Any, replayed: tuple[int, ...]) -> list[str]:
    cells = [forgery.name, str(len(forgery.runs))]
    if replayed:
        cells.append(str(forgery.rows or "all"))
    forged = INPUTS if forgery.rows is None else forgery.rows
    return cells + [f"{int(1000 * chance(INPUTS, forged, k)) / 10:g}" for k in replayed]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
