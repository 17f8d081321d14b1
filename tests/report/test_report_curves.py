"""Curves: exact steps, the band around them, and files that are the same every time."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import STRANGERS, Line, changed_header, figures, row

from rsonnx.errors import UsageError
from rsonnx.report import Figures, LogFigures, log_figures, printable
from rsonnx.report.curves import accuracy_curve, curve_figure
from rsonnx.report.escape import shortened
from rsonnx.report.output import write_new

pytest.importorskip("matplotlib", reason="pictures need the extra rsonnx[report]")

from rsonnx.report.plots import PLOTS
from rsonnx.report.plotting import save, svg_of

AT = (0.0, 0.5)
RUN = figures([1.0, 0.5, 0.5, -1.0])
LOG = log_figures("published.tsv", [Line(1, 1, 0.7), Line(2, 1, 0.9), Line(1, -1, 0.0)], AT)
radii = st.lists(st.sampled_from((-1.0, 0.0, 0.25, 0.5, 1.0)) | st.floats(0, 3), min_size=1)


@given(radii, st.lists(st.floats(0, 4) | st.sampled_from((0.0, 0.25, 0.5, 1.0)), min_size=1))
def test_the_curve_is_certified_accuracy(found: list[float], at: list[float]) -> None:
    wrong = row(len(found), 2.0, prediction=2)
    curve = accuracy_curve([*(row(i, r) for i, r in enumerate(found)), wrong])
    probed = [*at, *(r for r in found if r >= 0), *curve.radii]
    for r, share in zip(probed, curve.at(np.array(probed)), strict=True):
        assert share == sum(f >= r for f in found) / (len(found) + 1)
    assert (curve.radii[0], curve.inputs) == (0.0, len(found) + 1)
    assert np.all(np.diff(curve.radii) > 0)


def line_of(found: Any, index: int = 0) -> tuple[list[float], list[float], Any]:
    line = found.axes[0].lines[index]
    return list(line.get_xdata()), list(line.get_ydata()), line


def test_the_drawn_steps_are_reached_at_their_right_end() -> None:
    x, y, line = line_of(curve_figure([RUN]))
    # 3 of 4 up to .5 inclusive, 1 of 4 up to 1, then none; "steps-pre" holds the value at x[i] on
    # (x[i-1], x[i]].
    assert line.get_drawstyle() == "steps-pre"
    assert x[:3] == [0.0, 0.5, 1.0]
    assert y == [75.0, 75.0, 25.0, 0.0]
    assert x[3] == line.axes.get_xlim()[1] > 1.0


@pytest.mark.parametrize("inputs", [300, 4000])
def test_a_band_is_that_of_the_inequality_thinned_outward_where_there_are_many_rows(
    inputs: int,
) -> None:
    generator = np.random.Generator(np.random.PCG64(3))
    found = generator.uniform(0, 2, inputs)
    run = figures(found.tolist())
    figure = curve_figure([run])
    vertices = figure.axes[0].collections[0].get_paths()[0].vertices
    assert len(vertices) < 2100
    half = math.sqrt(math.log(2 / 0.05) / (2 * inputs))
    curve = accuracy_curve(run.rows)
    at = generator.uniform(0, 2, 300)
    edges = np.unique(vertices[:, 0])
    for r, share in zip(at, curve.at(at), strict=True):
        right = edges[np.searchsorted(edges, r)]
        heights = vertices[vertices[:, 0] == right, 1] / 100
        assert heights.min() <= max(0.0, share - half) + 1e-12
        assert heights.max() >= min(1.0, share + half) - 1e-12
        if inputs == 300:
            assert heights.min() == pytest.approx(max(0.0, share - half), abs=2 / inputs)


def test_a_log_lies_thin_and_dashed_below_without_a_band() -> None:
    figure = curve_figure([LOG, RUN])
    axes = figure.axes[0]
    _, y, log = line_of(figure, 0)
    _, _, run = line_of(figure, 1)
    assert y == [pytest.approx(100 / 3), pytest.approx(100 / 3), 0.0]
    assert log.get_linewidth() < run.get_linewidth()
    assert log.get_zorder() < run.get_zorder()
    assert log.is_dashed()
    assert not run.is_dashed()
    assert len([one for one in axes.collections if one.get_paths()]) == 1
    assert not curve_figure([LOG]).axes[0].collections


def test_an_adaptive_run_has_dots_where_it_decided() -> None:
    adaptive = replace(RUN, header=changed_header(target_radii=(0.5, 0.75)))
    figure = curve_figure([RUN, adaptive])
    x, y, dots = line_of(figure, 3)
    assert (x, y) == ([0.5, 0.75], [75.0, 25.0])
    assert dots.get_linestyle() == "None"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[1].endswith("4 inputs, adaptive)")
    assert "understated" in names[2]
    assert len(curve_figure([RUN]).legends[0].get_texts()) == 2


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    return ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", STRANGERS, ids=ascii)
def test_a_strangers_name_stays_text(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = svg_of(curve_figure([figures([1.0], file=name), log_figures(name, LOG.rows, AT)]))
    shown = shortened(printable(name))
    assert f"{shown} (\u03c3 = 0.5, 1 input)" in [one.replace("\xa0", " ") for one in texts(svg)]
    assert "<script" not in svg


def test_svg_is_the_same_every_time_and_asks_for_nothing() -> None:
    svg = svg_of(curve_figure([RUN, LOG]))
    assert svg == svg_of(curve_figure([RUN, LOG]))
    assert svg.startswith("<svg")
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    links = [v for one in root.iter() for k, v in one.attrib.items() if k.endswith("href")]
    assert all(link.startswith("#") for link in links)
    assert "<image" not in svg


@pytest.mark.parametrize(
    ("kind", "suffix", "start"),
    [
        *(("curve", *one) for one in (("png", b"\x89PNG"), ("PDF", b"%PDF"))),
        *((kind, "svg", b"<?xml") for kind in PLOTS),
    ],
)
def test_pictures_are_written_the_same_every_time(
    tmp_path: Path, kind: str, suffix: str, start: bytes
) -> None:
    contents = []
    for name in ("one", "two"):
        save(PLOTS[kind]([RUN, figures([0.1, 0.2])]), tmp_path / f"{name}.{suffix}")
        contents.append((tmp_path / f"{name}.{suffix}").read_bytes())
    assert contents[0].startswith(start)
    assert contents[0] == contents[1]
    with pytest.raises(UsageError, match="File exists"):
        save(curve_figure([LOG]), tmp_path / f"one.{suffix}")
    assert (tmp_path / f"one.{suffix}").read_bytes() == contents[0]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_no_part_of_a_file_is_left(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(io.BytesIO):
        def write(self, content: object) -> int:
            raise error

    def opened(path: Path, mode: str) -> Failing:
        path.touch()
        return Failing()

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(UsageError if isinstance(error, OSError) else KeyboardInterrupt):
        write_new(tmp_path / "x", b"content")
    assert not (tmp_path / "x").exists()


def test_the_users_own_settings_of_matplotlib_change_nothing() -> None:
    import matplotlib as mpl

    plain = svg_of(curve_figure([RUN]))
    with mpl.rc_context({"text.usetex": True, "lines.linewidth": 9, "svg.fonttype": "path"}):
        assert svg_of(curve_figure([RUN])) == plain


@pytest.mark.parametrize("draw", [curve_figure, PLOTS["radii"]])
def test_one_axis_shows_one_norm_and_one_unit(draw: Callable[..., Any]) -> None:
    other = replace(RUN, header=changed_header(units="input values between 0 and 255"))
    with pytest.raises(UsageError, match="measure their radii differently"):
        draw([RUN, other])


@pytest.mark.parametrize(
    "run", [figures([row(0, 1.0, label=None)]), log_figures("x", [Line(None, 1, 1.0)], AT)]
)
def test_without_labels_there_is_no_accuracy_to_draw(run: Figures | LogFigures) -> None:
    with pytest.raises(UsageError, match=r"(tiny\.onnx|x): not every input has a label"):
        curve_figure([RUN, run])


@pytest.mark.parametrize("kind", ["abstentions", "samples"])
def test_a_log_is_refused_where_it_says_nothing(kind: str) -> None:
    with pytest.raises(UsageError, match=r"published\.tsv is a log, which does not say"):
        PLOTS[kind]([RUN, LOG])


@pytest.mark.parametrize("largest", [0.0, 1e-90, 1e90])
@pytest.mark.parametrize("kind", ["curve", "radii"])
def test_extreme_radii_can_be_drawn(kind: str, largest: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg_of(PLOTS[kind]([figures([largest, largest])]))
    with pytest.raises(UsageError, match="no picture can show"):
        PLOTS[kind]([figures([1e300 if largest else 5e-324])])


def test_the_histogram_counts_every_certified_input_once() -> None:
    found = [*(row(i, r) for i, r in enumerate((0.1, 0.1, 1.0, -1.0)))]
    found += [row(4, 0.5, prediction=2), row(5, 0.5, label=None)]
    axes = PLOTS["radii"]([figures(found)]).axes[0]
    heights = [sum(p.get_height() for p in bars.patches) for bars in axes.containers]
    assert heights == [3, 1, 1]
    assert axes.get_title().endswith("; 1 abstained")


def test_abstentions_are_shares_of_all_inputs() -> None:
    axes = PLOTS["abstentions"]([figures([1.0, -1.0, -1.0, 0.5])]).axes[0]
    widths = {
        label.get_text(): bar.get_width()
        for label, bar in zip(axes.get_yticklabels(), axes.patches, strict=True)
    }
    none = {"wrong-guess": 0.0, "low-probability": 0.0, "no-class": 0.0}
    assert widths == none | {"loose-bound": 50.0}


def test_samples_are_counted_from_where_they_decided() -> None:
    line = PLOTS["samples"]([RUN]).axes[0].lines[0]
    assert line.get_drawstyle() == "steps-post"
    assert list(line.get_xdata()) == [1.0, *[100.0] * 4, 200.0]
    assert list(line.get_ydata()) == [0.0, 25.0, 50.0, 75.0, 100.0, 100.0]


def test_many_runs_are_told_apart() -> None:
    figure = curve_figure([RUN] * 9)
    looks = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in figure.axes[0].lines}
    assert len(looks) == 9
