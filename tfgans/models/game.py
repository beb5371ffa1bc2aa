"""The game that two networks play: what each of them minimizes."""

from typing import Any

import keras
import tensorflow as tf

from tfgans import checks, stateless
from tfgans.models import mixing
from tfgans.models.pair import NetworkPair
from tfgans.objectives import Objective
from tfgans.penalties import Penalty
from tfgans.penalties.penalty import refuse_batch_statistics

# Roles of the draws in one update: each has a branch of its own below the update's key.
_LATENTS, _PENALTY, _GENERATORS, _DISCRIMINATORS, _DEAL = range(5)


class Game(NetworkPair):
    """Two players and their losses; how the losses are descended is `GAN`'s.

    Args:
        generator: Built Keras model, or a `MixtureGenerator`.
        discriminator: Built Keras model, or a `MixtureDiscriminator`.
        objective: `tfgans.objectives.Objective`.
        penalty: `tfgans.penalties.Penalty` or None.
        ema: Float in [0, 1) or None, see `GAN`.
        seed: Int, of all noise.
        name: String, optional.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        objective: Objective,
        penalty: Penalty | None,
        ema: float | None,
        seed: int,
        name: str | None,
    ) -> None:
        checks.instance("objective", objective, Objective, "tfgans.objectives.NonSaturating()")
        if penalty is not None:
            checks.instance("penalty", penalty, Penalty, "tfgans.penalties.GradientPenalty()")
            refuse_batch_statistics(discriminator)
        super().__init__(generator, discriminator, ema=ema, seed=seed, name=name)
        self.objective = objective
        self.penalty = penalty
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

    def draw_latents(self, num: Any, key: tf.Tensor) -> tf.Tensor:
        """Returns float32 [num, *latent_shape] of N(0, 1), a pure function of `key`."""
        return stateless.normal([num, *self.latent_shape], key)

    def generate(
        self, num: Any, *, key: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns new examples for one update, and what each of them counts.

        Args:
            num: Int or scalar tensor, how many latents to draw.
            key: The int64[2] random key of the update.
            training: Bool, passed on to the generator.

        Returns:
            Float32 examples [rows, ...] and their weights: None for one network; for a mixture
            float32 [rows, 1] with a gradient to its probabilities ("exact" routing makes `num`
            times k rows).
        """
        latents = self.draw_latents(num, stateless.fold(key, _LATENTS))
        own_key = stateless.fold(key, _GENERATORS)
        return mixing.generate(self.generator, latents, key=own_key, training=training)

    def discriminator_terms(
        self,
        real: tf.Tensor,
        fake: tf.Tensor,
        *,
        weights: tf.Tensor | None = None,
        key: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        """Returns the scalar that the discriminator minimizes, and logs its parts.

        Args:
            real: Float [batch, ...].
            fake: Float [rows, ...].
            weights: Float32 [rows, 1], what each fake counts (see `generate`). Default: all alike.
            key: The int64[2] random key of the update.
            training: Bool, passed on to the discriminator.
        """
        real, fake, weights = self._deal(real, fake, weights, key=key, training=training)
        # Real and fake apart, as in the DCGAN authors' code: with BatchNormalization each batch
        # has its own statistics.
        real_logits, real_weights = self._judge(real, key=key, training=training)
        fake_logits, fake_weights = self._judge(fake, key=key, training=training)
        on_real, on_fake = self.objective.discriminator_loss(real_logits, fake_logits)
        # Where a game pairs real with fake, its term on the real counts as the pair does.
        paired = weights if self.objective.generator_uses_real else None
        loss = mixing.mean(on_real, real_weights, paired)
        loss += mixing.mean(on_fake, fake_weights, weights)
        self._log("discriminator_loss", loss, real)
        self._log("real_logits", mixing.mean(real_logits, real_weights), real)
        self._log("fake_logits", mixing.mean(fake_logits, fake_weights, weights), real)
        if self.penalty is not None:
            values = self._penalties(self.penalty, real, fake, key=key, training=training)
            penalty = mixing.mean(values, fake_weights, weights)
            self._log("penalty", penalty, real)
            loss += self.penalty.weight * penalty
        return mixing.with_entropy(loss, self.discriminator)

    def generator_terms(
        self,
        real: tf.Tensor,
        fake: tf.Tensor,
        *,
        weights: tf.Tensor | None = None,
        key: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        """Returns the scalar that the generator minimizes, and logs it.

        The arguments are those of `discriminator_terms`.
        """
        real, fake, weights = self._deal(real, fake, weights, key=key, training=training)
        real_logits = None
        if self.objective.generator_uses_real:
            real_logits, _ = self._judge(real, key=key, training=training)
        fake_logits, fake_weights = self._judge(fake, key=key, training=training)
        on_fake = self.objective.generator_loss(real_logits, fake_logits)
        loss = mixing.mean(on_fake, fake_weights, weights)
        self._log("generator_loss", loss, real)
        return mixing.with_entropy(loss, self.generator)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, networks included."""
        return {
            **super().get_config(),
            "objective": keras.saving.serialize_keras_object(self.objective),
            "penalty": keras.saving.serialize_keras_object(self.penalty),
        }

    def _deal(self, real: tf.Tensor, *fake: Any, key: tf.Tensor, training: bool) -> tuple[Any, ...]:
        if self.objective.generator_uses_real:
            real = mixing.match_rows(real, fake[0])
        # With one key the pairs of a game that pairs real with fake stay together.
        how = {"key": stateless.fold(key, _DEAL), "training": training}
        return tuple(mixing.deal(self.discriminator, batch, **how) for batch in (real, *fake))

    def _judge(
        self, examples: tf.Tensor, *, key: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        own_key = stateless.fold(key, _DISCRIMINATORS)
        return mixing.judge(self.discriminator, examples, key=own_key, training=training)

    def _penalties(
        self, penalty: Penalty, real: tf.Tensor, fake: tf.Tensor, *, key: tf.Tensor, training: bool
    ) -> tf.Tensor:
        judges = mixing.judges(
            self.discriminator, key=stateless.fold(key, _DISCRIMINATORS), training=training
        )
        real = mixing.match_rows(real, fake)
        own_key = stateless.fold(key, _PENALTY)
        values = [penalty(one, real, fake, key=own_key, training=training) for one in judges]
        return tf.stack(values, axis=1)

    def _log(self, name: str, value: tf.Tensor, examples: tf.Tensor) -> None:
        # Weighted by examples, so that a smaller last batch does not count as much as the others.
        self._means[name].update_state(value, sample_weight=tf.shape(examples)[0])
