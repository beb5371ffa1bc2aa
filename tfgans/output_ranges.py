"""Bounds on the outputs of a network, read from its graph, and checks of both players."""

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from tfgans import compat, shapes

# A gray level of an 8-bit image in [-1, 1], which also covers the rounding of half precision.
_SLACK = 1 / 127.5
_IMAGE_RANK = 3
# Rows of a traced batch, where the network leaves it open but may need to know it: many layers
# that group examples take 2, 4, 8 or 16 of them.
_BATCH = 32


@dataclasses.dataclass(frozen=True)
class Range:
    """An interval that holds all values of a tensor.

    Attributes:
        low: The lower bound, -inf if none is known.
        high: The upper bound, inf if none is known.
        operation: The TensorFlow operation that bounds the values, or None if none does.
    """

    low: float = -math.inf
    high: float = math.inf
    operation: tf.Operation | None = None


_UNBOUNDED = Range()


def refuse_probabilities(discriminator: keras.layers.Layer) -> None:
    """Raises ValueError if a discriminator returns probabilities, not logits.

    Raises for a network whose outputs can never leave [-1, 1], whatever its weights: it ends
    in a sigmoid, hard sigmoid, tanh or softmax, as the activation of a layer, as a layer or as an
    operation, in a nested or subclassed model or a `Lambda`, also before layers that reshape, cast,
    average or rescale. A network that is bounded because of hidden layers, such as tanh or a
    normalization before a last `Dense`, passes: its weights move the bounds.

    Args:
        discriminator: Built network with an output [batch, 1]; no mixture.

    Raises:
        ValueError: If the outputs are bounded in that way. It names the operation and the layer.

    Example:

    >>> refuse_probabilities(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    """
    outputs = output_range(discriminator)
    inside = outputs.low >= -1 - _SLACK and outputs.high <= 1 + _SLACK
    if inside and outputs.low < outputs.high:
        raise ValueError(
            "The discriminator must return logits, before any sigmoid: the losses apply it. "
            f"Received: {_describe(discriminator, outputs)}. Remove the activation at the end"
        )


def check_image_generator(generator: keras.layers.Layer) -> None:
    """Raises ValueError if a generator of images cannot reach all of [-1, 1].

    Raises for a network whose outputs are bounded inside [-1, 1], whatever its weights: it
    ends in a sigmoid, relu, softplus, softmax or exponential, in any of the ways that
    `refuse_probabilities` names. A sigmoid that is rescaled to [-1, 1] passes, as do tanh and a
    linear output. Outputs of another rank than that of images, [batch, height, width, channels],
    pass too.

    Args:
        generator: Built network with a single output; no mixture.

    Raises:
        ValueError: If the outputs cannot reach -1 or 1. It names the operation and the layer.

    Example:

    >>> check_image_generator(
    ...     keras.Sequential([keras.Input((4, 4, 8)), keras.layers.Conv2D(3, 3, activation="tanh")])
    ... )
    """
    if len(shapes.output_shape(generator, "generator")) != _IMAGE_RANK:
        return
    outputs = output_range(generator)
    if outputs.low > -1 + _SLACK or outputs.high < 1 - _SLACK:
        raise ValueError(
            "A generator of images must reach all of [-1, 1], in which images lie. "
            f"Received: {_describe(generator, outputs)}. End it with the activation 'tanh'"
        )


def output_range(network: keras.layers.Layer) -> Range:
    """Returns an interval that holds all outputs of a network in inference, whatever its weights.

    The network is traced, not run, and the bounds are carried through the operations of its graph:
    matrix products, convolutions and weights have none, a sigmoid lies in [0, 1], 2 x - 1 of it in
    [-1, 1]. An operation with unknown bounds, such as a Python function, has none, and
    neither has a function that is bounded only because its operands depend on each other, such as
    `x / (1 + abs(x))`: the interval may be wider than necessary, but never too narrow. The network
    does not change.

    Args:
        network: Built network with a single output.

    Raises:
        ValueError: If the network is not built.
    """
    specs = _input_specs(network)
    inputs = specs[0] if len(specs) == 1 else specs

    # Keras calls layers without AutoGraph, too.
    @tf.function(autograph=False)
    def infer(batch: tf.Tensor | list[tf.Tensor]) -> tf.Tensor:
        # The scope keeps losses and updates of the trace out of the network.
        with keras.StatelessScope():
            return network(batch, training=False)

    with _functions_inlined(), warnings.catch_warnings():
        # What Keras warns of in a call, it says when the network is used.
        warnings.simplefilter("ignore")
        graph = infer.get_concrete_function(inputs).graph
    ranges: dict[str, Range] = {}
    for operation in graph.get_operations():  # In the order in which they were made.
        for index, output in enumerate(operation.outputs):
            ranges[output.name] = _range_of_output(operation, index, ranges)
    (output,) = graph.outputs
    return ranges[output.name]


