"""Draws samples from a served generator over REST or gRPC."""

import re
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Self, TypeVar

import numpy as np
import urllib3
from numpy.typing import ArrayLike

from tfgans import checks
from tfgans.class_names import number
from tfgans.serving.client.inputs import checked_headers, converted, ints, is_name
from tfgans.serving.client.rest import RestTransport
from tfgans.serving.client.rest_format import SignatureInfo, joined_names
from tfgans.serving.client.transport import (
    Metadata,
    RequestSettings,
    ServingError,
    Transport,
    VersionStatus,
)

__all__ = ["Client", "Metadata", "ServingError", "VersionStatus"]

_T = TypeVar("_T")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_LONGEST_TIMEOUT_S = 86400
# Codes for a missing model or version, and for all errors that may come from a request or a reply
# of another version.
_NOT_FOUND = {"404", "NOT_FOUND"}
_REFUSALS = {"200", "OK", "400", "INVALID_ARGUMENT", *_NOT_FOUND}
# The number of versions to try when a version disappears between two requests of a call.
_VERSIONS_TRIED = 3
# The label for a class drawn from the seed, as in the signatures.
_DRAWN = -1


class _Target(NamedTuple):
    """The version that answers the requests of a call.

    Attributes:
        version: Int, or None for the version of the client's arguments.
        signatures: The `SignatureInfo` of the version by name.
    """

    version: int | None
    signatures: Mapping[str, SignatureInfo]


