"""Exports a generator as a SavedModel that TensorFlow Serving loads without further files."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, files, shapes
from tfgans import class_names as names
from tfgans.export.graph_checks import check_graph
from tfgans.export.model_card import check_entries, sample_seeds, write_card
from tfgans.export.publish import is_saved_model, publish, saved_models, version_folders
from tfgans.export.self_check import check_export, example_calls, tolerance_of
from tfgans.export.signatures import DRAWN, GeneratorSignatures, Signature
from tfgans.export.warmup import write_warmup
from tfgans.mixtures import components_of
from tfgans.sampling import DrawLatents, Sampler, latent_shape

# The endings of other models, which are files.
_OTHER_FILES = {".onnx", ".tflite", ".keras", ".h5", ".hdf5", ".pb"}


def export_generator(
    generator: keras.Model,
    path: str | os.PathLike[str],
    *,
    num_classes: int | None = None,
    draw_latents: DrawLatents | None = None,
    class_names: Sequence[str] | None = None,
    card: Mapping[str, object] | None = None,
    keep: int | None = None,
    verify: bool = True,
    verbose: bool = False,
) -> Path:
    """Publishes `generator` below `path` as the next version, and returns the version's folder.

    The SavedModel loads without tfgans and without Keras. Its signatures:

    | name | inputs | outputs |
    |---|---|---|
    | `serving_default` | `latents`: float32 [batch, ...] | `images`: float32 [batch, ...] |
    | `sample` | `seed`: int64 [batch] | `images`, `components`: int32 [batch] |
    | `sample_at` | `seed`, `index`: int64 [batch] | `images`, `components` |
    | `sample_png` | `seed` | `image_bytes`: string [batch], a PNG file per row |
    | `latents` | `seed`, `index` | `latents`: float32 [batch, ...] |
    | `component` | `latents`, `components`: int32 [batch] | `images` |
    | `interpolate` | `seed_a`, `seed_b`: int64 [batch], `t`: float32 [batch] | as `sample`, but \
no `labels` |
    | `sample_truncated` | `seed`, `index`, `truncation`: float32 [batch] | as `sample`, and \
