"""The contract of a metric: what it reads, what it returns, and what its numbers mean."""

import abc
import dataclasses
import hashlib
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

Reads = Literal["features", "statistics", "probabilities", "examples", "distances"]

# Of a normal distribution, for two-sided intervals of 95 %.
QUANTILE = 1.959964
# Larger arrays are parameters by their checksum.
_FEW_NUMBERS = 8
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Estimate(NamedTuple):
    """A number and its error.

    Attributes:
        value: Float.
        standard_error: Float of at least 0; None if it is not known.
        method: String, the method that gives the standard error.
        bias: Float, the expected excess of the value that few examples cause, as far as it falls
            with 1 / count; None if it is not estimated. It is not subtracted.
        degrees: Int, the degrees of freedom of the standard error, for the quantile of an interval.
            Default: None, the quantile of a normal distribution.
        center: Float, the center of the interval. Default: None, the value.
        high: Float, the greatest possible value, where it depends on the data. Default: None, that
            of the `Quantity`.
    """

    value: float
    standard_error: float | None
    method: str
    bias: float | None = None
    degrees: int | None = None
    center: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True)
class Quantity:
    """What a number of a metric means.

    Attributes:
        name: String, by which `Metric.compute` returns the number.
        low: Float, the least possible value. Default: 0.
        high: Float, the greatest possible value. Default: infinity.
        higher_is_better: Bool, whether a better generator has a larger value; None if neither is
            true: the number does not depend on the generator, or its best value lies between.
            Default: False.
        is_share: Bool, whether the number is a share of independent examples: its error is then at
            least that of a binomial distribution. Default: False.
        official_name: String, the name of the number if the features come from the Inception
            network of 2015. Default: None, it has no such name.
        is_of_real: Bool, whether the number describes the real examples alone, as a reference, so
            that groups of runs are not tested for it. Default: False.
    """

    name: str
    low: float = 0.0
    high: float = math.inf
    higher_is_better: bool | None = False
    is_share: bool = False
    official_name: str | None = None
    is_of_real: bool = False

    def __post_init__(self) -> None:
        # Tables in files have it in a cell.
        if not self.name or set(self.name) & set(",\r\n"):
            raise ValueError(
                "`name` of a quantity must be a text without commas and line ends. Received: "
                f"{self.name!r}"
            )


class GaussianModes(NamedTuple):
    """The modes of a mixture of Gaussians.

    Attributes:
        modes: float64 [num_modes, dim], the centers.
        std: Float, the standard deviation of each coordinate about its center.
        proportions: float64 [num_modes], which sum to 1.
    """

    modes: np.ndarray
    std: float
    proportions: np.ndarray


