"""Preprocessing declared at random, and files that declare it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from rsonnx.model import Preprocessing

finite = st.floats(allow_nan=False, allow_infinity=False)
not_zero = finite.filter(lambda v: v != 0)


@st.composite
def declarations(draw: st.DrawFn) -> Preprocessing:
    layout = draw(st.sampled_from([None, "NCHW", "NHWC"]))
    if draw(st.booleans()):
        return Preprocessing(identity=True, layout=layout)
    channels = draw(st.sampled_from([1, 3]))
    many = draw(st.lists(finite, min_size=channels, max_size=channels))
    stds = draw(st.lists(not_zero, min_size=channels, max_size=channels))
    resize, crop = draw(
        st.sampled_from([(None, None), (7, None), (None, (5, 6)), ((9, 8), (3, 3))])
    )
    return Preprocessing(
        tuple(many),
        tuple(stds),
        draw(not_zero),
        layout,
        draw(st.sampled_from(["rgb", "bgr"])),
        resize,
        crop,
        center=draw(st.sampled_from(["round", "floor"])) if crop else "round",
    )


def written(folder: Path, content: Any, name: str = "preprocessor_config.json") -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)
