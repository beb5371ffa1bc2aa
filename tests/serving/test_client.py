"""The client gets what the live model gives, over each protocol, or a clear error."""

import contextlib
import functools
import http.server
import io
import itertools
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import grpc
import model_servers
import numpy as np
import pytest
import served
import tensorflow as tf
import urllib3
from google.protobuf import any_pb2, json_format
from PIL import Image
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from waiting import wait_for

from tfgans import pictures
from tfgans.serving import Client, ServingError
from tfgans.serving.client.inputs import converted
from tfgans.serving.client.rest_format import NPY, TensorInfo

LATENTS = np.zeros((1, 4))


@pytest.fixture(scope="module")
def tf_serving():
    if model_servers.TF_SERVING is None:
        pytest.skip("tensorflow_model_server is not installed")
    with model_servers.tf_serving(served.export("mixture").version.parent) as addresses:
        yield dict(zip(("tf_serving_rest", "tf_serving_grpc"), addresses, strict=True))


@pytest.fixture(scope="module")
def double():
    with model_servers.grpc_double(served.export("mixture").version.parent) as (address, double):
        yield address, double


@pytest.fixture(scope="module", params=["rest", "grpc", "tf_serving_rest", "tf_serving_grpc"])
def address(request):
    if request.param == "rest":
        return request.getfixturevalue("rest_server")
    if request.param == "grpc":
        return request.getfixturevalue("double")[0]
    return request.getfixturevalue("tf_serving")[request.param]


@pytest.fixture
def client(address):
    with Client(address, model="mixture", batch_size=5) as client:
        yield client


def test_samples_are_those_of_the_live_model(client):
    live = served.export("mixture").live
    images = client.generate(12, seed=3)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, live.sample(12, seed=3), atol=1e-5)
    seeds = np.array([5, -(2**63), 2**63 - 1])
    expected = np.concatenate([live.sample(1, seed=int(seed)) for seed in seeds])
    np.testing.assert_allclose(client.sample(seeds), expected, atol=1e-5)
    expected = live.sample(7, seed=3, component=2)
    np.testing.assert_allclose(client.generate(7, seed=3, component=2), expected, atol=1e-5)
    for options in ({}, {"component": 1}):
        expected = live.sample(7, seed=3, truncation=0.5, **options)
        made = client.generate(7, seed=3, truncation=0.5, **options)
        np.testing.assert_allclose(made, expected, atol=1e-5)
    np.testing.assert_allclose(client.mixture_weights(), [0.5, 0.3, 0.2], atol=1e-6)
    generated = client.predict("generate", {"num": 12, "seed": 3})
    np.testing.assert_allclose(generated["images"], images, atol=1e-5)
    (file,) = client.predict("sample_png", {"seed": [1]})["image_bytes"]
    with Image.open(io.BytesIO(file)) as picture:
        expected = pictures.to_uint8(live.sample(1, seed=1))[0, ..., 0]
        assert np.abs(np.asarray(picture).astype(int) - expected).max() <= 1


def test_status_and_metadata(client):
    assert client.status() == [(1, "AVAILABLE", "")]
    version, signatures = client.metadata()
    loaded = served.export("mixture").loaded.signatures
    assert (version, signatures.keys()) == (1, set(loaded))
    for name, info in signatures.items():
        specs = loaded[name].structured_input_signature[1]
        inputs = {key: (spec.dtype.name, tuple(spec.shape)) for key, spec in specs.items()}
        assert info.inputs == inputs
        outputs = {key: spec.dtype.name for key, spec in loaded[name].structured_outputs.items()}
        assert {key: output.dtype for key, output in info.outputs.items()} == outputs


