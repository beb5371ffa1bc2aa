"""From a served model to samples: a client without TensorFlow, and a server for development."""

from tfgans.serving.client import Client, ServingError

__all__ = ["Client", "ServingError"]
