"""From a trained generator to a SavedModel for TF Serving."""

from tfgans.serving.export import export_generator

__all__ = ["export_generator"]
