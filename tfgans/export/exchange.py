"""Writes a generator as one ONNX or LiteRT file, for programs that have no TensorFlow."""

import contextlib
import dataclasses
import importlib
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, compat, files
from tfgans.export.export import checked_latent_shape
from tfgans.players import GeneratorPlayer

_BATCH_SIZES = (1, 3)
_SEED = 0
# Standard deviations of the rounding error that count as equal.
_SAFETY = 8.0
_LONGEST_REASON = 400

Inputs = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Format:
    """An exchange format.

    Attributes:
        name: What `keras.Model.export` calls it.
        suffix: The ending of its files.
        packages: The modules that write it, and the last one, its runtime.
        runner: Function (runtime, path, inputs) -> images.
        options: Arguments of Keras's exporter.
        tries_one_row: Whether a batch of one is tried where any batch cannot be converted.
    """

    name: str
    suffix: str
    packages: tuple[str, ...]
    runner: Callable[[ModuleType, Path, Inputs], np.ndarray]
    options: dict[str, object] = dataclasses.field(default_factory=dict)
    tries_one_row: bool = False

    def check_packages(self) -> None:
        """Raises ImportError if a package is missing."""
        for package in self.packages:
            self._imported(package)

    def run(self, path: Path, inputs: Inputs) -> np.ndarray:
        """Returns the images of a file.

        Raises:
            ValueError: If the runtime refuses the file.
        """
        with self.refused("Its own runtime cannot run the file"):
            return self.runner(self._imported(self.packages[-1]), path, inputs)

    def refusal(self, problem: str) -> ValueError:
        """Returns the error of a file that is not put in place."""
        return ValueError(
            f"No file of format={self.name!r} was written. {problem}. A SavedModel "
            '(format="tf_saved_model") holds every generator'
        )

    @contextlib.contextmanager
    def refused(self, problem: str) -> Iterator[None]:
        """Makes a `refusal` of an error of a converter or a runtime: they share no base class."""
        try:
            yield
        except (OSError, MemoryError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:_LONGEST_REASON]
            raise self.refusal(f"{problem}: {type(error).__name__}: {reason}") from error

    def _imported(self, package: str) -> ModuleType:
        try:
            return importlib.import_module(package)
        except ImportError as error:
            raise ImportError(
                f"format={self.name!r} needs the package {package.partition('.')[0]}, which cannot "
                "be imported: run `pip install tfgans[exchange]`"
            ) from error


def _run_onnx(runtime: ModuleType, path: Path, inputs: Inputs) -> np.ndarray:
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["images"], dict(inputs))[0]


def _run_litert(runtime: ModuleType, path: Path, inputs: Inputs) -> np.ndarray:
    signature = runtime.Interpreter(str(path)).get_signature_runner("serving_default")
    return signature(**inputs)["images"]


