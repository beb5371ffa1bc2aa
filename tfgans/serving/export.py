"""Writes a generator as a SavedModel that TF Serving takes as it is."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfgans import files, shapes, stateless

Signatures = dict[str, tuple[Callable[..., Any], list[tf.TensorSpec]]]
_SEED = tf.TensorSpec([None], tf.int64, "seed")


def export_generator(
    generator: Any,
    path: str | os.PathLike[str],
    *,
    latent_shape: tuple[int, ...],
    mixture: bool = False,
    num_classes: int | None = None,
) -> Path:
    """Publishes `generator` under `path` as the next integer version, and returns its folder.

    Nothing of tfgans or Keras is needed to load the result. The version appears whole (a temporary
    sibling is written, synced and renamed) and is never overwritten. Signatures:

    | name | inputs | outputs |
    |---|---|---|
    | `serving_default` | `latents`: float32 [batch, ...] | `images`: float32 [batch, ...] |
    | `sample` | `seed`: int64 [batch] | `images`: float32 [batch, ...] |

    In `sample`, row i depends on `seed[i]` alone: not on the other rows, their number, or the
    process. It equals `gan.sample(1, seed=seed[i])[0]`, up to the rounding of float32.

    A mixture routes inside: in `serving_default` each latent goes to one component, drawn by the
    weights from the latent's bits; `sample` draws from the seed and has one more output,
    `components`: int32 [batch]. And there are

    | name | inputs | outputs |
    |---|---|---|
    | `component` | `latents`, `components`: int32 [batch] | `images`: float32 [batch, ...] |
    | `mixture_weights` | none | `weights`: float32 [k] |

    Of a conditional generator every signature that makes images takes one more input, `labels`:
    int32 [batch], the classes; one that is no class is an error of the call.

    Args:
        generator: A built Keras model, latents -> images. It is called with `training=False`.
        path: The model's folder, say "exported/digits"; its versions are "exported/digits/1", ...
        latent_shape: Shape of one latent, without the batch.
        mixture: Whether the generator is a `tfgans.MixtureGenerator`. Default: False.
        num_classes: Int, of a conditional generator, which takes [latents, labels]. Default: None.

    Returns:
        The `pathlib.Path` of the new version.

    Raises:
        ValueError: If `path` is a file.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"`path` must be a folder of versions, or new. Received the file: {path}")
    path.mkdir(parents=True, exist_ok=True)
    files.remove_temporaries(path)
    temporary = files.temporary_sibling(path / "version")
    try:
        signatures = _signatures(generator, latent_shape, num_classes)
        if mixture:
            signatures |= _mixture_signatures(generator, latent_shape, num_classes)
        _write(generator, signatures, temporary)
        _sync_tree(temporary)
        return _publish(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _signatures(
    generator: Any, latent_shape: tuple[int, ...], num_classes: int | None
) -> Signatures:
    def images(latents: tf.Tensor, *labels: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = _inputs(latents, labels, num_classes)
        return {"images": tf.cast(generator(inputs, training=False), tf.float32)}

    def sample(seed: tf.Tensor, *labels: tf.Tensor) -> dict[str, tf.Tensor]:
        return images(stateless.normal_rows(_keys(seed), latent_shape), *labels)

    classes = _labels(num_classes)
    return {
        "serving_default": (images, [_latents(latent_shape), *classes]),
        "sample": (sample, [_SEED, *classes]),
    }


def _mixture_signatures(
    generator: Any, latent_shape: tuple[int, ...], num_classes: int | None
) -> Signatures:
    def component(
        latents: tf.Tensor, components: tf.Tensor, *labels: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        inputs = _inputs(latents, labels, num_classes)
        return {"images": generator(inputs, training=False, component=components)}

    def sample(seed: tf.Tensor, *labels: tf.Tensor) -> dict[str, tf.Tensor]:
        components = generator.draw_components(_keys(seed))
        latents = stateless.normal_rows(_keys(seed), latent_shape)
        return {**component(latents, components, *labels), "components": components}

    def mixture_weights() -> dict[str, tf.Tensor]:
        return {"weights": tf.exp(generator.log_probabilities())}

    pinned = tf.TensorSpec([None], tf.int32, "components")
    classes = _labels(num_classes)
    return {
        "sample": (sample, [_SEED, *classes]),
        "component": (component, [_latents(latent_shape), pinned, *classes]),
        "mixture_weights": (mixture_weights, []),
    }


def _latents(latent_shape: tuple[int, ...]) -> tf.TensorSpec:
    return tf.TensorSpec([None, *latent_shape], tf.float32, "latents")


def _labels(num_classes: int | None) -> list[tf.TensorSpec]:
    return [] if num_classes is None else [tf.TensorSpec([None], tf.int32, "labels")]


def _inputs(latents: tf.Tensor, labels: tuple[tf.Tensor, ...], num_classes: int | None) -> Any:
    if num_classes is None:
        return latents
    inside = tf.reduce_all((labels[0] >= 0) & (labels[0] < num_classes))
    expected = f"`labels` must be classes from 0 to {num_classes - 1}"
    with tf.control_dependencies([tf.debugging.Assert(inside, [expected, labels[0]])]):
        return shapes.with_labels(latents, tf.identity(labels[0]))


def _keys(seed: tf.Tensor) -> tf.Tensor:
    return tf.stack([seed, tf.zeros_like(seed)], axis=1)


def _write(generator: Any, signatures: Signatures, folder: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(generator)
    for name, (function, specs) in signatures.items():
        archive.add_endpoint(name, function, input_signature=specs)
    archive.write_out(str(folder), verbose=False)


def _sync_tree(folder: Path) -> None:
    for entry in [folder, *folder.rglob("*")]:
        # The server often runs as another user.
        entry.chmod(0o755 if entry.is_dir() else 0o644)
        files.sync(entry)


def _publish(temporary: Path, path: Path) -> Path:
    while True:
        versions = [int(entry.name) for entry in path.iterdir() if entry.name.isdigit()]
        version = path / str(max(versions, default=0) + 1)
        try:
            # Renaming onto a folder that is not empty fails, so a version that another process
            # published in the meantime is never overwritten.
            temporary.rename(version)
        except OSError:
            if not version.exists():
                raise
            continue
        files.sync(path)
        return version
