"""The client gets what the live model gives, over each protocol, or a clear error."""

import ast
import contextlib
import functools
import http.server
import io
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import model_servers
import numpy as np
import pytest
import served
from PIL import Image

from tfgans import pictures
from tfgans.serving import Client, ServingError

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
    for missing in ({"version": 99}, {"label": "canary"}, {"model": "other"}):
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
        (lambda c: c.sample([1], labels=3), "is not conditional"),
        (lambda c: c.predict("component", {"latents": LATENTS, "components": [2**31]}), "of int32"),
        (lambda c: c.predict("serving_default", {"latents": [["a"]]}), "of float32"),
        (lambda c: c.predict("serving_default", {"latents": [[1e300]]}), "of float32"),
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
        ({"label": ".."}, "`label` must be a version label"),
        ({"timeout": float("inf")}, "`timeout`"),
        ({"timeout": None}, "`timeout`"),
        ({"timeout": 0}, "`timeout`"),
        ({"version": -1}, "`version`"),
        ({"version": 1, "label": "stable"}, "not both"),
        ({"retries": -1}, "`retries`"),
        ({"batch_size": 0}, "`batch_size`"),
    ],
)
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        Client(**{"address": "http://localhost:1", "model": "m", **options})


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
    with Client(address, model="mixture", retries=7) as client, ThreadPoolExecutor(1) as pool:
        status = pool.submit(client.status)
        time.sleep(0.3)
        with model_servers.grpc_double(folder, port=int(address.rpartition(":")[2])):
            assert status.result(20) == [(1, "AVAILABLE", "")]


def metadata(version, output="DT_FLOAT"):
    """The reply of a model of vectors, of which the output of `sample` has a type."""
    dim = {"tensor_shape": {"dim": [{"size": "-1"}]}}
    seed, index = {"seed": {"dtype": "DT_INT64", **dim}}, {"index": {"dtype": "DT_INT64", **dim}}
    images = {"images": {"dtype": "DT_FLOAT", **dim}}
    definitions = {
        "sample": {"inputs": seed, "outputs": {"x": {"dtype": output, **dim}}},
        "sample_at": {"inputs": {**seed, **index}, "outputs": images},
    }
    signatures = {"signature_def": {"signature_def": definitions}}
    return 200, {"model_spec": {"version": str(version)}, "metadata": signatures}


class Scripted:
    """A server with a list of replies: JSON or bytes with a status, None drops the connection."""

    def __init__(self, *replies):
        self.replies, self.paths = list(replies), []
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
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.script.paths.append(self.path.removeprefix("/v1/models/m"))
        reply = self.script.replies.pop(0)
        if reply is None:
            return
        status, body = reply
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) or 20))
        self.end_headers()
        self.wfile.write(body)
        with contextlib.suppress(OSError):
            for _ in range(0 if body else 20):  # A reply that trickles.
                self.wfile.write(b" ")
                time.sleep(0.1)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_):
        pass


def test_rest_repeats_only_requests_that_did_not_arrive():
    with Scripted(metadata(1), None, None, (200, {"outputs": [5.0]})) as server:
        with server.client(retries=2) as client:
            np.testing.assert_array_equal(client.predict("sample", {"seed": [5]})["x"], [5])
        assert server.paths == ["/metadata", *[":predict"] * 3]
    started = time.monotonic()
    with server.client(retries=2) as client, pytest.raises(ConnectionError, match="be reached"):
        client.status()
    assert time.monotonic() - started >= 0.3  # Pauses of 0.1 s and 0.2 s.


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((503, {"error": "busy"}), "503: busy"),
        ((502, b"<html>Bad Gateway</html>"), "502: <html>"),
        ((200, b"[]"), "200"),
        ((200, {"outputs": "a"}), "as TF Serving does"),
        ((200, {"predictions": []}), "as TF Serving does"),
    ],
)
def test_rest_replies_are_final(reply, message):
    with Scripted(metadata(1), reply, metadata(1)) as server, server.client() as client:
        with pytest.raises(ServingError, match=message) as caught:
            client.predict("sample", {"seed": [5]})
        assert caught.value.code == str(reply[0])
        assert server.paths.count(":predict") == 1


def test_a_trickle_is_a_timeout():
    with Scripted((200, b"")) as server, server.client(timeout=0.3) as client:
        started = time.monotonic()
        with pytest.raises(TimeoutError, match=r"within 0\.3 s"):
            client.status()
        assert time.monotonic() - started < 1.5


def test_all_rows_are_of_a_single_version():
    two, last, gone = (200, {"outputs": [1, 1]}), (200, {"outputs": [1]}), (404, {"error": "gone"})
    first = [metadata(1), metadata(1), two, gone]
    with Scripted(*first, metadata(2), two, two, last) as server:
        with server.client(batch_size=2) as client:
            np.testing.assert_array_equal(client.sample(range(5)), np.ones(5))
        assert server.paths[-3:] == ["/versions/2:predict"] * 3
    with (
        Scripted(metadata(1), *[metadata(1), gone] * 3) as server,
        server.client(batch_size=2) as client,
        pytest.raises(ServingError, match="gone"),
    ):
        client.sample(range(5))


def test_a_new_version_that_takes_labels_is_learned():
    code, body = metadata(2)
    signatures = body["metadata"]["signature_def"]["signature_def"]
    inputs = signatures["sample_at"]["inputs"]
    inputs["labels"] = {**inputs["seed"], "dtype": "DT_INT32"}
    with Scripted(metadata(1), (code, body), (200, {"outputs": [5.0]})) as server:
        with server.client() as client:
            assert client.metadata()[0] == 1
            np.testing.assert_array_equal(client.generate(1, 0, labels=3), [5])
        assert server.paths == ["/metadata", "/metadata", ":predict"]


def test_signatures_of_a_new_version_are_learned():
    numbers, texts = (200, {"outputs": [5.0]}), (200, {"outputs": ["a"]})
    replies = metadata(1), numbers, texts, metadata(2, "DT_STRING"), texts
    with Scripted(*replies) as server, server.client() as client:
        assert client.predict("sample", {"seed": [5]})["x"].tolist() == [5.0]
        assert client.predict("sample", {"seed": [5]})["x"].tolist() == [b"a"]


def test_client_needs_neither_tensorflow_nor_the_rest_of_tfgans(rest_server):
    folder = served.ROOT / "tfgans" / "serving" / "client"
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            module = getattr(node, "module", None) or ""
            if module.startswith("tfgans.") or module == "tfgans":
                names = {alias.name for alias in node.names}
                allowed = module.startswith("tfgans.serving.client") or names == {"checks"}
                assert allowed or module == "tfgans.class_names", path
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
