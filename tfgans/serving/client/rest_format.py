"""JSON of TensorFlow Serving's REST API, for the client and the development server.

https://www.tensorflow.org/tfx/serving/api_rest#json_mapping: tensors are nested lists. Bytes are
{"b64": "..."} in tensors whose name ends in `_bytes`, else text.
"""

import base64
import io
import itertools
import math
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

# The media type of arrays in NumPy's format, one after another in the order of their names.
NPY = "application/x-npy"
_DTYPES = {
    "DT_HALF": "float16",
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_INT8": "int8",
    "DT_INT16": "int16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
    "DT_UINT16": "uint16",
    "DT_UINT32": "uint32",
    "DT_UINT64": "uint64",
    "DT_BOOL": "bool",
    "DT_STRING": "string",
}
# TensorFlow Serving's REST API has neither of the two others.
_JSON_DTYPES = set(_DTYPES.values()) - {"float16", "uint16"}
# NumPy's limit.
_MOST_AXES = 64
# The header of an array of 64 axes is shorter.
_LONGEST_NPY_HEADER = 1024


class InvalidRequestError(ValueError):
    """A request does not match the signature, or the model refuses its inputs."""


class UnsupportedTypeError(InvalidRequestError):
    """The signature or the model has a type that the REST API does not support."""


class TensorInfo(NamedTuple):
    """Type and shape of an input or output.

    Attributes:
        dtype: NumPy's name of the type, or "string" for bytes. A type that the client does not
            support has the name of its proto, say "DT_BFLOAT16".
        shape: Ints, None where the size is free. None if the number of axes is free.
    """

    dtype: str
    shape: tuple[int | None, ...] | None


class SignatureInfo(NamedTuple):
    """Inputs and outputs of a signature, by name."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]


def signatures_from_json(definitions: Mapping[str, Any]) -> dict[str, SignatureInfo]:
    """Returns the signatures in the JSON of a `SignatureDefMap`, without internal names."""
    return {
        name: SignatureInfo(
            _tensors_from_json(definition.get("inputs", {})),
            _tensors_from_json(definition.get("outputs", {})),
        )
        for name, definition in definitions.items()
        if not name.startswith("__")
    }


def _tensors_from_json(infos: Mapping[str, Any]) -> dict[str, TensorInfo]:
    tensors = {}
    for name, info in sorted(infos.items()):
        sizes = [int(dim["size"]) for dim in info["tensor_shape"].get("dim", [])]
        shape = tuple(None if size < 0 else size for size in sizes)
        is_free = info["tensor_shape"].get("unknown_rank", False)
        tensors[name] = TensorInfo(dtype_name(str(info["dtype"])), None if is_free else shape)
    return tensors


def dtype_name(proto_name: str) -> str:
    """Returns the name in `TensorInfo` of a type of TensorFlow's protos, say "DT_FLOAT"."""
    return _DTYPES.get(proto_name, proto_name)


def check_tensor(name: str, info: TensorInfo, dtype: str, shape: Sequence[int]) -> None:
    """Raises InvalidRequestError unless a tensor has the type and the shape of `info`.

    Args:
        name: Of the tensor, for errors.
        info: The expected type and shape.
        dtype: The received type, named as in `TensorInfo`.
        shape: Ints, the received shape.
    """
    sizes_match = info.shape is None or (
        len(info.shape) == len(shape)
        and all(wanted in (None, size) for wanted, size in zip(info.shape, shape, strict=True))
    )
    if dtype != info.dtype or not sizes_match or min(shape, default=0) < 0:
        raise InvalidRequestError(
            f"{name!r} must be {info.dtype} {info.shape}. Received: {dtype} {tuple(shape)}"
        )


def to_json(name: str, array: np.ndarray) -> Any:
    """Returns nested lists of numbers, of text, or of {"b64": ...}.

    Strings become {"b64": ...} if the name ends in `_bytes`, or if they are no UTF-8, which JSON
    cannot hold.
    """
    if array.dtype.kind not in "OSU":
        return array.tolist()
    values = [value if isinstance(value, bytes) else str(value).encode() for value in array.ravel()]
    encode = _to_b64 if name.endswith("_bytes") else _to_text
    encoded = np.empty(array.size, object)
    encoded[:] = [encode(value) for value in values]
    return encoded.reshape(array.shape).tolist()


