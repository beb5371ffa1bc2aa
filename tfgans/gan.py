"""A generative adversarial network as a Keras model: two networks that train against each other."""

import functools
import inspect
import os
import secrets
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias, cast

import keras
import numpy as np
import tensorflow as tf

from tfgans import (
    averages,
    callback_checks,
    checks,
    compat,
    export,
    files,
    game_checks,
    optimizers,
    players,
    random,
    replicas,
    sampling,
    seed_states,
    shapes,
    state,
)
from tfgans.augmentation import Augmentation
from tfgans.data import Source, adapters, batches, plain_errors
from tfgans.data.adapters import Data
from tfgans.data.array_inputs import ArrayLike, split_validation
from tfgans.data.label_checks import check_labels
from tfgans.determinism import deterministic_compilation
from tfgans.layers import InstanceNoise
from tfgans.logs import LogMeans
from tfgans.mixtures import components_of, perturbation
from tfgans.objectives import Objective
from tfgans.penalties import Penalty, PenaltySum, clip_weights
from tfgans.players import DiscriminatorPlayer, GeneratorPlayer, Player
from tfgans.random import ReservedStep, Role, RowDraws, Stream
from tfgans.refinement import Langevin
from tfgans.regularizers import Regularizer, RegularizerInputs
from tfgans.steps_per_execution import (
    StepsPerExecutionTuner,
    intervals,
    make_multi_step_function,
)
from tfgans.types import Config, Inputs, Logs, Store
from tfgans.views import Views
from tfgans.weighted import Weighted


class _Examples(NamedTuple):
    """Real and fake examples as the discriminator receives them.

    Attributes:
        real: Float [batch, ...]; as many as there are fakes, where the objective pairs them.
        real_labels: Int, the class of each real example; None if the model is not conditional.
        fake: `Weighted` examples.
        fake_labels: Int, the class of each fake; None if the model is not conditional.
        penalized_real: Float, a real example for each fake, for penalties.
        penalized_fake: Float, the fakes for penalties.
    """

    real: tf.Tensor
    real_labels: tf.Tensor | None
    fake: Weighted
    fake_labels: tf.Tensor | None
    penalized_real: tf.Tensor
    penalized_fake: tf.Tensor


Optimizer: TypeAlias = keras.optimizers.Optimizer


