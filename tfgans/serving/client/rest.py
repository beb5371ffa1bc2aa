"""TF Serving's REST API: https://www.tensorflow.org/tfx/serving/api_rest."""

import json
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import urllib3

from tfgans.serving.client.rest_format import SignatureInfo, TensorInfo, outputs_from_json, to_json
from tfgans.serving.client.transport import Metadata, ServingError, VersionStatus

_T = TypeVar("_T")
_LONGEST_MESSAGE = 500
_PART_BYTES = 2**20
# Unpacked: 64 images of 1024 x 1024 pixels have half of it. The server may be anyone's.
_LARGEST_REPLY = 2**32
# That are kept for threads that share a client.
_CONNECTIONS = 16
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


# What reading a reply raises that is not TF Serving's.
_NO_REPLY = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, StopIteration)


class RestTransport:
    """A model of a server at an http or https address."""

    def __init__(
        self, address: str, model: str, version: int | None, label: str | None, timeout: float
    ) -> None:
        self._server = address.rstrip("/")
        self._model = f"{self._server}/v1/models/{urllib.parse.quote(model, safe='')}"
        self._pinned = self._model
        if version is not None:
            self._pinned += f"/versions/{version}"
        if label is not None:
            self._pinned += f"/labels/{urllib.parse.quote(label, safe='')}"
        self._timeout = timeout
        # The client repeats requests, and only those that did not get through.
        self._pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(timeout), maxsize=_CONNECTIONS
        )

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        info: SignatureInfo,
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Returns the outputs by name, of `version` instead of what the client is pinned to."""
        model = self._pinned if version is None else f"{self._model}/versions/{version}"
        columns = {name: to_json(name, value) for name, value in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        reply = self._ask("POST", f"{model}:predict", json.dumps(body).encode())
        return self._read(lambda: outputs_from_json(reply, info))

    def status(self) -> list[VersionStatus]:
        """Returns the versions of the model."""
        reply = self._ask("GET", self._pinned)
        return self._read(
            lambda: [
                VersionStatus(
                    int(one["version"]), one["state"], one["status"].get("error_message", "")
                )
                for one in reply["model_version_status"]
            ]
        )

    def metadata(self) -> Metadata:
        """Returns the version and its signatures."""
        reply = self._ask("GET", f"{self._pinned}/metadata")
        return self._read(
            lambda: Metadata(
                int(reply["model_spec"]["version"]),
                signatures_of(reply["metadata"]["signature_def"]["signature_def"]),
            )
        )

    def close(self) -> None:
        """Closes the connections."""
        self._pool.clear()

    def _ask(self, method: str, url: str, body: bytes | None = None) -> Any:
        try:
            status, data = self._exchange(method, url, body)
        except urllib3.exceptions.NewConnectionError as error:  # to urllib3 a timeout too
            raise ConnectionError(f"{self._server} cannot be reached: {error}") from error
        except urllib3.exceptions.TimeoutError as error:
            raise TimeoutError(f"{self._server} did not answer within {self._timeout} s") from error
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(f"{self._server} cannot be reached: {error}") from error
        text = data.decode(errors="replace")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if status != 200 or not isinstance(found, dict) or "error" in found:
            told = found.get("error") if isinstance(found, dict) else None
            raise ServingError(
                f"{url} answered {status}: {str(told or text)[:_LONGEST_MESSAGE]}", code=str(status)
            )
        return found

    def _exchange(self, method: str, url: str, body: bytes | None) -> tuple[int, bytes]:
        """Returns status and body of a reply; the timeouts of urllib3 are of single reads."""
        deadline = time.monotonic() + self._timeout
        headers = {} if body is None else {"Content-Type": "application/json"}
        reply = self._pool.request(
            method, url, body=body, headers=headers, redirect=False, preload_content=False
        )
        parts, room = [], _LARGEST_REPLY
        try:
            while part := reply.read1(_PART_BYTES):
                parts.append(part)
                room -= len(part)
                if room < 0:
                    raise ServingError(
                        f"{self._server} answered with more than {_LARGEST_REPLY:,} bytes. Ask for "
                        "fewer rows in one request (`batch_size`)",
                        code=str(reply.status),
                    )
                if time.monotonic() > deadline:
                    raise urllib3.exceptions.TimeoutError
        except BaseException:
            reply.close()
            raise
        reply.release_conn()
        return reply.status, b"".join(parts)

    def _read(self, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except _NO_REPLY as error:
            raise ServingError(
                f"{self._server} did not answer as TF Serving does: {error!r}", code="200"
            ) from error


def signatures_of(definitions: Mapping[str, Any]) -> dict[str, SignatureInfo]:
    """Returns signatures from the JSON of a `SignatureDefMap`, without TensorFlow's own."""
    return {
        name: SignatureInfo(
            *(
                {key: _tensor_info(info) for key, info in sorted(one.get(side, {}).items())}
                for side in ("inputs", "outputs")
            )
        )
        for name, one in definitions.items()
        if not name.startswith("__")
    }


def _tensor_info(info: Mapping[str, Any]) -> TensorInfo:
    sizes = [int(one["size"]) for one in info["tensor_shape"].get("dim", [])]
    shape = tuple(None if size < 0 else size for size in sizes)
    return TensorInfo(_DTYPES[info["dtype"]], shape)
