"""Servers of an export, for tests: ours, one of gRPC made of TF Serving's stubs, and TF Serving."""

import contextlib
import re
import shutil
import socket
import subprocess
import threading
import time
from concurrent import futures
from pathlib import Path

import commands
import grpc
import tensorflow as tf
from google.protobuf import any_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfgans.serving.client.rest_format import InvalidRequestError
from tfgans.serving.server.served_model import ServedModel

TF_SERVING = shutil.which("tensorflow_model_server")


@contextlib.contextmanager
def rest(folder, flags=""):
    """Runs bin/serve.py; yields its process and its address."""
    arguments = commands.command(
        "serve.py", f"--model_dir={{folder}} --port=0 {flags}", folder=folder
    )
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        # Read along, so that a server that logs much does not wait for us.
        log = []
        reader = threading.Thread(target=lambda: log.extend(process.stderr))
        reader.start()
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, "".join(log)
            process.log = log
            yield process, found[0].rstrip("/")
        finally:
            process.terminate()
            process.wait(30)
            reader.join()


@contextlib.contextmanager
def tf_serving(folder):
    """Runs tensorflow_model_server; yields its REST and its gRPC address."""
    ports = [_free_port(), _free_port()]
    with subprocess.Popen(
        [
            TF_SERVING,
            f"--rest_api_port={ports[0]}",
            f"--port={ports[1]}",
            f"--model_name={folder.name}",
            f"--model_base_path={folder}",
        ],
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            for port in ports:
                _wait_for(port)
            yield f"http://127.0.0.1:{ports[0]}", f"grpc://127.0.0.1:{ports[1]}"
        finally:
            process.terminate()


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def _wait_for(port):
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


@contextlib.contextmanager
def grpc_double(folder, name=None, port=0):
    """Answers as TF Serving does over gRPC, in this process; yields its address and its calls."""
    double = _Double(folder, name or Path(folder).name)
    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(double, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(double, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}", double
    finally:
        server.stop(None).wait()


class _Double(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """One version; `mishaps` are codes that the next calls end with."""

    def __init__(self, folder, name):
        self.folder, self.name = Path(folder), name
        self.model = ServedModel(self.folder / "1")
        self.mishaps, self.delay, self.calls = [], 0.0, 0

    def _check(self, spec, context):
        self.calls += 1
        time.sleep(self.delay)
        if self.mishaps:
            context.abort(self.mishaps.pop(0), "a mishap")
        known = spec.name == self.name and not spec.version_label
        if not known or (spec.HasField("version") and spec.version.value != 1):
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {spec.name}")

    def Predict(self, request, context):
        self._check(request.model_spec, context)
        signature = request.model_spec.signature_name or "serving_default"
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        try:
            outputs = self.model.run(signature, inputs)
        except InvalidRequestError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        reply = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, value in outputs.items():
            reply.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return reply

    def GetModelMetadata(self, request, context):
        self._check(request.model_spec, context)
        saved = saved_model_pb2.SavedModel.FromString(
            (self.folder / "1" / "saved_model.pb").read_bytes()
        )
        definitions = get_model_metadata_pb2.SignatureDefMap(
            signature_def=saved.meta_graphs[0].signature_def
        )
        reply = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        reply.model_spec.version.value = 1
        packed = any_pb2.Any()
        packed.Pack(definitions)
        reply.metadata["signature_def"].CopyFrom(packed)
        return reply

    def GetModelStatus(self, request, context):
        self._check(request.model_spec, context)
        reply = get_model_status_pb2.GetModelStatusResponse()
        reply.model_version_status.add(
            version=1, state=get_model_status_pb2.ModelVersionStatus.AVAILABLE
        )
        return reply
