"""Checks that the examples of a callback fit the model."""

from tfgans import shapes
from tfgans.data import Source
from tfgans.gan import GAN


def check_source(name: str, source: Source, gan: GAN) -> None:
    """Raises ValueError unless the examples of a source have the shape of those of the model.

    Args:
        name: String, the argument that holds the source, for the error.
        source: `tfgans.data.Source`.
        gan: The model; sizes of its examples that are None fit any size.
    """
    expected, received = gan.data_shape, source.data_shape
    if not shapes.are_compatible(expected, received):
        raise ValueError(
            f"`{name}` must have examples of the shape that the model takes, {expected}. Received: "
            f"{source.name!r} of shape {received}"
        )
