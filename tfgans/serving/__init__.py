"""From a trained generator to a SavedModel for TF Serving, and from a SavedModel to samples."""

from tfgans.serving.export import export_generator
from tfgans.serving.saved_generator import SavedGenerator

__all__ = ["SavedGenerator", "export_generator"]
