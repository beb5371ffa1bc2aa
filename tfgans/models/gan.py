"""A generative adversarial network as a Keras model: how two networks train against each other."""

from typing import Any

import keras
import tensorflow as tf

from tfgans import checks, stateless
from tfgans.models import inputs, mixing, optimizers, state
from tfgans.models.game import Game
from tfgans.objectives import Objective
from tfgans.penalties import Penalty

# Where evaluation draws, whatever the step: no training step has this number.
_EVALUATION = -1


@keras.saving.register_keras_serializable(package="tfgans")
class GAN(Game):
    """Two networks, a game between them, and how they are trained.

    One training step is `discriminator_steps` updates of the discriminator, each on fresh real
    examples and fresh latents, then one update of the generator. All noise is a pure function of
    (`seed`, step), so a run repeats, and a saved and reloaded model trains on to the same bits.

    Any Keras models fit, and so do mixtures of them (`MixtureGenerator`, `MixtureDiscriminator`):
    every term of the game is then the sum over pairs of players, weighted by both. To change a part
    of the step, override its method: `draw_latents`, `generate`, `discriminator_terms`,
    `generator_terms`, `update_discriminator`, `update_generator`, `after_update`.

    Args:
        generator: Built Keras model, latents [batch, ...] -> examples [batch, ...].
        discriminator: Built Keras model, examples -> logits [batch, 1], with no sigmoid; or a
            `MixtureDiscriminator`.
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
        super().__init__(
            generator,
            discriminator,
            objective=objective,
            penalty=penalty,
            ema=ema,
            seed=seed,
            name=name,
        )
        self.discriminator_steps = checks.positive_int("discriminator_steps", discriminator_steps)

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
            check_batch=lambda num: mixing.check_batch(num, self.generator, self.discriminator),
        )
        if validation_data is not None:
            validation_data = inputs.evaluation_data(
                validation_data, data_shape=self.data_shape, steps=validation_steps
            )
        with state.steady_rounding(self):
            return super().fit(
                dataset,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                shuffle=False,  # The dataset has its order; Keras would warn of shuffling it.
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
        fake, weights = self.generate(mixing.batch_size(real), key=key, training=False)
        self.discriminator_terms(real, fake, weights=weights, key=key, training=False)
        self.generator_terms(real, fake, weights=weights, key=key, training=False)
        return self.get_metrics_result()

    def update_discriminator(self, real: tf.Tensor, *, key: tf.Tensor) -> None:
        """One update of the discriminator on `real` [batch, ...] and as many new fakes.

        All its randomness comes from `key`; an override folds roles of its own into it.
        """
        # Outside the tape: the generator needs no gradient here.
        fake, weights = self.generate(mixing.batch_size(real), key=key, training=True)
        with optimizers.record(self.discriminator) as tape:
            loss = self.discriminator_terms(real, fake, weights=weights, key=key, training=True)
            scaled = optimizers.scale(loss, self.discriminator_optimizer)
        optimizers.apply(tape, scaled, self.discriminator_optimizer, self.discriminator)

    def update_generator(self, real: tf.Tensor, *, key: tf.Tensor) -> None:
        """One update of the generator, on as many new latents as there are examples in `real`."""
        with optimizers.record(self.generator) as tape:
            fake, weights = self.generate(mixing.batch_size(real), key=key, training=True)
            loss = self.generator_terms(real, fake, weights=weights, key=key, training=True)
            scaled = optimizers.scale(loss, self.generator_optimizer)
        optimizers.apply(tape, scaled, self.generator_optimizer, self.generator)

    def after_update(self) -> None:
        """Counts the step and moves the generator's average; called once a training step."""
        self._step.assign_add(1)
        if self.ema is not None:
            state.move_average(self.ema_generator, self.generator, self.ema, self._step)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, networks included."""
        return {**super().get_config(), "discriminator_steps": self.discriminator_steps}