@dataclasses.dataclass(frozen=True)
class Context:
    """What is known about the examples and the features beside the arrays.

    Attributes:
        data_shape: Tuple of ints, the shape of an example.
        feature_dim: Int, the dimension of a feature.
        is_pixels: Bool, whether the features are the pixels of images.
        has_probabilities: Bool, whether the extractor is a classifier.
        gaussian_modes: `GaussianModes` of the real examples; None if they are not drawn from a
            mixture of Gaussians.
        classify: Function from float32 images [num, height, width, 1] in [-1, 1] to probabilities
            [num, num_classes] of a single channel; None if the extractor has none.
        num_classes: Int, the classes of `classify`; None without.
        class_shares: float64 [num_classes], the probability of each class of the real examples (of
            stacked images, of each mode); None if they have no classes.
        seed: Int, for the random draws of the metric.
    """

    data_shape: tuple[int, ...]
    feature_dim: int
    is_pixels: bool = False
    has_probabilities: bool = False
    gaussian_modes: GaussianModes | None = None
    classify: Callable[[np.ndarray], np.ndarray] | None = None
    num_classes: int | None = None
    class_shares: np.ndarray | None = None
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Metric(abc.ABC):
    """A measure of generated examples against real ones, for `tfgans.evaluation.Evaluator`.

    A metric is immutable, and knows neither a model nor a data set: it takes arrays and returns
    numbers. Everything that an evaluation must know about it is defined on its class.

    To add a metric: subclass it as a frozen dataclass (its fields, if any, are its parameters), set
    `name`, `quantities` and `reads`, and write `compute`. A metric of the library also has an
    export line in `tfgans/metrics/__init__.py`, a place in the order of
    `tfgans.evaluation.METRICS` and a row in the contract table of the tests.

    Attributes:
        name: String, the name that requests the metric in an evaluation.
        quantities: Tuple with a `Quantity` for each number that `compute` returns.
        reads: What `compute` receives of the real and of the generated examples.
            - "features": float32 [num, feature_dim], the default;
            - "statistics": `FeatureStatistics` of the features of all examples;
            - "probabilities": float32 [num, num_classes] of all examples;
            - "examples": float32 [num, ...];
            - "distances": float64 [at most 1000]: from generated examples to the closest of all
              real examples, and from real examples to the closest other real example.
        max_examples: Int, the examples of each set that are read, the first ones of a random order.
            Default: None, all of them; "statistics" and "probabilities" are always of all.
        min_examples: Int, the fewest examples of each set. Default: 2.
        by_default: Bool, whether an evaluation measures it unless metrics are named. Default:
            False.
        requirement: String that completes "needs ...", for the error if the metric does not suit
            the examples. Default: "".

    Example:

    ```python
    @dataclasses.dataclass(frozen=True)
    class MeanDistance(tfgans.metrics.Metric):
        name = "mean_distance"
        quantities = (tfgans.metrics.Quantity("mean_distance"),)

        def compute(self, real, fake, context):
            shift = real.mean(axis=0) - fake.mean(axis=0)
            return {"mean_distance": float(np.linalg.norm(shift))}


    source = tfgans.data.load("ring")
    samples = source.sample(500, seed=1)
    record = tfgans.evaluation.evaluate(
        samples, source, metrics=["frechet_distance", MeanDistance()], num_real=500
    )
    print(record.metrics["mean_distance[identity]"].interval)
    ```
    """

    name: ClassVar[str]
    quantities: ClassVar[tuple[Quantity, ...]]
    reads: ClassVar[Reads] = "features"
    max_examples: ClassVar[int | None] = None
    min_examples: ClassVar[int] = 2
    by_default: ClassVar[bool] = False
    requirement: ClassVar[str] = ""

    def suits(self, context: Context) -> bool:
        """Returns whether the metric can be computed. Default: True."""
        del context
        return True

    def is_default(self, context: Context) -> bool:
        """Returns whether an evaluation measures it unless metrics are named."""
        return self.by_default and self.suits(context)

    @abc.abstractmethod
    def compute(self, real: Any, fake: Any, context: Context) -> Mapping[str, float | Estimate]:
        """Returns the numbers by name, those of `quantities`.

        An evaluation repeats the call without some of the examples for the error of a float (the
        jackknife). A metric that knows the error of its number returns an `Estimate`.

        Args:
            real: What the metric reads of the real examples; see `reads`.
            fake: The same of the generated examples.
            context: `Context`.
        """

    @property
    def parameters(self) -> dict[str, Any]:
        """The fields of the dataclass as JSON values: numbers compare only if these are equal.

        Tuples and arrays become lists, numbers of NumPy Python's, and arrays of more than 8 numbers
        their shape, type and checksum. Other objects, such as functions, become their `repr`
        without addresses in memory.
        """
        fields = [field.name for field in dataclasses.fields(self) if field.compare]
        return {name: _json_value(getattr(self, name)) for name in fields}

    @property
    def reads_features(self) -> bool:
        """Whether the numbers depend on the extractor, and so bear its name."""
        return self.reads in ("features", "statistics", "probabilities")


def _json_value(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.size > _FEW_NUMBERS:
        digest = hashlib.sha256(value.tobytes()).hexdigest()
        return f"array of shape {value.shape}, {value.dtype}, SHA-256 {digest[:16]}"
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_json_value(part) for part in value]
    # JSON has neither NaN nor infinity.
    if isinstance(value, str | int | None) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return _ADDRESS.sub("", repr(value))


def wilson(share: float, num: int) -> tuple[float, float]:
    """Returns the center of Wilson's 95 % interval of a share of `num` draws, and its error.

    The interval is center +- 1.96 error. Even for a share of 0 or 1, its length is above 0.

    Reference: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    square = QUANTILE**2
    scale = 1.0 + square / num
    center = (share + square / (2 * num)) / scale
    variance = share * (1.0 - share) / num + square / (4 * num**2)
    return center, math.sqrt(variance) / scale
