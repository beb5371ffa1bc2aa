"""The bodies of predict replies: JSON as in TensorFlow Serving, arrays, or a picture."""

import io
import json
from collections.abc import Mapping

import numpy as np
import orjson
from aiohttp import web

from tfgans.serving.client.rest_format import NPY, InvalidRequestError, SignatureInfo, reply_of

_JSON, _PNG = "application/json", "image/png"
_ANY_JSON = {_JSON, "application/*", "*/*", ""}


def choose(accept: str, info: SignatureInfo) -> str:
    """Returns the media type of a reply for the header `Accept` of a request.

    It is the first of these that the header names and that the outputs allow; the weights of the
    header do not count:

    * "application/x-npy": the outputs in NumPy's format, one after another in the order of their
      names, if all are numbers;
    * "image/png": the file of `sample_png`, for requests of a single row;
    * JSON. As TensorFlow Serving ignores the header, JSON is the answer to all other types.

    Raises:
        web.HTTPNotAcceptable: If the header names only arrays or pictures, and the outputs are
            neither.
    """
    types = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    dtypes = {output.dtype for output in info.outputs.values()}
    for media_type in types:
        if media_type in _ANY_JSON:
            return _JSON
        if media_type == NPY and "string" not in dtypes:
            return NPY
        if media_type == _PNG and set(info.outputs) == {"image_bytes"}:
            return _PNG
    if set(types) <= {NPY, _PNG}:
        raise web.HTTPNotAcceptable(
            text=f"The outputs {', '.join(info.outputs)} cannot be sent as {accept}. Add "
            f"{_JSON} to the header"
        )
    return _JSON


def serialize(outputs: Mapping[str, np.ndarray], media_type: str, as_rows: bool) -> bytes:
    """Returns the body of a reply.

    Raises:
        InvalidRequestError: If the outputs cannot be sent as `media_type`.
    """
    if media_type == NPY:
        buffer = io.BytesIO()
        for _, output in sorted(outputs.items()):
            np.lib.format.write_array(buffer, output, allow_pickle=False)
        return buffer.getvalue()
    if media_type == _PNG:
        (files,) = outputs.values()
        if len(files) != 1:
            raise InvalidRequestError(f"{_PNG} is a single row. Received: {len(files)} rows")
        picture: bytes = files[0]
        return picture
    reply = reply_of(outputs, as_rows=as_rows)
    floats = [output for output in outputs.values() if output.dtype.kind == "f"]
    if all(np.isfinite(output).all() for output in floats):
        return orjson.dumps(reply, default=_listed, option=orjson.OPT_SERIALIZE_NUMPY)
    # Unlike orjson, json writes NaN, as TensorFlow Serving does.
    return json.dumps(reply, default=_listed).encode()


def _listed(array: np.ndarray | np.generic) -> object:
    return array.tolist()
