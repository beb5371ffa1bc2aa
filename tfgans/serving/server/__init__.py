"""A server for development: TensorFlow Serving's REST API and a page that shows samples."""
