"""What a pair of networks makes: samples from a seed, refined or not, and the export."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import tensorflow as tf

from tfgans import checks, random, serving, shapes
from tfgans.mixtures import MixtureGenerator
from tfgans.models import mixing
from tfgans.models.labels import checked_labels
from tfgans.models.pair import NetworkPair, PairOptions
from tfgans.refinement import Langevin

# The branch below the key of a sample; 1 draws the component of a mixture, 2 the class.
_REFINEMENT = 3


class SampledPair(NetworkPair):
    """Two networks from whose generator one draws examples.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits.
        **options: `num_classes`, `ema`, `seed` and `name`, see `GAN`.
    """

    def __init__(self, generator: Any, discriminator: Any, **options: Unpack[PairOptions]) -> None:
        super().__init__(generator, discriminator, **options)
        self._draw_components_function = tf.function(self._draw_components, input_signature=[_KEYS])
        # Row by row, eager draws would be a hundred times slower.
        self._draw_labels_function = tf.function(self._draw_labels, input_signature=[_KEYS])
        # One function a refinement: each is a graph of its own.
        self._sample_rows_functions: dict[Langevin | None, Callable[..., tf.Tensor]] = {}

    @property
    def own_refinement(self) -> Langevin | None:
        """How `sample` refines examples when it is not told: by default not at all."""
        return None

    def sample(
        self,
        n: int,
        seed: int | None = None,
        *,
        labels: int | Sequence[int] | np.ndarray | None = None,
        component: int | None = None,
        refine: Langevin | Literal[False] | None = None,
        batch_size: int = 256,
    ) -> np.ndarray:
        """Returns `n` generated examples: float32 [n, ...], images in [-1, 1].

        Args:
            n: Int of at least 1.
            seed: Int. The same seed gives the same examples, and the first rows do not depend on
                `n` or `batch_size` (up to the rounding of float32). Default: a new one each time.
            labels: Int, or ints [n], the classes of a conditional model. Default: each is drawn
                from the seed, all classes alike; `sample_labels` says which.
            component: Int, the one component of a `MixtureGenerator` that makes all examples. The
                latents are those of the seed. Default: each is drawn by the mixture's weights.
            refine: `tfgans.refinement.Langevin`, to move the examples or their latents up the
                discriminator's logit (of a mixture, the weighted mean); or False, not to. Default:
                the method's own way, which is not to, but for `DCD`.
            batch_size: Int, how many are made at once.

        Raises:
            ValueError: If `n` or `batch_size` is not a positive int, `seed` is no int, there is
                no such component or class, or labels are given to a model that is not conditional.
        """
        checks.positive_int("batch_size", batch_size)
        seed = secrets.randbits(62) if seed is None else seed
        keys = _keys(n, seed)
        if component is None:
            components = self.sample_components(n, seed)
        else:
            components = np.full(n, self._checked_component(component), np.int32)
        if labels is None:
            classes = self.sample_labels(n, seed)
        else:
            classes = checked_labels(labels, n, self.num_classes)
        function = self._sample_rows_function(self._checked_refinement(refine))
        chunks = [slice(first, first + batch_size) for first in range(0, n, batch_size)]
        made = [function(keys[rows], components[rows], classes[rows]) for rows in chunks]
        return np.concatenate([one.numpy() for one in made])

    def sample_components(self, n: int, seed: int) -> np.ndarray:
        """Returns int32 [n]: the component of each of the examples that `sample(n, seed)` returns.

        Zeros, if the generator is no mixture.

        Raises:
            ValueError: If `n` is not a positive int, or `seed` no int.
        """
        keys = _keys(n, seed)
        if not self._several_generators:
            return np.zeros(n, np.int32)
        return self._draw_components_function(keys).numpy()

    def sample_labels(self, n: int, seed: int) -> np.ndarray:
        """Returns int32 [n]: the class of each of the examples that `sample(n, seed)` returns.

        Zeros, if the model is not conditional.

        Raises:
            ValueError: If `n` is not a positive int, or `seed` no int.
        """
        keys = _keys(n, seed)
        if self.num_classes is None:
            return np.zeros(n, np.int32)
        return self._draw_labels_function(keys).numpy()

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        card: Mapping[str, Any] | None = None,
        keep: int | None = None,
        verify: bool = True,
    ) -> Path:
        """Publishes the sampling generator as the next SavedModel version under `path`.

        The discriminator stays behind, so exported samples are not refined.
        `tfgans.serving.export_generator` lists the signatures, and what is checked.

        Args:
            path: The model's folder, say "exported/digits"; its versions are folders 1, 2, ...
            card: What `assets.extra/model_card.json` tells besides the model, as JSON values.
            keep: Int of at least 1, how many of the newest versions stay. Default: None, all.
            verify: Whether the export runs in a new process before it is published. Default: True.

        Returns:
            The `pathlib.Path` of the new version.

        Raises:
            ValueError: If an argument is not as above, or the export fails a check.
            OSError: If the folder cannot be written.
        """
        return serving.export_generator(
            self.sampling_generator,
            path,
            num_classes=self.num_classes,
            card={"model": self._describe(), **(card or {})},
            keep=keep,
            verify=verify,
        )

    def _describe(self) -> dict[str, Any]:
        return {
            "class": type(self).__name__,
            "step": self.step,
            "averaged": self.sampling_generator is not self.generator,
            "parameters": self.sampling_generator.count_params(),
            "latent_shape": list(self.latent_shape),
            "image_shape": list(shapes.output_shape(self.generator, "generator")),
            "num_classes": self.num_classes,
            "num_components": getattr(self.generator, "num_components", 1),
        }

    def judge_samples(self, examples: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """Returns float32 [batch, 1]: the logits that refinement ascends."""
        return mixing.mean_logits(self.discriminator, shapes.with_labels(examples, labels))

    def refined(
        self,
        refinement: Langevin,
        latents: tf.Tensor,
        labels: tf.Tensor | None,
        *,
        key: tf.Tensor,
        component: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the examples made of latents and refined: float32 [batch, ...].

        Args:
            refinement: `tfgans.refinement.Langevin`.
            latents: Float [batch, ...].
            labels: Int [batch] or None.
            key: Int64 [2], or [batch, 2] for noise that belongs to the row.
            component: Int32 [batch], of a mixture; else None. The latent alone decides for one
                that would change as the latent moves.
        """
        pinned = {} if component is None else {"component": component}

        def make(latents: tf.Tensor) -> tf.Tensor:
            inputs = shapes.with_labels(latents, labels)
            return tf.cast(self.sampling_generator(inputs, training=False, **pinned), tf.float32)

        if refinement.space == "latent":
            better = refinement.run(
                latents, lambda point: self.judge_samples(make(point), labels), key=key
            )
            return make(better)
        judge = lambda point: self.judge_samples(point, labels)  # noqa: E731
        return refinement.run(make(latents), judge, key=key)

    def _sample_rows_function(self, refinement: Langevin | None) -> Callable[..., tf.Tensor]:
        if refinement not in self._sample_rows_functions:
            rows = tf.TensorSpec([None], tf.int32)
            self._sample_rows_functions[refinement] = tf.function(
                lambda *rows: self._sample_rows(*rows, refinement=refinement),
                input_signature=[_KEYS, rows, rows],
                autograph=False,
            )
        return self._sample_rows_functions[refinement]

    def _sample_rows(
        self,
        keys: tf.Tensor,
        components: tf.Tensor,
        labels: tf.Tensor | None,
        *,
        refinement: Langevin | None,
    ) -> tf.Tensor:
        latents = random.normal_rows(keys, self.latent_shape)
        labels = None if self.num_classes is None else labels
        component = components if self._several_generators else None
        if refinement is not None:
            own_keys = random.fold_rows(keys, _REFINEMENT)
            return self.refined(refinement, latents, labels, key=own_keys, component=component)
        pinned = {} if component is None else {"component": component}
        inputs = shapes.with_labels(latents, labels)
        return tf.cast(self.sampling_generator(inputs, training=False, **pinned), tf.float32)

    def _draw_components(self, keys: tf.Tensor) -> tf.Tensor:
        return self.sampling_generator.draw_components(keys)

    def _draw_labels(self, keys: tf.Tensor) -> tf.Tensor:
        return random.class_rows(keys, self.num_classes or 1)

    @property
    def _several_generators(self) -> bool:
        return isinstance(self.generator, MixtureGenerator) and self.generator.num_components > 1

    def _checked_refinement(self, refine: Langevin | Literal[False] | None) -> Langevin | None:
        if refine is None:
            return self.own_refinement
        if refine is False:
            return None
        checks.instance("refine", refine, Langevin, "tfgans.refinement.Langevin(steps=20)")
        return refine

    def _checked_component(self, component: int) -> int:
        checks.int_at_least("component", component, 0)
        count = self.generator.num_components if self._several_generators else 1
        if component >= count:
            raise ValueError(
                f"`component` must be from 0 to {count - 1}: the generator has {count} "
                f"component{'s' * (count > 1)}. Received: {component}"
            )
        return component


_KEYS = tf.TensorSpec([None, 2], tf.int64)


def _keys(n: int, seed: int) -> np.ndarray:
    """Returns int64 [n, 2]: the key of each sample, which decides all that is drawn for it."""
    n, seed = checks.positive_int("n", n), checks.integer("seed", seed)
    return np.stack([np.full(n, seed, np.int64), np.arange(n, dtype=np.int64)], axis=1)
