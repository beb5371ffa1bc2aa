"""Draws samples from a SavedModel, exported by tfgans or by another library."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgans import checks, files, random
from tfgans.export.publish import is_saved_model, saved_models
from tfgans.export.signatures import DRAWN
from tfgans.serving.client.inputs import ints

# The examples of a call, as in `gan.sample`.
_BATCH_ROWS = 256


class SavedGenerator:
    """Draws samples from an exported generator.

    From an export of tfgans, `sample` draws the samples of `gan.sample`. A signature of another
    library must take a single float input [batch, ...] of known size, which receives latents from
    N(0, I), and may take an integer input [batch] or [batch, 1], which receives classes. It must
    return a row for each latent.

    A SavedModel is a program: load only what you trust.

    Args:
        path: Folder of the SavedModel, say "exported/digits/1".
        signature: String. Default: "sample_at" if the model has it (exports of tfgans do), else
            "serving_default".
        num_classes: Int, for a model of another library that takes labels: classes are drawn
            uniformly from 0, ..., num_classes - 1 unless `sample` receives labels. Exports of
            tfgans draw classes from the seed themselves.
        value_range: (low, high), the range of the model's images. Outputs of integers must be
            pixels, with (0, 255). Default: (-1, 1).

    Attributes:
        num_classes: The argument. None for exports of tfgans, also conditional ones.
        takes_labels: Bool, whether the model is conditional.

    Raises:
        ValueError: If the folder holds no SavedModel, or the signature does not match.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        signature: str | None = None,
        num_classes: int | None = None,
        value_range: Sequence[float] = (-1.0, 1.0),
    ) -> None:
        self.path = files.path(path)
        self._value_range = _checked_range(value_range)
        low, high = self._value_range
        self._scale, self._offset = 2.0 / (high - low), (high + low) / (high - low)
        if num_classes is not None:
            checks.positive_int("num_classes", num_classes)
        self.num_classes = num_classes
        # The signatures do not keep the loaded object alive.
        self._loaded = _load(self.path)
        signatures = self._loaded.signatures
        self._signature = signature or (
            "sample_at" if "sample_at" in signatures else "serving_default"
        )
        if self._signature not in signatures:
            raise ValueError(
                f"{path} must have the signature {self._signature!r}. Received a SavedModel with: "
                f"{', '.join(signatures) or 'none'}"
            )
        self._function = signatures[self._signature]
        self._specs = self._function.structured_input_signature[1]
        self._output = "images"
        self._check_specs()

    def describe(self) -> dict[str, object]:
        """Returns the source of the samples as JSON values."""
        return {
            "model": f"SavedModel {self.path.name}",
            "checksum": files.sha256_of_folder(self.path),
            "signature": self._signature,
            "value_range": self._value_range,
        }

    @property
    def takes_labels(self) -> bool:
        """Whether the model is conditional."""
        return "labels" in self._specs if self._is_of_tfgans else self.num_classes is not None

    def sample(self, n: int, seed: int, *, labels: ArrayLike | None = None) -> np.ndarray:
        """Returns `n` examples: float32 [n, ...], a function of `n`, `seed` and `labels` alone.

        Args:
            n: Int of at least 1.
            seed: Int in the range of int64.
            labels: Int, or ints [n], the classes for a conditional model. Default: None, drawn
                uniformly from the seed.

        Raises:
            ValueError: If an argument is invalid, a label is no class of the model, or the model
                does not return `n` examples.
        """
        checks.positive_int("n", n)
        key = random.key(checks.integer("seed", seed))
        classes = None if labels is None else self._checked_labels(labels, n)
        if self._is_of_tfgans:
            arrays = {
                "seed": np.full(n, seed),
                "index": np.arange(n),
                "labels": np.full(n, DRAWN) if classes is None else classes,
            }
            inputs = {name: tf.cast(arrays[name], spec.dtype) for name, spec in self._specs.items()}
        else:
            inputs = {name: self._draw(spec, n, key) for name, spec in self._specs.items()}
            if classes is not None:
                (name,) = (name for name, spec in self._specs.items() if spec.dtype.is_integer)
                inputs[name] = _as_labels(classes, self._specs[name])
        batches = (slice(start, start + _BATCH_ROWS) for start in range(0, n, _BATCH_ROWS))
        try:
            images = np.concatenate(
                [self._images({name: x[rows] for name, x in inputs.items()}) for rows in batches]
            )
        except tf.errors.InvalidArgumentError as error:
            if classes is None:
                raise
            # Only the graph of an export of tfgans knows the number of classes.
            reason = " ".join(error.message.split()).rpartition("assertion failed: ")[2]
            raise ValueError(f"{self.path} refuses the labels: {reason:.200}") from error
        return images.astype(np.float32) * np.float32(self._scale) - np.float32(self._offset)

    def _images(self, inputs: Mapping[str, tf.Tensor]) -> np.ndarray:
        """Returns the output for a batch, or raises ValueError unless it has a row for each row."""
        images: np.ndarray = self._function(**inputs)[self._output].numpy()
        rows = len(next(iter(inputs.values())))
        if images.ndim < 2 or len(images) != rows:
            raise ValueError(
                f"The signature {self._signature!r} of {self.path} must return an example for each "
                f"of the {rows} latents. Received: {self._output!r} of shape {images.shape}"
            )
        return images

    @property
    def _is_of_tfgans(self) -> bool:
        return {"seed", "index"} <= self._specs.keys()

    def _checked_labels(self, labels: ArrayLike, n: int) -> np.ndarray:
        """Returns labels as int64 [n], or raises ValueError."""
        if not self.takes_labels:
            raise ValueError(
                f"{self.path} is not conditional: it takes no labels. Received: {labels!r:.100}"
            )
        classes = ints("labels", np.atleast_1d(labels), "int32")
        if np.ndim(labels) and len(classes) != n:
            raise ValueError(
                f"`labels` must have a class for each of the {n} examples. Received: {len(classes)}"
            )
        # -1 is valid in the graph of an export, but no class.
        if classes.min() < 0 or classes.max() >= (self.num_classes or np.inf):
            most = "" if self.num_classes is None else f" to {self.num_classes - 1}"
            raise ValueError(f"`labels` must be classes from 0{most}. Received: {labels!r:.100}")
        return np.broadcast_to(classes, n)

    def _draw(self, spec: tf.TensorSpec, n: int, key: tf.Tensor) -> tf.Tensor:
        """Returns latents for a float input, or classes for an integer input."""
        if spec.dtype.is_floating:
            return tf.cast(random.normal([n, *spec.shape[1:]], random.fold(key, 0)), spec.dtype)
        bits, count = random.uniform([n], random.fold(key, 2)), self.num_classes or 0
        return _as_labels(tf.minimum(tf.cast(bits * count, tf.int32), count - 1), spec)

    def _check_specs(self) -> None:
        if self._is_of_tfgans:
            others = self._specs.keys() - {"seed", "index", "labels"}
            if others or "images" not in self._function.structured_outputs:
                raise ValueError(
                    f"The signature {self._signature!r} does not draw samples by seed and index. "
                    "Pass signature='sample_at'"
                )
            if self.num_classes is not None:
                raise ValueError(
                    "`num_classes` must be None for an export of tfgans, which draws classes from "
                    f"the seed. Received: {self.num_classes}"
                )
            return
        if "images" not in self._function.structured_outputs:
            outputs = sorted(self._function.structured_outputs)
            if len(outputs) != 1:
                raise ValueError(
                    f"The signature {self._signature!r} must have a single output, or one that is "
                    f"named 'images'. Received: {', '.join(outputs)}"
                )
            (self._output,) = outputs
        self._check_output()
        self._check_inputs()

    def _check_output(self) -> None:
        """Raises ValueError unless the output is an array of numbers for each row."""
        spec = self._function.structured_outputs[self._output]
        has_rows = spec.shape.rank is None or spec.shape.rank >= 2
        if not has_rows or not (spec.dtype.is_floating or spec.dtype.is_integer):
            raise ValueError(
                f"The signature {self._signature!r} must return numbers [batch, ...]. Received: "
                f"the output {self._output!r} of {spec.dtype.name} {spec.shape}. Pass another "
                "`signature`"
            )
        if spec.dtype.is_integer and self._value_range != [0.0, 255.0]:
            raise ValueError(
                f"`value_range` must be (0, 255) for a model that returns integers, here "
                f"{self._output!r} of {spec.dtype.name}. Received: {tuple(self._value_range)}"
            )

    def _check_inputs(self) -> None:
        """Raises ValueError unless the inputs are latents, and labels of a conditional model."""
        specs = {name: (spec.dtype.name, spec.shape) for name, spec in self._specs.items()}
        latents = [spec for spec in self._specs.values() if _is_of_latents(spec)]
        labels = [spec for spec in self._specs.values() if _is_of_labels(spec)]
        if len(latents) != 1 or len(labels) > 1 or len(specs) > 1 + len(labels):
            raise ValueError(
                f"The signature {self._signature!r} must be `sample_at` of tfgans, or take a "
                "single float input [batch, ...] of known size, at most one integer input [batch] "
                f"for labels, and nothing else. Received: {specs}"
            )
        if bool(labels) != (self.num_classes is not None):
            raise ValueError(
                "`num_classes` must be set for models that take labels, and for no others. "
                f"Received: num_classes={self.num_classes} and the inputs {specs}"
            )


