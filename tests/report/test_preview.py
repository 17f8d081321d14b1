"""The picture of noisy inputs: what is drawn, what stays text, and that nothing overlaps."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from rsonnx.errors import UsageError
from rsonnx.report.plotting import save
from rsonnx.report.preview import (
    MOST_COLUMNS,
    MOST_ROWS,
    Preview,
    PreviewRow,
    Seen,
    check_size,
    preview_figure,
)

pytest.importorskip("matplotlib", reason="pictures are an extra")

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

BLUE, ORANGE, GREY = "#0072b2", "#c04a00", "#d8d8d8"


def _row(
    name: str = "7/a.png",
    label: int | None = 7,
    *,
    clean: int = 7,
    answers: Sequence[tuple[int, int, int]] = ((7, 7, 98), (3, 3, 40)),
    shape: tuple[int, ...] = (6, 6),
) -> PreviewRow:
    picture = np.linspace(0, 1, int(np.prod(shape))).reshape(shape)
    noisy = (Seen(3 * picture - 1, k, top, count) for k, top, count in answers)
    return PreviewRow(name, label, Seen(picture, clean), tuple(noisy))


def _preview(*rows: PreviewRow, **given: object) -> Preview:
    found: dict[str, object] = {
        "model": "mnist.onnx",
        "sigmas": (0.25, 0.5),
        "bounds": (0.0, 1.0),
        "arithmetic": "exact",
        "samples": 100,
        "seed": 7,
        "class_names": (),
        "rows": rows or (_row(),),
    }
    return Preview(**(found | given))  # type: ignore[arg-type]


def _texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_text()]


def _said(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in _texts(figure))


def test_a_row_an_input_a_column_a_sigma_and_answers_with_sign_and_colour() -> None:
    figure = preview_figure(_preview(_row(), _row("3/b.png", 3, clean=-1)))
    assert len(figure.axes) == 6
    colours = {text.get_text(): text.get_color() for text in _texts(figure)}
    said = "\n".join(colours)
    for text in ("without noise", " = 0.25\n63.75 of 255 levels", " = 0.5\n127.5 of 255 levels"):
        assert text in said
    assert "7/a.png\ntrue class 7" in said
    assert "3/b.png\ntrue class 3" in said
    blue = ["✓ 7", "this one: ✓ 7", "98 of 100: ✓ 7"]
    orange = ["this one: ✗ 7", "98 of 100: ✗ 7", "✗ no class"]
    assert [colours[text] for text in blue + orange] == [BLUE] * 3 + [ORANGE] * 3
    cell = figure.axes[1].get_position().width * figure.get_figwidth()
    bars = [
        (round(bar.get_width() / cell, 9), to_hex(bar.get_facecolor()))
        for bar in figure.findobj(Rectangle)
        if bar.get_height() == 0.06
    ]
    assert bars[:4] == [(1.0, GREY), (0.98, BLUE), (1.0, GREY), (0.4, ORANGE)]


def test_without_a_label_nothing_is_right_or_wrong() -> None:
    figure = preview_figure(_preview(_row(label=None)))
    said = _said(figure)
    assert "✓" not in said
    assert "✗" not in said
    assert "no label" in said
    assert BLUE not in {text.get_color() for text in _texts(figure)}


def test_noise_is_clipped_for_display_and_the_picture_says_so() -> None:
    row = _row()
    figure = preview_figure(_preview(row, bounds=(-1.0, 1.0)))
    shown = np.asarray(figure.axes[1].images[0].get_array())
    assert row.noisy[0].picture.min() == -1
    np.testing.assert_array_equal(shown, np.clip(row.noisy[0].picture, 0, 1))
    assert figure.axes[1].images[0].get_clim() == (0.0, 1.0)
    said = _said(figure).replace("\n", " ")
    assert "values are clipped to [-1, 1]; the model sees them whole" in said
    assert "on inputs in [-1, 1], exact arithmetic, seed 7." in said
    assert " = 0.25 31.88 of 255 levels" in said


def test_names_of_classes() -> None:
    preview = _preview(class_names=("cat", "1", "$x$", "a\x1b[31m\nb"))
    found = [preview.class_text(k) for k in range(-1, 5)]
    assert found == ["no class", "0 cat", "1", "2 $x$", "3 a\\x1b[31m\\x0ab", "4"]


HOSTILE = (
    "$\\frac{",
    "$x_1$",
    "_hidden",
    "W" * 300,
    "猫" * 50,
    "\x1b[2J\n\t\0",
    "<script>",
    " ",
    "",
)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_names_stay_text(kind: str, tmp_path: Path) -> None:
    rows = [
        _row(name, k, clean=k, answers=((k, k, 99), (0, 0, 51))) for k, name in enumerate(HOSTILE)
    ]
    path = tmp_path / f"picture.{kind}"
    save(preview_figure(_preview(*rows, class_names=HOSTILE, model="$_{<script>")), path)
    content = path.read_bytes()
    assert b"<script>" not in content
    if kind == "svg":
        ElementTree.fromstring(content.decode())  # noqa: S314 - our own file
        assert b"\x1b" not in content
        for said in ("$\\frac{", "$x_1$", "_hidden", "\\x1b[2J\\x0a\\x09\\x00", "&lt;script&gt;"):
            assert said.encode() in content


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_preview_is_the_same_file_whatever_style_the_user_has(
    kind: str, tmp_path: Path
) -> None:
    import matplotlib

    save(preview_figure(_preview()), tmp_path / f"a.{kind}")
    with matplotlib.rc_context(
        {"text.usetex": True, "font.size": 30, "axes.facecolor": "red", "image.cmap": "jet"}
    ):
        save(preview_figure(_preview()), tmp_path / f"b.{kind}")
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


@pytest.mark.parametrize("name", ["n01491361/n01491361_tiger_shark.JPEG", "W" * 80])
@pytest.mark.parametrize("shape", [(28, 28), (10, 300, 3), (300, 10, 3)])
@pytest.mark.parametrize("sigmas", [(0.5,), (0.25, 1e6)])
def test_nothing_overlaps(name: str, shape: tuple[int, ...], sigmas: tuple[float, ...]) -> None:
    rows = [
        _row(name, 0, clean=1, answers=[(0, 0, 100), (1, 1, 51)][: len(sigmas)], shape=shape)
        for _ in range(3)
    ]
    preview = _preview(*rows, class_names=(name, name), model=name, sigmas=sigmas, seed=2**128 - 1)
    figure = preview_figure(preview)
    figure.set_dpi(160)
    canvas = FigureCanvasAgg(figure)
    canvas.print_png(io.BytesIO())
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in _texts(figure)]
    boxes += [axes.get_window_extent() for axes in figure.axes]
    bars = [bar for bar in figure.findobj(Rectangle) if bar.get_height() == 0.06]
    assert len(bars) == 6 * len(sigmas)
    boxes += [bar.get_window_extent() for bar in bars[::2]]
    for i, one in enumerate(boxes):
        assert one.x0 >= 0
        assert one.y0 >= 0
        assert one.x1 <= figure.bbox.x1
        assert one.y1 <= figure.bbox.y1
        for other in boxes[i + 1 :]:
            across = min(one.x1, other.x1) - max(one.x0, other.x0)
            down = min(one.y1, other.y1) - max(one.y0, other.y0)
            # Boxes of letters have some air, and lines are hinted to whole pixels.
            assert across <= 2 or down <= 3


def test_the_largest_preview_can_be_drawn() -> None:
    tall = _preview(*[_row(answers=[(1, 1, 50)], shape=(300, 10))] * MOST_ROWS, sigmas=(1.0,))
    wide = _preview(
        _row(answers=[(1, 1, 50)] * MOST_COLUMNS), sigmas=tuple(range(1, MOST_COLUMNS + 1))
    )
    for preview in (tall, wide):
        # 2^16 pixels a side, at 160 an inch, is the most that an image of matplotlib can have.
        assert max(preview_figure(preview).get_size_inches()) * 160 < 2**16


def test_a_larger_one_is_refused() -> None:
    check_size(MOST_ROWS, MOST_COLUMNS)
    for rows, sigmas in ((MOST_ROWS + 1, 1), (1, MOST_COLUMNS + 1)):
        with pytest.raises(UsageError, match="at most"):
            check_size(rows, sigmas)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    with pytest.raises(UsageError, match=r"pip install 'rsonnx\[report\]'"):
        preview_figure(_preview())
