"""The relativistic game: a real example is compared with a fake one, pair by pair."""

import dataclasses

import keras
import tensorflow as tf

from tfgans.objectives.objective import Objective


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True)
class Relativistic(Objective):
    """The discriminator minimizes -E log sigma(D(x) - D(G(z))), the generator the reverse.

    Only how much more real x looks than its fake matters: the boundary lies at each real example,
    not once for all, so fakes cannot win by staying at a few modes. Logits pair row by row.
    Without a gradient penalty on real and on fake examples it need not converge; with both it is
    the loss of R3GAN.

    The discriminator's term of a pair counts once. It is returned as the term on the real examples,
    with zeros for the fakes; the model weights the real term as it weights the pair.

    Raises (of the losses):
        ValueError: If real and fake logits do not pair: their shapes differ, or there are no real
            ones.

    Example:

    ```python
    gan = tfgans.GAN(generator, discriminator, objective=tfgans.objectives.Relativistic())
    ```

    Reference: Jolicoeur-Martineau 2019, "The relativistic discriminator: a key element missing from
    standard GAN", the loss RSGAN (not its average form, RaSGAN); Huang et al. 2024, "The GAN is
    dead; long live the GAN! A Modern GAN Baseline" (R3GAN), the loss RpGAN.
    """

    @property
    def pairs_real_with_fake(self) -> bool:
        """True: the generator moves its fakes past the real examples they are paired with."""
        return True

    def discriminator_loss(
        self, real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns softplus(-(real - fake)), and zeros: the pair's term counts once."""
        return tf.nn.softplus(-_margins(real_logits, fake_logits)), tf.zeros_like(fake_logits)

    def generator_loss(self, real_logits: tf.Tensor | None, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns softplus(-(fake - real))."""
        return tf.nn.softplus(_margins(real_logits, fake_logits))


def _margins(real_logits: tf.Tensor | None, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns real - fake, row by row; refuses to broadcast."""
    if real_logits is None or not real_logits.shape.is_compatible_with(fake_logits.shape):
        received = None if real_logits is None else real_logits.shape
        raise ValueError(
            "`Relativistic` pairs real with fake logits row by row: pass the same number of both. "
            f"Received: real {received}, fake {fake_logits.shape}"
        )
    return real_logits - fake_logits