def _checked_range(value_range: Sequence[float]) -> list[float]:
    """Returns [low, high], or raises ValueError."""
    ends = list(value_range) if isinstance(value_range, Iterable) else []
    if len(ends) == 2:
        low, high = (checks.finite(f"value_range[{index}]", end) for index, end in enumerate(ends))
        if low < high:
            return [low, high]
    raise ValueError(
        "`value_range` must be (low, high), two finite numbers in ascending order. Received: "
        f"{checks.short(value_range)}"
    )


def _is_of_latents(spec: tf.TensorSpec) -> bool:
    rank = spec.shape.rank
    return spec.dtype.is_floating and rank is not None and rank >= 2 and None not in spec.shape[1:]


def _is_of_labels(spec: tf.TensorSpec) -> bool:
    return spec.dtype.is_integer and spec.shape.rank in (1, 2) and set(spec.shape[1:]) <= {1}


def _as_labels(classes: ArrayLike, spec: tf.TensorSpec) -> tf.Tensor:
    """Returns classes [rows] as the input of labels takes them, which may be [batch, 1]."""
    return tf.reshape(tf.cast(classes, spec.dtype), [-1, *spec.shape[1:]])


def _load(path: Path) -> tf.Module:
    if not is_saved_model(path):
        versions = [version.name for version in saved_models(path)] if path.is_dir() else []
        hint = f". Pass one of its versions: {', '.join(versions)}" if versions else ""
        raise ValueError(f"{path} holds no SavedModel (no saved_model.pb){hint}")
    try:
        return tf.saved_model.load(os.fspath(path))
    except Exception as error:
        raise ValueError(
            f"{path} cannot be loaded: {' '.join(str(error).split())[:200]}"
        ) from error
