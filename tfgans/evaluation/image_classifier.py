"""A classifier that is trained on the labeled images at hand: features without a download."""

import hashlib
import itertools
import math
import os
import warnings
from collections.abc import Iterator
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfgans import checks
from tfgans.data import IndexedSource, Source, load, plain_errors
from tfgans.data.paths import SplitNotFoundError
from tfgans.data.splits import subset
from tfgans.evaluation import weights_cache
from tfgans.evaluation.keras_extractor import KerasExtractor

NUM_FEATURES = 128
_SIDES = (8, 128)
# The longer side of the feature maps of the residual blocks, at most.
_MAP_SIDE = 16
_WIDTHS = (16, 32)
BATCH_SIZE = 256
_STEPS = 1600
_MOST_EPOCHS = 60
_WARMUP = 0.2
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 0.05
_LABEL_SMOOTHING = 0.1
# Without a test split: the share of the training images that is held out.
_HELD_OUT = 0.1
_MOST_HELD_OUT = 10_000
# Changes with all that decides the weights beside the data and the seed.
_VERSION = 1
_MOMENTUM = 0.95
_FEWEST = 20
_HELD_OUT_SPLITS = ("test", "validation")


class ImageClassifier(KerasExtractor):
    """Features and probabilities of a small residual network that classifies images.

    `ImageClassifier.train(source)` returns a trained classifier; this constructor an untrained
    classifier.

    The first convolution brings the images to at most 16 x 16 positions, whatever their size. Two
    residual blocks of 16 and 32 channels follow, then 128 features and the classes. It is trained
    with labels smoothed by 0.1, as Inception was: no probability comes near 1, which lowers the
    Inception score.

    Args:
        data_shape: Tuple (height, width, channels) of the images; height and width of 8 to 128.
        num_classes: Int of at least 2.
        seed: Int, of the initial weights. Default: 0.

    Call arguments:
        examples: [num, *data_shape], float in [-1, 1] or uint8. Returns `Features` of dimension
            128, and the probabilities of the classes.

    Attributes:
        accuracy: Float, the share of the held-out images that are classified correctly; None
            before training.
        details: Dict of JSON values for records: the training data with checksum, the held-out
            images and the accuracy.

    Raises:
        ValueError: If an argument is out of range; on call, if the images have another shape.

    Reference: He et al. 2016, "Deep Residual Learning for Image Recognition".
    """

    def __init__(
        self, data_shape: tuple[int, int, int], num_classes: int, *, seed: int = 0
    ) -> None:
        shape = checks.shape("data_shape", data_shape, rank=3)
        if not all(_SIDES[0] <= side <= _SIDES[1] for side in shape[:2]):
            raise ValueError(
                f"`ImageClassifier` takes images of {_SIDES[0]} to {_SIDES[1]} pixels a side. "
                f"Received shape: {shape}. Resize them (`image_size`), or use `keras_model` or "
                "`inception_2015`"
            )
        network = _network(
            shape, checks.int_at_least("num_classes", num_classes, 2), checks.integer("seed", seed)
        )
        super().__init__("image_classifier", network, None, None)
        self.accuracy: float | None = None
        # Metrics take the channels of color images for independent images.
        self.num_classes = num_classes if shape[2] == 1 else None

    @classmethod
    def train(
        cls,
        source: Source,
        *,
        seed: int = 0,
        data_dir: str | os.PathLike[str] | None = None,
        progress: bool = False,
    ) -> Self:
        """Returns a classifier of the classes of a source, trained on it.

        It takes minutes, once: the weights are kept in the cache folder by the checksums of the
        images and labels and by the seed, and read from there afterwards.

        Of data that `tfgans.data.load` read, the whole split "train" is the training set,
        whatever part of the data `source` is, and the split "test" is held out to state the
        accuracy. If there is no such split, and of other sources, a tenth of the images (at most
        10 000) is held out, chosen by the seed.

        Training is bit-reproducible only on the same machine. Records hold the checksum of the
        weights, and are comparable only if it is the same: copy the cached file to compare results
        between machines.

        Args:
            source: `tfgans.data.Source` of stored images with labels.
            seed: Int, of the initial weights, the order and the choice of held-out images.
                Default: 0.
            data_dir: Path, the folder above that of the cached weights, `extractors`. Default:
                that of `tfgans.data.load`.
            progress: Bool, whether to show a bar on stderr during training. Default: False.

        Raises:
            ValueError: If the source has no labels, has fewer than 20 images, or examples that
                are not images of the right size.

        Example:

        ```python
        digits = tfgans.data.load("digits")
        classifier = tfgans.evaluation.ImageClassifier.train(digits)
        print(classifier.accuracy)
        record = tfgans.evaluation.evaluate(digits.array, digits, classifier)
        print(record.table())
        ```
        """
        task = _Task(source, seed)
        classifier = cls(source.image_shape, task.num_classes, seed=seed)
        network = classifier.network

        def make() -> list[np.ndarray]:
            _fit(network, task.training, seed, progress=progress)
            classifier._take_weights()
            chunks = _chunks(task.held_out)
            answers: list[Any] = [classifier(chunk).probabilities for chunk in chunks]
            is_right = np.concatenate(answers).argmax(axis=1) == task.held_out.labels
            return [*network.get_weights(), np.asarray(is_right.mean())]

        classifier._set(
            weights_cache.cached(task.cache_name, classifier._shapes(), make, data_dir=data_dir),
            task,
        )
        return classifier

    @classmethod
    def load(
        cls,
        source: Source,
        *,
        seed: int = 0,
        data_dir: str | os.PathLike[str] | None = None,
    ) -> Self | None:
        """Returns what `train` would return, if it is in the cache folder; else None.

        Args:
            source: See `train`.
            seed: See `train`.
            data_dir: See `train`.

        Raises:
            ValueError: As `train`.
        """
        task = _Task(source, seed)
        classifier = cls(source.image_shape, task.num_classes, seed=seed)
        path = weights_cache.cache_path(task.cache_name, data_dir)
        arrays = weights_cache.read(path, classifier._shapes())
        if arrays is None:
            return None
        classifier._set(arrays, task)
        return classifier

    def _shapes(self) -> list[tuple[int, ...]]:
        """Returns the shapes of what is cached: the weights, and the accuracy."""
        return [*(weight.shape for weight in self.network.get_weights()), ()]

    def _set(self, arrays: list[np.ndarray], task: "_Task") -> None:
        *weights, accuracy = arrays
        self.network.set_weights(weights)
        self._take_weights()
        self.accuracy = float(accuracy)
        self.details = {**task.details, "accuracy": self.accuracy}


