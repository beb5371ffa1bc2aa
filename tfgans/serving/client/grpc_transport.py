"""TensorFlow Serving's gRPC API, with the stubs of the package tensorflow-serving-api.

The stubs import TensorFlow: the REST transport is the way without it.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format, message
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfgans.serving.client.rest_format import (
    SignatureInfo,
    check_tensor,
    dtype_name,
    signatures_from_json,
)
from tfgans.serving.client.transport import (
    Metadata,
    RequestSettings,
    ServingError,
    VersionStatus,
    parsed,
)

_METADATA_FIELD = "signature_def"
# Of a tensor, since the server may be malicious: equal elements may come as a single one. 64 images
# of 1024 x 1024 pixels have less than half of it.
_MOST_ELEMENTS = 2**29

_OPTIONS = [
    # A batch of images is larger than gRPC's limit of 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Otherwise retries of `Client` fail within gRPC's pause of a second.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    # REST does not use a proxy of the environment either.
    ("grpc.enable_http_proxy", 0),
]


class GrpcTransport:
    """Connects to a model at HOST:PORT.

    Args:
        address: "HOST:PORT".
        settings: `RequestSettings`.
    """

    ok = "OK"

    def __init__(self, address: str, settings: RequestSettings) -> None:
        model, version, version_label, timeout, headers = settings
        self._server, self._timeout = address, timeout
        # gRPC takes names in lower case only.
        self._metadata = [(name.lower(), value) for name, value in headers.items()]
        self._spec = model_pb2.ModelSpec(name=model)
        if version is not None:
            self._spec.version.value = version
        if version_label is not None:
            self._spec.version_label = version_label
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        info: SignatureInfo,
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        """See `Transport.predict`."""
        request = predict_pb2.PredictRequest(model_spec=self._spec)
        if version is not None:
            request.model_spec.version.value = version
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            dtype = tf.as_dtype(info.inputs[name].dtype)
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value, dtype=dtype))
        reply = self._request(self._predictions.Predict, request)
        return parsed(self._server, self.ok, lambda: _outputs(reply, info))

    def status(self) -> list[VersionStatus]:
        """See `Transport.status`."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec)
        states = get_model_status_pb2.ModelVersionStatus.State
        reply = self._request(self._models.GetModelStatus, request)
        return [
            VersionStatus(entry.version, states.Name(entry.state), entry.status.error_message)
            for entry in reply.model_version_status
        ]

    def metadata(self) -> Metadata:
        """See `Transport.metadata`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec, metadata_field=[_METADATA_FIELD]
        )
        reply = self._request(self._predictions.GetModelMetadata, request)
        signatures = parsed(self._server, self.ok, lambda: _signatures(reply))
        return Metadata(reply.model_spec.version.value, signatures)

    def close(self) -> None:
        """See `Transport.close`."""
        self._channel.close()

    # gRPC's stubs have no types.
    def _request(self, call: Callable[..., Any], request: Any) -> Any:
        try:
            return call(request, timeout=self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            if code == grpc.StatusCode.UNAVAILABLE:
                # An overloaded server answers this too.
                raise ConnectionError(f"{self._server} cannot be reached now: {details}") from error
            if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise TimeoutError(
                    f"{self._server} did not answer within {self._timeout} s"
                ) from error
            message = f"{self._server} answered {code.name}: {details}"
            raise ServingError(message, code=code.name) from error


def _signatures(reply: get_model_metadata_pb2.GetModelMetadataResponse) -> dict[str, SignatureInfo]:
    definitions = get_model_metadata_pb2.SignatureDefMap()
    try:
        is_complete = reply.metadata[_METADATA_FIELD].Unpack(definitions)
    except message.DecodeError as error:
        raise ValueError(f"expected a SignatureDefMap. Received: {error}") from error
    if not is_complete:
        raise ValueError("expected a SignatureDefMap. Received: none")
    as_json = json_format.MessageToDict(definitions, preserving_proto_field_name=True)
    return signatures_from_json(as_json.get("signature_def", {}))


def _outputs(reply: predict_pb2.PredictResponse, info: SignatureInfo) -> dict[str, np.ndarray]:
    outputs = {}
    for name, tensor in info.outputs.items():
        if name not in reply.outputs:
            raise ValueError(f"the output {name!r} is missing")
        value = reply.outputs[name]
        shape = [dim.size for dim in value.tensor_shape.dim]
        check_tensor(name, tensor, dtype_name(types_pb2.DataType.Name(value.dtype)), shape)
        if math.prod(shape) > _MOST_ELEMENTS:
            raise ValueError(f"{name!r} must have at most {_MOST_ELEMENTS:,} elements")
        outputs[name] = tf.make_ndarray(value)
    return outputs