def test_versions_and_refusals(address):
    with Client(address, model="mixture", version=1) as client:
        for inputs, message in (
            ({"latents": LATENTS, "components": [3]}, "from 0 to 2"),
            ({"latents": LATENTS * np.nan, "components": [0]}, "must be finite"),
        ):
            with pytest.raises(ServingError, match=message) as caught:
                client.predict("component", inputs)
            assert caught.value.code in ("400", "INVALID_ARGUMENT")
        assert client.sample([1]).shape == (1, 8, 8, 1)
    for missing in ({"version": 99}, {"version_label": "canary"}, {"model": "other"}):
        with Client(address, **{"model": "mixture", **missing}) as client:
            with pytest.raises(ServingError) as caught:
                client.sample([1])
            assert caught.value.code in ("404", "NOT_FOUND", "400", "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.predict("samples", {}), "no signature 'samples', but: component"),
        (lambda c: c.predict("sample", {"seeds": [1]}), "are: seed. Received: seeds"),
        (lambda c: c.sample([1.5]), "`seeds` must be ints"),
        (lambda c: c.generate(1, 0.5), "`seed` must be ints"),
        (lambda c: c.sample([]), "one or more"),
        (lambda c: c.sample([2**63]), "of int64"),
        (lambda c: c.generate(0, 1), "at least 1"),
        (lambda c: c.generate(1, 1, component=-1), "`component` must be an int"),
        (lambda c: c.generate(1, 1, component=2**31), r"`component` must be below 2\*\*31"),
        (lambda c: c.sample([1], labels=3), "is not conditional"),
        (lambda c: c.predict("component", {"latents": LATENTS, "components": [2**31]}), "of int32"),
        (lambda c: c.predict("serving_default", {"latents": [["a"]]}), "of float32"),
        (lambda c: c.predict("serving_default", {"latents": [[1e300]]}), "of float32"),
        (lambda c: c.predict("mixture_weights", {"probe": [True]}), "of float32"),
    ],
)
def test_invalid_calls(double, call, message):
    with Client(double[0], model="mixture") as client, pytest.raises(ValueError, match=message):
        call(client)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "localhost:8501"}, "must be http://HOST:PORT"),
        ({"address": "grpc://localhost"}, "grpc://HOST:PORT"),
        ({"address": "http://localhost:99999"}, "must be http://HOST:PORT"),
        ({"address": "grpc://localhost:1/x"}, "grpc://HOST:PORT"),
        ({"model": "a/b"}, "name of a served model"),
        ({"model": "a:predict"}, "name of a served model"),
        ({"model": ".."}, "name of a served model"),
        ({"model": "a\nb"}, "name of a served model"),
        ({"version_label": ".."}, "`version_label` must be a version label"),
        ({"timeout": float("inf")}, "`timeout`"),
        ({"timeout": None}, "`timeout`"),
        ({"timeout": 0}, "`timeout`"),
        ({"timeout": True}, "`timeout`"),
        ({"timeout": 86401}, "at most 86400 seconds"),
        ({"version": -1}, "`version`"),
        ({"version": 1, "version_label": "stable"}, "exclude each other"),
        ({"retries": -1}, "`retries`"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"address": "http://user:secret@localhost:1"}, "without a user.*`headers`"),
        ({"address": "grpc://user:secret@localhost:1"}, "without a user.*`headers`"),
        ({"address": "http://user:secret@localhost:99999"}, "must be http://HOST:PORT"),
        ({"address": "http://localhost:1/x?y=1"}, "without a user, query or fragment"),
        ({"address": "http://localhost:1/x#y"}, "without a user, query or fragment"),
        ({"headers": ["secret"]}, "`headers` must be strings by name"),
        ({"headers": {"a b": "secret"}}, "names of `headers` must be letters"),
        ({"headers": {"Accept": "secret"}}, "what the client sets"),
        ({"headers": {"grpc-timeout": "secret"}}, "gRPC reserves"),
        ({"headers": {"x": "secret\r\n"}}, "printable ASCII"),
        ({"headers": {"x": 1}}, "printable ASCII"),
    ],
)
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        Client(**{"address": "http://localhost:1", "model": "m", **options})
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("value", [1, None, [["a"], ["b", "c"]]])
def test_strings_must_be_strings(value):
    with pytest.raises(ValueError, match="`x` must be str or bytes"):
        converted("x", value, TensorInfo("string", (None,)))
    texts = converted("x", ["a", b"b"], TensorInfo("string", (None,)))
    assert texts.tolist() == ["a", b"b"]


