"""What a radius is for each column: never more than the radius times that column's sigma."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from reported import HEADER, STRANGERS, figures

from rsonnx.columns import Column
from rsonnx.noise import AnisotropicGaussian, Gaussian, Law, noise_of
from rsonnx.report import Figures
from rsonnx.report.features import features_table, said_of_features
from rsonnx.report.formats.markdown import to_markdown
from rsonnx.report.table import Report

SIGMAS = (0.206325, 0.0, 1e-7, 123456.789)


def run(law: Law, *names: str, at: tuple[float, ...] = (0.0, 0.7, 1.5)) -> Figures:
    """Return a run on a table with these columns, of which those without noise are fixed."""
    columns = tuple(Column(name, at in law.fixed) for at, name in enumerate(names))
    return figures([0.5, 1.0], at, noise=law, data=replace(HEADER.data, columns=columns))


def test_the_change_of_a_column_alone_is_rounded_down() -> None:
    """At the middle radius of the run's table; sigmas stand in full."""
    table = features_table(run(AnisotropicGaussian(SIGMAS), *"abcd"))
    assert table is not None
    assert "0.7" in table.columns[2].head
    for sigma, (name, stated, change) in zip(SIGMAS, table.texts(str, "{}", "{}"), strict=True):
        if name == "b":
            assert (stated, "0" in change) == ("fixed", False)
            continue
        assert float(stated) == sigma
        exact = Fraction("0.7") * Fraction(repr(sigma))
        assert Fraction(0.999) * exact < Fraction(change) <= exact


def test_a_line_names_the_columns_at_radius_1() -> None:
    said = said_of_features(run(AnisotropicGaussian(SIGMAS), *"abcd"))
    assert said is not None
    assert [c["sigma"] for c in run(AnisotropicGaussian(SIGMAS), *"abcd").to_json()["columns"]] == [
        *SIGMAS
    ]
    for text in ("a by 0.2063", "c by 1e-7", "d by 123400", "fixed are b"):
        assert text in said


@pytest.mark.parametrize("law", [Gaussian(0.25), noise_of("laplace", sigma=0.25)])
def test_one_sigma_for_all_is_a_radius_for_each(law: Law) -> None:
    """In norms of absolute changes; then the line below the table says nothing more."""
    table = features_table(run(law, "a", "b"))
    assert table is not None
    assert [texts[1:] for texts in table.texts(str, "{}", "{}")] == [["0.25", "0.7"]] * 2
    assert said_of_features(run(law, "a", "b")) is None


def test_other_data_and_radii_that_count_have_no_table() -> None:
    assert features_table(figures([0.5])) is None
    assert features_table(run(noise_of("flips", keep=0.8, values=2, size=2), "a", "b")) is None


def test_many_columns_and_the_words_of_strangers_fit() -> None:
    names = [f"{at}{STRANGERS[at % len(STRANGERS)]}" for at in range(250)]
    many = run(AnisotropicGaussian((0.5,) * 250), *names)
    table, said = features_table(many), said_of_features(many)
    assert table is not None
    assert said is not None
    assert len(table.rows) == 100
    assert "150" in table.notes[0].title
    assert "238" in said
    assert "<script>" not in to_markdown(Report([table]))
