"""A server for development: TensorFlow Serving's REST API, and a page to look at samples."""
