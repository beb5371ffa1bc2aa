"""JSON of TensorFlow Serving's REST API, for the client and the development server.

https://www.tensorflow.org/tfx/serving/api_rest#json_mapping: tensors are nested lists. Bytes are
{"b64": "..."} in tensors whose name ends in `_bytes`, else text.
"""

import base64
import binascii
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

_DTYPES = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_HALF": "float16",
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


class InvalidRequestError(ValueError):
    """A request does not match the signature, or the model refuses its inputs."""


class TensorInfo(NamedTuple):
    """Type and shape of an input or output.

    Attributes:
        dtype: NumPy's name of the type, or "string" for bytes.
        shape: Ints, None where the size is free.
    """

    dtype: str
    shape: tuple[int | None, ...]


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
        tensors[name] = TensorInfo(_DTYPES[info["dtype"]], shape)
    return tensors


def to_json(name: str, array: np.ndarray) -> Any:
    """Returns nested lists of numbers, of text, or of {"b64": ...} if the name ends in `_bytes`."""
    if array.dtype.kind not in "OSU":
        return array.tolist()
    values = [value if isinstance(value, bytes) else str(value).encode() for value in array.ravel()]
    encode = _to_b64 if name.endswith("_bytes") else bytes.decode
    encoded = np.empty(array.size, object)
    encoded[:] = [encode(value) for value in values]
    return encoded.reshape(array.shape).tolist()


def from_json(name: str, value: Any, info: TensorInfo) -> np.ndarray:
    """Returns the array of a JSON value.

    Raises:
        InvalidRequestError: If the type or the shape differs from `info`.
    """
    shape, leaves = [], [value]
    for size in info.shape:
        if not all(isinstance(leaf, list) for leaf in leaves):
            break
        sizes = {len(leaf) for leaf in leaves}
        if len(sizes) > 1:
            raise InvalidRequestError(
                f"{name!r} must be a tensor. Received: lists of unequal lengths"
            )
        shape.append(sizes.pop() if sizes else size or 0)
        leaves = list(itertools.chain.from_iterable(leaves))
    same_rank = len(shape) == len(info.shape) and not any(isinstance(x, list) for x in leaves)
    if not same_rank or any(
        expected not in (None, size) for expected, size in zip(info.shape, shape, strict=True)
    ):
        sizes_text = ", ".join("batch" if size is None else str(size) for size in info.shape)
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
    if np.dtype(dtype).kind in "iu" and leaves:
        limits = np.iinfo(dtype)
        if min(leaves) < limits.min or max(leaves) > limits.max:
            raise InvalidRequestError(
                f"{name!r} must be of {dtype}. Received: a number outside its range"
            )
    try:
        return np.array(leaves, dtype)
    except OverflowError as error:
        raise InvalidRequestError(f"{name!r} must be of {dtype}. Received: {error}") from error


def _to_b64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def _to_bytes(name: str, value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except binascii.Error as error:
            raise InvalidRequestError(f"{name!r} must be base64. Received: {error}") from error
    raise InvalidRequestError(
        f'{name!r} must be text or {{"b64": ...}}. Received: {type(value).__name__}'
    )


def inputs_from_json(body: Mapping[str, Any], info: SignatureInfo) -> dict[str, np.ndarray]:
    """Returns the arrays of a predict request in rows (`instances`) or columns (`inputs`).

    Raises:
        InvalidRequestError: If the request has neither or both, or if an input is missing, unknown
            or of another type.
    """
    if ("instances" in body) == ("inputs" in body):
        raise InvalidRequestError(
            'A request must have either "instances" (rows) or "inputs" (columns)'
        )
    inputs = body["inputs"] if "inputs" in body else _columns(body["instances"])
    if len(info.inputs) == 1 and (not isinstance(inputs, dict) or inputs.keys() == {"b64"}):
        inputs = {next(iter(info.inputs)): inputs}
    if not isinstance(inputs, dict):
        expected = "no inputs" if not info.inputs else f"an object with {', '.join(info.inputs)}"
        raise InvalidRequestError(f"Expected {expected}. Received: {type(inputs).__name__}")
    if inputs.keys() != info.inputs.keys():
        raise InvalidRequestError(
            f"The inputs must be: {', '.join(info.inputs) or 'none'}. Received: "
            f"{', '.join(sorted(inputs)) or 'none'}"
        )
    return {name: from_json(name, inputs[name], info.inputs[name]) for name in info.inputs}


def _columns(rows: Any) -> Any:
    if not isinstance(rows, list) or not rows:
        raise InvalidRequestError('"instances" must be a list with a row or more')
    if not all(isinstance(row, dict) for row in rows) or set(rows[0]) == {"b64"}:
        return rows
    if any(row.keys() != rows[0].keys() for row in rows):
        raise InvalidRequestError('All "instances" must have the same inputs')
    return {name: [row[name] for row in rows] for name in rows[0]}


def reply_of(outputs: Mapping[str, np.ndarray], *, as_rows: bool) -> dict[str, Any]:
    """Returns the reply to a request in rows, `predictions`, or in columns, `outputs`.

    A single output appears without its name, as in TensorFlow Serving. Numbers stay arrays, which
    serializers write faster than lists.

    Raises:
        InvalidRequestError: If a reply in rows is impossible, since the outputs have no rows.
    """
    columns: dict[str, Any] = {
        name: to_json(name, value) if value.dtype.kind in "OSU" else np.ascontiguousarray(value)
        for name, value in outputs.items()
    }
    if not as_rows:
        return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    sizes = {value.shape[0] if value.ndim else None for value in outputs.values()}
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
    return {name: from_json(name, columns[name], tensor) for name, tensor in info.outputs.items()}


def joined_names(names: Iterable[str]) -> str:
    """Returns names as text for an error, sorted."""
    return ", ".join(sorted(names)) or "none"
