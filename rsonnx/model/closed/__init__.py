"""Read a model to a form whose class probabilities under noise follow by calculation."""

from rsonnx.model.closed.check import check_form
from rsonnx.model.closed.reading import form_of
from rsonnx.model.closed.runs import Opener, Runner

__all__ = ["Opener", "Runner", "check_form", "form_of"]