def test_half_precision_of_another_library(rest_server):
    """`tfgans serve` sends it as arrays; the JSON of TensorFlow Serving has no such type."""
    with Client(rest_server, model="odd") as client:
        halves = client.predict("half_output", {"x": [1.0, 2.5]})["y"]
        assert (halves.dtype, halves.tolist()) == (np.float16, [1.0, 2.5])
    with pytest.raises(ValueError, match="`x` must be of float16"):
        converted("x", [1e6], TensorInfo("float16", (None,)))


def test_labels():
    export = served.export("conditional")
    folder = export.version.parent
    with (
        model_servers.grpc_double(folder) as (address, _),
        Client(address, model=folder.name) as client,
    ):
        assert client.class_names() == [*served.CLASS_NAMES, "6", "7", "8", "9"]
        for labels, numbers in (
            *((None, None), (7, 7), ([3, 1, 4, 1, 5], [3, 1, 4, 1, 5])),
            *(("zwölf", 2), ("3", 3), (["five", "one", "9", "4", "0"], [5, 1, 9, 4, 0])),
            (np.array(["five"] * 5, object), 5),
        ):
            expected = export.live.sample(5, seed=3, labels=numbers)
            made = client.generate(5, seed=3, labels=labels)
            np.testing.assert_allclose(made, expected, atol=1e-5)
        with pytest.raises(ServingError, match="classes from 0 to 9"):
            client.sample([1], labels=10)
        for options, message in (
            ({"labels": 2**32 + 3}, "`labels` must be of int32"),
            ({"labels": [1, 2, 3]}, "a class for each of the 2 examples"),
            ({"labels": "six"}, "or a name: zero, one, zwölf, .* Received: 'six'"),
            ({"labels": -1}, "`labels` must be classes, from 0 on"),
            ({"component": 0}, "`labels` must be set"),
        ):
            with pytest.raises(ValueError, match=message):
                client.sample([1, 2], **options)


def test_grpc_failures(double):
    address, server = double
    with Client(address, model="mixture", retries=2, timeout=0.5) as client:
        client.mixture_weights()
        server.failures, server.calls = [grpc.StatusCode.UNAVAILABLE] * 2, 0
        assert client.mixture_weights().shape == (3,)
        assert server.calls == 3
        server.failures = [grpc.StatusCode.UNAVAILABLE] * 3
        with pytest.raises(ConnectionError, match="cannot be reached"):
            client.mixture_weights()
        server.failures, server.calls = [grpc.StatusCode.INTERNAL], 0
        with pytest.raises(ServingError, match="INTERNAL: a failure"):
            client.mixture_weights()
        assert server.calls == 1
        server.delay = 2.0
        try:
            with pytest.raises(TimeoutError, match=r"within 0\.5 s"):
                client.mixture_weights()
        finally:
            server.delay = 0.0


@pytest.mark.slow
def test_grpc_server_that_comes_up_late():
    folder = served.export("mixture").version.parent
    with model_servers.grpc_double(folder) as (address, _):
        pass  # Its port is free again.
    with Client(address, model="mixture", retries=12) as client, ThreadPoolExecutor(1) as pool:
        status = pool.submit(client.status)
        time.sleep(0.3)
        with model_servers.grpc_double(folder, port=int(address.rpartition(":")[2])):
            assert status.result(60) == [(1, "AVAILABLE", "")]


DIM = {"tensor_shape": {"dim": [{"size": "-1"}]}}


def definitions(output="DT_FLOAT", *, labels=False):
    """Signatures of vectors; `sample` has an output of a type."""
    seed, index = {"seed": {"dtype": "DT_INT64", **DIM}}, {"index": {"dtype": "DT_INT64", **DIM}}
    latents = {"latents": {"dtype": "DT_FLOAT", **DIM}}
    components = {"components": {"dtype": "DT_INT32", **DIM}}
    images = {"images": {"dtype": "DT_FLOAT", **DIM}}
    classes = {"labels": {"dtype": "DT_INT32", **DIM}} if labels else {}
    names = {"names": {"dtype": "DT_STRING", **DIM}}
    return {
        "sample": {"inputs": seed, "outputs": {"x": {"dtype": output, **DIM}}},
        "sample_at": {"inputs": {**seed, **index, **classes}, "outputs": images},
        "latents": {"inputs": {**seed, **index}, "outputs": latents},
        "component": {"inputs": {**latents, **components, **classes}, "outputs": images},
        "class_names": {"inputs": {"probe": {"dtype": "DT_FLOAT", **DIM}}, "outputs": names},
    }