FORMATS = {
    "onnx": Format("onnx", ".onnx", ("onnx", "tf2onnx", "onnxruntime"), _run_onnx),
    "litert": Format(
        "litert",
        ".tflite",
        ("ai_edge_litert.interpreter",),
        _run_litert,
        # An operation outside the builtin set would need TensorFlow on the device.
        options={"target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}},
        tries_one_row=True,
    ),
}


def export_exchange(
    generator: keras.Model,
    path: str | os.PathLike[str],
    *,
    format: str,  # noqa: A002 (the name in `keras.Model.export`)
    num_classes: int | None = None,
) -> Path:
    """Writes the generator as one ONNX or LiteRT file, and returns its path.

    The file holds one function, at inference: `latents`, float32 [batch, ...], and for a
    conditional generator `labels`, int32 [batch], to `images`, float32 [batch, ...]. An ONNX file
    names its inputs and its output so; a LiteRT file does in the signature `serving_default`. The
    file does not check its inputs: labels must be classes, and latents finite.

    An ONNX file takes any batch size, and so does a LiteRT file, whose signature runner resizes
    the inputs. Where the LiteRT converter cannot follow the sizes of inner images (those of
    `UpSampling2D` in a deep network), the file takes batches of one only, and a warning says so.

    Before the file is put in place it runs in ONNX Runtime or the LiteRT interpreter, on seeded
    latents in batches of 1 and 3, and must give what `generator` gives. Both sum in another order
    than TensorFlow. A sum of n products in float32 then differs by about sqrt(n) eps, with eps =
    2^-23, and layers add to this: allowed are 8 eps (sum over the weights of sqrt(fan-in)), times
    the value where it is above 1. That is about 1e-5 for two small layers, and 2e-4 for a DCGAN of
    64 x 64 pixels.

    A file that was at `path` is replaced, and stays if the export fails.

    Args:
        generator: A built Keras model in float32, latents -> images. It is called with
            `training=False`.
        path: The file to write. It must end in .onnx or .tflite, as the format demands. Its folder
            is made if it is missing.
        format: "onnx" or "litert".
        num_classes: Int of at least 1, of a conditional generator, which takes [latents, labels].
            Default: None.

    Returns:
        The `pathlib.Path` of the file.

    Raises:
        ValueError: If an argument is not as above, if `generator` is a mixture or computes in
            another precision than float32, or if the file cannot be made, run, or gives other
            images.
        ImportError: If a package of the extra `exchange` is missing.
        OSError: If the file cannot be written.

    Example:

    ```python
    tfgans.export.export_exchange(gan.generator, "digits.onnx", format="onnx")
    session = onnxruntime.InferenceSession("digits.onnx")
    (images,) = session.run(["images"], {"latents": latents})
    ```
    """
    chosen = FORMATS[checks.choice("format", format, FORMATS)]
    path = files.path(path)
    if path.suffix != chosen.suffix:
        raise ValueError(
            f"`path` must end in {chosen.suffix} for format={format!r}. Received: {path}"
        )
    _check_network(generator, chosen)
    latent_shape = checked_latent_shape(generator, num_classes)
    chosen.check_packages()
    function = _ImageFunction(generator)
    with files.atomic_write(path) as temporary:
        batch_sizes = _write(function, latent_shape, num_classes is not None, temporary, chosen)
        for rows in batch_sizes:
            inputs = _examples(rows, latent_shape, num_classes)
            _compare(function, inputs, temporary, chosen, tolerance=_tolerance(generator))
    return path


class _ImageFunction(keras.Model):
    """Latents and labels as separate arguments, and images by name: what the file holds.

    Args:
        generator: See `export_exchange`.
    """

    def __init__(self, generator: keras.Model) -> None:
        super().__init__(dtype="float32", name="image_function")
        self.generator = generator
        self.built = True

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Returns the images of latents; never in training."""
        del training
        inputs = latents if labels is None else [latents, labels]
        return {"images": tf.cast(self.generator(inputs, training=False), tf.float32)}


def _check_network(generator: keras.Model, chosen: Format) -> None:
    """Raises ValueError for a network that the formats cannot hold."""
    checks.instance("generator", generator, keras.Model, "tfgans.networks.mlp_generator((2,))")
    num_components = GeneratorPlayer(generator).num_components
    if num_components > 1:
        raise ValueError(
            f"A mixture draws a component for each latent, which a file of format={chosen.name!r} "
            f"cannot. Received: a mixture of {num_components} components. Export it as a "
            'SavedModel (format="tf_saved_model"), or export a single component'
        )
    for layer in compat.all_layers(generator):
        dtype = tf.as_dtype(layer.compute_dtype)
        if dtype.is_floating and dtype != tf.float32:
            raise ValueError(
                f"A file of format={chosen.name!r} computes in float32. Received: the layer "
                f"{layer.name!r}, which computes in {dtype.name}. Build the generator with the "
                'dtype policy "float32" and load the weights into it, or export a SavedModel '
                '(format="tf_saved_model")'
            )


def _write(
    function: keras.Model, latent_shape: tuple[int, ...], labels: bool, path: Path, chosen: Format
) -> tuple[int, ...]:
    """Writes a model by Keras's exporter, and returns the batch sizes to compare."""
    try:
        _convert(function, None, latent_shape, labels, path, chosen)
        return _BATCH_SIZES
    except ValueError:
        if not chosen.tries_one_row:
            raise
    _convert(function, 1, latent_shape, labels, path, chosen)
    warnings.warn(
        "The file takes one latent at a time: the converter needs a fixed batch for this generator",
        stacklevel=3,
    )
    return _BATCH_SIZES[:1]


def _convert(
    function: keras.Model,
    rows: int | None,
    latent_shape: tuple[int, ...],
    labels: bool,
    path: Path,
    chosen: Format,
) -> None:
    specs = [tf.TensorSpec([rows, *latent_shape], tf.float32, "latents")]
    if labels:
        specs.append(tf.TensorSpec([rows], tf.int32, "labels"))
    with chosen.refused("Keras cannot convert the generator"), warnings.catch_warnings():
        # Keras looks for a name that NumPy 2 no longer has.
        warnings.filterwarnings("ignore", message=".*np.object", category=FutureWarning)
        function.export(
            str(path),
            format=chosen.name,
            verbose=False,
            input_signature=specs,
            **chosen.options,
        )


def _examples(
    rows: int, latent_shape: tuple[int, ...], num_classes: int | None
) -> dict[str, np.ndarray]:
    """Returns inputs by name, always the same."""
    rng = np.random.default_rng(_SEED)
    latents = rng.normal(size=(rows, *latent_shape)).astype(np.float32)
    if num_classes is None:
        return {"latents": latents}
    return {"latents": latents, "labels": np.arange(rows, dtype=np.int32) % num_classes}


def _compare(
    function: keras.Model,
    inputs: Mapping[str, np.ndarray],
    path: Path,
    chosen: Format,
    *,
    tolerance: float,
) -> None:
    """Raises ValueError unless a file gives what the live generator gives."""
    # On the processor, as the file: a GPU may multiply in lower precision.
    with tf.device("CPU:0"):
        expected = function(**{name: tf.constant(value) for name, value in inputs.items()})
    images = expected["images"].numpy()
    if not np.isfinite(images).all():
        raise ValueError("The generator gives NaN or infinity. Export a model that is trained")
    received = chosen.run(path, inputs)
    if received.shape != images.shape:
        raise chosen.refusal(
            f"Expected images of shape {images.shape}. Received shape: {received.shape}"
        )
    difference = np.max(np.abs(received - images) / np.maximum(1.0, np.abs(images)))
    # Written so that NaN fails.
    if not difference <= tolerance:
        raise chosen.refusal(
            f"Expected the images of the live generator, up to {tolerance:.2g}. Received images "
            f"that differ by {difference:.2g} in a batch of {len(images)}. A layer that draws at "
            "random at inference does that"
        )


def _tolerance(generator: keras.Model) -> float:
    """Returns how far values may differ: rounding of float32, added over the layers."""
    fan_ins = [math.prod(weight.shape[:-1]) for weight in generator.weights]
    return _SAFETY * float(np.finfo(np.float32).eps) * sum(map(math.sqrt, fan_ins))
