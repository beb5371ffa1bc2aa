"""Runs the components of a mixture as a single computation, where that is faster."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from tfgans import compat, configs
from tfgans.types import Inputs

# Layers whose products and elementwise operations TensorFlow batches over components.
_LAYERS = (
    keras.layers.InputLayer,
    keras.layers.Dense,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.Flatten,
    keras.layers.Reshape,
)
# Up to about here an operation costs more than its arithmetic. Larger networks gain nothing, since
# their time goes into reading and writing the weights, and the copies of them cost.
_MOST_PARAMETERS = 2**16


class Stack:
    """k networks of the same architecture as one: their weights are stacked along a new axis 0.

    The results are those of the networks up to rounding. The networks keep their variables; the
    stack is made anew in each update.

    Args:
        components: Networks for which `can_stack` holds.
    """

    def __init__(self, components: Sequence[keras.Model]) -> None:
        self._components = components
        self._weights: list[tf.Tensor] | None = None

    def __call__(self, batch: tf.Tensor) -> tf.Tensor:
        """Returns outputs [k * rows, ...] in training.

        Args:
            batch: Float [k * rows, ...], of a static length: network i gets the i-th of k slices.
        """
        weights = self._stacked() if self._weights is None else self._weights
        network, count = self._components[0], len(self._components)

        def run(slices: tuple[list[tf.Tensor], tf.Tensor]) -> tf.Tensor:
            outputs, _ = network.stateless_call(slices[0], [], slices[1], training=True)
            return outputs

        rows = tf.reshape(batch, [count, batch.shape[0] // count, *batch.shape[1:]])
        outputs = tf.vectorized_map(run, (weights, rows))
        return tf.reshape(outputs, [batch.shape[0], *outputs.shape[2:]])

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Stacks the weights once for all calls in the block, in which they must not change."""
        self._weights = self._stacked()
        try:
            yield
        finally:
            self._weights = None

    def _stacked(self) -> list[tf.Tensor]:
        groups = zip(*(network.trainable_variables for network in self._components), strict=True)
        return [tf.stack([variable.value for variable in group]) for group in groups]


def can_stack(components: Sequence[keras.Model]) -> bool:
    """Returns whether to run networks as a `Stack`: small perceptrons of one architecture."""
    first = components[0]
    return (
        len(components) > 1
        and first.count_params() <= _MOST_PARAMETERS
        and all(_is_plain(network) for network in components)
        and have_equal_architectures(components)
    )


def have_equal_architectures(components: Sequence[keras.Model]) -> bool:
    """Returns whether networks have equal layers and configs, but for names and initial values.

    Raises:
        NotImplementedError: If a network has no config.
    """
    first = _architecture(components[0])
    return all(_architecture(network) == first for network in components[1:])


def has_equal_slices(batch: Inputs, count: int) -> bool:
    """Returns whether a batch is a tensor of a static length that `count` divides."""
    return (
        isinstance(batch, tf.Tensor) and batch.shape[0] is not None and batch.shape[0] % count == 0
    )


def _is_plain(network: keras.Model) -> bool:
    """Returns whether a network has no state but its weights, and layers from `_LAYERS` alone."""
    return (
        type(network).__module__.startswith("keras.")  # Sequential or functional.
        and not network.non_trainable_variables
        and all(variable.dtype == "float32" for variable in network.trainable_variables)
        and all(
            type(layer) in _LAYERS
            and layer.compute_dtype == "float32"
            and getattr(layer, "activity_regularizer", None) is None
            and _is_known(layer.get_config().get("activation", ""))
            for layer in network.layers
        )
    )


def _is_known(activation: str | dict[str, object]) -> bool:
    """Returns whether a serialized activation is a function of Keras or tfgans."""
    name = activation if isinstance(activation, str) else activation.get("config")
    return name == activation or str(name).startswith("tfgans>")


def _architecture(network: keras.Model) -> object:
    """Returns what two networks have in common if they differ by names and initial values alone."""
    # Without names a config does not tell the dtype policy.
    kinds = [(type(layer), layer.dtype_policy.name) for layer in compat.all_layers(network)]
    config = configs.renamed(network.get_config())
    return kinds, configs.without(config, lambda name: name.endswith(("_initializer", "seed")))
