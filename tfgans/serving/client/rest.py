"""TensorFlow Serving's REST API: https://www.tensorflow.org/tfx/serving/api_rest."""

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

import numpy as np
import urllib3

from tfgans.serving.client.deadline import POOLS, Deadline
from tfgans.serving.client.rest_format import (
    NPY,
    SignatureInfo,
    outputs_from_json,
    outputs_from_npy,
    signatures_from_json,
    to_json,
)
from tfgans.serving.client.transport import (
    Metadata,
    RequestSettings,
    ServingError,
    VersionStatus,
    parsed,
)

_LONGEST_MESSAGE = 500
# `tfgans serve` sends numbers as arrays; TensorFlow Serving ignores the header and sends JSON.
_HEADERS = {"Content-Type": "application/json", "Accept": f"{NPY}, application/json"}
_READ_BYTES = 2**20
# The decompressed bytes of a reply, since the server may be malicious. 64 images of 1024 x 1024
# pixels have half of it.
_LARGEST_REPLY = 2**32
# Open connections, for threads that share a client.
_CONNECTIONS = 16


class RestTransport:
    """Connects to a model at an http or https address.

    Args:
        address: "http://HOST:PORT" or "https://HOST".
        settings: `RequestSettings`.
    """

    ok = "200"

    def __init__(self, address: str, settings: RequestSettings) -> None:
        model, version, version_label, timeout, headers = settings
        self._server = address.rstrip("/")
        self._model = f"{self._server}/v1/models/{urllib.parse.quote(model, safe='')}"
        self._pinned = self._model
        if version is not None:
            self._pinned += f"/versions/{version}"
        if version_label is not None:
            self._pinned += f"/labels/{urllib.parse.quote(version_label, safe='')}"
        self._timeout, self._headers = timeout, headers
        # `Client` retries requests without a whole reply.
        self._pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(timeout), maxsize=_CONNECTIONS
        )
        self._pool.pool_classes_by_scheme = POOLS

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        info: SignatureInfo,
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        """See `Transport.predict`."""
        model = self._pinned if version is None else f"{self._model}/versions/{version}"
        columns = {name: to_json(name, value) for name, value in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        url = f"{model}:predict"
        status, media_type, data = self._exchange("POST", url, json.dumps(body).encode())
        if status == 200 and media_type == NPY:
            return parsed(self._server, self.ok, lambda: outputs_from_npy(data, info))
        reply = self._json(url, status, data)
        return parsed(self._server, self.ok, lambda: outputs_from_json(reply, info))

    def status(self) -> list[VersionStatus]:
        """See `Transport.status`."""
        reply = self._get(self._pinned)
        return parsed(
            self._server,
            self.ok,
            lambda: [
                VersionStatus(
                    int(entry["version"]), entry["state"], entry["status"].get("error_message", "")
                )
                for entry in reply["model_version_status"]
            ],
        )

    def metadata(self) -> Metadata:
        """See `Transport.metadata`."""
        reply = self._get(f"{self._pinned}/metadata")
        return parsed(
            self._server,
            self.ok,
            lambda: Metadata(
                int(reply["model_spec"]["version"]),
                signatures_from_json(reply["metadata"]["signature_def"]["signature_def"]),
            ),
        )

    def close(self) -> None:
        """See `Transport.close`."""
        # `clear` alone leaves connections open as long as an error refers to them.
        self._pool.connection_from_url(self._server).close()
        self._pool.clear()

    def _get(self, url: str) -> Any:
        """Returns the JSON object of a reply to a GET request."""
        status, _, data = self._exchange("GET", url)
        return self._json(url, status, data)

    def _json(self, url: str, status: int, data: bytes) -> Any:
        """Returns the JSON object of a reply."""
        text = data.decode(errors="replace")
        try:
            reply = json.loads(text)
        except (ValueError, RecursionError):
            reply = None
        if status != 200 or not isinstance(reply, dict) or "error" in reply:
            message = reply.get("error") if isinstance(reply, dict) else None
            raise ServingError(
                f"{url} answered {status}: {str(message or text)[:_LONGEST_MESSAGE]}",
                code=str(status),
            )
        return reply

    def _exchange(self, method: str, url: str, body: bytes | None = None) -> tuple[int, str, bytes]:
        """Returns status, media type and body of a reply."""
        with Deadline(self._timeout) as deadline:
            try:
                reply = self._received(method, url, body)
            except urllib3.exceptions.HTTPError as error:
                if deadline.is_over or _is_timeout(error):
                    raise self._late() from error
                raise ConnectionError(f"{self._server} cannot be reached: {error}") from error
        # urllib3 takes headers that the deadline cut for whole ones.
        if deadline.is_over:
            raise self._late()
        return reply

    def _late(self) -> TimeoutError:
        return TimeoutError(f"{self._server} did not answer within {self._timeout} s")

    def _received(self, method: str, url: str, body: bytes | None) -> tuple[int, str, bytes]:
        reply = self._pool.request(
            method,
            url,
            body=body,
            headers=self._headers if body is None else {**self._headers, **_HEADERS},
            redirect=False,
            preload_content=False,
        )
        parts, remaining = [], _LARGEST_REPLY
        try:
            while part := reply.read1(_READ_BYTES):
                parts.append(part)
                remaining -= len(part)
                if remaining < 0:
                    raise ServingError(
                        f"{self._server} answered with more than {_LARGEST_REPLY:,} bytes. Ask for "
                        "fewer rows per request (`batch_size`)",
                        code=str(reply.status),
                    )
        except BaseException:
            reply.close()
            raise
        reply.release_conn()
        media_type = reply.headers.get("Content-Type", "").partition(";")[0].strip()
        return reply.status, media_type, b"".join(parts)


def _is_timeout(error: urllib3.exceptions.HTTPError) -> bool:
    # urllib3's error for a refused connection is a subclass of its TimeoutError.
    return isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    )
