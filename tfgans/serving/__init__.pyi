from .client import Client, ServingError
from .export import export_generator
from .saved_generator import SavedGenerator

__all__ = ["Client", "SavedGenerator", "ServingError", "export_generator"]
