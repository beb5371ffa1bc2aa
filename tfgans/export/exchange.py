"""Exports a generator as a single ONNX or LiteRT file, which runs without TensorFlow."""

import contextlib
import dataclasses
import importlib
import itertools
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, compat, files, shapes
from tfgans.export.saved_model import checked_latent_shape
from tfgans.players import GeneratorPlayer

Arrays = Mapping[str, np.ndarray]

# Rows that are compared with the live generator: at least, in a batch, and for classes.
_MIN_ROWS, _BATCH_ROWS, _MAX_CLASSES = 4, 16, 64
_SEED = 0
# Rounding errors allowed, in standard deviations.
_STANDARD_DEVIATIONS = 8.0
_MAX_REASON = 400
_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)


@dataclasses.dataclass(frozen=True)
class ExchangeFormat:
    """A file format, the packages that write and run it, and the calls to both.

    Attributes:
        name: The name in `keras.Model.export`.
        suffix: The ending of the files.
        packages: The modules that write a file, and last the runtime.
        runner: Function (runtime, path, batches of inputs) -> images of each batch.
        options: Arguments of Keras's exporter.
        tries_single_rows: Whether to convert for a fixed batch of 1 where a free batch size fails.
    """

    name: str
    suffix: str
    packages: tuple[str, ...]
    runner: Callable[[ModuleType, Path, Sequence[Arrays]], list[np.ndarray]]
    options: dict[str, object] = dataclasses.field(default_factory=dict)
    tries_single_rows: bool = False

    def check_packages(self) -> None:
        """Raises ImportError if a package is missing."""
        for package in self.packages:
            self._imported(package)

    def run(self, path: Path, batches: Sequence[Arrays]) -> list[np.ndarray]:
        """Returns the images of a file for each batch of inputs.

        Raises:
            ValueError: If the runtime refuses the file.
        """
        with self.refusals("The runtime of the format cannot run the file"):
            return self.runner(self._imported(self.packages[-1]), path, batches)

    def refusal(self, problem: str) -> ValueError:
        """Returns the error for a file that is not written."""
        return ValueError(
            f"No file of format={self.name!r} was written. {problem}. A SavedModel "
            '(format="tf_saved_model") holds every generator'
        )

    @contextlib.contextmanager
    def refusals(self, problem: str) -> Iterator[None]:
        """Raises `refusal(problem)` for errors of converters and runtimes, of any class."""
        try:
            yield
        except (OSError, MemoryError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:_MAX_REASON]
            raise self.refusal(f"{problem}: {type(error).__name__}: {reason}") from error

    def _imported(self, package: str) -> ModuleType:
        try:
            return importlib.import_module(package)
        except ImportError as error:
            raise ImportError(
                f"format={self.name!r} needs the package {package.partition('.')[0]}, which cannot "
                f"be imported: run `{checks.install_command('exchange')}`"
            ) from error


def _run_onnx(runtime: ModuleType, path: Path, batches: Sequence[Arrays]) -> list[np.ndarray]:
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [session.run(["images"], dict(inputs))[0] for inputs in batches]


def _run_litert(runtime: ModuleType, path: Path, batches: Sequence[Arrays]) -> list[np.ndarray]:
    signature = runtime.Interpreter(str(path)).get_signature_runner("serving_default")
    return [signature(**inputs)["images"] for inputs in batches]


