"""What Keras keeps private and tfgans needs, each with its reason."""

import keras


def all_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Keras has no public way to walk the layers nested in a layer."""
    return list(layer._flatten_layers())
