"""The signatures of an exported generator: TensorFlow functions with named inputs."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from tfgans.images import to_uint8
from tfgans.sampling import Sampler, truncate

Outputs = dict[str, tf.Tensor]


class Signature(NamedTuple):
    """A function of an export.

    Attributes:
        function: TensorFlow function of the inputs in the order of `inputs` to a dict of outputs.
        inputs: List of the specs of the inputs, which have their names.
    """

    function: tf.types.experimental.PolymorphicFunction
    inputs: list[tf.TensorSpec]


# The most rows of `generate`: a number in a request must not exhaust the server's memory. For more
# rows, call `sample_at` in batches.
MAX_GENERATED = 1024
# Instead of a class: draw it from the seed, as `gan.sample` does.
DRAWN = -1


class GeneratorSignatures:
    """Builds the signatures that `tfgans.export.export_generator` lists.

    Each row has the key (seed, index), as in `gan.sample`, and all its draws come from this key.

    Args:
        sampler: `tfgans.sampling.Sampler` of the generator.
        class_names: The name of each class; None if they have no names, or there are no classes.
    """

    def __init__(self, sampler: Sampler, class_names: Sequence[str] | None = None) -> None:
        self._sampler = sampler
        self._class_names = class_names
        # All signatures share these traces.
        self._images_of, self._of_keys, self._latents_of, self._components_of = (
            tf.function(function, autograph=False, reduce_retracing=True)
            for function in (
                self._images,
                self._rows_of_keys,
                sampler.latents,
                sampler.components,
            )
        )

    def build(self) -> dict[str, Signature]:
        """Returns the signatures by name."""
        classes = [] if self._sampler.num_classes is None else [_rows("labels", tf.int32)]
        seed, index = _rows("seed", tf.int64), _rows("index", tf.int64)
        latents = _rows("latents", tf.float32, self._sampler.latent_shape)
        ends = [_rows("seed_a", tf.int64), _rows("seed_b", tf.int64), _rows("t", tf.float32)]
        signatures: dict[str, tuple[Callable[..., Outputs], list[tf.TensorSpec]]] = {
            "serving_default": (self._serving_default, [latents, *classes]),
            "latents": (self._latents, [seed, index]),
            "sample": (self._sample, [seed, *classes]),
            "sample_at": (self._sample_at, [seed, index, *classes]),
            "component": (self._component, [latents, _rows("components", tf.int32), *classes]),
            "interpolate": (self._interpolate, [*ends, *classes]),
            # TensorFlow Serving refuses signatures without inputs by REST, and those without rows
            # with batching.
            "mixture_weights": (self._mixture_weights, [_rows("probe", tf.float32)]),
            "generate": (
                self._generate,
                [
                    tf.TensorSpec([], tf.int32, "num"),
                    tf.TensorSpec([], tf.int64, "seed"),
                    *classes,
                ],
            ),
        }
        if self._sampler.draws_standard_normal:
            truncation = _rows("truncation", tf.float32)
            signatures["sample_truncated"] = (
                self._sample_truncated,
                [seed, index, truncation, *classes],
            )
        if len(self._sampler.example_shape) == 3:
            signatures["sample_png"] = (self._sample_png, [seed, *classes])
        if self._class_names is not None:
            signatures["class_names"] = (self._names, [_rows("probe", tf.float32)])
        return {
            name: Signature(tf.function(function, input_signature=specs, autograph=False), specs)
            for name, (function, specs) in signatures.items()
        }

    def _serving_default(self, latents: tf.Tensor, *labels: tf.Tensor) -> Outputs:
        return {"images": self._images_of(_finite(latents), None, *self._checked(labels))}

    def _component(self, latents: tf.Tensor, components: tf.Tensor, *labels: tf.Tensor) -> Outputs:
        last = self._sampler.num_components - 1
        checked = _checked(
            components,
            (components >= 0) & (components <= last),
            f"`components` must be from 0 to {last}",
        )
        return {"images": self._images_of(_finite(latents), checked, *self._checked(labels))}

    def _latents(self, seed: tf.Tensor, index: tf.Tensor) -> Outputs:
        return {"latents": self._latents_of(_keys(seed, index))}

    def _sample(self, seed: tf.Tensor, *labels: tf.Tensor) -> Outputs:
        return self._of_keys(_keys(seed, tf.zeros_like(seed)), *labels)

    def _sample_at(self, seed: tf.Tensor, index: tf.Tensor, *labels: tf.Tensor) -> Outputs:
        return self._of_keys(_keys(seed, index), *labels)

    def _sample_truncated(
        self, seed: tf.Tensor, index: tf.Tensor, truncation: tf.Tensor, *labels: tf.Tensor
    ) -> Outputs:
        limits = _checked(truncation, truncation > 0.0, "`truncation` must be above 0")
        keys = _keys(seed, index)
        latents = truncate(self._latents_of(keys), limits)
        return {**self._rows_of_latents(keys, latents, labels), "latents": latents}

    def _sample_png(self, seed: tf.Tensor, *labels: tf.Tensor) -> Outputs:
        images = self._sample(seed, *labels)["images"]
        # RGBA of four channels; otherwise RGB of the first three, or gray of the first.
        num_channels = self._sampler.example_shape[-1] or 1
        channels = num_channels if num_channels == 4 else 3 if num_channels >= 3 else 1
        pixels = to_uint8(images[..., :channels])
        encoded = tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)
        return {"image_bytes": encoded}

    def _generate(self, num: tf.Tensor, seed: tf.Tensor, *labels: tf.Tensor) -> Outputs:
        inside = (num >= 1) & (num <= MAX_GENERATED)
        rows = _checked(num, inside, f"`num` must be from 1 to {MAX_GENERATED}")
        keys = _keys(tf.fill([rows], seed), tf.range(tf.cast(rows, tf.int64)))
        return self._of_keys(keys, *(_one_or_each(values, rows) for values in labels))

    def _interpolate(
        self, seed_a: tf.Tensor, seed_b: tf.Tensor, t: tf.Tensor, *labels: tf.Tensor
    ) -> Outputs:
        t = _checked(t, (t >= 0.0) & (t <= 1.0), "`t` must be from 0 to 1")
        keys_a, keys_b = (_keys(seed, tf.zeros_like(seed)) for seed in (seed_a, seed_b))
        # Each half takes the component of its end, so that both ends are those of `sample` for a
        # fixed class. A class that is drawn is that of `seed_a` all the way.
        components = tf.where(t < 0.5, self._components_of(keys_a), self._components_of(keys_b))
        latents = _slerp(self._latents_of(keys_a), self._latents_of(keys_b), t)
        images = self._images_of(latents, components, *self._drawn(labels, keys_a))
        return {"images": images, "components": components}

    def _mixture_weights(self, probe: tf.Tensor) -> Outputs:
        weights = self._sampler.component_weights()
        return {"weights": tf.broadcast_to(weights, [tf.shape(probe)[0], tf.size(weights)])}

    def _names(self, probe: tf.Tensor) -> Outputs:
        names = tf.constant(self._class_names, tf.string)
        return {"names": tf.broadcast_to(names, [tf.shape(probe)[0], tf.size(names)])}

    def _rows_of_keys(self, keys: tf.Tensor, *labels: tf.Tensor) -> Outputs:
        return self._rows_of_latents(keys, self._latents_of(keys), labels)

    def _rows_of_latents(
        self, keys: tf.Tensor, latents: tf.Tensor, labels: tuple[tf.Tensor, ...]
    ) -> Outputs:
        """Returns the rows of latents, with the components and classes of the keys."""
        components, classes = self._components_of(keys), self._drawn(labels, keys)
        images = self._images_of(latents, components, *classes)
        labels_output = {"labels": classes[0]} if classes else {}
        return {"images": images, "components": components, **labels_output}

    def _images(
        self, latents: tf.Tensor, components: tf.Tensor | None, *labels: tf.Tensor
    ) -> tf.Tensor:
        return self._sampler.from_latents(latents, labels[0] if labels else None, components)

    def _checked(self, labels: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
        return [self._checked_labels(values, first=0) for values in labels]

    def _drawn(self, labels: tuple[tf.Tensor, ...], keys: tf.Tensor) -> list[tf.Tensor]:
        if self._sampler.num_classes is None:
            return []
        drawn = self._sampler.classes(keys)
        checked = [self._checked_labels(values, first=DRAWN) for values in labels]
        return [tf.where(values == DRAWN, drawn, values) for values in checked]

    def _checked_labels(self, labels: tf.Tensor, *, first: int) -> tf.Tensor:
        last = (self._sampler.num_classes or 1) - 1
        expected = f"`labels` must be classes from 0 to {last}"
        drawn = f", or {DRAWN} to draw them from the seed" if first == DRAWN else ""
        return _checked(labels, (labels >= first) & (labels <= last), expected + drawn)


def _rows(name: str, dtype: tf.DType, shape: tuple[int, ...] = ()) -> tf.TensorSpec:
    return tf.TensorSpec([None, *shape], dtype, name)


def _one_or_each(labels: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns int32 [rows]: a single class repeated, or a class for each row."""
    size = tf.size(labels)
    checked = _checked(
        labels, (size == 1) | (size == rows), "`labels` must be one class, or a class for each row"
    )
    return tf.broadcast_to(checked, [rows])


