"""ADA: changes with a probability that follows how much the discriminator overfits."""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfgans import checks
from tfgans.augmentation.augmentation import Augmentation
from tfgans.augmentation.transforms import GROUPS, SETS, Transforms
from tfgans.state import State, reduce_stateful

# A mean of signs this near to the target is on it: replicas and micro-batches round differently.
_ROUNDING = 1e-6


class AdaptiveAugmentState(State):
    """The state of an `AdaptiveAugment` that changes during training.

    Attributes:
        p: Float32 variable, the probability of each transform.
        window: Float32 [2] variable, the sum of signs in the open window, and their number.
        updates: Int64 variable, the updates of the discriminator that were counted.
    """

    def __init__(self, p: float) -> None:
        super().__init__("adaptive_augment")
        self.p = self.add_number("p", value=p)
        self.window = self.add_number("window", shape=(2,))
        self.updates = self.add_number("updates", dtype="int64")
        self.built = True


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True)
class AdaptiveAugment(Augmentation):
    """ADA: each transform changes an image with probability p, which follows the discriminator.

    p increases while the discriminator is too confident on its training images, and decreases
    otherwise.
    After every `every` updates of the discriminator, with r_t the mean sign of its logits on the
    real images of these updates, as it saw them:

        p <- clip(p + sign(r_t - target) * (number of these images) / (1000 kimg), 0, p_max)

    r_t = 0.6 means that 80 % of the training images are classified as real. Where the decision
    threshold is not 0, as with `LeastSquares`, it is subtracted from the logit before the sign is
    taken. Objectives without a decision threshold (Wasserstein, relativistic, KL-WGAN) are refused:
    use `target=None`, which keeps p at `initial_p`, or `DiffAugment`.

    As long as p is below 1, flips and turns act on distributions of images as invertible operators:
    if the distributions of augmented images are equal, so are those of the images. In practice, the
    transforms leak into samples from about p = 0.8, hence `p_max`; the authors' code has no bound.

    | group | transforms, in the order in which they run |
    |---|---|
    | `blit` | mirrored left to right; quarter turns (half turns, if not square); shifted by whole \
pixels, up to 1/8 of the side |
    | `geom` | scaled by 2^N(0, 0.2^2); turned by any angle; stretched by 2^N(0, 0.2^2); turned \
again; shifted by N(0, 1/8^2) of the side |
    | `color` | brightness N(0, 0.2^2); contrast 2^N(0, 0.5^2) about middle gray; luma flip; hue, \
any angle; saturation 2^N(0, 1). Of gray images the first three; of images \
with four channels, all but the alpha |
    | `noise` | Gaussian, its standard deviation abs(N(0, 0.1^2)) for each image |
    | `cutout` | a box of half of each side becomes 0 |

    `blit` moves pixels exactly; `geom` is a single bilinear warp. At the borders the image is
    reflected. The authors resample at twice the size with a wavelet's low-pass filter, and have a
    group of band filters; both are left out. In their ablation blit and geom helped most, and
    color modestly.

    Args:
        transforms: String, groups with commas between, or "bg" for "blit,geom", or "bgc" for
            "blit,geom,color". Default: "bgc", as in the paper; for small gray images we recommend
            "bg".
        target: Float in (-1, 1), the r_t that p aims at; or None, which keeps p and leaves `kimg`
            and `every` without effect. Default: 0.6.
        p_max: Float in [0, 1], the largest p. Default: 0.8.
        kimg: Float above 0, the number of real images, in thousands, in which p can rise from 0 to
            1. Default: 500, as published, for runs of tens of millions of images; the authors use
            100 to fine-tune a trained GAN. For a run of 200 000 images, for example, use 20.
        every: Int of at least 1, updates of the discriminator between adjustments. Default: 4.
        initial_p: Float from 0 to p_max, where p starts. Default: 0.
        color_multiplier: Float in [0, 1], a factor of p for the group color; R3GAN's code has 0.5.
            Default: 1.
        penalty_at: "augmented" or "raw", see `Augmentation`. Default: "augmented".

    Attributes:
        p: Variable, float32 scalar. To follow a schedule of your own, use `target=None` and
            `p.assign(value)`. Values above 1 act as 1.

    Under `tf.distribute`, create it in the scope of the strategy, like the networks.

    Raises:
        ValueError: If an argument is not as above.

    Example:

    ```python
    ada = tfgans.augmentation.AdaptiveAugment("bg", target=0.6, kimg=20)
    gan = tfgans.NonSaturatingGAN(generator, discriminator, augmentation=ada)
    gan.compile()
    gan.fit(source, batch_size=32, steps_per_epoch=500, epochs=10)
    print(float(ada.p))
    ```

    Reference: Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data";
    github.com/NVlabs/stylegan2-ada.
    """

    transforms: str = "bgc"
    target: float | None = 0.6
    p_max: float = 0.8
    kimg: float = 500.0
    every: int = 4
    initial_p: float = 0.0
    color_multiplier: float = 1.0
    _state: AdaptiveAugmentState = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        groups = self.groups if isinstance(self.transforms, str) else ("",)
        if len(set(groups)) < len(groups) or not set(groups) <= set(GROUPS):
            listed = ", ".join(map(repr, (*SETS, *GROUPS)))
            raise ValueError(
                f"`transforms` must name some of {listed}, each group at most once, with commas "
                f"between, say 'bgc' or 'blit,color'. Received: {checks.short(self.transforms)}"
            )
        if self.target is not None and not -1 < checks.finite("target", self.target) < 1:
            raise ValueError(
                "`target` must be in (-1, 1): the mean of signs, as 0.6; or None, to keep p. "
                f"Received: {checks.short(self.target)}"
            )
        for name, largest in (("p_max", 1.0), ("initial_p", self.p_max), ("color_multiplier", 1.0)):
            if checks.non_negative(name, getattr(self, name)) > largest:
                raise ValueError(
                    f"`{name}` must be in [0, {largest:g}]. "
                    f"Received: {checks.short(getattr(self, name))}"
                )
        checks.positive("kimg", self.kimg)
        checks.positive_int("every", self.every)
        # The only way in a frozen dataclass.
        object.__setattr__(self, "_state", AdaptiveAugmentState(self.initial_p))

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups of transforms."""
        names = SETS.get(self.transforms, self.transforms)
        return tuple(names.split(",")) if names else ()

    @property
    def p(self) -> keras.Variable:
        """The probability of each transform; saved and resumed with the model."""
        return self._state.p

    @property
    def is_adaptive(self) -> bool:
        """Whether there is a target that p follows."""
        return self.target is not None

    @property
    def state(self) -> AdaptiveAugmentState:
        """The layer that holds p and the open window."""
        return self._state

    def check_shape(self, shape: Sequence[int | None]) -> None:
        """Raises ValueError unless there are images of `shape`, and for color gray, RGB or RGBA."""
        super().check_shape(shape)
        if "color" in self.groups and shape[2] not in (1, 3, 4):
            raise ValueError(
                "The group 'color' changes images of 1, 3 or 4 channels. Received: images of shape "
                f"{tuple(shape)}. Use transforms='bg'"
            )

    def augment(self, images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns the images, each transformed with the present probability."""
        p = tf.minimum(tf.convert_to_tensor(self._state.p), 1.0)
        made = Transforms(images, key, p=p, color_multiplier=self.color_multiplier)
        return made.apply(images, self.groups)

    def adapt(self, sign: float | tf.Tensor, num: int | tf.Tensor) -> None:
        """Counts an update of the discriminator, and adjusts p at the end of a window.

        Args:
            sign: Scalar in [-1, 1], the mean sign of the logits on the real images of the update;
                under `tf.distribute`, over all replicas. If it is NaN, the images are not counted.
            num: Scalar, the number of these images.
        """
        if self.target is None:
            return
        state = self._state
        mean, count = tf.cast(sign, tf.float32), tf.cast(num, tf.float32)
        added = tf.where(tf.math.is_finite(mean), tf.stack([mean * count, count]), tf.zeros([2]))
        total, images = tf.unstack(tf.convert_to_tensor(state.window) + added)
        updates = tf.convert_to_tensor(state.updates) + 1
        is_full = tf.equal(updates % self.every, 0)
        gap = tf.math.divide_no_nan(total, images) - self.target
        direction = tf.where(tf.abs(gap) > _ROUNDING, tf.sign(gap), 0.0)
        p = tf.convert_to_tensor(state.p)
        moved = tf.clip_by_value(p + direction * images / (1000.0 * self.kimg), 0.0, self.p_max)
        state.p.assign(tf.where(is_full, moved, p))
        state.window.assign(tf.where(is_full, tf.zeros([2]), tf.stack([total, images])))
        state.updates.assign(updates)

    def __reduce__(self) -> tuple[object, ...]:
        return reduce_stateful(self)
