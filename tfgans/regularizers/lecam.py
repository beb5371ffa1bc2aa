"""LeCam regularization: the logits are pulled to the mean logit of the other kind."""

import dataclasses

import keras
import tensorflow as tf

from tfgans import checks
from tfgans.regularizers.regularizer import Regularizer, RegularizerInputs
from tfgans.state import State, reduce_stateful


class LeCamState(State):
    """The state of a `LeCam` that changes during training.

    Attributes:
        means: Float32 [2] variable, the moving averages of real and fake logits, biased to 0.
        updates: Int64 variable, the updates of the discriminator that were averaged.
    """

    def __init__(self) -> None:
        super().__init__("lecam")
        self.means = self.add_number("means", shape=(2,))
        self.updates = self.add_number("updates", dtype="int64")
        self.built = True


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class LeCam(Regularizer):
    """LeCam: weight (E relu(D(x) - a_F)^2 + E relu(a_R - D(G(z)))^2) in the discriminator's loss.

    The anchors a_R and a_F are moving averages of the logits of real examples and of fakes, without
    a gradient. The logits of each kind are pulled to the level of the other, so that a
    discriminator that has memorized its examples cannot move them apart. Under the Wasserstein loss
    with `relu=False`, the game then minimizes a LeCam divergence; for other losses there is no such
    theory. With augmentation, the logits are those of augmented examples.

    The anchors of an update are the averages over the updates before it, so they are the same on
    any number of replicas and micro-batches; the authors' code includes the update itself. They are
    bias-corrected, like the moments of Adam, and all discriminators of a mixture share them.

    Args:
        weight: Float of at least 0. Default: 0.3, of the authors for BigGAN's hinge loss. That is
            strong for logistic losses: there the authors take 1e-6 to 3e-7 with StyleGAN2; logits
            +-a of separable data settle at sigmoid(-a) = 4 weight a, which is 0.35 for 0.3, 0.78
            for 0.1 and 2.3 for 0.01.
        decay: Float in [0, 1), of the averages. Default: 0.99; the authors' code for BigGAN has
            0.9, that for StyleGAN2 0.99.
        start: Int of at least 0, updates of the discriminator before the term counts. The first
            update, without anchors, never counts. Default: 1000; the authors' code for BigGAN waits
            for 1000 updates of the generator, with 4 of the discriminator each.
        relu: Bool, whether a logit beyond the other anchor costs nothing, as in the authors' code;
            False is the paper's equation 4. Default: True.

    Logs: "lecam", the term before its weight, 0 before the start; "real_anchor", "fake_anchor".

    Raises:
        ValueError: If an argument is not as above.

    Example:

    ```python
    gan = tfgans.HingeGAN(
        generator, discriminator, regularizers=[tfgans.regularizers.LeCam(weight=0.3)]
    )
    ```

    Reference: Tseng et al. 2021, "Regularizing Generative Adversarial Networks under Limited Data",
    equation 4; github.com/google/lecam-gan.
    """

    weight: float = 0.3
    decay: float = 0.99
    start: int = 1000
    relu: bool = True
    _state: LeCamState = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.non_negative("weight", self.weight)
        if checks.non_negative("decay", self.decay) >= 1:
            raise ValueError(f"`decay` must be in [0, 1). Received: {checks.short(self.decay)}")
        checks.int_at_least("start", self.start, 0)
        checks.boolean("relu", self.relu)
        object.__setattr__(self, "_state", LeCamState())  # The only way in a frozen dataclass.

    @property
    def log_names(self) -> tuple[str, ...]:
        """The term before its weight, and both anchors."""
        return ("lecam", "real_anchor", "fake_anchor")

    @property
    def state(self) -> LeCamState:
        """The layer that holds the averages."""
        return self._state

    def anchors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns a_R and a_F, float32 scalars: the averages so far, 0 before the first update."""
        updates = tf.cast(tf.convert_to_tensor(self._state.updates), tf.float32)
        # 1 - decay ** updates, also for a decay that float32 hardly tells from 1.
        share = -tf.math.expm1(tf.math.xlog1py(updates, self.decay - 1.0))
        means = tf.math.divide_no_nan(tf.convert_to_tensor(self._state.means), share)
        real, fake = tf.unstack(tf.stop_gradient(means))
        return real, fake

    def discriminator_term(
        self, inputs: RegularizerInputs
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the weighted term, and the logs."""
        real_anchor, fake_anchor = self.anchors()
        above = inputs.real_logits.values - fake_anchor
        below = real_anchor - inputs.fake_logits.values
        if self.relu:
            above, below = tf.nn.relu(above), tf.nn.relu(below)
        term = inputs.real_logits.with_values(tf.square(above)).mean()
        term += inputs.fake_logits.with_values(tf.square(below)).mean()
        updates = tf.convert_to_tensor(self._state.updates)
        term = tf.where(updates >= max(1, self.start), term, 0.0)
        logs = {"lecam": term, "real_anchor": real_anchor, "fake_anchor": fake_anchor}
        return self.weight * term, logs

    def adapt(self, real_mean: tf.Tensor, fake_mean: tf.Tensor) -> None:
        """Averages the mean logits of an update, which is skipped if one of them is not finite."""
        received = tf.cast(tf.stack([real_mean, fake_mean]), tf.float32)
        means = tf.convert_to_tensor(self._state.means)
        updates = tf.convert_to_tensor(self._state.updates)
        finite = tf.reduce_all(tf.math.is_finite(received))
        moved = means + (1.0 - self.decay) * (received - means)
        self._state.means.assign(tf.where(finite, moved, means))
        self._state.updates.assign(updates + tf.cast(finite, updates.dtype))

    def __reduce__(self) -> tuple[object, ...]:
        return reduce_stateful(self)
