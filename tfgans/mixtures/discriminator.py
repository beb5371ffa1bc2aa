"""A mixture of discriminators: the other player of MIX+GAN."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from tfgans import random, shapes
from tfgans.mixtures import routing as routes
from tfgans.mixtures.mixture import Mixture
from tfgans.types import Inputs, Shape
from tfgans.weighted import Weighted

# `(discriminator, rows, index of the network)` -> the penalty of each row.
ComponentPenalty: TypeAlias = Callable[
    [Callable[..., tf.Tensor], dict[str, tf.Tensor], int], tf.Tensor
]


@keras.saving.register_keras_serializable(package="tfgans")
class MixtureDiscriminator(Mixture):
    """k discriminators with learned weights: the payoff of discriminator j has weight w_j.

    Every `GAN` accepts it as a discriminator, beside a single generator or a `MixtureGenerator` of
    the same or another number of components. With one component it is that component, to the bit.

    In training:

    * `routing="slices"` (the default) assigns the rows of a batch to the discriminators in turn;
      discriminator j judges its rows, which are weighted by k w_j: an unbiased estimate of
      sum_ij v_i w_j F(G_i, D_j), with the weights v_i of the generators, at about the cost of a
      single network. A batch must hold k examples or more.
    * "all" has every discriminator judge the whole batch, as in the paper, at k times the cost. On
      25 Gaussians, with equal CPU time, "slices" came closer to the data than "all" for the
      non-saturating game, R3GAN and WGAN-GP, and a single discriminator came closer than both
      (comparing medians; for WGAN there was no clear difference). So "slices" is the default, but
      try a single discriminator first.
    * "categorical" draws a discriminator for each example; see `MixtureGenerator`, also for the
      updates of the weights.

    Args:
        components: Sequence of built Keras models, examples -> logits [batch, 1], with separate
            weights and equal shapes; `MixtureDiscriminator.from_builder(builder, k)` makes them.
        routing: "slices", "all" or "categorical". Default: "slices".
        weight_update: "exponentiated_gradient" or "softmax". Default: "exponentiated_gradient".
        entropy_weight: Float of at least 0. Default: 0.05.
        weight_learning_rate: Float of at least 0, the rate of exponentiated gradient; 0 keeps the
            weights as they are. Must be None with "softmax". Default: 0.01.
        trainable: Bool, whether the components and their weights train. Default: True.
        name: String, optional.

    Call arguments:
        inputs: Float tensor [batch, ...], the examples; of conditional components the list
            [examples, labels].
        training: Bool, passed on to the components. Default: False.

    Output shape: float32 logits [batch, k], column j of discriminator j.

    Attributes:
        probabilities: float32 [k], the weights.

    Raises:
        ValueError: If the components do not make a mixture of discriminators, or an option is out
            of its range.

    Example:

    ```python
    discriminator = tfgans.MixtureDiscriminator.from_builder(
        lambda: tfgans.networks.mlp_discriminator((2,)), 4
    )
    ```

    Reference: Arora et al. 2017, "Generalization and Equilibrium in Generative Adversarial Nets",
    section 5; code at github.com/PrincetonML/MIX-plus-GANs.
    """

    @staticmethod
    def _check_shapes(component: keras.Model) -> None:
        logits = shapes.output_shape(component, "component")
        if logits != (1,):
            raise ValueError(
                "Each component must return one logit per example, of shape [batch, 1]. "
                f"Received: output shape {(None, *logits)}. End it with `Dense(1)`"
            )

    @property
    def output_shape(self) -> Shape:
        """(None, k)."""
        return (None, self.num_components)

    def compute_output_shape(self, input_shape: Shape | Sequence[Shape]) -> Shape:
        """Returns (batch, k)."""
        return (shapes.batch_axis(input_shape), self.num_components)

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """Returns the logits of all discriminators, float32 [batch, k]."""
        count = self.num_components
        stack = self._stack_of(inputs, 1, training=training)
        if stack is not None:
            return tf.transpose(tf.reshape(stack(shapes.tile_rows(inputs, count)), [count, -1]))
        logits = [
            tf.cast(network(inputs, training=training), tf.float32) for network in self.components
        ]
        return tf.concat(logits, axis=1)

    def route(self, batch: Inputs, *, key: tf.Tensor, training: bool) -> Weighted:
        """Returns logits and weights for an update of a player.

        Args:
            batch: Float examples [rows, ...], or the list [examples, labels]. "slices" cuts them in
                order: call `assign_rows` first.
            key: The int64[2] random key of this call: the same key gives row i the same component.
            training: Bool. Without training every discriminator judges every example, whatever the
                routing, so a batch may be of any size.

        Returns:
            Float32 logits [rows, columns], with one column, or k for "all"; and float32 weights
            [rows, 1] or [1, k], with which the mean over rows of the sum over columns estimates
            the mean over the mixture.
        """
        if training and self.routing == "categorical":
            return self._run_categorical(batch, key, training)
        if training and self.routing == "slices":
            return self._run_slices(batch, training)
        logits = self(batch, training=training)
        return Weighted(logits, tf.exp(self.log_probabilities())[tf.newaxis])

    def assign_rows(self, batch: routes.Rows, *, key: tf.Tensor, training: bool) -> routes.Rows:
        """Returns the rows, of a nest of tensors with as many each, in the order for `route`.

        In training with "slices", rows are assigned in turn from a random row on, so that each
        slice holds its share of every generator's examples; see
        `tfgans.mixtures.routing.assignment_order`.
        """
        if not training or self.routing != "slices" or self.num_components == 1:
            return batch
        num_rows = shapes.batch_size(tf.nest.flatten(batch)[0])
        uniform = random.uniform([1], key)[0]
        shift = tf.cast(uniform * tf.cast(num_rows, tf.float32), tf.int32)
        order = routes.assignment_order(num_rows, self.num_components, shift)
        return tf.nest.map_structure(lambda rows: tf.gather(rows, order), batch)

    def cut_by_discriminator(self, rows: tf.Tensor | None, *, training: bool) -> list[tf.Tensor]:
        """Returns the rows of each call of a loss, such that a column is from one discriminator.

        With "slices" in training, these are k slices of the rows; otherwise all rows at once, with
        a column for each discriminator.
        """
        num_slices = self.num_components if training and self.routing == "slices" else 1
        return [None] * num_slices if rows is None else routes.cut(rows, num_slices)

    def penalize(
        self,
        penalty: ComponentPenalty,
        batch: dict[str, tf.Tensor],
        *,
        key: tf.Tensor,
        training: bool,
        whole: bool,
    ) -> tf.Tensor:
        """Returns the penalty of each row: float32 [rows, columns], columns as in `route`.

        With "categorical" and "slices", the logit of a row is that of the component that judges it,
        so the penalty is computed for all rows at once. With "all", it is computed at once if the
        components can run as one network: each gets a copy of the rows, with the same random draws.
        Otherwise, and with "slices" if only a `fraction` of the rows is penalized, it is computed
        component by component.

        Args:
            penalty: Callable `(discriminator, batch, index) -> [rows]`.
            batch: Tensors by name with as many rows each, assigned as for `route`.
            key: The key of `route`.
            training: Bool.
            whole: Bool, whether the penalty is of every row.
        """
        if training and self.routing == "categorical":

            def judge(inputs: Inputs, training: bool) -> tf.Tensor:
                return self.route(inputs, key=key, training=training).values

            return penalty(judge, batch, 0)[:, tf.newaxis]

        def judge_slices(inputs: Inputs, training: bool) -> tf.Tensor:
            return self._outputs_of_slices(inputs, training)

        if training and self.routing == "slices" and whole:
            return penalty(judge_slices, batch, 0)[:, tf.newaxis]
        if training and self.routing == "slices":
            slices = enumerate(routes.cut(batch, self.num_components))
            costs = [penalty(self.components[index], rows, index) for index, rows in slices]
            return tf.concat(costs, axis=0)[:, tf.newaxis]
        count = self.num_components
        inputs = batch["real"] if "labels" not in batch else [*batch.values()]
        if whole and self._stack_of(inputs, 1, training=training) is not None:
            repeated = {name: shapes.tile_rows(rows, count) for name, rows in batch.items()}
            with random.repeated(count):
                return tf.transpose(tf.reshape(penalty(judge_slices, repeated, 0), [count, -1]))
        costs = [penalty(network, batch, 0) for network in self.components]
        return tf.stack(costs, axis=1)