def _input_specs(network: keras.layers.Layer) -> list[tf.TensorSpec]:
    inputs = getattr(network, "inputs", None)
    if isinstance(network, keras.Model) and inputs:
        return [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in inputs]
    batch = tf.TensorSpec((_BATCH, *shapes.input_shape(network, "network")), tf.float32)
    labels = tf.TensorSpec((_BATCH,), tf.int32)
    return [batch, labels] if shapes.takes_labels(network) else [batch]


@contextmanager
def _functions_inlined() -> Iterator[None]:
    """Traces the operations of a nested `tf.function` into the graph that calls it."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _describe(network: keras.layers.Layer, outputs: Range) -> str:
    operation = outputs.operation
    values = f"{network.name!r}, whose outputs lie in [{outputs.low:g}, {outputs.high:g}]"
    if operation is None:
        return values
    names = {layer.name for layer in compat.all_layers(network)}
    for scope in reversed(operation.name.split("/")[:-1]):
        # TensorFlow numbers a scope that is entered again: "dense" becomes "dense_1".
        for name in (scope, scope.rpartition("_")[0]):
            if name in names:
                return f"{values}, because of {operation.type} in {name!r}"
    return f"{values}, because of {operation.type}"


# -- The bounds of operations ------------------------------------------------------------------

_BOUNDS = {
    "Sigmoid": (0, 1),
    "Softmax": (0, 1),
    "Tanh": (-1, 1),
    "Softsign": (-1, 1),
    "Sin": (-1, 1),
    "Cos": (-1, 1),
    "Erf": (-1, 1),
    "Erfc": (0, 2),
    "Relu6": (0, 6),
    "Relu": (0, math.inf),
    "Softplus": (0, math.inf),
    "Exp": (0, math.inf),
    "Square": (0, math.inf),
    "Sqrt": (0, math.inf),
    "Abs": (0, math.inf),
    "Elu": (-1, math.inf),
    "Expm1": (-1, math.inf),
    "Selu": (-1.7581, math.inf),
    "LogSoftmax": (-math.inf, 0),
}
# Increasing functions that keep a bound of their input, where it is narrower than `_BOUNDS`.
_INCREASING: dict[str, Callable[[float], float]] = {
    "Sigmoid": lambda value: 1 / (1 + math.exp(-min(max(value, -700), 700))),
    "Tanh": math.tanh,
    "Relu": lambda value: max(value, 0.0),
    "Relu6": lambda value: min(max(value, 0.0), 6.0),
    "Expm1": lambda value: math.expm1(min(value, 700)) if value < math.inf else math.inf,
    "Exp": lambda value: math.exp(min(value, 700)) if value < math.inf else math.inf,
    "Sqrt": lambda value: math.sqrt(max(value, 0.0)),
    "Softplus": lambda value: max(value, 0.0) + math.log1p(math.exp(-min(abs(value), 700))),
}
# Their outputs are values of an input: its index.
_PASSING = dict.fromkeys(
    (
        "Cast",
        "CheckNumerics",
        "EnsureShape",
        "Identity",
        "PreventGradient",
        "StopGradient",
        "BatchToSpaceND",
        "BroadcastTo",
        "DepthToSpace",
        "ExpandDims",
        "Gather",
        "GatherNd",
        "GatherV2",
        "Reshape",
        "ReverseV2",
        "Slice",
        "SpaceToBatchND",
        "SpaceToDepth",
        "SplitV",
        "Squeeze",
        "StridedSlice",
        "Tile",
        "Transpose",
        "Unpack",
        # Means, too, lie between the values.
        "AvgPool",
        "AvgPool3D",
        "Max",
        "MaxPool",
        "MaxPool3D",
        "Mean",
        "Min",
        "MirrorPad",
        "ResizeBilinear",
        "ResizeNearestNeighbor",
    ),
    0,
) | {"Split": 1}
# The inputs that a value may come from.
_MERGING = {
    "ConcatV2": slice(0, -1),
    "Pack": slice(None),
    "Select": slice(1, 3),
    "SelectV2": slice(1, 3),
    "PadV2": slice(0, 3, 2),
}


def _range_of_output(operation: tf.Operation, index: int, ranges: dict[str, Range]) -> Range:
    kind = operation.type
    inputs = [ranges[tensor.name] for tensor in operation.inputs]
    if kind == "Const":
        return _range_of_constant(operation)
    if kind in _PASSING:
        return inputs[_PASSING[kind]]
    if kind == "IdentityN":
        return inputs[index]
    if kind in _MERGING:
        return _union(inputs[_MERGING[kind]])
    if kind == "Pad":
        return _union([inputs[0], Range(0, 0)])
    if kind in _BOUNDS:
        return _range_of_function(operation, inputs[0])
    if kind in _ARITHMETIC and all(value.dtype.is_floating for value in operation.outputs):
        return _range_of_arithmetic(kind, inputs)
    return _UNBOUNDED


def _range_of_constant(operation: tf.Operation) -> Range:
    value = tf.get_static_value(operation.outputs[0])
    if value is None or not value.size or value.dtype.kind not in "biuf":
        return _UNBOUNDED
    return Range(float(value.min()), float(value.max()))


def _range_of_function(operation: tf.Operation, inputs: Range) -> Range:
    low, high = _BOUNDS[operation.type]
    increasing = _INCREASING.get(operation.type)
    if increasing is not None:
        low, high = max(low, increasing(inputs.low)), min(high, increasing(inputs.high))
    return Range(low, high, operation)


def _union(ranges: list[Range]) -> Range:
    return _bounded(min(each.low for each in ranges), max(each.high for each in ranges), ranges)


def _bounded(low: float, high: float, sources: list[Range]) -> Range:
    """Returns a range with the operation that bounds its sources; NaN is no bound."""
    low, high = (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
    operations = [each.operation for each in sources if each.operation is not None]
    return Range(low, high, operations[0] if operations else None)


def _range_of_arithmetic(kind: str, inputs: list[Range]) -> Range:
    low, high = _ARITHMETIC[kind](*inputs)
    return _bounded(low, high, inputs)


def _negate(value: Range) -> tuple[float, float]:
    return -value.high, -value.low


def _add(left: Range, right: Range) -> tuple[float, float]:
    return left.low + right.low, left.high + right.high


def _subtract(left: Range, right: Range) -> tuple[float, float]:
    return left.low - right.high, left.high - right.low


def _multiply(left: Range, right: Range) -> tuple[float, float]:
    factors = [(a, b) for a in (left.low, left.high) for b in (right.low, right.high)]
    # A factor 0 is 0 exactly, a factor inf only some large number: their product is 0.
    products = [0.0 if 0 in pair else pair[0] * pair[1] for pair in factors]
    return min(products), max(products)


def _divide(left: Range, right: Range) -> tuple[float, float]:
    if right.low <= 0 <= right.high:
        return -math.inf, math.inf
    return _multiply(left, Range(1 / right.high, 1 / right.low))


def _maximum(left: Range, right: Range) -> tuple[float, float]:
    return max(left.low, right.low), max(left.high, right.high)


def _minimum(left: Range, right: Range) -> tuple[float, float]:
    return min(left.low, right.low), min(left.high, right.high)


def _clip(value: Range, low: Range, high: Range) -> tuple[float, float]:
    return _minimum(Range(*_maximum(value, low)), high)


_ARITHMETIC: dict[str, Callable[..., tuple[float, float]]] = {
    "Neg": _negate,
    "AddV2": _add,
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "RealDiv": _divide,
    "Maximum": _maximum,
    "Minimum": _minimum,
    "ClipByValue": _clip,
}
