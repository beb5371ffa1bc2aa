"""A SavedModel of any library as something to draw samples from."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import checks, files, random
from tfgans.export.signatures import DRAWN
from tfgans.serving.client.inputs import ints


class SavedGenerator:
    """Draws samples from an exported generator: of ours those of `gan.sample`, else by latents.

    Another library's signature must take one float input [batch, ...] of known size, which then
    gets N(0, I), and, if it likes, one integer input [batch], which gets the classes that are asked
    for, or else classes drawn alike.

    A SavedModel is a program: load only what you trust.

    Args:
        path: Folder of the SavedModel, say "exported/digits/1".
        signature: String. Default: "sample_at", of our exports, else "serving_default".
        num_classes: Int, of another library's model that takes labels: they are drawn from 0, ...,
            num_classes - 1, unless they are asked for. Ours draw them from the seed by themselves.
        value_range: (low, high), what the model's images lie in. Default: (-1, 1).

    Attributes:
        num_classes: The argument; of our exports None, also of conditional ones.
        takes_labels: Bool, whether the model is conditional.

    Raises:
        ValueError: If the folder holds no SavedModel, or its signature is another.
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
        self._value_range = [float(end) for end in value_range]
        if len(self._value_range) != 2 or not self._value_range[0] < self._value_range[1]:
            raise ValueError(
                f"`value_range` must be (low, high). Received: {checks.short(value_range)}"
            )
        low, high = self._value_range
        self._scale, self._offset = 2.0 / (high - low), (high + low) / (high - low)
        self.num_classes = num_classes
        # The loaded object must live as long as its functions.
        self._loaded = _load(self.path)
        signatures = self._loaded.signatures
        chosen = signature or ("sample_at" if "sample_at" in signatures else "serving_default")
        if chosen not in signatures:
            raise ValueError(
                f"{path} must have the signature {chosen!r}. Received one with: "
                f"{', '.join(signatures) or 'none'}"
            )
        self._signature = chosen
        self._function = signatures[chosen]
        self._specs = self._function.structured_input_signature[1]
        self._check_specs(chosen)

    def describe(self) -> dict[str, Any]:
        """Returns what the samples come from, as JSON values."""
        digest = hashlib.sha256()
        for file in sorted(path for path in self.path.rglob("*") if path.is_file()):
            digest.update(file.relative_to(self.path).as_posix().encode())
            digest.update(file.read_bytes())
        return {
            "model": f"SavedModel {self.path.name}",
            "checksum": digest.hexdigest(),
            "signature": self._signature,
            "value_range": self._value_range,
        }

    @property
    def takes_labels(self) -> bool:
        """Whether the model is conditional."""
        return "labels" in self._specs if self._is_ours else self.num_classes is not None

    def sample(
        self, n: int, seed: int, *, labels: int | Sequence[int] | np.ndarray | None = None
    ) -> np.ndarray:
        """Returns `n` examples, float32 [n, ...], a pure function of `n`, the seed and the labels.

        Args:
            n: Int of at least 1.
            seed: Int in the int64 range.
            labels: Int, or ints [n], the classes of a conditional model. Default: each is drawn
                from the seed, all classes alike.

        Raises:
            ValueError: If `n` is not a positive int, the seed no int, or a label no class of the
                model.
        """
        checks.positive_int("n", n)
        key = random.key(checks.integer("seed", seed))
        classes = None if labels is None else self._checked_labels(labels, n)
        if self._is_ours:
            drawn = np.full(n, DRAWN) if classes is None else classes
            rows = {"seed": np.full(n, seed), "index": np.arange(n), "labels": drawn}
            inputs = {name: tf.cast(rows[name], spec.dtype) for name, spec in self._specs.items()}
        else:
            inputs = {name: self._draw(spec, n, key) for name, spec in self._specs.items()}
            if classes is not None:
                (name,) = (name for name, spec in self._specs.items() if spec.dtype.is_integer)
                inputs[name] = tf.cast(classes, self._specs[name].dtype)
        try:
            outputs = self._function(**inputs)
        except tf.errors.InvalidArgumentError as error:
            if classes is None:
                raise
            # How many classes there are, an export of ours knows alone.
            reason = " ".join(error.message.split()).rpartition("assertion failed: ")[2]
            raise ValueError(f"{self.path} refuses the labels: {reason:.200}") from error
        images = outputs.get("images", next(iter(outputs.values()))).numpy()
        return images.astype(np.float32) * np.float32(self._scale) - np.float32(self._offset)

    @property
    def _is_ours(self) -> bool:
        return {"seed", "index"} <= self._specs.keys()

    def _checked_labels(self, labels: int | Sequence[int] | np.ndarray, n: int) -> np.ndarray:
        """Returns labels as int64 [n], one class for all repeated, or raises ValueError."""
        if not self.takes_labels:
            raise ValueError(
                f"{self.path} is not conditional: it takes no labels. Received: {labels!r:.100}"
            )
        classes = ints("labels", np.atleast_1d(labels), "int32")
        if np.ndim(labels) and len(classes) != n:
            raise ValueError(
                f"`labels` must be {n}, one for each example. Received: {len(classes)}"
            )
        # To an export of ours -1 is a class that is drawn.
        if classes.min() < 0 or classes.max() >= (self.num_classes or np.inf):
            most = "" if self.num_classes is None else f" to {self.num_classes - 1}"
            raise ValueError(f"`labels` must be classes from 0{most}. Received: {labels!r:.100}")
        return np.broadcast_to(classes, n)

    def _draw(self, spec: tf.TensorSpec, n: int, key: tf.Tensor) -> tf.Tensor:
        if spec.dtype.is_floating:
            return tf.cast(random.normal([n, *spec.shape[1:]], random.fold(key, 0)), spec.dtype)
        bits, count = random.uniform([n], random.fold(key, 2)), self.num_classes or 0
        return tf.cast(tf.minimum(tf.cast(bits * count, tf.int32), count - 1), spec.dtype)

    def _check_specs(self, signature: str) -> None:
        specs = {name: (spec.dtype.name, spec.shape) for name, spec in self._specs.items()}
        if self._is_ours:
            if self.num_classes is not None:
                raise ValueError(
                    "`num_classes` is of other libraries' models: an export of tfgans draws its "
                    f"classes from the seed. Received: {self.num_classes}"
                )
            return
        labels = [name for name, spec in self._specs.items() if spec.dtype.is_integer]
        latents = [spec for spec in self._specs.values() if spec.dtype.is_floating]
        known = all(None not in spec.shape[1:] for spec in latents)
        if len(latents) != 1 or len(labels) > 1 or not known:
            raise ValueError(
                f"The signature {signature!r} must take one float input of known size and at most "
                f"one integer input for labels, or be our `sample_at`. Received: {specs}"
            )
        if bool(labels) != (self.num_classes is not None):
            raise ValueError(
                "`num_classes` is for models that take labels, and they need it. Received: "
                f"num_classes={self.num_classes} and the inputs {specs}"
            )


def _load(path: Path) -> Any:
    if not (path / "saved_model.pb").is_file():
        versions = sorted(one.name for one in path.glob("[0-9]*")) if path.is_dir() else []
        hint = f": its versions are {', '.join(versions)}, give one" if versions else ""
        raise ValueError(f"{path} holds no SavedModel (no saved_model.pb){hint}")
    try:
        return tf.saved_model.load(os.fspath(path))
    except Exception as error:
        raise ValueError(
            f"{path} cannot be loaded: {' '.join(str(error).split())[:200]}"
        ) from error
