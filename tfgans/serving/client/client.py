"""Draws samples from a served generator over REST or gRPC."""

import time
from collections.abc import Callable, Mapping
from typing import Self, TypeVar

import numpy as np
import urllib3
from numpy.typing import ArrayLike

from tfgans import checks
from tfgans.class_names import number
from tfgans.serving.client.inputs import converted, ints, is_int, is_name
from tfgans.serving.client.rest import RestTransport
from tfgans.serving.client.rest_format import SignatureInfo, joined_names
from tfgans.serving.client.transport import Metadata, ServingError, Transport, VersionStatus

__all__ = ["Client", "Metadata", "ServingError", "VersionStatus"]

_T = TypeVar("_T")
_FIRST_PAUSE_S = 0.1
_LONGEST_TIMEOUT_S = 86400
# Codes for a missing model or version, and for all errors that may come from a request or a reply
# of another version.
_NOT_FOUND = {"404", "NOT_FOUND"}
_REFUSALS = {"200", "400", "INVALID_ARGUMENT", *_NOT_FOUND}
# The number of versions to try when a version disappears between two requests of a batch.
_VERSIONS_TRIED = 3
# The label for a class drawn from the seed, as in the signatures.
_DRAWN = -1


class Client:
    """Draws samples from a generator that TensorFlow Serving or `tfgans serve` serves.

    The same seed gives the same images as in training: up to the rounding of float32,
    `generate(n, seed)` is `gan.sample(n, seed=seed)`. More rows than `batch_size` go in several
    requests, all answered by the same version.

    Args:
        address: "http://HOST:8501" or "https://HOST" (REST), or "grpc://HOST:8500". gRPC needs the
            package tensorflow-serving-api, which brings TensorFlow.
        model: String, the name of the served model.
        version: Int, the version to ask. Default: None, the newest.
        label: String, a version label of TensorFlow Serving instead of a version. Default: None.
        timeout: Float, seconds for a request, in (0, 86400]. Default: 30.
        retries: Int of at least 0, repetitions of a request without a whole reply, after pauses of
            0.1 s, 0.2 s, 0.4 s, ...: a request changes nothing, so it may arrive twice. Replies are
            final, except for gRPC's UNAVAILABLE, which also stands for a server that cannot be
            reached. Default: 3.
        batch_size: Int of at least 1, rows per request. Default: 64.

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
    ```
    """

    def __init__(
        self,
        address: str,
        *,
        model: str,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        batch_size: int = 64,
    ) -> None:
        if not is_name(model):
            raise ValueError(
                f"`model` must be the name of a served model. Received: {checks.short(model)}"
            )
        if version is not None:
            checks.int_at_least("version", version, 0)
        if label is not None and not is_name(label):
            raise ValueError(f"`label` must be a version label. Received: {checks.short(label)}")
        if version is not None and label is not None:
            raise ValueError("Give `version` or `label`, not both")
        if not isinstance(timeout, int | float) or not 0 < timeout <= _LONGEST_TIMEOUT_S:
            raise ValueError(
                f"`timeout` must be seconds above 0, up to {_LONGEST_TIMEOUT_S}. Received: "
                f"{checks.short(timeout)}"
            )
        self._retries = checks.int_at_least("retries", retries, 0)
        self._batch_size = checks.positive_int("batch_size", batch_size)
        self._transport = _transport(address, model, version, label, timeout)
        self._version = version
        self._known: Metadata | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
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
        return self._draw(rows, np.zeros_like(rows), labels, component, truncation)

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
        return self._draw(np.full(n, first), np.arange(n), labels, component, truncation)

    def mixture_weights(self) -> np.ndarray:
        """Returns the probability of each component: float32 [k], [1.0] for a plain generator."""
        return self.predict("mixture_weights", {"probe": [0.0]})["weights"][0]

    def class_names(self) -> list[str]:
        """Returns the names of the classes 0, 1, ..., empty if the export has none."""
        if "class_names" not in self.metadata().signatures:
            return []
        names = self.predict("class_names", {"probe": [0.0]})["names"][0]
        return [name.decode() for name in names.tolist()]

    def predict(self, signature: str, inputs: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
        """Returns the outputs of any signature by name, in a single request.

        Args:
            signature: String, a key of `metadata().signatures`.
            inputs: Arrays by name.

        Raises:
            ValueError: If the model has no such signature, or the inputs do not match.
        """
        before = self._known
        try:
            return self._predict(signature, inputs)
        except (ServingError, ValueError) as error:
            # A new version may have other signatures.
            if getattr(error, "code", "400") not in _REFUSALS or not self._is_outdated(before):
                raise
            return self._predict(signature, inputs)

    def status(self) -> list[VersionStatus]:
        """Returns a `VersionStatus` (version, state, error) for each version on the server."""
        return self._with_retries(self._transport.status)

    def metadata(self) -> Metadata:
        """Returns `Metadata`: the version that answers, and its signatures by name."""
        self._known = self._with_retries(self._transport.metadata)
        return self._known

    def _draw(
        self,
        seeds: np.ndarray,
        index: np.ndarray,
        labels: ArrayLike | None,
        component: int | None,
        truncation: float | None,
    ) -> np.ndarray:
        inputs, signature = {"seed": seeds, "index": index}, "sample_at"
        if truncation is not None:
            checks.positive("truncation", truncation)
            inputs["truncation"] = np.full(len(seeds), truncation, np.float32)
            signature = "sample_truncated"
        before = self._known
        try:
            classes = self._labels(signature, labels, len(seeds))
        except ValueError:
            # A version that was published since may have the signature, or take labels.
            if not self._is_outdated(before):
                raise
            classes = self._labels(signature, labels, len(seeds))
        if component is None:
            return self._in_batches(signature, {**inputs, **classes})["images"]
        if not is_int(component) or not 0 <= component < 2**31:
            raise ValueError(
                f"`component` must be an int of at least 0. Received: {checks.short(component)}"
            )
        if classes and labels is None:
            raise ValueError(
                "`labels` must be set with `component` for a conditional model. Received: None"
            )
        if truncation is None:
            latents = self._in_batches("latents", inputs)["latents"]
        else:
            latents = self._in_batches(signature, {**inputs, **classes})["latents"]
        components = np.full(len(seeds), component, np.int32)
        pinned = {"latents": latents, "components": components, **classes}
        return self._in_batches("component", pinned)["images"]

    def _labels(self, signature: str, labels: ArrayLike | None, rows: int) -> dict[str, np.ndarray]:
        if "labels" not in self._signature(signature).inputs:
            if labels is not None:
                raise ValueError(
                    "The served model is not conditional: it takes no labels. Received: "
                    f"{checks.short(labels)}"
                )
            return {}
        texts = np.asarray(labels)
        if texts.size and all(isinstance(text, str) for text in texts.ravel().tolist()):
            known = self.class_names()
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

    def _in_batches(
        self, signature: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Returns rows that all come from the same version, in as many requests as they need."""
        rows = len(next(iter(inputs.values())))
        if rows <= self._batch_size:
            return self.predict(signature, inputs)
        slices = [slice(at, at + self._batch_size) for at in range(0, rows, self._batch_size)]
        attempts = _VERSIONS_TRIED
        while True:
            attempts -= 1
            version = self.metadata().version if self._version is None else self._version
            try:
                parts = [
                    self._predict(
                        signature, {name: value[part] for name, value in inputs.items()}, version
                    )
                    for part in slices
                ]
                return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            except ServingError as error:
                # A newer version has replaced this version.
                if error.code not in _NOT_FOUND or not attempts:
                    raise

    def _predict(
        self, signature: str, inputs: Mapping[str, ArrayLike], version: int | None = None
    ) -> dict[str, np.ndarray]:
        info = self._signature(signature)
        if inputs.keys() != info.inputs.keys():
            raise ValueError(
                f"The inputs of {signature!r} are: {joined_names(info.inputs)}. Received: "
                f"{joined_names(inputs)}"
            )
        arrays = {name: converted(name, inputs[name], info.inputs[name]) for name in info.inputs}
        return self._with_retries(lambda: self._transport.predict(signature, arrays, info, version))

    def _is_outdated(self, known: Metadata | None) -> bool:
        try:
            return known is not None and self.metadata() != known
        except OSError:
            return False  # The caller raises the first error, which says more.

    def _signature(self, name: str) -> SignatureInfo:
        signatures = (self._known or self.metadata()).signatures
        if name not in signatures:
            raise ValueError(
                f"The served model has no signature {name!r}, but: {joined_names(signatures)}"
            )
        return signatures[name]

    def _with_retries(self, call: Callable[[], _T]) -> _T:
        for attempt in range(self._retries):
            try:
                return call()
            except ConnectionError:
                time.sleep(_FIRST_PAUSE_S * 2**attempt)
        return call()


def _transport(
    address: str, model: str, version: int | None, label: str | None, timeout: float
) -> Transport:
    expected = "`address` must be http://HOST:PORT, https://HOST or grpc://HOST:PORT"
    try:
        url = urllib3.util.parse_url(str(address))
    except urllib3.exceptions.LocationParseError as error:
        raise ValueError(f"{expected}. Received: {checks.short(address)}") from error
    if url.scheme in ("http", "https") and url.host:
        return RestTransport(str(address), model, version, label, timeout)
    if url.scheme == "grpc" and url.host and url.port and url.path in (None, "/"):
        try:
            from tfgans.serving.client.grpc_transport import GrpcTransport
        except ImportError as error:
            raise ImportError(
                f"gRPC needs more packages: {checks.install_command('serving')}. "
                f"Missing: {error.name}"
            ) from error
        return GrpcTransport(f"{url.host}:{url.port}", model, version, label, timeout)
    raise ValueError(f"{expected}. Received: {checks.short(address)}")
