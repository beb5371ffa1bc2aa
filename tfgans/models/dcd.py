"""DCD: a trained discriminator, tuned on samples that it has refined itself."""

from typing import Any, Self, Unpack

import keras
import tensorflow as tf

from tfgans import checks, random
from tfgans.layers import InstanceNoise
from tfgans.mixtures import MixtureGenerator
from tfgans.models import accumulation, mixing, optimizers, replicas, state
from tfgans.models.fixed_game import FixedGame
from tfgans.models.game import LATENTS
from tfgans.models.gan import GAN
from tfgans.models.pair import Options
from tfgans.objectives import Hinge, Objective
from tfgans.penalties import Penalty, PenaltySum
from tfgans.refinement import Langevin

# Below the key of an update, apart from the roles that a game has there.
_REFINEMENT, _UPDATES, _COMPONENTS = range(100, 103)
_ITERATIONS = 50_000


@keras.saving.register_keras_serializable(package="tfgans")
class DCD(FixedGame):
    """Discriminator contrastive divergence: fine-tunes the discriminator of a trained GAN.

    The discriminator's logit is read as a negative energy. A training step makes samples with the
    generator, which is frozen, moves them up the logit by Langevin steps, and trains the
    discriminator several times on them as the fakes, against one real batch. Sampling refines in
    the same way, so the pair becomes a better sampler though the generator never changes.

    `DCD.from_gan(gan)` starts from a trained model and leaves it as it is; `sample` refines by
    `langevin` unless told otherwise. There is no `generator_loss` in the logs.

    Args:
        generator: Built Keras model, latents -> examples; it is frozen (`trainable = False`).
        discriminator: Built Keras model, examples -> logits [batch, 1]; it is trained.
        objective: `tfgans.objectives.Objective`, of which the discriminator's side is used; the
            one that the pair was trained with. Default: `Hinge()`, as in the authors' experiments.
        penalty: `tfgans.penalties.Penalty`, or None (the default). A critic without a bound, as
            that of WGAN, needs it, or `weight_clip`, here too.
        weight_clip: Float above 0, or None (the default), see `GAN`.
        langevin: `tfgans.refinement.Langevin`. Default: the authors' latent form, 20 steps;
            `Langevin.for_images()` is their form in the space of images.
        updates_per_batch: Int of at least 1, updates on the same real and refined examples.
            Default: 5.
        **options: `num_classes`, `instance_noise`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 2e-4, betas (0, 0.9), that falls linearly to 0 over 50 000 training
    steps.

    Raises:
        ValueError: If `ema` is given: the generator does not move.

    Example:

    ```python
    dcd = tfgans.DCD.from_gan(gan)
    dcd.compile()
    dcd.fit(source.batches(64), epochs=1, steps_per_epoch=500)
    images = dcd.sample(16, seed=1)
    ```

    Reference: Song, Ye, Xu & Liu 2020, "Discriminator Contrastive Divergence: Semi-Amortized
    Generative Modeling by Exploring Energy of the Discriminator"; the authors' code at
    github.com/MinkaiXu/Discriminator-Contrastive-Divergence.
    """

    trains_generator = False

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        objective: Objective | None = None,
        penalty: Penalty | PenaltySum | None = None,
        weight_clip: float | None = None,
        langevin: Langevin | None = None,
        updates_per_batch: int = 5,
        **options: Unpack[Options],
    ) -> None:
        if options.get("ema") is not None:
            raise ValueError(
                "The generator of `DCD` is frozen, so it has no average. Received: "
                f"ema={options['ema']!r}. Leave it out; `DCD.from_gan` takes the average of a GAN"
            )
        if langevin is not None:
            checks.instance("langevin", langevin, Langevin, "tfgans.refinement.Langevin()")
        game: dict[str, Any] = {
            "objective": Hinge() if objective is None else objective,
            "penalty": penalty,
            "weight_clip": weight_clip,
        }
        own = {
            "langevin": Langevin() if langevin is None else langevin,
            "updates_per_batch": checks.positive_int("updates_per_batch", updates_per_batch),
        }
        super().__init__(generator, discriminator, own=game | own, options=options, **game)
        self.generator.trainable = False

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
        updates_per_batch: int = 5,
        seed: int = 0,
        name: str | None = None,
    ) -> Self:
        """Returns a DCD over copies of a trained GAN's networks.

        Args:
            gan: The trained `tfgans.GAN`; of its generator the average, if there is one.
            langevin: See the class.
            objective: See the class. Default: that of `gan`.
            penalty: See the class. Default: that of `gan`.
            weight_clip: See the class. Default: that of `gan`.
            instance_noise: See `GAN`.
            updates_per_batch: See the class.
            seed: Int, of all noise.
            name: String, optional.
        """
        checks.instance("gan", gan, GAN, "tfgans.runs.load_final('runs/x')")
        discriminator = state.copy_network(gan.discriminator)
        discriminator.trainable = True
        return cls(
            state.copy_network(gan.sampling_generator),
            discriminator,
            objective=gan.objective if objective is None else objective,
            penalty=gan.penalty if penalty is None else penalty,
            weight_clip=gan.weight_clip if weight_clip is None else weight_clip,
            instance_noise=instance_noise,
            langevin=langevin,
            updates_per_batch=updates_per_batch,
            num_classes=gan.num_classes,
            seed=seed,
            name=name,
        )

    @property
    def own_refinement(self) -> Langevin:
        """`langevin`: samples are refined as the fakes in training are."""
        return self.langevin

    def default_optimizers(self) -> tuple[Any, Any]:
        """Returns a new optimizer pair; the generator's stays idle."""
        steps = _ITERATIONS * self.updates_per_batch
        schedule = keras.optimizers.schedules.PolynomialDecay(2e-4, steps, end_learning_rate=0.0)
        return optimizers.adam_pair(schedule, beta_1=0.0, beta_2=0.9)

    def generate(
        self, num: Any, *, labels: tf.Tensor | None = None, key: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns refined examples; see `GAN`. They count alike: a mixture draws its components."""
        del training
        latents = self.draw_latents(num, random.fold(key, LATENTS))
        component = None
        if isinstance(self.generator, MixtureGenerator):
            # Drawn once: left to the latent, it would change as the latent moves.
            component = self.generator.choose(random.uniform([num], random.fold(key, _COMPONENTS)))
        own_key = random.fold(key, _REFINEMENT)
        how: Any = {"key": own_key, "component": component}
        return self.refined(self.langevin, latents, labels, **how), None

    def update_discriminator(
        self,
        real: tf.Tensor,
        *,
        labels: tf.Tensor | None = None,
        update: tf.Tensor | None = None,
        key: tf.Tensor,
    ) -> None:
        """Several updates of the discriminator on one real and one refined batch."""
        fake = self._refined_parts(real, labels, key)

        def descend(index: Any) -> None:
            number = None
            if update is not None:
                number = update * self.updates_per_batch + tf.cast(index, update.dtype)
            own_key = random.fold(random.fold(key, _UPDATES), index)
            how: Any = {"update": number, "key": own_key, "training": True}

            def loss(_: Any, real: Any, fake: Any, labels: Any) -> tf.Tensor:
                return self.discriminator_terms(real, fake, labels=labels, **how)

            self.descend_discriminator(loss, real, fake, labels)

        replicas.repeat(self.updates_per_batch, descend)

    def _refined_parts(
        self, real: tf.Tensor, labels: tf.Tensor | None, key: tf.Tensor
    ) -> tf.Tensor:
        """Returns as many refined examples as there are real ones, made part by part."""

        def make(real: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
            num = mixing.batch_size(real)
            return self.generate(num, labels=labels, key=key, training=True)[0]

        return accumulation.map_parts(make, (real, labels), parts=self.accumulate_steps)

    def update_generator(
        self, real: tf.Tensor, *, labels: tf.Tensor | None = None, key: tf.Tensor
    ) -> None:
        """Nothing: the generator is frozen."""

    def evaluate_batch(self, real: tf.Tensor, *, labels: tf.Tensor | None, key: tf.Tensor) -> None:
        """Logs the discriminator's terms on `real` and as many refined examples."""
        fake, _ = self.generate(mixing.batch_size(real), labels=labels, key=key, training=False)
        self.discriminator_terms(real, fake, labels=labels, key=key, training=False)
