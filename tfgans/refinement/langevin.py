"""Langevin dynamics: points climb a log density by its gradient, under noise."""

import dataclasses
import numbers
from collections.abc import Callable, Sequence
from typing import Self

import keras
import tensorflow as tf

from tfgans import checks, random
from tfgans.settings import Settings

SPACES = ("latent", "data")
NOISE_MODES = ("sqrt_step", "fixed", "gradient_norm")
ANNEALINGS = ("none", "thirds", "tenths")
# What the step size and the noise scale are multiplied by, in equal parts of the run.
_STEP_FACTORS = {
    "none": (1.0,),
    "thirds": (1.0, 1.0, 1.0),
    "tenths": (1.0, 0.1, 0.01, 0.001, 0.0001),
}
_NOISE_FACTORS = {**_STEP_FACTORS, "thirds": (1.0, 0.7, 0.4)}

LogDensity = Callable[[tf.Tensor], tf.Tensor]


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Langevin(Settings):
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
        checks.int_at_least("steps", self.steps, 0)
        checks.positive("step_size", self.step_size)
        checks.non_negative("noise_scale", self.noise_scale)
        if self.noise_mode is not None:
            checks.choice("noise_mode", self.noise_mode, NOISE_MODES)
        if self.gradient_clip is not None:
            checks.positive("gradient_clip", self.gradient_clip)
        # A list, as JSON gives it, could not be hashed.
        object.__setattr__(self, "clamp", _checked_clamp(self.clamp))
        checks.boolean("prior", self.prior)
        checks.positive("temperature", self.temperature)
        checks.choice("annealing", self.annealing, ANNEALINGS)
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
        start = _check_start(start)
        keys = _check_key(key, start.shape)
        if self.steps == 0:
            return tf.stop_gradient(start)

        def gradient(points: tf.Tensor) -> tf.Tensor:
            slope = self.temperature * _slope(log_density, points)
            if self.gradient_clip is not None:
                slope = tf.clip_by_value(slope, -self.gradient_clip, self.gradient_clip)
            return slope - points if self.prior else slope

        def step(index: tf.Tensor, points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            size = self.step_size * _factor(_STEP_FACTORS[self.annealing], index, self.steps)
            scale = self.noise_scale * _factor(_NOISE_FACTORS[self.annealing], index, self.steps)
            noise = scale * _noise(points, keys, index)
            moved = _move(self.chosen_noise_mode, points, gradient, size, noise)
            if self.clamp is not None:
                moved = tf.clip_by_value(moved, *self.clamp)
            return index + 1, tf.ensure_shape(moved, start.shape)

        first = tf.constant(0, tf.int64)
        _, end = tf.while_loop(lambda index, _: index < self.steps, step, (first, start))
        return tf.stop_gradient(end)


def langevin(
    start: tf.Tensor,
    log_density: LogDensity,
    *,
    steps: int,
    step_size: float,
    noise_scale: float = 1.0,
    key: tf.Tensor,
    noise_mode: str = "sqrt_step",
    gradient_clip: float | None = None,
    clamp: tuple[float, float] | None = None,
    prior: bool = False,
    temperature: float = 1.0,
    annealing: str = "none",
) -> tf.Tensor:
    """Returns the points after `steps` Langevin steps up `log_density`.

    In data space pass the discriminator D; in latent space, which has fewer dimensions and needs no
    clamp, pass z -> D(G(z)). Let p be the density of the data and q that of G(z). At the optimum of
    a logistic game D is log p / q: then `prior=True` in latent space samples from p (DDLS), but
    exp D in data space is p / q, not p. `DCD` trains D as a negative energy of the data instead.

    With g the gradient (below), N standard normal noise, s the step size and c the noise scale:

    - "sqrt_step": `x <- x + s/2 g(x) + sqrt(s) c N`. With c = 1 this is the unadjusted Langevin
      algorithm, which draws from the density as s goes to 0: at curvature 1 its variance is
      1 / (1 - s/4), and it diverges from s = 4 on. The DCD authors' latent form.
    - "fixed": `x <- x + c N`, then `x <- x + s g(x)` at the noisy point. Their pixel form.
    - "gradient_norm": `x <- x + s g(x) + ||g(x)||_2 sqrt(s) c N`, a norm for each example. Their
      toy code.

    `g(x) = clip(temperature * grad log_density(x))`, less x itself if `prior`. The clip is on the
    network's gradient, not on the prior's, which is known and smooth.

    The noise is a pure function of the key and the number of the step. The loop is not unrolled in
    a `tf.function`, and the result carries no gradient: it is training data.

    Args:
        start: Floats [batch, ...], of a static shape but for axis 0; read as float32.
        log_density: Callable, float32 [batch, ...] -> float [batch] or [batch, 1]. It must treat
            each example by itself, so pass `training=False` to a network. It may compute in
            float16.
        steps: Int of at least 0. With 0 the result is `start`.
        step_size: Float above 0.
        noise_scale: Float of at least 0. Default: 1. With 0 this is plain gradient ascent.
        key: int64 [2], the key of the whole batch; or int64 [batch, 2], a key for each row, so that
            a row depends on its key alone (then rows are not shared out among replicas).
        noise_mode: "sqrt_step", "fixed" or "gradient_norm". Default: "sqrt_step".
        gradient_clip: Float above 0, or None for no clip. Each entry of the gradient is clipped to
            [-gradient_clip, gradient_clip]. Default: None.
        clamp: Pair (low, high), or None for no bounds. Each entry is clipped to it after each step.
            Default: None.
        prior: Bool, whether to add the gradient -x of a standard normal prior. For latents: then
            the density is that of DDLS, p0(z) exp D(G(z)). The DCD authors leave it out.
            Default: False.
        temperature: Float above 0, the factor of the log density. The name is the authors': it is
            the inverse of a physical temperature, and larger values pull harder. Default: 1.
        annealing: "none"; "thirds", noise times 1, 0.7, 0.4 in the thirds of the run (the authors'
            for pixels); or "tenths", step size and noise scale times 0.1 after each fifth (the
            authors' for latents). Default: "none".

    Returns:
        float32 tensor of the shape of `start`.

    Raises:
        ValueError: On a setting out of its range, a key of another shape, or a `log_density` that
            gives another shape or does not depend on its input.

    Example:

    ```python
    z = tfgans.refinement.langevin(
        z, lambda z: discriminator(generator(z)), steps=20, step_size=0.01, prior=True, key=key
    )
    ```

    Reference: Welling & Teh 2011, "Bayesian Learning via Stochastic Gradient Langevin Dynamics",
    equation 3 ("sqrt_step"). Song et al. 2020, "Discriminator Contrastive Divergence", and the
    authors' code (langevin_z.py, langevin.py, mcmc_sampler.py). Che et al. 2020, "Your GAN is
    Secretly an Energy-based Model and You Should Use Discriminator Driven Latent Sampling" (DDLS).
    """
    checks.choice("noise_mode", noise_mode, NOISE_MODES)
    settings = Langevin(
        steps=steps,
        step_size=step_size,
        noise_scale=noise_scale,
        noise_mode=noise_mode,
        gradient_clip=gradient_clip,
        clamp=clamp,
        prior=prior,
        temperature=temperature,
        annealing=annealing,
    )
    return settings.run(start, log_density, key=key)


def _checked_clamp(clamp: Sequence[float] | None) -> tuple[float, float] | None:
    """Returns None or the two bounds as floats, or raises ValueError."""
    if clamp is None:
        return None
    pair = tuple(clamp) if isinstance(clamp, tuple | list) else ()
    if len(pair) != 2 or not all(isinstance(bound, numbers.Real) for bound in pair):
        raise ValueError(
            f"`clamp` must be None or a pair (low, high). Received: {checks.short(clamp)}"
        )
    low, high = map(float, pair)
    # Written so that NaN fails it.
    if not low < high:
        raise ValueError(
            f"`clamp` must be (low, high) with low below high. Received: {checks.short(clamp)}"
        )
    return low, high


def _move(
    noise_mode: str, points: tf.Tensor, gradient: LogDensity, size: tf.Tensor, noise: tf.Tensor
) -> tf.Tensor:
    if noise_mode == "fixed":
        noisy = points + noise
        return noisy + size * gradient(noisy)
    slope = gradient(points)
    if noise_mode == "sqrt_step":
        return points + size / 2 * slope + tf.sqrt(size) * noise
    axes = list(range(1, len(points.shape)))
    norms = tf.sqrt(tf.reduce_sum(tf.square(slope), axes, keepdims=True))
    return points + size * slope + norms * tf.sqrt(size) * noise


def _factor(factors: tuple[float, ...], index: tf.Tensor, steps: int) -> tf.Tensor:
    return tf.gather(tf.constant(factors), len(factors) * index // steps)


def _noise(points: tf.Tensor, keys: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    row_shape = points.shape[1:]
    if len(keys.shape) == 1:
        return random.normal([tf.shape(points)[0], *row_shape], random.fold(keys, index))
    return random.normal_rows(random.fold_rows(keys, index), row_shape)


def _slope(log_density: LogDensity, points: tf.Tensor) -> tf.Tensor:
    """Returns the gradient of each example's log density with respect to it."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(points)
        values = tf.cast(log_density(points), tf.float32)
    rank = values.shape.rank
    if rank not in (1, 2) or not values.shape.is_compatible_with([points.shape[0], 1][:rank]):
        raise ValueError(
            "`log_density` must return one number per example, of shape [batch] or [batch, 1]. "
            f"Received: shape {values.shape} for points of shape {points.shape}"
        )
    slope = tape.gradient(values, points)
    if slope is None:
        raise ValueError(
            "`log_density` must depend on its input through TensorFlow, to have a gradient. "
            f"Received: {checks.short(log_density)}, which has none. Return `0 * sum(x)` for "
            "a flat density"
        )
    return tf.convert_to_tensor(slope)


def _check_start(start: tf.Tensor) -> tf.Tensor:
    points = tf.cast(start, tf.float32)
    if not points.shape.rank or not points.shape[1:].is_fully_defined():
        raise ValueError(
            "`start` must have shape [batch, ...], static but for the batch. "
            f"Received: shape {points.shape}"
        )
    return points


def _check_key(key: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    keys = tf.convert_to_tensor(key, tf.int64)
    expected = [2] if keys.shape.rank == 1 else [shape[0], 2]
    if keys.shape.rank is None or not keys.shape.is_compatible_with(expected):
        raise ValueError(
            "`key` must be an int64[2] key, say `tfgans.random.key(seed, step)`, or int64 "
            f"[batch, 2], a key for each row of `start`. Received: shape {keys.shape} for a start "
            f"of shape {shape}"
        )
    return keys