@compat.tunes_steps_per_execution(lambda gan: gan._choose_steps_per_call())
@compat.refuses_saved_model
@keras.saving.register_keras_serializable(package="tfgans")
class GAN(keras.Model):
    """Trains two networks against each other.

    One training step is `discriminator_steps` updates of the discriminator, each on fresh real
    examples and fresh latents, then one update of the generator. All random draws are a pure
    function of (`seed`, step), except those of random layers such as Dropout, whose states are
    saved. So runs are reproducible, and training a saved and reloaded model further gives
    bit-identical results.

    The networks can be any Keras models, or mixtures of them (`MixtureGenerator`,
    `MixtureDiscriminator`). With mixtures, each loss term is a sum over pairs of components,
    weighted by both. Losses that the layers of a network add (regularizers, `add_loss`) are part of
    the loss of its player.

    To change a part of the step, override its method: `draw_latents`, `generate`,
    `discriminator_loss`, `generator_loss`, `discriminator_update`, `generator_update`,
    `after_step`.

    Args:
        generator: Built Keras model, latents [batch, ...] -> examples [batch, ...]; a conditional
            generator takes the list [latents, labels].
        discriminator: Built Keras model, examples -> logits [batch, 1], with no sigmoid; or a
            `MixtureDiscriminator`. A conditional discriminator takes [examples, labels].
        objective: `tfgans.objectives.Objective`, the game.
        penalty: `tfgans.penalties.Penalty`, a `PenaltySum`, or None (the default).
        discriminator_steps: Int of at least 1. Updates of the discriminator before each update of
            the generator. Default: 1.
        weight_clip: Float above 0, or None (the default). After each of its updates, all
            parameters of the discriminator are moved into [-weight_clip, weight_clip].
        instance_noise: `tfgans.layers.InstanceNoise`, independent noise on the real and on the
            fake examples in the updates of both players; or None (the default).
        augmentation: `tfgans.augmentation.Augmentation`, independent changes of the real and of
            the fake images in the updates of both players, before the noise; or None (the
            default).
        regularizers: List of `tfgans.regularizers.Regularizer`, further terms of the losses in
            training. Default: none.
        num_classes: Int of at least 2, of a conditional model: `fit` then takes labels 0, 1, ...,
            and the fakes of an update get the labels of its real examples. Default: None.
        ema: Float in [0, 1), the decay of an exponential moving average of the generator's
            weights (BatchNormalization statistics included), which `sample`, `predict` and
            `export` then use. The effective decay is min(ema, (1 + step) / (10 + step)), as in
            `tf.train.ExponentialMovingAverage`, so that the initial weights are soon forgotten.
            Default: None, no average.
        seed: Int, the seed of the draws of training. It does not seed the networks' initial weights
            and random layers, the components that a `MixtureGenerator` draws, or the examples of
            `sample` and of exports. Default: 0.
        name: String, optional.

    Call arguments:
        inputs: Float tensor [batch, ...], the latents; of a conditional model the list [latents,
            labels]. Returns the examples that the sampling generator makes.

    Raises:
        ValueError: If the networks do not match each other or the labels, a penalty is combined
            with a discriminator that uses BatchNormalization, or a number is out of range.

    Example:

    ```python
    gan = tfgans.GAN(generator, discriminator, objective=tfgans.objectives.NonSaturating())
    gan.compile()
    gan.fit(source, batch_size=64, epochs=5, steps_per_epoch=100)
    images = gan.sample(16, seed=1)
    ```

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", Algorithm 1.
    """

    # Whether there is a loss of the generator to log.
    _trains_generator: ClassVar[bool] = True
    # Called with an iterator over the data; set by `make_train_function`.
    train_function: Callable[[Any], Logs] | None

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        objective: Objective,
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 1,
        weight_clip: float | None = None,
        instance_noise: InstanceNoise | None = None,
        augmentation: Augmentation | None = None,
        regularizers: Sequence[Regularizer] = (),
        num_classes: int | None = None,
        ema: float | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        if num_classes is not None:
            checks.int_at_least("num_classes", num_classes, 2)
        if ema is not None and checks.non_negative("ema", ema) >= 1:
            raise ValueError(f"`ema` must be None or a float in [0, 1). Received: {ema!r}")
        if weight_clip is not None:
            checks.positive("weight_clip", weight_clip)
        generator_player = GeneratorPlayer(generator)
        discriminator_player = DiscriminatorPlayer(discriminator)
        game_checks.check_networks(generator_player, discriminator_player, num_classes=num_classes)
        game_checks.check_game(
            objective, penalty, instance_noise, generator_player, discriminator_player
        )
        game_checks.check_augmentation_and_regularizers(
            augmentation,
            regularizers,
            objective,
            discriminator_player,
            trains_generator=self._trains_generator,
        )
        # The networks cast their inputs. A mixture must see the bits of the latents unchanged.
        super().__init__(name=name, autocast=False)
        self.objective = objective
        self.penalty = penalty
        self.discriminator_steps = checks.positive_int("discriminator_steps", discriminator_steps)
        self.weight_clip = weight_clip
        self._views = Views(augmentation, instance_noise, objective.decision_threshold)
        self.regularizers = tuple(regularizers)
        layers = [part.state for part in (augmentation, *regularizers) if part is not None]
        # A regularizer may have the augmentation of the model.
        self._moving_state = list(dict.fromkeys(layer for layer in layers if layer is not None))
        self.num_classes = num_classes
        self.ema = None if ema is None else float(ema)
        self.seed = checks.integer("seed", seed)
        self._check_scope(generator, discriminator)
        self.data_shape = shapes.input_shape(discriminator, "discriminator")
        # Examples of a micro-batch on a replica, once the batches of a training are known.
        self._micro_batch_size: int | None = None
        for network in (generator, discriminator):
            replicas.synchronize_batch_statistics(network)
            replicas.warn_of_random_layers(network, stacklevel=2)
        average = None
        if ema is not None:
            averages.check_precision(generator)
            average = averages.copy_network(generator)
            average.name = f"{generator.name}_average"
            average.trainable = False
        # Keras tracks the layers among the attributes.
        self._discriminator, self._instance_noise = discriminator, instance_noise
        self.discriminator_player = discriminator_player
        self._set_generator(generator_player, average)
        self._log_means = LogMeans(self._log_names())
        self._step = self._add_counter("step")
        self._rollbacks = 0
        self._tuner = StepsPerExecutionTuner([])
        self._begins_training = False
        # Whether a training step has called `after_step`.
        self._counts_steps = False
        # The arguments of `compile` but for the optimizers; None before it.
        self._compile_options: Config | None = None
        self.built = True

    def _add_counter(self, name: str) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def _check_scope(self, generator: keras.Model, discriminator: keras.Model) -> None:
        """Raises ValueError if the strategy in scope did not create the variables of a part."""
        parts = {
            "The generator": generator,
            "The discriminator": discriminator,
            "`instance_noise`": self.instance_noise,
            **{f"The state of `{part.name}`": part for part in self._moving_state},
        }
        for name, part in parts.items():
            if part is not None and not all(map(replicas.made_in_scope, part.variables)):
                raise ValueError(
                    f"{name} was created outside of the scope of the strategy. Create the "
                    "networks, the model and all of its parts in `with strategy.scope():`"
                )

    def _set_generator(self, player: GeneratorPlayer, average: keras.Model | None) -> None:
        """Sets the generator and its average, and what draws samples from them."""
        self.generator_player = player
        self._generator = player.network
        self.ema_generator = average
        self._sampler = sampling.Sampler(
            self.sampling_generator,
            num_classes=self.num_classes,
            draw_latents=self._latent_draws,
            logits_fn=self.discriminator_player.mean_logits,
        )

    # State.

    @property
    def generator(self) -> keras.Model:
        """The generator. `drop_component` and `split_component` replace a mixture."""
        return self.generator_player.network

    @property
    def discriminator(self) -> keras.Model:
        """The discriminator."""
        return self.discriminator_player.network

    @property
    def generator_optimizer(self) -> Optimizer | None:
        """The optimizer of the generator; None before `compile`."""
        return self.generator_player.optimizer

    @property
    def discriminator_optimizer(self) -> Optimizer | None:
        """The optimizer of the discriminator; None before `compile`."""
        return self.discriminator_player.optimizer

    @property
    def augmentation(self) -> Augmentation | None:
        """The augmentation of both players' examples, or None."""
        return self._views.augmentation

    @property
    def instance_noise(self) -> InstanceNoise | None:
        """The noise on both players' examples, or None."""
        return self._views.instance_noise

    @property
    def step(self) -> int:
        """Training steps done so far; saved and resumed with the weights."""
        return int(tf.convert_to_tensor(self._step.value))

    @property
    def rollbacks(self) -> int:
        """How often training has returned to a backup; saved and resumed with the weights."""
        return self._rollbacks

    def count_rollback(self) -> None:
        """Adds 1 to `rollbacks`, which distinguishes backups made after a rollback from older ones.

        `tfgans.callbacks.Doctor` calls it.
        """
        self._rollbacks += 1

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of a latent."""
        return self._sampler.latent_shape

    @property
    def players(self) -> dict[str, Player]:
        """Both networks as `tfgans.players.Player`, by "generator" and "discriminator"."""
        return {"generator": self.generator_player, "discriminator": self.discriminator_player}

    @property
    def sampling_generator(self) -> keras.Model:
        """The network that samples: the moving average if there is one, else the generator."""
        return self.generator if self.ema_generator is None else self.ema_generator

    @property
    def sampler(self) -> sampling.Sampler:
        """Maps seeds to examples of `sampling_generator`; exports and metrics use it too."""
        return self._sampler

    @property
    def current_penalty(self) -> Penalty | PenaltySum | None:
        """The penalty with the weight of the next step: `penalty`, unless a schedule moves it."""
        return self.penalty

    @property
    def refinement(self) -> Langevin | None:
        """The default refinement of `sample`: None, no refinement."""
        return None

    # Compilation.

    @property
    def compiled(self) -> bool:
        """Whether `compile` has been called."""
        return getattr(self, "_compile_options", None) is not None

    @compiled.setter
    def compiled(self, value: bool) -> None:
        """Ignores Keras, which sets True for a loaded model that could not be compiled."""

    def default_optimizers(self) -> tuple[Optimizer, Optimizer]:
        """Returns a new (generator, discriminator) optimizer pair: Adam of the DCGAN paper."""
        return optimizers.adam_pair(2e-4, beta_1=0.5, beta_2=0.999)

    def compile(
        self,
        generator_optimizer: Optimizer | str | None = None,
        discriminator_optimizer: Optimizer | str | None = None,
        *,
        run_eagerly: bool = False,
        steps_per_execution: int | Literal["auto"] = "auto",
        jit_compile: bool = False,
        accumulate_steps: int = 1,
        **unknown: object,
    ) -> None:
        """Sets the optimizers (by default those of the paper) and how steps are executed.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` or its name. To use a learning rate
                schedule, pass it to the optimizer.
            discriminator_optimizer: As `generator_optimizer`, but a separate object.
            run_eagerly: Bool, for debugging.
            steps_per_execution: Int, training steps per call of the compiled function; callbacks
                see only the last of them. Or "auto" (the default): as many steps as take about a
                tenth of a second, but never past a step that a callback must see. A callback with
                an attribute `every_steps`, such as those of tfgans, must see its multiples; any
                other callback with batch-level hooks must see every step. Under a strategy, or with
                `run_eagerly`, "auto" is 1; several replicas require 1 or "auto".
            jit_compile: Bool, whether to compile the step with XLA.
            accumulate_steps: Int of at least 1, micro-batches per update, for batches that do not
                fit in memory: they are processed in turn, and their gradients are summed. The
                gradient equals that of the whole batch up to the order of summation, except for
                anything computed over the batch, which is then computed per micro-batch: batch
                statistics, activity regularizers, the power iterations of spectral normalization,
                a mixture's slices (with "all" routing the noise and the points of penalties),
                `KLWGAN`'s weights, the spread of `DRAGAN`, a penalty's `fraction`, dropout.
                Default: 1, the whole batch at once.
            **unknown: Not accepted. `optimizer` and `loss` raise an error that names the arguments
                to use instead.

        A network in `mixed_float16` gets its optimizer wrapped in a `LossScaleOptimizer`.

        Raises:
            TypeError: If there is another argument, say `optimizer`.
            ValueError: If both optimizers are the same object, or an optimizer does not fit its
                network.
        """
        for argument in unknown:
            raise TypeError(
                f"`{type(self).__name__}.compile` got an unexpected argument `{argument}`. A "
                "`tfgans.GAN` has two players: pass `generator_optimizer` and "
                "`discriminator_optimizer`, or nothing for those of the paper; its loss is the "
                "objective. A `keras.metrics.Metric` that a subclass sets as an attribute is logged"
            )
        with self.distribute_strategy.scope():
            defaults = self.default_optimizers()
        if not (
            isinstance(defaults, tuple | list)
            and len(defaults) == 2
            and all(isinstance(optimizer, keras.optimizers.Optimizer) for optimizer in defaults)
        ):
            raise ValueError(
                "`default_optimizers` must return two optimizers, for the generator and for the "
                f"discriminator. Received: {defaults!r}"
            )
        pair = [
            default if optimizer is None else optimizer
            for optimizer, default in zip(
                (generator_optimizer, discriminator_optimizer), defaults, strict=True
            )
        ]
        if pair[0] is pair[1] and isinstance(pair[0], keras.optimizers.Optimizer):
            raise ValueError(
                "Each player needs a separate optimizer. Received the same object twice"
            )
        checks.boolean("run_eagerly", run_eagerly)
        checks.boolean("jit_compile", jit_compile)
        if steps_per_execution != "auto":
            checks.positive_int("steps_per_execution", steps_per_execution)
        checks.positive_int("accumulate_steps", accumulate_steps)
        with self.distribute_strategy.scope():
            for name, player in self.players.items():
                player.check_execution(
                    jit_compile=jit_compile,
                    steps_per_execution=steps_per_execution,
                    accumulate_steps=accumulate_steps,
                    lazy_penalty=name == "discriminator"
                    and self.penalty is not None
                    and self.penalty.is_lazy,
                )
            ready = [
                optimizers.prepare(optimizer, player.network)
                for optimizer, player in zip(pair, self.players.values(), strict=True)
            ]
        for player, optimizer in zip(self.players.values(), ready, strict=True):
            player.check_optimizer(optimizer)
        self._check_optimizers(ready)
        noise = self.instance_noise
        moves_noise = noise is not None and noise.schedule != "constant"
        state.claim([*self._moving_state, *([noise] if moves_noise else [])], self)
        self._warn_of_frozen_players()
        self._warn_of_unsaved_arguments()
        # `optimizer=None` keeps Keras from adding a third optimizer, RMSprop, to every checkpoint.
        # For "auto" Keras takes single steps, which `make_multi_step_function` puts together.
        super().compile(
            optimizer=None,
            run_eagerly=run_eagerly,
            steps_per_execution=1 if steps_per_execution == "auto" else steps_per_execution,
            jit_compile=jit_compile,
        )
        self.accumulate_steps = accumulate_steps
        self._learning_rates = optimizers.LearningRates(*ready)
        for player, optimizer in zip(self.players.values(), ready, strict=True):
            player.compile(optimizer, accumulate_steps=self.accumulate_steps)
        self._compile_options = {
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
            "accumulate_steps": accumulate_steps,
        }

    def _check_optimizers(self, generator_and_discriminator: Sequence[Optimizer]) -> None:
        """Raises ValueError if the optimizers, ready for training, do not fit the method."""

    def _check_metric_names(self) -> None:
        """Raises ValueError if a metric of a subclass has the name of a log."""
        added = {metric.name for metric in self.metrics if metric is not self._log_means}
        taken = added & set(self._log_means.names)
        if taken:
            raise ValueError(
                f"The model logs {taken.pop()!r} itself. Received: a metric of this name. Give it "
                "another name"
            )

    def _warn_of_frozen_players(self) -> None:
        """Warns of a player that cannot learn, as in GANs of a single `keras.Model`."""
        learning = dict(self.players)
        if not self._trains_generator:
            del learning["generator"]
        for name, player in learning.items():
            if player.network.variables and not player.learns:
                warnings.warn(
                    f"The {name} has no trainable variables, so it does not learn. Set "
                    f"`{name}.trainable = True` before `compile`: each player moves only the "
                    "variables of its network",
                    stacklevel=3,
                )

    def _warn_of_unsaved_arguments(self) -> None:
        """Warns of arguments of a subclass that a loaded model would not have."""
        unsaved = game_checks.unsaved_arguments(self)
        if unsaved:
            name = type(self).__name__
            warnings.warn(
                f"`{name}.__init__` takes {', '.join(f'`{argument}`' for argument in unsaved)}, "
                "which a saved model does not contain. Define "
                f"`{name}.get_config`, which adds {'it' if len(unsaved) == 1 else 'them'} to "
                "`super().get_config()`",
                stacklevel=3,
            )

    @property
    def optimizer(self) -> optimizers.LearningRates | None:
        """Both learning rates, for Keras's callbacks; None before `compile`.

        Setting `gan.optimizer.learning_rate` gives the generator that rate and keeps the ratio of
        the discriminator's rate to it. `gan.generator_optimizer` and `gan.discriminator_optimizer`
        are the optimizers.
        """
        if not self.compiled:
            return None
        return self._learning_rates

    @optimizer.setter
    def optimizer(self, value: None) -> None:
        # Keras assigns the optimizer of its `compile`.
        if value is not None:
            raise AttributeError(
                "A GAN has two optimizers. Received: a single optimizer. Pass "
                "`generator_optimizer` and `discriminator_optimizer` to `compile`"
            )

    # The components of a mixture of generators.

    def drop_component(self, component: int) -> None:
        """Removes a component of a `MixtureGenerator`, between two training steps.

        The others keep their networks, their slots in the optimizer and their averages; their
        weights are rescaled to sum to 1. `generator` becomes a new mixture, which saved files
        contain. A dropped component costs no more time or memory.

        Args:
            component: Int, its number; those after it move up.

        Raises:
            ValueError: If the component does not exist or is the only one, the generator is not a
                mixture of components with the same architecture, its optimizer has state that is
                not specific to one variable, or the model trains on several replicas.

        Example:

        ```python
        gan.drop_component(int(np.argmin(gan.generator.probabilities)))
        ```
        """
        self.check_resizable()
        self._sampler.check_component(component)
        count = self._sampler.num_components
        if count == 1:
            raise ValueError(
                "A mixture needs at least one component. Received: the only component to drop. "
                "Split it first"
            )
        self._take_components([index for index in range(count) if index != component])

    def split_component(self, component: int, *, noise: float = 0.1) -> None:
        """Adds a perturbed copy of a component of a `MixtureGenerator`, between two training steps.

        The copy comes last. Each of the two gets half of the weight, so with `noise=0` the
        distribution of the samples does not change. Normal noise is added to each trainable
        variable of the copy, with a standard deviation of `noise` times the variable's root mean
        square. The noise is a function of `seed`, the step and the number of components, and is
        also added to the copy's moving average. The copy starts with the original's optimizer
        slots.

        Args:
            component: Int, the number of the component to copy.
            noise: Float of at least 0. Default: 0.1.

        Raises:
            ValueError: If there is no such component, `noise` is negative, or as for
                `drop_component`.

        Example:

        ```python
        gan.split_component(int(np.argmax(gan.generator.probabilities)))
        ```
        """
        self.check_resizable()
        self._sampler.check_component(component)
        checks.non_negative("noise", noise)
        count = self._sampler.num_components
        self._take_components([*range(count), component])
        key = random.key(self.seed, ReservedStep.PERTURBATION, self.step, count)
        copy, average = (
            None if network is None else components_of(network)[-1]
            for network in (self.generator, self.ema_generator)
        )
        perturbation.perturb(copy, average, noise=noise, key=key)

    def check_resizable(self, max_components: int | None = None) -> None:
        """Raises ValueError if no component of the generator can be dropped or split.

        Args:
            max_components: Int, the largest number of components to allow. With "slices" routing,
                each needs an example in each part of the batches of `fit`. Default: None, not
                checked.
        """
        player, num_rows = self.generator_player, self._micro_batch_size
        player.check_resizable()
        if max_components and num_rows and player.routing == "slices" and max_components > num_rows:
            raise ValueError(
                "With routing='slices' each component needs an example of each micro-batch. "
                f"Received: up to {max_components} components, and micro-batches of {num_rows} "
                "examples. Use larger batches, fewer micro-batches or fewer components"
            )
        num_replicas = self.distribute_strategy.num_replicas_in_sync
        if num_replicas > 1:
            raise ValueError(
                "The number of components can be changed only on a single device. Received: a "
                f"model in the scope of a strategy of {num_replicas} replicas. Train on one "
                "device, or do not drop or split components"
            )

    def _take_components(self, indices: Sequence[int]) -> None:
        """Makes component j of the generator the present component `indices[j]`, or its copy."""
        player = self.generator_player.take_components(indices)
        game_checks.check_groups(self.penalty, player, self.discriminator_player)
        average = self.ema_generator
        if average is not None:
            average = GeneratorPlayer(average).take_components(indices).network
        for network in (self.generator, self.ema_generator):
            if network is not None:
                compat.untrack_layer(self, network)
        self._set_generator(player, average)
        if self.compiled:
            self._learning_rates = optimizers.LearningRates(
                player.optimizer, self.discriminator_player.optimizer
            )
            self.make_train_function(force=True)
            self.test_function = self.predict_function = None

    # The training step.

    def train_step(self, data: Inputs) -> Logs:
        """Takes a training step on real examples [batch, discriminator_steps, ...], and labels."""
        with batches.after_data(data):
            count = self.discriminator_steps
            batch = batches.batches_of_step(
                data,
                discriminator_steps=count,
                data_shape=self.data_shape,
                num_classes=self.num_classes,
            )
            stream = Stream(random.key(self.seed, self._step))

            def update_discriminator(index: int | tf.Tensor) -> None:
                real, labels = batch(index)
                number = self._step * count + tf.cast(index, self._step.dtype)
                substream = stream.substream(index, update=number)
                self.discriminator_update(real, labels, stream=substream)

            replicas.repeat(count, update_discriminator)
            real, labels = batch(count - 1)
            self.generator_update(real, labels, stream=stream.substream(count))
            self.after_step()
            return self.get_metrics_result()

    def discriminator_update(
        self,
        real: tf.Tensor,
        labels: tf.Tensor | None = None,
        *,
        stream: Stream,
    ) -> None:
        """Updates the discriminator once, on `real` [batch, ...] and as many new fakes.

        In a graph, this method is called in a loop over the updates of a step, so an override must
        use variables to pass values from one update to the next.

        Args:
            real: Float [batch, ...].
            labels: Int [batch], of a conditional model; else None.
            stream: `tfgans.random.Stream`, from which all randomness of the update comes, with the
                number of the update.

        Example: two updates on each batch, each with new fakes.

        ```python
        class TwoUpdates(tfgans.NonSaturatingGAN):
            def discriminator_update(self, real, labels=None, *, stream):
                for index in range(2):
                    substream = stream.substream(tfgans.random.Role.INNER_UPDATES, index)
                    super().discriminator_update(real, labels, stream=substream)
        ```
        """

        def loss(real: tf.Tensor, labels: tf.Tensor | None) -> tuple[tf.Tensor, Logs]:
            real, labels = self.generator_player.spread_classes(real, labels, stream=stream)
            fake = self.generate(shapes.batch_size(real), labels, stream=stream, training=True)
            return self.discriminator_loss(real, fake, labels, stream=stream, training=True)

        self._minimize_discriminator(loss, real, labels)

    def generator_update(
        self, real: tf.Tensor, labels: tf.Tensor | None = None, *, stream: Stream
    ) -> None:
        """Updates the generator once, on as many new latents as there are examples in `real`.

        The arguments are those of `discriminator_update`.

        Example: an update in every second step, on one device.

        ```python
        class EverySecondStep(tfgans.NonSaturatingGAN):
            def generator_update(self, real, labels=None, *, stream):
                update = super().generator_update
                # The discriminator of this step has been updated.
                done = tf.convert_to_tensor(self.discriminator_optimizer.iterations)
                tf.cond(
                    done % 2 == 0,
                    lambda: update(real, labels, stream=stream),
                    lambda: None,
                )
        ```
        """

        def loss(real: tf.Tensor, labels: tf.Tensor | None) -> tuple[tf.Tensor, Logs]:
            real, labels = self.generator_player.spread_classes(real, labels, stream=stream)
            fake = self.generate(shapes.batch_size(real), labels, stream=stream, training=True)
            return self.generator_loss(real, fake, labels, stream=stream, training=True)

        self._minimize(self.generator_player, loss, real, labels)

    def draw_latents(self, draws: RowDraws) -> tf.Tensor:
        """Returns float32 latents [rows, *latent_shape], in training and in sampling: N(0, 1).

        Args:
            draws: `tfgans.random.RowDraws`, which draws for all rows: `draws.normal(row_shape)` or
                `draws.uniform(row_shape)`.

        Example: latents of U[-1, 1), which `sample` and `export` then draw too.

        ```python
        class UniformLatents(tfgans.NonSaturatingGAN):
            def draw_latents(self, draws):
                return 2.0 * draws.uniform(self.latent_shape) - 1.0
        ```
        """
        return draws.normal(self.latent_shape)

    def generate(
        self,
        num: int | tf.Tensor,
        labels: tf.Tensor | None = None,
        *,
        stream: Stream,
        training: bool,
    ) -> Weighted:
        """Returns new examples for an update, and their weights.

        Args:
            num: Int or scalar tensor, the number of latents to draw.
            labels: Int [num], the classes of a conditional model. Default: None.
            stream: The randomness of the update.
            training: Bool, passed on to the generator.

        Returns:
            `tfgans.weighted.Weighted` of float32 examples [rows, ...]. Their weights are None for a
            plain network; for a mixture float32 [rows, 1] with a gradient to its probabilities
            ("all" routing makes `num` times k rows).

        Example: round the fakes to 8 bits, like the real images; the gradient skips the rounding.

        ```python
        class EightBits(tfgans.NonSaturatingGAN):
            def generate(self, num, labels=None, *, stream, training):
                fake = super().generate(num, labels, stream=stream, training=training)
                rounded = tf.round((fake.values + 1.0) * 127.5) / 127.5 - 1.0
                return fake.with_values(fake.values + tf.stop_gradient(rounded - fake.values))
        ```
        """
        latents = self.latents_of_update(num, stream=stream)
        return self.generator_player.generate(latents, labels, stream=stream, training=training)

    def latents_of_update(self, num: int | tf.Tensor, *, stream: Stream) -> tf.Tensor:
        """Returns float32 latents [num, *latent_shape] for an update.

        They are those of `draw_latents`, with the noise that a regularizer needs where it compares
        fakes of latents near each other. An override of `generate` that does not call
        `super().generate` must get its latents here.

        Args:
            num: Int or scalar tensor.
            stream: The randomness of the update.
        """
        latents = self.draw_latents(random.BatchDraws(num, stream.key(Role.LATENTS)))
        sampling.check_latents(latents, tf.get_static_value(num), self.latent_shape)
        stddev = stream.take_latent_noise()
        if not stddev:
            return latents
        noise = random.normal([num, *latents.shape[1:]], stream.key(Role.LATENT_NOISE))
        return latents + stddev * noise

    def _generate_near(
        self, num: int | tf.Tensor, labels: tf.Tensor | None, *, stream: Stream, stddev: float
    ) -> tf.Tensor:
        """Returns the examples of an update's latents with noise of `stddev` added to them."""
        noisy = stream.with_latent_noise(stddev)
        near = self.generate(num, labels, stream=noisy, training=True)
        if not noisy.latent_noise_was_taken:
            raise ValueError(
                "A regularizer compares fakes of latents near each other, and "
                f"`{type(self).__name__}.generate` draws latents without their noise. Get them "
                "from `self.latents_of_update(num, stream=stream)`"
            )
        return near.values

    def discriminator_loss(
        self,
        real: tf.Tensor,
        fake: Weighted,
        labels: tf.Tensor | None = None,
        *,
        stream: Stream,
        training: bool,
    ) -> tuple[tf.Tensor, Logs]:
        """Returns the scalar that the discriminator minimizes, and the logs.

        Args:
            real: Float [batch, ...].
            fake: `tfgans.weighted.Weighted` examples, from `generate`.
            labels: Int [batch], the classes of the real examples and of the fakes. Default: None,
                the model is not conditional.
            stream: The randomness of the update, and its number.
            training: Bool, passed on to the discriminator.

        Returns:
            The loss and the logs: scalars by name, each a mean over the examples.
            "discriminator_loss" is the game's term alone, "penalty" the mean penalty before its
            weight. To log other numbers, a subclass creates a `keras.metrics.Metric`, which is
            logged and reset as in any Keras model.

        Example: log the norm of the logit's gradient at the real examples.

        ```python
        class LoggedSlopes(tfgans.NonSaturatingGAN):
            def __init__(self, *networks, **options):
                super().__init__(*networks, **options)
                self.slope = keras.metrics.Mean("slope")

            def discriminator_loss(self, real, fake, labels=None, **options):
                with tf.GradientTape() as tape:
                    tape.watch(real)
                    logits = self.discriminator(real, training=False)
                slopes = keras.layers.Flatten()(tape.gradient(logits, real))
                self.slope.update_state(tf.norm(slopes, axis=1))
                return super().discriminator_loss(real, fake, labels, **options)
        ```
        """
        discriminator, objective = self.discriminator_player, self.objective
        examples = self._discriminator_examples(real, fake, labels, stream, training)
        seen_fake = examples.fake
        # Real and fake are judged separately, as in the DCGAN authors' code: BatchNormalization
        # normalizes each batch by its statistics.
        real_logits = discriminator.logits(
            examples.real, examples.real_labels, stream=stream, training=training
        )
        fake_logits = discriminator.logits(
            seen_fake.values, examples.fake_labels, stream=stream, training=training
        ).scaled_by(seen_fake.weights)
        terms = self._loss_terms(
            objective.discriminator_loss, real_logits, fake_logits, seen_fake.weights, training
        )
        game_checks.check_terms(objective, terms, real_logits.values, fake_logits.values)
        on_real, on_fake = terms
        # Where a game pairs real with fake, its term on the real has the weight of the pair.
        paired = seen_fake.weights if objective.pairs_real_with_fake else None
        loss = real_logits.with_values(on_real).scaled_by(paired).mean()
        loss += fake_logits.with_values(on_fake).mean()
        logs = {
            "discriminator_loss": loss,
            "real_logits": real_logits.mean(),
            "fake_logits": fake_logits.mean(),
        }
        logs |= self._views.logs(real_logits, fake_logits, training=training)
        if self.penalty is not None:
            values = discriminator.penalize(
                self.penalty,
                examples.penalized_real,
                examples.penalized_fake,
                examples.fake_labels,
                stream=stream,
                training=training,
                augment=self._views.of_penalized
                if training and self._views.penalizes_raw
                else None,
            )
            logs["penalty"] = fake_logits.with_values(values).mean()
            loss += self._penalty_weight(self.penalty) * logs["penalty"]
        if self.regularizers and training:
            num = shapes.batch_size(real)
            inputs = self._regularizer_inputs(
                examples, real_logits, fake_logits, labels, num, stream
            )
            for regularizer in self.regularizers:
                term, more = regularizer.discriminator_term(inputs)
                loss, logs = loss + term, logs | more
        layer_loss = discriminator.layer_loss(real_logits, fake_logits)
        if layer_loss is not None:
            logs["discriminator_layer_loss"] = layer_loss
            loss += layer_loss
        return discriminator.add_entropy(loss), logs

    def generator_loss(
        self,
        real: tf.Tensor,
        fake: Weighted,
        labels: tf.Tensor | None = None,
        *,
        stream: Stream,
        training: bool,
    ) -> tuple[tf.Tensor, Logs]:
        """Returns the scalar that the generator minimizes, and the logs.

        The arguments are those of `discriminator_loss`; "generator_loss" is the game's term alone.

        Example: also pull the mean of the fakes towards the mean of the real examples.

        ```python
        class MatchedMeans(tfgans.NonSaturatingGAN):
            def generator_loss(self, real, fake, labels=None, **options):
                loss, logs = super().generator_loss(real, fake, labels, **options)
                gap = tf.reduce_mean(fake.values, axis=0) - tf.reduce_mean(real, axis=0)
                return loss + 10.0 * tf.reduce_mean(tf.square(gap)), logs
        ```
        """
        discriminator, objective = self.discriminator_player, self.objective
        layer_loss = self.generator_player.layer_loss(fake)
        examples = self._discriminator_examples(real, fake, labels, stream, training)
        seen_fake, real_logits = examples.fake, None
        if objective.pairs_real_with_fake:
            real_logits = discriminator.logits(
                examples.real, examples.real_labels, stream=stream, training=training
            )
        fake_logits = discriminator.logits(
            seen_fake.values, examples.fake_labels, stream=stream, training=training
        ).scaled_by(seen_fake.weights)
        on_fake = self._loss_terms(
            objective.generator_loss, real_logits, fake_logits, seen_fake.weights, training
        )
        game_checks.check_terms(objective, on_fake, fake_logits.values)
        loss = fake_logits.with_values(on_fake).mean()
        logs = {"generator_loss": loss}
        if layer_loss is not None:
            logs["generator_layer_loss"] = layer_loss
            loss += layer_loss
        for regularizer in self.regularizers if training else ():
            if regularizer.generator_noise is not None:
                near = self._generate_near(
                    shapes.batch_size(real),
                    labels,
                    stream=stream,
                    stddev=regularizer.generator_noise,
                )
                term, more = regularizer.generator_term(fake, near)
                loss, logs = loss + term, logs | more
        return self.generator_player.add_entropy(loss), logs

    def after_step(self) -> None:
        """Counts the step, updates the generator's average and anneals instance noise.

        Called once per training step.

        Example: decay the generator's weights before the average is updated.

        ```python
        class DecayingGenerator(tfgans.NonSaturatingGAN):
            def after_step(self):
                for variable in self.generator.trainable_variables:
                    variable.assign(0.999 * variable)
                super().after_step()
        ```
        """
        self._step.assign_add(1)
        self._counts_steps = True
        if self.instance_noise is not None:
            self.instance_noise.anneal(tf.convert_to_tensor(self._step.value))
        if self.ema_generator is not None:
            averages.move_average(self.ema_generator, self.generator, self._average_decay())

    def _average_decay(self) -> tf.Tensor:
        """Returns the decay of the generator's average in this step; see `ema` of the class."""
        done = tf.cast(tf.convert_to_tensor(self._step), tf.float32)
        return tf.minimum(self.ema or 0.0, (1.0 + done) / (10.0 + done))

    def _penalty_weight(self, penalty: Penalty | PenaltySum) -> float | tf.Tensor:
        """Returns the factor of the mean penalty in this step."""
        return penalty.weight

    def _minimize_discriminator(
        self, loss: Callable[..., tuple[tf.Tensor, Logs]], *examples: tf.Tensor | None
    ) -> None:
        """Updates the discriminator, adapts what depends on its logits, and clips its weights."""
        player, means = self.discriminator_player, self._log_means
        sums = self._minimize(player, loss, *examples)
        if self._views.is_adaptive or self.regularizers:
            sums = replicas.sum_over_replicas(sums)
            self._views.adapt(means, sums)
            for regularizer in self.regularizers:
                regularizer.adapt(
                    means.mean_of("real_logits", sums), means.mean_of("fake_logits", sums)
                )
        if self.weight_clip is not None:
            clip_weights(player.network_variables, self.weight_clip)

    def _minimize(
        self,
        player: Player,
        loss: Callable[..., tuple[tf.Tensor, Logs]],
        *examples: tf.Tensor | None,
    ) -> tf.Tensor:
        """Takes a step of a player's optimizer; logs, and returns the sums behind the logs."""
        name: Literal["generator_loss", "discriminator_loss"] = (
            "generator_loss" if player is self.generator_player else "discriminator_loss"
        )

        def summed(*rows: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
            value, logs = game_checks.check_loss(name, loss(*rows))
            return value, self._log_means.sums(logs, shapes.batch_size(rows[0]))

        sums = player.minimize(summed, *examples)
        self._log_means.update_state(sums)
        return sums

    def _discriminator_examples(
        self,
        real: tf.Tensor,
        fake: Weighted,
        labels: tf.Tensor | None,
        stream: Stream,
        training: bool,
    ) -> _Examples:
        """Augments the examples, adds instance noise, and assigns them to the discriminators."""
        if not isinstance(fake, Weighted):
            raise ValueError(
                "`generate` must return a `tfgans.weighted.Weighted`. Received: "
                f"{checks.short(fake)}. Return `super().generate(...).with_values(examples)`"
            )
        fakes = seen_fakes = fake.values
        fake_labels = None if labels is None else players.match_rows(labels, fakes)
        seen_real = real
        if training:
            seen_real = self._views.of_real(real, stream=stream)
            seen_fakes = self._views.of_fake(fakes, stream=stream)
        # With routing "all" of the generators there are several fakes for each real example.
        paired_real = players.match_rows(seen_real, seen_fakes)
        if self.objective.pairs_real_with_fake:
            seen_real, labels = paired_real, fake_labels

        assign = functools.partial(
            self.discriminator_player.assign_rows, stream=stream, training=training
        )
        # Calls with one stream assign rows in the same order.
        assigned_real, labels = assign(seen_real, labels)
        penalized_real, assigned_fakes, weights, fake_labels = assign(
            paired_real, seen_fakes, fake.weights, fake_labels
        )
        penalized_fake = assigned_fakes
        if self._views.penalizes_raw:
            penalized_real, penalized_fake = assign(players.match_rows(real, fakes), fakes)
        return _Examples(
            real=assigned_real,
            real_labels=labels,
            fake=Weighted(assigned_fakes, weights),
            fake_labels=fake_labels,
            penalized_real=penalized_real,
            penalized_fake=penalized_fake,
        )

    def _regularizer_inputs(
        self,
        examples: _Examples,
        real_logits: Weighted,
        fake_logits: Weighted,
        labels: tf.Tensor | None,
        num: int | tf.Tensor,
        stream: Stream,
    ) -> RegularizerInputs:
        """Returns an update of the discriminator as regularizers see it."""
        player = self.discriminator_player

        def logits(examples: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
            return player.logits(examples, labels, stream=stream, training=True).values

        def perturbed_fakes(stddev: float) -> tf.Tensor:
            fake = self._generate_near(num, labels, stream=stream, stddev=stddev)
            seen = self._views.of_fake(fake, stream=stream)
            (assigned,) = player.assign_rows(seen, stream=stream, training=True)
            return assigned

        return RegularizerInputs(
            real=examples.real,
            fake=examples.fake.values,
            real_logits=real_logits,
            fake_logits=fake_logits,
            real_logits_fn=lambda rows: logits(rows, examples.real_labels),
            fake_logits_fn=lambda rows: logits(rows, examples.fake_labels),
            perturbed_fakes_fn=perturbed_fakes,
            key=stream.key(Role.REGULARIZER),
        )

    def _loss_terms(
        self,
        loss: Callable[..., tf.Tensor | tuple[tf.Tensor, tf.Tensor]],
        real_logits: Weighted | None,
        fake_logits: Weighted,
        fake_weights: tf.Tensor | None,
        training: bool,
    ) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        """Returns the unreduced terms of a loss of the objective."""
        real_values = None if real_logits is None else real_logits.values
        if not self.objective.weighs_fakes:
            return loss(real_values, fake_logits.values)
        return self.discriminator_player.map_components(
            lambda real, fake, weights: loss(real, fake, fake_weights=weights),
            *(real_values, fake_logits.values, fake_weights),
            training=training,
        )

    # Evaluation and logs.

    def test_step(self, data: Inputs) -> Logs:
        """Measures the losses on a batch of real examples, with the generator, not its average.

        The latents of a batch are the same in every evaluation, so evaluations are comparable.
        """
        with batches.after_data(data):
            real, labels = batches.unpack_batch(
                data, data_shape=self.data_shape, num_classes=self.num_classes
            )
            num = shapes.batch_size(real)
            # Each replica counts its examples.
            totals = replicas.sum_over_replicas(tf.convert_to_tensor(self._log_means.totals))
            num_seen = self._log_means.number_of("discriminator_loss", totals)
            stream = Stream(random.key(self.seed, ReservedStep.EVALUATION, num_seen))

            def measure() -> tf.Tensor:
                fake = self.generate(num, labels, stream=stream, training=False)
                loss = self.discriminator_loss(real, fake, labels, stream=stream, training=False)
                _, logs = game_checks.check_loss("discriminator_loss", loss)
                if self._trains_generator:
                    loss = self.generator_loss(real, fake, labels, stream=stream, training=False)
                    logs |= game_checks.check_loss("generator_loss", loss)[1]
                return self._log_means.sums(logs, num)

            if replicas.count() == 1:
                sums = measure()
            else:
                # The last batch may be shared out unevenly, and a replica may have none of it.
                with random.rows_from(replicas.first_row(num)):
                    sums = tf.cond(num > 0, measure, lambda: tf.zeros_like(self._log_means.totals))
            self._log_means.update_state(sums)
            return self.get_metrics_result()

    def _log_names(self) -> list[str]:
        """Returns the names of the logs of both losses, under the same conditions as there."""
        names = ["discriminator_loss"]
        names += ["generator_loss"] * self._trains_generator
        names += ["real_logits", "fake_logits"]
        names += ["penalty"] * (self.penalty is not None)
        names += self._views.log_names
        for regularizer in self.regularizers:
            names += regularizer.log_names
        names += ["discriminator_layer_loss"] * self.discriminator_player.has_layer_losses
        if self._trains_generator:
            names += ["generator_layer_loss"] * self.generator_player.has_layer_losses
        return names

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means behind the logs.

        `discriminator_loss` and `generator_loss` are the terms of the objective, without the
        penalty. `penalty` is the mean penalty before its weight (for a `PenaltySum`, the weighted
        sum). `discriminator_layer_loss` and `generator_layer_loss` are what the layers'
        regularizers and `add_loss` add. `noise_level` is the standard deviation of instance noise,
        0 in evaluation, and `accuracy` is the discriminator's accuracy, to which adaptive noise
        adapts. `r_t` is the mean sign of the logits on real examples, to which an adaptive
        augmentation adapts (in evaluation, on held-out examples without augmentation), and
        `augmentation_p` is the probability of the augmentation. Regularizers add their logs, which
        are 0 in evaluation. Metrics that a subclass adds come last.
        """
        # Keras adds a mean of "loss" that is never updated: a GAN has two losses.
        return [metric for metric in super().metrics if not compat.is_loss_tracker(self, metric)]

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` and `test_on_batch` return in a list, in its order."""
        # Not by the results: several workers would have to read them together.
        metrics = self.metrics
        others = [metric.name for metric in metrics if metric is not self._log_means]
        # A subclass may leave the logs out of `metrics`.
        logs = sorted(self._log_means.names) if self._log_means in metrics else []
        return [*others, *logs]

    def reset_metrics(self) -> None:
        """Resets the metrics, and the logs even where a subclass leaves them out of `metrics`."""
        super().reset_metrics()
        self._log_means.reset_state()

    def get_metrics_result(self) -> Logs:
        """Returns the logs; with several workers they have rank 1, since Keras reduces them."""
        logs = super().get_metrics_result()
        several = replicas.num_workers(tf.distribute.get_strategy()) > 1
        if tf.distribute.in_cross_replica_context() or not several:
            return logs
        return {name: tf.reshape(value, [1]) for name, value in logs.items()}

    # `fit` and `evaluate`.

    @plain_errors()
    def fit(
        self,
        x: Data,
        y: ArrayLike | None = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.CallbackList | None = None,
        validation_split: float = 0.0,
        validation_data: Data | tuple[Data, ArrayLike] | None = None,
        shuffle: bool = True,
        class_weight: None = None,
        sample_weight: None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> keras.callbacks.History:
        """Trains the model like `keras.Model.fit`, with the differences listed here.

        Args:
            x: A `tfgans.data.Source`; an array-like [num_examples, ...] (NumPy, TensorFlow, lists,
                pandas, h5py): floats, images in [-1, 1], or uint8, which is scaled; or batches: a
                `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator. A training step takes
                `discriminator_steps` batches. `tfgans.data.adapters.training_data` documents their
                order, and where training resumes after an interruption.
            y: Ints [num_examples], the classes, for a conditional model trained on an array; a
                dataset must yield pairs (examples, labels) instead. Otherwise None.
            batch_size: Int, examples in one update, of all replicas together; for sources and
                arrays. Default: 32.
            epochs: Int, the epoch to stop at.
            verbose: "auto", 0, 1 or 2.
            callbacks: List of `keras.callbacks.Callback`. `SwapEMAWeights`, `TerminateOnNaN`,
                checkpoints in HDF5 and monitors of a single "loss" raise an error that says what to
                use instead. Setting `model.optimizer.learning_rate` changes both players' rates.
                Weights that `EarlyStopping` restores include the step, but not the optimizers.
            validation_split: Float in [0, 1), the fraction of an array to hold out, from its end.
            validation_data: Examples for `evaluate` after an epoch, as `x`; of a conditional model
                a pair of arrays, or a dataset of pairs.
            shuffle: Bool, whether arrays and PyDatasets come in a new order in each pass.
                Default: True.
            class_weight: Not supported: the losses are means over real and generated examples.
            sample_weight: Not supported.
            initial_epoch: Int of at least 0, the epoch to begin at.
            steps_per_epoch: Int, training steps in an epoch. Default: a pass over the data.
            validation_steps: Int, batches of an evaluation. Default: all.
            validation_batch_size: Int, for an array. Default: `batch_size // accumulate_steps` if
                `batch_size` is passed, else as in `evaluate`.
            validation_freq: Int of at least 1, epochs between evaluations, or a list of epochs.

        Raises:
            ValueError: If the data does not fit the networks, its first batch is not finite, there
                are too few examples for a step, or a callback does not work with a GAN.
        """
        if not self.compiled:
            return super().fit(x)  # Raises the error of Keras.
        checks.positive_int("epochs", epochs)
        checks.int_at_least("initial_epoch", initial_epoch, 0)
        if isinstance(validation_freq, int):
            checks.positive_int("validation_freq", validation_freq)
        batches.refuse_weights(class_weight=class_weight, sample_weight=sample_weight)
        self._check_callbacks(
            callbacks, validates=validation_data is not None or bool(validation_split)
        )
        if validation_split and validation_data is None:
            (x, y), validation_data = split_validation(
                x, y, validation_split, data_shape=self.data_shape
            )
        dataset, steps = adapters.training_data(
            x,
            y,
            batch_size=batch_size,
            shuffle=shuffle,
            discriminator_steps=self.discriminator_steps,
            data_shape=self.data_shape,
            num_classes=self.num_classes,
            seed=self.seed,
            start_step=lambda: self.step,
            epochs=epochs - initial_epoch,
            steps_per_epoch=steps_per_epoch,
            steps_per_execution=self.steps_per_execution,
            check_batch=self._set_batch_size,
            needs_equal_batches=self._needs_equal_batches,
            strategy=self.distribute_strategy,
        )
        if validation_data is not None:
            if validation_batch_size is None and batch_size is not None:
                validation_batch_size = batch_size // self.accumulate_steps
            validation_data = self._evaluation_data(
                validation_data, None, validation_batch_size, validation_steps
            )
        self._tuner = StepsPerExecutionTuner(intervals(callbacks))
        self._begins_training = True
        try:
            with deterministic_compilation(), adapters.expect_end_of_data(steps):
                history = super().fit(
                    dataset,
                    epochs=epochs,
                    verbose=verbose,
                    callbacks=callbacks,
                    shuffle=False,  # The dataset has its order; Keras would warn of shuffling it.
                    validation_data=validation_data,
                    initial_epoch=initial_epoch,
                    steps_per_epoch=steps,
                    validation_steps=validation_steps,
                    validation_freq=validation_freq,
                )
        finally:
            self._begins_training = False
        # After the callbacks, so that a backup at the end of training holds the unaveraged weights.
        for player in self.players.values():
            player.finalize_averages()
        return history

    @plain_errors()
    def evaluate(
        self,
        x: Data | tuple[Data, ArrayLike] | None = None,
        y: ArrayLike | None = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: None = None,
        steps: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.CallbackList | None = None,
        return_dict: bool = False,
        **options: bool,
    ) -> float | list[float] | dict[str, float]:
        """Returns the values of the logs on held-out examples; see `test_step`.

        Args:
            x: Examples, as for `fit`.
            y: The labels of an array, as for `fit`.
            batch_size: Int, for arrays and sources. Default: 32.
            verbose: "auto", 0, 1 or 2.
            sample_weight: Not supported, see `fit`.
            steps: Int, batches to evaluate. Default: all.
            callbacks: List of `keras.callbacks.Callback`.
            return_dict: Bool, whether to return the values by name. Default: False, a list.
            **options: Keywords that Keras's `fit` passes to `keras.Model.evaluate`.

        Raises:
            ValueError: If the data does not fit, or is endless and `steps` is not passed.
        """
        if not self.compiled:
            return super().evaluate(x)  # Raises the error of Keras.
        # `fit` has already checked the data that it evaluates on.
        if not options.get(compat.CACHED_EVALUATION):
            self._check_callbacks(callbacks, validates=True)
            batches.refuse_weights(sample_weight=sample_weight)
            x = self._evaluation_data(x, y, batch_size, steps)
        with adapters.expect_end_of_data(steps):
            return super().evaluate(
                x,
                verbose=verbose,
                steps=steps,
                callbacks=callbacks,
                return_dict=return_dict,
                **options,
            )

    @property
    def _tunes_steps_per_execution(self) -> bool:
        with self.distribute_strategy.scope():
            is_single = not tf.distribute.has_strategy()
        options = self._compile_options or {}
        return options.get("steps_per_execution") == "auto" and is_single and not self.run_eagerly

    def _choose_steps_per_call(self) -> Callable[[int | None], int] | None:
        """Returns the function that chooses the number of steps of each call, or None."""
        # Keras asks in `fit` first, then in evaluations.
        begins, self._begins_training = self._begins_training, False
        if not begins or not self._tunes_steps_per_execution:
            return None
        return lambda left: self._tuner.choose(self.step, left)

    def make_train_function(self, force: bool = False) -> None:
        """Makes `train_function`, which `fit` calls with an iterator over the data."""
        self._check_metric_names()
        for name, player in self.players.items():
            if name != "generator" or self._trains_generator:
                player.check_optimized_variables(name)
        if self.train_function is not None and not force:
            return
        if self._tunes_steps_per_execution:
            self.train_function = self._make_tuned_function()
        else:
            super().make_train_function(force)
        take_steps = cast(Callable[[Any], Logs], self.train_function)

        def train_function(iterator: tf.data.Iterator) -> Logs:
            logs = take_steps(iterator)
            if not self._counts_steps:
                raise ValueError(
                    f"`train_step` of {type(self).__name__} must call `self.after_step()`, and an "
                    "`after_step` of a subclass `super().after_step()`, which counts the step. "
                    "Received: a step that was not counted. Uncounted steps all draw the same noise"
                )
            return logs

        self.train_function = train_function

    def _make_tuned_function(self) -> Callable[[Any], Logs]:
        """Returns a function that takes as many steps in a call as the tuner has chosen."""
        take_steps = make_multi_step_function(self.train_step, jit_compile=self.jit_compile)

        def train_function(iterator: tf.data.Iterator) -> Logs:
            began = time.perf_counter()
            logs = take_steps(iterator, self._tuner.count)
            self._tuner.record(time.perf_counter() - began)
            return logs

        return train_function

    def make_test_function(self, force: bool = False) -> None:
        """Makes `test_function`, which `evaluate` calls with an iterator over the data."""
        self._check_metric_names()
        super().make_test_function(force)

    def _check_callbacks(self, callbacks: callback_checks.Callbacks, *, validates: bool) -> None:
        callback_checks.check_callbacks(
            callbacks,
            learning_rates=self._learning_rates,
            log_names=[*self._log_means.names, *({"loss"} & set(self.metrics_names))],
            validates=validates,
        )

    def _evaluation_data(
        self,
        x: Data | tuple[Data, ArrayLike],
        y: ArrayLike | None,
        batch_size: int | None,
        steps: int | None,
    ) -> tf.data.Dataset:
        return adapters.evaluation_data(
            x,
            y,
            batch_size=batch_size,
            data_shape=self.data_shape,
            num_classes=self.num_classes,
            steps=steps,
        )

    @property
    def _num_micro_batches(self) -> int:
        """The micro-batches of an update, on all replicas."""
        return self.distribute_strategy.num_replicas_in_sync * self.accumulate_steps

    @property
    def _needs_equal_batches(self) -> bool:
        """Whether all batches must have the same size, because they are cut into parts."""
        return self._num_micro_batches > 1 or any(
            player.routing == "slices" or player.group_size > 1 for player in self.players.values()
        )

    def _set_batch_size(self, num: int) -> None:
        """Sets the examples of an update; raises ValueError if it cannot have so many."""
        players.check_batch_size(
            num,
            *self.players.values(),
            num_replicas=self.distribute_strategy.num_replicas_in_sync,
            accumulate_steps=self.accumulate_steps,
        )
        self._micro_batch_size = num // self._num_micro_batches

    def check_training(self, source: Source, batch_size: int) -> None:
        """Raises ValueError unless `fit(source, batch_size=batch_size)` could start.

        Args:
            source: `tfgans.data.Source`.
            batch_size: Int, examples in one update, of all replicas together.
        """
        if not self.compiled:
            raise ValueError(
                "Compile the model before training. Received: a model without optimizers"
            )
        expected, received = self.data_shape, source.data_shape
        if not shapes.are_compatible(expected, received):
            raise ValueError(
                f"{source.name!r} must have examples of the discriminator's input shape "
                f"{expected}. Received: {received}. Use other data, or networks for that shape"
            )
        self._set_batch_size(batch_size)
        # Refuses a batch that is larger than the data, and labels that the source does not have.
        source.batches(batch_size, labels=self.num_classes is not None)
        if self.num_classes is not None and (source.num_classes or 0) > self.num_classes:
            raise ValueError(
                f"{source.name!r} has {source.num_classes} classes. Received: a model with "
                f"num_classes={self.num_classes}. Build the networks and the model for the classes "
                "of the data"
            )

    # Samples and exports.

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """Returns the examples that `sampling_generator` makes of its inputs."""
        return self.sampling_generator(inputs, training=training)

    def sample(
        self,
        n: int,
        seed: int | None = None,
        *,
        labels: int | Sequence[int] | np.ndarray | None = None,
        component: int | None = None,
        truncation: float | None = None,
        refine: Langevin | Literal[False] | None = None,
        batch_size: int = 256,
    ) -> np.ndarray:
        """Returns `n` generated examples: float32 [n, ...], images in [-1, 1].

        Args:
            n: Int of at least 1.
            seed: Int. The same seed gives the same examples, and the first rows do not depend on
                `n` or `batch_size` (up to the rounding of float32). Default: a new seed per call.
            labels: Int, or ints [n], the classes of a conditional model. Default: each is drawn
                from the seed, with equal shares of all classes; `sample_labels` returns them.
            component: Int, the component of a `MixtureGenerator` that makes all examples. The
                latents are those of the seed. Default: each is drawn by the mixture's weights.
            truncation: Float above 0: restricts each value of the latents to
                [-truncation, truncation], as `tfgans.sampling.truncate` does. Small values give
                typical examples of little variety. Default: None, the latents as drawn.
            refine: `tfgans.refinement.Langevin`, to move the examples or their latents up the
                discriminator's logit (of a mixture, the weighted mean); or False, for none.
                Default: `refinement` of the method: None, except for `DCD`.
            batch_size: Int, examples per call of the generator.

        Raises:
            ValueError: If `n` or `batch_size` is not a positive int, `seed` is not an int, the
                component or a class does not exist, `labels` is passed to a model that is not
                conditional, or `truncation` is not above 0, or is passed to a model that overrides
                `draw_latents`.
        """
        checks.positive_int("n", n)
        return self._sampler.sample(
            n,
            secrets.randbits(62) if seed is None else seed,
            labels=None if labels is None else check_labels(labels, n, self.num_classes),
            component=component,
            truncation=truncation,
            refinement=self._refinement_of_samples(refine),
            batch_size=batch_size,
        )

    def sample_components(self, n: int, seed: int) -> np.ndarray:
        """Returns int32 [n]: the component of each of the examples that `sample(n, seed)` returns.

        Zeros, if the generator is no mixture.

        Raises:
            ValueError: If `n` is not a positive int, or `seed` no int.
        """
        return self._sampler.sample_components(n, seed)

    def sample_labels(self, n: int, seed: int) -> np.ndarray:
        """Returns int32 [n]: the class of each of the examples that `sample(n, seed)` returns.

        Zeros, if the model is not conditional.

        Raises:
            ValueError: If `n` is not a positive int, or `seed` no int.
        """
        return self._sampler.sample_labels(n, seed)

    def export(
        self,
        filepath: str | os.PathLike[str],
        format: str = "tf_saved_model",  # noqa: A002 (Keras's name)
        verbose: bool | None = None,
        *,
        class_names: Sequence[str] | None = None,
        component: int | None = None,
        card: Mapping[str, object] | None = None,
        keep: int | None = None,
        verify: bool = True,
    ) -> Path:
        """Writes the sampling generator in a form that needs neither tfgans nor Keras.

        The discriminator is not exported, so exported samples are not refined: they are those of
        `sample(refine=False)`. A model with a `refinement` warns of it.

        * "tf_saved_model" (the default) publishes the next SavedModel version under `filepath`,
          with the signatures and checks that `tfgans.export.export_generator` lists.
        * "onnx" and "litert" write a file with the function of latents to images, by Keras's
          exporters, compared with the live model before it is in place; see
          `tfgans.export.export_exchange`.

        Args:
            filepath: For a SavedModel the model's folder, say "exported/digits", whose versions are
                the folders 1, 2, ...; else a file that ends in .onnx or .tflite.
            format: "tf_saved_model", "onnx" or "litert".
            verbose: Bool, whether to print what was written, with its signatures or inputs.
                Default: None, as False.
            class_names: List of strings, the names of the classes of a conditional model, say
                `source.class_names`, for clients of a SavedModel. Default: None, without names.
            component: Int, the only component of a mixture to export, as a plain generator.
                Default: None, all of them.
            card: JSON values to add to `assets.extra/model_card.json` of a SavedModel.
            keep: Int of at least 1, the number of versions to keep, newest first. Default: None,
                all.
            verify: Whether a SavedModel runs in a new process before it is published. Files of the
                other formats are always compared, and refuse False. Default: True.

        Returns:
            The `pathlib.Path` of the new version, or of the file.

        Raises:
            ValueError: If an argument is not as above, or the export fails a check.
            ImportError: If a package that writes or runs ONNX or LiteRT files is missing.
            OSError: If the folder cannot be written.
        """
        checks.choice("format", format, ("tf_saved_model", *export.FORMATS))
        checks.boolean("verify", verify)
        verbose = False if verbose is None else verbose
        generator = self.sampling_generator
        if component is not None:
            generator = components_of(generator)[self._sampler.check_component(component)]
        if self.refinement is not None:
            warnings.warn(
                f"`sample` of a {type(self).__name__} refines its samples with the discriminator, "
                "which is not exported: the exported samples are those of `sample(refine=False)`",
                stacklevel=2,
            )
        if format != "tf_saved_model":
            if (class_names, card, keep) != (None, None, None):
                raise ValueError(
                    "`class_names`, `card` and `keep` apply only to format='tf_saved_model'. "
                    f"Received: format={format!r}. Leave them out"
                )
            if not verify:
                raise ValueError(
                    "`verify=False` applies only to format='tf_saved_model': other files are "
                    f"always compared. Received: format={format!r}. Leave it out"
                )
            return export.export_exchange(
                generator, filepath, format=format, num_classes=self.num_classes, verbose=verbose
            )
        # `export_generator` refuses a card that is no dictionary.
        if card is None or isinstance(card, Mapping):
            card = {"model": self._description(generator, component), **(card or {})}
        return export.export_generator(
            generator,
            filepath,
            num_classes=self.num_classes,
            draw_latents=self._latent_draws,
            class_names=class_names,
            card=card,
            keep=keep,
            verify=verify,
            verbose=verbose,
        )

    def _description(self, exported: keras.Model, component: int | None) -> Config:
        return {
            "class": type(self).__name__,
            "step": self.step,
            "averaged": self.sampling_generator is not self.generator,
            "parameters": exported.count_params(),
            "latent_shape": list(self.latent_shape),
            "image_shape": list(self._sampler.example_shape),
            "num_classes": self.num_classes,
            "num_components": len(components_of(exported)),
            **({} if component is None else {"component": component}),
        }

    @property
    def _latent_draws(self) -> Callable[[RowDraws], tf.Tensor] | None:
        """What a `Sampler` takes: None for the standard normal latents of `GAN`."""
        return None if type(self).draw_latents is GAN.draw_latents else self.draw_latents

    def _refinement_of_samples(self, refine: Langevin | Literal[False] | None) -> Langevin | None:
        """Returns the settings of a refinement that `sample` can do, or None."""
        if refine is None:
            refine = self.refinement or False
        if refine is False:
            return None
        checks.instance("refine", refine, Langevin, "tfgans.refinement.Langevin(steps=20)")
        game_checks.refuse_groups(self.discriminator_player, "a refinement (`refine`)")
        return refine

    # Files and configs.

    def save(
        self, filepath: str | os.PathLike[str], overwrite: bool = True, **options: Any
    ) -> None:
        """Saves networks, optimizers, averages and random states to a `.keras` file.

        Args:
            filepath: Path that ends in ".keras".
            overwrite: Bool, see `keras.Model.save`.
            **options: Those of `keras.Model.save`.

        Raises:
            ValueError: If the path ends otherwise; nothing is written.
        """
        callback_checks.check_model_path(filepath)
        super().save(files.path(filepath), overwrite=overwrite, **options)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[..., None] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Prints Keras's table of the networks, and the parts of the game; see `keras.Model`."""
        super().summary(
            line_length, positions, print_fn, expand_nested, show_trainable, layer_range
        )
        parts = {
            "Objective": self.objective,
            "Penalty": self.current_penalty,
            "Augmentation": self.augmentation,
            "Regularizers": ", ".join(map(repr, self.regularizers)) or None,
        }
        for name, part in parts.items():
            if part is not None:
                (print_fn or print)(f" {name}: {part}")

    def save_own_variables(self, store: Store) -> None:
        """Saves the model's variables, the rollbacks and the random states of the layers."""
        compat.remember_optimizer_attributes()
        super().save_own_variables(store)
        store["step"] = np.asarray(self.step, np.int64)
        store["rollbacks"] = np.asarray(self.rollbacks, np.int64)
        if self.generator_player.is_mixture:
            store["components"] = np.asarray(self.generator_player.num_components, np.int64)
        # The order of `self.variables` is another one after `drop_component`.
        networks = [self.discriminator, self.generator, self.ema_generator, self]
        seed_states.save_seed_states(networks, store)

    def load_own_variables(self, store: Store) -> None:
        """Loads what `save_own_variables` saved.

        If the file has a different number of generators, a mixture is resized to that number before
        Keras loads the weights.
        """
        if "step" not in list(store.keys()):
            raise ValueError(
                "The file must be of a tfgans model. Received: a weights file without a step count"
            )
        if "rollbacks" not in list(store.keys()):
            raise ValueError(
                "The file must be of tfgans 0.2 or later. Received: a file of 0.1, without a count "
                "of rollbacks. Train again"
            )
        # Keras names variables by their number: the step, and those that a subclass adds.
        numbered = {name: store[name] for name in list(store.keys()) if name.isdigit()}
        super().load_own_variables(numbered)
        self._rollbacks = int(np.asarray(store["rollbacks"]))
        count = self.generator_player.num_components
        if "components" in list(store.keys()) and self.generator_player.is_mixture:
            saved = int(np.asarray(store["components"]))
            if saved != count:
                self.check_resizable()
                self._take_components([index if index < count else 0 for index in range(saved)])
        networks = [self.discriminator, self.generator, self.ema_generator, self]
        seed_states.load_seed_states(networks, store)

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        serialize = keras.saving.serialize_keras_object
        return {
            **self._shared_config(),
            "objective": serialize(self.objective),
            "penalty": serialize(self.penalty),
            "discriminator_steps": self.discriminator_steps,
            "weight_clip": self.weight_clip,
        }

    def _shared_config(self) -> Config:
        """Returns the arguments that every method takes."""
        if compat.saves_to_hdf5():
            raise ValueError(
                "A GAN is saved to a `.keras` file: HDF5 holds neither its two optimizers nor its "
                "step. Use `save('gan.keras')` of the model"
            )
        serialize = keras.saving.serialize_keras_object
        with compat.shares_objects():
            # A regularizer may have the augmentation of the model.
            augmentation = serialize(self.augmentation)
            regularizers = [serialize(regularizer) for regularizer in self.regularizers]
        return {
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "instance_noise": serialize(self.instance_noise),
            "augmentation": augmentation,
            "regularizers": regularizers,
            "num_classes": self.num_classes,
            "ema": self.ema,
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: Config, custom_objects: Mapping[str, type] | None = None) -> Self:
        """Makes a model from the result of `get_config`; weights come separately."""

        def made(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return [made(part) for part in value]
            if isinstance(value, dict) and "class_name" in value:
                return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            return value

        with compat.shares_objects():
            arguments = {name: made(value) for name, value in config.items()}
        return cls(**arguments)

    def get_compile_config(self) -> Config | None:
        """Returns the arguments of `compile`, so that a loaded model is compiled again."""
        if self._compile_options is None:
            return None
        serialize = keras.saving.serialize_keras_object
        return {
            "generator_optimizer": serialize(self.generator_optimizer),
            "discriminator_optimizer": serialize(self.discriminator_optimizer),
            # The config of an optimizer does not have it.
            "excluded_from_weight_decay": {
                "generator": optimizers.excluded_from_weight_decay(self.generator_optimizer),
                "discriminator": optimizers.excluded_from_weight_decay(
                    self.discriminator_optimizer
                ),
            },
            **self._compile_options,
        }

    def compile_from_config(self, config: Config) -> None:
        """Compiles the model with the result of `get_compile_config`.

        If a subclass has a `compile` with other arguments, the model is not compiled, and a warning
        says so, as in `keras.Model`.
        """
        options = dict(config)
        excluded = options.pop("excluded_from_weight_decay", {})
        names = {name: f"{name}_optimizer" for name in self.players}
        try:
            configs = {name: options[argument] for name, argument in names.items()}
            inspect.signature(self.compile).bind(**options)
        except (KeyError, TypeError) as error:
            warnings.warn(
                "The model was loaded without its optimizers, since the arguments of "
                f"`{type(self).__name__}.compile` are not those of `GAN.compile` ({error}). Call "
                "`compile` before training, which starts with new optimizers. To load the "
                "optimizers too, override `get_compile_config` and `compile_from_config`",
                stacklevel=2,
            )
            return
        for name, player in self.players.items():
            optimizer = keras.saving.deserialize_keras_object(configs[name])
            optimizers.exclude_from_weight_decay(
                optimizer, player.network.trainable_variables, excluded.get(name, [])
            )
            options[names[name]] = optimizer
        self.compile(**options)
