"""Consistency regularization: a change that keeps the content should keep the logit."""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfgans import checks, random
from tfgans.augmentation import Augmentation, DiffAugment
from tfgans.random import Role
from tfgans.regularizers.regularizer import Regularizer, RegularizerInputs
from tfgans.weighted import Weighted

KINDS = ("cr", "bcr", "zcr", "icr")


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True)
class ConsistencyRegularization(Regularizer):
    """CR, bCR, zCR or ICR: the logits of an example and of its changed copy should be equal.

    With A a change that keeps the content, and n ~ N(0, I):

    | term | of | kinds |
    |---|---|---|
    | real_weight E (D(x) - D(A(x)))^2 | the discriminator | cr, bcr, icr |
    | fake_weight E (D(G(z)) - D(A(G(z))))^2 | the discriminator | bcr, icr |
    | latent_weight E (D(G(z)) - D(G(z + stddev n)))^2 | the discriminator | zcr, icr |
    | -diversity_weight E mean((G(z) - G(z + stddev n))^2), over the numbers of an example | the \
generator | zcr, icr |

    The gradient passes through both logits. With `GAN(augmentation=T)` x stands for T(x), so A
    comes on top of T, and both fakes of a latent term get the same T; in StyleGAN2-ADA's code the
    second has none. Each term of the discriminator costs another pass through it. bCR shows A to
    the discriminator alone: its changes may leak into the samples.

    Settings of terms that `kind` does not include have no effect.

    Args:
        kind: "cr", "bcr", "zcr", or "icr", which is bCR and zCR. Default: "bcr".
        real_weight: Float of at least 0. Default: 10.
        fake_weight: Float of at least 0. Default: 10.
        latent_weight: Float of at least 0. Default: 5. Published codes have 5 and 20; StyleGAN2-ADA
            0.2.
        diversity_weight: Float of at least 0. Default: 0.5; StyleGAN2-ADA 0.02. The term has no
            bound but that of the images.
        latent_stddev: Float above 0. Default: 0.03. Codes have 0.03, 0.05 and 0.1.
        augmentation: `tfgans.augmentation.Augmentation`, A, not adaptive. Default:
            `DiffAugment("flip,translation")`, as in the code of DiffAugment. For digits, which a
            mirror changes, take `DiffAugment("translation")`.

    Logs: "consistency", the mean squared difference of the logits, the sum over the terms before
    their weights; "diversity", the mean squared difference of zCR's fakes.

    Raises:
        ValueError: If an argument is not as above.

    Example:

    ```python
    consistency = tfgans.regularizers.ConsistencyRegularization("bcr")
    gan = tfgans.HingeGAN(generator, discriminator, regularizers=[consistency])
    ```

    Reference: Zhang et al. 2020, "Consistency Regularization for Generative Adversarial Networks";
    Zhao et al. 2021, "Improved Consistency Regularization for GANs".
    """

    kind: str = "bcr"
    real_weight: float = dataclasses.field(default=10.0, kw_only=True)
    fake_weight: float = dataclasses.field(default=10.0, kw_only=True)
    latent_weight: float = dataclasses.field(default=5.0, kw_only=True)
    diversity_weight: float = dataclasses.field(default=0.5, kw_only=True)
    latent_stddev: float = dataclasses.field(default=0.03, kw_only=True)
    augmentation: Augmentation = dataclasses.field(
        default=DiffAugment("flip,translation"), kw_only=True
    )

    def __post_init__(self) -> None:
        checks.choice("kind", self.kind, KINDS)
        for name in ("real_weight", "fake_weight", "latent_weight", "diversity_weight"):
            checks.non_negative(name, getattr(self, name))
        checks.positive("latent_stddev", self.latent_stddev)
        example = 'tfgans.augmentation.DiffAugment("translation")'
        checks.instance("augmentation", self.augmentation, Augmentation, example)
        if self.augmentation.is_adaptive:
            raise ValueError(
                "`augmentation` must not be adaptive: no discriminator moves its p. Received: "
                f"{self.augmentation}. Use `DiffAugment`, or `AdaptiveAugment(..., target=None, "
                "initial_p=0.5)`"
            )

    @property
    def log_names(self) -> tuple[str, ...]:
        """The squared differences of the logits, and of zCR's fakes."""
        return ("consistency", *["diversity"] * (self.generator_noise is not None))

    @property
    def state(self) -> keras.layers.Layer | None:
        """The layer that holds the p of the augmentation, if it has one."""
        return self.augmentation.state

    @property
    def generator_noise(self) -> float | None:
        """The noise on the latents of zCR."""
        return self.latent_stddev if self.kind in ("zcr", "icr") else None

    def discriminator_term(
        self, inputs: RegularizerInputs
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the weighted terms, and the logs."""
        terms = []

        def compare(weight: float, logits: Weighted, changed: tf.Tensor) -> None:
            gap = logits.with_values(tf.square(logits.values - changed)).mean()
            terms.append((weight, gap))

        if self.kind != "zcr":
            key = random.fold(inputs.key, Role.CONSISTENCY_OF_REAL)
            changed = self.augmentation(inputs.real, key)
            compare(self.real_weight, inputs.real_logits, inputs.real_logits_fn(changed))
        if self.kind in ("bcr", "icr"):
            key = random.fold(inputs.key, Role.CONSISTENCY_OF_FAKE)
            changed = self.augmentation(tf.stop_gradient(inputs.fake), key)
            compare(self.fake_weight, inputs.fake_logits, inputs.fake_logits_fn(changed))
        if self.generator_noise is not None:
            near = tf.stop_gradient(inputs.perturbed_fakes_fn(self.generator_noise))
            compare(self.latent_weight, inputs.fake_logits, inputs.fake_logits_fn(near))
        total = tf.add_n([weight * gap for weight, gap in terms])
        return total, {"consistency": tf.add_n([gap for _, gap in terms])}

    def generator_term(
        self, fake: Weighted, near: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the weighted term of zCR, and the log."""
        axes = list(range(1, len(near.shape)))
        gaps = tf.reduce_mean(tf.square(fake.values - near), axis=axes)
        diversity = fake.with_values(gaps[:, tf.newaxis]).mean()
        return -self.diversity_weight * diversity, {"diversity": diversity}

    def check(self, shape: Sequence[int | None], *, trains_generator: bool) -> None:
        """Raises ValueError unless examples of `shape` can be changed, and the generator learns."""
        if self.kind != "zcr":
            try:
                self.augmentation.check_shape(shape)
            except ValueError as error:
                raise ValueError(
                    f"kind={self.kind!r} needs changed copies of the examples, which "
                    f"`augmentation` refuses: {error}; pass another `augmentation`, or use "
                    "kind='zcr', which changes latents"
                ) from error
        if self.generator_noise is not None and not trains_generator:
            raise ValueError(
                "zCR compares fakes of near latents, and this method refines its fakes and trains "
                f"no generator. Received: kind={self.kind!r}. Use kind='bcr'"
            )