def metadata(version, output="DT_FLOAT", *, labels=False):
    """The reply of a model of vectors."""
    signatures = {"signature_def": {"signature_def": definitions(output, labels=labels)}}
    return 200, {"model_spec": {"version": str(version)}, "metadata": signatures}


class Scripted:
    """A server with a list of replies: JSON or bytes with a status, None drops the connection."""

    def __init__(self, *replies):
        self.replies, self.paths, self.headers, self.inputs = list(replies), [], [], []
        handler = type("Handler", (_Handler,), {"script": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self):
        threading.Thread(target=functools.partial(self.server.serve_forever, 0.02)).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def client(self, **options):
        return Client(f"http://127.0.0.1:{self.server.server_port}", model="m", **options)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        received = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.script.paths.append(self.path.removeprefix("/v1/models/m"))
        self.script.headers.append(self.headers)
        if received:
            self.script.inputs.append(json.loads(received)["inputs"])
        reply = self.script.replies.pop(0)
        if reply is None:
            return
        status, body, *media_type = reply
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for value in media_type:
            self.send_header("Content-Type", value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_):
        pass


def test_rest_repeats_only_requests_that_did_not_arrive():
    with Scripted(metadata(1), None, None, (200, {"outputs": [5.0]})) as server:
        with server.client(retries=2) as client:
            np.testing.assert_array_equal(client.predict("sample", {"seed": [5]})["x"], [5])
        assert server.paths == ["/metadata", *[":predict"] * 3]


def npy(header):
    """A file of NumPy's format with a header."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((503, {"error": "busy"}), "503: busy"),
        ((502, b"<html>Bad Gateway</html>"), "502: <html>"),
        ((200, b"[]"), "200"),
        ((200, {"outputs": "a"}), "as TF Serving does"),
        ((200, {"predictions": []}), "as TF Serving does"),
        *[
            ((200, npy(header), NPY), "as TF Serving does")
            for header in (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
                "{'descr': '''",
                "\\",
                "(" * 900,
                "-" * 900 + "1",
                "(" * 5000,
                "-" * 9000 + "1",
            )
        ],
    ],
)
def test_rest_replies_are_final(reply, message):
    with Scripted(metadata(1), reply, metadata(1)) as server, server.client() as client:
        with pytest.raises(ServingError, match=message) as caught:
            client.predict("sample", {"seed": [5]})
        assert caught.value.code == str(reply[0])
        assert server.paths.count(":predict") == 1


@contextlib.contextmanager
def raw_server(answer, context=None):
    """Calls `answer` with each connection, in a thread; yields the port."""

    def serve(connection):
        connection.settimeout(20)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            if context is not None:
                connection = stack.enter_context(context.wrap_socket(connection, server_side=True))
            answer(connection)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

    threads = [threading.Thread(target=accept)]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threads[0].start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def trickle(connection, start, repeated):
    connection.sendall(start)
    for _ in range(30):
        connection.sendall(repeated)
        time.sleep(0.1)


def read_request(connection):
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        part = connection.recv(65536)
        if not part:
            raise ConnectionError
        received += part


HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 28\r\n\r\n"
STATUS = HEAD + LENGTH + b'{"model_version_status": []}'


def slow_twice(connection):
    """Each half of the reply takes less than the timeout, both take longer."""
    read_request(connection)
    time.sleep(0.3)
    connection.sendall(HEAD + LENGTH)
    time.sleep(0.3)
    connection.sendall(STATUS.removeprefix(HEAD + LENGTH))
    time.sleep(0.5)


@pytest.mark.parametrize(
    ("scheme", "answer"),
    [
        ("http", lambda c: (read_request(c), trickle(c, HEAD + b"X: ", b"a"))),
        ("http", lambda c: (read_request(c), trickle(c, b"", b"HTTP/1.1 100 Continue\r\n\r\n"))),
        ("http", lambda c: (read_request(c), trickle(c, HEAD + LENGTH, b" "))),
        ("http", slow_twice),
        ("https", lambda c: trickle(c, b"\x16\x03\x03\x40\x00", b"a")),  # A record of 16 kB.
    ],
    ids=["headers", "100 Continue", "body", "headers and body", "handshake"],
)
def test_the_timeout_limits_the_whole_request(scheme, answer):
    with raw_server(answer) as port:
        started = time.monotonic()
        with (
            Client(f"{scheme}://127.0.0.1:{port}", model="m", timeout=0.5, retries=0) as client,
            pytest.raises(TimeoutError, match=r"within 0\.5 s"),
        ):
            client.status()
        assert time.monotonic() - started < 1.5


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """The context of a server at 127.0.0.1 that clients trust."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=test", "-keyout", key, "-out", certificate]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_the_timeout_limits_requests_over_tls(tls):
    """Also those on a connection that is used again."""

    def answer(connection):
        for _ in range(2):
            read_request(connection)
            connection.sendall(STATUS)
        read_request(connection)
        trickle(connection, HEAD + b"X: ", b"a")

    with (
        raw_server(answer, tls) as port,
        Client(f"https://127.0.0.1:{port}", model="m", timeout=0.5, retries=0) as client,
    ):
        assert client.status() == client.status() == []
        started = time.monotonic()
        with pytest.raises(TimeoutError, match=r"within 0\.5 s"):
            client.status()
        assert time.monotonic() - started < 1.5


