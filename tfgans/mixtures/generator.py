"""A mixture of generators: what MIX+GAN samples from."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfgans import checks, random, shapes
from tfgans.mixtures.mixture import Mixture
from tfgans.random import Role
from tfgans.types import Config, Inputs, Shape
from tfgans.weighted import Weighted


@keras.saving.register_keras_serializable(package="tfgans")
class MixtureGenerator(Mixture):
    """k generators with learned weights: each latent goes to generator i with probability w_i.

    Against discriminators of bounded size, mixtures of generators have an approximate equilibrium
    where single generators may have none; the theorem needs many more components than are used in
    practice. A mixture can cover more modes than a single generator: it did on 25 Gaussians, while
    on images it more often had less recall. The page on mixtures has the measurements.

    A mixture is a network: every `GAN` accepts it as a generator, beside a single discriminator or
    a `MixtureDiscriminator`. With one component it is that component, to the bit.

    In training:

    * `routing="slices"` (the default) cuts a batch into k slices; generator i makes slice i, and
      its examples have weight k w_i. The mean over the batch is an unbiased estimate of the
      mixture's payoff with an exact gradient to the weights, at about the cost of a single
      network if that is convolutional; perceptrons cost more. A batch must hold k examples or
      more.
    * "all" makes the whole batch with every generator, as the paper writes it: k times the cost.
    * "categorical" draws a generator for each latent, as sampling does; the gradient to w goes
      through w_i / stop_gradient(w_i). Generators that receive no latent do not change. It
      does not compile under XLA and runs on a single device.

    The weights are kept as log-probabilities. `weight_update="exponentiated_gradient"` (the paper)
    moves them by w_i <- w_i exp(-rate dL/dw_i) / Z, the exponent clipped to [-1, 1]; "softmax" (the
    authors' code) makes them logits under the generator's optimizer. Either way
    -(entropy_weight / k) sum_i log w_i is added to the generator's loss, against collapse onto one
    component; the authors' code takes 0.1 with "softmax", we 0.05 with the slower exponentiated
    gradient, which kept all components alive. With "softmax", the weight decay of an optimizer also
    pulls the logits to 0, which is to equal weights. Exponentiated gradient moves the weights in
    every update, also with an optimizer of `gradient_accumulation_steps`.

    Args:
        components: Sequence of built Keras models, latents -> examples, with separate weights
            and equal shapes; `MixtureGenerator.from_builder(builder, k)` makes them.
        routing: "slices", "all" or "categorical". Default: "slices".
        weight_update: "exponentiated_gradient" or "softmax". Default: "exponentiated_gradient".
        entropy_weight: Float of at least 0. Default: 0.05.
        weight_learning_rate: Float of at least 0, the rate of exponentiated gradient; 0 keeps the
            weights as they are. Must be None with "softmax". Default: 0.01.
        seed: Int, of the assignment of latents to components where `component` is None. Default: 0.
        trainable: Bool, whether the components and their weights train. Default: True.
        name: String, optional.

    Call arguments:
        inputs: Float tensor [batch, ...], the latents; of conditional components the list
            [latents, labels].
        training: Bool, passed on to the components. Default: False.
        component: Int, or int tensor [batch], the components to use. Default: None, each latent's
            component is drawn by the weights, from the bits of the latent and `seed`: the same
            latent gives the same example in any batch.

    Output shape: that of a component, float32.

    Attributes:
        probabilities: float32 [k], the weights.

    Raises:
        ValueError: If the components do not make a mixture, or an option is out of its range.

    Example:

    ```python
    generator = tfgans.MixtureGenerator.from_builder(
        lambda: tfgans.networks.mlp_generator((2,), latent_dim=2), 4
    )
    gan = tfgans.NonSaturatingGAN(generator, tfgans.networks.mlp_discriminator((2,)))
    ```

    Reference: Arora et al. 2017, "Generalization and Equilibrium in Generative Adversarial Nets",
    section 5; code at github.com/PrincetonML/MIX-plus-GANs.
    """

    def __init__(
        self,
        components: Sequence[keras.Model],
        *,
        routing: str = "slices",
        weight_update: str = "exponentiated_gradient",
        entropy_weight: float = 0.05,
        weight_learning_rate: float | None = None,
        seed: int = 0,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(
            components,
            routing=routing,
            weight_update=weight_update,
            entropy_weight=entropy_weight,
            weight_learning_rate=weight_learning_rate,
            trainable=trainable,
            name=name,
        )
        self.seed = checks.integer("seed", seed)
        # Row by row, eager draws would be a hundred times slower.
        shape = shapes.input_shape(self.components[0], "component")
        latents = tf.TensorSpec([None, *shape], tf.float32)
        self._components_of_latents_function = tf.function(
            self._components_of_latents, input_signature=[latents], autograph=False
        )
        of_latents = keras.InputSpec(shape=(None, *shape), name="latents")
        conditional = shapes.takes_labels(self.components[0])
        self.input_spec = [of_latents, keras.InputSpec()] if conditional else of_latents

    @staticmethod
    def _check_shapes(component: keras.Model) -> None:
        component_shapes = {
            "input": shapes.input_shape(component, "component"),
            "output": shapes.output_shape(component, "component"),
        }
        for kind, shape in component_shapes.items():
            if None in shape:
                raise ValueError(
                    f"The {kind} of a generator must have a fixed shape but for the batch. "
                    f"Received: {(None, *shape)}"
                )

    @property
    def output_shape(self) -> Shape:
        """The shape of an example, after None for the batch."""
        return (None, *shapes.output_shape(self.components[0], "component"))

    def call(
        self, inputs: Inputs, training: bool = False, component: int | tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns an example for each latent."""
        if self.num_components == 1 and component is None:
            return tf.cast(self.components[0](inputs, training=training), tf.float32)
        if component is None:
            latents = tf.nest.flatten(inputs)[0]
            chosen = self._components_of_latents_function(tf.cast(latents, tf.float32))
        else:
            chosen = self._checked(tf.convert_to_tensor(component), shapes.batch_size(inputs))
        return self._dispatch(inputs, chosen, training)

    def compute_output_shape(self, input_shape: Shape | Sequence[Shape]) -> Shape:
        """Returns the shape of the examples that a batch of latents gives."""
        return (shapes.batch_axis(input_shape), *self.output_shape[1:])

    def compute_output_spec(
        self, inputs: Inputs, training: bool = False, component: int | tf.Tensor | None = None
    ) -> keras.KerasTensor:
        """Returns the shape and dtype of the examples."""
        del training, component
        num_rows = tf.nest.flatten(inputs)[0].shape[0]
        return keras.KerasTensor((num_rows, *self.output_shape[1:]), "float32")

    def draw_components(self, keys: tf.Tensor) -> tf.Tensor:
        """Returns int32 [rows]: the component of each sample, from its int64 key [rows, 2]."""
        if self.num_components == 1:
            return tf.zeros([tf.shape(keys)[0]], tf.int32)
        return self.choose(random.uniform_rows(random.fold_rows(keys, Role.SAMPLE_COMPONENT), []))

    def route(self, batch: Inputs, *, key: tf.Tensor, training: bool) -> Weighted:
        """Returns examples and weights for an update of a player.

        Args:
            batch: Float latents [batch, ...], or the list [latents, labels].
            key: The int64[2] random key of this call.
            training: Bool. Without training each latent's component is drawn by the weights,
                whatever the routing, so a batch may be of any size.

        Returns:
            Float32 examples [rows, ...], grouped by component with "slices" and "all" (rows is k
            times the batch with "all"); and float32 weights [rows, 1], with which the mean over
            the rows estimates the mean over the mixture.
        """
        if not training or self.routing == "categorical":
            return self._run_categorical(batch, key, training)
        if self.routing == "slices":
            return self._run_slices(batch, training)
        # Components of different policies return different dtypes.
        made = [tf.cast(network(batch, training=True), tf.float32) for network in self.components]
        scaled = self.num_components * tf.exp(self.log_probabilities())
        weights = tf.repeat(scaled, shapes.batch_size(batch))[:, tf.newaxis]
        return Weighted(tf.concat(made, axis=0), weights)

    def settings(self) -> Config:
        """Returns the arguments that decide the training of the mixture, without the components."""
        return {**super().settings(), "seed": self.seed}

    def _components_of_latents(self, latents: tf.Tensor) -> tf.Tensor:
        keys = random.keys_of_rows(latents, random.key(self.seed, Role.LATENT_HASH))
        return self.choose(random.uniform_rows(keys, []))

    def _checked(self, component: tf.Tensor, num_rows: int | tf.Tensor) -> tf.Tensor:
        """Returns int32 [rows] components, or raises an error for invalid components."""
        expected = (
            f"`component` must be an integer, or an integer for each latent, from 0 to "
            f"{self.num_components - 1}, for {self.num_components} components"
        )
        static = tf.get_static_value(component)
        valid = component.dtype.is_integer and component.shape.rank in (0, 1)
        if valid and component.shape.rank == 1 and isinstance(num_rows, int):
            valid = component.shape[0] in (None, num_rows)
        if valid and static is not None:
            valid = ((static >= 0) & (static < self.num_components)).all()
        if not valid:
            received = checks.short(component if static is None else static.tolist())
            raise ValueError(f"{expected}. Received: {received}")
        chosen = tf.cast(component, tf.int32)
        if chosen.shape.rank == 0:
            chosen = tf.fill([num_rows], chosen)
        inside = tf.reduce_all((chosen >= 0) & (chosen < self.num_components))
        check = tf.debugging.Assert(inside & (tf.size(chosen) == num_rows), [expected, chosen])
        with tf.control_dependencies([] if check is None else [check]):  # None when run eagerly.
            return tf.identity(chosen)
