"""From a trained generator to a SavedModel, ONNX or LiteRT, and from the files to samples."""

from tfgans.export.exchange import export_exchange
from tfgans.export.export import export_generator
from tfgans.export.saved_generator import SavedGenerator

__all__ = ["SavedGenerator", "export_exchange", "export_generator"]
