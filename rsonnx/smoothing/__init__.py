"""The smoothed classifier, and how a model file becomes its base classifier."""

from rsonnx.smoothing.classifier import SmoothedClassifier
from rsonnx.smoothing.load import load
from rsonnx.smoothing.procedures import Certify, Predict

__all__ = ["Certify", "Predict", "SmoothedClassifier", "load"]
