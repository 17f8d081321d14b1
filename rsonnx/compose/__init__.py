"""One ONNX file out of several, with one digest: all else works on it as on any other.

>>> model = rsonnx.compose.ensemble("a.onnx", "b.onnx", "c.onnx")  # doctest: +SKIP
>>> onnx.save(model, "all.onnx")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.compose.check import check, serialized
    from rsonnx.compose.denoise import denoise, diffuse
    from rsonnx.compose.ensemble import VOTES, consensus, ensemble
    from rsonnx.compose.smooth import smooth

offer_lazily(__name__)
