"""The settings of a refinement, as an immutable, serializable value."""

import dataclasses
from typing import Self

import keras
import tensorflow as tf

from tfgans import checks
from tfgans.refinement.langevin import LogDensity, check_clamp, check_settings, langevin
from tfgans.types import Config

SPACES = ("latent", "data")


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Langevin:
    """The settings of a refinement: the space, the number and size of steps, and the noise.

    Immutable, without state, and it never sees a network: `run` is `langevin` with these settings.
    The defaults are those of the authors' code of DCD, which refines latents. `for_images` returns
    their settings for pixels.

    Args:
        space: "latent" or "data", where the points lie. Default: "latent".
        steps: Int of at least 0. Default: 20.
        step_size: Float above 0. Default: 1.
        noise_scale: Float of at least 0. Default: 0.005.
        noise_mode: "sqrt_step", "fixed", "gradient_norm", or None for the authors' choice:
            "sqrt_step" in latent space and "fixed" in data space. Default: None.
        gradient_clip: Float above 0, or None. Default: None.
        clamp: Pair (low, high), or None. Default: None.
        prior: Bool, of latents only. Default: False.
        temperature: Float above 0. Default: 1.
        annealing: "none", "thirds" or "tenths". Default: "none".

    `langevin` describes each argument.

    Raises:
        ValueError: On a setting out of its range, or a prior in data space.

    Example:

    ```python
    settings = tfgans.refinement.Langevin(steps=50, step_size=0.01, noise_scale=1.0, prior=True)
    z = settings.run(z, lambda z: discriminator(generator(z)), key=key)
    ```

    Reference: Song et al. 2020, "Discriminator Contrastive Divergence"; the numbers are those of
    the authors' argparser.py.
    """

    space: str = "latent"
    steps: int = 20
    step_size: float = 1.0
    noise_scale: float = 0.005
    noise_mode: str | None = None
    gradient_clip: float | None = None
    clamp: tuple[float, float] | None = None
    prior: bool = False
    temperature: float = 1.0
    annealing: str = "none"

    def __post_init__(self) -> None:
        checks.choice("space", self.space, SPACES)
        # A list, as JSON gives it, could not be hashed.
        object.__setattr__(self, "clamp", check_clamp(self.clamp))
        options = self._options()
        del options["clamp"]
        check_settings(**options)
        if self.prior and self.space == "data":
            raise ValueError(
                "`prior` is the standard normal density of latents. Received: prior=True with "
                "space='data'. Leave it out, or refine in latent space"
            )

    @classmethod
    def for_images(
        cls, *, steps: int = 20, step_size: float = 1.0, noise_scale: float = 0.005
    ) -> Self:
        """Returns the authors' settings for pixels in [-1, 1].

        Args:
            steps: Int of at least 0. Default: 20.
            step_size: Float above 0. Default: 1.
            noise_scale: Float of at least 0, in the unit of the pixels. Default: 0.005.
        """
        return cls(
            space="data",
            steps=steps,
            step_size=step_size,
            noise_scale=noise_scale,
            gradient_clip=1.0,
            clamp=(-1.0, 1.0),
        )

    @property
    def chosen_noise_mode(self) -> str:
        """The noise mode, after None has become that of the space."""
        if self.noise_mode is not None:
            return self.noise_mode
        return "sqrt_step" if self.space == "latent" else "fixed"

    def run(self, start: tf.Tensor, log_density: LogDensity, *, key: tf.Tensor) -> tf.Tensor:
        """Returns `langevin(start, log_density, key=key)` with these settings."""
        return langevin(start, log_density, key=key, **self._options())

    def get_config(self) -> Config:
        """Returns the settings, enough for `from_config`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Makes the settings from the result of `get_config`."""
        return cls(**config)

    def _options(self) -> Config:
        options = {**dataclasses.asdict(self), "noise_mode": self.chosen_noise_mode}
        del options["space"]
        return options
