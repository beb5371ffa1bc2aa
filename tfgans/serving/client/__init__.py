"""A client of TensorFlow Serving by REST or gRPC. By REST it imports no TensorFlow."""

from tfgans.serving.client.client import Client, ServingError

__all__ = ["Client", "ServingError"]