def _network(shape: tuple[int, ...], num_classes: int, seed: int) -> keras.Model:
    """Returns the model with the outputs "features" and "probabilities"."""
    seeds = itertools.count(seed % 2**31)

    def convolution(inputs: Any, width: int, size: int, stride: int = 1) -> Any:
        outputs = layers.Conv2D(
            width,
            size,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.HeNormal(seed=next(seeds)),
            dtype="float32",
        )(inputs)
        return layers.BatchNormalization(momentum=_MOMENTUM, dtype="float32")(outputs)

    def dense(inputs: Any, width: int, *, name: str | None = None) -> Any:
        initializer = keras.initializers.GlorotUniform(seed=next(seeds))
        return layers.Dense(width, kernel_initializer=initializer, name=name, dtype="float32")(
            inputs
        )

    def relu(inputs: Any, *, name: str | None = None) -> Any:
        return layers.ReLU(name=name, dtype="float32")(inputs)

    inputs = keras.Input(shape, dtype="float32")
    stride = 2 ** max(0, math.ceil(math.log2(max(shape[:2]) / _MAP_SIDE)))
    maps = relu(convolution(inputs, _WIDTHS[0], max(3, 2 * stride), stride))
    for index, width in enumerate(_WIDTHS):
        # The first block keeps the size, the others halve it.
        stride = 1 if index == 0 else 2
        residual = convolution(relu(convolution(maps, width, 3, stride)), width, 3)
        shortcut = maps if stride == 1 else convolution(maps, width, stride, stride)
        maps = relu(layers.Add(dtype="float32")([shortcut, residual]))
    hidden = dense(layers.Flatten(dtype="float32")(maps), NUM_FEATURES)
    hidden = layers.BatchNormalization(momentum=_MOMENTUM, dtype="float32")(hidden)
    features = relu(hidden, name="features")
    logits = dense(features, num_classes, name="logits")
    probabilities = layers.Softmax(name="probabilities", dtype="float32")(logits)
    return keras.Model(inputs, [features, probabilities])


def num_steps(num_examples: int) -> int:
    """Returns the training steps, of `BATCH_SIZE` images or all, for a number of images."""
    return min(_STEPS, math.ceil(_MOST_EPOCHS * num_examples / min(BATCH_SIZE, num_examples)))


