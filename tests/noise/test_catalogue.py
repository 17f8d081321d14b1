"""The catalogue names what the laws are."""

from __future__ import annotations

import pytest

from rsonnx.errors import UsageError
from rsonnx.noise import NOISES, AskedNoise
from rsonnx.noise.catalogue import LAWS
from rsonnx.noise.options import FILES
from rsonnx.noise.transformed import Transformation


@pytest.mark.parametrize("name", NOISES)
def test_a_law_has_its_name_and_stands_where_it_belongs(name: str) -> None:
    law = NOISES[name]
    images = issubclass(law, Transformation)
    kind = "Images" if images else "Added" if law.additive else "For l0"
    kind = "Certain" if law.enumerated else kind
    assert law.name == name
    assert name in LAWS[kind]


@pytest.mark.parametrize("field", FILES)
def test_a_file_is_for_a_field_of_one_law(field: str) -> None:
    laws = [law for law in NOISES.values() if field in law.options()]
    assert [law.options()[field].metadata for law in laws] == [FILES[field]]


@pytest.mark.parametrize("name", NOISES)
def test_a_refusal_names_all_that_a_law_needs_and_takes(name: str) -> None:
    law = NOISES[name]
    keys = [key for key in law.options() if key not in FILES]
    needed = [FILES[key]["option"] if key in FILES else f",{key}=" for key in law.needs()]
    for text, named in ((name, needed), (f"{name},zz=1", ["zz=1", *(f"{key}=" for key in keys)])):
        if named:
            with pytest.raises(UsageError) as refused:
                AskedNoise(text)
            assert all(str(part) in str(refused.value) for part in (name, *named))