class Client:
    """Draws samples from a generator that TensorFlow Serving or `tfgans serve` serves.

    The same seed gives the same images as in training: up to the rounding of float32,
    `generate(n, seed)` is `gan.sample(n, seed=seed)`. More rows than `batch_size` go in several
    requests. All requests of a call, also those for a component and for names of classes, are
    answered by the same version.

    Args:
        address: "http://HOST:8501" or "https://HOST" (REST), or "grpc://HOST:8500". gRPC needs the
            package tensorflow-serving-api, which brings TensorFlow.
        model: String, the name of the served model.
        version: Int, the version to ask. Default: None, the newest.
        version_label: String, a version label of TensorFlow Serving instead of a version.
            Default: None.
        timeout: Float, seconds for a request and its whole reply, in (0, 86400]. A host name is
            looked up, and each of its addresses is tried, before the time can end. Default: 30.
        retries: Int of at least 0, repetitions of a request without a whole reply, after pauses of
            0.1 s, 0.2 s, 0.4 s, ..., at most 5 s: a request changes nothing, so it may arrive
            twice. Replies and timeouts are final, except for gRPC's UNAVAILABLE, which also stands
            for a server that cannot be reached. Default: 3.
        batch_size: Int of at least 1, rows per request. Default: 64.
        headers: Strings by name: headers of all requests, in gRPC their metadata, for a proxy that
            asks for a password or token. Use them with "https://" only: other addresses send them
            in the clear. Default: None, no further headers.

    Raises:
        ValueError: If an argument is out of range.
        ImportError: If gRPC is asked for and its packages are not installed.

    All methods raise `ConnectionError` if the server cannot be reached, `TimeoutError` if the reply
    comes too late, and `ServingError` with the server's message if the server refuses or fails. All
    three are subclasses of `OSError`.

    Example:

    ```python
    from tfgans.serving import Client

    with Client("http://localhost:8501", model="digits") as client:
        images = client.generate(64, seed=1)  # float32 [64, height, width, channels] in [-1, 1]

    headers = {"Authorization": "Bearer TOKEN"}
    client = Client("https://images.example.org", model="digits", headers=headers)
    ```
    """

    def __init__(
        self,
        address: str,
        *,
        model: str,
        version: int | None = None,
        version_label: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        batch_size: int = 64,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not is_name(model):
            raise ValueError(
                f"`model` must be the name of a served model. Received: {checks.short(model)}"
            )
        if version is not None:
            checks.int_at_least("version", version, 0)
        if version_label is not None and not is_name(version_label):
            raise ValueError(
                "`version_label` must be a version label of TensorFlow Serving. Received: "
                f"{checks.short(version_label)}"
            )
        if version is not None and version_label is not None:
            raise ValueError(
                f"`version` and `version_label` exclude each other. Received: {version} and "
                f"{version_label!r}. Leave one of them out"
            )
        seconds = checks.positive("timeout", timeout)
        if seconds > _LONGEST_TIMEOUT_S:
            raise ValueError(
                f"`timeout` must be at most {_LONGEST_TIMEOUT_S} seconds. Received: {seconds}"
            )
        self._retries = checks.int_at_least("retries", retries, 0)
        self._batch_size = checks.positive_int("batch_size", batch_size)
        settings = RequestSettings(
            model, version, version_label, seconds, checked_headers(headers or {})
        )
        self._transport = _transport(address, settings)
        self._version = version
        self._known: Metadata | None = None
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. Later calls raise ValueError."""
        self._is_closed = True
        self._transport.close()

    def sample(
        self,
        seeds: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        component: int | None = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Returns an example for each seed: float32 [len(seeds), ...], images in [-1, 1].

        Args:
            seeds: Ints [n] in the range of int64.
            labels: Int or string, or [n] of them: the classes for a conditional model, by number
                or by name. Default: None, each drawn from its seed.
            component: Int, the component of a mixture that makes all examples. Default: None, each
                drawn from its seed. A conditional model then needs `labels`.
            truncation: Float above 0: restricts the values of the latents to
                [-truncation, truncation], as `gan.sample` does. Default: None, as drawn.

        Raises:
            ValueError: If an argument is invalid.
        """
        rows = ints("seeds", seeds)
        keys = {"seed": rows, "index": np.zeros_like(rows)}
        return self._draw(keys, labels, component, truncation)

    def generate(
        self,
        n: int,
        seed: int,
        *,
        labels: ArrayLike | None = None,
        component: int | None = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Returns `n` examples, those of `gan.sample(n, seed=seed)`: float32 [n, ...].

        Args:
            n: Int of at least 1.
            seed: Int in the range of int64.
            labels: See `sample`.
            component: See `sample`.
            truncation: See `sample`.

        Raises:
            ValueError: If an argument is invalid.
        """
        checks.positive_int("n", n)
        (first,) = ints("seed", [seed])
        keys = {"seed": np.full(n, first), "index": np.arange(n)}
        return self._draw(keys, labels, component, truncation)

    def mixture_weights(self) -> np.ndarray:
        """Returns the probability of each component: float32 [k], [1.0] for a plain generator."""
        weights: np.ndarray = self._on_one_version(
            lambda target: self._rows(target, "mixture_weights", "weights", {"probe": np.zeros(1)}),
            is_single=True,
        )[0]
        return weights

    def class_names(self) -> list[str]:
        """Returns the names of the classes 0, 1, ..., empty if the export has none."""
        return self._on_one_version(self._class_names, is_single=False)

    def predict(self, signature: str, inputs: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
        """Returns the outputs of any signature by name, in a single request.

        Args:
            signature: String, a key of `metadata().signatures`.
            inputs: Arrays by name.

        Raises:
            ValueError: If the model has no such signature, or the inputs do not match.
        """
        return self._on_one_version(
            lambda target: self._predict(target, signature, inputs), is_single=True
        )

    def status(self) -> list[VersionStatus]:
        """Returns a `VersionStatus` (version, state, error) for each version on the server."""
        return self._with_retries(self._transport.status)

    def metadata(self) -> Metadata:
        """Returns `Metadata`: the version that answers, and its signatures by name."""
        self._known = self._with_retries(self._transport.metadata)
        return self._known

    def _draw(
        self,
        keys: Mapping[str, np.ndarray],
        labels: ArrayLike | None,
        component: int | None,
        truncation: float | None,
    ) -> np.ndarray:
        """Returns the examples of keys: the inputs "seed" and "index", int64 [n] each."""
        inputs, num = dict(keys), len(keys["seed"])
        if truncation is not None:
            checks.positive("truncation", truncation)
            inputs["truncation"] = np.full(num, truncation, np.float32)
        if component is not None and checks.int_at_least("component", component, 0) >= 2**31:
            raise ValueError(f"`component` must be below 2**31. Received: {component}")
        # With labels, the version must be known: over REST, a version without this input would
        # ignore them.
        is_single = num <= self._batch_size and labels is None and component is None
        return self._on_one_version(
            lambda target: self._images(target, inputs, labels, component), is_single=is_single
        )

    def _images(
        self,
        target: _Target,
        inputs: Mapping[str, np.ndarray],
        labels: ArrayLike | None,
        component: int | None,
    ) -> np.ndarray:
        num, is_truncated = len(inputs["seed"]), "truncation" in inputs
        signature = "sample_truncated" if is_truncated else "sample_at"
        classes = self._labels(target, signature, labels, num)
        if component is None:
            return self._rows(target, signature, "images", {**inputs, **classes})
        if classes and labels is None:
            raise ValueError(
                "`labels` must be set with `component` for a conditional model. Received: None"
            )
        if is_truncated:
            latents = self._rows(target, signature, "latents", {**inputs, **classes})
        else:
            latents = self._rows(target, "latents", "latents", inputs)
        pinned = {"latents": latents, "components": np.full(num, component), **classes}
        return self._rows(target, "component", "images", pinned)

    def _class_names(self, target: _Target) -> list[str]:
        if "class_names" not in target.signatures:
            return []
        (names,) = self._rows(target, "class_names", "names", {"probe": np.zeros(1)})
        return [name.decode() for name in names.tolist()]

    def _labels(
        self, target: _Target, signature: str, labels: ArrayLike | None, rows: int
    ) -> dict[str, np.ndarray]:
        if "labels" not in _signature(target, signature).inputs:
            if labels is not None:
                raise ValueError(
                    "The served model is not conditional: it takes no labels. Received: "
                    f"{checks.short(labels)}"
                )
            return {}
        texts = np.asarray(labels)
        if texts.size and all(isinstance(text, str) for text in texts.ravel().tolist()):
            known = self._class_names(target)
            numbers = [number(name, known) for name in texts.ravel().tolist()]
            labels = numbers if texts.ndim else numbers[0]
        classes = ints("labels", [_DRAWN] if labels is None else np.atleast_1d(labels), "int32")
        if labels is not None and classes.min() < 0:
            raise ValueError(
                f"`labels` must be classes, from 0 on. Received: {checks.short(labels)}. Leave "
                "them out to have them drawn"
            )
        if labels is not None and np.ndim(labels) and len(classes) != rows:
            raise ValueError(
                f"`labels` must have a class for each of the {rows} examples. Received: "
                f"{len(classes)}"
            )
        return {"labels": np.broadcast_to(classes, rows)}

    def _rows(
        self, target: _Target, signature: str, output: str, inputs: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Returns an output with a row for each row of the inputs, in as many requests as needed.

        Raises ServingError if a reply has another number of rows.
        """
        if output not in (outputs := _signature(target, signature).outputs):
            raise ValueError(
                f"The outputs of {signature!r} must include {output!r}, as in exports of tfgans. "
                f"Received: {joined_names(outputs)}"
            )
        rows = len(next(iter(inputs.values())))
        parts = []
        for start in range(0, rows, self._batch_size):
            batch = {
                name: value[start : start + self._batch_size] for name, value in inputs.items()
            }
            sent = min(self._batch_size, rows - start)
            part = self._predict(target, signature, batch)[output]
            if part.shape[:1] != (sent,):
                raise ServingError(
                    f"The server must answer {sent} rows with as many rows of {output!r}. "
                    f"Received: shape {part.shape}",
                    code=self._transport.ok,
                )
            parts.append(part)
        return np.concatenate(parts)

    def _predict(
        self, target: _Target, signature: str, inputs: Mapping[str, ArrayLike]
    ) -> dict[str, np.ndarray]:
        info = _signature(target, signature)
        if inputs.keys() != info.inputs.keys():
            raise ValueError(
                f"The inputs of {signature!r} are: {joined_names(info.inputs)}. Received: "
                f"{joined_names(inputs)}"
            )
        arrays = {name: converted(name, inputs[name], info.inputs[name]) for name in info.inputs}
        return self._with_retries(
            lambda: self._transport.predict(signature, arrays, info, target.version)
        )

    def _on_one_version(self, call: Callable[[_Target], _T], *, is_single: bool) -> _T:
        """Returns the result of a call whose requests are all answered by the same version.

        The call is repeated if another version has taken the place of the expected one.

        Args:
            call: Function of a `_Target` that builds and sends the requests.
            is_single: Bool, whether it sends a single request, for which the signatures that are
                known do: a newer version with others refuses it.
        """
        is_pinned = self._version is None and not is_single
        known = None if is_pinned else self._known
        attempts = _VERSIONS_TRIED
        while True:
            attempts -= 1
            model = known or self.metadata()
            try:
                return call(_Target(model.version if is_pinned else None, model.signatures))
            except (ServingError, ValueError) as error:
                code = error.code if isinstance(error, ServingError) else None
                is_gone = is_pinned and code in _NOT_FOUND
                may_be_outdated = known is not None and (code is None or code in _REFUSALS)
                is_outdated = is_gone or (may_be_outdated and self._is_outdated(model))
                if not attempts or not is_outdated:
                    raise
                known = None if is_pinned else self._known

    def _is_outdated(self, known: Metadata) -> bool:
        try:
            return self.metadata() != known
        except OSError:
            return False  # The caller raises the first error, which says more.

    def _with_retries(self, call: Callable[[], _T]) -> _T:
        if self._is_closed:
            raise ValueError("The client is closed. Make a new `Client`")
        pause = _FIRST_PAUSE_S
        for _ in range(self._retries):
            try:
                return call()
            except ConnectionError:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        return call()


def _signature(target: _Target, name: str) -> SignatureInfo:
    if name not in target.signatures:
        raise ValueError(
            f"The served model has no signature {name!r}, but: {joined_names(target.signatures)}"
        )
    return target.signatures[name]


def _transport(address: str, settings: RequestSettings) -> Transport:
    expected = "`address` must be http://HOST:PORT, https://HOST or grpc://HOST:PORT"
    # Errors do not repeat a password.
    received = checks.short(re.sub(r"//.*@", "//...@", str(address)))
    try:
        url = urllib3.util.parse_url(str(address))
    except urllib3.exceptions.LocationParseError:
        raise ValueError(f"{expected}. Received: {received}") from None
    if (url.auth, url.query, url.fragment) != (None, None, None):
        raise ValueError(
            f"{expected}, without a user, query or fragment. Received: {received}. Credentials go "
            "into `headers`"
        )
    if url.scheme in ("http", "https") and url.host:
        return RestTransport(str(address), settings)
    if url.scheme == "grpc" and url.host and url.port and url.path in (None, "/"):
        try:
            from tfgans.serving.client.grpc_transport import GrpcTransport
        except ImportError as error:
            raise ImportError(
                f"gRPC needs more packages: {checks.install_command('serving')}. "
                f"Missing: {error.name}"
            ) from error
        return GrpcTransport(f"{url.host}:{url.port}", settings)
    raise ValueError(f"{expected}. Received: {received}")
