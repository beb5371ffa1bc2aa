"""DCD: fine-tunes a trained discriminator on samples that it refines."""

from collections.abc import Sequence
from typing import Self

import keras
import tensorflow as tf

from tfgans import averages, checks, game_checks, optimizers, players, replicas, shapes
from tfgans.augmentation import Augmentation
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import Hinge, Objective
from tfgans.penalties import Penalty, PenaltySum
from tfgans.random import Role, Stream
from tfgans.refinement import Langevin
from tfgans.regularizers import Regularizer
from tfgans.types import Config, Logs
from tfgans.weighted import Weighted

_ITERATIONS = 50_000


@keras.saving.register_keras_serializable(package="tfgans")
class DCD(GAN):
    """Discriminator contrastive divergence: fine-tunes the discriminator of a trained GAN.

    The discriminator's logit is read as a negative energy. A training step makes samples with the
    generator, which is frozen, moves them up the logit by Langevin steps, and trains the
    discriminator several times on them as the fakes, against a real batch. Sampling refines in
    the same way, so the pair becomes a better sampler though the generator never changes.

    `DCD.from_gan(gan)` starts from a trained model and leaves it as it is; `sample` refines by
    `langevin` by default. There is no `generator_loss` in the logs.

    Args:
        generator: Built Keras model, latents -> examples; it is frozen (`trainable = False`).
        discriminator: Built Keras model, examples -> logits [batch, 1]; it is trained.
        objective: `tfgans.objectives.Objective`, of which only the discriminator's loss is used:
            that of the trained pair. Default: `Hinge()`, as in the authors' experiments.
        penalty: `tfgans.penalties.Penalty`, or None (the default). An unbounded critic, such as
            that of WGAN, also needs it here, or `weight_clip`.
        weight_clip: Float above 0, or None (the default), see `GAN`.
        langevin: `tfgans.refinement.Langevin`. Default: the authors' latent form, 20 steps;
            `Langevin.for_images()` is their form in the space of images.
        updates_per_batch: Int of at least 1, updates on the same real and refined examples.
            Default: 5.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Default optimizers: Adam 2e-4, betas (0, 0.9), that falls linearly to 0 over 50 000 training
    steps.

    Example:

    ```python
    dcd = tfgans.DCD.from_gan(gan)
    dcd.compile()
    dcd.fit(source, batch_size=64, epochs=1, steps_per_epoch=500)
    images = dcd.sample(16, seed=1)
    ```

    Reference: Song, Ye, Xu & Liu 2020, "Discriminator Contrastive Divergence: Semi-Amortized
    Generative Modeling by Exploring Energy of the Discriminator"; the authors' code at
    github.com/MinkaiXu/Discriminator-Contrastive-Divergence.
    """

    _trains_generator = False

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        objective: Objective | None = None,
        penalty: Penalty | PenaltySum | None = None,
        weight_clip: float | None = None,
        langevin: Langevin | None = None,
        updates_per_batch: int = 5,
        instance_noise: InstanceNoise | None = None,
        augmentation: Augmentation | None = None,
        regularizers: Sequence[Regularizer] = (),
        num_classes: int | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        if langevin is not None:
            checks.instance("langevin", langevin, Langevin, "tfgans.refinement.Langevin()")
        super().__init__(
            generator,
            discriminator,
            objective=Hinge() if objective is None else objective,
            penalty=penalty,
            weight_clip=weight_clip,
            instance_noise=instance_noise,
            augmentation=augmentation,
            regularizers=regularizers,
            num_classes=num_classes,
            seed=seed,
            name=name,
        )
        self.langevin = Langevin() if langevin is None else langevin
        self.updates_per_batch = checks.positive_int("updates_per_batch", updates_per_batch)
        self.generator.trainable = False
        self.sampler.check_refinement(self.langevin)
        game_checks.refuse_groups(self.discriminator_player, "the refinement of DCD")

    @classmethod
    def from_gan(
        cls,
        gan: GAN,
        *,
        langevin: Langevin | None = None,
        objective: Objective | None = None,
        penalty: Penalty | PenaltySum | None = None,
        weight_clip: float | None = None,
        instance_noise: InstanceNoise | None = None,
        augmentation: Augmentation | None = None,
        regularizers: Sequence[Regularizer] = (),
        updates_per_batch: int = 5,
        seed: int = 0,
        name: str | None = None,
    ) -> Self:
        """Returns a DCD over copies of a trained GAN's networks.

        The game is that of `gan`: its objective, penalty and weight clipping. Noise, augmentation
        and regularizers are not taken over.

        Args:
            gan: The trained `tfgans.GAN`; of its generator the average, if it has one.
            langevin: See the class.
            objective: See the class. Default: that of `gan`.
            penalty: See the class. Default: that of `gan`.
            weight_clip: See the class. Default: that of `gan`.
            instance_noise: See `GAN`.
            augmentation: See `GAN`.
            regularizers: See `GAN`.
            updates_per_batch: See the class.
            seed: Int, of the draws of training, see `GAN`.
            name: String, optional.
        """
        checks.instance("gan", gan, GAN, "tfgans.training.load_checkpoint('runs/x')")
        if type(gan).draw_latents is not GAN.draw_latents:
            raise ValueError(
                f"A {type(gan).__name__} draws other latents than a DCD would. "
                "Received: a model that overrides `draw_latents`. Subclass `DCD` with the same "
                "override, and pass it copies of the networks"
            )
        return cls(
            averages.copy_network(gan.sampling_generator),
            averages.copy_network(gan.discriminator),
            objective=gan.objective if objective is None else objective,
            penalty=gan.current_penalty if penalty is None else penalty,
            weight_clip=gan.weight_clip if weight_clip is None else weight_clip,
            instance_noise=instance_noise,
            augmentation=augmentation,
            regularizers=regularizers,
            langevin=langevin,
            updates_per_batch=updates_per_batch,
            num_classes=gan.num_classes,
            seed=seed,
            name=name,
        )

    @property
    def refinement(self) -> Langevin:
        """`langevin`: samples are refined as the fakes in training are."""
        return self.langevin

    def default_optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """Returns a new optimizer pair; the generator's stays idle."""
        steps = _ITERATIONS * self.updates_per_batch
        schedule = keras.optimizers.schedules.PolynomialDecay(2e-4, steps, end_learning_rate=0.0)
        return optimizers.adam_pair(schedule, beta_1=0.0, beta_2=0.9)

    def generate(
        self,
        num: int | tf.Tensor,
        labels: tf.Tensor | None = None,
        *,
        stream: Stream,
        training: bool,
    ) -> Weighted:
        """Returns refined examples of equal weight; a mixture draws its components. See `GAN`."""
        del training
        latents = self.latents_of_update(num, stream=stream)
        components = None
        if self.sampler.num_components > 1:
            # Drawn once: left to the latent, it would change as the latent moves.
            components = self.generator_player.choose(stream.uniform(Role.COMPONENTS, [num]))
        examples = self.sampler.from_latents(
            latents,
            labels,
            components,
            refinement=self.langevin,
            key=stream.key(Role.REFINEMENT),
        )
        return Weighted(examples)

    def discriminator_update(
        self,
        real: tf.Tensor,
        labels: tf.Tensor | None = None,
        *,
        stream: Stream,
    ) -> None:
        """Updates the discriminator several times on a real and a refined batch."""

        def refined(real: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
            return self.generate(
                shapes.batch_size(real), labels, stream=stream, training=True
            ).values

        fake = players.map_micro_batches(
            refined, real, labels, num_micro_batches=self.accumulate_steps
        )

        def descend(index: int | tf.Tensor) -> None:
            number = stream.update
            if number is not None:
                number = number * self.updates_per_batch + tf.cast(index, number.dtype)
            inner = stream.substream(Role.INNER_UPDATES, index, update=number)

            def loss(
                real: tf.Tensor, fake: tf.Tensor, labels: tf.Tensor | None
            ) -> tuple[tf.Tensor, Logs]:
                return self.discriminator_loss(
                    real, Weighted(fake), labels, stream=inner, training=True
                )

            self._minimize_discriminator(loss, real, fake, labels)

        replicas.repeat(self.updates_per_batch, descend)

    def generator_update(
        self, real: tf.Tensor, labels: tf.Tensor | None = None, *, stream: Stream
    ) -> None:
        """Does nothing: the generator is frozen."""

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        serialize = keras.saving.serialize_keras_object
        config = {
            **self._shared_config(),
            "objective": serialize(self.objective),
            "penalty": serialize(self.penalty),
            "weight_clip": self.weight_clip,
            "langevin": serialize(self.langevin),
            "updates_per_batch": self.updates_per_batch,
        }
        del config["ema"]
        return config
