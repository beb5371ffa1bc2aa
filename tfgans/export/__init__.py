"""Exports generators as SavedModel, ONNX or LiteRT, and draws samples from SavedModels."""

from tfgans.export.exchange import FORMATS, export_exchange
from tfgans.export.saved_generator import SavedGenerator
from tfgans.export.saved_model import export_generator

__all__ = ["FORMATS", "SavedGenerator", "export_exchange", "export_generator"]
