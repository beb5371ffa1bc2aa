"""Writes a generator as a SavedModel that TF Serving takes as it is."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfgans import checks, files, shapes
from tfgans.export.graph_checks import check_graph
from tfgans.export.model_card import write_card
from tfgans.export.publish import publish
from tfgans.export.self_check import check_export, example_calls, tolerance_of
from tfgans.export.signatures import GeneratorSignatures, Signature
from tfgans.export.warmup import write_warmup
from tfgans.sampling import DrawLatents, Sampler, latent_shape


def export_generator(
    generator: Any,
    path: str | os.PathLike[str],
    *,
    num_classes: int | None = None,
    draw_latents: DrawLatents | None = None,
    card: Mapping[str, Any] | None = None,
    keep: int | None = None,
    verify: bool = True,
) -> Path:
    """Publishes `generator` under `path` as the next integer version, and returns its folder.

    Nothing of tfgans or Keras is needed to load the result. Its signatures:

    | name | inputs | outputs |
    |---|---|---|
    | `serving_default` | `latents`: float32 [batch, ...] | `images`: float32 [batch, ...] |
    | `sample` | `seed`: int64 [batch] | `images`, `components`: int32 [batch] |
    | `sample_at` | `seed`, `index`: int64 [batch] | `images`, `components` |
    | `sample_png` | `seed` | `image_bytes`: string [batch], a PNG file each |
    | `latents` | `seed`, `index` | `latents`: float32 [batch, ...] |
    | `component` | `latents`, `components`: int32 [batch] | `images` |
    | `interpolate` | `seed_a`, `seed_b`: int64 [batch], `t`: float32 [batch] | as `sample` |
    | `mixture_weights` | none | `weights`: float32 [k] |
    | `generate` | `num`: int32 [], `seed`: int64 [] | `images`, `components`: `num` rows |

    Row i depends on row i of the inputs alone: not on the other rows, their number or the process;
    versions of the same weights give the same. `sample_at` gives `gan.sample(n, seed=seed)[index]`,
    `sample` the same at index 0, `generate` its first `num` rows, 1024 at most; all up to the
    rounding of float32. `components` tells which component of a mixture made the row; of a plain
    generator k is 1. In
    `serving_default` a mixture routes each latent by its weights, from the latent's bits.
    `interpolate` goes along the great arc from the latent of `seed_a`, at t = 0, to that of
    `seed_b`, at 1; from t = .5 on with the component of `seed_b`. `sample_png` is there for images.

    Of a conditional generator every signature that makes images takes one more input, `labels`:
    int32 [batch] (`label`: int32 [] in `generate`), the classes. Where there is a seed, -1 stands
    for a class drawn from it (in `interpolate`, from `seed_a`), as in `gan.sample`: all classes
    alike, whatever their shares of the data were. Whoever wants those asks for labels drawn by
    them, as evaluations do. `sample`, `sample_at` and `generate` have one more output, `labels`,
    which tells the class.

    An input that is no class, no component, not finite or too many is an error of the call, and in
    TF Serving with batching of the requests in the same batch.

    The version appears whole, by a rename, and is never overwritten. Before that the graph is
    checked for what TF Serving cannot run or would not repeat, and a new process without Keras
    loads the export and must give what `generator` gives. Beside the model, `assets.extra` has
    `model_card.json` and `tf_serving_warmup_requests`, batches of 1, 4 and 16 for each signature
    that has rows. (TF Serving with batching refuses `generate` and `mixture_weights`, which have
    none, and does not load a model of which it refuses a warm-up request.)

    Args:
        generator: A built Keras model, latents -> images, or a `tfgans.MixtureGenerator`. It is
            called with `training=False`.
        path: The model's folder, say "exported/digits"; its versions are "exported/digits/1", ...
        num_classes: Int, of a conditional generator, which takes [latents, labels]. By default the
            export draws them alike (label -1). Default: None, not conditional.
        draw_latents: Callable `(draws) -> float32 [rows, *latent_shape]`, see `GAN.draw_latents`.
            Default: None, standard normal latents.
        card: What `model_card.json` tells besides versions and checksums, as JSON values by name.
        keep: Int of at least 1, how many of the newest versions stay. Default: None, all. Keep as
            many as a server may still be loading: at least 2.
        verify: Whether the new process is started; it takes as long as TensorFlow takes to start.
            Default: True.

    Returns:
        The `pathlib.Path` of the new version.

    Raises:
        ValueError: If an argument is not as above, or the export fails a check; nothing is
            published then.
        OSError: If the folder cannot be written.
    """
    path = _checked_folder(path)
    if keep is not None:
        checks.positive_int("keep", keep)
    card = _checked_card(card or {})
    made = _signatures(generator, num_classes, draw_latents)
    signatures = made.build()
    calls = example_calls(signatures, num_components=made.num_components, num_classes=num_classes)
    _make_readable(path)
    files.remove_temporaries(path)
    temporary = files.temporary_sibling(path / "version")
    try:
        with _told_as_os_errors(path):
            _write(generator, signatures, temporary)
            write_warmup(temporary, calls)
        check_graph(temporary)
        if verify:
            check_export(temporary, signatures, calls, tolerance=tolerance_of(generator))
        write_card(temporary, signatures, card)
        return publish(temporary, path, keep=keep)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _checked_folder(path: str | os.PathLike[str]) -> Path:
    path = files.path(path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"`path` must be a folder of versions, or new. Received the file: {path}")
    if set("*?[]") & set(os.fspath(path.absolute())):
        raise ValueError(
            f"`path` must be without *, ?, [ and ], with which TensorFlow cannot load. Received: "
            f"{path}"
        )
    return path


def _checked_card(card: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        json.dumps(card, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`card` must hold JSON values. Received: {error}") from error
    return card


def checked_latent_shape(generator: keras.Model, num_classes: int | None) -> tuple[int, ...]:
    """Returns the shape of one latent of a generator that can be exported.

    Raises:
        ValueError: If the shape is not fixed, or `num_classes` does not fit the generator.
    """
    if shapes.takes_labels(generator) != (num_classes is not None):
        raise ValueError(
            "`num_classes` is of generators that take [latents, labels], and they need it. "
            f"Received: num_classes={num_classes}"
        )
    if num_classes is not None:
        checks.positive_int("num_classes", num_classes)
    return latent_shape(generator)


def _signatures(
    generator: keras.Model, num_classes: int | None, draw_latents: DrawLatents | None
) -> GeneratorSignatures:
    checked_latent_shape(generator, num_classes)
    return GeneratorSignatures(
        Sampler(generator, num_classes=num_classes, draw_latents=draw_latents)
    )


def _make_readable(path: Path) -> None:
    """Makes the folder and those above it, where they are missing, for a server of another user."""
    for folder in reversed([path, *path.absolute().parents]):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)


def _write(generator: Any, signatures: dict[str, Signature], folder: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(generator)
    for name, (function, specs) in signatures.items():
        archive.add_endpoint(name, function, input_signature=specs)
    archive.write_out(str(folder), verbose=False)


@contextlib.contextmanager
def _told_as_os_errors(folder: Path) -> Iterator[None]:
    """TensorFlow's own errors of a full disk or a folder that may not be written are no OSError."""
    try:
        yield
    except (
        tf.errors.PermissionDeniedError,
        tf.errors.ResourceExhaustedError,
        tf.errors.FailedPreconditionError,
        tf.errors.OutOfRangeError,  # a file that may not grow
    ) as error:
        raise OSError(f"{folder} cannot be written: {error.message}") from error