def test_the_timeout_of_a_request_does_not_end_a_later_one():
    def answer(connection):
        read_request(connection)
        connection.sendall(STATUS)
        read_request(connection)
        time.sleep(0.5)
        connection.sendall(STATUS)

    with (
        raw_server(answer) as port,
        Client(f"http://127.0.0.1:{port}", model="m", timeout=0.8, retries=0) as client,
    ):
        assert client.status() == []
        time.sleep(0.5)
        assert client.status() == []  # On the same connection, until 1 s.


def test_threads_share_a_client():
    """The timeouts of some requests leave the others alone."""

    def answer(connection):
        while True:
            read_request(connection)
            if next(count) % 4 == 0:
                trickle(connection, HEAD + b"X: ", b"a")
            connection.sendall(STATUS)

    count = itertools.count()
    with (
        raw_server(answer) as port,
        ThreadPoolExecutor(8) as pool,
        Client(f"http://127.0.0.1:{port}", model="m", timeout=0.5, retries=0) as client,
    ):
        replies = [pool.submit(client.status) for _ in range(40)]
        errors = [reply.exception() for reply in replies]
    late = [type(error) for error in errors if error is not None]
    # On a busy machine a reply may be late that the server did not delay.
    assert set(late) == {TimeoutError}
    assert 10 <= len(late) < 20


def test_close_ends_the_connections(monkeypatch):
    """Also while something, as an error that was kept, refers to their pool."""
    pools, find_pool = [], urllib3.PoolManager.connection_from_host

    def remembered(manager, *arguments, **options):
        pools.append(find_pool(manager, *arguments, **options))
        return pools[-1]

    monkeypatch.setattr(urllib3.PoolManager, "connection_from_host", remembered)

    def answer(connection):
        read_request(connection)
        connection.sendall(STATUS)
        ends.append(connection.recv(1))

    ends = []
    with raw_server(answer) as port:
        with Client(f"http://127.0.0.1:{port}", model="m") as client:
            assert client.status() == []
        wait_for(lambda: ends == [b""])
    assert {pool.port for pool in pools} == {port}


