"""Maps (seed, index) to a latent, a class, a component and an example.

`GAN.sample`, the signatures of an export and the metrics all go through `Sampler`, so that a seed
gives the same image everywhere. The key of a sample is (seed, index); everything that is drawn for
it is drawn from this key, and so does not depend on the other samples.

The methods of `Sampler` in terms of keys are for graphs. Those in terms of a seed return arrays.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, players, random, shapes
from tfgans.random import Role
from tfgans.refinement import Langevin

# The largest number that `random.uniform` draws.
_LARGEST_UNIFORM = 1.0 - 2.0**-24
_KEYS = tf.TensorSpec([None, 2], tf.int64)

DrawLatents: TypeAlias = Callable[[random.RowDraws], tf.Tensor]
# Float32 [rows, ...] -> float32 [rows, 1].
LogitsFn: TypeAlias = Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]


def sample_keys(seed: int, n: int) -> np.ndarray:
    """Returns int64 [n, 2]: the keys of the samples 0, ..., n - 1 of a seed.

    Raises:
        ValueError: If `n` is not a positive int, or `seed` no int64.
    """
    n, seed = checks.positive_int("n", n), checks.integer("seed", seed)
    return np.stack([np.full(n, seed, np.int64), np.arange(n, dtype=np.int64)], axis=1)


def draw_classes(
    keys: tf.Tensor, num_classes: int, probabilities: Sequence[float] | np.ndarray | None = None
) -> tf.Tensor:
    """Returns int32 [rows]: a class from 0 to `num_classes` - 1 for each sample.

    Args:
        keys: int64 [rows, 2], the keys of the samples.
        num_classes: Int of at least 1.
        probabilities: Floats [num_classes] of at least 0 with a sum of 1, the share of each class,
            say `source.class_shares`, to 2^-24. A class of share 0 is never drawn. Default: None,
            equal shares.
    """
    uniforms = random.uniform_rows(random.fold_rows(keys, Role.SAMPLE_CLASS), [])
    if probabilities is None:
        # In float32 the product can round up to the number of classes.
        return tf.minimum(tf.cast(uniforms * num_classes, tf.int32), num_classes - 1)
    edges = _class_edges(checks.probabilities("probabilities", probabilities, num_classes))
    return tf.searchsorted(edges, uniforms, side="right")


def draw_labels(n: int, seed: int, shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """Returns int32 [n]: a class for each of the examples that `gan.sample(n, seed)` makes.

    The draws use the bits of `gan.sample_labels`, which gives all classes equal shares. The first
    labels do not depend on `n`.

    Args:
        n: Int of at least 1.
        seed: Int in the int64 range.
        shares: Floats [num_classes] of at least 0 with a sum of 1: the probability of each class,
            say `source.class_shares`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    labels = tfgans.sampling.draw_labels(64, seed=1, shares=source.class_shares)
    images = gan.sample(64, seed=1, labels=labels)
    ```
    """
    checks.probabilities("shares", shares, np.size(shares))
    return _drawing(tuple(float(share) for share in shares))(sample_keys(seed, n)).numpy()


@functools.lru_cache(maxsize=16)
def _drawing(shares: tuple[float, ...]) -> tf.types.experimental.PolymorphicFunction:
    """Returns a compiled function of keys: eager draws row by row take 100 times longer."""
    return _graph_of_keys(lambda keys: draw_classes(keys, len(shares), shares))


def truncate(latents: tf.Tensor, limits: tf.Tensor) -> tf.Tensor:
    """Returns standard normal latents restricted to [-limit, limit], row by row.

    A value z becomes the value of the same quantile under the normal distribution truncated to
    [-t, t], F^-1(F(-t) + F(z) (F(t) - F(-t))), where F is the normal distribution function. So the
    latents have the same distribution as those of Brock et al. 2019 ("Large Scale GAN Training for
    High Fidelity Natural Image Synthesis", section 3.1), who redraw values outside the interval,
    but they are a continuous function of the latent of the seed.

    Args:
        latents: float32 [rows, ...].
        limits: float32 [rows], above 0.
    """
    limits = tf.reshape(limits, [-1, *[1] * (len(latents.shape) - 1)])
    # Below the median, float32 keeps the relative precision of a probability.
    outside, below = (0.5 * tf.math.erfc(x / math.sqrt(2.0)) for x in (limits, tf.abs(latents)))
    sizes = -tf.math.ndtri(outside + below * (1.0 - 2.0 * outside))
    return tf.sign(latents) * tf.minimum(sizes, limits)


def _class_edges(shares: np.ndarray) -> np.ndarray:
    """Returns float32 [classes - 1]: class k is drawn from edge k - 1 to below edge k."""
    edges = np.cumsum(shares)[:-1].astype(np.float32)
    # In float32 the last classes can round to nothing, or the last edge to less than 1.
    last = int(np.flatnonzero(shares)[-1])
    edges[:last] = np.minimum(edges[:last], _LARGEST_UNIFORM)
    edges[last:] = 1.0
    return edges


class Sampler:
    """Makes latents, classes, components and examples from the keys of samples.

    Args:
        generator: Built Keras model, latents -> examples; or a `MixtureGenerator`. It runs at
            inference.
        num_classes: Int, of a conditional generator; else None.
        draw_latents: Callable `(draws) -> float32 [rows, *latent_shape]`; `draws` is a
            `tfgans.random.RowDraws`. Default: standard normal latents.
        logits_fn: Callable `(examples, classes) -> float32 [rows, 1]`, the discriminator's logits,
            which refinements need. Default: None, without refinements.

    Attributes:
        latent_shape: The shape of a latent.
        example_shape: The shape of an example.
        draws_standard_normal: Bool, whether latents are standard normal: only these can be
            truncated, or refined with their density.
    """

    def __init__(
        self,
        generator: keras.Model,
        *,
        num_classes: int | None,
        draw_latents: DrawLatents | None = None,
        logits_fn: LogitsFn | None = None,
    ) -> None:
        self.generator = generator
        self.num_classes = num_classes
        self.latent_shape = latent_shape(generator)
        self.example_shape = shapes.output_shape(generator, "generator")
        self._player = players.GeneratorPlayer(generator)
        self.draws_standard_normal = draw_latents is None
        self._draw_latents = draw_latents or (lambda draws: draws.normal(self.latent_shape))
        self._logits_fn = logits_fn
        # The graphs behind the methods in terms of a seed; those of `sample` by their settings.
        self._components_graph = _graph_of_keys(self.components)
        self._classes_graph = _graph_of_keys(self.classes)
        self._sample_graphs: dict[tuple[Langevin | None, bool], Callable[..., tf.Tensor]] = {}

    def check_component(self, component: int) -> int:
        """Returns the number of a component, or raises ValueError if there is no such component."""
        checks.int_at_least("component", component, 0)
        count = self.num_components
        if component >= count:
            raise ValueError(
                f"`component` must be from 0 to {count - 1}: the generator has {count} "
                f"component{'s' * (count > 1)}. Received: {component}"
            )
        return component

    def check_refinement(self, refinement: Langevin) -> None:
        """Raises ValueError if samples cannot be refined with these settings."""
        if self._logits_fn is None:
            raise ValueError("A refinement needs `logits_fn`. Received: a sampler without")
        if refinement.prior and not self.draws_standard_normal:
            raise ValueError(
                "`prior=True` adds the density of standard normal latents, and the model overrides "
                f"`draw_latents`. Received: {refinement!r}. Use `prior=False`"
            )

    @property
    def num_components(self) -> int:
        """The components of a mixture; 1 for a plain generator."""
        return self._player.num_components

    def component_weights(self) -> tf.Tensor:
        """Returns float32 [num_components]: the weights of a mixture, read when a graph runs."""
        return self._player.component_weights()

    def latents(self, keys: tf.Tensor, limits: tf.Tensor | None = None) -> tf.Tensor:
        """Returns float32 [rows, *latent_shape] for int64 keys [rows, 2].

        Args:
            keys: int64 [rows, 2].
            limits: Float32 [rows], for `truncate`. Default: None, not truncated.
        """
        latents = self._draw_latents(random.SampleDraws(keys))
        check_latents(latents, keys.shape[0], self.latent_shape)
        return latents if limits is None else truncate(latents, limits)

    def components(self, keys: tf.Tensor) -> tf.Tensor:
        """Returns int32 [rows]: the component of each sample; zeros for a plain generator."""
        return self._player.draw_components(keys)

    def classes(self, keys: tf.Tensor) -> tf.Tensor:
        """Returns int32 [rows]: the class of each sample; zeros if the model is not conditional."""
        return draw_classes(keys, self.num_classes or 1)

    def from_latents(
        self,
        latents: tf.Tensor,
        classes: tf.Tensor | None,
        components: tf.Tensor | None,
        *,
        refinement: Langevin | None = None,
        key: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns float32 [rows, ...] examples.

        Args:
            latents: Float [rows, *latent_shape].
            classes: Int [rows]; ignored if the model is not conditional.
            components: Int32 [rows]. None: the latent alone decides.
            refinement: Settings with which examples, or their latents, climb the logit. Default:
                None, no refinement.
            key: Int64 [2], or [rows, 2] for noise that belongs to the row; for a refinement.
        """
        classes = None if self.num_classes is None else classes
        logits_fn = self._logits_fn

        def make(points: tf.Tensor) -> tf.Tensor:
            return self._player.generate_at_inference(points, classes, components)

        if refinement is None:
            return make(latents)
        if logits_fn is None or key is None:
            raise ValueError("A refinement needs the `logits_fn` of the sampler and a `key`")
        if refinement.space == "latent":
            refined = refinement.run(latents, lambda z: logits_fn(make(z), classes), key=key)
            return make(refined)
        return refinement.run(make(latents), lambda x: logits_fn(x, classes), key=key)

    def sample(
        self,
        n: int,
        seed: int,
        *,
        labels: np.ndarray | None = None,
        component: int | None = None,
        truncation: float | None = None,
        refinement: Langevin | None = None,
        batch_size: int = 256,
    ) -> np.ndarray:
        """Returns float32 [n, ...]: the examples of a seed; see `tfgans.GAN.sample`.

        Args:
            n: Int of at least 1.
            seed: Int.
            labels: Int32 [n], checked by the caller. Default: None, drawn from the seed.
            component: Int. Default: None, drawn from the seed.
            truncation: Float above 0. Default: None, the latents as drawn.
            refinement: `tfgans.refinement.Langevin`. Default: None, no refinement.
            batch_size: Int of at least 1, examples per call of the generator.

        Raises:
            ValueError: If another argument is out of its range.
        """
        keys = sample_keys(seed, n)
        checks.positive_int("batch_size", batch_size)
        if component is None:
            components = self.sample_components(n, seed)
        else:
            components = np.full(n, self.check_component(component), np.int32)
        rows = [keys, self.sample_labels(n, seed) if labels is None else labels, components]
        if truncation is not None:
            checks.positive("truncation", truncation)
            if not self.draws_standard_normal:
                raise ValueError(
                    "`truncation` needs standard normal latents, and the model overrides "
                    "`draw_latents`. Leave it out"
                )
            rows.append(np.full(n, truncation, np.float32))
        if refinement is not None:
            self.check_refinement(refinement)
        make = self._sample_graph(refinement, truncates=truncation is not None)
        examples = np.empty(0, np.float32)
        for first in range(0, n, batch_size):
            batch = slice(first, first + batch_size)
            made = make(*(values[batch] for values in rows)).numpy()
            if first == 0:
                examples = np.empty((n, *made.shape[1:]), made.dtype)
            examples[batch] = made
        return examples

    def sample_components(self, n: int, seed: int) -> np.ndarray:
        """Returns int32 [n]: the component of each example of `sample(n, seed)`.

        Zeros, if the generator is no mixture.
        """
        keys = sample_keys(seed, n)
        if self.num_components == 1:
            return np.zeros(n, np.int32)
        return self._components_graph(keys).numpy()

    def sample_labels(self, n: int, seed: int) -> np.ndarray:
        """Returns int32 [n]: the class of each example of `sample(n, seed)`.

        Zeros, if the model is not conditional.
        """
        keys = sample_keys(seed, n)
        if self.num_classes is None:
            return np.zeros(n, np.int32)
        return self._classes_graph(keys).numpy()

    def _sample_graph(
        self, refinement: Langevin | None, *, truncates: bool
    ) -> Callable[..., tf.Tensor]:
        settings = refinement, truncates
        if settings not in self._sample_graphs:

            def samples(
                keys: tf.Tensor,
                classes: tf.Tensor,
                components: tf.Tensor,
                limits: tf.Tensor | None = None,
            ) -> tf.Tensor:
                noise_keys = None
                if refinement is not None:
                    noise_keys = random.fold_rows(keys, Role.SAMPLE_REFINEMENT)
                return self.from_latents(
                    self.latents(keys, limits),
                    classes,
                    components,
                    refinement=refinement,
                    key=noise_keys,
                )

            rows = tf.TensorSpec([None], tf.int32)
            limits = [tf.TensorSpec([None], tf.float32)] * truncates
            self._sample_graphs[settings] = _graph_of_keys(samples, rows, rows, *limits)
        return self._sample_graphs[settings]


def check_latents(latents: tf.Tensor, num: int | None, row_shape: tuple[int, ...]) -> None:
    """Raises ValueError if an override of `draw_latents` returned another shape.

    Args:
        latents: What it returned.
        num: Int, the number of latents; None if only the run of a graph decides it.
        row_shape: The shape of a latent.
    """
    fits = latents.shape.is_compatible_with([num, *row_shape])
    if not fits or (num is None and latents.shape[0] is not None):
        raise ValueError(
            f"`draw_latents` must return a latent of shape {row_shape} for each row of `draws`. "
            f"Received: shape {latents.shape}. Use `draws.normal(...)` or `draws.uniform(...)`"
        )


def latent_shape(generator: keras.Model) -> tuple[int, ...]:
    """Returns the shape of a latent; raises ValueError unless it is fixed."""
    shape = shapes.input_shape(generator, "generator")
    fixed = tuple(size for size in shape if size is not None)
    if len(fixed) != len(shape):
        raise ValueError(
            "The generator's input must have a fixed shape but for the batch. "
            f"Received: {(None, *shape)}"
        )
    return fixed


def _graph_of_keys(
    function: Callable[..., tf.Tensor], *other_inputs: tf.TensorSpec
) -> tf.types.experimental.PolymorphicFunction:
    """Returns the compiled function of keys and other inputs."""
    return tf.function(function, input_signature=[_KEYS, *other_inputs], autograph=False)
