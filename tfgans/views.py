"""What the discriminator sees of an example in training: augmented, then with instance noise."""

import tensorflow as tf

from tfgans import random
from tfgans.augmentation import Augmentation
from tfgans.layers import InstanceNoise
from tfgans.logs import LogMeans
from tfgans.random import Role, Stream
from tfgans.types import Logs
from tfgans.weighted import Weighted


class Views:
    """Augments examples and adds noise to them, independently for real and fake examples.

    Args:
        augmentation: `tfgans.augmentation.Augmentation`, or None.
        instance_noise: `tfgans.layers.InstanceNoise`, or None.
        threshold: Float, the decision threshold of the objective, which adaptive noise and
            augmentations need; or None.

    Attributes:
        augmentation: The argument.
        instance_noise: The argument.
    """

    def __init__(
        self,
        augmentation: Augmentation | None,
        instance_noise: InstanceNoise | None,
        threshold: float | None,
    ) -> None:
        self.augmentation = augmentation
        self.instance_noise = instance_noise
        self._threshold = threshold

    def of_real(self, examples: tf.Tensor, *, stream: Stream) -> tf.Tensor:
        """Returns real examples [rows, ...] as the discriminator sees them."""
        return self._changed(
            examples, stream.key(Role.AUGMENTATION_OF_REAL), stream.key(Role.NOISE_ON_REAL)
        )

    def of_fake(self, examples: tf.Tensor, *, stream: Stream) -> tf.Tensor:
        """Returns fake examples [rows, ...] as the discriminator sees them."""
        return self._changed(
            examples, stream.key(Role.AUGMENTATION_OF_FAKE), stream.key(Role.NOISE_ON_FAKE)
        )

    def of_penalized(self, examples: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns the points of a penalty at raw examples, by a separate key."""
        return self._changed(examples, key, random.fold(key, Role.NOISE_ON_PENALIZED))

    @property
    def penalizes_raw(self) -> bool:
        """Whether penalties take the gradient with respect to raw examples."""
        return self.augmentation is not None and self.augmentation.penalty_at == "raw"

    @property
    def log_names(self) -> list[str]:
        """The names in `logs` in training."""
        names = []
        if self.instance_noise is not None:
            names += ["noise_level"] + ["accuracy"] * self.instance_noise.is_adaptive
        if self.augmentation is not None:
            names += ["r_t"] * self.augmentation.is_adaptive
            names += ["augmentation_p"] * (self.augmentation.p is not None)
        return names

    def logs(self, real_logits: Weighted, fake_logits: Weighted, *, training: bool) -> Logs:
        """Returns the strength of the changes, and what it adapts to; see `GAN.metrics`."""
        logs: Logs = {}
        if self.instance_noise is not None:
            logs["noise_level"] = self.instance_noise.level if training else tf.zeros([])
            if self.instance_noise.is_adaptive:
                logs["accuracy"] = self._accuracy(real_logits, fake_logits)
        if self.augmentation is not None:
            if self.augmentation.is_adaptive:
                signs = tf.sign(real_logits.values - self._threshold)
                logs["r_t"] = real_logits.with_values(signs).mean()
            if self.augmentation.p is not None and training:
                logs["augmentation_p"] = tf.convert_to_tensor(self.augmentation.p)
        return logs

    @property
    def is_adaptive(self) -> bool:
        """Whether `adapt` changes anything."""
        parts = (self.instance_noise, self.augmentation)
        return any(part is not None and part.is_adaptive for part in parts)

    def adapt(self, means: LogMeans, sums: tf.Tensor) -> None:
        """Moves adaptive noise and augmentations after an update of the discriminator.

        Args:
            means: The logs of the model.
            sums: The sums behind the logs of the update, of all replicas.
        """
        noise, augmentation = self.instance_noise, self.augmentation
        if noise is not None and noise.is_adaptive:
            noise.adapt(means.mean_of("accuracy", sums))
        if augmentation is not None and augmentation.is_adaptive:
            augmentation.adapt(means.mean_of("r_t", sums), means.number_of("r_t", sums))

    def _changed(
        self, examples: tf.Tensor, augmentation_key: tf.Tensor, noise_key: tf.Tensor
    ) -> tf.Tensor:
        if self.augmentation is not None:
            examples = self.augmentation(examples, augmentation_key)
        if self.instance_noise is not None:
            examples = self.instance_noise(examples, key=noise_key, training=True)
        return examples

    def _accuracy(self, real_logits: Weighted, fake_logits: Weighted) -> tf.Tensor:
        right_on_real = tf.cast(real_logits.values > self._threshold, tf.float32)
        right_on_fake = tf.cast(fake_logits.values <= self._threshold, tf.float32)
        accuracy = real_logits.with_values(right_on_real).mean()
        return (accuracy + fake_logits.with_values(right_on_fake).mean()) / 2.0
