"""The game that two networks play: what each of them minimizes."""

from typing import Any, ClassVar, Unpack

import keras
import tensorflow as tf

from tfgans import random, shapes
from tfgans.layers import InstanceNoise
from tfgans.models import fit, logs, mixing, replicas
from tfgans.models.pair import PairOptions
from tfgans.models.sampled_pair import SampledPair
from tfgans.objectives import Objective
from tfgans.penalties import Penalty, PenaltySum

# Roles of the draws in one update: each has a branch of its own below the update's key.
LATENTS, _PENALTY, _GENERATORS, _DISCRIMINATORS, _DEAL = range(5)
_NOISE_ON_REAL, _NOISE_ON_FAKE, _PENALTY_OF_OTHERS = range(5, 8)


class Game(SampledPair):
    """Two players and their losses; how the losses are descended is `GAN`'s.

    Args:
        generator: Built Keras model, or a `MixtureGenerator`.
        discriminator: Built Keras model, or a `MixtureDiscriminator`.
        objective: `tfgans.objectives.Objective`.
        penalty: `tfgans.penalties.Penalty`, a `PenaltySum` or None.
        instance_noise: `tfgans.layers.InstanceNoise` or None.
        **options: `num_classes`, `ema`, `seed` and `name`, see `GAN`.
    """

    # Whether there is a loss of the generator to log.
    trains_generator: ClassVar[bool] = True

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        objective: Objective,
        penalty: Penalty | PenaltySum | None,
        instance_noise: InstanceNoise | None,
        **options: Unpack[PairOptions],
    ) -> None:
        fit.check_game(objective, penalty, instance_noise, discriminator)
        super().__init__(generator, discriminator, **options)
        self.objective = objective
        self.penalty = penalty
        self.instance_noise = instance_noise
        logged = ["discriminator_loss", "real_logits", "fake_logits"]
        if self.trains_generator:
            logged.insert(1, "generator_loss")
        if penalty is not None:
            logged.append("penalty")
        if instance_noise is not None:
            logged += ["noise_level"] + ["accuracy"] * instance_noise.is_adaptive
        self._means = {entry: keras.metrics.Mean(entry) for entry in logged}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means behind the logs.

        `discriminator_loss` and `generator_loss` are the game's terms, without the penalty;
        `penalty` is the mean penalty before its weight; `noise_level` the standard deviation of
        instance noise, 0 in evaluation, and `accuracy` the discriminator's, that adaptive noise
        follows. Metrics that a subclass adds come after.
        """
        return [*self._means.values(), *self.added_metrics]

    @property
    def added_metrics(self) -> list[keras.metrics.Metric]:
        """The metrics that a subclass adds."""
        known = {id(metric) for metric in [*self._means.values(), self._loss_tracker]}
        return [metric for metric in self._metrics if id(metric) not in known]

    def get_metrics_result(self) -> dict[str, Any]:
        """Returns the logs; of several workers' replicas of rank 1, as Keras then reduces them."""
        found = super().get_metrics_result()
        several = replicas.num_workers(tf.distribute.get_strategy()) > 1
        if tf.distribute.in_cross_replica_context() or not several:
            return found
        return {name: tf.reshape(value, [1]) for name, value in found.items()}

    def draw_latents(self, num: Any, key: tf.Tensor) -> tf.Tensor:
        """Returns float32 [num, *latent_shape] of N(0, 1), a pure function of `key`."""
        return random.normal([num, *self.latent_shape], key)

    def generate(
        self, num: Any, *, labels: tf.Tensor | None = None, key: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns new examples for one update, and what each of them counts.

        Args:
            num: Int or scalar tensor, how many latents to draw.
            labels: Int [num], the classes of a conditional model. Default: None.
            key: The int64[2] random key of the update.
            training: Bool, passed on to the generator.

        Returns:
            Float32 examples [rows, ...] and their weights: None for one network; for a mixture
            float32 [rows, 1] with a gradient to its probabilities ("exact" routing makes `num`
            times k rows).
        """
        latents = self.draw_latents(num, random.fold(key, LATENTS))
        own_key = random.fold(key, _GENERATORS)
        inputs = shapes.with_labels(latents, labels)
        return mixing.generate(self.generator, inputs, key=own_key, training=training)

    def discriminator_terms(
        self,
        real: tf.Tensor,
        fake: tf.Tensor,
        *,
        labels: tf.Tensor | None = None,
        weights: tf.Tensor | None = None,
        update: tf.Tensor | None = None,
        key: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        """Returns the scalar that the discriminator minimizes, and logs its parts.

        Args:
            real: Float [batch, ...].
            fake: Float [rows, ...].
            labels: Int [batch], the classes of the real examples and of the fakes, one by one.
                Default: None, the model is not conditional.
            weights: Float32 [rows, 1], what each fake counts (see `generate`). Default: all alike.
            update: Scalar int tensor, the number of the update; a penalty may count by it.
                Default: None.
            key: The int64[2] random key of the update.
            training: Bool, passed on to the discriminator.
        """
        real, fake, labels, weights = self._dealt(real, fake, labels, weights, key, training)
        # Real and fake apart, as in the DCGAN authors' code: with BatchNormalization each batch
        # has its own statistics.
        real_logits, real_weights = self._judge(real, labels, key=key, training=training)
        fake_logits, fake_weights = self._judge(fake, labels, key=key, training=training)
        on_real, on_fake = self._call_objective(
            self.objective.discriminator_loss, real_logits, fake_logits, weights, training
        )
        # Where a game pairs real with fake, its term on the real counts as the pair does.
        paired = weights if self.objective.generator_uses_real else None
        loss = mixing.mean(on_real, real_weights, paired)
        loss += mixing.mean(on_fake, fake_weights, weights)
        self._log("discriminator_loss", loss, real)
        self._log("real_logits", mixing.mean(real_logits, real_weights), real)
        self._log("fake_logits", mixing.mean(fake_logits, fake_weights, weights), real)
        if self.instance_noise is not None:
            level = self.instance_noise.level if training else 0.0
            self._log("noise_level", level, real)
            if self.instance_noise.is_adaptive:
                given = (real_logits, real_weights), (fake_logits, fake_weights, weights)
                self._log_accuracy(*given)
        if self.penalty is not None:
            how: Any = {"update": update, "key": key, "training": training}
            values = self._penalties(self.penalty, real, fake, labels, **how)
            penalty = mixing.mean(values, fake_weights, weights)
            self._log("penalty", penalty, real)
            loss += self.penalty.weight * penalty
        return mixing.with_entropy(loss, self.discriminator)

    def generator_terms(
        self,
        real: tf.Tensor,
        fake: tf.Tensor,
        *,
        labels: tf.Tensor | None = None,
        weights: tf.Tensor | None = None,
        key: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        """Returns the scalar that the generator minimizes, and logs it.

        The arguments are those of `discriminator_terms`.
        """
        real, fake, labels, weights = self._dealt(real, fake, labels, weights, key, training)
        real_logits = None
        if self.objective.generator_uses_real:
            real_logits, _ = self._judge(real, labels, key=key, training=training)
        fake_logits, fake_weights = self._judge(fake, labels, key=key, training=training)
        on_fake = self._call_objective(
            self.objective.generator_loss, real_logits, fake_logits, weights, training
        )
        loss = mixing.mean(on_fake, fake_weights, weights)
        self._log("generator_loss", loss, real)
        return mixing.with_entropy(loss, self.generator)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, networks included."""
        parts = ("objective", "penalty", "instance_noise")
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), **{name: serialize(getattr(self, name)) for name in parts}}

    def _dealt(
        self,
        real: tf.Tensor,
        fake: tf.Tensor,
        labels: tf.Tensor | None,
        weights: tf.Tensor | None,
        key: tf.Tensor,
        training: bool,
    ) -> tuple[Any, ...]:
        """Returns real, fake, labels and weights as the discriminator is to see them."""
        if self.objective.generator_uses_real or labels is not None:
            real = mixing.match_rows(real, fake)
        if labels is not None:
            labels = mixing.match_rows(labels, fake)
        if self.instance_noise is not None and training:
            # Independent draws on both sides.
            own_keys = (random.fold(key, role) for role in (_NOISE_ON_REAL, _NOISE_ON_FAKE))
            real, fake = (
                self.instance_noise(examples, key=own_key, training=True)
                for examples, own_key in zip((real, fake), own_keys, strict=True)
            )
        # With one key the pairs of a game that pairs real with fake stay together.
        how = {"key": random.fold(key, _DEAL), "training": training}
        given = (real, fake, labels, weights)
        return tuple(mixing.deal(self.discriminator, batch, **how) for batch in given)

    def _judge(
        self, examples: tf.Tensor, labels: tf.Tensor | None, *, key: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        own_key = random.fold(key, _DISCRIMINATORS)
        inputs = shapes.with_labels(examples, labels)
        return mixing.judge(self.discriminator, inputs, key=own_key, training=training)

    def _call_objective(
        self, loss: Any, real_logits: Any, fake_logits: Any, weights: Any, training: bool
    ) -> Any:
        if not self.objective.weighs_fakes:
            return loss(real_logits, fake_logits)
        return mixing.each_discriminator(
            self.discriminator,
            lambda real, fake, own: loss(real, fake, fake_weights=own),
            *(real_logits, fake_logits, weights),
            training=training,
        )

    def _penalties(
        self,
        penalty: Penalty | PenaltySum,
        real: tf.Tensor,
        fake: tf.Tensor,
        labels: tf.Tensor | None,
        *,
        update: tf.Tensor | None,
        key: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        real = mixing.match_rows(real, fake)
        own_key = random.fold(key, _PENALTY)
        how: Any = {"update": update, "training": training}

        def price(discriminator: Any, batch: Any, index: int) -> tf.Tensor:
            # The others' lie apart from the branches that a penalty makes below its key.
            others = random.fold(key, _PENALTY_OF_OTHERS)
            of_network = random.fold(others, index) if index else own_key
            return penalty(discriminator, key=of_network, **batch, **how)

        batch = {"real": real, "fake": fake} | ({} if labels is None else {"labels": labels})
        routing_key = random.fold(key, _DISCRIMINATORS)
        return mixing.penalize(self.discriminator, price, batch, key=routing_key, training=training)

    def _log_accuracy(self, real: Any, fake: Any) -> None:
        threshold = self.objective.decision_threshold
        (real_logits, *real_weights), (fake_logits, *fake_weights) = real, fake
        right_on_real = tf.cast(real_logits > threshold, tf.float32)
        right_on_fake = tf.cast(fake_logits <= threshold, tf.float32)
        accuracy = mixing.mean(right_on_real, *real_weights) / 2.0
        accuracy += mixing.mean(right_on_fake, *fake_weights) / 2.0
        self._log("accuracy", accuracy, real_logits)

    def _log(self, name: str, value: Any, examples: tf.Tensor) -> None:
        # Weighted by examples, so that a smaller last batch does not count as much as the others.
        logs.log(self._means[name], value, tf.shape(examples)[0])