def from_json(
    name: str, value: Any, info: TensorInfo, *, completes_empty: bool = False
) -> np.ndarray:
    """Returns the array of a JSON value.

    Args:
        name: Of the tensor, for errors.
        value: Nested lists, or a single value.
        info: The type and the shape.
        completes_empty: Whether an empty list may stand for an array without elements whose other
            axes are those of `info`, as in replies. Default: False.

    Raises:
        InvalidRequestError: If the type or the shape differs from `info`.
    """
    if info.dtype not in _JSON_DTYPES:
        raise UnsupportedTypeError(
            f"{name!r} is of {info.dtype}, which the REST API does not support"
        )
    if info.shape is None:
        depth = _depth(value)
        if depth > _MOST_AXES:
            raise InvalidRequestError(
                f"{name!r} must have at most {_MOST_AXES} axes. Received: {depth}"
            )
        info = TensorInfo(info.dtype, (None,) * depth)
    shape, leaves = [], [value]
    for size in info.shape or ():
        if not all(isinstance(leaf, list) for leaf in leaves):
            break
        sizes = {len(leaf) for leaf in leaves}
        if len(sizes) > 1:
            raise InvalidRequestError(
                f"{name!r} must be a tensor. Received: lists of unequal lengths"
            )
        if not sizes and not completes_empty:
            break
        shape.append(sizes.pop() if sizes else size or 0)
        leaves = list(itertools.chain.from_iterable(leaves))
    expected = info.shape or ()
    same_rank = len(shape) == len(expected) and not any(isinstance(x, list) for x in leaves)
    if not same_rank or any(
        wanted not in (None, size) for wanted, size in zip(expected, shape, strict=True)
    ):
        sizes_text = ", ".join("batch" if size is None else str(size) for size in expected)
        received = f"shape {shape}" if same_rank else "another number of axes"
        raise InvalidRequestError(
            f"{name!r} must have the shape [{sizes_text}]. Received: {received}"
        )
    return _array(name, leaves, info.dtype).reshape(shape)


def _array(name: str, leaves: list[Any], dtype: str) -> np.ndarray:
    if dtype == "string":
        strings = np.empty(len(leaves), object)
        strings[:] = [_to_bytes(name, leaf) for leaf in leaves]
        return strings
    types: dict[str, set[type]] = {"f": {int, float}, "i": {int}, "u": {int}, "b": {bool}}
    other = set(map(type, leaves)) - types[np.dtype(dtype).kind]
    if other:
        received = ", ".join(sorted(kind.__name__ for kind in other))
        raise InvalidRequestError(
            f"{name!r} must be of {dtype}. Received: JSON values of type {received}"
        )
    if np.dtype(dtype).kind == "f":
        return _floats(name, leaves, dtype)
    if np.dtype(dtype).kind in "iu" and leaves:
        limits = np.iinfo(dtype)
        if min(leaves) < limits.min or max(leaves) > limits.max:
            raise InvalidRequestError(
                f"{name!r} must be of {dtype}. Received: a number outside its range"
            )
    return np.array(leaves, dtype)


def _depth(value: Any) -> int:
    """Returns the axes of nested lists, from the first value of each."""
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = value[0] if value else None
    return depth


def _floats(name: str, leaves: list[Any], dtype: str) -> np.ndarray:
    """Returns numbers, rounded to `dtype` or infinite beyond its range, as TensorFlow Serving."""
    try:
        numbers = np.array(leaves, np.float64)
    except OverflowError as error:
        raise InvalidRequestError(
            f"{name!r} must be of {dtype}. Received: an integer beyond the range of float64"
        ) from error
    with np.errstate(over="ignore"):
        return numbers.astype(dtype)