`latents` |
    | `mixture_weights` | `probe`: float32 [batch], any values | `weights`: float32 [batch, k] |
    | `generate` | `num`: int32 [], `seed`: int64 [] | `images`, `components`: `num` rows |
    | `class_names` | `probe` | `names`: string [batch, num_classes], with `class_names` only |

    **Rows.** Row i of the outputs depends only on row i of the inputs: not on the other rows, their
    number or the process. Two versions of the same weights give the same images. Up to the rounding
    of float32, `sample_at` gives `gan.sample(n, seed=seed)[index]`, `sample` the same at index 0,
    and `generate` the first `num` rows (at most 1024).

    **Mixtures.** `components` is the component that made each row; a plain generator has k = 1.
    `serving_default` routes each latent by the mixture weights, from the bits of the latent.

    **Interpolation.** `interpolate` follows the great arc from the latent of `seed_a` (t = 0) to
    the latent of `seed_b` (t = 1). The component changes to that of `seed_b` at t = 0.5.

    **Truncation.** `sample_truncated` restricts the values of the latents to
    [-truncation, truncation], as `gan.sample(truncation=...)` does, and returns the latents too. It
    exists where latents are standard normal.

    **Images.** `sample_png` exists where the generator makes images [height, width, channels]. Four
    channels are saved as RGBA, three or more than four as RGB by the first three, fewer as gray by
    the first.

    **Classes.** For a conditional generator, each signature that makes images also takes `labels`:
    int32 [batch] (in `generate` one class, or `num`). Where there is a seed, -1 draws the class
    from the seed (in `interpolate`, from `seed_a`) as `gan.sample` does: uniformly, not by the
    class frequencies of the training data. `sample`, `sample_at`, `generate` and `sample_truncated`
    then also return `labels`, the classes of the rows.

    **Invalid inputs.** A class or component out of range, a number that is not finite, or too many
    rows fails the call. With batching, TensorFlow Serving then fails the whole batch.

    **Checks.** Before publication, the graph is searched for operations that TensorFlow Serving
    cannot run or that would not repeat. A new process without Keras then loads the export and must
    reproduce the outputs of `generator`, among them those of every component and of the first and
    last class. The outputs of `generator` must be the same for rows in batches of other sizes and
    orders. The version appears complete, by a rename, and never replaces another version.

    **Extra files.** `assets.extra` holds the model card as `model_card.json` and `model_card.md`
    with the picture `samples.png`, calls with their results in `self_check.npz`, which `tfgans
    verify` repeats (unless `verify` is False), and `tf_serving_warmup_requests` with
    batches of 1, 4 and 16 rows for each signature with rows. `generate` has no rows: TensorFlow
    Serving with batching refuses it, and does not load a model with a warm-up request that it
    refuses.

    Args:
        generator: A built Keras model, latents -> images, or a `tfgans.MixtureGenerator`. It is
            called with `training=False`.
        path: The model's folder, say "exported/digits". Its versions are the folders 1, 2, ...
        num_classes: Int of at least 1, for a conditional generator, which takes
            [latents, labels]. Default: None, not conditional.
        draw_latents: Callable `(draws) -> float32 [rows, *latent_shape]`, see `GAN.draw_latents`.
            Default: None, standard normal latents.
        class_names: List of strings, the names of the classes 0, 1, ... of a conditional generator,
            say `source.class_names`; the model card has them too. Default: None, without names.
        card: Entries of the model card besides versions and checksums: JSON values by name. The
            text has "model", "run" and "evaluation" as `tfgans export` writes them, "license" (a
            string) and "limits" (strings). In the other entries, a string that is an absolute path
            is cut to its last part.
        keep: Int of at least 1, the number of newest versions to keep. Use at least 2, so that a
            version stays while a server loads it. Only folders that hold a `saved_model.pb` count
            and are removed. Default: None, all.
        verify: Bool, whether to run the export in a new process, which takes as long as TensorFlow
            takes to start. Default: True.
        verbose: Bool, whether to print the version and its signatures. Default: False.

    Returns:
        The `pathlib.Path` of the new version.

    Raises:
        ValueError: If an argument is invalid or the export fails a check. Nothing is published.
        OSError: If the folder cannot be written.
    """
    path = _checked_folder(path)
    if keep is not None:
        checks.positive_int("keep", keep)
    checks.boolean("verify", verify)
    checks.boolean("verbose", verbose)
    card = {} if card is None else card
    check_entries(card)
    checked_latent_shape(generator, num_classes)
    if class_names is not None:
        class_names = _checked_names(class_names, num_classes)
        card = {**card, "class_names": list(class_names)}
    sampler = Sampler(generator, num_classes=num_classes, draw_latents=draw_latents)
    signatures = GeneratorSignatures(sampler, class_names).build()
    calls = example_calls(
        signatures, num_components=sampler.num_components, num_classes=num_classes
    )
    _make_readable(path)
    files.remove_temporaries(path)
    temporary = files.temporary_sibling(path / "version")
    try:
        with _as_os_errors(path):
            _write(generator, signatures, temporary)
            write_warmup(temporary, calls)
        check_graph(temporary)
        if verify:
            check_export(temporary, signatures, calls, tolerance=tolerance_of(generator))
        write_card(
            temporary,
            signatures,
            card,
            name=path.absolute().name,
            samples=_samples(signatures["sample"]),
        )
        version = publish(temporary, path, keep=keep)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if verbose:
        print(f"Saved {version} with the signatures {', '.join(signatures)}")  # noqa: T201 (asked for)
    return version


def checked_latent_shape(generator: keras.Model, num_classes: int | None) -> tuple[int, ...]:
    """Returns the shape of a latent of a generator that can be exported.

    It calls the generator once, on the first and the last class.

    Raises:
        ValueError: If it is no Keras model, the shape is not fixed, `num_classes` does not match
            the inputs or the classes that the generator knows, or the outputs are no floats.
    """
    checks.instance("generator", generator, keras.Model, "tfgans.networks.mlp_generator((2,))")
    if hasattr(generator, "discriminator"):
        raise ValueError(
            "`generator` must be the generator alone. Received: the whole GAN, a "
            f"{type(generator).__name__}. Call its `export`, or pass its `generator`"
        )
    if shapes.takes_labels(generator) != (num_classes is not None):
        raise ValueError(
            "`num_classes` must be set for a generator that takes [latents, labels], and for no "
            f"other. Received: num_classes={num_classes}"
        )
    if num_classes is not None:
        checks.positive_int("num_classes", num_classes)
    shape = latent_shape(generator)
    shapes.output_shape(generator, "generator")  # Raises ValueError unless there is one output.
    labels = None if num_classes is None else tf.constant([0, num_classes - 1])
    inputs = shapes.with_labels(tf.zeros([2, *shape]), labels)
    try:
        with tf.device("CPU:0"):  # A GPU does not check the classes of an embedding.
            for component in components_of(generator):
                _check_output_type(component(inputs, training=False))
    except tf.errors.InvalidArgumentError as error:
        if num_classes is None:
            raise
        raise ValueError(
            "`num_classes` must be the number of classes of the generator, which fails for the "
            f"classes 0 and {num_classes - 1}. Received: num_classes={num_classes}. Pass the size "
            "of its embedding"
        ) from error
    return shape


def _check_output_type(images: tf.Tensor) -> None:
    """Raises ValueError for images of integers, which are not in [-1, 1]."""
    if not images.dtype.is_floating:
        raise ValueError(
            "The generator must return floats, images in [-1, 1]. Received: outputs of "
            f"{images.dtype.name}. Remove the cast (and the scaling to pixels) from its last layers"
        )


def _samples(signature: Signature) -> np.ndarray:
    """Returns float32 [num, ...]: the images of the signature `sample` for the seeds of a card."""
    seeds = sample_seeds()
    labels = [tf.fill(seeds.shape, DRAWN)] * (len(signature.inputs) > 1)
    return signature.function(seeds, *labels)["images"].numpy()


def _checked_folder(path: str | os.PathLike[str]) -> Path:
    if not os.fspath(path):
        raise ValueError(
            "`path` must be a folder, say 'exported/digits'. Received: an empty path. Pass '.' for "
            "the working directory"
        )
    path = files.path(path)
    if path.suffix in _OTHER_FILES:
        raise ValueError(
            "A SavedModel is a folder, say 'exported/digits'. Received: the file path "
            f"{os.fspath(path)!r}. Leave the ending out; for such a file, pass format='onnx' or "
            "'litert', or call `GAN.save`"
        )
    if path.exists() and not path.is_dir():
        raise ValueError(
            "A SavedModel is a folder, say 'exported/digits'. Received: the existing file "
            f"{os.fspath(path)!r}. Take another path"
        )
    if set("*?[]") & set(os.fspath(path.absolute())):
        raise ValueError(
            f"`path` must be without *, ?, [ and ]: TensorFlow reads them as a pattern. Received: "
            f"{path}"
        )
    if is_saved_model(path):
        raise ValueError(
            f"`path` must be the folder of a model's versions. Received: {path}, which is a "
            f"SavedModel itself. Pass its parent folder, {path.absolute().parent}, to publish the "
            "next version"
        )
    _check_versions(path)
    return path


def _check_versions(path: Path) -> None:
    """Raises ValueError if no numbered folder is a SavedModel, as in a folder of classes."""
    numbered = [folder.name for folder in version_folders(path).values()] if path.is_dir() else []
    if numbered and not saved_models(path):
        raise ValueError(
            "The numbered folders in `path` must be versions of a model, with a saved_model.pb. "
            f"Received: {path}, with the folders {checks.short(numbered)}, none of which has one. "
            "Choose another folder"
        )


def _checked_names(class_names: Sequence[str], num_classes: int | None) -> tuple[str, ...]:
    if num_classes is None:
        raise ValueError(
            "`class_names` are for a conditional generator, and this generator has no classes. "
            f"Received: {checks.short(class_names)}. Leave them out"
        )
    return names.fill(num_classes, class_names)


def _make_readable(path: Path) -> None:
    """Makes the missing folders down to `path`, readable by the user of a server."""
    for folder in reversed([path, *path.absolute().parents]):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)


def _write(generator: keras.Model, signatures: Mapping[str, Signature], folder: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(generator)
    for name, signature in signatures.items():
        signature.function.get_concrete_function()  # `ExportArchive` takes traced functions.
        archive.add_endpoint(name, signature.function)
    archive.write_out(str(folder), verbose=False)


@contextlib.contextmanager
def _as_os_errors(folder: Path) -> Iterator[None]:
    """Raises OSError for TensorFlow's errors of a full disk or a folder without permission."""
    try:
        yield
    except (
        tf.errors.PermissionDeniedError,
        tf.errors.ResourceExhaustedError,
        tf.errors.FailedPreconditionError,
        tf.errors.OutOfRangeError,  # The limit of a file's size.
    ) as error:
        raise OSError(f"{folder} cannot be written: {error.message}") from error
