"""Tensors as TF Serving's REST API writes them in JSON, for the client and the small server.

https://www.tensorflow.org/tfx/serving/api_rest#json_mapping: nested lists; bytes as
{"b64": "..."} where the name of the tensor ends in `_bytes`, else as text.
"""

import base64
import binascii
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class InvalidRequestError(ValueError):
    """What was sent is no request for this signature, or the model refuses it."""


class TensorInfo(NamedTuple):
    """Type and shape of an input or output.

    Attributes:
        dtype: NumPy's name of it; "string" for bytes.
        shape: Ints, None where any size goes.
    """

    dtype: str
    shape: tuple[int | None, ...]


class SignatureInfo(NamedTuple):
    """Inputs and outputs of a signature, by name."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]


def to_json(name: str, array: np.ndarray) -> Any:
    """Returns nested lists of numbers, of text, or of {"b64": ...} if the name ends in `_bytes`."""
    if array.dtype.kind not in "OSU":
        return array.tolist()
    as_bytes = [one if isinstance(one, bytes) else str(one).encode() for one in array.ravel()]
    encode = _to_b64 if name.endswith("_bytes") else bytes.decode
    encoded = np.empty(array.size, object)
    encoded[:] = [encode(one) for one in as_bytes]
    return encoded.reshape(array.shape).tolist()


def from_json(name: str, value: Any, info: TensorInfo) -> np.ndarray:
    """Returns the array of a JSON value.

    Raises:
        InvalidRequestError: If it is not of the type and the shape.
    """
    shape, leaves = [], [value]
    for size in info.shape:
        if not all(isinstance(one, list) for one in leaves):
            break
        sizes = {len(one) for one in leaves}
        if len(sizes) > 1:
            raise InvalidRequestError(
                f"{name!r} must be a tensor. Received: lists of unequal lengths"
            )
        shape.append(sizes.pop() if sizes else size or 0)
        leaves = list(itertools.chain.from_iterable(leaves))
    fits = len(shape) == len(info.shape) and not any(isinstance(one, list) for one in leaves)
    if not fits or any(
        want not in (None, size) for want, size in zip(info.shape, shape, strict=True)
    ):
        expected = ["batch" if size is None else size for size in info.shape]
        received = f"shape {shape}" if fits else "another number of axes"
        raise InvalidRequestError(
            f"{name!r} must have the shape [{', '.join(map(str, expected))}]. Received: {received}"
        )
    return _array(name, leaves, info.dtype).reshape(shape)


def _array(name: str, leaves: list[Any], dtype: str) -> np.ndarray:
    if dtype == "string":
        strings = np.empty(len(leaves), object)
        strings[:] = [_to_bytes(name, one) for one in leaves]
        return strings
    types: dict[str, set[type]] = {"f": {int, float}, "i": {int}, "u": {int}, "b": {bool}}
    expected = types[np.dtype(dtype).kind]
    other = set(map(type, leaves)) - expected
    if other:
        found = ", ".join(sorted(one.__name__ for one in other))
        raise InvalidRequestError(
            f"{name!r} must be of {dtype}. Received: JSON values of type {found}"
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
        InvalidRequestError: If it has neither or both, or an input is absent, unknown or not of its
            type.
    """
    if ("instances" in body) == ("inputs" in body):
        raise InvalidRequestError(
            'A request must have either "instances" (rows) or "inputs" (columns)'
        )
    given = body["inputs"] if "inputs" in body else _columns(body["instances"])
    if len(info.inputs) == 1 and (not isinstance(given, dict) or given.keys() == {"b64"}):
        given = {next(iter(info.inputs)): given}
    if not isinstance(given, dict):
        expected = "no inputs" if not info.inputs else f"an object with {', '.join(info.inputs)}"
        raise InvalidRequestError(f"Expected {expected}. Received: {type(given).__name__}")
    if given.keys() != info.inputs.keys():
        raise InvalidRequestError(
            f"The inputs must be: {', '.join(info.inputs) or 'none'}. Received: "
            f"{', '.join(sorted(given)) or 'none'}"
        )
    return {name: from_json(name, given[name], info.inputs[name]) for name in info.inputs}


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

    A single output is written without its name, as TF Serving does. Numbers are left as arrays,
    which a serializer writes faster than lists.

    Raises:
        InvalidRequestError: If the outputs have no rows to be told by.
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
        InvalidRequestError: If it is not what the signature gives.
    """
    value = reply["outputs"]
    columns = value if len(info.outputs) > 1 else {next(iter(info.outputs)): value}
    return {name: from_json(name, columns[name], one) for name, one in info.outputs.items()}


def names(signatures: Sequence[str] | Mapping[str, Any]) -> str:
    """Returns names as text for an error."""
    return ", ".join(sorted(signatures)) or "none"
