"""The game of KL-WGAN: a Wasserstein critic whose fakes are weighted by its density ratio."""

import dataclasses

import keras
import tensorflow as tf

from tfgans import checks
from tfgans.objectives.objective import Objective

FORMS = ("hinge", "linear")


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class KLWasserstein(Objective):
    """Weights each fake by r = exp(D / t) / mean exp(D / t), the critic's estimate of p / q.

    The game lies between f-GAN and WGAN. Let P be the data and Q the generator. Over weights r with
    mean 1, E_P D - E_Q r D + E_Q r log r is smallest at this r, where it is the Donsker-Varadhan
    bound of KL(P || Q). Only a "linear" critic without the gradient of the weights maximizes this
    bound, and has log p / q as its optimum; with the default settings, D is not a log ratio, and r
    is a heuristic. With all weights at 1, the game is that of `Hinge` or `Wasserstein`. The means
    are over the batch (axis 0; in training, the part of it in a replica or a micro-batch),
    separately for each column. The logit that r multiplies is not divided by the temperature t.

    Args:
        form: "hinge" (default, what the authors train) or "linear", the discriminator's loss:
            relu(1 - D(x)) and relu(1 + r D(G)), or -D(x) and r D(G). The generator's is -r D(G).
        temperature: Float above 0, default 1. Higher brings the weights nearer to 1. The authors
            use 5 for images.
        weight_gradient: Bool, default True: gradients flow through r, as in the authors' training
            code. Their notebook on density ratios stops them.

    Call arguments:
        fake_weights: Float [batch, 1], the weight of each fake, or None for equal weights. The mean
            under r is the weighted one, sum w exp(D / t) / sum w, so that r has a weighted mean of
            1. Gradients flow to the weights too.

    Raises:
        ValueError: If `form` is neither, `temperature` not a finite number above 0, or
            `fake_weights` not [batch, 1].

    Example:

    ```python
    gan = tfgans.GAN(generator, discriminator, objective=tfgans.objectives.KLWasserstein())
    ```

    Reference: Song & Ermon 2020, "Bridging the Gap Between f-GANs and Wasserstein GANs"; the
    authors' code, https://github.com/ermongroup/f-wgan, has the hinge and the temperature.
    """

    form: str = "hinge"
    temperature: float = 1.0
    weight_gradient: bool = True

    def __post_init__(self) -> None:
        checks.choice("form", self.form, FORMS)
        checks.boolean("weight_gradient", self.weight_gradient)
        checks.positive("temperature", self.temperature)

    @property
    def weighs_fakes(self) -> bool:
        """True: the weight of a fake depends on the whole batch."""
        return True

    @property
    def decision_threshold(self) -> None:
        """None: no logit is known at which an example is as likely real as generated."""
        return None

    @property
    def estimates_ratio(self) -> bool:
        """Whether the optimal D / t is log p / q plus a constant."""
        return self.form == "linear" and not self.weight_gradient

    def importance_weights(
        self, fake_logits: tf.Tensor, *, fake_weights: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns r, of the logits' shape; with `estimates_ratio` it estimates p / q at each fake.

        Args:
            fake_logits: Float [batch, columns].
            fake_weights: Float [batch, 1], or None; see the class.
        """
        scaled = fake_logits / self.temperature
        shares = _shares(fake_logits, fake_weights)
        # r does not change if the logits are shifted. After this shift the largest term of the mean
        # below is 1, so none overflows. A fake of weight 0 is in no mean: its power is held at 1.
        largest = tf.reduce_max(scaled + tf.math.log(shares), axis=0, keepdims=True)
        shifted = scaled - tf.stop_gradient(largest)
        powers = tf.exp(tf.where(shares > 0, shifted, tf.minimum(shifted, 0)))
        ratios = powers / tf.reduce_mean(shares * powers, axis=0, keepdims=True)
        return ratios if self.weight_gradient else tf.stop_gradient(ratios)

    def discriminator_loss(
        self,
        real_logits: tf.Tensor,
        fake_logits: tf.Tensor,
        *,
        fake_weights: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns relu(1 - real) and relu(1 + r fake), or -real and r fake."""
        weighted = self._weighted(fake_logits, fake_weights)
        if self.form == "hinge":
            return tf.nn.relu(1 - real_logits), tf.nn.relu(1 + weighted)
        return -real_logits, weighted

    def generator_loss(
        self,
        real_logits: tf.Tensor | None,
        fake_logits: tf.Tensor,
        *,
        fake_weights: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns -r fake."""
        del real_logits
        return -self._weighted(fake_logits, fake_weights)

    def _weighted(self, fake_logits: tf.Tensor, fake_weights: tf.Tensor | None) -> tf.Tensor:
        return self.importance_weights(fake_logits, fake_weights=fake_weights) * fake_logits


def donsker_varadhan(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns E D(x) - log E exp(D(G(z))), a lower bound of KL(P_real || P_fake).

    Equal to it for D = log p / q + any constant. Use it with a critic that `KLWasserstein` trained
    in its linear form without the gradient of the weights, at temperature 1; unlike the authors'
    `kl_r()`, it does not divide by the normalizer twice. On a finite batch the log of a mean is
    biased low, so the estimate is biased high: use many fakes.

    Args:
        real_logits: Float [batch, columns].
        fake_logits: Float [fakes, columns]. With several columns, the mean of their bounds.

    Returns: scalar of the logits' dtype.

    Example:

    ```python
    bound = tfgans.objectives.donsker_varadhan(discriminator(real), discriminator(fake))
    ```

    Reference: Donsker & Varadhan 1975; Song & Ermon 2020, "Bridging the Gap Between f-GANs and
    Wasserstein GANs".
    """
    count = tf.cast(tf.shape(fake_logits)[0], fake_logits.dtype)
    log_mean = tf.reduce_logsumexp(fake_logits, axis=0) - tf.math.log(count)
    return tf.reduce_mean(tf.reduce_mean(real_logits, axis=0) - log_mean)


def _shares(fake_logits: tf.Tensor, fake_weights: tf.Tensor | None) -> tf.Tensor:
    """Returns the weight of each fake, with a mean of 1: [batch, 1] in the logits' dtype."""
    if fake_weights is None:
        return tf.ones_like(fake_logits[:, :1])
    weights = tf.cast(fake_weights, fake_logits.dtype)
    if not weights.shape.is_compatible_with([fake_logits.shape[0], 1]):
        raise ValueError(
            "`fake_weights` must be [batch, 1], a weight for each row of `fake_logits`. Received: "
            f"shapes {weights.shape} for logits {fake_logits.shape}"
        )
    return weights / tf.reduce_mean(weights)
