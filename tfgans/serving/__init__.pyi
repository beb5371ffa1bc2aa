from .client import Client, ServingError
from .exchange import export_exchange
from .export import export_generator
from .saved_generator import SavedGenerator

__all__ = ["Client", "SavedGenerator", "ServingError", "export_exchange", "export_generator"]
