"""The catalogue names what the laws are."""

from __future__ import annotations

import pytest

from rsonnx.errors import UsageError
from rsonnx.noise import NOISES, AskedNoise, CoveredNoise
from rsonnx.noise.catalogue import LAWS
from rsonnx.noise.options import FILES, INTERVALS
from rsonnx.noise.transformed import Transformation


@pytest.mark.parametrize("name", NOISES)
def test_a_law_has_its_name_and_stands_where_it_belongs(name: str) -> None:
    law = NOISES[name]
    images = issubclass(law, Transformation | CoveredNoise)
    kind = "Images" if images else "Added" if law.additive else "For l0"
    kind = "Certain" if law.enumerated else kind
    assert law.name == name
    assert name in LAWS[kind]


OWN = FILES | INTERVALS
"""What is given by options of their own."""


@pytest.mark.parametrize("field", OWN)
def test_an_option_is_for_a_field_of_one_law(field: str) -> None:
    laws = [law for law in NOISES.values() if field in law.options()]
    assert [law.options()[field].metadata for law in laws] == [OWN[field]]


@pytest.mark.parametrize(
    "text", ["brightness+rotation", "blur, translation", "blur+uniform", "rotation+blur+flips"]
)
def test_kinds_without_a_theorem_for_both_are_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match=text.replace(",", "+").replace(" ", "").split("+")[1]):
        AskedNoise(text, sigma=1.0)
    for known in ("translation+brightness", "contrast, blur"):
        with pytest.raises(UsageError, match=r"--noise (brightness-translation|contrast-blur)$"):
            AskedNoise(known, sigma=1.0)


@pytest.mark.parametrize("name", NOISES)
def test_a_refusal_names_all_that_a_law_needs_and_takes(name: str) -> None:
    law = NOISES[name]
    keys = [key for key in law.options() if key not in OWN]
    needed = [OWN[key]["option"] if key in OWN else f",{key}=" for key in law.needs()]
    for text, named in ((name, needed), (f"{name},zz=1", ["zz=1", *(f"{key}=" for key in keys)])):
        if named:
            with pytest.raises(UsageError) as refused:
                AskedNoise(text)
            assert all(str(part) in str(refused.value) for part in (name, *named))
