"""From a trained generator to a SavedModel for TF Serving."""

from tfgans.serving.export import export_generator, latents_from_seeds

__all__ = ["export_generator", "latents_from_seeds"]
