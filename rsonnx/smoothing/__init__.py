"""The smoothed classifier, and how a model file becomes its base classifier."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.smoothing.adapting import Plan, make_plan
    from rsonnx.smoothing.candidate import closed_form
    from rsonnx.smoothing.classifier import SmoothedClassifier
    from rsonnx.smoothing.declare import declare
    from rsonnx.smoothing.in_work import Answer, Done, asked_for
    from rsonnx.smoothing.isolation import child_waiting, in_child, try_in_child
    from rsonnx.smoothing.load import load, load_with, open_plan
    from rsonnx.smoothing.schedule import run_many
    from rsonnx.smoothing.still_open import still_open
    from rsonnx.smoothing.training import Trained, read_trained, training_in

offer_lazily(__name__)
