"""Run a base classifier on noisy blocks: providers, sessions, and engines that count answers."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.runtime.base_classifier import BaseClassifier, base_classifier, checked_labels
    from rsonnx.runtime.device_options import DeviceOptions
    from rsonnx.runtime.engine import Call, Engine, check_engine
    from rsonnx.runtime.onnx_classifier import Geometry, OnnxClassifier, Pace
    from rsonnx.runtime.origin import Origin
    from rsonnx.runtime.providers import (
        ProviderChoice,
        check_runtime,
        choose_provider,
        provider_problem,
    )
    from rsonnx.runtime.ranges import CountRequest
    from rsonnx.runtime.session import Session
    from rsonnx.runtime.settings import EngineSettings, before_engine, open_engine
    from rsonnx.runtime.tally import Progress
    from rsonnx.runtime.thread_engine import ThreadEngine
    from rsonnx.runtime.wheels import installed_wheels

offer_lazily(__name__)
