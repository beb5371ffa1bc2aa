"""From a trained generator to a SavedModel, to a server, and from either to samples."""

import lazy_loader

# As in `tfgans`: the names are in __init__.pyi, and the client needs no TensorFlow.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