FORMATS = {
    "onnx": ExchangeFormat("onnx", ".onnx", ("onnx", "tf2onnx", "onnxruntime"), _run_onnx),
    "litert": ExchangeFormat(
        "litert",
        ".tflite",
        ("ai_edge_litert.interpreter",),
        _run_litert,
        # Operations outside the builtin set need TensorFlow on the device.
        options={"target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}},
        tries_single_rows=True,
    ),
}


def export_exchange(
    generator: keras.Model,
    path: str | os.PathLike[str],
    *,
    format: str,  # noqa: A002 (the name in `keras.Model.export`)
    num_classes: int | None = None,
    verbose: bool = False,
) -> Path:
    """Writes the generator as a single ONNX or LiteRT file, and returns its path.

    The file holds the function `latents` -> `images` at inference, with `latents` float32
    [batch, ...] and `images` float32 [batch, ...]. A conditional generator also takes `labels`,
    int32 [batch], and a mixture `components`, int32 [batch], the component that makes each image,
    which the caller must draw by the mixture weights. The file of a mixture runs all k components
    on all rows and selects, which takes k times as long. An ONNX file uses these names for its
    inputs and its output, a LiteRT file uses them in the signature `serving_default`. The file
    does not check its inputs: pass classes in range and finite latents. A component out of range
    gives the images of component 0.

    The batch size is free; in LiteRT the signature runner resizes the inputs. Where the LiteRT
    converter cannot infer the sizes of inner images (`UpSampling2D` in a deep network), the file
    takes batches of 1 only, with a warning.

    Before the file is put in place, it runs in ONNX Runtime or the LiteRT interpreter on seeded
    latents, and must reproduce the images of `generator`: each component, the first 64 classes and
    the last, in a batch of 1 and in batches of up to 16 rows. Both runtimes sum in another order
    than TensorFlow. In float32, the sum of n products then differs by about sqrt(n) eps with
    eps = 2^-23, and the layers add up, so the allowed difference is 8 eps (1 + sum over the weights
    of sqrt(n)), relative to values above 1. Here n is the product of the sizes of a weight without
    the last. For the kernel of a transposed convolution, it is the number of input channels times
    size / stride, rounded up, of each axis. This is about 1e-5 for two small layers and 1e-4 for a
    DCGAN of 64 x 64 pixels.

    An existing file at `path` is replaced, or stays as it is if the export fails.

    Args:
        generator: A built Keras model in float32, latents -> images, or a
            `tfgans.MixtureGenerator`. It is called with `training=False`.
        path: The file to write, ending in .onnx or .tflite according to `format`. Its folder is
            made if missing.
        format: "onnx" or "litert".
        num_classes: Int of at least 1, for a conditional generator, which takes
            [latents, labels]. Default: None, not conditional.
        verbose: Bool, whether to print the file and its inputs. Default: False.

    Returns:
        The `pathlib.Path` of the file.

    Raises:
        ValueError: If an argument is invalid, if `generator` computes in another precision than
            float32, or if the file cannot be converted, cannot run, or gives other images.
        ImportError: If a package of the extra `exchange` is missing.
        OSError: If the file cannot be written.

    Example:

    ```python
    tfgans.export.export_exchange(gan.generator, "digits.onnx", format="onnx")
    session = onnxruntime.InferenceSession("digits.onnx")
    (images,) = session.run(["images"], {"latents": latents})
    ```
    """
    target = FORMATS[checks.choice("format", format, FORMATS)]
    path = files.path(path)
    if path.suffix != target.suffix:
        raise ValueError(
            f"`path` must end in {target.suffix} for format={format!r}. Received: {path}"
        )
    if path.is_dir():
        raise ValueError(
            f"`path` must be a file. Received: the existing folder {path}. Take another path"
        )
    checks.boolean("verbose", verbose)
    latent_shape = checked_latent_shape(generator, num_classes)
    _check_network(generator, target)
    target.check_packages()
    player = GeneratorPlayer(generator)
    function = _ImageFunction(player, takes_labels=num_classes is not None)
    tolerance = max(map(rounding_tolerance, player.components))
    with files.atomic_write(path) as temporary:
        rows = _write(function, latent_shape, temporary, target)
        batches = _batches(_examples(latent_shape, num_classes, player.num_components), rows)
        for inputs, images in zip(batches, target.run(temporary, batches), strict=True):
            _compare(player, inputs, images, target, tolerance=tolerance)
    if verbose:
        print(f"Saved {path} with the inputs {', '.join(batches[0])}")  # noqa: T201 (asked for)
    return path


class _ImageFunction(keras.Model):
    """The exported function: latents, classes and components as arguments, and a named output."""

    def __init__(self, player: GeneratorPlayer, *, takes_labels: bool) -> None:
        super().__init__(dtype="float32", name="image_function")
        self.components = player.components
        self.inputs_after_latents = ["labels"] * takes_labels
        self.inputs_after_latents += ["components"] * (len(self.components) > 1)
        self.built = True

    def call(
        self,
        latents: tf.Tensor,
        first: tf.Tensor | None = None,
        second: tf.Tensor | None = None,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        """Returns the images of latents, always at inference.

        Args:
            latents: Float32 [rows, ...].
            first: Int32 [rows], the first of `inputs_after_latents`.
            second: Int32 [rows], the second.
            training: Ignored.
        """
        del training
        inputs = dict(zip(self.inputs_after_latents, (first, second), strict=False))
        arguments = shapes.with_labels(latents, inputs.get("labels"))
        images, *others = (
            tf.cast(component(arguments, training=False), tf.float32)
            for component in self.components
        )
        # Neither format has a conditional that runs a component for some rows only.
        for index, image in enumerate(others, 1):
            axes = [-1, *[1] * (len(image.shape) - 1)]
            images = tf.where(tf.reshape(inputs["components"] == index, axes), image, images)
        return {"images": images}


def _check_network(generator: keras.Model, target: ExchangeFormat) -> None:
    """Raises ValueError for a network that does not compute in float32."""
    for layer in compat.all_layers(generator):
        dtype = tf.as_dtype(layer.compute_dtype)
        if dtype.is_floating and dtype != tf.float32:
            raise ValueError(
                f"A file of format={target.name!r} computes in float32. Received: the layer "
                f"{layer.name!r}, which computes in {dtype.name}. Build the generator with the "
                'dtype policy "float32" and load the weights into it, or export a SavedModel '
                '(format="tf_saved_model")'
            )


def _write(
    function: _ImageFunction, latent_shape: tuple[int, ...], path: Path, target: ExchangeFormat
) -> int:
    """Writes the file by Keras's exporter, and returns the rows of the batches to compare."""
    try:
        _convert(function, None, latent_shape, path, target)
        return _BATCH_ROWS
    except ValueError:
        if not target.tries_single_rows:
            raise
    _convert(function, 1, latent_shape, path, target)
    warnings.warn(
        "The file takes one latent at a time: the converter needs a fixed batch for this generator",
        stacklevel=3,
    )
    return 1


def _convert(
    function: _ImageFunction,
    rows: int | None,
    latent_shape: tuple[int, ...],
    path: Path,
    target: ExchangeFormat,
) -> None:
    specs = [tf.TensorSpec([rows, *latent_shape], tf.float32, "latents")]
    specs += [tf.TensorSpec([rows], tf.int32, name) for name in function.inputs_after_latents]
    with target.refusals("Keras cannot convert the generator"), warnings.catch_warnings():
        # tf2onnx looks for a name that NumPy 2 no longer has.
        warnings.filterwarnings("ignore", message=".*np.object", category=FutureWarning)
        function.export(
            str(path),
            format=target.name,
            verbose=False,
            input_signature=specs,
            **target.options,
        )


def _examples(
    latent_shape: tuple[int, ...], num_classes: int | None, num_components: int
) -> dict[str, np.ndarray]:
    """Returns seeded inputs by name, with all components, and classes up to the last."""
    classes = sorted({*range(min(num_classes or 1, _MAX_CLASSES)), (num_classes or 1) - 1})
    rows = max(_MIN_ROWS, len(classes), num_components)
    rng = np.random.default_rng(_SEED)
    inputs: dict[str, np.ndarray] = {
        "latents": rng.normal(size=(rows, *latent_shape)).astype(np.float32)
    }
    if num_classes is not None:
        inputs["labels"] = np.resize(np.array(classes, np.int32), rows)
    if num_components > 1:
        inputs["components"] = np.arange(rows, dtype=np.int32) % num_components
    return inputs


def _batches(inputs: Arrays, rows: int) -> list[dict[str, np.ndarray]]:
    """Returns inputs as a batch of 1, and batches of at most `rows` rows."""
    edges = [0, *range(1, len(inputs["latents"]), rows), len(inputs["latents"])]
    return [
        {name: array[start:end] for name, array in inputs.items()}
        for start, end in itertools.pairwise(edges)
    ]


def _compare(
    player: GeneratorPlayer,
    inputs: Arrays,
    received: np.ndarray,
    target: ExchangeFormat,
    *,
    tolerance: float,
) -> None:
    """Raises ValueError unless the images of the file are those of the live generator."""
    # The file runs on the CPU too: a GPU may multiply in lower precision.
    with tf.device("CPU:0"):
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        examples = player.generate_at_inference(
            tensors["latents"], tensors.get("labels"), tensors.get("components")
        )
    images = examples.numpy()
    if not np.isfinite(images).all():
        raise ValueError("The generator gives NaN or infinity. Export a model that is trained")
    if received.shape != images.shape:
        raise target.refusal(
            f"Expected images of shape {images.shape}. Received shape: {received.shape}"
        )
    difference = np.max(np.abs(received - images) / np.maximum(1.0, np.abs(images)))
    # NaN fails this comparison.
    if not difference <= tolerance:
        raise target.refusal(
            f"Expected the images of the live generator, up to {tolerance:.2g}. Received images "
            f"that differ by {difference:.2g} in a batch of {len(images)}. A layer that draws at "
            "random at inference does that"
        )


def rounding_tolerance(generator: keras.Model) -> float:
    """Returns the allowed difference: float32 rounding, added over the layers."""
    fan_ins = {id(weight): math.prod(weight.shape[:-1]) for weight in generator.weights}
    for layer in compat.all_layers(generator):
        if isinstance(layer, _TRANSPOSED) and layer.built:
            # Kernels are [*sizes, filters, channels]. The stride leaves out products with zeros.
            taps = (
                math.ceil(size / stride)
                for size, stride in zip(layer.kernel_size, layer.strides, strict=True)
            )
            fan_ins[id(layer.kernel)] = layer.kernel.shape[-1] * math.prod(taps)
    eps = float(np.finfo(np.float32).eps)
    # The last activation rounds too, also that of a generator without weights.
    return _STANDARD_DEVIATIONS * eps * (1.0 + sum(map(math.sqrt, fan_ins.values())))
