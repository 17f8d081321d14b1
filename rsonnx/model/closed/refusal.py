"""Why a model has no closed form."""

from __future__ import annotations

from rsonnx.errors import ModelError


class NotClosedError(ModelError):
    """A phrase that goes on "the model has no exact certificates, since ..."."""