def _fit(network: keras.Model, source: IndexedSource, seed: int, *, progress: bool) -> None:
    """Trains the network; the order of the images is that of the seed, whatever the source's."""
    from tqdm import tqdm

    num, batch_size = source.num_examples, min(BATCH_SIZE, source.num_examples)
    steps = num_steps(num)
    generator = np.random.default_rng(seed % 2**64)
    epochs = [generator.permutation(num) for _ in range(math.ceil(steps * batch_size / num))]
    labels = tf.one_hot(source.labels, network.outputs[1].shape[-1])
    shifts = generator.integers(-1, 2, [steps, 2])
    rows = np.concatenate(epochs)[: steps * batch_size].reshape(steps, batch_size)

    @tf.autograph.experimental.do_not_convert
    def batch(indices: tf.Tensor, shift: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Moved by a pixel at most, so that the network does not learn the images by heart.
        padded = tf.pad(source.rows(indices), [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
        corner = tf.concat([[0], shift + 1, [0]], axis=0)
        images = tf.slice(padded, corner, [batch_size, *source.data_shape])
        return images, tf.gather(labels, indices)

    batches = tf.data.Dataset.from_tensor_slices((rows, shifts)).map(batch)
    batches = batches.prefetch(tf.data.AUTOTUNE)
    warmup = math.ceil(_WARMUP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=_LEARNING_RATE, warmup_steps=warmup
    )
    trained = keras.Model(network.inputs, network.get_layer("logits").output)
    trained.compile(
        keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=_LABEL_SMOOTHING),
    )
    with (
        tqdm(
            total=steps,
            desc=f"training a classifier of {source.name}",
            unit="step",
            dynamic_ncols=True,
            disable=not progress,
        ) as bar,
        plain_errors(),
    ):
        trained.fit(batches, shuffle=False, verbose=0, callbacks=[_Advance(bar)])


class _Advance(keras.callbacks.Callback):
    """Moves a bar with each step."""

    def __init__(self, bar: Any) -> None:
        super().__init__()
        self._bar = bar

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar."""
        del batch, logs
        self._bar.update()


def _checked(source: Source) -> IndexedSource:
    """Returns the source, if a classifier can be trained on it."""
    checks.instance("source", source, Source, "tfgans.data.load('fashion_mnist')")
    if not isinstance(source, IndexedSource) or len(source.data_shape) != 3:
        raise ValueError(
            "A classifier is trained on stored images. Received: "
            f"{source.name!r}, {type(source).__name__} of shape {source.data_shape}"
        )
    if source.num_classes is None or source.num_classes < 2:
        raise ValueError(
            f"A classifier needs labels of two classes or more, and {source.name!r} has "
            f"{source.num_classes or 'none'}. Use `inception_2015` or `keras_model`, or measure "
            "the pixels"
        )
    if source.num_examples < _FEWEST:
        raise ValueError(
            f"A classifier needs {_FEWEST} images or more, and {source.name!r} has "
            f"{source.num_examples}"
        )
    return source


class _Task:
    """What a classifier is trained on and judged by.

    Attributes:
        training: The training set.
        held_out: The held-out images.
        num_classes: Int.
        details: Dict of JSON values about both sets.
        cache_name: String, the name of the cached weights.
    """

    def __init__(self, source: Source, seed: int) -> None:
        checked = _checked(source)
        self.training, self.held_out, self.details = _training_and_held_out(checked, seed)
        # A part may lack the last classes.
        parts = (checked, self.training, self.held_out)
        self.num_classes = max(part.num_classes or 0 for part in parts)
        decisive = (
            *(_VERSION, seed, self.num_classes),
            *(self.details["data_checksum"], self.held_out.checksum()),
        )
        digest = hashlib.sha256(repr(decisive).encode()).hexdigest()
        self.cache_name = f"image-classifier-{digest[:24]}"


def _training_and_held_out(
    source: IndexedSource, seed: int
) -> tuple[IndexedSource, IndexedSource, dict[str, Any]]:
    """Returns the training set, the held-out images, and what records say about both."""
    training = source
    if source.load_options is not None:
        if source.load_options["split"] != "train":
            training = _checked(_load_split(source, "train"))
        for split in _HELD_OUT_SPLITS:
            try:
                held_out = _comparable(_load_split(source, split), training)
            except SplitNotFoundError:
                continue
            except ValueError as error:
                warnings.warn(
                    f"The split {split!r} of {source.name!r} cannot state the accuracy of the "
                    f"classifier: {error}",
                    stacklevel=4,
                )
            else:
                return training, held_out, _details(training, held_out, f"split {split}")
    order = np.random.default_rng(seed % 2**64).permutation(training.num_examples)
    num = min(_MOST_HELD_OUT, math.ceil(_HELD_OUT * training.num_examples))
    held_out = subset(training, np.sort(order[:num]))
    training = subset(training, np.sort(order[num:]))
    return training, held_out, _details(training, held_out, f"{num} of the training set")


def _load_split(source: IndexedSource, split: str) -> Source:
    """Returns another split of data that were loaded by name."""
    options: dict[str, Any] = {**(source.load_options or {}), "split": split}
    if isinstance(options["image_size"], list):  # As JSON has it.
        options["image_size"] = tuple(options["image_size"])
    return load(**options)


def _comparable(held_out: Source, training: IndexedSource) -> IndexedSource:
    """Returns the held-out images, if they have the shape and the classes of the training set."""
    held_out = _checked(held_out)
    if (held_out.data_shape, held_out.class_names) != (training.data_shape, training.class_names):
        raise ValueError(
            f"its images have the shape {held_out.data_shape} and the classes "
            f"{held_out.class_names}, those of the training set {training.data_shape} and "
            f"{training.class_names}"
        )
    if (held_out.num_classes or 0) > (training.num_classes or 0):
        raise ValueError(
            f"it has {held_out.num_classes} classes, the training set {training.num_classes}"
        )
    return held_out


def _details(training: IndexedSource, held_out: IndexedSource, origin: str) -> dict[str, Any]:
    return {
        "data": training.name,
        "data_checksum": training.checksum(),
        "num_training": training.num_examples,
        "held_out": origin,
        "num_held_out": held_out.num_examples,
    }


def _chunks(source: IndexedSource) -> Iterator[np.ndarray]:
    for start in range(0, source.num_examples, BATCH_SIZE):
        yield source.rows(tf.range(start, min(start + BATCH_SIZE, source.num_examples))).numpy()
