"""The names of Keras that are not public and that nothing public replaces, with the reason.

Checked with Keras 3.15. A name stands here only while Keras offers no public way.
"""

import contextlib

import keras
from keras.src.backend import AutocastScope


def all_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns a layer and all layers nested in it.

    Keras has no public way to walk the layers nested in a layer: `keras.Model.layers` lists the
    direct ones of a model, and layers that are not models list none.
    """
    return list(layer._flatten_layers())


def stored_precision() -> contextlib.AbstractContextManager[None]:
    """Returns a context in which variables read as they are stored, not in the compute dtype.

    In the `call` of a layer with a mixed policy Keras casts every float variable that is read to
    the compute dtype. A layer can switch that off for variables that it makes, with
    `add_weight(autocast=False)`, but not for those of a layer that it wraps.
    """
    return AutocastScope(None)
