"""Servers of an export for tests: bin/serve.py, a double of TensorFlow Serving, and itself."""

import contextlib
import functools
import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from concurrent import futures
from pathlib import Path

import grpc
import served
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
from waiting import wait_for

from tfgans.serving.client.rest_format import InvalidRequestError
from tfgans.serving.server.served_model import ServedModel

TF_SERVING = shutil.which("tensorflow_model_server")


class Connection:
    """Sends requests on a single connection."""

    def __init__(self, address):
        self.http = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc)
        self.close, self.headers = self.http.close, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __call__(self, method, path, body=None, **headers):
        body = json.dumps(body) if isinstance(body, dict | list) else body
        self.http.request(method, path, body, headers)
        reply = self.http.getresponse()
        content, self.headers = reply.read(), reply.headers
        is_json = reply.headers["Content-Type"].startswith("application/json")
        return reply.status, json.loads(content) if is_json else content


@contextlib.contextmanager
def rest(*flags):
    """Runs bin/serve.py; yields its process, whose `log` grows, and its address."""
    script = served.ROOT / "bin" / "serve.py"
    command = [sys.executable, script, "--port=0", *flags]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        # A thread reads the log, so that the pipe never fills.
        process.log = []
        reader = threading.Thread(target=lambda: process.log.extend(process.stderr))
        reader.start()
        try:
            address = re.search(r"http://\S+", process.stdout.readline())
            assert address, "".join(process.log)
            yield process, address[0].rstrip("/")
        finally:
            process.terminate()
            code = process.wait(120)  # A busy machine is slow to end a process of TensorFlow.
            reader.join()
    assert code == 0


@contextlib.contextmanager
def tf_serving(folder):
    """Runs tensorflow_model_server; yields its REST and its gRPC address."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        rest_port, grpc_port = (listening.getsockname()[1] for listening in sockets)
    command = [TF_SERVING, f"--rest_api_port={rest_port}", f"--port={grpc_port}"]
    command += [f"--model_name={folder.name}", f"--model_base_path={folder}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            for port in (rest_port, grpc_port):
                wait_for(functools.partial(_listens, port), process=process)
            yield f"http://127.0.0.1:{rest_port}", f"grpc://127.0.0.1:{grpc_port}"
        finally:
            process.terminate()


def _listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.contextmanager
def grpc_double(folder, port=0):
    """Answers as TensorFlow Serving over gRPC, in this process; yields its address and itself."""
    double, server = _Double(Path(folder)), grpc.server(futures.ThreadPoolExecutor(2))
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
    """Serves a single version; the next calls end with the codes in `failures`."""

    def __init__(self, folder):
        self.name, self.version = folder.name, folder / "1"
        self.model = ServedModel(self.version)
        self.failures, self.delay, self.calls = [], 0.0, 0

    def _check(self, spec, context):
        self.calls += 1
        time.sleep(self.delay)
        if self.failures:
            context.abort(self.failures.pop(0), "a failure")
        known = spec.name == self.name and not spec.version_label
        if not known or (spec.HasField("version") and spec.version.value != 1):
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {spec.name}")

    def Predict(self, request, context):
        self._check(request.model_spec, context)
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        try:
            outputs = self.model.run(request.model_spec.signature_name, inputs)
        except InvalidRequestError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        reply = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, value in outputs.items():
            reply.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return reply

    def GetModelMetadata(self, request, context):
        self._check(request.model_spec, context)
        content = (self.version / "saved_model.pb").read_bytes()
        (graph,) = saved_model_pb2.SavedModel.FromString(content).meta_graphs
        reply = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        reply.model_spec.version.value = 1
        packed = any_pb2.Any()
        packed.Pack(get_model_metadata_pb2.SignatureDefMap(signature_def=graph.signature_def))
        reply.metadata["signature_def"].CopyFrom(packed)
        return reply

    def GetModelStatus(self, request, context):
        self._check(request.model_spec, context)
        reply = get_model_status_pb2.GetModelStatusResponse()
        available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
        reply.model_version_status.add(version=1, state=available)
        return reply
