"""A player of the game: a network, its calls in training, and its updates.

A plain network is a player whose outputs have one column and weight 1; a mixture of k networks is
a player too. Only this file and `tfgans/mixtures` call and update the two differently.
"""

import contextlib
import functools
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Self, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfgans import compat, optimizers, random, replicas, shapes
from tfgans.layers import MinibatchStdDev, SpectralNormalization
from tfgans.mixtures import Mixture, MixtureDiscriminator, MixtureGenerator, components_of
from tfgans.mixtures.idle_components import restore_idle_components
from tfgans.mixtures.mixture import holds_mixture
from tfgans.mixtures.routing import assignment_order, slice_sizes
from tfgans.penalties import Penalty, PenaltySum
from tfgans.random import Role, Stream
from tfgans.types import Config, Inputs
from tfgans.weighted import Weighted

# `(*examples) -> (loss, logged)`: a scalar to minimize and a tensor that micro-batches sum up.
Loss: TypeAlias = Callable[..., tuple[tf.Tensor, tf.Tensor]]


class Player:
    """A network and its optimizer.

    Args:
        network: Built Keras model.

    Attributes:
        network: The network.
        components: List of Keras models: those of a mixture, else the network alone.
        optimizer: Set by `compile`.
        accumulate_steps: Int, micro-batches per update. Set by `compile`.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network = network
        self._mixture = network if isinstance(network, Mixture) else None
        self.components: list[keras.Model] = components_of(network)
        self.optimizer: keras.optimizers.Optimizer | None = None
        self.accumulate_steps = 1
        if self.routing == "categorical" and self.has_layer_losses:
            raise ValueError(
                "routing='categorical' runs a component only where it is drawn, so the losses of "
                f"its layers cannot be summed. Received: {network.name!r} with a regularizer or "
                "`add_loss`. Use routing='slices', or leave them out"
            )

    @functools.cached_property
    def has_layer_losses(self) -> bool:
        """Whether layers add to the loss: regularizers of weights or outputs, or `add_loss`."""
        # Of frozen layers too, which may be unfrozen later.
        if any(variable.regularizer is not None for variable in self.network.variables):
            return True
        layers = compat.all_layers(self.network)
        if any(getattr(layer, "activity_regularizer", None) is not None for layer in layers):
            return True
        packages = {type(layer).__module__.partition(".")[0] for layer in layers}
        if packages <= {"keras", "tfgans"}:
            return False
        # Whether custom layers add losses shows only in a call.
        return any(_adds_losses(network, self.group_size) for network in self.components)

    def compile(self, optimizer: keras.optimizers.Optimizer, *, accumulate_steps: int) -> None:
        """Sets the optimizer, which `tfgans.optimizers.prepare` has made ready."""
        self.optimizer = optimizer
        self.accumulate_steps = accumulate_steps

    def check_optimizer(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Raises ValueError if an optimizer does not fit the routing of a mixture."""
        accumulates = optimizers.inner_optimizer(optimizer).gradient_accumulation_steps
        if self.routing == "categorical" and accumulates:
            raise ValueError(
                "routing='categorical' cannot tell an idle component from a component whose "
                "gradients are not applied yet. Received: an optimizer with "
                f"gradient_accumulation_steps={accumulates}. Use `accumulate_steps` of `compile`"
            )
        if self.routing == "categorical":
            # Idle components keep their state.
            optimizers.check_carry_over(optimizer)

    @property
    def learns(self) -> bool:
        """Whether an update changes something: a variable of the network, or mixture weights."""
        return bool(self.network.trainable_variables) or self._separate_weights is not None

    def check_optimized_variables(self, role: str) -> None:
        """Raises ValueError if the optimizer is for other variables than those to be trained.

        Args:
            role: "generator" or "discriminator", for the error.
        """
        variables = self.network.trainable_variables
        if self.optimizer is not None and not optimizers.updates(self.optimizer, variables):
            raise ValueError(
                f"The trainable variables of the {role} have changed since `compile`: a layer was "
                f"frozen, unfrozen or added. Received: {self.network.name!r} with "
                f"{len(variables)} trainable variables. Call `compile` again, with new optimizers"
            )

    def check_execution(
        self,
        *,
        jit_compile: bool,
        steps_per_execution: int | str,
        accumulate_steps: int,
        lazy_penalty: bool = False,
    ) -> None:
        """Raises ValueError if TensorFlow cannot run the updates of this player like this.

        Args:
            jit_compile: Bool, whether XLA compiles the step.
            steps_per_execution: Int, the training steps of a call, or "auto".
            accumulate_steps: Int, the micro-batches of an update.
            lazy_penalty: Bool, whether the loss has a penalty with `every` above 1.
        """
        num_replicas = replicas.count()
        if jit_compile and num_replicas > 1:
            raise ValueError(
                "XLA does not compile a step of several replicas. Received: jit_compile=True under "
                f"a strategy of {num_replicas}. Leave it out"
            )
        if steps_per_execution not in ("auto", 1) and num_replicas > 1:
            raise ValueError(
                "Several replicas take one training step in a call. Received: "
                f"steps_per_execution={steps_per_execution} under a strategy of {num_replicas}. "
                "Leave it out"
            )
        if self.routing == "categorical" and jit_compile:
            raise ValueError(
                "routing='categorical' changes batch sizes, which XLA cannot compile. Received: "
                "jit_compile=True. Use routing='slices', or no XLA"
            )
        if self.routing == "categorical" and num_replicas > 1:
            raise ValueError(
                "routing='categorical' runs on one device. Received: a strategy of several "
                "replicas. Use routing='slices'"
            )
        synchronized = (keras.layers.BatchNormalization, SpectralNormalization)
        layers = compat.all_layers(self.network)
        layer = next((layer for layer in layers if isinstance(layer, synchronized)), None)
        if num_replicas > 1 and lazy_penalty and layer is not None:
            raise ValueError(
                "A layer that synchronizes its statistics across replicas does not support a "
                "penalty in some of the updates. Received: a penalty with `every` above 1 under a "
                f"strategy of {num_replicas}, and {layer.name!r}, a {type(layer).__name__}. Use "
                "`every=1`, or a discriminator without such layers"
            )
        if num_replicas > 1 and accumulate_steps > 1 and layer is not None:
            raise ValueError(
                "A layer that synchronizes its statistics across replicas does not support "
                "micro-batches. "
                f"Received: accumulate_steps={accumulate_steps} under a strategy of "
                f"{num_replicas}, and {layer.name!r}, a {type(layer).__name__}. Use layer "
                "normalization, more replicas, or no micro-batches"
            )

    def check_resizable(self) -> Mixture:
        """Returns the mixture, or raises ValueError if its components cannot change."""
        if self._mixture is None:
            raise ValueError(
                "Only a mixture has components to drop or to split. Received: "
                f"{self.network.name!r}, a {type(self.network).__name__}. Use say "
                "`tfgans.MixtureGenerator.from_builder(builder, 4)`"
            )
        self._mixture.check_resizable()
        if self.optimizer is not None:
            optimizers.check_carry_over(self.optimizer)
        return self._mixture

    def take_components(self, indices: Sequence[int]) -> Self:
        """Returns a player with other components of the mixture; it keeps the optimizer's state.

        Args:
            indices: For each new component, the index of the present component that it is or
                copies; see `Mixture.take_components`. A copy starts with the optimizer slots of its
                original.

        Raises:
            ValueError: If the network is not a mixture of components with the same architecture, or
                the optimizer has state that is not specific to one variable.
        """
        mixture = self.check_resizable()
        changed = mixture.take_components(indices)
        player = type(self)(changed)
        if self.optimizer is not None:
            sources = {id(changed.log_weights): mixture.log_weights}
            for origin, component in zip(indices, player.components, strict=True):
                pairs = zip(component.variables, self.components[origin].variables, strict=True)
                sources |= {id(variable): source for variable, source in pairs}
            optimizer = optimizers.carry_over(
                self.optimizer,
                [(x, sources[id(x)]) for x in player.network.trainable_variables],
                lambda slot: slot[list(indices)],
            )
            player.compile(optimizer, accumulate_steps=self.accumulate_steps)
        return player

    @property
    def num_components(self) -> int:
        """The number of networks."""
        return len(self.components)

    @property
    def probabilities(self) -> np.ndarray:
        """The weight of each network: float32 [num_components] with a sum of 1."""
        if self._mixture is None:
            return np.ones(1, np.float32)
        return self._mixture.probabilities

    def component_weights(self) -> tf.Tensor:
        """Returns `probabilities` as a tensor, so that a graph reads them when it runs."""
        if self._mixture is None:
            return tf.ones([1])
        return tf.exp(self._mixture.log_probabilities())

    @property
    def mixture_settings(self) -> Config:
        """The training settings of a mixture, as JSON values by name; empty for a plain network."""
        if self._mixture is None:
            return {}
        return {"components": self.num_components, **self._mixture.settings()}

    @property
    def is_mixture(self) -> bool:
        """Whether the network is a mixture, even one of a single component."""
        return self._mixture is not None

    @property
    def routing(self) -> str | None:
        """The routing of a mixture; None for a plain network."""
        return None if self._mixture is None else self._mixture.routing

    @property
    def group_size(self) -> int:
        """The examples that the network sees together, because of `MinibatchStdDev`; else 1."""
        layers = compat.all_layers(self.network)
        return math.lcm(*(x.group_size for x in layers if isinstance(x, MinibatchStdDev)))

    @property
    def calls_per_example(self) -> int:
        """The number of networks that see each example of an update."""
        return self.num_components if self.routing == "all" else 1

    @property
    def network_variables(self) -> list[keras.Variable]:
        """The trainable variables of the networks, without a mixture's weights."""
        return [variable for network in self.components for variable in network.trainable_variables]

    def minimize(self, loss: Loss, *examples: tf.Tensor | None) -> tf.Tensor:
        """Takes an optimizer step to minimize the mean of a loss over a batch.

        With `accumulate_steps`, the batch is processed in micro-batches, one in memory at a time.
        Each example gets the same random numbers as in the whole batch
        (`tfgans.random.micro_batch`). So if the loss of an example does not depend on the other
        examples, the update equals that of the whole batch, up to the order of summation.

        Args:
            loss: Callable `(*examples) -> (loss, logged)`: the mean over the examples that it
                receives, and a tensor to be summed over the micro-batches.
            *examples: Tensors of equal length on axis 0; None stays None.

        Returns:
            The sum of `logged` over the micro-batches.
        """
        if self.accumulate_steps == 1:
            gradients, logged = self._gradients(loss, examples)
        else:
            gradients, logged = self._summed_gradients(loss, examples)
        self._apply(gradients)
        return logged

    def gradient_norm(self, loss: Callable[[], tf.Tensor]) -> float:
        """Returns the norm of the gradient of `loss()` over the networks' weights, eagerly.

        The loss is scaled as in training, so that gradients that float16 rounds to zero without
        the scale do not look like vanished gradients.
        """
        variables = [variable.value for variable in self.network_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            scaled = self._scale(loss())
        gradients = tape.gradient(scaled, variables)
        scale = float(self._scale(tf.constant(1.0)))
        squares = [
            np.square(np.asarray(tf.convert_to_tensor(gradient), np.float64)).sum()
            for gradient in gradients
            if gradient is not None
        ]
        return math.sqrt(math.fsum(squares)) / scale

    def add_entropy(self, loss: tf.Tensor) -> tf.Tensor:
        """Returns the loss plus the entropy term of a mixture's weights."""
        return loss if self._mixture is None else loss + self._mixture.entropy_term()

    def layer_loss(self, *outputs: Weighted) -> tf.Tensor | None:
        """Returns the losses that the network's layers add, or None if they add nothing.

        Args:
            *outputs: The outputs of the calls whose activity regularizers and `add_loss` count.
        """
        if not self.has_layer_losses:
            return None
        terms = [output.layer_loss for output in outputs if output.layer_loss is not None]
        terms += _weight_losses(self.network)
        return tf.add_n(terms) if terms else tf.zeros([])

    def finalize_averages(self) -> None:
        """Writes the averages of an optimizer with `use_ema` into the network, as Keras's `fit`."""
        if self.optimizer is not None:
            self.optimizer.finalize_variable_values(self.network.trainable_variables)

    @property
    def _separate_weights(self) -> keras.Variable | None:
        """The mixture weights that `Mixture.update_weights` moves instead of the optimizer."""
        mixture = self._mixture
        # With "softmax" the rate is None; with 0 the weights stay as they are, to the bit.
        if mixture is None or not mixture.trainable or not mixture.weight_learning_rate:
            return None
        return mixture.log_weights

    def _with_layer_loss(self, output: Weighted) -> Weighted:
        """Returns the output of the last call together with the losses that its layers added."""
        if not self.has_layer_losses:
            return output
        losses = self.network.losses
        call_losses = losses[: len(losses) - len(_weight_losses(self.network))]
        if not call_losses:
            return output
        return output._replace(
            layer_loss=tf.add_n([tf.cast(tf.reduce_sum(loss), tf.float32) for loss in call_losses])
        )

    def _shared_weights(self) -> AbstractContextManager[None]:
        mixture = self._mixture
        return contextlib.nullcontext() if mixture is None else mixture.shared_stack()

    def _scale(self, loss: tf.Tensor) -> tf.Tensor:
        """Returns the loss, scaled for float16 and for the sum over replicas."""
        if self.optimizer is None:
            return loss
        return self.optimizer.scale_loss(loss / replicas.count())

    def _sources(self) -> list[tf.Variable]:
        """Returns the variables that an update moves: trainable variables and mixture weights."""
        variables = [variable.value for variable in self.network.trainable_variables]
        if self._separate_weights is not None:
            variables.append(self._separate_weights.value)
        return variables

    def _gradients(
        self, loss: Loss, examples: Sequence[tf.Tensor | None], *, num_micro_batches: int = 1
    ) -> tuple[list[tf.Tensor | None], tf.Tensor]:
        sources = self._sources()
        # The weights of the other network need no gradient, so the tape does not record them.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            with self._shared_weights():
                value, logged = loss(*examples)
            scaled = self._scale(value if num_micro_batches == 1 else value / num_micro_batches)
        gradients = tape.gradient(scaled, sources)
        if self._separate_weights is not None and gradients[-1] is None:
            raise ValueError(
                "The loss of a mixture must depend on its weights, or they do not learn. Received: "
                f"a loss of {self.network.name!r} that does not. Take its means by "
                "`tfgans.weighted.Weighted.mean`, say `fake.with_values(terms).mean()`, or set "
                "weight_learning_rate=0 to keep the weights as they are"
            )
        return gradients, logged

    def _summed_gradients(
        self, loss: Loss, examples: Sequence[tf.Tensor | None]
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        num_micro_batches = self.accumulate_steps
        cut = [
            None if tensor is None else _micro_batches(tensor, num_micro_batches)
            for tensor in examples
        ]

        def gradients_of(index: int | tf.Tensor) -> tuple[list[tf.Tensor], tf.Tensor]:
            rows = [None if tensor is None else tensor[index] for tensor in cut]
            with random.micro_batch(index, num_micro_batches):
                gradients, logged = self._gradients(loss, rows, num_micro_batches=num_micro_batches)
            # A variable that the loss does not depend on has the gradient None: use zeros.
            return [
                tf.zeros_like(source) if gradient is None else tf.convert_to_tensor(gradient)
                for gradient, source in zip(gradients, self._sources(), strict=True)
            ], logged

        def add(
            index: tf.Tensor, sums: list[tf.Tensor], logged: tf.Tensor
        ) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
            gradients, more = gradients_of(index)
            sums = [total + gradient for total, gradient in zip(sums, gradients, strict=True)]
            return index + 1, sums, logged + more

        _, sums, logged = tf.while_loop(
            lambda index, *_: index < num_micro_batches,
            add,
            (tf.constant(1), *gradients_of(0)),
            parallel_iterations=1,
            maximum_iterations=num_micro_batches - 1,
        )
        return sums, logged

    def _apply(self, gradients: list[tf.Tensor | None]) -> None:
        """Takes a step of the optimizer, and of a mixture's weights."""
        optimizer, mixture = self.optimizer, self._mixture
        if optimizer is None:
            raise ValueError("You must call `compile()` before training. Received: no optimizer")
        gradients = self._agreed(gradients)
        weight_gradient = None
        if self._separate_weights is not None:
            # The last of `_sources`; before the optimizer, which may change the loss scale.
            *gradients, scaled = gradients
            weight_gradient = _unscaled(scaled, gradients, optimizer)
        variables = self.network.trainable_variables
        if mixture is not None and mixture.routing == "categorical" and self.num_components > 1:
            with restore_idle_components(self.components, variables, optimizer, gradients):
                optimizer.apply(gradients, variables)
        else:
            optimizer.apply(gradients, variables)
        if mixture is not None and weight_gradient is not None:
            mixture.update_weights(replicas.sum_over_replicas(weight_gradient))

    def _agreed(self, gradients: list[tf.Tensor | None]) -> list[tf.Tensor | None]:
        """Returns NaN for all gradients where those of any replica have overflowed in float16.

        Keras checks only the first replica to decide whether to skip the step.
        """
        scales = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)
        if replicas.count() == 1 or not scales:
            return gradients
        overflowed = tf.logical_not(optimizers.all_finite(gradients))
        anywhere = replicas.sum_over_replicas(tf.cast(overflowed, tf.float32)) > 0
        return [
            None if gradient is None else tf.where(anywhere, float("nan"), gradient)
            for gradient in gradients
        ]


class GeneratorPlayer(Player):
    """The player that makes examples.

    Args:
        network: Built Keras model, latents -> examples; or a `MixtureGenerator`.
    """

    def __init__(self, network: keras.Model) -> None:
        _check_network("generator", network, MixtureGenerator)
        super().__init__(network)

    def generate(
        self, latents: tf.Tensor, labels: tf.Tensor | None, *, stream: Stream, training: bool
    ) -> Weighted:
        """Returns float32 examples [rows, ...] for an update, and their weights.

        With "all" routing k times as many as there are latents.
        """
        inputs = shapes.with_labels(latents, labels)
        if isinstance(self.network, MixtureGenerator):
            key = stream.key(Role.GENERATOR_ROUTING)
            output = self.network.route(inputs, key=key, training=training)
            if not training:
                # Components run in branches then, from which no layer loss gets out.
                return output
        else:
            output = Weighted(tf.cast(self.network(inputs, training=training), tf.float32))
        return self._with_layer_loss(output)

    def spread_classes(
        self, real: tf.Tensor, labels: tf.Tensor | None, *, stream: Stream
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns real examples and labels in an order that gives each generator all classes.

        A mixture makes slices of a batch, whose classes are the labels. If the labels are sorted,
        a generator would never see the classes of other slices.
        """
        if labels is None or self.routing != "slices" or self.num_components == 1:
            return real, labels
        num_rows = shapes.batch_size(real)
        draw = stream.uniform(Role.CLASS_ASSIGNMENT, [1])[0]
        shift = tf.cast(draw * tf.cast(num_rows, tf.float32), tf.int32)
        order = assignment_order(num_rows, self.num_components, shift)
        return tf.gather(real, order), tf.gather(labels, order)

    def draw_components(self, keys: tf.Tensor) -> tf.Tensor:
        """Returns int32 [rows]: the component of each sample, from its int64 key [rows, 2]."""
        if isinstance(self.network, MixtureGenerator):
            return self.network.draw_components(keys)
        return tf.zeros([tf.shape(keys)[0]], tf.int32)

    def choose(self, uniforms: tf.Tensor) -> tf.Tensor:
        """Returns int32 [rows] components by their weights, from U[0, 1) numbers [rows]."""
        if isinstance(self.network, MixtureGenerator):
            return self.network.choose(uniforms)
        return tf.zeros(tf.shape(uniforms), tf.int32)

    def generate_at_inference(
        self, latents: tf.Tensor, labels: tf.Tensor | None, components: tf.Tensor | None
    ) -> tf.Tensor:
        """Returns float32 [rows, ...]: what the generator makes at inference.

        Args:
            latents: Float [rows, ...].
            labels: Int [rows], or None.
            components: Int [rows], the component that makes each example. None: the latent decides.
        """
        inputs = shapes.with_labels(latents, labels)
        if components is None or not isinstance(self.network, MixtureGenerator):
            return tf.cast(self.network(inputs, training=False), tf.float32)
        return tf.cast(self.network(inputs, training=False, component=components), tf.float32)


class DiscriminatorPlayer(Player):
    """The player that judges examples.

    Args:
        network: Built Keras model, examples -> logits [batch, 1]; or a `MixtureDiscriminator`.
    """

    def __init__(self, network: keras.Model) -> None:
        _check_network("discriminator", network, MixtureDiscriminator)
        super().__init__(network)

    def assign_rows(
        self, *batch: tf.Tensor | None, stream: Stream, training: bool
    ) -> list[tf.Tensor | None]:
        """Returns the tensors with their rows in the order in which a mixture slices them.

        All tensors must have the same number of rows; None stays None. Tensors that are assigned
        with the same stream stay paired.
        """
        if not isinstance(self.network, MixtureDiscriminator):
            return list(batch)
        tensors = [rows for rows in batch if rows is not None]
        key = stream.key(Role.ROW_ASSIGNMENT)
        assigned = self.network.assign_rows(tensors, key=key, training=training)
        remaining = iter(assigned)
        return [None if rows is None else next(remaining) for rows in batch]

    def logits(
        self, examples: tf.Tensor, labels: tf.Tensor | None, *, stream: Stream, training: bool
    ) -> Weighted:
        """Returns float32 logits [rows, columns] of examples, and their weights."""
        inputs = shapes.with_labels(examples, labels)
        if isinstance(self.network, MixtureDiscriminator):
            key = stream.key(Role.DISCRIMINATOR_ROUTING)
            output = self.network.route(inputs, key=key, training=training)
        else:
            # Losses are computed in float32 whatever the networks compute in.
            output = Weighted(tf.cast(self.network(inputs, training=training), tf.float32))
        return self._with_layer_loss(output)

    def mean_logits(self, examples: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """Returns float32 [rows, 1]: logits at inference, of a mixture their weighted mean."""
        inputs = shapes.with_labels(examples, labels)
        logits = tf.cast(self.network(inputs, training=False), tf.float32)
        if self._mixture is None:
            return logits
        return tf.reduce_sum(logits * self.component_weights(), axis=1, keepdims=True)

    def map_components(
        self,
        function: Callable[..., tf.Tensor | tuple[tf.Tensor, ...]],
        *batches: tf.Tensor | None,
        training: bool,
    ) -> tf.Tensor | tuple[tf.Tensor, ...]:
        """Returns `function(*batches)`, computed separately on the rows of each discriminator.

        For losses in which an example's term depends on other examples of the batch: a column of
        logits in a call is always from a single discriminator.
        """
        if not isinstance(self.network, MixtureDiscriminator):
            return function(*batches)
        cuts = [self.network.cut_by_discriminator(rows, training=training) for rows in batches]
        parts = [function(*rows) for rows in zip(*cuts, strict=True)]
        return tf.nest.map_structure(lambda *terms: tf.concat(terms, axis=0), *parts)

    def penalize(
        self,
        penalty: Penalty | PenaltySum,
        real: tf.Tensor,
        fake: tf.Tensor,
        labels: tf.Tensor | None,
        *,
        stream: Stream,
        training: bool,
        augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None,
    ) -> tf.Tensor:
        """Returns the penalty of each row: float32 [rows, columns], columns as those of `logits`.

        With `augment`, a callable `(examples, key) -> examples`, the penalty is that of the
        discriminator applied to augmented examples.
        """
        batch = {"real": real, "fake": fake} | ({} if labels is None else {"labels": labels})

        def penalty_of(
            discriminator: Callable[..., tf.Tensor], rows: dict[str, tf.Tensor], index: int
        ) -> tf.Tensor:
            key = stream.key(Role.PENALTY)
            if index:
                key = stream.key(Role.PENALTY_OF_COMPONENT, index)
            if augment is not None:
                changes = stream.key(Role.AUGMENTATION_OF_PENALTY, index)
                discriminator = _after(augment, changes, discriminator)
            return penalty(discriminator, key=key, update=stream.update, training=training, **rows)

        if isinstance(self.network, MixtureDiscriminator):
            routing_key = stream.key(Role.DISCRIMINATOR_ROUTING)
            return self.network.penalize(
                penalty_of,
                batch,
                key=routing_key,
                training=training,
                whole=penalty.fraction == 1,
            )
        return penalty_of(self.network, batch, 0)[:, tf.newaxis]


def check_batch_size(num: int, *players: Player, num_replicas: int, accumulate_steps: int) -> None:
    """Raises ValueError unless an update can have `num` examples.

    Args:
        num: Int, the examples of an update.
        *players: Both players.
        num_replicas: Int, the replicas that share the batch.
        accumulate_steps: Int, the micro-batches into which each of them cuts its share.
    """
    num_shares = num_replicas * accumulate_steps
    if num % num_shares:
        raise ValueError(
            f"The batch must be a multiple of {num_shares}: {num_replicas} replicas times "
            f"accumulate_steps={accumulate_steps}. Received: {num} examples"
        )
    for player in players:
        sizes = [num // num_shares]
        if player.routing == "slices":
            sizes = slice_sizes(num // num_shares, player.num_components)
        if any(size % player.group_size for size in sizes):
            raise ValueError(
                f"{player.network.name!r} sees examples in groups of {player.group_size} "
                "(`MinibatchStdDev`), so it needs multiples of them in each slice or micro-batch. "
                f"Received: {num} examples, which make parts of {min(sizes)} to {max(sizes)}"
            )


def match_rows(rows: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Returns `rows`, tiled to the number of rows of `fake`: a multiple with "all" routing."""
    num_fakes, num_rows = shapes.batch_size(fake), shapes.batch_size(rows)
    if isinstance(num_fakes, int) and isinstance(num_rows, int) and num_fakes % num_rows:
        raise ValueError(
            "`generate` must return an example for each latent, or as many for each. Received: "
            f"{num_fakes} examples for a batch of {num_rows}"
        )
    times = num_fakes // num_rows
    if isinstance(times, int) and times == 1:
        return rows
    return shapes.tile_rows(rows, times)


def map_micro_batches(
    function: Callable[..., tf.Tensor], *examples: tf.Tensor | None, num_micro_batches: int
) -> tf.Tensor:
    """Returns `function(*examples)` [batch, ...], computed in micro-batches."""
    if num_micro_batches == 1:
        return function(*examples)
    cut = [
        None if tensor is None else _micro_batches(tensor, num_micro_batches) for tensor in examples
    ]

    def make(index: tf.Tensor) -> tf.Tensor:
        with random.micro_batch(index, num_micro_batches):
            return function(*[None if tensor is None else tensor[index] for tensor in cut])

    made = tf.map_fn(
        make, tf.range(num_micro_batches), fn_output_signature=tf.float32, parallel_iterations=1
    )
    return tf.concat(tf.unstack(made, num=num_micro_batches), axis=0)


def _micro_batches(batch: tf.Tensor, num_micro_batches: int) -> tf.Tensor:
    """Returns [num_micro_batches, rows, ...]; the length of the batch is a multiple."""
    num_rows = batch.shape[0]
    if num_rows is not None and num_rows % num_micro_batches:
        raise ValueError(
            f"The batch must be a multiple of accumulate_steps={num_micro_batches}. Received: "
            f"{num_rows} examples"
        )
    size = -1 if num_rows is None else num_rows // num_micro_batches
    return tf.reshape(batch, [num_micro_batches, size, *batch.shape[1:]])


def _unscaled(
    gradient: tf.Tensor,
    other_gradients: Sequence[tf.Tensor | None],
    optimizer: keras.optimizers.Optimizer,
) -> tf.Tensor:
    """Returns the gradient without the loss scale; NaN where the optimizer skips the step."""
    unscaled = gradient / optimizer.scale_loss(1.0)
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return unscaled
    return tf.where(optimizers.all_finite(other_gradients), unscaled, float("nan"))


def _after(
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    key: tf.Tensor,
    discriminator: Callable[..., tf.Tensor],
) -> Callable[..., tf.Tensor]:
    """Returns the discriminator of augmented examples, with and without labels."""

    def judge(inputs: Inputs, training: bool) -> tf.Tensor:
        if isinstance(inputs, list):
            examples, labels = inputs
            return discriminator([augment(examples, key), labels], training=training)
        return discriminator(augment(inputs, key), training=training)

    return judge


def _check_network(role: str, network: keras.Model, kind: type[Mixture]) -> None:
    if not isinstance(network, keras.layers.Layer):
        raise ValueError(
            f"The {role} must be a built Keras model, say a `keras.Sequential` that begins with "
            f"`keras.Input`, or a `tfgans.{kind.__name__}`. Received: {network!r}"
        )
    if isinstance(network, kind):
        return
    if holds_mixture(network):
        raise ValueError(
            f"A mixture passed here must be a `tfgans.{kind.__name__}` itself: inside another "
            f"network, its weights would not learn. Received: {network!r}. Put further layers into "
            "the components"
        )


def _weight_losses(network: keras.Model) -> list[tf.Tensor]:
    """Returns the terms of weight regularizers, which Keras lists last in `losses`."""
    return [
        tf.cast(variable.regularizer(variable), tf.float32)
        for variable in network.trainable_variables
        if variable.regularizer is not None
    ]


def _adds_losses(network: keras.Model, num_rows: int) -> bool:
    """Returns whether a call adds losses, by a trace: sizes of axes may be unknown."""
    inputs = tf.TensorSpec([num_rows, *shapes.input_shape(network, "network")], tf.float32)
    labels = tf.TensorSpec([num_rows], tf.int32) if shapes.takes_labels(network) else None
    losses: list[tf.Tensor] = []

    def call(inputs: tf.Tensor, labels: tf.Tensor | None) -> None:
        # In a stateless scope neither statistics nor random states of the network change.
        with keras.StatelessScope(collect_losses=True) as scope:
            network(shapes.with_labels(inputs, labels), training=True)
        losses.extend(scope.losses)

    tf.function(call, autograph=False).get_concrete_function(inputs, labels)
    return bool(losses)
