"""A layer of any Keras model as a feature extractor."""

import functools
import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, compat
from tfgans.configs import renamed
from tfgans.evaluation.extractors import Extractor, Features
from tfgans.evaluation.extractors import checksum as checksum_of_arrays


def keras_model(
    model: keras.Model,
    layer: str,
    *,
    probabilities: str | None = None,
    image_size: tuple[int, int] | None = None,
    preprocess: Callable[[tf.Tensor], Any] | None = None,
    name: str | None = None,
) -> Extractor:
    """Returns an extractor of the outputs of a layer of a Keras model, with its present weights.

    Training the model afterwards does not change the features. Outputs [num, height, width,
    channels] are averaged over the positions; others are flattened.
    `keras.applications.InceptionV3` is not the network of FID: its weights, its last pooling and
    its preprocessing differ.

    Args:
        model: Built functional or sequential Keras model with a single input.
        layer: String, the name of the layer.
        probabilities: String, the name of a layer whose output [num, num_classes] sums to 1, for
            the Inception score. Default: None.
        image_size: Pair (height, width) that images are resized to, bicubic with antialiasing.
            Default: None, no resizing.
        preprocess: Function from a float32 tensor of images in [-1, 1] to the inputs of the model.
            The extractor then has no checksum, and `Record.compare` warns. Default: None, the model
            takes images in [-1, 1].
        name: String. Default: "model/layer".

    Raises:
        ValueError: If `model` is not a Keras model or has no such layer, or the layer has several
            outputs; on call, if the model takes examples of another shape.

    Example:

    ```python
    classifier = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(32, "relu", name="penultimate"),
            keras.layers.Dense(10, "softmax", name="classes"),
        ]
    )
    extractor = tfgans.evaluation.keras_model(classifier, "penultimate", probabilities="classes")
    print(extractor(np.zeros([3, 8, 8, 1])).features.shape)  # (3, 32)
    ```
    """
    checks.instance("model", model, keras.Model, "keras.saving.load_model(path)")
    # A `Sequential` without a built input has no attribute `inputs`.
    if len(getattr(model, "inputs", None) or ()) != 1:
        raise ValueError(
            "`model` must be a built functional or `Sequential` model with a single input. "
            f"Received: {model!r}"
        )
    names = [known.name for known in model.layers]
    wanted = [layer] if probabilities is None else [layer, probabilities]
    for layer_name in wanted:
        if layer_name not in names:
            raise ValueError(
                f"{model.name!r} must have a layer of that name: {', '.join(names)}. Received: "
                f"{layer_name!r}"
            )
    size = None if image_size is None else checks.shape("image_size", image_size, rank=2)
    outputs = [model.get_layer(layer_name).output for layer_name in wanted]
    for layer_name, output in zip(wanted, outputs, strict=True):
        if not isinstance(output, keras.KerasTensor):
            raise ValueError(
                f"A layer must have a single output. Received: {layer_name!r}, whose outputs are "
                f"{checks.short(output)}. Use a layer after it"
            )
    inner = keras.Model(model.inputs, outputs)
    return KerasExtractor(name or f"{model.name}/{layer}", inner, size, preprocess)


class KerasExtractor(Extractor):
    """See `keras_model`."""

    _transient = ("_outputs",)

    def __init__(
        self,
        name: str,
        model: keras.Model,
        image_size: tuple[int, ...] | None,
        preprocess: Callable[[tf.Tensor], Any] | None,
    ) -> None:
        resizing = "none" if image_size is None else f"{image_size}, bicubic, antialiased"
        if preprocess is not None:
            resizing += f"; then {getattr(preprocess, '__name__', type(preprocess).__name__)}"
        super().__init__(name, checksum=None, resizing=resizing)
        self.network = model
        self._image_size = image_size
        self._preprocess = preprocess
        self._take_weights()

    def _take_weights(self) -> None:
        """Makes the network's present weights those of the features, whatever becomes of them."""
        self._weights = [tf.constant(variable.numpy()) for variable in self.network.variables]
        # A function has no checksum.
        self.checksum = None if self._preprocess is not None else checksum_of(self.network)
        vars(self).pop("_outputs", None)

    @functools.cached_property
    def _outputs(self) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        return tf.function(self._compute, reduce_retracing=True)

    def _compute(self, examples: tf.Tensor) -> list[tf.Tensor]:
        if self._image_size is not None:
            examples = tf.image.resize(examples, self._image_size, "bicubic", antialias=True)
        if self._preprocess is not None:
            examples = self._preprocess(examples)
        weights = zip(self.network.variables, self._weights, strict=True)
        with keras.StatelessScope(weights):
            features, *others = tf.nest.flatten(self.network(examples, training=False))
        # Half precision has too small a range for sums over the positions.
        features = tf.cast(features, tf.float32)
        if features.shape.rank == 4:
            features = tf.reduce_mean(features, axis=[1, 2])
        return [tf.reshape(features, [tf.shape(features)[0], -1]), *others]

    def extract(self, examples: np.ndarray) -> Features:
        """Returns the outputs of the layers."""
        shape, taken = examples.shape[1:], self.network.inputs[0].shape[1:]
        if self._image_size is not None:
            shape = (*self._image_size, *shape[2:])
        if self._preprocess is None and not tf.TensorShape(taken).is_compatible_with(shape):
            raise ValueError(
                f"The extractor {self.name!r} takes examples of shape {taken}. Received shape: "
                f"{examples.shape}. Load them at that size (`image_size`)"
            )
        return Features(*(output.numpy() for output in self._outputs(tf.constant(examples))))


def checksum_of(model: keras.Model) -> str:
    """Returns the SHA-256 of the network's layers, connections, outputs and weights."""
    config = renamed(model.get_config())
    # Without names, a config does not tell the dtype policy. Of float32 alone it is left out: the
    # checksum equals those of older records. Those of models and inputs have no effect.
    policies = [
        layer.dtype_policy.name
        for layer in compat.all_layers(model)
        if not isinstance(layer, keras.Model | keras.layers.InputLayer)
    ]
    described = config if set(policies) <= {"float32"} else [config, policies]
    text = json.dumps(described, sort_keys=True, default=lambda value: type(value).__name__)
    return checksum_of_arrays([np.frombuffer(text.encode(), np.uint8), *model.get_weights()])