def _keys(seed: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    return tf.stack([seed, index], axis=1)


def _finite(latents: tf.Tensor) -> tf.Tensor:
    return _checked(latents, tf.math.is_finite(latents), "`latents` must be finite")


def _checked(values: tf.Tensor, valid: tf.Tensor, expected: str) -> tf.Tensor:
    """Returns `values`, or fails the call. XLA drops the check."""
    check = tf.debugging.Assert(tf.reduce_all(valid), [expected, values])
    with tf.control_dependencies([check]):
        return tf.identity(values)


def _slerp(start: tf.Tensor, end: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """Returns latents on the great arc from `start` to `end`.

    These are sin((1 - t) w) / sin(w) start + sin(t w) / sin(w) end, where w is the angle between
    the two (White 2016, "Sampling Generative Networks", section 2.1), or points on the straight
    line where w is 0 or pi.
    """
    axes = list(range(1, start.shape.rank))
    first, last = (tf.math.divide_no_nan(x, _length(x, axes)) for x in (start, end))
    # Kahan's formula is exact near 0 and pi too; the arc cosine of the product is not.
    angle = 2.0 * tf.atan2(_length(first - last, axes), _length(first + last, axes))
    sine = tf.sin(angle)
    straight = sine < 1e-4
    safe = tf.where(straight, tf.ones_like(sine), sine)
    t = tf.reshape(t, [-1, *[1] * len(axes)])
    from_start = tf.where(straight, 1.0 - t, tf.sin((1.0 - t) * angle) / safe)
    from_end = tf.where(straight, t, tf.sin(t * angle) / safe)
    return from_start * start + from_end * end


def _length(values: tf.Tensor, axes: list[int]) -> tf.Tensor:
    return tf.sqrt(tf.reduce_sum(values**2, axis=axes, keepdims=True))
