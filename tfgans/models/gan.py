"""A generative adversarial network as a Keras model: how two networks train against each other."""

from typing import Any

import keras
import tensorflow as tf

from tfgans import checks, stateless
from tfgans.models import inputs, optimizers, state
from tfgans.models.pair import NetworkPair
from tfgans.objectives import Objective
from tfgans.penalties import Penalty
from tfgans.penalties.penalty import refuse_batch_statistics

# Roles of the draws in one update: each has a branch of its own below the update's key.
_LATENTS, _PENALTY = range(2)
# Where evaluation draws, whatever the step: no training step has this number.
_EVALUATION = -1


@keras.saving.register_keras_serializable(package="tfgans")
class GAN(NetworkPair):
    """Two networks, a game between them, and how they are trained.

    One training step is `discriminator_steps` updates of the discriminator, each on fresh real
    examples and fresh latents, then one update of the generator. All noise is a pure function of
    (`seed`, step), so a run repeats, and a saved and reloaded model trains on to the same bits.

    Any Keras models fit. To change a part of the step, override its method: `draw_latents`,
    `discriminator_terms`, `generator_terms`, `update_discriminator`, `update_generator`,
    `after_update`.

    Args:
        generator: Built Keras model, latents [batch, ...] -> examples [batch, ...].
        discriminator: Built Keras model, examples -> logits [batch, 1], with no sigmoid.
        objective: `tfgans.objectives.Objective`, the game.
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int of at least 1. Updates of the discriminator before each one of
            the generator. Default: 1.
        ema: Float in [0, 1), the decay of an exponential moving average of the generator's
            weights (BatchNormalization statistics included), which `sample`, `predict` and
            `export` then use. The decay in force is min(ema, (1 + step) / (10 + step)), as in
            `tf.train.ExponentialMovingAverage`: the first weights are soon forgotten. Default:
            None, no average.
        seed: Int, of all noise. It does not seed the networks' first weights.
        name: String, optional.

    Call arguments:
        latents: Float tensor [batch, ...]. Returns the examples that the sampling generator makes.

    Raises:
        ValueError: If the networks do not fit each other, or a penalty meets BatchNormalization.

    Example:

    ```python
    gan = tfgans.GAN(generator, discriminator, objective=tfgans.objectives.NonSaturating())
    gan.compile()
    gan.fit(source.batches(64), epochs=5, steps_per_epoch=100)
    images = gan.sample(16, seed=1)
    ```

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", Algorithm 1.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        objective: Objective,
        penalty: Penalty | None = None,
        discriminator_steps: int = 1,
        ema: float | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        checks.instance("objective", objective, Objective, "tfgans.objectives.NonSaturating()")
        if penalty is not None:
            checks.instance("penalty", penalty, Penalty, "tfgans.penalties.GradientPenalty()")
            refuse_batch_statistics(discriminator)
        super().__init__(generator, discriminator, ema=ema, seed=seed, name=name)
        self.objective = objective
        self.penalty = penalty
        self.discriminator_steps = checks.positive_int("discriminator_steps", discriminator_steps)
        logged = ["discriminator_loss", "generator_loss", "real_logits", "fake_logits"]
        if penalty is not None:
            logged.append("penalty")
        self._means = {entry: keras.metrics.Mean(entry) for entry in logged}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means behind the logs.

        `discriminator_loss` and `generator_loss` are the game's terms, without the penalty;
        `penalty` is the mean penalty before its weight. Metrics that a subclass adds come after.
        """
        own = list(self._means.values())
        known = {id(metric) for metric in [*own, self._loss_tracker]}
        return [*own, *(metric for metric in self._metrics if id(metric) not in known)]

    def fit(
        self,
        x: Any,
        y: None = None,
        *,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        validation_data: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> keras.callbacks.History:
        """Trains the model; as `keras.Model.fit`, but for what is said here.

        Args:
            x: A `tf.data.Dataset` of batches, or an array [num_examples, ...]: floats, images in
                [-1, 1] (an array may also be uint8). One training step takes
                `discriminator_steps` batches; a dataset of known length is repeated. The order of
                an array's examples is a function of (`seed`, `step`): it resumes where it was.
            y: None: labels are not taken.
            batch_size: Int, examples in one update; for arrays only. Default: 32.
            epochs: Int, the epoch to stop at.
            verbose: "auto", 0, 1 or 2.
            callbacks: List of `keras.callbacks.Callback`.
            validation_data: Array or dataset of examples, for `evaluate` after an epoch.
            initial_epoch: Int, the epoch to begin at.
            steps_per_epoch: Int, training steps in an epoch. Default: one pass over the data.
            validation_steps: Int, batches of an evaluation. Default: all.
            validation_batch_size: Int, for an array. Default: `batch_size`.
            validation_freq: Int, epochs between evaluations.

        Raises:
            ValueError: If the data does not fit the networks, or its first batch is not finite.
        """
        inputs.refuse_labels(y)
        checks.positive_int("epochs", epochs)
        dataset, steps = inputs.training_dataset(
            x,
            batch_size=batch_size,
            discriminator_steps=self.discriminator_steps,
            data_shape=self.data_shape,
            seed=self.seed,
            start_step=self.step,
            steps_per_epoch=steps_per_epoch,
            steps_per_execution=self.steps_per_execution,
        )
        if validation_data is not None:
            validation_data = inputs.evaluation_data(
                validation_data, data_shape=self.data_shape, steps=validation_steps
            )
        return super().fit(
            dataset,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            shuffle=False,  # The dataset has its order; Keras would warn that it cannot shuffle.
            validation_data=validation_data,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size or batch_size,
            validation_freq=validation_freq,
        )

    def evaluate(self, x: Any = None, y: None = None, **options: Any) -> Any:
        """Returns the logs' values on held-out examples, without training; see `test_step`.

        Args:
            x: Array or dataset of examples, as for `fit`.
            y: None: labels are not taken.
            **options: Those of `keras.Model.evaluate` (`batch_size`, `steps`, `return_dict`, ...).

        Raises:
            ValueError: If the data does not fit, is endless and `steps` is not given, or an option
                is not known.
        """
        inputs.refuse_labels(y)
        # `fit` has already checked the data that it evaluates on.
        if not options.get("_use_cached_eval_dataset"):
            x = inputs.evaluation_data(x, data_shape=self.data_shape, steps=options.get("steps"))
        return super().evaluate(x, **options)

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """One training step on real examples [batch, discriminator_steps, ...]."""
        batches = inputs.split_step(data, self.discriminator_steps, len(self.data_shape))
        key = stateless.key(self.seed, self._step)
        for index, real in enumerate(batches):
            self.update_discriminator(real, key=stateless.fold(key, index))
        self.update_generator(batches[-1], key=stateless.fold(key, self.discriminator_steps))
        self.after_update()
        return self.get_metrics_result()

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Measures one batch of real examples: the generator itself, not its average.

        The latents of a batch are the same in every evaluation, so that two of them compare.
        """
        real = inputs.unpack_examples(data)
        num_seen = self._means["generator_loss"].count
        key = stateless.key(self.seed, _EVALUATION, num_seen)
        latents = self.draw_latents(tf.shape(real)[0], stateless.fold(key, _LATENTS))
        fake = tf.cast(self.generator(latents, training=False), tf.float32)
        self.discriminator_terms(real, fake, key=key, training=False)
        self.generator_terms(real, fake, key=key, training=False)
        return self.get_metrics_result()

    def draw_latents(self, num: Any, key: tf.Tensor) -> tf.Tensor:
        """Returns float32 [num, *latent_shape] of N(0, 1), a pure function of `key`."""
        return stateless.normal([num, *self.latent_shape], key)

    def update_discriminator(self, real: tf.Tensor, *, key: tf.Tensor) -> None:
        """One update of the discriminator on `real` [batch, ...] and as many new fakes.

        All its randomness comes from `key`; an override folds roles of its own into it.
        """
        latents = self.draw_latents(tf.shape(real)[0], stateless.fold(key, _LATENTS))
        # Outside the tape: the generator needs no gradient here.
        fake = tf.cast(self.generator(latents, training=True), tf.float32)
        with tf.GradientTape() as tape:
            loss = self.discriminator_terms(real, fake, key=key, training=True)
            scaled = optimizers.scale(loss, self.discriminator_optimizer)
        optimizers.apply(tape, scaled, self.discriminator_optimizer, self.discriminator)

    def update_generator(self, real: tf.Tensor, *, key: tf.Tensor) -> None:
        """One update of the generator, on as many new latents as there are examples in `real`."""
        latents = self.draw_latents(tf.shape(real)[0], stateless.fold(key, _LATENTS))
        with tf.GradientTape() as tape:
            fake = tf.cast(self.generator(latents, training=True), tf.float32)
            loss = self.generator_terms(real, fake, key=key, training=True)
            scaled = optimizers.scale(loss, self.generator_optimizer)
        optimizers.apply(tape, scaled, self.generator_optimizer, self.generator)

    def after_update(self) -> None:
        """Counts the step and moves the generator's average; called once a training step."""
        self._step.assign_add(1)
        if self.ema is not None:
            state.move_average(self.ema_generator, self.generator, self.ema, self._step)

    def discriminator_terms(
        self, real: tf.Tensor, fake: tf.Tensor, *, key: tf.Tensor, training: bool
    ) -> tf.Tensor:
        """Returns the scalar that the discriminator minimizes, and logs its parts."""
        # Real and fake apart, as in the DCGAN authors' code: with BatchNormalization each batch
        # has its own statistics.
        real_logits = self._logits(real, training=training)
        fake_logits = self._logits(fake, training=training)
        on_real, on_fake = self.objective.discriminator_loss(real_logits, fake_logits)
        loss = tf.reduce_mean(on_real) + tf.reduce_mean(on_fake)
        self._log("discriminator_loss", loss, real)
        self._log("real_logits", tf.reduce_mean(real_logits), real)
        self._log("fake_logits", tf.reduce_mean(fake_logits), real)
        if self.penalty is None:
            return loss
        own_key = stateless.fold(key, _PENALTY)
        values = self.penalty(self.discriminator, real, fake, key=own_key, training=training)
        penalty = tf.reduce_mean(values)
        self._log("penalty", penalty, real)
        return loss + self.penalty.weight * penalty

    def generator_terms(
        self,
        real: tf.Tensor,
        fake: tf.Tensor,
        *,
        key: tf.Tensor,  # noqa: ARG002 (for overrides)
        training: bool,
    ) -> tf.Tensor:
        """Returns the scalar that the generator minimizes, and logs it."""
        real_logits = None
        if self.objective.generator_uses_real:
            real_logits = self._logits(real, training=training)
        fake_logits = self._logits(fake, training=training)
        loss = tf.reduce_mean(self.objective.generator_loss(real_logits, fake_logits))
        self._log("generator_loss", loss, real)
        return loss

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, networks included."""
        return {
            **super().get_config(),
            "objective": keras.saving.serialize_keras_object(self.objective),
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "discriminator_steps": self.discriminator_steps,
        }

    def _logits(self, examples: tf.Tensor, *, training: bool) -> tf.Tensor:
        # Losses are computed in float32 whatever the networks compute in.
        return tf.cast(self.discriminator(examples, training=training), tf.float32)

    def _log(self, name: str, value: tf.Tensor, examples: tf.Tensor) -> None:
        # Weighted by examples, so that a smaller last batch does not count as much as the others.
        self._means[name].update_state(value, sample_weight=tf.shape(examples)[0])
