"""A generative adversarial network as a Keras model: how two networks train against each other."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfgans import checks, random
from tfgans.layers import InstanceNoise
from tfgans.models import accumulation, inputs, logs, mixing, replicas, state
from tfgans.models.fitted_game import FittedGame
from tfgans.objectives import Objective
from tfgans.penalties import Penalty, PenaltySum, clip_weights

# Where evaluation draws, whatever the step: no training step has this number.
_EVALUATION = -1


@keras.saving.register_keras_serializable(package="tfgans")
class GAN(FittedGame):
    """Two networks, a game between them, and how they are trained.

    One training step is `discriminator_steps` updates of the discriminator, each on fresh real
    examples and fresh latents, then one update of the generator. All noise is a pure function of
    (`seed`, step), so a run repeats, and a saved and reloaded model trains on to the same bits.

    Any Keras models fit, and so do mixtures of them (`MixtureGenerator`, `MixtureDiscriminator`):
    every term of the game is then the sum over pairs of players, weighted by both. To change a part
    of the step, override its method: `draw_latents`, `generate`, `discriminator_terms`,
    `generator_terms`, `update_discriminator`, `update_generator`, `after_update`.

    Args:
        generator: Built Keras model, latents [batch, ...] -> examples [batch, ...]; a conditional
            one takes the list [latents, labels].
        discriminator: Built Keras model, examples -> logits [batch, 1], with no sigmoid; or a
            `MixtureDiscriminator`. A conditional one takes [examples, labels].
        objective: `tfgans.objectives.Objective`, the game.
        penalty: `tfgans.penalties.Penalty`, a `PenaltySum`, or None (the default).
        discriminator_steps: Int of at least 1. Updates of the discriminator before each one of
            the generator. Default: 1.
        weight_clip: Float above 0, or None (the default). After each of its updates, all
            parameters of the discriminator are moved into [-weight_clip, weight_clip].
        instance_noise: `tfgans.layers.InstanceNoise`, independent noise on the real and on the
            fake examples in the updates of both players; or None (the default).
        num_classes: Int of at least 2, of a conditional model: `fit` then takes labels 0, 1, ...,
            and the fakes of an update get the labels of its real examples. Default: None.
        ema: Float in [0, 1), the decay of an exponential moving average of the generator's
            weights (BatchNormalization statistics included), which `sample`, `predict` and
            `export` then use. The decay in force is min(ema, (1 + step) / (10 + step)), as in
            `tf.train.ExponentialMovingAverage`: the first weights are soon forgotten. Default:
            None, no average.
        seed: Int, of all noise. It does not seed the networks' first weights.
        name: String, optional.

    Call arguments:
        inputs: Float tensor [batch, ...], the latents; of a conditional model the list [latents,
            labels]. Returns the examples that the sampling generator makes.

    Raises:
        ValueError: If the networks do not fit each other or the labels, a penalty meets
            BatchNormalization, or a number is out of its range.

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
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 1,
        weight_clip: float | None = None,
        instance_noise: InstanceNoise | None = None,
        num_classes: int | None = None,
        ema: float | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            objective=objective,
            penalty=penalty,
            instance_noise=instance_noise,
            num_classes=num_classes,
            ema=ema,
            seed=seed,
            name=name,
        )
        self.discriminator_steps = checks.positive_int("discriminator_steps", discriminator_steps)
        if weight_clip is not None:
            checks.positive("weight_clip", weight_clip)
        self.weight_clip = weight_clip

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One training step on real examples [batch, discriminator_steps, ...], labels alike."""
        count = self.discriminator_steps
        batch = inputs.batches_of_step(data, count, len(self.data_shape), self.num_classes)
        key = random.key(self.seed, self._step)

        def update(index: Any) -> None:
            real, labels = batch(index)
            number = self._step * count + tf.cast(index, self._step.dtype)
            own_key = random.fold(key, index)
            self.update_discriminator(real, labels=labels, update=number, key=own_key)

        replicas.repeat(count, update)
        real, labels = batch(count - 1)
        self.update_generator(real, labels=labels, key=random.fold(key, count))
        self.after_update()
        return self.get_metrics_result()

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Measures one batch of real examples: the generator itself, not its average.

        The latents of a batch are the same in every evaluation, so that two of them compare.
        """
        real, labels = inputs.unpack_batch(data, self.num_classes)
        # Each replica counts its own examples.
        num_seen = replicas.total(tf.convert_to_tensor(self._means["discriminator_loss"].count))
        key = random.key(self.seed, _EVALUATION, num_seen)
        self.evaluate_batch(real, labels=labels, key=key)
        return self.get_metrics_result()

    def evaluate_batch(self, real: tf.Tensor, *, labels: tf.Tensor | None, key: tf.Tensor) -> None:
        """Logs the terms of both players on `real` [batch, ...] and as many new fakes."""
        num, how = mixing.batch_size(real), {"labels": labels, "key": key, "training": False}
        fake, weights = self.generate(num, **how)
        self.discriminator_terms(real, fake, weights=weights, **how)
        self.generator_terms(real, fake, weights=weights, **how)

    def update_discriminator(
        self,
        real: tf.Tensor,
        *,
        labels: tf.Tensor | None = None,
        update: tf.Tensor | None = None,
        key: tf.Tensor,
    ) -> None:
        """One update of the discriminator on `real` [batch, ...] and as many new fakes.

        In a graph the updates of a step are a loop over this: what an override hands on must go
        through variables.

        Args:
            real: Float [batch, ...].
            labels: Int [batch], of a conditional model; else None.
            update: Scalar int tensor, the number of this update among all of the discriminator's.
            key: Int64 [2]. All randomness comes from it; an override folds roles of its own in.
        """

        def loss(tape: tf.GradientTape, real: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
            how = {"labels": labels, "key": key, "training": True}
            with tape.stop_recording():  # The generator needs no gradient here.
                fake, weights = self.generate(mixing.batch_size(real), **how)
            return self.discriminator_terms(real, fake, weights=weights, update=update, **how)

        self.descend_discriminator(loss, real, labels)

    def descend_discriminator(self, loss: Callable[..., tf.Tensor], *examples: Any) -> None:
        """One step of the discriminator's optimizer.

        Args:
            loss: Callable `(tape, *examples)` -> scalar, the mean over the examples that it is
                given: all, or with `accumulate_steps` a part of them.
            *examples: Tensors [batch, ...]; None stays None.
        """
        logged = self._descend(self.discriminator, self.discriminator_optimizer, loss, examples)
        if self.instance_noise is not None and self.instance_noise.is_adaptive:
            accuracy = replicas.total(logged["accuracy"])
            self.instance_noise.adapt(accuracy[0] / accuracy[1])
        if self.weight_clip is not None:
            clip_weights(mixing.own_variables(self.discriminator), self.weight_clip)

    def update_generator(
        self, real: tf.Tensor, *, labels: tf.Tensor | None = None, key: tf.Tensor
    ) -> None:
        """One update of the generator, on as many new latents as there are examples in `real`."""

        def loss(_: tf.GradientTape, real: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
            how = {"labels": labels, "key": key, "training": True}
            fake, weights = self.generate(mixing.batch_size(real), **how)
            return self.generator_terms(real, fake, weights=weights, **how)

        self._descend(self.generator, self.generator_optimizer, loss, (real, labels))

    def after_update(self) -> None:
        """Counts the step, moves the generator's average and anneals instance noise.

        Called once a training step.
        """
        self._step.assign_add(1)
        if self.instance_noise is not None:
            self.instance_noise.anneal(tf.convert_to_tensor(self._step.value))
        if self.ema is not None:
            state.move_average(self.ema_generator, self.generator, self.ema, self._step)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, networks included."""
        own = ("discriminator_steps", "weight_clip")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def _descend(self, network: Any, optimizer: Any, loss: Any, examples: Any) -> logs.Sums:
        return accumulation.descend(
            loss,
            examples,
            optimizer=optimizer,
            network=network,
            parts=self.accumulate_steps,
            means=self._means,
        )
