"""The gradient penalty of DRAGAN, on points around real examples."""

import dataclasses

import keras
import tensorflow as tf

from tfgans import checks, random
from tfgans.penalties.gradient_penalty import uniform_per_example
from tfgans.penalties.penalty import Penalty
from tfgans.random import Role

NOISES = ("uniform", "symmetric", "gaussian")


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class DRAGANPenalty(Penalty):
    """(||grad D(x_hat)||_2 - 1)^2 at real examples that are moved by noise; fakes do not enter.

    With s the standard deviation of all numbers of the real batch (of the part of it in a replica
    or a micro-batch) and r = `scale`:

    | `noise` | x_hat | offset | source |
    |---|---|---|---|
    | "uniform" | x + alpha r s U[0, 1)^dims, one alpha ~ U[0, 1) per example | in [0, r s) | the authors' code |
    | "symmetric" | x + r s U[-1, 1)^dims | in [-r s, r s) | compare_gan, which clips it to the range of images besides |
    | "gaussian" | x + r s N(0, 1)^dims | any | the form x + N(0, c I) of the paper |

    Args:
        weight: Float, default 10.
        target: Float, default 1.
        noise: "uniform", "symmetric" or "gaussian". Default: "uniform".
        scale: Float of at least 0, default 0.5; with 0 the points are the real examples.
        one_sided: Bool, default False. See `Penalty`, as for the rest.
        every: Int, default 1.
        fraction: Float, default 1.
        epsilon: Float, default 1e-12.

    Example:

    ```python
    gan = tfgans.NonSaturatingGAN(
        generator, discriminator, penalty=tfgans.penalties.DRAGANPenalty()
    )
    ```

    Reference: Kodali et al. 2017, "On Convergence and Stability of GANs"; the authors' notebook at
    github.com/kodalinaveen3/DRAGAN.
    """  # noqa: E501 (a table)

    noise: str = "uniform"
    scale: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.choice("noise", self.noise, NOISES)
        checks.non_negative("scale", self.scale)

    def points(self, real: tf.Tensor, fake: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns a point near each real example."""
        del fake
        radius = self.scale * tf.math.reduce_std(real)
        shape = [tf.shape(real)[0], *real.shape[1:]]
        noise_key = random.fold(key, Role.PENALTY_POINTS)
        if self.noise == "gaussian":
            return real + radius * random.normal(shape, noise_key)
        uniform = random.uniform(shape, noise_key)
        if self.noise == "symmetric":
            return real + radius * (2.0 * uniform - 1.0)
        return real + uniform_per_example(real, key) * radius * uniform
