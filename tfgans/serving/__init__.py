"""A client of served models without TensorFlow, and a server for development."""

from tfgans.serving.client import Client, ServingError

__all__ = ["Client", "ServingError"]
