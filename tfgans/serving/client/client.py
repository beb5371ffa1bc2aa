"""Asks a served generator for samples, over REST or gRPC, without TensorFlow on this side."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np
import urllib3

from tfgans import checks
from tfgans.serving.client.inputs import converted, ints, is_int, is_name
from tfgans.serving.client.rest import RestTransport
from tfgans.serving.client.rest_format import SignatureInfo, names
from tfgans.serving.client.transport import Metadata, ServingError, Transport, VersionStatus

__all__ = ["Client", "Metadata", "ServingError", "VersionStatus"]

_FIRST_PAUSE_S = 0.1
_LONGEST_TIMEOUT_S = 86400
# Codes of what is not there, and of all that may be due to a request or a reply of another version.
_ABSENT = {"404", "NOT_FOUND"}
_REFUSALS = {"200", "400", "INVALID_ARGUMENT", *_ABSENT}
# How often rows are asked for anew because the version that made the first ones is gone.
_VERSIONS_TRIED = 3
# As the signatures have it: a class that is drawn from the seed.
_DRAWN = -1


_T = TypeVar("_T")


class Client:
    """Samples from a generator that TF Serving, or `bin/serve.py`, serves.

    The same seed gives the same images as where the model was trained: `generate(n, seed)` is
    `gan.sample(n, seed=seed)`, up to the rounding of float32. More rows than `batch_size` go in
    several requests.

    Args:
        address: "http://host:8501" (REST) or "grpc://host:8500"; https works too. gRPC needs the
            package tensorflow-serving-api, which brings TensorFlow.
        model: String, the name under which the model is served.
        version: Int, a version to stay with. Default: the newest.
        label: String, a version label of TF Serving instead of a version.
        timeout: Float, seconds that a request may take, up to a day. Default: 30.
        retries: Int, how often a request that did not get through is repeated, after pauses of
            0.1 s, 0.2 s, 0.4 s, ... What a server answers is final, but for gRPC's UNAVAILABLE,
            which also stands for a server that is not reached. Default: 3.
        batch_size: Int, rows a request. Default: 64.

    Raises:
        ValueError: If an argument is out of its range.
        ImportError: If gRPC is asked for and its packages are not installed.

    All methods raise `ConnectionError` if the server cannot be reached, `TimeoutError` if it takes
    too long, `ServingError` with its message if it refuses or fails. All three are `OSError`.

    Example:

    ```python
    from tfgans.serving.client.client import Client

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
        if version is not None and (not is_int(version) or version < 0):
            raise ValueError(
                f"`version` must be an int of at least 0. Received: {checks.short(version)}"
            )
        if label is not None and not is_name(label):
            raise ValueError(f"`label` must be a version label. Received: {checks.short(label)}")
        if version is not None and label is not None:
            raise ValueError("Give `version` or `label`, not both")
        if not isinstance(timeout, int | float) or not 0 < timeout <= _LONGEST_TIMEOUT_S:
            raise ValueError(
                f"`timeout` must be seconds above 0. Received: {checks.short(timeout)}"
            )
        for name, value, least in (("retries", retries, 0), ("batch_size", batch_size, 1)):
            if not is_int(value) or value < least:
                raise ValueError(
                    f"`{name}` must be an int of at least {least}. Received: {checks.short(value)}"
                )
        self._transport = _transport(address, model, version, label, timeout)
        self._version = version
        self._retries, self._batch_size = retries, batch_size
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
        seeds: Sequence[int] | np.ndarray,
        *,
        labels: int | Sequence[int] | np.ndarray | None = None,
        component: int | None = None,
    ) -> np.ndarray:
        """Returns an example for each seed: float32 [len(seeds), ...], images in [-1, 1].

        Args:
            seeds: Ints [n] in the range of int64.
            labels: Int, or ints [n], the classes of a conditional model. Default: each is drawn
                from its seed.
            component: Int, the one component of a mixture that makes all. Default: each is drawn.

        Raises:
            ValueError: If the arguments are not as above.
        """
        rows = ints("seeds", seeds)
        return self._draw(rows, np.zeros_like(rows), labels, component)

    def generate(
        self,
        n: int,
        seed: int,
        *,
        labels: int | Sequence[int] | np.ndarray | None = None,
        component: int | None = None,
    ) -> np.ndarray:
        """Returns `n` examples, those of `gan.sample(n, seed=seed)`: float32 [n, ...].

        Args:
            n: Int of at least 1.
            seed: Int in the range of int64.
            labels: As in `sample`.
            component: As in `sample`.

        Raises:
            ValueError: If the arguments are not as above.
        """
        if not is_int(n) or n < 1:
            raise ValueError(f"`n` must be an int of at least 1. Received: {checks.short(n)}")
        (first,) = ints("seed", [seed])
        return self._draw(np.full(n, first), np.arange(n), labels, component)

    def mixture_weights(self) -> np.ndarray:
        """Returns float32 [k]: how often each component is drawn; [1.0] of a plain generator."""
        return self.predict("mixture_weights", {})["weights"]

    def predict(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns the outputs of any signature by name, in one request.

        Args:
            signature: String; `metadata().signatures` lists them.
            inputs: Arrays by name.

        Raises:
            ValueError: If there is no such signature, or its inputs are others.
        """
        before = self._known
        try:
            return self._predict(signature, inputs)
        except (ServingError, ValueError) as error:
            # Another version may have come, whose signatures are others.
            if getattr(error, "code", "400") not in _REFUSALS or not self._is_outdated(before):
                raise
            return self._predict(signature, inputs)

    def status(self) -> list[VersionStatus]:
        """Returns a `VersionStatus` (version, state, error) for each version the server knows."""
        return self._retrying(self._transport.status)

    def metadata(self) -> Metadata:
        """Returns `Metadata`: the version that answers, and its signatures by name."""
        self._known = self._retrying(self._transport.metadata)
        return self._known

    def _draw(
        self, seeds: np.ndarray, index: np.ndarray, labels: Any, component: int | None
    ) -> np.ndarray:
        inputs = {"seed": seeds, "index": index}
        given = self._labels("sample_at", labels, len(seeds))
        if component is None:
            return self._in_batches("sample_at", {**inputs, **given})["images"]
        if not is_int(component) or not 0 <= component < 2**31:
            raise ValueError(
                f"`component` must be an int of at least 0. Received: {checks.short(component)}"
            )
        if given and labels is None:
            raise ValueError("With `component`, a conditional model needs `labels`")
        latents = self._in_batches("latents", inputs)["latents"]
        chosen = np.full(len(seeds), component, np.int32)
        pinned = {"latents": latents, "components": chosen, **given}
        return self._in_batches("component", pinned)["images"]

    def _labels(self, signature: str, labels: Any, rows: int) -> dict[str, np.ndarray]:
        if "labels" not in self._signature(signature).inputs:
            if labels is not None:
                raise ValueError("The served model is not conditional: it takes no labels")
            return {}
        given = ints("labels", [_DRAWN] if labels is None else np.atleast_1d(labels), "int32")
        if np.ndim(labels if labels is not None else 0) and len(given) != rows:
            raise ValueError(f"`labels` must be {rows}, one an example. Received: {len(given)}")
        return {"labels": np.broadcast_to(given, rows)}

    def _in_batches(
        self, signature: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Returns rows that all come from one version, in as many requests as they need."""
        rows = len(next(iter(inputs.values())))
        if rows <= self._batch_size:
            return self.predict(signature, inputs)
        parts = [slice(at, at + self._batch_size) for at in range(0, rows, self._batch_size)]
        attempts = _VERSIONS_TRIED
        while True:
            attempts -= 1
            version = self.metadata().version if self._version is None else self._version
            try:
                made = [
                    self._predict(
                        signature, {name: one[part] for name, one in inputs.items()}, version
                    )
                    for part in parts
                ]
                return {name: np.concatenate([one[name] for one in made]) for name in made[0]}
            except ServingError as error:
                # The version went in between, and a newer one is there.
                if error.code not in _ABSENT or not attempts:
                    raise

    def _predict(
        self, signature: str, inputs: Mapping[str, Any], version: int | None = None
    ) -> dict[str, np.ndarray]:
        info = self._signature(signature)
        if inputs.keys() != info.inputs.keys():
            raise ValueError(
                f"The inputs of {signature!r} are: {names(info.inputs)}. Received: {names(inputs)}"
            )
        given = {name: converted(name, inputs[name], info.inputs[name]) for name in info.inputs}
        return self._retrying(lambda: self._transport.predict(signature, given, info, version))

    def _is_outdated(self, known: Metadata | None) -> bool:
        try:
            return known is not None and self.metadata() != known
        except OSError:
            return False  # the error that led here tells more

    def _signature(self, name: str) -> SignatureInfo:
        known = self._known or self.metadata()
        if name not in known.signatures:
            raise ValueError(
                f"The served model has no signature {name!r}, but: {names(known.signatures)}"
            )
        return known.signatures[name]

    def _retrying(self, call: Callable[[], _T]) -> _T:
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
                "gRPC needs more packages: pip install -e '.[serving]' in the checkout of tfgans. "
                f"Missing: {error.name}"
            ) from error
        return GrpcTransport(f"{url.host}:{url.port}", model, version, label, timeout)
    raise ValueError(f"{expected}. Received: {checks.short(address)}")