def _to_text(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _to_b64(value)


def _to_b64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def _to_bytes(name: str, value: Any) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise InvalidRequestError(f"{name!r} must be text. Received: {error}") from error
    if _is_b64(value):
        # TensorFlow Serving takes it without padding, too.
        text = value["b64"].rstrip("=")
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError as error:
            raise InvalidRequestError(f"{name!r} must be base64. Received: {error}") from error
    raise InvalidRequestError(
        f'{name!r} must be text or {{"b64": ...}}. Received: {type(value).__name__}'
    )


def inputs_from_json(body: Mapping[str, Any], info: SignatureInfo) -> dict[str, np.ndarray]:
    """Returns the arrays of a predict request in rows (`instances`) or columns (`inputs`).

    As in TensorFlow Serving, columns that are no inputs are ignored, but in rows they are errors.

    Raises:
        UnsupportedTypeError: If a column is of a type that the REST API does not support.
        InvalidRequestError: If the signature has no inputs, if the request has neither rows nor
            columns or both, or if an input is missing or of another type.
    """
    if not info.inputs:
        raise InvalidRequestError("The REST API does not run signatures without inputs")
    if ("instances" in body) == ("inputs" in body):
        raise InvalidRequestError(
            'A request must have either "instances" (rows) or "inputs" (columns)'
        )
    inputs = body["inputs"] if "inputs" in body else _columns(body["instances"], info)
    if not isinstance(inputs, dict) or _is_b64(inputs):
        if len(info.inputs) > 1:
            raise InvalidRequestError(
                f"Expected an object with {joined_names(info.inputs)}. Received: "
                f"{type(inputs).__name__}"
            )
        inputs = {next(iter(info.inputs)): inputs}
    missing = info.inputs.keys() - inputs.keys()
    if missing:
        raise InvalidRequestError(
            f"The inputs must be: {joined_names(info.inputs)}. Missing: {joined_names(missing)}"
        )
    try:
        return {name: from_json(name, inputs[name], info.inputs[name]) for name in info.inputs}
    except UnsupportedTypeError as error:
        if "inputs" in body:
            raise
        # All errors of rows have the same code in TensorFlow Serving.
        raise InvalidRequestError(str(error)) from error


def _columns(rows: Any, info: SignatureInfo) -> Any:
    if not isinstance(rows, list) or not rows:
        raise InvalidRequestError('"instances" must be a list with a row or more')
    are_named = [isinstance(row, dict) and not _is_b64(row) for row in rows]
    if not any(are_named):
        return rows
    if not all(are_named):
        raise InvalidRequestError('All "instances" must be objects, or none')
    if any(row.keys() != info.inputs.keys() for row in rows):
        raise InvalidRequestError(
            f'All "instances" must have the inputs: {joined_names(info.inputs)}'
        )
    return {name: [row[name] for row in rows] for name in info.inputs}


def _is_b64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def reply_of(outputs: Mapping[str, np.ndarray], *, as_rows: bool) -> dict[str, Any]:
    """Returns the reply to a request in rows, `predictions`, or in columns, `outputs`.

    A single output appears without its name, as in TensorFlow Serving. Numbers stay arrays, which
    serializers write faster than lists.

    Raises:
        InvalidRequestError: If a reply in rows is impossible, since the outputs have no rows, or if
            the REST API does not support the type of an output.
    """
    for name, value in outputs.items():
        if value.dtype.kind not in "OSU" and value.dtype.name not in _JSON_DTYPES:
            raise InvalidRequestError(
                f"{name!r} is of {value.dtype.name}, which the REST API does not support"
            )
    columns: dict[str, Any] = {
        name: to_json(name, value) if value.dtype.kind in "OSU" else np.asarray(value, order="C")
        for name, value in outputs.items()
    }
    if not as_rows:
        return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    sizes = {len(value) if value.ndim else None for value in outputs.values()}
    if len(sizes) > 1 or None in sizes:
        raise InvalidRequestError(
            'These outputs have no rows in common: ask with "inputs" (columns)'
        )
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def outputs_from_json(reply: Mapping[str, Any], info: SignatureInfo) -> dict[str, np.ndarray]:
    """Returns the arrays of a reply in columns.

    Raises:
        InvalidRequestError: If the reply does not match the signature.
    """
    value = reply["outputs"]
    columns = value if len(info.outputs) > 1 else {next(iter(info.outputs)): value}
    return {
        name: from_json(name, columns[name], tensor, completes_empty=True)
        for name, tensor in info.outputs.items()
    }


def outputs_from_npy(body: bytes, info: SignatureInfo) -> dict[str, np.ndarray]:
    """Returns the arrays of a reply of type `NPY`.

    Raises:
        InvalidRequestError: If the reply does not match the signature.
    """
    outputs, start = {}, 0
    for name, tensor in sorted(info.outputs.items()):
        array, start = _array_from_npy(body, start)
        check_tensor(name, tensor, array.dtype.name, array.shape)
        outputs[name] = array
    return outputs


def _array_from_npy(body: bytes, start: int) -> tuple[np.ndarray, int]:
    """Returns the array whose bytes begin at `start`, and the place where they end.

    Unlike `numpy.load`, it reserves no memory for what the body does not hold.
    """
    stream = io.BytesIO(body)
    stream.seek(start)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise InvalidRequestError("Expected version 1.0 of NumPy's format")
    try:
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(
            stream, max_header_size=_LONGEST_NPY_HEADER
        )
    except (tokenize.TokenError, RecursionError, MemoryError) as error:
        raise InvalidRequestError(f"Expected a header of NumPy's format: {error!r}") from error
    if is_fortran or dtype.hasobject or min(shape, default=0) < 0:
        raise InvalidRequestError("Expected numbers in C order, and sizes of at least 0")
    count = math.prod(shape)
    array = np.frombuffer(body, dtype, count, stream.tell()).reshape(shape)
    return array.copy(), stream.tell() + count * dtype.itemsize


def joined_names(names: Iterable[str]) -> str:
    """Returns names as text for an error, sorted."""
    return ", ".join(sorted(names)) or "none"
