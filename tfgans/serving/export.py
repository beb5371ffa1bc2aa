"""Writes a generator as a SavedModel that TF Serving takes as it is."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfgans import files, stateless


def export_generator(
    generator: Any, path: str | os.PathLike[str], *, latent_shape: tuple[int, ...]
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

    Args:
        generator: A built Keras model, latents -> images. It is called with `training=False`.
        path: The model's folder, say "exported/digits"; its versions are "exported/digits/1", ...
        latent_shape: Shape of one latent, without the batch.

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
        _write(generator, latent_shape, temporary)
        _sync_tree(temporary)
        return _publish(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(generator: Any, latent_shape: tuple[int, ...], folder: Path) -> None:
    def images(latents: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": tf.cast(generator(latents, training=False), tf.float32)}

    def sample(seed: tf.Tensor) -> dict[str, tf.Tensor]:
        keys = tf.stack([seed, tf.zeros_like(seed)], axis=1)
        return images(stateless.normal_rows(keys, latent_shape))

    signatures: dict[str, tuple[Callable[..., Any], tf.TensorSpec]] = {
        "serving_default": (images, tf.TensorSpec([None, *latent_shape], tf.float32, "latents")),
        "sample": (sample, tf.TensorSpec([None], tf.int64, "seed")),
    }
    archive = keras.export.ExportArchive()
    archive.track(generator)
    for name, (function, spec) in signatures.items():
        archive.add_endpoint(name, function, input_signature=[spec])
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
