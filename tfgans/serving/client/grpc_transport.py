"""TF Serving's gRPC API, by the stubs of the package tensorflow-serving-api."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfgans.serving.client.rest import signatures_of
from tfgans.serving.client.rest_format import SignatureInfo
from tfgans.serving.client.transport import Metadata, ServingError, VersionStatus

_OPTIONS = [
    # A batch of images is larger than gRPC's 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Else the client's repetitions fall into gRPC's own pause of a second, and fail by it.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    # As over REST, where a proxy is an address of its own.
    ("grpc.enable_http_proxy", 0),
]


class GrpcTransport:
    """A model of a server at host:port."""

    def __init__(
        self, address: str, model: str, version: int | None, label: str | None, timeout: float
    ) -> None:
        self._server, self._timeout = address, timeout
        self._spec = model_pb2.ModelSpec(name=model)
        if version is not None:
            self._spec.version.value = version
        if label is not None:
            self._spec.version_label = label
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
        """Returns the outputs by name, of `version` instead of what the client is pinned to."""
        request = predict_pb2.PredictRequest(model_spec=self._spec)
        if version is not None:
            request.model_spec.version.value = version
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            dtype = tf.as_dtype(info.inputs[name].dtype)
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value, dtype=dtype))
        reply = self._ask(self._predictions.Predict, request)
        return {name: tf.make_ndarray(value) for name, value in reply.outputs.items()}

    def status(self) -> list[VersionStatus]:
        """Returns the versions of the model."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec)
        states = get_model_status_pb2.ModelVersionStatus.State
        return [
            VersionStatus(one.version, states.Name(one.state), one.status.error_message)
            for one in self._ask(self._models.GetModelStatus, request).model_version_status
        ]

    def metadata(self) -> Metadata:
        """Returns the version and its signatures."""
        field = "signature_def"
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec, metadata_field=[field]
        )
        reply = self._ask(self._predictions.GetModelMetadata, request)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        reply.metadata[field].Unpack(definitions)
        found = json_format.MessageToDict(definitions, preserving_proto_field_name=True)
        return Metadata(reply.model_spec.version.value, signatures_of(found["signature_def"]))

    def close(self) -> None:
        """Closes the connections."""
        self._channel.close()

    def _ask(self, call: Callable[..., Any], request: Any) -> Any:
        try:
            return call(request, timeout=self._timeout)
        except grpc.RpcError as error:
            code, told = error.code(), error.details()
            if code == grpc.StatusCode.UNAVAILABLE:
                # From the server too, which says so while it is overloaded.
                raise ConnectionError(f"{self._server} cannot be reached now: {told}") from error
            if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                late = f"{self._server} did not answer within {self._timeout} s"
                raise TimeoutError(late) from error
            message = f"{self._server} answered {code.name}: {told}"
            raise ServingError(message, code=code.name) from error