def test_pauses_between_retries_are_limited(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with raw_server(lambda _: None) as port:
        pass  # Nothing listens any more.
    with (
        Client(f"http://127.0.0.1:{port}", model="m", retries=2000) as client,
        pytest.raises(ConnectionError, match="cannot be reached"),
    ):
        client.status()
    np.testing.assert_allclose(pauses[:8], [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])
    assert len(pauses) == 2000


def test_headers_go_with_each_request():
    with Scripted(metadata(1), (200, {"outputs": [5.0]})) as server:
        with server.client(headers={"Authorization": "Bearer secret"}) as client:
            client.predict("sample", {"seed": [5]})
        assert [headers["Authorization"] for headers in server.headers] == ["Bearer secret"] * 2
        assert server.headers[1]["Content-Type"] == "application/json"


@pytest.mark.parametrize("batch_size", [2, 64])
def test_a_reply_must_have_a_row_for_each_row(batch_size):
    with (
        Scripted(metadata(1), (200, {"outputs": [5.0]})) as server,
        server.client(batch_size=batch_size) as client,
        pytest.raises(ServingError, match=r"rows of 'images'. Received: shape \(1,\)"),
    ):
        client.sample(range(5))


def test_signatures_that_are_not_of_an_export():
    code, body = metadata(1)
    signatures = body["metadata"]["signature_def"]["signature_def"]
    signatures["sample_at"]["outputs"] = {"y": signatures["sample_at"]["outputs"]["images"]}
    with (
        Scripted((code, body), metadata(1)) as server,
        server.client() as client,
        pytest.raises(ValueError, match="must include 'images'"),
    ):
        client.sample([1])


def test_all_rows_are_of_a_single_version():
    two, last, gone = (200, {"outputs": [1, 1]}), (200, {"outputs": [1]}), (404, {"error": "gone"})
    with Scripted(metadata(1), two, gone, metadata(2), two, two, last) as server:
        with server.client(batch_size=2) as client:
            np.testing.assert_array_equal(client.sample(range(5)), np.ones(5))
        assert server.paths[-3:] == ["/versions/2:predict"] * 3
    with (
        Scripted(*[metadata(1), gone] * 3) as server,
        server.client(batch_size=2) as client,
        pytest.raises(ServingError, match="gone"),
    ):
        client.sample(range(5))


def test_all_requests_of_a_call_are_of_a_single_version():
    row, gone = (200, {"outputs": [1.0]}), (404, {"error": "gone"})
    with Scripted(metadata(1), row, gone, metadata(2), row, row) as server:
        with server.client() as client:
            np.testing.assert_array_equal(client.generate(1, 0, component=2), [1])
        first, second = ["/versions/1:predict"] * 2, ["/versions/2:predict"] * 2
        assert server.paths == ["/metadata", *first, "/metadata", *second]
    names = (200, {"outputs": [["cat", "dog"]]})
    code, body = metadata(1, labels=True)
    signatures = body["metadata"]["signature_def"]["signature_def"]
    shape = {"dim": [{"size": "-1"}, {"size": "2"}]}
    signatures["class_names"]["outputs"]["names"]["tensor_shape"] = shape
    with Scripted((code, body), names, row) as server:
        with server.client() as client:
            np.testing.assert_array_equal(client.sample([1], labels="dog"), [1])
        assert server.paths == ["/metadata", *["/versions/1:predict"] * 2]
        assert server.inputs[-1]["labels"] == [1]


@pytest.mark.parametrize("rows", [3, 100])
def test_a_new_version_with_labels_or_without_is_learned(rows):
    reply, refusal = (200, {"outputs": [5.0] * rows}), (400, {"error": "other inputs"})
    parts = [(200, {"outputs": [5.0] * size}) for size in (64, 36)]
    if rows == 3:
        # A single request goes to the newest version, which refuses the inputs of another.
        script = [metadata(1), reply, refusal, metadata(2, labels=True), reply]
        script += [refusal, metadata(3), reply]
    else:
        script = [metadata(1), *parts, metadata(2, labels=True), *parts, metadata(3), *parts]
    with Scripted(*script) as server, server.client() as client:
        for labels in (None, [-1] * (3 if rows == 3 else 36), None):
            np.testing.assert_array_equal(client.generate(rows, 1), [5] * rows)
            assert server.inputs[-1].get("labels") == labels
        assert not server.replies


def test_labels_go_to_a_version_that_takes_them():
    """TensorFlow Serving ignores inputs that a version does not have."""
    row = 200, {"outputs": [5.0]}
    with Scripted(metadata(1), metadata(2, labels=True), row, metadata(3)) as server:
        with server.client() as client:
            assert client.metadata().version == 1
            np.testing.assert_array_equal(client.generate(1, 0, labels=3), [5])
            with pytest.raises(ValueError, match="is not conditional"):
                client.generate(1, 0, labels=3)
        assert server.paths == [*["/metadata"] * 2, "/versions/2:predict", "/metadata"]


def test_signatures_of_a_new_version_are_learned():
    numbers, texts = (200, {"outputs": [5.0]}), (200, {"outputs": ["a"]})
    replies = metadata(1), numbers, texts, metadata(2, "DT_STRING"), texts
    with Scripted(*replies) as server, server.client() as client:
        assert client.predict("sample", {"seed": [5]})["x"].tolist() == [5.0]
        assert client.predict("sample", {"seed": [5]})["x"].tolist() == [b"a"]


class _Replies(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers with a packed `SignatureDefMap` and with outputs."""

    def __init__(self, packed, outputs=None):
        self.packed, self.outputs, self.metadata = packed, outputs or {}, []

    def GetModelMetadata(self, request, context):
        self.metadata.append(dict(context.invocation_metadata()))
        reply = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        reply.metadata["signature_def"].CopyFrom(self.packed)
        return reply

    def Predict(self, request, context):
        self.metadata.append(dict(context.invocation_metadata()))
        return predict_pb2.PredictResponse(outputs=self.outputs)


@contextlib.contextmanager
def grpc_client(servicer, **options):
    server = grpc.server(ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with Client(f"grpc://127.0.0.1:{port}", model="m", **options) as client:
            yield client
    finally:
        server.stop(None).wait()


def packed(proto):
    result = any_pb2.Any()
    result.Pack(proto)
    return result


def grpc_signatures():
    text = json.dumps({"signature_def": definitions()})
    return packed(json_format.Parse(text, get_model_metadata_pb2.SignatureDefMap()))


@pytest.mark.parametrize(
    "answer",
    [
        any_pb2.Any(),
        packed(meta_graph_pb2.SignatureDef()),
        any_pb2.Any(
            type_url="type.googleapis.com/tensorflow.serving.SignatureDefMap", value=b"\xff\xff"
        ),
    ],
    ids=["none", "another type", "damaged"],
)
def test_grpc_metadata_of_another_kind(answer):
    with (
        grpc_client(_Replies(answer)) as client,
        pytest.raises(ServingError, match="as TF Serving does") as caught,
    ):
        client.metadata()
    assert caught.value.code == "OK"


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "'images' is missing"),
        ({"images": tf.make_tensor_proto([5])}, "float32.*Received: int32"),
        ({"images": tf.make_tensor_proto([[5.0]])}, r"Received: float32 \(1, 1\)"),
        ({"images": tf.make_tensor_proto([5.0, 6.0])}, r"Received: shape \(2,\)"),
        (
            {"images": tf.make_tensor_proto(5.0, shape=[2**40], verify_shape=False)},
            "at most 536,870,912 elements",
        ),
    ],
    ids=["none", "type", "axes", "rows", "size"],
)
def test_grpc_outputs_of_another_kind(outputs, message):
    with (
        grpc_client(_Replies(grpc_signatures(), outputs)) as client,
        pytest.raises(ServingError, match=message) as caught,
    ):
        client.sample([1])
    assert caught.value.code == "OK"


def test_headers_are_the_metadata_of_grpc():
    servicer = _Replies(grpc_signatures(), {"images": tf.make_tensor_proto([5.0])})
    with grpc_client(servicer, headers={"Authorization": "Bearer secret"}) as client:
        assert client.sample([1]).tolist() == [5.0]
    assert [received["authorization"] for received in servicer.metadata] == ["Bearer secret"] * 2


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_closed_client_says_so(scheme):
    with Client(f"{scheme}://localhost:1", model="m") as client:
        pass
    for call in (client.status, client.metadata, lambda: client.generate(1, 0)):
        with pytest.raises(ValueError, match="client is closed"):
            call()


def test_client_needs_no_tensorflow(rest_server):
    script = f"""
import sys
for name in ("tensorflow", "keras", "grpc", "scipy", "google.protobuf"):
    sys.modules[name] = None
from tfgans.serving import Client
with Client({rest_server!r}, model="mixture") as client:
    print(client.generate(2, seed=1).shape)
    try:
        Client("grpc://localhost:1", model="m")
    except ImportError as error:
        print(error)
"""
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True)
    shape, error = done.stdout.splitlines()
    assert shape == "(2, 8, 8, 1)", done.stderr
    assert "tfgans-keras[serving]" in error
