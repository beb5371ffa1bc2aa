"""The base class of mixtures of generators and of discriminators."""

import contextlib
import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Self, TypedDict, Unpack

import keras
import numpy as np
import tensorflow as tf

from tfgans import averages, checks, compat, random, shapes
from tfgans.mixtures import routing as routes
from tfgans.mixtures.stack import (
    Stack,
    can_stack,
    has_equal_slices,
    have_equal_architectures,
)
from tfgans.types import Config, Inputs, Shape
from tfgans.weighted import Weighted

ROUTINGS = ("slices", "all", "categorical")
WEIGHT_UPDATES = ("exponentiated_gradient", "softmax")
_DEFAULT_RATE = 0.01


class MixtureOptions(TypedDict, total=False):
    """The arguments of a mixture besides its components; only a generator takes `seed`."""

    routing: str
    weight_update: str
    entropy_weight: float
    weight_learning_rate: float | None
    seed: int
    trainable: bool
    name: str | None


class Mixture(keras.Model):
    """k networks of the same shapes with separate variables, and the weight of each.

    Holds the components, the log-probabilities and their updates; `MixtureGenerator` and
    `MixtureDiscriminator` define the calls.

    Args:
        components: Sequence of built Keras models with equal input and output shapes.
        routing: "slices", "all" or "categorical".
        weight_update: "exponentiated_gradient" or "softmax".
        entropy_weight: Float of at least 0.
        weight_learning_rate: Float of at least 0, or None.
        trainable: Bool, whether the components and their weights train.
        name: String, optional.
    """

    def __init__(
        self,
        components: Sequence[keras.Model],
        *,
        routing: str = "slices",
        weight_update: str = "exponentiated_gradient",
        entropy_weight: float = 0.05,
        weight_learning_rate: float | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        networks = check_components(components)
        self._check_shapes(networks[0])
        # Components cast their inputs; the mixture must see the bits of the latents unchanged.
        super().__init__(name=name, dtype=networks[0].dtype_policy, autocast=False)
        self.components = networks
        self.num_components = len(networks)
        self._stack = Stack(networks) if can_stack(networks) else None
        self.routing = checks.choice("routing", routing, ROUTINGS)
        self.weight_update = checks.choice("weight_update", weight_update, WEIGHT_UPDATES)
        self.entropy_weight = checks.non_negative("entropy_weight", entropy_weight)
        self.weight_learning_rate = _checked_rate(weight_update, weight_learning_rate)
        self.log_weights = self.add_weight(
            name="log_weights",
            shape=(self.num_components,),
            dtype="float32",
            initializer=keras.initializers.Constant(-np.log(self.num_components)),
            trainable=weight_update == "softmax",
            autocast=False,
            # Replicas compute the same update from the sum of all gradients.
            aggregation="only_first_replica" if weight_update != "softmax" else "none",
        )
        self.build(self.input_shape)
        if not checks.boolean("trainable", trainable):
            self.trainable = False

    @classmethod
    def from_builder(
        cls,
        builder: Callable[[], keras.Model],
        num_components: int,
        **options: Unpack[MixtureOptions],
    ) -> Self:
        """Returns a mixture of `num_components` networks, each from a call of `builder`.

        Args:
            builder: Callable without arguments that returns a new network with different initial
                weights at each call: do not fix its seed.
            num_components: Int of at least 1.
            **options: The other arguments of the class.

        Raises:
            ValueError: If `builder` is no function or the number not positive, or as for the class.
        """
        if isinstance(builder, keras.layers.Layer) or not callable(builder):
            raise ValueError(
                "`builder` must be a function that returns a new network at each call. Received: "
                f"{checks.short(builder)}. Pass say `lambda: tfgans.networks.mlp_generator((2,))`"
            )
        count = checks.positive_int("num_components", num_components)
        components = [builder() for _ in range(count)]
        mixture = cls(components, **options)  # type: ignore[misc]  # `seed` is the generator's.
        _warn_if_equal(components)
        return mixture

    def build(self, input_shape: object) -> None:
        """Does nothing: the components are built."""
        del input_shape
        self.built = True

    @staticmethod
    def _check_shapes(component: keras.Model) -> None:
        """Raises ValueError if a component does not have the shapes that the mixture needs."""

    @property
    def input_shape(self) -> Shape | list[Shape]:
        """The input shape, with None for the batch; a list of two for conditional components."""
        first = (None, *shapes.input_shape(self.components[0], "component"))
        return [first, (None,)] if shapes.takes_labels(self.components[0]) else first

    @property
    def probabilities(self) -> np.ndarray:
        """The weights of the components: float32 [k], positive, with a sum of 1."""
        return tf.exp(self.log_probabilities()).numpy()

    def set_probabilities(self, probabilities: Sequence[float]) -> None:
        """Sets the weights of the components.

        Call it before the mixture is passed to a GAN with `ema`, whose average starts as a copy.

        Args:
            probabilities: k floats above 0 with a sum of 1.

        Raises:
            ValueError: If the probabilities are invalid.
        """
        values = checks.probabilities("probabilities", probabilities, self.num_components)
        if not values.all():
            raise ValueError(
                "`probabilities` must be above 0: a weight of 0 stays 0. Received: "
                f"{checks.short(probabilities)}"
            )
        self.log_weights.assign(np.log(values).astype(np.float32))

    def log_probabilities(self) -> tf.Tensor:
        """Returns log w: float32 [k]."""
        return tf.nn.log_softmax(tf.convert_to_tensor(self.log_weights.value))

    def entropy_term(self) -> tf.Tensor:
        """Returns the term that is added to the player's loss: -entropy_weight / k sum_i log w_i.

        Smallest, entropy_weight log k, where the weights are uniform. It is the cross-entropy from
        uniform to w, not -sum w log w: it grows without bound as a component dies.
        """
        return -self.entropy_weight * tf.reduce_mean(self.log_probabilities())

    def update_weights(self, gradient: tf.Tensor | None) -> None:
        """Takes a step of exponentiated gradient: w_i <- w_i exp(-rate dL/dw_i) / Z.

        An exponent is clipped to [-1, 1]: under a weight below rate * entropy_weight / 2 k the
        entropy term alone would make the weights oscillate.

        Args:
            gradient: float32 [k], dL/d log_weights of this player's loss, of a tape that watches
                `log_weights.value`. By the softmax it is w_i (dL/dw_i - c), and what is common to
                all i does not change w.

        Raises:
            ValueError: If the gradient is None.

        Reference: Kivinen & Warmuth 1997, "Exponentiated Gradient versus Gradient Descent"; Arora
        et al. 2017, section 5, where mixture weights are kept as logarithms and updated like this.
        """
        if gradient is None:
            raise ValueError(
                "`gradient` must be that of the loss to `log_weights`. Received: None. Call "
                "`tape.watch(mixture.log_weights.value)` before the loss, which must be a mean of "
                "the `Weighted` that `route` returns"
            )
        log_weights = self.log_probabilities()
        slope = tf.math.divide_no_nan(gradient, tf.exp(log_weights))
        exponent = tf.clip_by_value(self.weight_learning_rate * slope, -1.0, 1.0)
        moved = tf.nn.log_softmax(log_weights - exponent)
        # NaN where a float16 optimizer skips a step because its gradients overflowed.
        finite = tf.reduce_all(tf.math.is_finite(moved))
        self.log_weights.assign(tf.where(finite, moved, log_weights))

    def choose(self, uniforms: tf.Tensor) -> tf.Tensor:
        """Returns int32 [rows] components, i with probability w_i, from U[0, 1) numbers [rows]."""
        borders = tf.cumsum(tf.exp(self.log_probabilities()))[:-1]
        above = uniforms[:, tf.newaxis] >= tf.stop_gradient(borders)
        return tf.reduce_sum(tf.cast(above, tf.int32), axis=1)

    def route(self, batch: Inputs, *, key: tf.Tensor, training: bool) -> Weighted:
        """Returns outputs and their weights, with a gradient to the mixture's weights."""
        raise NotImplementedError(f"{type(self).__name__} must implement `route`")

    def check_resizable(self) -> None:
        """Raises ValueError unless all components have the same architecture.

        Loading a file with more components copies component 0, so all must have one architecture,
        and the same layers frozen.
        """
        try:
            are_equal = have_equal_architectures(self.components)
        except NotImplementedError as error:
            raise ValueError(
                "The components of a mixture whose number changes need a config, which tells their "
                f"architecture. Received: {self.name!r}, whose components are of the class "
                f"{type(self.components[0]).__name__} without `get_config`. Implement it, or keep "
                "the number"
            ) from error
        if not are_equal:
            raise ValueError(
                "A mixture whose number of components changes needs components of one "
                "architecture, with the same layers frozen. Received: "
                f"{self.name!r}, whose components differ. Make them by `from_builder`, freeze all "
                "or none, or keep the number"
            )

    def take_components(self, indices: Sequence[int]) -> Self:
        """Returns a mixture whose component j is component `indices[j]` of this one, or its copy.

        The first component with a given origin is that network itself; further ones are copies.
        They share the weight of the origin equally. All weights are then rescaled to sum to 1.

        Args:
            indices: Ints from 0 to k - 1.
        """
        networks = []
        for index, origin in enumerate(indices):
            network = self.components[origin]
            if origin in indices[:index]:
                network = averages.copy_network(network)
            networks.append(network)
        mixture = type(self)(networks, **self.settings(), trainable=self.trainable, name=self.name)
        shares = -np.log([indices.count(origin) for origin in indices])
        log_weights = self.log_weights.numpy()[list(indices)] + shares
        mixture.log_weights.assign(log_weights.astype(np.float32))
        return mixture

    def get_config(self) -> Config:
        """Returns the constructor's arguments, components included.

        Raises:
            ValueError: If Keras is saving to an HDF5 file.
        """
        if compat.saves_to_hdf5():
            raise ValueError(
                "A mixture is saved to a `.keras` file: HDF5 cannot hold several components of the "
                "same name. Call `save('mixture.keras')`, or "
                "`save_weights('mixture.weights.h5')` for the weights alone"
            )
        return {
            "components": [
                keras.saving.serialize_keras_object(component) for component in self.components
            ],
            **self.settings(),
            # Left out when True, so that runs of earlier versions can continue.
            **({} if self.trainable else {"trainable": False}),
            "name": self.name,
        }

    def settings(self) -> Config:
        """Returns the arguments that decide the training of the mixture, without the components."""
        return {
            "routing": self.routing,
            "weight_update": self.weight_update,
            "entropy_weight": self.entropy_weight,
            "weight_learning_rate": self.weight_learning_rate,
        }

    @classmethod
    def from_config(cls, config: Config, custom_objects: Mapping[str, type] | None = None) -> Self:
        """Makes a mixture from the result of `get_config`; weights come separately."""
        components = [
            keras.saving.deserialize_keras_object(component, custom_objects=custom_objects)
            for component in config["components"]
        ]
        return cls(**{**config, "components": components})

    def shared_stack(self) -> AbstractContextManager[None]:
        """Returns a context, of an update, in which the weights of all calls are stacked once."""
        stack = self._usable_stack()
        return contextlib.nullcontext() if stack is None else stack.shared()

    def _usable_stack(self) -> Stack | None:
        """Returns the components as a single network, if they can run as one at present."""
        # Layers may have been frozen since: a stack has the trainable variables alone.
        frozen = any(network.non_trainable_variables for network in self.components)
        # Eagerly it would be traced anew in each call.
        return None if frozen or tf.executing_eagerly() else self._stack

    def _stack_of(self, batch: Inputs, num_slices: int, *, training: bool) -> Stack | None:
        """Returns the components as a single network, if that can run the slices of a batch."""
        runs = training and has_equal_slices(batch, num_slices)
        return self._usable_stack() if runs else None

    def _outputs_of_slices(self, batch: Inputs, training: bool) -> tf.Tensor:
        """Returns what component i makes of slice i: float32 [rows, ...]."""
        stack = self._stack_of(batch, self.num_components, training=training)
        if stack is not None:
            return stack(batch)
        slices = routes.cut(batch, self.num_components)
        outputs = [
            tf.cast(network(rows, training=training), tf.float32)
            for network, rows in zip(self.components, slices, strict=True)
        ]
        return tf.concat(outputs, axis=0)

    def _run_slices(self, batch: Inputs, training: bool) -> Weighted:
        outputs = self._outputs_of_slices(batch, training)
        num_rows, count = shapes.batch_size(batch), self.num_components
        if isinstance(num_rows, int) and num_rows % count == 0:
            scaled = count * tf.exp(self.log_probabilities())
            weights = tf.broadcast_to(scaled[:, tf.newaxis], [count, num_rows // count])
            return Weighted(outputs, tf.reshape(weights, [num_rows, 1]))
        sizes = tf.stack(routes.slice_sizes(num_rows, count))
        # The mean over the batch is then sum_i w_i (mean over slice i); k w_i, if slices are equal.
        shares = tf.cast(sizes, tf.float32) / tf.cast(num_rows, tf.float32)
        weights = tf.repeat(tf.exp(self.log_probabilities()) / shares, sizes)
        return Weighted(outputs, weights[:, tf.newaxis])

    def _run_categorical(self, batch: Inputs, key: tf.Tensor, training: bool) -> Weighted:
        chosen = self.choose(random.uniform([shapes.batch_size(batch)], key))
        outputs = self._dispatch(batch, chosen, training)
        # 1 in value, with the gradient of w: a drawn index alone has none.
        log_weights = self.log_probabilities()
        weights = tf.exp(log_weights - tf.stop_gradient(log_weights))
        return Weighted(outputs, tf.gather(weights, chosen)[:, tf.newaxis])

    def _dispatch(self, batch: Inputs, chosen: tf.Tensor, training: bool) -> tf.Tensor:
        example_shape = shapes.output_shape(self.components[0], "component")
        return routes.dispatch(
            self.components, batch, chosen, example_shape=example_shape, training=training
        )


def check_components(components: Sequence[keras.Model]) -> list[keras.Model]:
    """Returns the components as a list, or raises ValueError if they do not make a mixture."""
    if isinstance(components, keras.layers.Layer) or not isinstance(components, Iterable):
        raise ValueError(
            "`components` must be a list of built Keras models. Received: "
            f"{type(components).__name__}. For one component, pass a list of one"
        )
    networks = list(components)
    if not networks:
        raise ValueError("A mixture needs at least one component. Received: none")
    for index, network in enumerate(networks):
        if not isinstance(network, keras.Model) or holds_mixture(network):
            raise ValueError(
                "A component must be a built Keras model, and no mixture. "
                f"Received: component {index} is {checks.short(network)}. Put a layer into a "
                "`keras.Sequential`, and the components of a mixture into this list"
            )
        _check_same_shapes(networks[0], network, index)
    for (first, network), (second, other) in itertools.combinations(enumerate(networks), 2):
        variables = {id(variable) for variable in network.variables}
        if network is other or any(id(variable) in variables for variable in other.variables):
            raise ValueError(
                "Every component must have separate weights. Received: components "
                f"{first} and {second} ({network.name!r}, {other.name!r}) share them. Build each "
                "anew"
            )
    return networks


def _checked_rate(weight_update: str, rate: float | None) -> float | None:
    """Returns the rate of exponentiated gradient; None with "softmax", which has no rate."""
    if weight_update != "softmax":
        return checks.non_negative("weight_learning_rate", _DEFAULT_RATE if rate is None else rate)
    if rate is not None:
        raise ValueError(
            "`weight_learning_rate` applies to weight_update='exponentiated_gradient': with "
            "'softmax' the player's optimizer moves the weights, at its rate. "
            f"Received: {checks.short(rate)}. Leave it out"
        )
    return None


def components_of(network: keras.Model) -> list[keras.Model]:
    """Returns the components of a mixture; of any other network the network alone."""
    return list(network.components) if isinstance(network, Mixture) else [network]


def holds_mixture(network: keras.layers.Layer) -> bool:
    """Returns whether a network is a mixture, or has a mixture inside."""
    return any(isinstance(layer, Mixture) for layer in compat.all_layers(network))


def _check_same_shapes(first: keras.Model, other: keras.Model, index: int) -> None:
    if shapes.takes_labels(first) != shapes.takes_labels(other):
        raise ValueError(
            "Either all components take labels, or none does. Received: component 0 and component "
            f"{index} ({other.name!r}) differ in that"
        )
    for kind, shape_of in (("input", shapes.input_shape), ("output", shapes.output_shape)):
        expected = shape_of(first, "component with index 0")
        received = shape_of(other, f"component with index {index}")
        if received != expected:
            raise ValueError(
                f"All components must have the same {kind} shape: that of component 0 is "
                f"{expected}. Received: component {index} ({other.name!r}) with {received}"
            )


def _warn_if_equal(components: Sequence[keras.Model]) -> None:
    first, *others = (
        [np.asarray(weight) for weight in component.get_weights()] for component in components
    )
    for index, weights in enumerate(others, start=1):
        if len(weights) == len(first) and all(map(np.array_equal, first, weights)):
            warnings.warn(
                f"Components 0 and {index} start with equal weights, and diverge slowly. "
                "Give each a different seed, or none",
                stacklevel=3,
            )
